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
    """A place where code of a line begins, or goes on.  since: where the contiguous code of the line begins that it is in."""

    line: int
    address: int
    kind: Kind
    since: int


def line_starts(unit: Unit, file: str, wanted: Wanted) -> list[LineStart]:
    """Where the wanted lines of a file begin and have code: contiguous code has a start for each of its rows, since functions and
    inlined copies whose code is of the same line may meet there."""
    table = line_table(unit)
    indices = frozenset(table.indices(file_test(file)))
    rows = table.rows_of(indices) if indices else []
    return sorted(set(_starts(rows, indices, wanted)))


def _starts(rows: list[FileRow], indices: Collection[int], wanted: Wanted) -> Iterator[LineStart]:
    """The starts of lines.  A statement can begin in a row of its own, and its instructions follow in one that is none, at the
    same address."""
    since, end, running = -1, -1, -1
    begun: set[int] = set()
    for row, following in pairwise(rows):
        if row.end_sequence:
            begun.clear()
            continue
        mine = row.file in indices and wanted(row.line)
        if mine and row.is_stmt:
            begun.add(row.line)
        if following.address <= row.address:
            continue
        yield from (LineStart(line, row.address, Kind.BARE, row.address) for line in begun if not mine or line != row.line)
        if mine:
            since = since if row.address == end and row.line == running else row.address
            yield LineStart(row.line, row.address, Kind.STATEMENT if row.line in begun else Kind.REST, since)
        running = row.line if mine else -1
        end = following.address
        begun.clear()
