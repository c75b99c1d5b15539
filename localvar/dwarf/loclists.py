# SPDX-License-Identifier: GPL-2.0-or-later
"""Location lists: the expressions that hold at one pc (DWARF 5 sections 2.6.2, 7.29; DWARF 4 section 2.6.2).

Always entered from a DIE's attribute: the location-view pairs that gcc puts in front of a list cannot be told from
entries when .debug_loclists is read linearly.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from localvar.dwarf import constants as c
from localvar.dwarf.errors import DwarfError
from localvar.dwarf.lists import Cursor, list_offset, offset_pair, start_end, start_length, startx_endx, startx_length

if TYPE_CHECKING:
    from localvar.dwarf.unit import Die, Unit

_BOUNDS = {
    c.DW_LLE_offset_pair: offset_pair, c.DW_LLE_start_end: start_end, c.DW_LLE_start_length: start_length,
    c.DW_LLE_startx_endx: startx_endx, c.DW_LLE_startx_length: startx_length,
}


@dataclass(frozen=True)
class LocationEntry:
    """An expression and the addresses [low, high) where it holds; low and high are None for the default location."""

    low: int | None
    high: int | None
    expression: bytes

    def __contains__(self, pc: int) -> bool:
        return self.low is None or self.high is None or self.low <= pc < self.high


def location_entries(die: Die, attribute: int) -> tuple[LocationEntry, ...]:
    """All entries of a location attribute: one without bounds where it is an expression and no list."""
    block = die.block(attribute)
    if block is not None:
        return (LocationEntry(None, None, block),)
    if die.unit.version < 5:
        offset = die.integer(attribute)
        if offset is None:
            raise DwarfError(f"location of the DIE at {die.key:#x} is neither an expression nor a list")
        return tuple(_read_v4(die.unit, offset))
    offset = list_offset(die, attribute, c.DW_FORM_loclistx, c.DW_AT_loclists_base, ".debug_loclists")
    return tuple(_read_v5(die.unit, offset))


def expressions_at(die: Die, attribute: int, pc: int, passed: Callable[[], bool] = lambda: False) -> tuple[bytes, ...]:
    """The expressions of a location attribute that hold at pc; the default location where no bounded one does.

    passed: whether die is a parameter of the function that begins at pc.  There an entry that is empty is of the first views of
    that address (gcc's DW_AT_GNU_locviews), in which the parameter is still what was passed; one that is not is of later views,
    behind statements that came to no code (`if (n-- > 0)`).  gdb reads such entries so, too (dwarf2/loc.c,
    dwarf2_find_location_expression).
    """
    entries = location_entries(die, attribute)
    first = next((e.expression for e in entries if e.low == e.high == pc), None)
    if first is not None and passed():
        return (first,)
    bounded = tuple(e.expression for e in entries if e.low is not None and pc in e)
    return bounded or tuple(e.expression for e in entries if e.low is None)


def _read_v5(unit: Unit, offset: int) -> Iterator[LocationEntry]:
    cursor = Cursor(unit, ".debug_loclists", offset)
    while (kind := cursor.byte()) != c.DW_LLE_end_of_list:
        if kind == c.DW_LLE_base_addressx:
            cursor.base = unit.indexed_address(cursor.uleb())
        elif kind == c.DW_LLE_base_address:
            cursor.base = cursor.address()
        elif kind == c.DW_LLE_GNU_view_pair:
            cursor.uleb(), cursor.uleb()
        elif kind == c.DW_LLE_default_location:
            yield LocationEntry(None, None, cursor.take(cursor.uleb()))
        elif kind in _BOUNDS:
            low, high = _BOUNDS[kind](cursor)
            yield LocationEntry(low, high, cursor.take(cursor.uleb()))
        else:
            raise DwarfError(f"location list entry kind {kind:#x} at {offset:#x} is not known")


def _read_v4(unit: Unit, offset: int) -> Iterator[LocationEntry]:
    cursor = Cursor(unit, ".debug_loc", offset)
    escape = (1 << 8 * unit.header.address_size) - 1
    while True:
        low, high = cursor.address(), cursor.address()
        if low == 0 and high == 0:
            return
        if low == escape:
            cursor.base = high
            continue
        yield LocationEntry(cursor.base + low, cursor.base + high, cursor.take(cursor.unsigned(2)))
