# SPDX-License-Identifier: GPL-2.0-or-later
"""C types as DIEs. Each has its name for a label, which ``Ref`` and the type operands here take."""

from __future__ import annotations

from .values import Die, DieRef, Ref


def reference(target: DieRef | None) -> Ref | None:
    """A type operand: a label, a DIE, or None for void."""
    if isinstance(target, int):
        raise TypeError("an offset is no type")
    return Ref(target) if isinstance(target, str | Die) else target


def base(name: str, size: int, encoding: str) -> Die:
    """A base type; ``encoding`` is a name of DW_ATE_*."""
    return Die("base_type", label=name, name=name, byte_size=size, encoding=encoding)


def pointer(label: str, target: DieRef | None, size: int = 8) -> Die:
    """A pointer type, to void where the target is None."""
    return Die("pointer_type", label=label, byte_size=size, type=reference(target))


def typedef(name: str, target: DieRef | None) -> Die:
    """A typedef."""
    return Die("typedef", label=name, name=name, type=reference(target))


def qualified(label: str, qualifier: str, target: DieRef | None) -> Die:
    """A const, volatile, restrict or atomic type."""
    return Die(f"{qualifier}_type", label=label, type=reference(target))


def member(name: str | None, target: DieRef, offset: int, **attributes: object) -> Die:
    """A member at a byte offset."""
    return Die("member", attributes=_attributes(name, target, data_member_location=offset, **attributes))


def bit_field(name: str | None, target: DieRef, bit_offset: int, bits: int, **attributes: object) -> Die:
    """A bit-field, in the manner of DWARF 5 (DW_AT_data_bit_offset)."""
    values = _attributes(name, target, bit_size=bits, data_bit_offset=bit_offset, **attributes)
    return Die("member", attributes=values)


def struct(name: str | None, size: int, *members: Die, label: str | None = None, union: bool = False) -> Die:
    """A structure or union; an anonymous one needs a label of its own to be referred to."""
    tag = "union_type" if union else "structure_type"
    return Die(tag, label=label or name, name=name, byte_size=size, children=members)


def array(label: str, target: DieRef, *counts: int | None, index: DieRef | None = None) -> Die:
    """An array; a count of None is a flexible dimension. As in gcc's output, only no elements are a count."""
    dimensions = [
        Die(
            "subrange_type",
            type=reference(index),
            upper_bound=count - 1 if count else None,
            count=0 if count == 0 else None,
        )
        for count in counts
    ]
    return Die("array_type", label=label, type=reference(target), children=dimensions)


def enumeration(name: str, size: int, target: DieRef | None = None, **values: int) -> Die:
    """An enumeration."""
    children = [Die("enumerator", name=key, const_value=value) for key, value in values.items()]
    return Die(
        "enumeration_type", label=name, name=name, byte_size=size, type=reference(target), children=children
    )


def _attributes(name: str | None, target: DieRef, **values: object) -> list[tuple[str | int, object]]:
    everything = {"name": name, "type": reference(target), **values}
    return [(key, value) for key, value in everything.items() if value is not None]
