# SPDX-License-Identifier: GPL-2.0-or-later
"""ELF files: sections mapped, not read; symbols found by search, not by listing (gABI, "ELF Object Files").

A relocatable file (a module's .ko, ET_REL) gets a distinct made-up address for each allocated section, so that one
number still names one place; `Elf.split` turns it back into section and offset.
"""

from __future__ import annotations

import mmap
import re
import struct
import sys
import zlib
from array import array
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

from localvar.diagnostics import Failure, environment_failure
from localvar.dwarf.errors import DwarfError

ET_REL, ET_EXEC, ET_DYN = 1, 2, 3
SHT_SYMTAB, SHT_RELA, SHT_NOTE, SHT_NOBITS = 2, 4, 7, 8
SHF_ALLOC, SHF_EXECINSTR, SHF_COMPRESSED = 0x2, 0x4, 0x800
STT_NOTYPE, STT_OBJECT, STT_FUNC, STT_SECTION = 0, 1, 2, 3
SHN_UNDEF, SHN_LORESERVE, SHN_ABS = 0, 0xFF00, 0xFFF1
NT_GNU_BUILD_ID = 3
ELFCOMPRESS_ZLIB, ELFCOMPRESS_ZSTD = 1, 2

_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
_SECTION = struct.Struct("<IIQQQQIIQQ")
_SYMBOL = struct.Struct("<IBBHQQ")
_PLACE = struct.Struct("<6xHQ8x")
_RELA = struct.Struct("<QQq")
_COMPRESSION = struct.Struct("<IIQQ")

_LARGE = 1 << 20
_MADV_POPULATE_READ = 22
"""include/uapi/asm-generic/mman-common.h; the mmap module has no name for it."""

_FEW = 16
"""Symbols looked up by address before an index of all of them (0.1 s) pays."""

Buffer = bytes | mmap.mmap
BytePattern = re.Pattern[bytes]


@dataclass(frozen=True)
class Section:
    """A section header; address is the link-time one (made up for the sections of an ET_REL file)."""

    index: int
    name: str
    type: int
    flags: int
    address: int
    offset: int
    size: int
    link: int
    info: int
    entry_size: int

    def __contains__(self, address: int) -> bool:
        return bool(self.flags & SHF_ALLOC) and self.address <= address < self.address + self.size


@dataclass(frozen=True)
class Symbol:
    """A symbol table entry; value is an address as in Section.address; bind 0 local, 1 global, 2 weak."""

    name: str
    value: int
    size: int
    type: int
    bind: int
    section: int


@dataclass(frozen=True)
class Contents:
    """The bytes of a section: `size` bytes of data from `start`."""

    data: Buffer
    start: int
    size: int

    def bytes(self, offset: int, size: int) -> bytes:
        """size bytes at offset; raises DwarfError where they are not all there."""
        if offset < 0 or size < 0 or offset + size > self.size:
            raise DwarfError(f"offset {offset:#x} size {size:#x} is outside a section of {self.size:#x} bytes")
        return self.data[self.start + offset : self.start + offset + size]

    def cstring(self, offset: int) -> str:
        """The NUL-terminated string at offset; raises DwarfError where there is none."""
        if not 0 <= offset < self.size:
            raise DwarfError(f"string offset {offset:#x} is outside a section of {self.size:#x} bytes")
        begin = self.start + offset
        end = self.data.find(b"\0", begin, self.start + self.size)
        if end < 0:
            raise DwarfError(f"string at {offset:#x} has no end")
        return self.data[begin:end].decode("utf-8", "replace")

    def find_all(self, needle: Buffer) -> Iterator[int]:
        """Offsets of needle, overlapping ones too."""
        end = self.start + self.size
        at = self.data.find(needle, self.start, end)
        while at >= 0:
            yield at - self.start
            at = self.data.find(needle, at + 1, end)

    def search(self, pattern: BytePattern) -> Iterator[int]:
        """Offsets of all matches of pattern, overlapping ones too.  A literal runs at the speed of memchr."""
        end = self.start + self.size
        _ = self._populated
        match = pattern.search(self.data, self.start, end)
        while match:
            yield match.start() - self.start
            match = pattern.search(self.data, match.start() + 1, end)

    @cached_property
    def _populated(self) -> bool:
        """Have the pages mapped at once: one by one, as a search comes to them, takes half as long as the search."""
        if self.size < _LARGE or not isinstance(self.data, mmap.mmap):
            return False
        start = self.start - self.start % mmap.PAGESIZE
        with suppress(OSError):  # kernels before 5.14 do not know it
            self.data.madvise(_MADV_POPULATE_READ, start, self.start + self.size - start)
        return True


