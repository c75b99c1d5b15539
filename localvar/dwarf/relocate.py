# SPDX-License-Identifier: GPL-2.0-or-later
"""Relocations of the data sections of an ET_REL file (a module), debug info among them: the absolute kinds of the psABIs.

A relocation type that is not known is an error, never skipped: the number under it would be wrong.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from localvar.diagnostics import environment_failure

if TYPE_CHECKING:
    from localvar.dwarf.elf import Elf

EM_X86_64, EM_AARCH64 = 62, 183

# (machine, type) -> size in bytes, pc-relative.  x86-64 psABI table 4.9; AAELF64 section 5.7.
_KINDS: dict[tuple[int, int], tuple[int, bool]] = {
    (EM_X86_64, 0): (0, False),  # R_X86_64_NONE
    (EM_X86_64, 1): (8, False),  # R_X86_64_64
    (EM_X86_64, 2): (4, True),  # R_X86_64_PC32
    (EM_X86_64, 10): (4, False),  # R_X86_64_32
    (EM_X86_64, 11): (4, False),  # R_X86_64_32S
    (EM_X86_64, 24): (8, True),  # R_X86_64_PC64
    (EM_AARCH64, 0): (0, False),  # R_AARCH64_NONE
    (EM_AARCH64, 257): (8, False),  # R_AARCH64_ABS64
    (EM_AARCH64, 258): (4, False),  # R_AARCH64_ABS32
    (EM_AARCH64, 260): (8, True),  # R_AARCH64_PREL64
    (EM_AARCH64, 261): (4, True),  # R_AARCH64_PREL32
}


class _Values(dict[int, tuple[int, int, int]]):
    """By r_info: size in bytes, the symbol's value, and how often the offset is taken from that."""

    def __init__(self, elf: Elf) -> None:
        super().__init__()
        self._elf = elf

    def __missing__(self, info: int) -> tuple[int, int, int]:
        kind = info & 0xFFFFFFFF
        known = _KINDS.get((self._elf.machine, kind))
        if known is None:
            raise environment_failure("relocation", f"{self._elf.path}: relocation type {kind} is not supported")
        size, relative = known
        self[info] = found = size, self._elf.symbol_by_index(info >> 32).value if size else 0, int(relative)
        return found


def relocate(elf: Elf, data: bytearray, address: int, table: bytes) -> None:
    """Apply the RELA entries of table to data, which is at address, in place.  Raises Failure for a kind that is not known."""
    values, end = _Values(elf), len(data)
    short, long = struct.Struct("<I").pack_into, struct.Struct("<Q").pack_into
    for offset, info, addend in struct.iter_unpack("<QQq", table):
        size, value, relative = values[info]
        if offset + size > end and size:
            raise environment_failure("damaged-elf", f"{elf.path}: a relocation at {offset:#x} is outside its section")
        if size == 4:
            short(data, offset, value + addend - relative * (address + offset) & 0xFFFFFFFF)
        elif size:
            long(data, offset, value + addend - relative * (address + offset) & 0xFFFFFFFFFFFFFFFF)
