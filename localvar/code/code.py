# SPDX-License-Identifier: GPL-2.0-or-later
"""The bytes of a file's code as they run: in a module (ET_REL) with its relocations done.

What a module's code calls in other files has no address there: each such name gets one of its own, made up as those of
the module's sections are, so that the target of a call or jump is always a number that names one place.
"""

from __future__ import annotations

import struct
from functools import cached_property

from localvar.dwarf.elf import ET_REL, SHF_ALLOC, Elf

_R_X86_64_PC32, _R_X86_64_PLT32 = 2, 4


class Code:
    """The code of one file."""

    def __init__(self, elf: Elf) -> None:
        self.elf = elf

    def bytes(self, address: int, size: int) -> bytes | None:
        """size bytes at address; None where the file does not hold them."""
        raw = self.elf.memory(address, size)
        if raw is None or self.elf.type != ET_REL:
            return raw
        data = bytearray(raw)
        for at in range(address, address + size - 3):
            value = self._relocated.get(at)
            if value is not None:
                struct.pack_into("<i", data, at - address, value - at)
        return bytes(data)

    def elsewhere(self, target: int) -> str | None:
        """The name of what a module's code finds at a target in another file; None for a target in this one."""
        return self._names.get(target)

    def address_of(self, name: str) -> int | None:
        """Where code finds a function, in this file or elsewhere; None where it does not refer to it."""
        found = self.elf.symbols_named(name)
        return found[0].value if found else next((target for target, one in self._names.items() if one == name), None)

    @cached_property
    def _relocated(self) -> dict[int, int]:
        """Place of a relocation relative to it, to the value before the place is subtracted."""
        return {place: addend + (symbol.value if symbol.section else self._made_up[symbol.name])
                for place, kind, symbol, addend in self.elf.code_relocations() if kind in (_R_X86_64_PC32, _R_X86_64_PLT32)}

    @cached_property
    def _made_up(self) -> dict[str, int]:
        names = sorted({symbol.name for _, _, symbol, _ in self.elf.code_relocations() if not symbol.section})
        behind = max((section.address + section.size for section in self.elf.sections if section.flags & SHF_ALLOC), default=0)
        return {name: behind + 0x1000 * (1 + number) for number, name in enumerate(names)}

    @cached_property
    def _names(self) -> dict[int, str]:
        return {address: name for name, address in self._made_up.items()}