_EMPTY = Contents(b"", 0, 0)


class Elf:
    """An ELF64 little-endian file, mapped.

    Errors (not an ELF file, truncated, another class or byte order) are Failures of the environment that name the file.
    """

    def __init__(self, path: str, data: Buffer) -> None:
        self.path = path
        self._data = data
        self._contents: dict[int, Contents] = {}
        self._unrelocated: dict[int, Contents] = {}
        self._lookups = 0
        try:
            self._read_headers()
        except (struct.error, ValueError) as problem:
            raise self._damaged(str(problem)) from problem

    @classmethod
    def open(cls, path: str | Path) -> Elf:
        """Map the file at path."""
        try:
            with open(path, "rb") as file:
                data: Buffer = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except ValueError as problem:
            raise environment_failure("not-elf", f"{path}: the file is empty, not an ELF file") from problem
        except OSError as problem:
            raise environment_failure("unreadable", f"{path}: {problem.strerror}") from problem
        return cls(str(path), data)

    def _damaged(self, detail: str) -> Failure:
        return environment_failure(
            "damaged-elf", f"{self.path}: truncated or damaged ELF file: {detail}",
            fix="reinstall the package that brought it, or link the kernel again",
        )

    def _read_headers(self) -> None:
        data = self._data
        if data[:4] != b"\x7fELF":
            raise environment_failure(
                "not-elf", f"{self.path}: not an ELF file",
                fix="give the uncompressed vmlinux with debug info, not the bootable image (vmlinuz, bzImage)",
            )
        if len(data) < _HEADER.size:
            raise ValueError("it ends within its header")
        if data[4] != 2 or data[5] != 1:
            raise environment_failure(
                "wrong-architecture",
                f"{self.path}: {32 if data[4] == 1 else 64}-bit {'big' if data[5] == 2 else 'little'}-endian ELF file; "
                "localvar reads 64-bit little-endian ones",
            )
        (_, self.type, self.machine, _, _, _, shoff, _, _, _, _, shentsize, shnum, shstrndx) = _HEADER.unpack_from(data, 0)
        if shoff == 0 or shentsize != _SECTION.size:
            raise ValueError("no section headers")
        if shoff + shnum * shentsize > len(data):
            raise ValueError(f"section headers at {shoff:#x} are beyond the end of the file ({len(data):#x} bytes)")
        raw = [_SECTION.unpack_from(data, shoff + i * shentsize) for i in range(shnum)]
        if not 0 < shstrndx < shnum:
            raise ValueError("no section names")
        names = Contents(data, raw[shstrndx][4], raw[shstrndx][5])
        self.sections = tuple(self._sections(raw, names))
        self._by_name: dict[str, Section] = {}
        for section in self.sections:
            self._by_name.setdefault(section.name, section)

    def _sections(self, raw: list[tuple[int, ...]], names: Contents) -> Iterator[Section]:
        made_up = 0x1_0000_0000
        for index, (name, kind, flags, address, offset, size, link, info, align, entry_size) in enumerate(raw):
            if kind not in (0, SHT_NOBITS) and offset + size > len(self._data):
                raise ValueError(f"section {index} ends at {offset + size:#x}, the file at {len(self._data):#x}")
            if self.type == ET_REL and flags & SHF_ALLOC:
                address = made_up = -(-made_up // max(align, 1)) * max(align, 1)
                made_up += max(size, 1) + 0x1000
            yield Section(index, names.cstring(name), kind, flags, address, offset, size, link, info, entry_size)

    def section(self, name: str) -> Section | None:
        """The first section of that name."""
        return self._by_name.get(name)

    def section_at(self, address: int) -> Section | None:
        """The allocated section that holds address."""
        return next((s for s in self._allocated if s.address <= address < s.address + s.size), None)

    @cached_property
    def _allocated(self) -> list[Section]:
        return [section for section in self.sections if section.flags & SHF_ALLOC]

    def contents(self, name: str) -> Contents:
        """The bytes of the first section of that name (empty where there is none), decompressed and relocated."""
        section = self._by_name.get(name)
        if section is None or section.type == SHT_NOBITS:
            return _EMPTY
        found = self._contents.get(section.index)
        if found is None:
            found = self._contents[section.index] = self._load(section)
        return found

    def unrelocated(self, name: str) -> Contents:
        """As contents(), numbers that the linker or loader fills in left as they are: to look for strings."""
        section = self._by_name.get(name)
        if section is None or section.type == SHT_NOBITS:
            return _EMPTY
        found = self._unrelocated.get(section.index)
        if found is None:
            found = Contents(self._data, section.offset, section.size)
            if section.flags & SHF_COMPRESSED:
                found = self._decompress(section, found)
            self._unrelocated[section.index] = found
        return found

    def _load(self, section: Section) -> Contents:
        contents = self.unrelocated(section.name)
        return self._relocate(section, contents) if self.type == ET_REL else contents

    def _decompress(self, section: Section, contents: Contents) -> Contents:
        try:
            kind, _, size, _ = _COMPRESSION.unpack(contents.bytes(0, _COMPRESSION.size))
            packed = contents.bytes(_COMPRESSION.size, contents.size - _COMPRESSION.size)
            if kind != ELFCOMPRESS_ZLIB:
                raise environment_failure(
                    "compressed",
                    f"{self.path}: {section.name} is compressed with {'zstd' if kind == ELFCOMPRESS_ZSTD else kind}",
                    fix=f"objcopy --decompress-debug-sections {self.path} OUT, then --vmlinux OUT",
                )
            data = zlib.decompress(packed)
        except (ValueError, zlib.error) as problem:
            raise self._damaged(f"{section.name}: {problem}") from problem
        if len(data) != size:
            raise self._damaged(f"{section.name}: {len(data)} bytes where {size} are announced")
        return Contents(data, 0, size)

    def _relocate(self, section: Section, contents: Contents) -> Contents:
        relocations = [s for s in self.sections if s.type == SHT_RELA and s.info == section.index]
        if not relocations:
            return contents
        from localvar.dwarf.relocate import relocate

        data = bytearray(contents.bytes(0, contents.size))
        for table in relocations:
            if table.link >= len(self.sections) or table.size % _RELA.size:
                raise self._damaged(f"{table.name} is no table of relocations")
            relocate(self, data, section.address, self._data[table.offset : table.offset + table.size])
        return Contents(bytes(data), 0, len(data))

    def code_relocations(self) -> Iterator[tuple[int, int, Symbol, int]]:
        """(place, type, symbol, addend) of each relocation of code in an ET_REL file."""
        for table in self.sections:
            patched = self.sections[table.info] if table.type == SHT_RELA and table.info < len(self.sections) else None
            if self.type == ET_REL and patched is not None and patched.flags & SHF_EXECINSTR:
                raw = self._data[table.offset : table.offset + table.size - table.size % _RELA.size]
                for offset, info, addend in _RELA.iter_unpack(raw):
                    yield patched.address + offset, info & 0xFFFFFFFF, self.symbol_by_index(info >> 32), addend

    def memory(self, address: int, size: int) -> bytes | None:
        """size bytes of the linked image at address; None where the file does not hold them."""
        section = self.section_at(address)
        if section is None or section.type == SHT_NOBITS or address + size > section.address + section.size:
            return None
        offset = section.offset + address - section.address
        return self._data[offset : offset + size]

    @cached_property
    def build_id(self) -> bytes | None:
        """The descriptor of the GNU build-id note, None where there is none."""
        place = self.build_id_place
        return None if place is None else place[1]

    @cached_property
    def build_id_place(self) -> tuple[int, bytes] | None:
        """Link-time address and bytes of the build-id note's descriptor (the kernel keeps .notes in memory)."""
        for section in self.sections:
            if section.type != SHT_NOTE:
                continue
            raw = self._data[section.offset : section.offset + section.size]
            for at, kind, name, descriptor in _notes(raw):
                if kind == NT_GNU_BUILD_ID and name == b"GNU\0":
                    return section.address + at, descriptor
        return None

    # -- symbols --------------------------------------------------------------------------------------------------

    @cached_property
    def _symtab(self) -> tuple[Contents, Contents]:
        table = next((s for s in self.sections if s.type == SHT_SYMTAB), None)
        if table is None or table.link >= len(self.sections):
            return _EMPTY, _EMPTY
        strings = self.sections[table.link]
        # copied: bytes are searched three times as fast as what is mapped
        copy = bytes(self._data[strings.offset : strings.offset + strings.size])
        return Contents(self._data, table.offset, table.size), Contents(copy, 0, len(copy))

    def _symbol(self, raw: tuple[int, ...]) -> Symbol:
        name, info, _, section, value, size = raw
        if self.type == ET_REL and 0 < section < min(len(self.sections), SHN_LORESERVE):
            value += self.sections[section].address
        strings = self._symtab[1]
        return Symbol(strings.cstring(name) if name else "", value, size, info & 15, info >> 4, section)

    def symbols_named(self, name: str) -> tuple[Symbol, ...]:
        """Defined symbols of exactly that name, in table order."""
        _, strings = self._symtab
        offsets = [struct.pack("<I", at) for at in strings.find_all(name.encode() + b"\0")]
        return tuple(s for raw in self._matches(offsets, self._names) if (s := self._symbol(raw)).name == name and s.section)

    def first_symbols(self, names: Collection[str]) -> dict[str, Symbol]:
        """The first of symbols_named() for each name that has any, in one pass over the strings."""
        _, strings = self._symtab
        either = b"|".join(re.escape(name.encode()) for name in names)
        offsets = [struct.pack("<I", at) for at in strings.search(re.compile(b"(?:%b)\0" % either))]
        found: dict[str, Symbol] = {}
        for raw in self._matches(offsets, self._names):
            symbol = self._symbol(raw)
            if symbol.section:
                found.setdefault(symbol.name, symbol)
        return found

    def symbols_at(self, address: int) -> tuple[Symbol, ...]:
        """Defined symbols whose value is exactly address, in table order (section and file symbols left out)."""
        self._lookups += 1
        if self.type == ET_REL or self._lookups > _FEW:
            table, _ = self._symtab
            first, others = self._by_value
            numbers = [first[address], *others.get(address, ())] if address in first else []
            found = [self._symbol(_SYMBOL.unpack_from(table.data, table.start + number * _SYMBOL.size)) for number in numbers]
        else:
            found = [self._symbol(raw) for raw in self._matches([struct.pack("<Q", address)], self._values)]
        return tuple(s for s in found if s.section and s.name and s.type <= STT_FUNC)

    @cached_property
    def _by_value(self) -> tuple[dict[int, int], dict[int, list[int]]]:
        """Address to the number of the first symbol there, and to those of the others."""
        table, _ = self._symtab
        values = words("Q", self._values.data[:])
        if self.type == ET_REL:
            bases = {section.index: section.address for section in self.sections}
            raw = table.bytes(0, table.size - table.size % _SYMBOL.size)
            values = array("Q", [value + bases.get(section, 0) for section, value in _PLACE.iter_unpack(raw)])
        first = dict(zip(reversed(values), range(len(values) - 1, -1, -1), strict=True))
        others: dict[int, list[int]] = {}
        for number, value in enumerate(values):
            if first[value] != number:
                others.setdefault(value, []).append(number)
        return first, others

    def _matches(self, needles: list[bytes], column: Contents) -> Iterator[tuple[int, ...]]:
        """Symbol table entries that hold one of needles in a column, by search."""
        table, _ = self._symtab
        places = {at for needle in needles for at in column.find_all(needle)}
        for at in sorted(places):
            index, rest = divmod(at, len(needles[0]))
            if not rest:
                yield _SYMBOL.unpack_from(table.data, table.start + index * _SYMBOL.size)

    @cached_property
    def _names(self) -> Contents:
        """The symbols' st_name, one behind the other: searched in a sixth of the time of the table."""
        return self._column("I", 6)

    @cached_property
    def _values(self) -> Contents:
        """The symbols' st_value."""
        return self._column("Q", 3, 1)

    def _column(self, code: Literal["I", "Q"], width: int, number: int = 0) -> Contents:
        """Every width-th word of the table, from the number-th on; code: memoryview's for the word."""
        table, _ = self._symtab
        with memoryview(table.data) as view:
            data = view[table.start : table.start + table.size - table.size % _SYMBOL.size].cast(code)[number::width].tobytes()
        return Contents(data, 0, len(data))

    @cached_property
    def symbols(self) -> tuple[Symbol, ...]:
        """Every defined symbol with a name, in table order.  Costs a walk of the table: for globs and close names."""
        table, _ = self._symtab
        raw = table.bytes(0, table.size - table.size % _SYMBOL.size)
        return tuple(self._symbol(r) for r in _SYMBOL.iter_unpack(raw) if r[0] and r[3])

    @cached_property
    def has_symbols(self) -> bool:
        """Whether symbols has any."""
        table, _ = self._symtab
        raw = table.bytes(0, table.size - table.size % _SYMBOL.size)
        return any(r[0] and r[3] for r in _SYMBOL.iter_unpack(raw))

    @cached_property
    def function_names(self) -> frozenset[str]:
        """Names of the defined functions: in a tenth of the time that symbols takes."""
        table, strings = self._symtab
        raw = table.bytes(0, table.size - table.size % _SYMBOL.size)
        offsets = {r[0] for r in _SYMBOL.iter_unpack(raw) if r[0] and r[3] and r[1] & 15 == STT_FUNC}
        return frozenset(map(strings.cstring, offsets))

    def symbol_by_index(self, index: int) -> Symbol:
        """The symbol of that index in the table (for relocations), undefined ones too."""
        table, _ = self._symtab
        if not 0 <= index < table.size // _SYMBOL.size:
            raise DwarfError(f"no symbol {index}")
        return self._symbol(_SYMBOL.unpack_from(table.data, table.start + index * _SYMBOL.size))

    def split(self, address: int) -> tuple[str | None, int]:
        """(section name, offset) of an address of an ET_REL file; (None, address) for a linked one."""
        section = self.section_at(address) if self.type == ET_REL else None
        return (section.name, address - section.address) if section else (None, address)


def words(code: str, data: bytes) -> array[int]:
    """Little-endian integers of an array type code."""
    found = array(code, data)
    if sys.byteorder == "big":
        found.byteswap()
    return found


def _notes(raw: bytes) -> Iterator[tuple[int, int, bytes, bytes]]:
    """(offset of the descriptor, type, name, descriptor) of each note of a note section."""
    at = 0
    while at + 12 <= len(raw):
        namesz, descsz, kind = struct.unpack_from("<III", raw, at)
        name_at = at + 12
        desc_at = name_at + (namesz + 3 & ~3)
        if desc_at + descsz > len(raw):
            return
        yield desc_at, kind, raw[name_at : name_at + namesz], raw[desc_at : desc_at + descsz]
        at = desc_at + (descsz + 3 & ~3)
