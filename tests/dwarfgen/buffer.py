# SPDX-License-Identifier: GPL-2.0-or-later
"""Bytes being written for one target, with the relocations that belong to them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Literal

from .values import AddrLike, as_addr

FileType = Literal["REL", "EXEC", "DYN"]


def uleb128(value: int) -> bytes:
    """Encode an unsigned number (DWARF 5, 7.6)."""
    if value < 0:
        raise ValueError(f"{value} is not unsigned")
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes((*out, value))


def sleb128(value: int) -> bytes:
    """Encode a signed number (DWARF 5, 7.6)."""
    out = bytearray()
    while not -0x40 <= value < 0x40:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes((*out, value & 0x7F))


@dataclass(frozen=True)
class Target:
    """What the bytes are for: word size, byte order, ELF machine number and file type."""

    machine: int
    address_size: int
    byteorder: Literal["little", "big"]
    file_type: FileType

    @property
    def relocatable(self) -> bool:
        return self.file_type == "REL"


@dataclass(frozen=True)
class Relocation:
    """``size`` bytes at ``offset`` hold ``symbol`` (a section name stands for its symbol) plus ``addend``."""

    offset: int
    size: int
    symbol: str
    addend: int
    pc_relative: bool = False


@dataclass(frozen=True)
class Place:
    """A resolved address: ``offset`` from the start of ``section``, or absolute without one."""

    section: str | None
    offset: int


@dataclass(frozen=True)
class Extent:
    """Where a section of the program lies."""

    address: int
    size: int


@dataclass(frozen=True)
class AddressSpace:
    """The program's sections and symbols: what turns an ``Addr`` into a number."""

    target: Target
    sections: Mapping[str, Extent]
    symbols: Mapping[str, Place]

    def place(self, addr: AddrLike) -> Place:
        """Resolve an address; an unknown symbol or section raises LookupError."""
        addr = as_addr(addr)
        if addr.base is None:
            return Place(None, addr.offset)
        if isinstance(addr.base, str):
            if addr.base in self.symbols:
                at = self.symbols[addr.base]
                return Place(at.section, at.offset + addr.offset)
            if addr.base in self.sections:
                return Place(addr.base, addr.offset)
            raise LookupError(f"no symbol or section {addr.base!r}")
        value = addr.base + addr.offset
        if self.target.relocatable:
            return Place(".text", value)
        for name, extent in self.sections.items():
            if extent.address <= value < extent.address + extent.size:
                return Place(name, value - extent.address)
        return Place(None, value)

    def value(self, addr: AddrLike) -> int:
        """The link-time address; in an ET_REL image, where sections are at 0, the offset in the section."""
        at = self.place(addr)
        return at.offset if at.section is None else at.offset + self._start(at.section)

    def _start(self, section: str) -> int:
        return self.sections[section].address if section in self.sections else 0


class Buffer:
    """One section, or a part of one, as it is written."""

    def __init__(self, space: AddressSpace, start: int = 0) -> None:
        self.space = space
        self.target = space.target
        self.data = bytearray()
        self.relocations: list[Relocation] = []
        self.address = start

    def __len__(self) -> int:
        return len(self.data)

    def part(self) -> Buffer:
        """An empty buffer whose content will be appended to this one."""
        return Buffer(self.space)

    def append(self, part: Buffer) -> None:
        base = len(self.data)
        self.data += part.data
        self.relocations += [replace(entry, offset=entry.offset + base) for entry in part.relocations]

    def raw(self, data: bytes) -> None:
        self.data += data

    def cstring(self, text: str | bytes) -> None:
        self.data += (text.encode() if isinstance(text, str) else text) + b"\0"

    def number(self, size: int, value: int) -> None:
        """A number of a fixed size, two's complement if negative; OverflowError if it does not fit."""
        self.data += value.to_bytes(size, self.target.byteorder, signed=value < 0)

    def uleb(self, value: int) -> None:
        self.data += uleb128(value)

    def sleb(self, value: int) -> None:
        self.data += sleb128(value)

    def counted(self, part: Buffer, size: int | None = None) -> None:
        """A block after its length: ``size`` bytes wide, or ULEB128."""
        self.uleb(len(part)) if size is None else self.number(size, len(part))
        self.append(part)

    def addr(self, addr: AddrLike, size: int | None = None) -> None:
        """An address of the program."""
        size = size or self.target.address_size
        at = self.space.place(addr)
        value = self.space.value(addr) & (1 << 8 * size) - 1
        if at.section is None:
            self.number(size, value)
        else:
            self._relocated(Relocation(len(self), size, at.section, at.offset), value)

    def addr_relative(self, addr: AddrLike, size: int) -> None:
        """The distance from here to an address (DW_EH_PE_pcrel)."""
        at = self.space.place(addr)
        value = self.space.value(addr) - (self.address + len(self))
        if at.section is None or not self.target.relocatable:
            self.number(size, value)
        else:
            self._relocated(Relocation(len(self), size, at.section, at.offset, pc_relative=True), 0)

    def offset(self, section: str, value: int, size: int) -> None:
        """An offset into a debug section."""
        self._relocated(Relocation(len(self), size, section, value), value)

    def _relocated(self, relocation: Relocation, value: int) -> None:
        self.relocations.append(relocation)
        self.number(relocation.size, 0 if self.target.relocatable else value)

    def align(self, boundary: int, fill: bytes = b"\0") -> None:
        while len(self.data) % boundary:
            self.data += fill

    @contextmanager
    def initial_length(self, offset_size: int) -> Iterator[None]:
        """A unit's length, then what is written inside (DWARF 5, 7.4: 64-bit lengths follow 0xffffffff)."""
        if offset_size == 8:
            self.number(4, 0xFFFFFFFF)
        with self.length(offset_size):
            yield

    @contextmanager
    def length(self, size: int) -> Iterator[None]:
        """A length, then what is written inside."""
        at = len(self.data)
        self.number(size, 0)
        yield
        measured = len(self.data) - at - size
        self.data[at : at + size] = measured.to_bytes(size, self.target.byteorder)
