# SPDX-License-Identifier: GPL-2.0-or-later
"""Address to unit: .debug_aranges (DWARF 5 section 6.1.2), and the units' own ranges for units it leaves out."""

from __future__ import annotations

import contextlib
import struct
from typing import TYPE_CHECKING

from localvar.dwarf.errors import DwarfError
from localvar.dwarf.ranges import die_ranges

if TYPE_CHECKING:
    from localvar.dwarf.info import DebugInfo

Row = tuple[int, int, int]


def address_ranges(info: DebugInfo) -> list[Row]:
    """(start, end, unit offset) for all code of the file.

    clang writes no .debug_aranges unless asked, and a linked file may mix compilers: units that it does not name are
    asked for their own ranges.  A damaged unit holds no address.
    """
    rows, named = _read_section(info)
    for offset in info.unit_offsets:
        if offset not in named:
            with contextlib.suppress(DwarfError):
                rows += [(low, high, offset) for low, high in die_ranges(info.unit(offset).root)]
    return rows


def _read_section(info: DebugInfo) -> tuple[list[Row], set[int]]:
    contents = info.elf.contents(".debug_aranges")
    data = bytes(contents.bytes(0, contents.size))
    rows: list[Row] = []
    named: set[int] = set()
    at = 0
    while at + 12 <= len(data):
        length = int.from_bytes(data[at : at + 4], "little")
        wide = length == 0xFFFFFFFF
        body = at + (12 if wide else 4)
        if wide:
            length = int.from_bytes(data[at + 4 : at + 12], "little")
        end = body + length
        size = 8 if wide else 4
        if end > len(data) or length < 4 + size:
            raise DwarfError(f"the .debug_aranges set at {at:#x} ends at {end:#x}, the section at {len(data):#x}")
        unit = int.from_bytes(data[body + 2 : body + 2 + size], "little")
        address_size = data[body + 2 + size]
        if address_size != 8:
            raise DwarfError(f".debug_aranges set at {at:#x}: address size {address_size}")
        first = at + -(-(body + 4 + size - at) // 16) * 16
        for low, count in struct.iter_unpack("<QQ", data[first : first + max(end - first, 0) // 16 * 16]):
            if count:
                rows.append((low, low + count, unit))
                named.add(unit)
        at = end
    return rows, named
