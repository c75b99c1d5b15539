# SPDX-License-Identifier: GPL-2.0-or-later
"""Units of .debug_info and their DIEs (DWARF 5 sections 7.5.1, 7.5.2), decoded only where they are looked at.

Offsets within a unit are relative to its header, as references of the unit's own are.
"""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections.abc import Iterator
from contextlib import suppress
from functools import cached_property
from operator import itemgetter
from typing import TYPE_CHECKING

from localvar.dwarf import constants as c
from localvar.dwarf.abbrev import Abbreviation
from localvar.dwarf.errors import DwarfError
from localvar.dwarf.forms import (
    ADDRESSES,
    BLOCKS,
    CONSTANTS,
    INDEXED_ADDRESSES,
    INDEXED_STRINGS,
    STRINGS,
    UNIT_REFERENCES,
    RawValue,
    read_form,
    skip_form,
)
from localvar.dwarf.leb128 import uleb
from localvar.dwarf.ranges import die_ranges
from localvar.dwarf.start import Starts, start_before

if TYPE_CHECKING:
    from localvar.dwarf.info import DebugInfo
    from localvar.dwarf.nest import Nest

_FRONT = 192
"""Bytes behind a unit's header in which its own DIE ends."""
_LINK = struct.Struct("<I")
_offset_of = itemgetter(0)

Entry = tuple[int, Abbreviation, int]
"""A DIE not yet decoded: its offset, its abbreviation, the offset of its attributes."""


