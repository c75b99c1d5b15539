# SPDX-License-Identifier: GPL-2.0-or-later
"""Source lines to addresses: every address range of a line, in every scope (DWARF 5 section 6.2)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise

from localvar.dwarf.line import LineTable
from localvar.dwarf.types import line_table
from localvar.dwarf.unit import Unit
from localvar.probe.functions import path_matches

Wanted = Callable[[int], bool]


def line_starts(unit: Unit, file: str, wanted: Wanted) -> Iterator[tuple[int, int]]:
    """(line, address) where code of a wanted line of the file begins, at statement boundaries.

    A line whose code is split has one entry for each range.  A line that has no instruction of its own, only rows at
    the address of another, has entries there.
    """
    table = line_table(unit)
    indices = {index for index, path in enumerate(table.files) if path and path_matches(path, file)}
    if not indices:
        return
    ranges = dict(_ranges(table, indices, wanted))
    yield from sorted((line, address) for address, line in ranges.items())
    with_code = set(ranges.values())
    bare = {(row.line, row.address) for row in table.rows if row.file in indices and wanted(row.line)
            and row.is_stmt and not row.end_sequence and row.line not in with_code}
    yield from sorted(bare)


def _ranges(table: LineTable, indices: set[int], wanted: Wanted) -> Iterator[tuple[int, int]]:
    """(address, line) where a contiguous range of one wanted line begins with a statement."""
    end, line = -1, -1
    for row, following in pairwise(table.rows):
        if row.end_sequence or following.address <= row.address:
            continue
        if row.file in indices and wanted(row.line):
            if (row.address != end or row.line != line) and row.is_stmt:
                yield row.address, row.line
            end, line = following.address, row.line
        else:
            end = -1


def lines_with_code(unit: Unit, file: str) -> list[int]:
    """Lines of the file that have code in the unit, ascending."""
    return sorted({line for line, _ in line_starts(unit, file, lambda _: True)})
