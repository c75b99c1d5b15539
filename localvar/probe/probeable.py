# SPDX-License-Identifier: GPL-2.0-or-later
"""Where the kernel refuses a kprobe, known before it is tried (kernel/kprobes.c: check_kprobe_address_safe,
within_kprobe_blacklist; arch/x86/kernel/kprobes/core.c: can_probe)."""

from __future__ import annotations

import re
from functools import cached_property

from localvar.dwarf.elf import ET_REL, SHF_EXECINSTR, Elf
from localvar.model.location import Reason
from localvar.probe.reserved import TABLES, Reserved

_AREAS = (
    ("__kprobes_text_start", "__kprobes_text_end", "it is in .kprobes.text (__kprobes)"),
    ("__noinstr_text_start", "__noinstr_text_end", "it is in .noinstr.text (noinstr)"),
    ("__entry_text_start", "__entry_text_end", "it is in .entry.text"),
)
"""Start and end symbols of areas that populate_kprobe_blacklist() adds as a whole."""

_BLACKLIST = ("__start_kprobe_blacklist", "__stop_kprobe_blacklist")

_SECTIONS = {
    ".kprobes.text": "it is in .kprobes.text (__kprobes)",
    ".noinstr.text": "it is in .noinstr.text (noinstr)",
    ".entry.text": "it is in .entry.text",
}


class Probeable:
    """The places of one ELF file where a probe cannot be."""

    def __init__(self, elf: Elf) -> None:
        self._elf = elf

    def why_not(self, pc: int, function: int) -> Reason | None:
        """Why pc, in the function whose symbol is at `function`, cannot be probed; None where it can."""
        section = self._elf.section_at(pc)
        if section is None or not section.flags & SHF_EXECINSTR:
            return Reason("not-text", "it is not in the kernel's text")
        if self._elf.type == ET_REL and section.name.startswith(".init."):
            return Reason("init-text", f"it is in {section.name}, which is freed when the module has been initialised")
        if self._elf.type != ET_REL and (section.name.startswith((".init.", ".exit.")) or section.name == ".head.text"):
            return Reason("init-text", f"it is in {section.name}, which is freed after boot")
        if section.name in _SECTIONS:
            return Reason("blacklisted", f"{_SECTIONS[section.name]}: the kernel refuses probes there")
        for low, high, text in self._areas:
            if low <= pc < high:
                return Reason("blacklisted", f"{text}: the kernel refuses probes there")
        if function in self._blacklist:
            return Reason("blacklisted", "its function is marked NOKPROBE_SYMBOL: the kernel refuses probes there")
        reserved = self._reserved.why(pc)
        return Reason("reserved", f"{reserved}: the kernel refuses probes there") if reserved else None

    @cached_property
    def _bounds(self) -> dict[str, tuple[int, int]]:
        """Low and high of what lies between two symbols, by the name of the first."""
        pairs = (*((start, end) for start, end, _ in _AREAS), _BLACKLIST, *TABLES)
        found = self._elf.first_symbols([name for pair in pairs for name in pair])
        return {low: (found[low].value, found[high].value) for low, high in pairs if low in found and high in found}

    @cached_property
    def _reserved(self) -> Reserved:
        return Reserved(self._elf, self._bounds)

    @cached_property
    def _areas(self) -> list[tuple[int, int, str]]:
        return [(*self._bounds[start], text) for start, _, text in _AREAS if start in self._bounds]

    @cached_property
    def _blacklist(self) -> frozenset[int]:
        """Entry addresses of the functions in the kernel's own list: _kprobe_blacklist is an array of their addresses,
        with a symbol _kbl_addr_<function> at each (include/asm-generic/kprobes.h)."""
        low, high = self._bounds.get(_BLACKLIST[0], (0, 0))
        raw = self._elf.memory(low, high - low) if high else None
        if raw is None:
            section = self._elf.section("_kprobe_blacklist")
            contents = self._elf.contents("_kprobe_blacklist")
            raw = contents.bytes(0, contents.size) if section else b""
        return frozenset(int.from_bytes(raw[i : i + 8], "little") for i in range(0, len(raw) - 7, 8))


CLONE = re.compile(r"\.(isra|constprop|part|cold|llvm)(\.|$)")
"""Suffixes that compilers give to the clones of a function."""
