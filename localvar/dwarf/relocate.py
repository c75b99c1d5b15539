# SPDX-License-Identifier: GPL-2.0-or-later
"""Relocations of the debug sections and tables of an ET_REL file (a module): the kinds of the psABIs that data has.

A relocation type that is not known is an error, never skipped: the number under it would be wrong.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from localvar.diagnostics import environment_failure

if TYPE_CHECKING:
    from localvar.dwarf.elf import Elf, Section

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


def relocate(elf: Elf, data: bytearray, table: bytes, symtab: Section, base: int = 0) -> None:
    """Apply the RELA entries of table to data, which is at address base, in place.  Raises Failure for a kind that is not
    known."""
    values: dict[int, int] = {}
    for offset, info, addend in struct.iter_unpack("<QQq", table):
        number, kind = info >> 32, info & 0xFFFFFFFF
        known = _KINDS.get((elf.machine, kind))
        if known is None:
            raise environment_failure("relocation", f"{elf.path}: relocation type {kind} in debug info is not supported")
        size, relative = known
        if not size:
            continue
        if offset + size > len(data):
            raise environment_failure("damaged-elf", f"{elf.path}: a relocation at {offset:#x} is outside its section")
        if number not in values:
            values[number] = elf.symbol_by_index(number).value
        value = values[number] + addend - (base + offset if relative else 0)
        data[offset : offset + size] = (value & (1 << 8 * size) - 1).to_bytes(size, "little")