class Unit:
    """One unit: its header's fields, its bytes, and iteration over its DIEs."""

    def __init__(self, info: DebugInfo, offset: int, header: UnitHeader) -> None:
        self.info = info
        self.offset = offset
        self.header = header
        self.version = header.version
        self.sizes = header.sizes
        self.starts: dict[tuple[frozenset[int], int, bool], Starts] = {}
        """What start.start_before has found out about the abbreviations."""
        self.names: dict[int, str | None] = {}
        self.nests: dict[int, Nest] = {}
        """What scope.name_of and nest.nest_of have found, by the offset of the DIE."""
        self.asked = 0
        """Functions whose instances scope.instances was asked for."""

    @cached_property
    def data(self) -> bytes:
        """The bytes of the unit, its header included."""
        return self.info.raw(self.offset, self.header.length)

    @property
    def is_read(self) -> bool:
        """Whether its bytes are in memory."""
        return "data" in self.__dict__

    @cached_property
    def abbreviations(self) -> dict[int, Abbreviation]:
        """What the codes of DIEs stand for."""
        return self.info.abbreviations(self.header)

    def entry(self, offset: int) -> Entry | None:
        """The DIE at offset; None for the null entry that ends a list of siblings."""
        if not self.header.size <= offset < len(self.data):
            raise DwarfError(f"DIE offset {offset:#x} is outside the unit at {self.offset:#x}")
        code, at = uleb(self.data, offset)
        if code == 0:
            return None
        abbreviation = self.abbreviations.get(code)
        if abbreviation is None:
            raise DwarfError(f"abbreviation {code} is not declared (DIE at {self.offset + offset:#x})")
        return offset, abbreviation, at

    def behind_attributes(self, abbreviation: Abbreviation, at: int) -> int:
        """The offset behind the attributes that begin at `at`."""
        if abbreviation.size >= 0:
            return at + abbreviation.size
        steps = abbreviation.steps
        at += steps[0]
        for index, form in enumerate(abbreviation.forms, 1):
            at = skip_form(self.data, form, at, self.sizes) + steps[index]
        return at

    def behind(self, abbreviation: Abbreviation, at: int) -> int:
        """The offset behind a DIE and all its children; `at` is where its attributes begin."""
        if not abbreviation.has_children:
            return self.behind_attributes(abbreviation, at)
        if abbreviation.sibling is not None:
            skip, extra = abbreviation.sibling
            place = at + abbreviation.steps[0] if skip else at
            for index in range(skip):
                place = skip_form(self.data, abbreviation.forms[index], place, self.sizes)
                if index + 1 < skip:
                    place += abbreviation.steps[index + 1]
            place += extra
            target = int.from_bytes(self.data[place : place + 4], "little")
            if not at < target <= len(self.data):
                raise DwarfError(f"sibling {target:#x} of a DIE of the unit at {self.offset:#x} is not ahead of it")
            return target
        depth, at = 1, self.behind_attributes(abbreviation, at)
        while depth:
            entry = self.entry(at)
            if entry is None:
                depth -= 1
                at = uleb(self.data, at)[1]
            elif entry[1].sibling is not None or not entry[1].has_children:
                at = self.behind(entry[1], entry[2])
            else:
                at = self.behind_attributes(entry[1], entry[2])
                depth += 1
        return at

    def siblings(self, at: int) -> Iterator[Entry]:
        """The DIEs from offset `at` to the null entry that ends their list (or the end of the unit)."""
        data, abbreviations, end = self.data, self.abbreviations, len(self.data)
        while at < end:
            start = at
            code = data[at]
            at += 1
            if code >= 0x80:
                code, at = uleb(data, start)
            if code == 0:
                return
            abbreviation = abbreviations.get(code)
            if abbreviation is None:
                raise DwarfError(f"abbreviation {code} is not declared (DIE at {self.offset + start:#x})")
            yield start, abbreviation, at
            if abbreviation.alone >= 0:
                at += abbreviation.alone
            else:
                at = self.behind(abbreviation, at)

    def children(self, entry: Entry) -> Iterator[Entry]:
        """The direct children of a DIE."""
        _, abbreviation, at = entry
        return self.siblings(self.behind_attributes(abbreviation, at)) if abbreviation.has_children else iter(())

    @cached_property
    def root(self) -> Die:
        """The unit's own DIE: read without the other abbreviations, which take ten times as long, where it is near the start."""
        front = self.info.raw(self.offset, min(self.header.length, self.header.size + _FRONT))
        at = self.header.size
        with suppress(DwarfError):
            behind = uleb(front, at)[1]
            one = self.info.abbreviation(self.header, front[at:behind]) if front[at] else None
            if one is not None:
                die = Die(self, (at, one, behind))
                die._attributes = die.decode(front)
                return die
        return self.die(at)

    @cached_property
    def top_level(self) -> list[Entry]:
        """The direct children of the unit's own DIE."""
        return self._read_top_level()

    @cached_property
    def functions(self) -> list[Entry]:
        """The functions of top_level, of which all others need not be kept: a hundred bytes for each DIE."""
        if "top_level" in self.__dict__:
            return [entry for entry in self.top_level if entry[1].tag == c.DW_TAG_subprogram]
        return self._read_top_level(c.DW_TAG_subprogram)

    def _read_top_level(self, tag: int | None = None) -> list[Entry]:
        root = self.entry(self.header.size)
        if root is None or not root[1].has_children:
            return []
        return self._row_of(self.behind_attributes(root[1], root[2]), tag)[0]

    def _row_of(self, at: int, tag: int | None = None) -> tuple[list[Entry], int]:
        """The DIEs (of a tag) from offset `at` to the end of their list, and the offset behind its null entry: as siblings()."""
        data, abbreviations, found = self.data, self.abbreviations, list[Entry]()
        end, link = len(self.data), _LINK.unpack_from
        while at < end:
            start, code = at, data[at]
            at += 1
            if code >= 0x80:
                code, at = uleb(data, start)
            if code == 0:
                break
            abbreviation = abbreviations.get(code)
            if abbreviation is None:
                raise DwarfError(f"abbreviation {code} is not declared (DIE at {self.offset + start:#x})")
            if tag is None or abbreviation.tag == tag:
                found.append((start, abbreviation, at))
            if abbreviation.alone >= 0:
                at += abbreviation.alone
            elif abbreviation.jump >= 0 and at + abbreviation.jump + 4 <= end:
                (target,) = link(data, at + abbreviation.jump)
                at = target if at < target <= end else self.behind(abbreviation, at)
            else:
                at = self.behind(abbreviation, at)
        return found, at

    @cached_property
    def code(self) -> list[Entry]:
        """The DIEs of top_level from the first function on that has an address; empty where that is not certain.

        Types fill the front of a unit (19 of 20 of its DIEs): here they are not stepped over.  The function is found by its
        address; what is no DIE in truth seldom leads to the end of the unit at the depth of the top level (1 unit in 500 of
        Linux 6.12, where the address in a DW_OP_addr was taken for it), and is no code of the unit then.
        """
        high = self.info.code_prefix
        at = self.header.size + 64  # behind the unit's own low_pc
        for _ in range(64):
            at = self.data.find(high, at + 1)
            if at < 0:
                return []
            start = start_before(self, at - 4, {c.DW_TAG_subprogram}, c.DW_AT_low_pc)
            if start is None or start < 0:
                continue
            try:
                entries, end = self._row_of(start)
            except (DwarfError, IndexError):
                continue
            if end == len(self.data) and self.data[-1] == 0 and self._holds_code_of(Die(self, entries[0])):
                return entries
        return []

    def _holds_code_of(self, function: Die) -> bool:
        """Whether the unit's own ranges hold a function's, and the function has a name or an origin that is one."""
        try:
            own, ranges = die_ranges(self.root), die_ranges(function)
            named = function.string(c.DW_AT_name) is not None
            origin = function.reference(c.DW_AT_abstract_origin) or function.reference(c.DW_AT_specification)
        except DwarfError:
            return False
        within = all(any(low <= start and end <= high for low, high in own) for start, end in ranges)
        return bool(ranges) and within and (named if origin is None else origin.tag == c.DW_TAG_subprogram)

    def die(self, offset: int) -> Die:
        """The DIE at an offset of this unit."""
        entry = self.entry(offset)
        if entry is None:
            raise DwarfError(f"no DIE at {self.offset + offset:#x}")
        return Die(self, entry)

    def path_to(self, position: int) -> tuple[Entry, ...]:
        """The DIEs from the top level down to the one whose code or attributes hold the byte at `position`.

        Empty where no DIE does (the byte is in the header or a null entry).
        """
        path: list[Entry] = []
        siblings: Iterator[Entry] = iter(self._top_from(position))
        while True:
            found = None
            for entry in siblings:
                if entry[0] > position:
                    break
                found = entry
            if found is None or position >= self.behind(found[1], found[2]):
                return ()
            path.append(found)
            inside = self.behind_attributes(found[1], found[2])
            if position < inside:
                return tuple(path)
            siblings = self.siblings(inside)

    def _top_from(self, position: int) -> list[Entry]:
        """The last top-level DIE that begins at or before position, as a list of one (or none)."""
        top = self.code if "top_level" not in self.__dict__ else []
        if not top or position < top[0][0]:
            top = self.top_level
        index = bisect_right(top, position, key=_offset_of)
        return top[index - 1 : index] if index else []

    # -- tables of the unit ---------------------------------------------------------------------------------------

    @cached_property
    def low_pc(self) -> int:
        """The base address of the unit (section 3.1.1, item 1); 0 where there is none."""
        return self.root.address(c.DW_AT_low_pc) or 0

    def base(self, attribute: int, default: int) -> int:
        """One of the DW_AT_*_base attributes of the unit's own DIE."""
        value = self.root.integer(attribute)
        return default if value is None else value

    def indexed_string(self, index: int) -> str:
        """The string of an index into .debug_str_offsets (section 7.26)."""
        size = self.header.offset_size
        base = self.base(c.DW_AT_str_offsets_base, 8 if size == 4 else 16)
        raw = self.info.elf.contents(".debug_str_offsets").bytes(base + index * size, size)
        return self.info.string(int.from_bytes(raw, "little"))

    def indexed_address(self, index: int) -> int:
        """The address of an index into .debug_addr (section 7.27)."""
        size = self.header.address_size
        default = 8 if self.version >= 5 else 0
        base = self.base(c.DW_AT_addr_base, self.base(c.DW_AT_GNU_addr_base, default))
        raw = self.info.elf.contents(".debug_addr").bytes(base + index * size, size)
        return int.from_bytes(raw, "little")


