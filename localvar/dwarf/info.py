# SPDX-License-Identifier: GPL-2.0-or-later
"""The debug information of one file: its units by offset and by address, found without walking .debug_info."""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections.abc import Callable, Collection, Iterator
from functools import cached_property
from typing import TYPE_CHECKING

from localvar.diagnostics import environment_failure
from localvar.dwarf import constants as c
from localvar.dwarf.abbrev import Abbreviation, parse_abbreviations, parse_one
from localvar.dwarf.aranges import address_ranges
from localvar.dwarf.elf import SHT_NOBITS, BytePattern, Contents, Elf
from localvar.dwarf.errors import DwarfError, Truncated
from localvar.dwarf.unit import Die, Unit, UnitHeader

if TYPE_CHECKING:
    from localvar.model.ctype import CType

_HEADER_BYTES = 48
_WINDOW = 1 << 14
"""Bytes of .debug_abbrev, in which most units' abbreviations are."""


class DebugInfo:
    """DWARF of one ELF file.  Making one reads nothing but section headers.

    Raises Failure where the file has no debug info; DwarfError from its methods where the info is damaged.
    """

    def __init__(self, elf: Elf, module: str | None = None, base: int = 0) -> None:
        """base: what Die.key counts from: positions in other files' sections must not give the same keys."""
        self.elf = elf
        self.base = base
        self.module = module
        section = elf.section(".debug_info")
        if section is None or section.type == SHT_NOBITS or not section.size:
            raise environment_failure(
                "no-debug-info", f"{elf.path}: no debug info (.debug_info is missing or empty)",
                fix="install the kernel's debug package (Debian: linux-image-<release>-dbg), or build with CONFIG_DEBUG_INFO=y",
            )
        self.types: dict[int, CType] = {}
        """Types by the position of their DIE: types.type_of keeps what it makes here."""
        self._units: dict[int, Unit] = {}
        self._abbreviations: dict[tuple[int, int, int, int], dict[int, Abbreviation]] = {}

    # -- units ----------------------------------------------------------------------------------------------------

    @cached_property
    def contents(self) -> Contents:
        """The bytes of .debug_info: of a module they are made when they are first asked for."""
        return self.elf.contents(".debug_info")

    def _place(self, position: int) -> tuple[Contents, int]:
        """The section that a position stands in, and the offset there: .debug_types of DWARF 4 (type units) counts as
        if it followed .debug_info, so that one number names one DIE of the file."""
        size = self.contents.size
        return (self.contents, position) if position < size else (self.elf.contents(".debug_types"), position - size)

    def _header(self, position: int) -> UnitHeader:
        contents, offset = self._place(position)
        left = contents.size - offset
        header = UnitHeader(bytes(contents.bytes(offset, min(_HEADER_BYTES, left))), contents is not self.contents)
        if header.length > left:
            raise DwarfError(f"the unit at {position:#x} ends beyond its section")
        return header

    @cached_property
    def unit_offsets(self) -> list[int]:
        """Positions of all unit headers, found by their lengths."""
        types = self.elf.contents(".debug_types")
        return [*_unit_offsets(self.contents), *(self.contents.size + at for at in _unit_offsets(types))]

    def unit(self, offset: int) -> Unit:
        """The unit whose header is at offset."""
        found = self._units.get(offset)
        if found is None:
            found = self._units[offset] = Unit(self, offset, self._header(offset))
        return found

    def raw(self, position: int, size: int) -> bytes:
        """The size bytes at a position."""
        contents, offset = self._place(position)
        return contents.bytes(offset, size)

    def units_where(self, wanted: Callable[[Unit], bool], offsets: Collection[int] | None = None) -> list[Unit]:
        """The units (of those at offsets) that are wanted.  Others that were not in use are forgotten: all are as large as the
        file."""
        found = []
        for offset in self.unit_offsets if offsets is None else offsets:
            unit = self.unit(offset)
            in_use = unit.is_read
            if wanted(unit):
                found.append(unit)
            elif not in_use:
                del self._units[offset]
        return found

    def search(self, pattern: BytePattern) -> Iterator[int]:
        """Positions of all matches of pattern in .debug_info and .debug_types."""
        yield from self.contents.search(pattern)
        for offset in self.elf.contents(".debug_types").search(pattern):
            yield self.contents.size + offset

    def abbreviation(self, header: UnitHeader, code: bytes) -> Abbreviation | None:
        """The abbreviation of a unit that has a code, written as ULEB128, without reading the others; None where that is not
        certain."""
        contents = self.elf.contents(".debug_abbrev")
        size = min(_WINDOW, contents.size - header.abbrev_offset)
        return parse_one(bytes(contents.bytes(header.abbrev_offset, size)), code, *header.sizes)

    def abbreviations(self, header: UnitHeader) -> dict[int, Abbreviation]:
        """All abbreviations of a unit."""
        key = (header.abbrev_offset, *header.sizes)
        found = self._abbreviations.get(key)
        if found is None:
            contents = self.elf.contents(".debug_abbrev")
            window = _WINDOW
            while True:
                size = min(window, contents.size - header.abbrev_offset)
                try:
                    found = parse_abbreviations(bytes(contents.bytes(header.abbrev_offset, size)), 0, *header.sizes)
                    break
                except Truncated as problem:
                    if size < window:
                        raise DwarfError(f"abbreviations at {header.abbrev_offset:#x} have no end") from problem
                    window *= 8
            self._abbreviations[key] = found
        return found

    def unit_at(self, position: int) -> Unit:
        """The unit that holds the byte at offset `position` of .debug_info."""
        index = bisect_right(self.unit_offsets, position) - 1
        if index < 0:
            raise DwarfError(f"no unit holds offset {position:#x}")
        return self.unit(self.unit_offsets[index])

    def die(self, offset: int) -> Die:
        """The DIE at a section offset, or with that key."""
        offset -= self.base if offset >= self.base else 0
        unit = self.unit_at(offset)
        nest = unit.nests.get(offset - unit.offset)
        return unit.die(offset - unit.offset) if nest is None else nest.die

    def type_die(self, signature: int) -> Die:
        """The type that a type unit defines (DW_FORM_ref_sig8).  Raises DwarfError for unknown ones."""
        unit = self._type_units.get(signature)
        if unit is None:
            raise DwarfError(f"no type unit has signature {signature:#x}")
        return unit.die(unit.header.type_offset)

    @cached_property
    def _type_units(self) -> dict[int, Unit]:
        found = {}
        for offset in self.unit_offsets:
            header = self._header(offset)
            if header.type == c.DW_UT_type:
                found[header.signature] = self.unit(offset)
        return found

    # -- strings --------------------------------------------------------------------------------------------------

    def string(self, offset: int) -> str:
        """The string at an offset of .debug_str."""
        return self.elf.contents(".debug_str").cstring(offset)

    def line_string(self, offset: int) -> str:
        """The string at an offset of .debug_line_str."""
        return self.elf.contents(".debug_line_str").cstring(offset)

    # -- addresses ------------------------------------------------------------------------------------------------

    @cached_property
    def code_prefix(self) -> bytes:
        """The upper half of an address of code, as it stands in the file."""
        text = self.elf.section(".text")
        return ((text.address if text else 0) >> 32).to_bytes(4, "little")

    @cached_property
    def init_range(self) -> tuple[int, int] | None:
        """Link-time addresses of what the kernel frees after boot (include/asm-generic/sections.h); None where no
        symbols say so."""
        bounds = [self.elf.symbols_named(name) for name in ("__init_begin", "__init_end")]
        return (bounds[0][0].value, bounds[1][0].value) if all(bounds) else None

    @cached_property
    def _by_address(self) -> tuple[list[int], list[tuple[int, int]]]:
        """Starts of address ranges, ascending, and (end, unit offset) of each."""
        rows = address_ranges(self)
        rows.sort()
        return [row[0] for row in rows], [(row[1], row[2]) for row in rows]

    def unit_of_pc(self, pc: int) -> Unit | None:
        """The unit whose code holds the address pc; None where no unit says so."""
        starts, rest = self._by_address
        index = bisect_right(starts, pc) - 1
        while index >= 0:
            end, offset = rest[index]
            if pc < end:
                return self.unit(offset)
            if starts[index] + (1 << 24) < pc:
                return None
            index -= 1
        return None


def _unit_offsets(contents: Contents) -> list[int]:
    """Offsets of the unit headers of a section."""
    data, start, size = contents.data, contents.start, contents.size
    offsets, at, unpack = [], 0, struct.Struct("<I").unpack_from
    while at + 11 <= size:
        offsets.append(at)
        length = unpack(data, start + at)[0]
        if length == 0xFFFFFFFF:
            length = 8 + int.from_bytes(contents.bytes(at + 4, 8), "little")
        elif length >= 0xFFFFFFF0:
            raise DwarfError(f"the unit at {at:#x} has the reserved length {length:#x}")
        at += 4 + length
    if at > size:
        raise DwarfError(f"the unit at {offsets[-1]:#x} ends at {at:#x}, its section at {size:#x}")
    return offsets
