# SPDX-License-Identifier: GPL-2.0-or-later
"""Attribute values by form (DWARF 5 section 7.5.6), as they stand in the data: nothing is resolved here.

An integer for constants, offsets, indices, references and flags; bytes for blocks, expressions, inline strings and
16-byte data.
"""

from __future__ import annotations

from localvar.dwarf import constants as c
from localvar.dwarf.abbrev import LEB, SIZED, form_size
from localvar.dwarf.errors import DwarfError, Truncated
from localvar.dwarf.leb128 import sleb, uleb

RawValue = int | bytes

STRINGS = frozenset({
    c.DW_FORM_string, c.DW_FORM_strp, c.DW_FORM_line_strp, c.DW_FORM_strx, c.DW_FORM_strx1, c.DW_FORM_strx2,
    c.DW_FORM_strx3, c.DW_FORM_strx4, c.DW_FORM_GNU_str_index,
})
INDEXED_STRINGS = STRINGS - {c.DW_FORM_string, c.DW_FORM_strp, c.DW_FORM_line_strp}
INDEXED_ADDRESSES = frozenset({
    c.DW_FORM_addrx, c.DW_FORM_addrx1, c.DW_FORM_addrx2, c.DW_FORM_addrx3, c.DW_FORM_addrx4, c.DW_FORM_GNU_addr_index,
})
ADDRESSES = INDEXED_ADDRESSES | {c.DW_FORM_addr}
UNIT_REFERENCES = frozenset({c.DW_FORM_ref1, c.DW_FORM_ref2, c.DW_FORM_ref4, c.DW_FORM_ref8, c.DW_FORM_ref_udata})
CONSTANTS = frozenset({
    c.DW_FORM_data1, c.DW_FORM_data2, c.DW_FORM_data4, c.DW_FORM_data8, c.DW_FORM_data16, c.DW_FORM_sdata,
    c.DW_FORM_udata, c.DW_FORM_implicit_const,
})
BLOCKS = frozenset({*SIZED})


def skip_form(data: bytes, form: int, at: int, sizes: tuple[int, int, int]) -> int:
    """The offset behind a value of one of the forms whose size stands in the data.

    sizes: address size, offset size, version of the unit.  The offset may lie beyond the data.  Raises DwarfError.
    """
    if form in LEB:
        try:
            while data[at] >= 0x80:
                at += 1
        except IndexError:
            raise Truncated(f"LEB128 number ends beyond its data, at {len(data):#x}") from None
        return at + 1
    width = SIZED.get(form)
    if width is not None:
        if width:
            return at + width + int.from_bytes(data[at : at + width], "little")
        size, at = uleb(data, at)
        return at + size
    if form == c.DW_FORM_string:
        end = data.find(b"\0", at)
        if end < 0:
            raise DwarfError(f"string at {at:#x} has no end")
        return end + 1
    if form == c.DW_FORM_indirect:
        form, at = _named_form(data, at)
        fixed = form_size(form, *sizes)
        return skip_form(data, form, at, sizes) if fixed is None else at + fixed
    raise DwarfError(f"form {form:#x} is not known")


def read_form(data: bytes, form: int, constant: int, at: int, sizes: tuple[int, int, int]) -> tuple[int, RawValue, int]:
    """(form with DW_FORM_indirect resolved, value, offset behind it).  Raises DwarfError."""
    fixed = form_size(form, *sizes)
    if fixed is not None:
        end = at + fixed
        if end > len(data):
            raise DwarfError(f"value at {at:#x} ends beyond the unit")
        if form == c.DW_FORM_implicit_const:
            return form, constant, at
        if form == c.DW_FORM_flag_present:
            return form, 1, at
        raw = data[at:end]
        return form, (raw if form == c.DW_FORM_data16 else int.from_bytes(raw, "little")), end
    if form == c.DW_FORM_sdata:
        value, end = sleb(data, at)
        return form, value, end
    if form in LEB:
        value, end = uleb(data, at)
        return form, value, end
    if form == c.DW_FORM_indirect:
        form, at = _named_form(data, at)
        return read_form(data, form, 0, at, sizes)
    end = skip_form(data, form, at, sizes)
    if end > len(data):
        raise DwarfError(f"block at {at:#x} ends beyond the unit")
    if form == c.DW_FORM_string:
        return form, data[at : end - 1], end
    width = SIZED[form]
    begin = at + width if width else uleb(data, at)[1]
    return form, data[begin:end], end


def _named_form(data: bytes, at: int) -> tuple[int, int]:
    """The form that the data of a DW_FORM_indirect names, and the offset behind that."""
    form, at = uleb(data, at)
    if form in (c.DW_FORM_indirect, c.DW_FORM_implicit_const):
        raise DwarfError(f"DW_FORM_indirect at {at:#x} names form {form:#x}")
    return form, at
