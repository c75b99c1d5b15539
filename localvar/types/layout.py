# SPDX-License-Identifier: GPL-2.0-or-later
"""How a record is written so that a C compiler lays it out as debug info says.

Debug info has the offsets, not the attributes that made them.  The rules of the ABI (System V x86-64 psABI 3.1.2,
AAPCS64 5.9) are followed member by member; where they lead elsewhere, an attribute or explicit padding is added, and
where that cannot help (members that overlap their alignment) the record is packed with all padding explicit, which
reproduces anything.  DWARF names alignments that the source states (DW_AT_alignment); packed leaves no trace but offsets.
"""

from __future__ import annotations

from dataclasses import dataclass

from localvar.model.ctype import Array, BaseType, CType, Enumeration, Member, Pointer, Qualified, Record, Typedef, size_of, strip

MAX_NATURAL = 16
"""No scalar type has a larger alignment of its own."""


@dataclass(frozen=True)
class Field:
    """A member, with the alignment to be stated where its type's own would not do."""

    member: Member
    aligned: int | None = None


@dataclass(frozen=True)
class Pad:
    """Bits that no member has, from bit_offset on."""

    bit_offset: int
    bits: int


Item = Field | Pad


@dataclass(frozen=True)
class Layout:
    """A record as it is to be written.  alignment: what the record then has; aligned: to be stated, or None."""

    items: tuple[Item, ...]
    packed: bool
    aligned: int | None
    alignment: int


class Layouts:
    """Layouts of records, each worked out once."""

    def __init__(self) -> None:
        self._made: dict[Record, Layout] = {}

    def of(self, record: Record) -> Layout:
        """The layout of a complete record."""
        found = self._made.get(record)
        if found is None:
            found = self._made[record] = self._natural(record) or self._packed(record)
        return found

    def alignment(self, ctype: CType) -> int:
        """The alignment that a compiler gives an object of the type as it is written."""
        if isinstance(ctype, Typedef):
            return ctype.alignment or self.alignment(ctype.target())
        if isinstance(ctype, Qualified):
            return self.alignment(ctype.target())
        if isinstance(ctype, Array):
            if ctype.vector:
                return size_of(ctype) or 1
            return self.alignment(ctype.element())
        if isinstance(ctype, Record):
            return 1 if ctype.declaration else self.of(ctype).alignment
        if isinstance(ctype, (BaseType, Pointer, Enumeration)):
            return min(ctype.size, MAX_NATURAL) or 1
        return 1

    def _natural(self, record: Record) -> Layout | None:
        """The layout by the ABI's rules, with stated alignments; None where they cannot give these offsets."""
        items: list[Item] = []
        end, alignment, largest = 0, 1, 0
        for member in record.members():
            at = 0 if record.kind == "union" else end
            own = self.alignment(member.type())
            aligned = member.alignment if member.alignment is not None and member.alignment != own else None
            if aligned is not None and aligned < own:
                return None
            unit = aligned or own
            start, width = member.bit_offset, _width(member)
            if member.bit_size is None:
                if start % (8 * unit) or start < at:
                    return None
                natural = _up(at, 8 * unit)
            else:
                storage = 8 * (size_of(member.type()) or 0)
                if not storage or start < at or start % storage + width > storage:
                    return None
                natural = at if at % storage + width <= storage else _up(at, storage)
            if start != natural:
                if record.kind == "union":
                    return None
                items.append(Pad(at, start - at))
            items.append(Field(member, aligned))
            alignment = max(alignment, unit)
            end = start + width
            largest = max(largest, end)
        return self._finish(record, items, largest, alignment)

    def _finish(self, record: Record, items: list[Item], end: int, alignment: int) -> Layout | None:
        """The layout with what follows the last member; None where the size is less than the rules give."""
        stated = None
        if record.alignment is not None and record.alignment != alignment:
            if record.alignment < alignment:
                return None
            stated = alignment = record.alignment
        size = 8 * record.size
        if _up(end, 8 * alignment) > size or size % (8 * alignment):
            return None
        if _up(end, 8 * alignment) != size:
            start = 0 if record.kind == "union" else end
            items = [*items, Pad(start, size - start)]
        return Layout(tuple(items), False, stated, alignment)

    def _packed(self, record: Record) -> Layout:
        """The record packed, with every gap filled, aligned as debug info states."""
        items: list[Item] = []
        end, union = 0, record.kind == "union"
        for member in record.members():
            start, width = member.bit_offset, _width(member)
            if start < end and not union:
                continue  # two members in one place: C cannot say it outside a union; the first stands
            if start > end and not union:
                items.append(Pad(end, start - end))
            items.append(Field(member))
            end = start + width if not union else max(end, width)
        alignment = record.alignment or 1
        size = 8 * record.size
        if size > _up(end, 8 * alignment):
            start = 0 if union else end
            items.append(Pad(start, size - start))
        return Layout(tuple(items), True, record.alignment, alignment)


def _width(member: Member) -> int:
    """Bits that a member takes: none for a flexible array."""
    return member.bit_size if member.bit_size is not None else 8 * object_size(member.type())


def object_size(ctype: CType) -> int:
    """Bytes that a member of the type takes in its record."""
    bare = strip(ctype)
    if isinstance(bare, Array) and bare.count is None:
        return 0
    return size_of(bare) or 0


def _up(value: int, to: int) -> int:
    return -(-value // to) * to
