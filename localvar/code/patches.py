# SPDX-License-Identifier: GPL-2.0-or-later
"""Code that the running kernel changes, as vmlinux, or a module, lists it: alternatives, jump labels, exception fixups.

arch/x86/include/asm/alternative.h (struct alt_instr: 12 bytes up to 6.1, 14 since 6.3), include/linux/jump_label.h
(struct jump_entry), arch/x86/include/asm/extable.h.  All offsets are relative to the field that holds them.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from localvar.dwarf.elf import ET_REL, SHF_EXECINSTR, Elf

ALT_SIZES = {12: 10, 14: 12}
"""Size of a struct alt_instr to the offset of its instrlen; its replacementlen is behind that."""


LENGTH_LIMIT = 255
"""Bytes of a place that is replaced: its instrlen is a u8."""


@dataclass(frozen=True)
class Patches:
    """rewritten: [low, high) ranges that may be replaced by other instructions, ascending.  replacements: by low, the
    [low, high) ranges of what they may be replaced by.  jumps: address of a jump label to its target.  landings:
    addresses where exception fixups continue."""

    rewritten: tuple[tuple[int, int], ...]
    replacements: dict[int, list[tuple[int, int]]]
    jumps: dict[int, int]
    landings: frozenset[int]


def read_patches(elf: Elf) -> Patches | None:
    """The lists of a file; None where one of them is in a form that is not known (nothing can be proven then)."""
    alternatives = _alternatives(elf)
    if alternatives is None:
        return None
    replacements: dict[int, list[tuple[int, int]]] = {}
    for (low, _), replacement in alternatives:
        replacements.setdefault(low, []).append(replacement)
    jumps = {}
    for at, code, target in _relative_pairs(elf, "__start___jump_table", "__stop___jump_table", "__jump_table", 16):
        jumps[at + code] = at + 4 + target
    fixups = _relative_pairs(elf, "__start___ex_table", "__stop___ex_table", "__ex_table", 12)
    places = tuple(sorted({place for place, _ in alternatives}))
    return Patches(places, replacements, jumps, frozenset(at + 4 + fixup for at, _, fixup in fixups))


def _table(elf: Elf, start: str, stop: str, name: str) -> tuple[int, bytes]:
    """Address and bytes of a table: between its symbols, in a module its section."""
    low, high = elf.symbols_named(start), elf.symbols_named(stop)
    if low and high and elf.type != ET_REL:
        return low[0].value, elf.memory(low[0].value, high[0].value - low[0].value) or b""
    section, contents = elf.section(name), elf.contents(name)
    return (section.address, contents.bytes(0, contents.size)) if section else (0, b"")


def _relative_pairs(elf: Elf, start: str, stop: str, name: str, size: int) -> list[tuple[int, int, int]]:
    """(address of the entry, its first two relative fields) for each entry of a table."""
    base, data = _table(elf, start, stop, name)
    return [(base + at, *struct.unpack_from("<ii", data, at)) for at in range(0, len(data) - size + 1, size)]


def _alternatives(elf: Elf) -> list[tuple[tuple[int, int], tuple[int, int]]] | None:
    """[low, high) of each place and of its replacement; None where the table's form is not known."""
    base, data = _table(elf, "__alt_instructions", "__alt_instructions_end", ".altinstructions")
    if not data:
        return []
    for size, length_at in ALT_SIZES.items():
        if len(data) % size:
            continue
        found = []
        for at in range(0, len(data), size):
            place, replacement = (base + at + field + struct.unpack_from("<i", data, at + field)[0] for field in (0, 4))
            length, replaced_by = data[at + length_at : at + length_at + 2]
            found.append(((place, place + length), (replacement, replacement + replaced_by)))
        if all(_is_code(elf, low) for (low, _), _ in found):
            return found
    return None


def _is_code(elf: Elf, address: int) -> bool:
    section = elf.section_at(address)
    return section is not None and bool(section.flags & SHF_EXECINSTR)
