# SPDX-License-Identifier: GPL-2.0-or-later
"""Location lists: .debug_loc (DWARF 4, 7.7.3) and .debug_loclists (DWARF 5, 7.7.3).

``loclist((start, end, expr), ...)`` holds absolute ranges and suits every version. ``lle.offset_pair(...)``
and the other entries are written as they are; DWARF 4 knows base_address, offset_pair and end_of_list.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

from . import lle, op
from .buffer import Buffer
from .context import UnitContext
from .lists import Absolute, Entry, write_lists, write_operand
from .values import Addr, AddrLike, Raw

LocEntry: TypeAlias = "Entry | Absolute | Raw"


@dataclass(frozen=True, eq=False)
class LocList:
    """A location list. ``views`` are the location-view pairs in front; ``end`` appends the end of list."""

    entries: tuple[LocEntry, ...]
    views: tuple[tuple[int, int], ...] = ()
    end: bool = True


@dataclass(frozen=True)
class ViewsOf:
    """Where a list's view pairs are, for DW_AT_GNU_locviews."""

    locations: LocList


def loclist(
    *entries: Entry | Raw | tuple[AddrLike, AddrLike, op.Item],
    views: tuple[tuple[int, int], ...] = (),
    end: bool = True,
) -> LocList:
    """Build a location list of entries, raw bytes and (start, end, expression) triples."""
    return LocList(
        tuple(Absolute(e[0], e[1], (e[2],)) if isinstance(e, tuple) else e for e in entries),
        views,
        end,
    )


def write_location_lists(context: UnitContext) -> None:
    """Write the unit's location lists."""
    write_lists((".debug_loc", ".debug_loclists"), context.loclists, context, _write_list)


def _write_list(locations: LocList, buffer: Buffer, context: UnitContext) -> None:
    context.mark(len(buffer), "views", id(locations))
    for begin, end in locations.views:
        buffer.uleb(begin)
        buffer.uleb(end)
    context.mark(len(buffer), "list", id(locations))
    entries = (*locations.entries, lle.end_of_list()) if locations.end else locations.entries
    if context.version >= 5:
        for entry in entries:
            _write_v5(entry, buffer, context)
    else:
        _write_v4(entries, buffer, context)


def _location(value: Any, size: int | None, buffer: Buffer, context: UnitContext) -> None:
    if isinstance(value, Raw):
        buffer.raw(value.data)
        return
    part = buffer.part()
    op.write(op.as_expr(value), part, context)
    buffer.counted(part, size)


def _write_v5(entry: LocEntry, buffer: Buffer, context: UnitContext) -> None:
    if isinstance(entry, Raw):
        buffer.raw(entry.data)
        return
    if isinstance(entry, Absolute):
        space = context.assembly.space
        entry = lle.start_length(entry.start, space.value(entry.end) - space.value(entry.start), *entry.rest)
    code, kinds = lle.KINDS[entry.name]
    buffer.number(1, code)
    for kind, value in zip(kinds.split(), entry.operands, strict=True):
        if kind == "location":
            _location(value, None, buffer, context)
        else:
            write_operand(kind, value, buffer, context)


def _write_v4(entries: tuple[LocEntry, ...], buffer: Buffer, context: UnitContext) -> None:
    """Pairs of words: (0, 0) ends the list, (highest address, base) selects a base."""
    base = context.base_address()
    for entry in entries:
        if isinstance(entry, Raw):
            buffer.raw(entry.data)
        elif isinstance(entry, Absolute):
            write_v4_range(entry, base, buffer)
            _location(entry.rest[0], 2, buffer, context)
        elif entry.name == "offset_pair":
            begin, end, location = entry.operands
            write_v4_pair(begin, end, buffer)
            _location(location, 2, buffer, context)
        else:
            base = write_v4_special(entry, buffer, base)


def write_v4_pair(begin: Any, end: Any, buffer: Buffer) -> None:
    """Two words, addresses where they are ``Addr``."""
    for value in (begin, end):
        buffer.addr(value) if isinstance(value, Addr) else buffer.number(buffer.target.address_size, value)


def write_v4_range(entry: Absolute, base: Addr, buffer: Buffer) -> None:
    """A pair of addresses less the base; the addresses themselves, relocated, where the base is plain 0."""
    space = buffer.space
    if base == Addr(None, 0):
        buffer.addr(entry.start)
        buffer.addr(entry.end)
    else:
        write_v4_pair(
            space.value(entry.start) - space.value(base), space.value(entry.end) - space.value(base), buffer
        )


def write_v4_special(entry: Entry, buffer: Buffer, base: Addr) -> Addr:
    """An end of list or a base address; returns the base from there on. ValueError for v5 entries."""
    word = buffer.target.address_size
    if entry.name == "end_of_list":
        buffer.raw(bytes(2 * word))
        return base
    if entry.name != "base_address":
        raise ValueError(f"DWARF 4 lists have no {entry.name}")
    buffer.number(word, (1 << 8 * word) - 1)
    selected: Any = entry.operands[0]
    buffer.addr(selected)
    return selected if isinstance(selected, Addr) else Addr(selected)
