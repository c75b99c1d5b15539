# SPDX-License-Identifier: GPL-2.0-or-later
"""LEB128 numbers (DWARF 5 section 7.6).  Truncated where the data ends inside one, DwarfError where one has no end in
sight."""

from __future__ import annotations

from localvar.dwarf.errors import DwarfError, Truncated

_LIMIT = 7 * 64
"""Bits after which a number is taken for damage: real ones are padded to a few more bytes than they need, if at all."""


def uleb(data: bytes, at: int) -> tuple[int, int]:
    """The unsigned number at offset `at`, and the offset behind it."""
    try:
        byte = data[at]
        at += 1
        if byte < 0x80:
            return byte, at
        value, shift = byte & 0x7F, 7
        while shift < _LIMIT:
            byte = data[at]
            at += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value, at
            shift += 7
    except IndexError:
        raise Truncated(f"LEB128 number ends beyond its data, at {len(data):#x}") from None
    raise DwarfError(f"LEB128 number of more than {_LIMIT // 7} bytes")


def sleb(data: bytes, at: int) -> tuple[int, int]:
    """The signed number at offset `at`, and the offset behind it."""
    start = at
    value, at = uleb(data, at)
    bits = 7 * (at - start)
    return (value - (1 << bits) if value >> (bits - 1) else value), at
