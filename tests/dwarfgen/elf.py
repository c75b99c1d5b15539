# SPDX-License-Identifier: GPL-2.0-or-later
"""ELF files: sections, symbols and relocations laid out as bytes (System V ABI, chapters 4 and 5)."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from .buffer import Relocation, Target
from .context import StringPool

MACHINES = {"x86_64": 62, "aarch64": 183, "i386": 3, "arm": 40, "s390x": 22, "ppc64": 21, "riscv": 243}
FILE_TYPES = {"REL": 1, "EXEC": 2, "DYN": 3}
SECTION_TYPES = {"NULL": 0, "PROGBITS": 1, "SYMTAB": 2, "STRTAB": 3, "RELA": 4, "NOTE": 7, "NOBITS": 8}
WRITE, ALLOC, EXECINSTR, MERGE, STRINGS, INFO_LINK, COMPRESSED = 0x1, 0x2, 0x4, 0x10, 0x20, 0x40, 0x800
BINDINGS = {"LOCAL": 0, "GLOBAL": 1, "WEAK": 2}
SYMBOL_TYPES = {"NOTYPE": 0, "OBJECT": 1, "FUNC": 2, "SECTION": 3, "FILE": 4, "COMMON": 5, "TLS": 6}
SPECIAL_SECTIONS = {"UND": 0, "ABS": 0xFFF1}
# Machine: relocation types by (size, whether relative to the place).
RELOCATION_TYPES = {
    MACHINES["x86_64"]: {(8, False): 1, (4, False): 10, (4, True): 2, (8, True): 24, (2, False): 12},
    MACHINES["aarch64"]: {(8, False): 257, (4, False): 258, (4, True): 261, (8, True): 260, (2, False): 259},
}


@dataclass(frozen=True)
class Section:
    """A section. Flags follow from the name where they are None; NOBITS ones have a ``size`` and no data."""

    name: str
    data: bytes = b""
    address: int = 0
    type: str | int = "PROGBITS"
    flags: int | None = None
    align: int = 1
    size: int | None = None
    entry_size: int = 0
    link: str | None = None
    info: str | int = 0
    relocations: tuple[Relocation, ...] = ()

    @property
    def memory_size(self) -> int:
        return len(self.data) if self.size is None else self.size

    @property
    def section_flags(self) -> int:
        return flags_of(self.name) if self.flags is None else self.flags


@dataclass(frozen=True)
class Symbol:
    """A symbol at ``value``, an address (in an ET_REL image the offset in ``section``).

    ``section`` is a name, ``"ABS"`` or ``"UND"``; None is the section that holds the address.
    """

    name: str
    value: int = 0
    size: int = 0
    type: str = "FUNC"
    binding: Literal["LOCAL", "GLOBAL", "WEAK"] = "GLOBAL"
    section: str | None = None


def flags_of(name: str) -> int:
    """The flags that sections of this name have."""
    if name in (".debug_str", ".debug_line_str"):
        return MERGE | STRINGS
    if name.startswith((".debug", ".zdebug", ".comment", ".gnu_debug", ".gnu.build.attr", ".rela.")):
        return 0
    if name.startswith(".text") or name.endswith(".text"):
        return ALLOC | EXECINSTR
    if name.startswith((".data", ".bss", ".init.data", ".gnu.linkonce.this_module")):
        return WRITE | ALLOC
    return ALLOC


def build_id_note(build_id: bytes, byteorder: Literal["little", "big"] = "little") -> bytes:
    """The content of .note.gnu.build-id."""
    padded = build_id + bytes(-len(build_id) % 4)
    words = b"".join(number.to_bytes(4, byteorder) for number in (4, len(build_id), 3))
    return words + b"GNU\0" + padded


def debuglink(filename: str, crc: int) -> Section:
    """.gnu_debuglink: the name of the file that has the debug sections, and its CRC-32."""
    name = filename.encode() + b"\0"
    return Section(
        ".gnu_debuglink", name + bytes(-len(name) % 4) + crc.to_bytes(4, "little"), flags=0, align=4
    )


@dataclass(frozen=True)
class _Layout:
    """The word sizes of one ELF class and byte order."""

    target: Target

    @property
    def wide(self) -> bool:
        return self.target.address_size == 8

    @property
    def header_sizes(self) -> tuple[int, int, int]:
        """The sizes of the file header, of a program header, of a section header."""
        return (64, 56, 64) if self.wide else (52, 32, 40)

    def pack(self, form: str, *values: int) -> bytes:
        """struct.pack in the target's order; ``A`` is a word of the class."""
        order = "<" if self.target.byteorder == "little" else ">"
        return struct.pack(order + form.replace("A", "Q" if self.wide else "I"), *values)


