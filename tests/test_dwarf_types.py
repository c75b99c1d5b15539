# SPDX-License-Identifier: GPL-2.0-or-later
"""Type DIEs to C types: every kind, both ways to write each, and what C cannot say."""

from __future__ import annotations

from typing import Any

import pytest

from localvar.dwarf.errors import DwarfError
from localvar.dwarf.types import type_at, type_of
from localvar.model.ctype import (
    Array,
    BaseType,
    CType,
    Encoding,
    Enumeration,
    FunctionType,
    Pointer,
    Qualified,
    Qualifier,
    Record,
    Typedef,
    UnknownType,
    Void,
    size_of,
    strip,
)
from tests.dwarf_support import debug_info, named
from tests.dwarfgen import Die, File, Form, Image, LineTable, Ref, Signature, Unit, ctype, op

INT = ctype.base("int", 4, "signed")
CHAR = ctype.base("char", 1, "signed_char")


def image(*dies: Die, version: int = 5, **fields: Any) -> Image:
    lines = LineTable(files=(File("a.c"), File("b.h")))
    root = Die("compile_unit", name="a.c", comp_dir="/src", children=[INT, CHAR, *dies])
    return Image(units=[Unit(root, version=version, line=lines)], **fields)


def of(target: str, *dies: Die, version: int = 5) -> CType:
    """The type of a variable x whose DW_AT_type is target."""
    return type_of(named(debug_info(image(*dies, Die("variable", name="x", type=Ref(target)), version=version)), "x"))


def record(*members: Die, **attributes: Any) -> Record:
    found = of("s", Die("structure_type", label="s", name="s", byte_size=8, children=members, **attributes))
    assert isinstance(found, Record)
    return found


# -- plain types ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("encoding", "expected"), [
    ("signed", Encoding.SIGNED), ("unsigned", Encoding.UNSIGNED), ("boolean", Encoding.BOOLEAN),
    ("signed_char", Encoding.SIGNED_CHAR), ("unsigned_char", Encoding.UNSIGNED_CHAR), ("float", Encoding.FLOAT),
    ("UTF", Encoding.UNSIGNED), ("complex_float", Encoding.OTHER), ("decimal_float", Encoding.OTHER), ("address", Encoding.OTHER),
])
def test_a_base_type_has_its_encoding(encoding: str, expected: Encoding) -> None:
    found = of("t", Die("base_type", label="t", name="t", byte_size=2, encoding=encoding))
    assert isinstance(found, BaseType) and (found.name, found.size, found.encoding) == ("t", 2, expected)


def test_no_type_is_void() -> None:
    pointer = Die("pointer_type", label="p", byte_size=8)
    info = debug_info(image(Die("subprogram", name="f"), pointer, Die("variable", name="x", type=Ref("p"))))
    assert type_of(named(info, "f")) == Void()
    found = type_of(named(info, "x"))
    assert isinstance(found, Pointer) and found.target() == Void()


def test_a_pointer_without_a_size_has_that_of_an_address() -> None:
    found = of("p", Die("pointer_type", label="p", type=Ref("int")))
    assert isinstance(found, Pointer) and found.size == 8


@pytest.mark.parametrize(("tag", "qualifier"), [
    ("const", Qualifier.CONST), ("volatile", Qualifier.VOLATILE), ("restrict", Qualifier.RESTRICT), ("atomic", Qualifier.ATOMIC)])
def test_qualifiers_are_told_apart(tag: str, qualifier: Qualifier) -> None:
    found = of("q", ctype.qualified("q", tag, "int"))
    assert isinstance(found, Qualified) and found.qualifier is qualifier and size_of(found) == 4


def test_a_typedef_keeps_its_name_and_its_place() -> None:
    found = of("u32", Die("typedef", label="u32", name="u32", type=Ref("int"), decl_file=2, decl_line=7))
    assert isinstance(found, Typedef) and found.name == "u32"
    assert (found.declared.file, found.declared.line) == ("b.h", 7)
    assert strip(found) == of("int")


