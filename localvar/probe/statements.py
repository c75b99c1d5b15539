# SPDX-License-Identifier: GPL-2.0-or-later
"""Source lines to addresses: every address range of a line (DWARF 5 section 6.2)."""

from __future__ import annotations

import enum
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from itertools import pairwise

from localvar.dwarf.linerows import FileRow
from localvar.dwarf.types import line_table
from localvar.dwarf.unit import Unit
from localvar.probe.functions import file_test

Wanted = Callable[[int], bool]


class Kind(enum.IntEnum):
    """What the line table says of a place, the best first.

    STATEMENT: instructions of the line, from where it recommends a breakpoint (is_stmt).  BARE: the line begins there, and the
    instruction is another line's: that of a function inlined into it, mostly.  REST: instructions of the line without
    such a recommendation: all that gcc leaves of many a `return -EINVAL`.
    """

    STATEMENT = 0
    BARE = 1
    REST = 2


@dataclass(frozen=True, order=True)
class LineStart:
    """A place where code of a line begins."""

    line: int
    address: int
    kind: Kind


def line_starts(unit: Unit, file: str, wanted: Wanted) -> list[LineStart]:
    """Where code of the wanted lines of a file begins: one entry for each range of a line whose code is split."""
    table = line_table(unit)
    indices = frozenset(table.indices(file_test(file)))
    rows = table.rows_of(indices) if indices else []
    return sorted(set(_starts(rows, indices, wanted)))


def _starts(rows: list[FileRow], indices: Collection[int], wanted: Wanted) -> Iterator[LineStart]:
    """Contiguous ranges of one wanted line, each from its first statement on, where it has one, and statements without a range.
    A statement can begin in a row of its own, and its instructions follow in one that is none, at the same address."""
    found: LineStart | None = None
    end = -1
    begun: set[LineStart] = set()
    for row, following in pairwise(rows):
        if row.end_sequence:
            begun.clear()
            continue
        mine = row.file in indices and wanted(row.line)
        if mine and row.is_stmt:
            begun.add(LineStart(row.line, row.address, Kind.BARE))
        if following.address <= row.address:
            continue
        start = None
        if mine:
            is_statement = LineStart(row.line, row.address, Kind.BARE) in begun
            start = LineStart(row.line, row.address, Kind.STATEMENT if is_statement else Kind.REST)
        yield from (bare for bare in begun if start is None or bare.line != row.line)
        begun.clear()
        if found is not None and start is not None and row.address == end and row.line == found.line:
            found = min(found, start, key=lambda one: one.kind)
        else:
            if found is not None:
                yield found
            found = start
        end = following.address
    if found is not None:
        yield found