class UnitHeader:
    """The fields of a unit header (section 7.5.1): version, sizes in bytes, unit type, type signature and DIE.
    sizes: of an address, of an offset, and the version."""

    __slots__ = ("abbrev_offset", "address_size", "length", "offset_size", "signature", "size", "sizes", "type", "type_offset",
                 "version")

    def __init__(self, data: bytes, types: bool = False) -> None:
        """Parse the header at the start of data (.debug_types headers where types).  Raises DwarfError."""
        def number(at: int, size: int) -> int:
            if at + size > len(data):
                raise DwarfError("unit header ends beyond the section")
            return int.from_bytes(data[at : at + size], "little")

        self.length, self.offset_size, at = number(0, 4), 4, 4
        if self.length == 0xFFFFFFFF:
            self.length, self.offset_size, at = number(4, 8), 8, 12
        elif self.length >= 0xFFFFFFF0:
            raise DwarfError(f"unit length {self.length:#x} is reserved")
        self.length += at
        self.version = number(at, 2)
        if not 2 <= self.version <= 5:
            raise DwarfError(f"DWARF version {self.version} is not supported")
        at += 2
        self.type = c.DW_UT_type if types else c.DW_UT_compile
        if self.version >= 5:
            self.type, self.address_size = number(at, 1), number(at + 1, 1)
            self.abbrev_offset = number(at + 2, self.offset_size)
            at += 2 + self.offset_size
        else:
            self.abbrev_offset = number(at, self.offset_size)
            at += self.offset_size
            self.address_size = number(at, 1)
            at += 1
        self.signature = self.type_offset = 0
        if self.type in (c.DW_UT_type, c.DW_UT_split_type):
            self.signature, self.type_offset = number(at, 8), number(at + 8, self.offset_size)
            at += 8 + self.offset_size
        elif self.type in (c.DW_UT_skeleton, c.DW_UT_split_compile):
            self.signature = number(at, 8)
            at += 8
        self.size = at
        self.sizes = (self.address_size, self.offset_size, self.version)
        if self.address_size not in (4, 8):
            raise DwarfError(f"address size {self.address_size} is not supported")


