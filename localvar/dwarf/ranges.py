# SPDX-License-Identifier: GPL-2.0-or-later
"""Address ranges of a DIE: low_pc/high_pc and range lists (DWARF 5 sections 2.17, 7.25; DWARF 4 section 2.17.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localvar.dwarf import constants as c
from localvar.dwarf.errors import DwarfError
from localvar.dwarf.forms import ADDRESSES
from localvar.dwarf.lists import Cursor, list_offset, offset_pair, start_end, start_length, startx_endx, startx_length

if TYPE_CHECKING:
    from localvar.dwarf.unit import Die, Unit

Ranges = list[tuple[int, int]]

_BOUNDS = {
    c.DW_RLE_offset_pair: offset_pair, c.DW_RLE_start_end: start_end, c.DW_RLE_start_length: start_length,
    c.DW_RLE_startx_endx: startx_endx, c.DW_RLE_startx_length: startx_length,
}


def die_ranges(die: Die) -> Ranges:
    """The [low, high) address ranges of die, in the order given, empty ones left out."""
    low = die.address(c.DW_AT_low_pc)
    if c.DW_AT_ranges in die:
        offset = die.integer(c.DW_AT_ranges)
        if offset is None:
            raise DwarfError(f"DW_AT_ranges of the DIE at {die.key:#x} is no offset")
        if die.unit.version < 5:
            return _read_v4(die.unit, offset)
        return _read_v5(die.unit, list_offset(die, c.DW_AT_ranges, c.DW_FORM_rnglistx, c.DW_AT_rnglists_base, ".debug_rnglists"))
    high = die.integer(c.DW_AT_high_pc)
    if low is None or high is None:
        return []
    form, _ = die.attributes[c.DW_AT_high_pc]
    end = die.address(c.DW_AT_high_pc) if form in ADDRESSES else low + high
    return [(low, end)] if end is not None and end > low else []


def _read_v5(unit: Unit, offset: int) -> Ranges:
    cursor = Cursor(unit, ".debug_rnglists", offset)
    found: Ranges = []
    while (kind := cursor.byte()) != c.DW_RLE_end_of_list:
        if kind == c.DW_RLE_base_addressx:
            cursor.base = unit.indexed_address(cursor.uleb())
        elif kind == c.DW_RLE_base_address:
            cursor.base = cursor.address()
        elif kind in _BOUNDS:
            low, high = _BOUNDS[kind](cursor)
            if high > low:
                found.append((low, high))
        else:
            raise DwarfError(f"range list entry kind {kind:#x} at {offset:#x} is not known")
    return found


def _read_v4(unit: Unit, offset: int) -> Ranges:
    cursor = Cursor(unit, ".debug_ranges", offset)
    found: Ranges = []
    escape = (1 << 8 * unit.header.address_size) - 1
    while True:
        low, high = cursor.address(), cursor.address()
        if low == 0 and high == 0:
            return found
        if low == escape:
            cursor.base = high
        elif high > low:
            found.append((cursor.base + low, cursor.base + high))