def test_a_function_pointer_has_result_and_parameters() -> None:
    function = Die("subroutine_type", label="f", prototyped=True, type=Ref("int"), children=[
        Die("formal_parameter", type=Ref("char")), Die("formal_parameter", type=Ref("int")), Die("unspecified_parameters")])
    found = of("p", function, ctype.pointer("p", "f"))
    assert isinstance(found, Pointer)
    target = found.target()
    assert isinstance(target, FunctionType) and target.variadic and target.prototyped
    assert [size_of(parameter) for parameter in target.parameters()] == [1, 4] and size_of(target.result()) == 4


def test_what_c_cannot_say_is_unknown_and_says_what_it_is() -> None:
    found = of("r", Die("reference_type", label="r", type=Ref("int")))
    assert isinstance(found, UnknownType) and "0x10" in found.text


# -- records --------------------------------------------------------------------------------------------------------


def test_members_are_at_their_offsets() -> None:
    members = ctype.member("a", "int", 0), ctype.member("b", "char", 4), ctype.member(None, "int", 8)
    found = record(*members, decl_file=1, decl_line=3)
    assert [(m.name, m.bit_offset, m.bit_size) for m in found.members()] == [("a", 0, None), ("b", 32, None), (None, 64, None)]
    assert (found.kind, found.name, found.size, found.unit, found.declared.line) == ("struct", "s", 8, "a.c", 3)


@pytest.mark.parametrize(("attributes", "bit_offset"), [
    ({"bit_size": 5, "data_bit_offset": 35}, 35), ({"bit_size": 5, "data_member_location": 4, "data_bit_offset": 3}, 35),
    # DWARF 2 counts from the most significant bit of a storage unit: 8 * (4 + 4) - 24 - 5
    ({"bit_size": 5, "data_member_location": 4, "byte_size": 4, "bit_offset": 24}, 35),
    ({"bit_size": 5, "data_member_location": 4, "bit_offset": 24}, 35),
    ({"bit_size": 5, "data_member_location": Form("block1", op.plus_uconst(4)), "byte_size": 4, "bit_offset": 24}, 35),
    ({"bit_size": 5}, 0),
])
def test_bit_fields_are_found_however_they_are_counted(attributes: dict[str, Any], bit_offset: int) -> None:
    (member,) = record(Die("member", name="a", type=Ref("int"), attributes=attributes.items())).members()
    assert (member.bit_offset, member.bit_size) == (bit_offset, 5)


def test_a_member_whose_place_is_an_expression_of_dwarf_2_is_found() -> None:
    place = Form("block1", op.plus_uconst(300))
    (member,) = record(Die("member", name="a", type=Ref("int"), data_member_location=place)).members()
    assert member.offset == 300


@pytest.mark.parametrize("place", [op.expr(), op.expr(op.plus_uconst(4), op.plus_uconst(4)), op.expr(op.lit4(), op.plus())])
def test_a_member_whose_place_is_computed_is_an_error_not_offset_zero(place: op.Expr) -> None:
    with pytest.raises(DwarfError, match="is an expression"):
        record(Die("member", name="a", type=Ref("int"), data_member_location=Form("block1", place))).members()


def test_unions_classes_and_declarations_are_told_apart() -> None:
    union = of("u", Die("union_type", label="u", name="u", byte_size=4))
    declared = of("d", Die("structure_type", label="d", name="d", declaration=True))
    assert isinstance(union, Record) and union.kind == "union" and not union.declaration
    assert isinstance(declared, Record) and declared.declaration and size_of(declared) is None


@pytest.mark.parametrize("version", [4, 5])
@pytest.mark.parametrize("tag", ["structure_type", "union_type", "enumeration_type"])
def test_a_declaration_with_a_signature_is_the_type_of_its_type_unit(tag: str, version: int) -> None:
    definition = Die(tag, label="t", name="t", byte_size=4, children=[])
    declared = Die(tag, label="here", declaration=True, signature=Signature(9))
    user = Die("variable", name="x", type=Ref("here"))
    units = [
        Unit(Die("compile_unit", name="a.c", children=[declared, user]), version=version),
        Unit(Die("type_unit", children=[definition]), version=version, signature=9, type_die="t"),
    ]
    found = type_of(named(debug_info(Image(units=units)), "x"))
    assert size_of(found) == 4 and getattr(found, "name", None) == "t"


# -- enumerations ---------------------------------------------------------------------------------------------------