class Die:
    """A debugging information entry whose attributes have been decoded."""

    __slots__ = ("_attributes", "entry", "offset", "tag", "unit")

    def __init__(self, unit: Unit, entry: Entry) -> None:
        self.unit = unit
        self.entry = entry
        self.offset = entry[0]
        self.tag = entry[1].tag
        self._attributes: dict[int, tuple[int, RawValue]] | None = None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Die) and self.key == other.key and self.unit.info is other.unit.info

    def __hash__(self) -> int:
        return hash(self.key)

    @property
    def key(self) -> int:
        """A number that no other DIE of a run has: position, counted from the file's base."""
        return self.unit.info.base + self.unit.offset + self.offset

    @property
    def position(self) -> int:
        """The DIE's offset in .debug_info (a position of DebugInfo: unique in a file)."""
        return self.unit.offset + self.offset

    @property
    def attributes(self) -> dict[int, tuple[int, RawValue]]:
        """Attribute name to (form, value as it stands)."""
        if self._attributes is None:
            self._attributes = self.decode(self.unit.data)
        return self._attributes

    def decode(self, data: bytes) -> dict[int, tuple[int, RawValue]]:
        """As attributes, read from the first bytes of the unit.  Raises DwarfError where they are not there."""
        _, abbreviation, at = self.entry
        sizes = self.unit.sizes
        constants, runs = abbreviation.layout
        found: dict[int, tuple[int, RawValue]] = dict(constants)
        for layout, keys, last in runs:
            try:
                values = layout.unpack_from(data, at)
            except struct.error:
                raise DwarfError(f"a value of the DIE at {self.key:#x} ends beyond the unit") from None
            at += layout.size
            for (name, form), value in zip(keys, values, strict=True):
                found[name] = (form, value)
            if last is not None:
                form, value, at = read_form(data, last[1], 0, at, sizes)
                found[last[0]] = (form, value)
        return found

    def __contains__(self, attribute: int) -> bool:
        return attribute in self.attributes

    def children(self) -> Iterator[Die]:
        """The direct children."""
        return (Die(self.unit, entry) for entry in self.unit.children(self.entry))

    def string(self, attribute: int) -> str | None:
        """A string attribute; None where there is none."""
        found = self.attributes.get(attribute)
        if found is None or found[0] not in STRINGS:
            return None
        form, value = found
        if isinstance(value, bytes):
            return value.decode("utf-8", "replace")
        if form in INDEXED_STRINGS:
            return self.unit.indexed_string(value)
        return self.unit.info.line_string(value) if form == c.DW_FORM_line_strp else self.unit.info.string(value)

    def integer(self, attribute: int) -> int | None:
        """An attribute whose value is an integer as it stands (constant, offset, flag); None otherwise."""
        found = self.attributes.get(attribute)
        return found[1] if found is not None and isinstance(found[1], int) else None

    def constant(self, attribute: int) -> int | None:
        """An attribute of class constant; None where there is none or it is of another class."""
        found = self.attributes.get(attribute)
        return found[1] if found is not None and found[0] in CONSTANTS and isinstance(found[1], int) else None

    def block(self, attribute: int) -> bytes | None:
        """An attribute of class exprloc or block; None otherwise."""
        found = self.attributes.get(attribute)
        return found[1] if found is not None and found[0] in BLOCKS and isinstance(found[1], bytes) else None

    def flag(self, attribute: int) -> bool:
        """A flag attribute; False where there is none."""
        return bool(self.integer(attribute))

    def address(self, attribute: int) -> int | None:
        """An attribute of class address; None where there is none or it is of another class."""
        found = self.attributes.get(attribute)
        if found is None or found[0] not in ADDRESSES or not isinstance(found[1], int):
            return None
        return self.unit.indexed_address(found[1]) if found[0] in INDEXED_ADDRESSES else found[1]

    def reference(self, attribute: int) -> Die | None:
        """The DIE that a reference attribute names, in this unit or another; None where there is none."""
        found = self.attributes.get(attribute)
        if found is None:
            return None
        form, value = found
        if not isinstance(value, int):
            return None
        if form in UNIT_REFERENCES:
            return self.unit.die(value)
        if form == c.DW_FORM_ref_addr:
            return self.unit.info.die(value)
        if form == c.DW_FORM_ref_sig8:
            return self.unit.info.type_die(value)
        raise DwarfError(f"reference form {form:#x} of the DIE at {self.key:#x} is not supported")
