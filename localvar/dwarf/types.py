# SPDX-License-Identifier: GPL-2.0-or-later
"""Type DIEs to the model's C types (DWARF 5 chapter 5)."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial
from typing import TYPE_CHECKING

from localvar.dwarf import constants as c
from localvar.dwarf.errors import DwarfError
from localvar.dwarf.line import LineTable
from localvar.model.ctype import (
    Array, BaseType, CType, Declared, Encoding, Enumeration, FunctionType, Member, Pointer, Qualified, Qualifier, Record,
    Typedef, UnknownType, Void,
)

if TYPE_CHECKING:
    from localvar.dwarf.unit import Die, Unit

_ENCODINGS = {
    c.DW_ATE_boolean: Encoding.BOOLEAN, c.DW_ATE_signed: Encoding.SIGNED, c.DW_ATE_unsigned: Encoding.UNSIGNED,
    c.DW_ATE_signed_char: Encoding.SIGNED_CHAR, c.DW_ATE_unsigned_char: Encoding.UNSIGNED_CHAR,
    c.DW_ATE_float: Encoding.FLOAT, c.DW_ATE_UTF: Encoding.UNSIGNED,
}
_QUALIFIERS = {
    c.DW_TAG_const_type: Qualifier.CONST, c.DW_TAG_volatile_type: Qualifier.VOLATILE,
    c.DW_TAG_restrict_type: Qualifier.RESTRICT, c.DW_TAG_atomic_type: Qualifier.ATOMIC,
}
_RECORDS = {c.DW_TAG_structure_type: "struct", c.DW_TAG_union_type: "union", c.DW_TAG_class_type: "struct"}


def type_of(die: Die) -> CType:
    """The type that DW_AT_type of die names (void where there is none)."""
    target = die.reference(c.DW_AT_type)
    return Void() if target is None else type_at(target)


def type_at(die: Die) -> CType:
    """The type that a type DIE describes; UnknownType where C cannot say it.  Raises DwarfError on damage."""
    if die.tag == c.DW_TAG_base_type:
        encoding = _ENCODINGS.get(die.constant(c.DW_AT_encoding) or 0, Encoding.OTHER)
        return BaseType(die.key, die.string(c.DW_AT_name) or "?", die.constant(c.DW_AT_byte_size) or 0, encoding)
    if die.tag == c.DW_TAG_pointer_type:
        size = die.constant(c.DW_AT_byte_size) or die.unit.header.address_size
        return Pointer(die.key, size, partial(type_of, die))
    if die.tag in _QUALIFIERS:
        return Qualified(die.key, _QUALIFIERS[die.tag], partial(type_of, die))
    if die.tag == c.DW_TAG_typedef:
        return Typedef(die.key, die.string(c.DW_AT_name) or "?", declared(die), partial(type_of, die),
                       die.constant(c.DW_AT_alignment))
    if die.tag in _RECORDS:
        return _record(die)
    if die.tag == c.DW_TAG_enumeration_type:
        return _enumeration(die)
    if die.tag == c.DW_TAG_array_type:
        return _array(die)
    if die.tag == c.DW_TAG_subroutine_type:
        parameters = [child for child in die.children() if child.tag == c.DW_TAG_formal_parameter]
        variadic = any(child.tag == c.DW_TAG_unspecified_parameters for child in die.children())
        return FunctionType(die.key, variadic, die.flag(c.DW_AT_prototyped), partial(type_of, die),
                            lambda: tuple(type_of(parameter) for parameter in parameters))
    if die.tag == c.DW_TAG_unspecified_type:
        return Void()
    return UnknownType(die.key, f"a type of tag {die.tag:#x}")


def declared(die: Die) -> Declared:
    """Where the source declares what die describes; file None where debug info does not say."""
    try:
        file = line_table(die.unit).file(die.constant(c.DW_AT_decl_file))
    except DwarfError:
        file = None
    return Declared(file, die.constant(c.DW_AT_decl_line) or 0)


@lru_cache(maxsize=None)
def line_table(unit: Unit) -> LineTable:
    """The line table of a unit, made once."""
    return LineTable(unit)


def _record(die: Die) -> CType:
    signature = die.reference(c.DW_AT_signature)
    if signature is not None:
        return type_at(signature)
    return Record(
        key=die.key, kind=_RECORDS[die.tag], name=die.string(c.DW_AT_name), size=die.constant(c.DW_AT_byte_size) or 0,
        declaration=die.flag(c.DW_AT_declaration), declared=declared(die), unit=line_table(die.unit).name,
        alignment=die.constant(c.DW_AT_alignment), members=partial(_members, die),
    )


def _members(die: Die) -> tuple[Member, ...]:
    return tuple(_member(child) for child in die.children() if child.tag == c.DW_TAG_member)


def _member(die: Die) -> Member:
    bit_size = die.constant(c.DW_AT_bit_size)
    offset = 8 * (die.constant(c.DW_AT_data_member_location) or 0)
    if c.DW_AT_data_bit_offset in die:
        offset += die.constant(c.DW_AT_data_bit_offset) or 0
    elif c.DW_AT_bit_offset in die and bit_size is not None:
        # DWARF 2: counted from the most significant bit of a storage unit of DW_AT_byte_size bytes (section 5.5.6)
        storage = die.constant(c.DW_AT_byte_size)
        if storage is None:
            from localvar.model.ctype import size_of

            storage = size_of(type_of(die)) or 0
        offset += 8 * storage - (die.constant(c.DW_AT_bit_offset) or 0) - bit_size
    return Member(die.string(c.DW_AT_name), offset, bit_size, die.constant(c.DW_AT_alignment), partial(type_of, die))


def _enumeration(die: Die) -> CType:
    underlying = type_of(die)
    signed = isinstance(underlying, BaseType) and underlying.encoding is Encoding.SIGNED
    size = die.constant(c.DW_AT_byte_size) or (underlying.size if isinstance(underlying, BaseType) else 0)

    def enumerators() -> tuple[tuple[str, int], ...]:
        found = []
        for child in die.children():
            if child.tag == c.DW_TAG_enumerator:
                value = child.constant(c.DW_AT_const_value) or 0
                form = child.attributes[c.DW_AT_const_value][0] if c.DW_AT_const_value in child else 0
                found.append((child.string(c.DW_AT_name) or "?", _enumerator(value, form, signed)))
        return tuple(found)

    return Enumeration(die.key, die.string(c.DW_AT_name), size, signed, die.flag(c.DW_AT_declaration), declared(die),
                       line_table(die.unit).name, enumerators)


def _enumerator(value: int, form: int, signed: bool) -> int:
    """gcc writes enumerators in DW_FORM_data1/2/4/8 without a sign: the enum's own signedness says how to read them."""
    bits = {c.DW_FORM_data1: 8, c.DW_FORM_data2: 16, c.DW_FORM_data4: 32, c.DW_FORM_data8: 64}.get(form)
    return value - (1 << bits) if signed and bits and value >> (bits - 1) else value


