# SPDX-License-Identifier: GPL-2.0-or-later
"""The facts that tell whether an ELF file is the one we look for: release, build-id, debug info.

Only section headers and a few small parts are read, so that many candidates can be looked at: a debug
vmlinux has hundreds of megabytes.  Reading DWARF is dwarf/'s work, not ours.
"""

from __future__ import annotations

import mmap
import re
import stat
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

SHT_PROGBITS = 1
SHT_NOTE = 7
SHT_NOBITS = 8
SHF_ALLOC = 2
SHN_XINDEX = 0xFFFF
NT_GNU_BUILD_ID = 3

DEBUG_SECTIONS = (".debug_info", ".zdebug_info")

# init/version-timestamp.c: linux_banner is "Linux version " UTS_RELEASE " (" ...
_BANNER = re.compile(rb"Linux version ([!-~]{1,64}) \(")

Buffer = bytes | mmap.mmap


class NotElf(ValueError):
    """The file is no ELF file that a kernel could be; the text says why."""


@dataclass(frozen=True)
class Section:
    """One section header (ELF-64: Elf64_Shdr)."""

    name: str
    kind: int
    flags: int
    offset: int
    size: int


@dataclass(frozen=True)
class ElfFacts:
    """What an ELF file says of itself: release (of a kernel image), build-id in hex, has it DWARF."""

    release: str | None
    build_id: str | None
    has_debug_info: bool


def read_facts(path: Path, kernel: bool = True) -> ElfFacts:
    """The facts of the file at path; NotElf where it is no 64-bit ELF file, OSError where unreadable.

    kernel: whether it may be a kernel, which has a release: all of a module would be searched for one.
    """
    mode = path.stat().st_mode
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        raise NotElf("not a regular file")
    with path.open("rb") as file:
        if file.seek(0, 2) == 0:
            raise NotElf("empty file")
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as buffer:
            return facts_of(buffer, kernel)


def facts_of(buffer: Buffer, kernel: bool = True) -> ElfFacts:
    """The facts of the ELF file in buffer, as read_facts(); NotElf where it holds none."""
    order = _byte_order(buffer)
    sections = read_sections(buffer)
    debug = any(s.name in DEBUG_SECTIONS and s.kind != SHT_NOBITS and s.size for s in sections)
    return ElfFacts(_release(buffer, sections) if kernel else None, _build_id(buffer, sections, order), debug)


def vmlinux_release(path: Path) -> str | None:
    """The release in the banner of the vmlinux at path; None without one: a detached .debug has no text."""
    return read_facts(path).release


def read_sections(buffer: Buffer) -> tuple[Section, ...]:
    """Section headers of the ELF file in buffer, in order; NotElf where they are damaged."""
    order = _byte_order(buffer)
    try:
        table, = struct.unpack_from(order + "Q", buffer, 0x28)
        step, count, names = struct.unpack_from(order + "HHH", buffer, 0x3A)
        if not table:
            return ()
        first = _header(buffer, order, table)
        # gABI: counts that do not fit 16 bits are in the first header.
        count = count or first.size
        names = first.link if names == SHN_XINDEX else names
        headers = [_header(buffer, order, table + step * index) for index in range(min(count, len(buffer)))]
        strings = headers[names].content(buffer) if headers else b""
    except (struct.error, IndexError, OverflowError) as error:
        raise NotElf("damaged section headers") from error
    if any(h.kind != SHT_NOBITS and h.offset + h.size > len(buffer) for h in headers[1:]):
        raise NotElf("cut off: a section is outside the file")
    return tuple(Section(_string(strings, h.name), h.kind, h.flags, h.offset, h.size) for h in headers)


def build_id_of_notes(notes: bytes, order: str) -> str | None:
    """The GNU build-id among the ELF notes in notes, in hex; order is "<" or ">".  None without one."""
    for kind, name, description in _notes(notes, order):
        if kind == NT_GNU_BUILD_ID and name == b"GNU\0":
            return description.hex()
    return None


@dataclass(frozen=True)
class _Header:
    name: int
    kind: int
    flags: int
    offset: int
    size: int
    link: int

    def content(self, buffer: Buffer) -> bytes:
        return b"" if self.kind == SHT_NOBITS else bytes(buffer[self.offset:self.offset + self.size])


def _byte_order(buffer: Buffer) -> str:
    magic = bytes(buffer[:6])
    if magic[:2] == b"MZ" or magic[:2] == b"\x1f\x8b":
        raise NotElf("a boot image, not an uncompressed vmlinux")
    if magic[:4] != b"\x7fELF":
        raise NotElf("not an ELF file")
    if magic[4:5] != b"\x02":
        raise NotElf("not a 64-bit ELF file")
    return ">" if magic[5:6] == b"\x02" else "<"


def _header(buffer: Buffer, order: str, offset: int) -> _Header:
    name, kind, flags, _, start, size, link, *_ = struct.unpack_from(order + "IIQQQQIIQQ", buffer, offset)
    return _Header(name, kind, flags, start, size, link)


def _string(strings: bytes, offset: int) -> str:
    return strings[offset:strings.find(b"\0", offset)].decode("ascii", "replace")


def _release(buffer: Buffer, sections: tuple[Section, ...]) -> str | None:
    """The banner is in .rodata; should an architecture put it elsewhere, all that is loaded is searched."""
    loaded = [s for s in sections if s.kind == SHT_PROGBITS and s.flags & SHF_ALLOC]
    for section in sorted(loaded, key=lambda s: s.name != ".rodata"):
        match = _BANNER.search(buffer, section.offset, section.offset + section.size)
        if match:
            return match.group(1).decode("ascii")
    return None


def _build_id(buffer: Buffer, sections: tuple[Section, ...], order: str) -> str | None:
    for section in sections:
        if section.kind == SHT_NOTE:
            found = build_id_of_notes(bytes(buffer[section.offset:section.offset + section.size]), order)
            if found:
                return found
    return None


def _notes(notes: bytes, order: str) -> Iterator[tuple[int, bytes, bytes]]:
    """Type, name, description of each: the latter two are padded to 4 bytes (gABI, Note Section)."""
    at = 0
    while at + 12 <= len(notes):
        name_size, size, kind = struct.unpack_from(order + "III", notes, at)
        start = at + 12 + (name_size + 3 & ~3)
        yield kind, notes[at + 12:at + 12 + name_size], notes[start:start + size]
        at = start + (size + 3 & ~3)
