# SPDX-License-Identifier: GPL-2.0-or-later
"""What is known while one unit is written: where things lie, and the unit's tables.

An image is written in passes. A pass looks places up in what the pass before it found, and marks where it
puts things itself; when nothing moved any more, the last pass is the answer.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .buffer import AddressSpace, Buffer
from .values import Addr, AddrLike, Die, DieRef, Ref, as_addr

if TYPE_CHECKING:
    from .unit import RawUnit, Unit


class Places:
    """Offsets by key, from the last pass; zero for everything in the first."""

    def __init__(self, known: Mapping[Hashable, int] | None) -> None:
        self.known = known
        self.found: dict[Hashable, int] = {}

    def mark(self, key: Hashable, offset: int) -> None:
        if key in self.found:
            raise ValueError(f"{key!r} is placed twice")
        self.found[key] = offset

    def __getitem__(self, key: Hashable) -> int:
        return 0 if self.known is None else self.known[key]

    def __contains__(self, key: Hashable) -> bool:
        return self.known is not None and key in self.known


class StringPool:
    """A section of strings. ``merge_tails`` lets "bar" be the end of "foobar", as linkers do."""

    def __init__(self, merge_tails: bool) -> None:
        self.data = bytearray()
        self._merge_tails = merge_tails
        self._offsets: dict[bytes, int] = {}

    def offset(self, text: str | bytes) -> int:
        string = (text.encode() if isinstance(text, str) else text) + b"\0"
        if string not in self._offsets:
            at = self.data.find(string) if self._merge_tails else -1
            self._offsets[string] = at if at >= 0 else len(self.data)
            if at < 0:
                self.data += string
        return self._offsets[string]


@dataclass
class Table:
    """Values that a unit refers to by index, in the order of their first use."""

    entries: list[object] = field(default_factory=list)

    def index(self, value: object) -> int:
        if value not in self.entries:
            self.entries.append(value)
        return self.entries.index(value)


@dataclass
class Lists:
    """A unit's location or range lists, and the keys of those that a DW_FORM_*listx names."""

    used: dict[int, object] = field(default_factory=dict)
    indexed: list[int] = field(default_factory=list)

    def use(self, entries: object) -> int:
        """Have a list written; the key of its place."""
        self.used[id(entries)] = entries
        return id(entries)

    def index(self, entries: object) -> int:
        key = self.use(entries)
        if key not in self.indexed:
            self.indexed.append(key)
        return self.indexed.index(key)


@dataclass(frozen=True)
class DieIndex:
    """Every DIE of an image, by unit and label or object."""

    by_unit: Mapping[tuple[int, Hashable], Die]
    anywhere: Mapping[Hashable, list[int]]

    def find(self, unit: int, target: str | Die) -> tuple[int, Die]:
        """The unit and the DIE meant, the own unit first; LookupError if there is none, or no single one."""
        key: Hashable = target if isinstance(target, str) else id(target)
        if (unit, key) in self.by_unit:
            return unit, self.by_unit[unit, key]
        homes = self.anywhere.get(key, [])
        if len(homes) != 1:
            what = target if isinstance(target, str) else target.tag
            raise LookupError(f"{len(homes)} units have a DIE {what!r}")
        return homes[0], self.by_unit[homes[0], key]


@dataclass
class Assembly:
    """One pass over an image: its sections so far, and what all units share."""

    space: AddressSpace
    places: Places
    dies: DieIndex
    units: tuple[Unit | RawUnit, ...]
    strings: StringPool
    line_strings: StringPool
    sections: dict[str, Buffer] = field(default_factory=dict)

    def section(self, name: str) -> Buffer:
        return self.sections.setdefault(name, Buffer(self.space))


@dataclass
class UnitContext:
    """One unit while it is written; the ``Scope`` of its expressions."""

    assembly: Assembly
    unit: Unit
    index: int
    string_table: Table = field(default_factory=Table)
    address_table: Table = field(default_factory=Table)
    loclists: Lists = field(default_factory=Lists)
    rnglists: Lists = field(default_factory=Lists)

    @property
    def version(self) -> int:
        return self.unit.version

    @property
    def offset_size(self) -> int:
        return self.unit.offset_size

    def place(self, kind: str, *key: Hashable) -> int:
        """Where the last pass put something of this unit."""
        return self.assembly.places[(kind, self.index, *key)]

    def mark(self, offset: int, kind: str, *key: Hashable) -> None:
        self.assembly.places.mark((kind, self.index, *key), offset)

    def marked(self, kind: str) -> bool:
        return (kind, self.index) in self.assembly.places

    def address_index(self, addr: AddrLike) -> int:
        return self.address_table.index(as_addr(addr))

    def base_address(self) -> Addr:
        """The base that the unit's lists start from: its DW_AT_low_pc, or 0."""
        low = self.unit.root.attribute("low_pc")
        low = getattr(low, "value", low)  # out of a Form
        return as_addr(low) if isinstance(low, int | Addr) else Addr(None, 0)

    def _find(self, target: DieRef) -> tuple[int, Die, int]:
        if isinstance(target, int):
            raise TypeError("an offset is no reference")
        delta = target.delta if isinstance(target, Ref) else 0
        where, die = self.assembly.dies.find(self.index, target.target if isinstance(target, Ref) else target)
        return where, die, delta

    def in_this_unit(self, target: DieRef) -> bool:
        return self._find(target)[0] == self.index

    def unit_offset(self, target: DieRef) -> int:
        """A DIE's offset from the header of this unit; ValueError if it stands in another."""
        if isinstance(target, int):
            return target
        where, die, delta = self._find(target)
        if where != self.index:
            raise ValueError(f"{die.tag} {die.label or ''} is in another unit")
        return self.assembly.places["die", where, id(die)] - self.assembly.places["unit", where] + delta

    def section_offset(self, target: DieRef) -> tuple[str, int]:
        """A DIE's section and its offset there."""
        where, die, delta = self._find(target)
        section = self.assembly.units[where].section
        return section, self.assembly.places["die", where, id(die)] + delta