def enumeration(*values: tuple[str, object], **attributes: Any) -> Enumeration:
    children = [Die("enumerator", name=name, const_value=value) for name, value in values]
    found = of("e", Die("enumeration_type", label="e", name="e", children=children, **attributes))
    assert isinstance(found, Enumeration)
    return found


def test_enumerators_have_their_values_and_the_underlying_types_sign() -> None:
    found = enumeration(("A", -1), ("B", 200), byte_size=4, type=Ref("int"))
    assert found.signed and found.size == 4 and found.enumerators() == (("A", -1), ("B", 200))


def test_enumerators_are_zero_extended_as_gcc_writes_them() -> None:
    """255 in one byte is 255, in a signed enum too; only what does not fit is the two's complement."""
    values = ("A", Form("data1", 255)), ("B", Form("data4", 0xFFFFFFFF)), ("C", Form("sdata", -3))
    found = enumeration(*values, byte_size=4, type=Ref("int"))
    assert found.enumerators() == (("A", 255), ("B", -1), ("C", -3))


def test_an_enum_of_which_no_type_is_told_is_signed_by_its_enumerators() -> None:
    assert enumeration(("A", -1), byte_size=4).signed
    assert not enumeration(("A", 1), byte_size=4).signed


def test_an_enum_of_a_typedef_has_the_size_and_sign_beneath() -> None:
    alias = Die("typedef", label="alias", name="alias", type=Ref("int"))
    children = [Die("enumerator", name="A", const_value=-1)]
    found = of("e", alias, Die("enumeration_type", label="e", name="e", type=Ref("alias"), children=children))
    assert isinstance(found, Enumeration) and found.signed and found.size == 4


# -- arrays ---------------------------------------------------------------------------------------------------------


def array(*dimensions: Die, **attributes: Any) -> Array:
    bound = Die("variable", label="n", name="n")
    found = of("a", bound, Die("array_type", label="a", type=Ref("int"), children=dimensions, **attributes))
    assert isinstance(found, Array)
    return found


@pytest.mark.parametrize(("bounds", "count", "variable"), [
    ({"upper_bound": 3}, 4, False), ({"count": 4}, 4, False), ({"upper_bound": 255}, 256, False), ({"count": 0}, 0, False),
    ({"upper_bound": 5, "lower_bound": 2}, 4, False), ({}, None, False), ({"upper_bound": Form("data4", 0xFFFFFFFF)}, 0, False),
    ({"upper_bound": Form("data8", 0xFFFFFFFFFFFFFFFF)}, 0, False), ({"upper_bound": Form("sdata", -1)}, 0, False),
    ({"upper_bound": Ref("n")}, None, True), ({"upper_bound": Form("exprloc", op.fbreg(-8))}, None, True),
    ({"count": Ref("n")}, None, True),
])
def test_an_array_has_its_count_in_every_way_to_write_it(bounds: dict[str, Any], count: int | None, variable: bool) -> None:
    found = array(Die("subrange_type", **bounds))
    assert (found.count, found.variable) == (count, variable)


def test_dimensions_are_arrays_of_arrays_the_first_outermost() -> None:
    found = array(Die("subrange_type", upper_bound=1), Die("subrange_type", upper_bound=2))
    inner = found.element()
    assert isinstance(inner, Array)
    assert (found.count, inner.count, size_of(found), size_of(inner)) == (2, 3, 24, 12)
    assert inner.element() == of("int") or size_of(inner.element()) == 4


def test_an_array_without_dimensions_is_of_unknown_length() -> None:
    assert (array().count, array().variable) == (None, False)


def test_a_vector_is_told_apart() -> None:
    assert array(Die("subrange_type", upper_bound=3), attributes=[(0x2107, True)]).vector


def test_types_are_resolved_step_by_step() -> None:
    """The graph is cyclic: struct node { struct node *next; }."""
    node = Die("structure_type", label="node", name="node", byte_size=8, children=[ctype.member("next", "to", 0)])
    found = of("node", node, ctype.pointer("to", "node"))
    assert isinstance(found, Record)
    (member,) = found.members()
    target = member.type()
    assert isinstance(target, Pointer) and target.target() == found


def test_the_type_of_a_die_is_known_by_its_offset() -> None:
    info = debug_info(image())
    base = named(info, "int")
    assert type_at(base).key == base.key
