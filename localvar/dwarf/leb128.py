# SPDX-License-Identifier: GPL-2.0-or-later
"""LEB128 numbers (DWARF 5 section 7.6).  IndexError where the data ends inside one."""

from __future__ import annotations


def uleb(data: bytes, at: int) -> tuple[int, int]:
    """The unsigned number at offset `at`, and the offset behind it."""
    byte = data[at]
    at += 1
    if byte < 0x80:
        return byte, at
    value, shift = byte & 0x7F, 7
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


def sleb(data: bytes, at: int) -> tuple[int, int]:
    """The signed number at offset `at`, and the offset behind it."""
    start = at
    value, at = uleb(data, at)
    bits = 7 * (at - start)
    return (value - (1 << bits) if value >> (bits - 1) else value), at
