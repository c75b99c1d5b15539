# SPDX-License-Identifier: GPL-2.0-or-later
"""Instructions that the kernel keeps for itself, read from its own tables (kernel/kprobes.c: check_kprobe_address_safe).

The tables hold 32-bit displacements from the place where each stands (include/linux/jump_label.h: struct jump_entry,
include/linux/static_call_types.h: struct static_call_site, include/asm-generic/bug.h: struct bug_entry).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from localvar.dwarf.elf import ET_REL, Elf, words

_TRAPS = {62: b"\x0f\x0b", 183: b"\x00\x00\x21\xd4"}
"""By ELF machine, what BUG() and WARN() compile to: ud2, brk #0x800."""


_JUMPS, _CALLS, _BUGS = "__start___jump_table", "__start_static_call_sites", "__start___bug_table"
TABLES = ((_JUMPS, "__stop___jump_table"), (_CALLS, "__stop_static_call_sites"), (_BUGS, "__stop___bug_table"))
"""Symbols between which the tables are."""

_SECTIONS = {_JUMPS: "__jump_table", _CALLS: ".static_call_sites", _BUGS: "__bug_table"}
"""The sections that the tables of a module are; it has no symbols there."""

_ADDRESS = 2**64 - 1


@dataclass(frozen=True)
class Reserved:
    """The reserved instructions of one vmlinux; bounds: low and high of tables, by the name of the symbol at low."""

    elf: Elf
    bounds: dict[str, tuple[int, int]]

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
        return frozenset(self._targets(_JUMPS, 16))

    @cached_property
    def _static_calls(self) -> frozenset[int]:
        return frozenset(self._targets(_CALLS, 8))

    @cached_property
    def _bugs(self) -> frozenset[int]:
        """An entry also has file and line with CONFIG_DEBUG_BUGVERBOSE: the size is the one that leads to traps."""
        trap = _TRAPS.get(self.elf.machine, b"")
        for size in (12, 8):
            found = self._targets(_BUGS, size)
            if trap and found and all(self.elf.memory(pc, len(trap)) == trap for pc in found[:64]):
                return frozenset(found)
        return frozenset()

    def _targets(self, name: str, size: int) -> list[int]:
        """What the first displacement of each entry of a table leads to."""
        low, table = self._table(name)
        if len(table) % size:
            return []
        displacements = words("i", table)[:: size // 4]
        places = range(low, low + len(table), size)
        return [place + displacement & _ADDRESS for place, displacement in zip(places, displacements, strict=True)]

    def _table(self, name: str) -> tuple[int, bytes]:
        """Address and bytes of a table."""
        if self.elf.type != ET_REL:
            low, high = self.bounds.get(name, (0, 0))
            return low, (self.elf.memory(low, high - low) if high else None) or b""
        header, contents = self.elf.section(_SECTIONS[name]), self.elf.contents(_SECTIONS[name])
        return (header.address, contents.bytes(0, contents.size)) if header else (0, b"")