def compressed(section: Section, target: Target) -> Section:
    """The section with its data deflated behind an Elf_Chdr (SHF_COMPRESSED)."""
    layout = _Layout(target)
    sizes = (len(section.data), 1)
    header = layout.pack("IIQQ", 1, 0, *sizes) if layout.wide else layout.pack("III", 1, *sizes)
    flags = section.section_flags | COMPRESSED
    return replace(section, data=header + zlib.compress(section.data), flags=flags)


def gnu_compressed(section: Section) -> Section:
    """The section in the older manner: .zdebug_*, "ZLIB", the size in big-endian order."""
    data = b"ZLIB" + len(section.data).to_bytes(8, "big") + zlib.compress(section.data)
    return replace(section, name=section.name.replace(".debug", ".zdebug", 1), data=data)


def elf_file(target: Target, sections: Sequence[Section], symbols: Sequence[Symbol] | None) -> bytes:
    """Lay out an ELF file. Symbols are put in order: sections, locals, the rest; None leaves the table out.

    KeyError: a symbol or relocation names something that is not there, or the machine has no such relocation.
    """
    layout = _Layout(target)
    if symbols is None:
        return _file(layout, list(sections))
    symbols = _ordered_symbols(sections, symbols)
    everything = [*sections, *_relocation_sections(layout, sections, symbols)]
    strings = StringPool(merge_tails=False)
    strings.offset("")
    table = _symbol_table(layout, everything, symbols, strings)
    everything += [table, Section(".strtab", bytes(strings.data), type="STRTAB", flags=0)]
    return _file(layout, everything)


def _ordered_symbols(sections: Sequence[Section], symbols: Sequence[Symbol]) -> list[Symbol]:
    named = {section.name: section for section in sections}
    own = [Symbol("", section.address, 0, "SECTION", "LOCAL", name) for name, section in named.items()]
    local = [symbol for symbol in symbols if symbol.binding == "LOCAL"]
    return own + local + [symbol for symbol in symbols if symbol.binding != "LOCAL"]


def _symbol_indices(symbols: Sequence[Symbol]) -> Mapping[str, int]:
    """Symbol numbers by name, of sections by the section's name; the first of several wins."""
    indices: dict[str, int] = {}
    for number, symbol in enumerate(symbols, start=1):
        name = symbol.section if symbol.type == "SECTION" else symbol.name
        indices.setdefault(name or "", number)
    return indices


def _relocation_sections(
    layout: _Layout, sections: Sequence[Section], symbols: Sequence[Symbol]
) -> list[Section]:
    indices = _symbol_indices(symbols)
    found = []
    for section in sections:
        if not section.relocations:
            continue
        types = RELOCATION_TYPES[layout.target.machine]
        data = b"".join(
            layout.pack("QQq", r.offset, indices[r.symbol] << 32 | types[r.size, r.pc_relative], r.addend)
            for r in section.relocations
        )
        name = ".rela" + section.name
        found.append(Section(name, data, 0, "RELA", INFO_LINK, 8, None, 24, ".symtab", section.name))
    return found


def _symbol_table(
    layout: _Layout, sections: Sequence[Section], symbols: Sequence[Symbol], strings: StringPool
) -> Section:
    numbers = {section.name: number for number, section in enumerate(sections, start=1)}
    data = bytes(24 if layout.wide else 16)
    for symbol in symbols:
        name, info = strings.offset(symbol.name), BINDINGS[symbol.binding] << 4 | SYMBOL_TYPES[symbol.type]
        where = _section_number(layout, symbol, sections, numbers)
        if layout.wide:
            data += layout.pack("IBBHQQ", name, info, 0, where, symbol.value, symbol.size)
        else:
            data += layout.pack("IIIBBH", name, symbol.value, symbol.size, info, 0, where)
    local = 1 + sum(symbol.binding == "LOCAL" for symbol in symbols)
    return Section(".symtab", data, 0, "SYMTAB", 0, 8, None, 24 if layout.wide else 16, ".strtab", local)


