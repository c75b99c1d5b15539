# SPDX-License-Identifier: GPL-2.0-or-later
"""What the demos print, and the comparison that decides their exit status."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

Row = Sequence[str]


def say(heading: str) -> None:
    """A heading, set off; what follows may come from another program, so nothing is kept back."""
    print(f"\n== {heading}", flush=True)


def show_source(path: Path) -> None:
    """A source file without the comments it begins with."""
    lines = path.read_text().splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("#include"))
    print("\n".join(lines[start:]))


def show_accessors(expansion: Path) -> None:
    """The functions that localvar wrote for the macro uses of a handler file, each with its comment."""
    blocks = expansion.read_text().split("\n\n")
    print("\n\n".join(block for block in blocks if "static __always_inline" in block).split("\n#line")[0])


def compare(columns: Row, expected: Sequence[Row], recorded: Sequence[Row]) -> int:
    """Print records beside the values that they must have; 0 where there are records and all are right, else 1."""
    rows = [tuple(columns), *map(tuple, recorded)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(columns))]
    verdicts = ["", *("" if right else "  <-- wrong" for right in map(_same, recorded, _padded(expected, len(recorded))))]
    for row, verdict in zip(rows, verdicts, strict=True):
        print("    " + "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) + verdict)
    if not recorded or list(map(tuple, recorded)) != list(map(tuple, expected)):
        print(f"\nWRONG. {len(recorded)} records; these {len(expected)} were to come:")
        print("\n".join(f"    {'  '.join(row)}" for row in expected))
        return 1
    print(f"\nAll {len(recorded) * len(columns)} values of {len(recorded)} records are right.")
    return 0


def _same(row: Row, other: Row | None) -> bool:
    return other is not None and tuple(row) == tuple(other)


def _padded(rows: Sequence[Row], length: int) -> list[Row | None]:
    return [*rows, *[None] * (length - len(rows))]
