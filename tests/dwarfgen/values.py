# SPDX-License-Identifier: GPL-2.0-or-later
"""The small values a test writes: addresses, references, forced forms, DIEs.

They are inert: nothing here knows how DWARF is encoded.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True)
class Raw:
    """Bytes written as they are, whatever the form or entry would have asked for."""

    data: bytes


@dataclass(frozen=True)
class Addr:
    """An address of the program: ``offset`` bytes after ``base``.

    ``base`` is a number, a section (``".text"``), a symbol (``"f"``), or None for a number that no
    relocation touches. In an ET_REL image a number counts from the start of ``.text``.
    """

    base: int | str | None
    offset: int = 0


AddrLike: TypeAlias = "int | Addr"


def as_addr(value: AddrLike) -> Addr:
    """Take a number for an address."""
    return value if isinstance(value, Addr) else Addr(value)


@dataclass(frozen=True)
class Form:
    """An attribute value in a form of the test's choice.

    ``name`` is the DWARF name without ``DW_FORM_``, or a number. ``value`` is what the form stands for (a
    string for ``strx1``, a location list for ``loclistx``, an address for ``addrx``), or an int: the index or
    offset itself.
    """

    name: str | int
    value: object


@dataclass(frozen=True)
class Signature:
    """A reference to a type unit by its 64-bit signature (DW_FORM_ref_sig8)."""

    value: int


@dataclass(frozen=True)
class NextSibling:
    """The DIE that follows this one's children, for DW_AT_sibling."""


Attribute: TypeAlias = tuple["str | int", object]


@dataclass(frozen=True, init=False, eq=False)
class Die:
    """A debugging information entry.

    ``tag`` and the attribute keywords are DWARF names without ``DW_TAG_``/``DW_AT_`` (``import_`` for a
    Python keyword); numbers go in ``tag`` and ``attributes``, which also takes repeated attributes. ``label``
    names the DIE for ``Ref``; the object itself serves as well. ``has_children`` overrides DW_CHILDREN.
    An attribute that is None is left out.
    """

    tag: str | int
    label: str | None
    attributes: tuple[Attribute, ...]
    children: tuple[Die | Raw, ...]
    has_children: bool

    def __init__(
        self,
        tag: str | int,
        *,
        label: str | None = None,
        children: Iterable[Die | Raw] = (),
        attributes: Iterable[Attribute] = (),
        has_children: bool | None = None,
        **named: object,
    ) -> None:
        entries = [(name.rstrip("_"), value) for name, value in named.items() if value is not None]
        below = tuple(children)
        object.__setattr__(self, "tag", tag)
        object.__setattr__(self, "label", label)
        object.__setattr__(self, "attributes", (*entries, *attributes))
        object.__setattr__(self, "children", below)
        object.__setattr__(self, "has_children", bool(below) if has_children is None else has_children)

    def attribute(self, name: str) -> object | None:
        """The value given for an attribute, or None."""
        return next((value for key, value in self.attributes if key == name), None)


@dataclass(frozen=True)
class Ref:
    """A reference to a DIE: its label, or the object. The own unit is searched first.

    ``delta`` is added to the offset, for references that miss.
    """

    target: str | Die
    delta: int = 0


DieRef: TypeAlias = "Ref | Die | str | int"
