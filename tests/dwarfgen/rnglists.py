# SPDX-License-Identifier: GPL-2.0-or-later
"""Range lists: .debug_ranges (DWARF 4, 2.17.3) and .debug_rnglists (DWARF 5, 2.17.3 and 7.25).

``rnglist((start, end), ...)`` holds absolute ranges and suits every version; ``rle`` entries are written as
they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from . import rle
from .buffer import Buffer
from .context import UnitContext
from .lists import Absolute, Entry, write_lists, write_operand
from .loclists import write_v4_pair, write_v4_range, write_v4_special
from .values import AddrLike, Raw

RangeEntry: TypeAlias = "Entry | Absolute | Raw"


@dataclass(frozen=True, eq=False)
class RngList:
    """A range list; ``end`` appends the end of list."""

    entries: tuple[RangeEntry, ...]
    end: bool = True


def rnglist(*entries: Entry | Raw | tuple[AddrLike, AddrLike], end: bool = True) -> RngList:
    """Build a range list of entries, raw bytes and (start, end) pairs."""
    return RngList(tuple(Absolute(e[0], e[1]) if isinstance(e, tuple) else e for e in entries), end)


def write_range_lists(context: UnitContext) -> None:
    """Write the unit's range lists."""
    write_lists((".debug_ranges", ".debug_rnglists"), context.rnglists, context, _write_list)


def _write_list(ranges: RngList, buffer: Buffer, context: UnitContext) -> None:
    context.mark(len(buffer), "list", id(ranges))
    entries = (*ranges.entries, rle.end_of_list()) if ranges.end else ranges.entries
    if context.version >= 5:
        for entry in entries:
            _write_v5(entry, buffer, context)
    else:
        _write_v4(entries, buffer, context)


def _write_v5(entry: RangeEntry, buffer: Buffer, context: UnitContext) -> None:
    if isinstance(entry, Raw):
        buffer.raw(entry.data)
        return
    if isinstance(entry, Absolute):
        space = context.assembly.space
        entry = rle.start_length(entry.start, space.value(entry.end) - space.value(entry.start))
    code, kinds = rle.KINDS[entry.name]
    buffer.number(1, code)
    for kind, value in zip(kinds.split(), entry.operands, strict=True):
        write_operand(kind, value, buffer, context)


def _write_v4(entries: tuple[RangeEntry, ...], buffer: Buffer, context: UnitContext) -> None:
    base = context.base_address()
    for entry in entries:
        if isinstance(entry, Raw):
            buffer.raw(entry.data)
        elif isinstance(entry, Absolute):
            write_v4_range(entry, base, buffer)
        elif entry.name == "offset_pair":
            begin, end = entry.operands
            write_v4_pair(begin, end, buffer)
        else:
            base = write_v4_special(entry, buffer, base)
