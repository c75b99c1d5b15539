# SPDX-License-Identifier: GPL-2.0-or-later
"""Instructions that the kernel keeps for itself, read from its own tables (kernel/kprobes.c: check_kprobe_address_safe).

The tables hold 32-bit displacements from the place where each stands (include/linux/jump_label.h: struct jump_entry,
include/linux/static_call_types.h: struct static_call_site, include/asm-generic/bug.h: struct bug_entry).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from localvar.dwarf.elf import Elf, words

_TRAPS = {62: b"\x0f\x0b", 183: b"\x00\x00\x21\xd4"}
"""By ELF machine, what BUG() and WARN() compile to: ud2, brk #0x800."""


_ADDRESS = 2**64 - 1


@dataclass(frozen=True)
class Reserved:
    """The reserved instructions of one vmlinux."""

    elf: Elf

    def why(self, pc: int) -> str | None:
        """What the instruction at pc is, None where it is not reserved."""
        if pc in self._jump_labels:
            return "it is a jump label (static branch), which the kernel patches"
        if pc in self._static_calls:
            return "it is a static call, which the kernel patches"
        if pc in self._bugs:
            return "it is the trap of a BUG() or WARN()"
        return None

    @cached_property
    def _jump_labels(self) -> frozenset[int]:
        return frozenset(self._targets("__start___jump_table", "__stop___jump_table", 16))

    @cached_property
    def _static_calls(self) -> frozenset[int]:
        return frozenset(self._targets("__start_static_call_sites", "__stop_static_call_sites", 8))

    @cached_property
    def _bugs(self) -> frozenset[int]:
        """An entry also has file and line with CONFIG_DEBUG_BUGVERBOSE: the size is the one that leads to traps."""
        trap = _TRAPS.get(self.elf.machine, b"")
        for size in (12, 8):
            found = list(self._targets("__start___bug_table", "__stop___bug_table", size))
            if trap and found and all(self.elf.memory(pc, len(trap)) == trap for pc in found[:64]):
                return frozenset(found)
        return frozenset()

    def _targets(self, start: str, stop: str, size: int) -> Iterable[int]:
        """What the first displacement of each entry of a table leads to."""
        low, high = self.elf.symbols_named(start), self.elf.symbols_named(stop)
        table = self.elf.memory(low[0].value, high[0].value - low[0].value) if low and high else None
        if not table or len(table) % size:
            return ()
        places = range(low[0].value, high[0].value, size)
        displacements = words("i", table)[:: size // 4]
        return [place + displacement & _ADDRESS for place, displacement in zip(places, displacements, strict=True)]