def _section_number(
    layout: _Layout, symbol: Symbol, sections: Sequence[Section], numbers: Mapping[str, int]
) -> int:
    home = section_of(symbol, sections, layout.target)
    return SPECIAL_SECTIONS[home] if home in SPECIAL_SECTIONS else numbers[home]


def section_of(symbol: Symbol, sections: Sequence[Section], target: Target) -> str:
    """The name of a symbol's section, or ABS or UND."""
    if symbol.section is not None:
        return symbol.section
    if symbol.type == "FILE":
        return "ABS"
    if target.relocatable:
        return ".text"
    for section in sections:
        distance = symbol.value - section.address
        if section.section_flags & ALLOC and 0 <= distance < section.memory_size:
            return section.name
    return "ABS"


def _file(layout: _Layout, sections: list[Section]) -> bytes:
    """Header, program headers, sections, section headers."""
    names = StringPool(merge_tails=False)
    names.offset("")
    for section in sections:
        names.offset(section.name)
    names.offset(".shstrtab")
    sections = [*sections, Section(".shstrtab", bytes(names.data), type="STRTAB", flags=0)]
    segments = [] if layout.target.relocatable else [s for s in sections if s.section_flags & ALLOC]
    header_size, segment_size, _ = layout.header_sizes
    body = bytearray(header_size + segment_size * len(segments))
    offsets = []
    for section in sections:
        body += bytes(-len(body) % max(1, section.align))
        offsets.append(len(body))
        body += section.data
    body += bytes(-len(body) % 8)
    where = dict(zip((s.name for s in sections), offsets, strict=False))
    table = len(body)
    body += _section_headers(layout, sections, offsets, names)
    program = b"".join(_program_header(layout, s, where[s.name]) for s in segments)
    header = _header(layout, table, len(segments), len(sections) + 1)
    body[: header_size + len(program)] = header + program
    return bytes(body)


def _header(layout: _Layout, section_table: int, segments: int, sections: int) -> bytes:
    target = layout.target
    kind, order = 2 if layout.wide else 1, 1 if target.byteorder == "little" else 2
    header_size, segment_size, section_size = layout.header_sizes
    return (
        b"\x7fELF"
        + bytes((kind, order, 1)).ljust(12, b"\0")
        + layout.pack(
            "HHIAAAIHHHHHH",
            *(FILE_TYPES[target.file_type], target.machine, 1, 0),
            *(header_size if segments else 0, section_table, 0, header_size),
            *(segment_size if segments else 0, segments, section_size, sections, sections - 1),
        )
    )


def _program_header(layout: _Layout, section: Section, offset: int) -> bytes:
    """PT_LOAD, or PT_NOTE for a note."""
    kind = 4 if section.type == "NOTE" else 1
    flags = 4 | (2 if section.section_flags & WRITE else 0) | (1 if section.section_flags & EXECINSTR else 0)
    sizes = (len(section.data), section.memory_size)
    if layout.wide:
        return layout.pack("IIQQQQQQ", kind, flags, offset, section.address, section.address, *sizes, 1)
    return layout.pack("IIIIIIII", kind, offset, section.address, section.address, *sizes, flags, 1)


def _section_headers(
    layout: _Layout, sections: Sequence[Section], offsets: Sequence[int], names: StringPool
) -> bytes:
    numbers = {section.name: number for number, section in enumerate(sections, start=1)}
    table = bytes(layout.header_sizes[2])
    for section, offset in zip(sections, offsets, strict=True):
        kind = SECTION_TYPES[section.type] if isinstance(section.type, str) else section.type
        info = numbers[section.info] if isinstance(section.info, str) else section.info
        entry = 1 if section.section_flags & STRINGS and not section.entry_size else section.entry_size
        table += layout.pack(
            "IIAAAAIIAA",
            *(names.offset(section.name), kind, section.section_flags, section.address, offset),
            *(section.memory_size, numbers[section.link] if section.link else 0, info, section.align, entry),
        )
    return table
