# SPDX-License-Identifier: GPL-2.0-or-later
"""Type DIEs to the model's C types (DWARF 5 chapter 5)."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from typing import TYPE_CHECKING

from localvar.dwarf import constants as c
from localvar.dwarf.errors import DwarfError
from localvar.dwarf.line import LineTable
from localvar.dwarf.op import decode
from localvar.model.ctype import (
    Array,
    BaseType,
    CType,
    Declared,
    Encoding,
    Enumeration,
    FunctionType,
    Member,
    Pointer,
    Qualified,
    Qualifier,
    Record,
    Typedef,
    UnknownType,
    Void,
    is_signed,
    size_of,
    strip,
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
    if target is None:
        return Void()
    known = target.unit.info.types
    found = known.get(target.key)
    if found is None:
        found = known[target.key] = type_at(target)
    return found


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
    if c.DW_AT_signature in die:
        die = _defined(die)
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


def unit_name(die: Die) -> str:
    """The source file of a DIE's unit, as the compiler was told it."""
    return die.unit.root.string(c.DW_AT_name) or ""


@cache
def line_table(unit: Unit) -> LineTable:
    """The line table of a unit, made once."""
    return LineTable(unit)


def _defined(die: Die) -> Die:
    """The definition, in a type unit, of what die declares (section 5.7.1)."""
    found = die.reference(c.DW_AT_signature)
    if found is None or found.tag != die.tag or c.DW_AT_signature in found:
        raise DwarfError(f"DW_AT_signature of the DIE at {die.key:#x} leads to no definition")
    return found


def _record(die: Die) -> CType:
    return Record(
        key=die.key, kind=_RECORDS[die.tag], name=die.string(c.DW_AT_name), size=die.constant(c.DW_AT_byte_size) or 0,
        declaration=die.flag(c.DW_AT_declaration), declared=declared(die), unit=unit_name(die),
        alignment=die.constant(c.DW_AT_alignment), members=partial(_members, die),
    )


def _members(die: Die) -> tuple[Member, ...]:
    return tuple(_member(child) for child in die.children() if child.tag == c.DW_TAG_member)


def _member(die: Die) -> Member:
    bit_size = die.constant(c.DW_AT_bit_size)
    offset = 8 * _byte_offset(die)
    if c.DW_AT_data_bit_offset in die:
        offset += die.constant(c.DW_AT_data_bit_offset) or 0
    elif c.DW_AT_bit_offset in die and bit_size is not None:
        # DWARF 2: counted from the most significant bit of a storage unit of DW_AT_byte_size bytes (section 5.5.6)
        storage = die.constant(c.DW_AT_byte_size)
        if storage is None:
            storage = size_of(type_of(die)) or 0
        offset += 8 * storage - (die.constant(c.DW_AT_bit_offset) or 0) - bit_size
    return Member(die.string(c.DW_AT_name), offset, bit_size, die.constant(c.DW_AT_alignment), partial(type_of, die))


def _byte_offset(die: Die) -> int:
    """DW_AT_data_member_location: a number, or in DWARF 2 an expression that adds one (section 5.7.6)."""
    block = die.block(c.DW_AT_data_member_location)
    if block is None:
        return die.constant(c.DW_AT_data_member_location) or 0
    operations = decode(block, *die.unit.sizes[:2])
    if [operation.code for operation in operations] != [c.DW_OP_plus_uconst]:
        raise DwarfError(f"the place of the member at {die.key:#x} is an expression")
    return operations[0].number()


def _enumeration(die: Die) -> CType:
    underlying = strip(type_of(die))
    size = die.constant(c.DW_AT_byte_size) or size_of(underlying) or 0
    signed = is_signed(underlying) if c.DW_AT_type in die else _has_negative(die)

    def enumerators() -> tuple[tuple[str, int], ...]:
        found = []
        for child in die.children():
            if child.tag == c.DW_TAG_enumerator:
                found.append((child.string(c.DW_AT_name) or "?", _enumerator(child, size, signed)))
        return tuple(found)

    return Enumeration(die.key, die.string(c.DW_AT_name), size, signed, die.flag(c.DW_AT_declaration), declared(die),
                       unit_name(die), enumerators)


def _has_negative(die: Die) -> bool:
    """Whether an enum of which no underlying type is told has a negative enumerator."""
    return any((child.constant(c.DW_AT_const_value) or 0) < 0 for child in die.children())


def _enumerator(die: Die, size: int, signed: bool) -> int:
    """The value of an enumerator: gcc writes negative ones as DW_FORM_sdata and zero-extends all others (dwarf2out.cc,
    gen_enumeration_type_die), so 255 is 255 in a signed enum too; what cannot be so is the two's complement."""
    value = die.constant(c.DW_AT_const_value) or 0
    return value - (1 << 8 * size) if signed and size and value >> (8 * size - 1) > 0 else value


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
