# SPDX-License-Identifier: GPL-2.0-or-later
"""What location lists and range lists share: where a list begins, and reading its fields (DWARF 5 sections 7.28, 7.29)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localvar.dwarf.errors import DwarfError

if TYPE_CHECKING:
    from localvar.dwarf.unit import Die, Unit


def list_offset(die: Die, attribute: int, index_form: int, base_attribute: int, section: str) -> int:
    """The section offset of the list that an attribute names, through the unit's offset table where it is an index."""
    form, value = die.attributes[attribute]
    if not isinstance(value, int):
        raise DwarfError(f"list attribute {attribute:#x} of the DIE at {die.key:#x} is no offset")
    if form != index_form:
        return value
    size = die.unit.header.offset_size
    base = die.unit.base(base_attribute, 12 if size == 4 else 20)
    raw = die.unit.info.elf.contents(section).bytes(base + value * size, size)
    return base + int.from_bytes(raw, "little")


class Cursor:
    """Reads forward in one section.  Raises DwarfError where the section ends.

    base: the address that offsets count from (section 2.17.3), at first that of the unit.
    """

    def __init__(self, unit: Unit, section: str, offset: int) -> None:
        self.unit = unit
        self.base = unit.low_pc
        self._contents = unit.info.elf.contents(section)
        self._address_size = unit.header.address_size
        self._section = section
        self.offset = offset

    def take(self, size: int) -> bytes:
        """The next size bytes."""
        try:
            raw = self._contents.bytes(self.offset, size)
        except DwarfError as problem:
            raise DwarfError(f"{self._section}: {problem}") from None
        self.offset += size
        return raw

    def byte(self) -> int:
        """The next byte."""
        return self.take(1)[0]

    def address(self) -> int:
        """The next address."""
        return int.from_bytes(self.take(self._address_size), "little")

    def unsigned(self, size: int) -> int:
        """The next unsigned number of size bytes."""
        return int.from_bytes(self.take(size), "little")

    def uleb(self) -> int:
        """The next unsigned LEB128 number."""
        value, shift = 0, 0
        while True:
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value
            if shift > 7 * 64:
                raise DwarfError(f"{self._section}: LEB128 number without an end at {self.offset:#x}")


# -- the addresses of an entry: the same in both kinds of list, with codes that differ ---------------------------------


def offset_pair(cursor: Cursor) -> tuple[int, int]:
    """DW_LLE_offset_pair, DW_RLE_offset_pair."""
    return cursor.base + cursor.uleb(), cursor.base + cursor.uleb()


def start_end(cursor: Cursor) -> tuple[int, int]:
    """DW_LLE_start_end, DW_RLE_start_end."""
    return cursor.address(), cursor.address()


def start_length(cursor: Cursor) -> tuple[int, int]:
    """DW_LLE_start_length, DW_RLE_start_length."""
    low = cursor.address()
    return low, low + cursor.uleb()


def startx_endx(cursor: Cursor) -> tuple[int, int]:
    """DW_LLE_startx_endx, DW_RLE_startx_endx."""
    return cursor.unit.indexed_address(cursor.uleb()), cursor.unit.indexed_address(cursor.uleb())


def startx_length(cursor: Cursor) -> tuple[int, int]:
    """DW_LLE_startx_length, DW_RLE_startx_length."""
    low = cursor.unit.indexed_address(cursor.uleb())
    return low, low + cursor.uleb()