def _array(die: Die) -> CType:
    counts = [_count(child) for child in die.children() if child.tag in (c.DW_TAG_subrange_type, c.DW_TAG_enumeration_type)]
    element: Callable[[], CType] = partial(type_of, die)
    for depth, (count, variable) in enumerate(reversed(counts or [(None, False)])):
        array = Array(die.key + depth, count, variable, element, die.flag(c.DW_AT_GNU_vector))
        element = partial(_itself, array)
    return array


def _itself(ctype: CType) -> CType:
    return ctype


def _count(die: Die) -> tuple[int | None, bool]:
    """Elements of one dimension, and whether the number is known only at run time."""
    count = die.constant(c.DW_AT_count)
    if count is not None:
        return count, False
    upper = die.constant(c.DW_AT_upper_bound)
    if upper is not None:
        form = die.attributes[c.DW_AT_upper_bound][0]
        bits = {c.DW_FORM_data1: 8, c.DW_FORM_data2: 16, c.DW_FORM_data4: 32, c.DW_FORM_data8: 64}.get(form)
        if bits in (32, 64) and upper == (1 << bits) - 1:
            upper = -1  # gcc's way to say no elements
        return upper + 1 - (die.constant(c.DW_AT_lower_bound) or 0), False
    return None, c.DW_AT_upper_bound in die or c.DW_AT_count in die
