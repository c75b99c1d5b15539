# SPDX-License-Identifier: GPL-2.0-or-later
"""The judge: which paths are read, how, and why the others are not."""

from __future__ import annotations

from functools import partial

import pytest

from localvar.arch import X86_64
from localvar.model import fold
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
)
from localvar.model.expr import Address, Binary, Const, Entry, Expr, Extend, Load, Op, PerCpu, Reg, Select
from localvar.model.location import (
    Absent,
    Constant,
    EntryValue,
    ImplicitPointer,
    Location,
    Memory,
    Piece,
    Pieces,
    Register,
    Value,
    absent,
)
from localvar.model.path import parse_path
from localvar.model.plan import Assembly, How, LocationClass, Object, Read, Scalar, Variable, VariableKind
from localvar.model.site import NOWHERE
from localvar.plan.read import NoSuchMember, expressions, find_member, plan_read, walk

SOMEWHERE = Declared("a.h", 1)
INT = BaseType(1, "int", 4, Encoding.SIGNED)
LONG = BaseType(2, "long", 8, Encoding.SIGNED)
DOUBLE = BaseType(3, "double", 8, Encoding.FLOAT)
COMPLEX = BaseType(4, "complex double", 16, Encoding.OTHER)
SP = Reg(7)
FRAME = fold.add(SP, 16)


def itself(ctype: CType) -> CType:
    return ctype


def pointer(target: CType) -> Pointer:
    return Pointer(10, 8, lambda: target)


def array(element: CType, count: int | None, variable: bool = False) -> Array:
    return Array(11, count, variable, lambda: element)


def struct(*members: tuple[str | None, int, CType], size: int, kind: str = "struct", name: str | None = "s",
           declaration: bool = False) -> Record:
    """A record of (name, byte offset, type)."""
    made = tuple(Member(label, 8 * offset, None, None, partial(itself, ctype)) for label, offset, ctype in members)
    return Record(12, kind, name, size, declaration, SOMEWHERE, "a.c", None, lambda: made)


PAIR = struct(("left", 0, INT), ("right", 4, INT), size=8, name="pair")
LONG_PAIR = struct(("left", 0, LONG), ("right", 8, LONG), size=16, name="long_pair")
UNNAMED = struct(("low", 0, INT), ("high", 4, INT), size=8, name=None)
NODE = struct(("value", 0, LONG), ("pair", 8, PAIR), ("next", 16, pointer(PAIR)), (None, 24, UNNAMED),
              ("list", 32, array(INT, 4)), ("rest", 48, array(INT, None)), size=48, name="node")


def read(ctype: CType, location: Location, path: str = "x") -> Read:
    variable = Variable("x", VariableKind.LOCAL, ctype, "f", location, "", 0, SOMEWHERE)
    return plan_read(NOWHERE, variable, parse_path(path), X86_64)


def scalar(ctype: CType, location: Location, path: str = "x") -> Expr:
    source = read(ctype, location, path).source
    assert isinstance(source, Scalar), read(ctype, location, path)
    return source.expr


def why(ctype: CType, location: Location, path: str = "x") -> str:
    found = read(ctype, location, path)
    assert found.source is None and found.how is None and found.address is None and not found.readable
    assert found.reason is not None
    return found.reason.slug


# -- along paths ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("path", "expected"), [
    ("x.value", Load(FRAME, 64, True)), ("x.pair.right", Load(fold.add(SP, 28), 32, True)),
    ("x.low", Load(fold.add(SP, 40), 32, True)),
    ("x.high", Load(fold.add(SP, 44), 32, True)), ("x.list[3]", Load(fold.add(SP, 60), 32, True)),
    ("x.next->right", Load(fold.add(Load(fold.add(SP, 32), 64, True), 4), 32, False)),
    ("x.next[2].left", Load(fold.add(Load(fold.add(SP, 32), 64, True), 16), 32, False)),
])
def test_a_path_is_a_load_at_its_offset(path: str, expected: Expr) -> None:
    """What lies behind a pointer is fault-protected, the frame itself is not."""
    assert scalar(NODE, Memory(FRAME), path) == expected


def test_a_path_through_a_pointer_in_a_register_is_one_protected_load() -> None:
    assert scalar(pointer(NODE), Register(5), "x->value") == Load(Reg(5))
    assert scalar(pointer(NODE), Register(5), "x->next->left") == Load(Load(fold.add(Reg(5), 16)), 32)


@pytest.mark.parametrize("value", [FRAME, Address(0x1000)])
def test_what_a_computed_pointer_points_to_is_protected_too(value: Expr) -> None:
    """Where &object is known the object is mapped; what p[100] would be is not."""
    assert scalar(pointer(NODE), Value(value), "x->value") == Load(value, 64, False)
    assert scalar(pointer(NODE), Value(value), "x[100].value") == Load(fold.add(value, 4800), 64, False)


def test_typedefs_and_qualifiers_on_the_way_change_nothing() -> None:
    inner = Qualified(20, Qualifier.CONST, lambda: NODE)
    alias = Typedef(21, "node_t", SOMEWHERE, lambda: inner)
    to = Typedef(22, "node_p", SOMEWHERE, lambda: Qualified(23, Qualifier.VOLATILE, lambda: pointer(alias)))
    assert scalar(to, Register(5), "x->pair.left") == Load(fold.add(Reg(5), 8), 32)


def test_an_array_is_its_first_element_where_it_is_used_as_a_pointer() -> None:
    assert scalar(array(PAIR, 3), Memory(FRAME), "x->right") == Load(fold.add(SP, 20), 32, True)
    assert scalar(array(array(INT, 2), 3), Memory(FRAME), "x[2][1]") == Load(fold.add(SP, 36), 32, True)


def test_an_index_into_an_array_without_bounds_is_protected() -> None:
    """[] and [0] are flexible: how many elements there are is not known, the page behind may be unmapped."""
    for count in (None, 0):
        holder = struct(("n", 0, INT), ("rest", 8, array(INT, count)), size=8)
        assert scalar(holder, Memory(Address(0x1000)), "x.rest[0]") == Load(Address(0x1008), 32, False)
        assert scalar(holder, Memory(FRAME), "x.rest[7]") == Load(fold.add(SP, 52), 32, False)
        assert scalar(struct(("n", 0, INT), ("rest", 8, array(PAIR, count)), size=8), Memory(FRAME), "x.rest->right") == Load(
            fold.add(SP, 28), 32, False)
    assert scalar(holder, Memory(Address(0x1000)), "x.n") == Load(Address(0x1000), 32, True)


@pytest.mark.parametrize(("ctype", "path", "text"), [
    (NODE, "x.nothing", "struct node has no member 'nothing'"), (NODE, "x->value", "no pointer"),
    (pointer(NODE), "x.value", "write '->value'"), (INT, "x.a", "no struct or union"), (INT, "x[0]", "no array or pointer"),
    (array(INT, 4), "x[4]", "which has 4 elements"),
    (pointer(Void()), "x[1]", "size of an element"), (pointer(struct(size=0, declaration=True)), "x->a", "only declared"),
    (struct(size=8, name=None), "x.a", "struct (unnamed) has no member"),
    (pointer(FunctionType(1, False, True, Void, tuple)), "x[0]", "size"),
])
def test_a_path_that_does_not_fit_its_type_is_said_so(ctype: CType, path: str, text: str) -> None:
    with pytest.raises(NoSuchMember, match=text.replace("(", r"\(").replace(")", r"\)")):
        read(ctype, Memory(FRAME), path)


def test_a_member_that_is_not_there_names_those_that_are() -> None:
    with pytest.raises(NoSuchMember) as problem:
        read(NODE, Memory(FRAME), "x.valu")
    assert problem.value.candidates == ("value", "pair", "next", "low", "high", "list", "rest")


def test_a_path_is_wrong_whether_or_not_the_variable_is_there() -> None:
    """The same error in a listing and in a build for another kernel."""
    for location in (absent("no-range", "not here"), ImplicitPointer(0, 0, absent("optimized-out", "gone")), Register(3)):
        with pytest.raises(NoSuchMember):
            read(pointer(NODE), location, "x->next->nothing")


def test_an_unnamed_member_gives_its_names_to_what_it_is_in() -> None:
    assert find_member(NODE, "high") is not None
    assert find_member(NODE, "nothing") is None


# -- places ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("location", "kind", "expected"), [
    (Register(3), LocationClass.REGISTER, Extend(Reg(3), 32, False)),
    (Memory(FRAME), LocationClass.MEMORY, Load(FRAME, 32, True)),
    (Value(Reg(3)), LocationClass.VALUE, Extend(Reg(3), 32, False)),
    (Constant(b"\1\2\3\4"), LocationClass.CONSTANT, Const(0x04030201, 32)),
    (Pieces((Piece(Register(3), 32),)), LocationClass.PIECES, Extend(Reg(3), 32, False)),
    (EntryValue(Reg(5)), LocationClass.ENTRY_VALUE, Extend(Entry(Reg(5)), 32, False)),
    (Value(fold.add(Entry(Reg(5)), 1)), LocationClass.ENTRY_VALUE, Extend(fold.add(Entry(Reg(5)), 1), 32, False)),
    (Memory(PerCpu(0x100)), LocationClass.MEMORY, Load(PerCpu(0x100), 32, True)),
])
def test_each_class_of_location_has_its_expression(location: Location, kind: LocationClass, expected: Expr) -> None:
    found = read(INT, location)
    assert found.location_class is kind
    assert found.source == Scalar(expected)
    assert found.how is (How.ENTRY_CAPTURE if kind is LocationClass.ENTRY_VALUE else How.DIRECT)


def test_a_number_of_two_registers_is_one_load_or_two_pieces() -> None:
    wide = BaseType(6, "__int128", 16, Encoding.SIGNED)
    assert scalar(wide, Memory(FRAME)) == Load(FRAME, 128, True)
    parts = scalar(wide, Pieces((Piece(Register(0), 64), Piece(Register(1), 64))))
    high = Binary(Op.SHL, Extend(Reg(1), 128, False), Const(64, 128), 128)
    assert parts == Binary(Op.OR, Extend(Reg(0), 128, False), high, 128)
    assert why(wide, Register(0)) == "too-small"


def test_a_struct_in_memory_is_an_object_and_in_registers_is_put_together() -> None:
    assert read(NODE, Memory(FRAME)).source == Object(FRAME, True)
    assert read(PAIR, Memory(Reg(3))).source == Object(Reg(3), False)
    assert read(pointer(NODE), Register(5), "x->pair").source == Object(fold.add(Reg(5), 8), False)
    two = Pieces((Piece(Register(0), 32), Piece(Register(1), 32)))
    source = read(PAIR, two).source
    assert isinstance(source, Assembly) and [chunk.offset for chunk in source.chunks] == [0]
    assert isinstance(read(PAIR, Register(0)).source, Assembly)


def test_a_member_in_one_piece_of_memory_has_an_address() -> None:
    pieces = Pieces((Piece(Register(0), 64), Piece(Memory(FRAME), 64)))
    holder = struct(("a", 0, LONG), ("b", 8, PAIR), size=16)
    assert read(holder, pieces, "x.b.right").address == fold.add(SP, 20)
    assert read(holder, pieces, "x.b").source == Object(FRAME, True)
    assert read(holder, pieces, "x.a").address is None
    assert read(holder, pieces).address is None


def test_a_missing_piece_takes_the_whole_but_not_the_members_beside_it() -> None:
    pieces = Pieces((Piece(Register(3), 32), Piece(absent("optimized-out", "gone"), 32)))
    assert why(PAIR, pieces) == "optimized-out"
    assert why(PAIR, pieces, "x.right") == "optimized-out"
    assert scalar(PAIR, pieces, "x.left") == Extend(Reg(3), 32, False)
    assert why(PAIR, Pieces((Piece(Register(3), 32),)), "x.right") == "too-small"


def test_bit_fields_know_their_place_and_their_sign() -> None:
    members = (Member("a", 3, 5, None, lambda: INT), Member("b", 35, 7, None, lambda: INT))
    fields = Record(12, "struct", "fields", 8, False, SOMEWHERE, "a.c", None, lambda: members)
    assert read(fields, Memory(FRAME), "x.a").bit_field == (3, 5)
    found = read(fields, Memory(FRAME), "x.b")
    assert (found.bit_field, found.address) == ((3, 7), fold.add(SP, 20))
    assert {node.bits for node in walk(scalar(fields, Memory(FRAME), "x.b")) if isinstance(node, Load)} == {16}
    register = scalar(fields, Register(3), "x.a")
    assert register.bits == 8 and Reg(3) in walk(register)


def test_a_function_pointer_and_an_enum_are_scalars() -> None:
    call = pointer(FunctionType(1, False, True, Void, tuple))
    kind = Enumeration(2, "kind", 4, False, False, SOMEWHERE, "a.c", tuple)
    assert scalar(call, Register(3)) == Reg(3)
    assert scalar(kind, Register(3)) == Extend(Reg(3), 32, False)


# -- implicit pointers ----------------------------------------------------------------------------------------------


def test_a_path_through_an_implicit_pointer_reads_the_variable_it_points_to() -> None:
    to = pointer(PAIR)
    pieces = Pieces((Piece(Register(3), 32), Piece(Register(1), 32)))
    assert scalar(to, ImplicitPointer(0, 0, pieces), "x->right") == Extend(Reg(1), 32, False)
    assert scalar(to, ImplicitPointer(0, 4, Constant(b"\1\0\0\0\2\0\0\0\3\0\0\0")), "x->left") == Const(2, 32)
    assert scalar(to, ImplicitPointer(0, 0, Memory(FRAME)), "x->right") == Load(fold.add(SP, 20), 32, False)
    assert scalar(to, ImplicitPointer(0, 0, EntryValue(Reg(5))), "x[0].left") == Extend(Entry(Reg(5)), 32, False)
    assert why(to, ImplicitPointer(0, 0, Memory(FRAME))) == "implicit-pointer"


def test_an_implicit_pointer_that_leaves_its_variable_reads_nothing() -> None:
    to = pointer(INT)
    assert why(to, ImplicitPointer(0, 4, Constant(b"\1\2\3\4")), "x[0]") == "too-small"
    assert why(to, ImplicitPointer(0, -4, Constant(b"\1\2\3\4")), "x[0]") == "too-small"
    assert scalar(to, ImplicitPointer(0, -4, Constant(b"\1\2\3\4")), "x[1]") == Const(0x04030201, 32)
    assert why(to, ImplicitPointer(0, 0, absent("optimized-out", "gone")), "x[0]") == "optimized-out"


def test_a_pointer_in_one_piece_leads_on() -> None:
    """An iterator by value: { pointer, index }, the pointer optimized out."""
    iterator = struct(("at", 0, pointer(PAIR)), ("index", 8, LONG), size=16)
    pieces = Pieces((Piece(ImplicitPointer(0, 0, Register(3)), 64), Piece(Register(1), 64)))
    assert scalar(iterator, pieces, "x.at->left") == Extend(Reg(3), 32, False)
    assert scalar(iterator, pieces, "x.index") == Reg(1)
    assert why(iterator, pieces, "x.at") == "implicit-pointer"
    assert why(iterator, pieces) == "implicit-pointer"


def test_bits_behind_an_implicit_pointer_are_proven_as_those_of_the_variable() -> None:
    """The second byte of a quotient depends on the width of the division as its first one does."""
    byte = BaseType(7, "unsigned char", 1, Encoding.UNSIGNED)
    quotient = Value(Binary(Op.UDIV, Reg(0), Const(3)))
    assert why(pointer(byte), ImplicitPointer(0, 1, quotient), "x[0]") == "width"
    assert read(pointer(LONG), ImplicitPointer(0, 0, quotient), "x[0]").readable


def test_an_implicit_pointer_is_the_first_eight_bytes_of_what_it_is_given_for() -> None:
    holder = struct(("at", 0, pointer(PAIR)), ("other", 8, pointer(PAIR)), size=16)
    gone = ImplicitPointer(0, 0, Register(3))
    assert scalar(holder, gone, "x.at->left") == Extend(Reg(3), 32, False)
    assert why(holder, gone, "x.other->left") == "implicit-pointer"


def test_pointers_to_pointers_that_are_both_gone_are_followed() -> None:
    inner = ImplicitPointer(1, 0, Constant(b"\7\0\0\0\1\0\0\0"))
    assert scalar(pointer(pointer(PAIR)), ImplicitPointer(0, 0, inner), "x[0]->left") == Const(7, 32)


# -- what has no value ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("ctype", "location", "slug"), [
    (Void(), Register(3), "type"), (UnknownType(1, "odd"), Memory(FRAME), "type"),
    (struct(size=0, declaration=True), Memory(FRAME), "type"),
    (DOUBLE, Memory(FRAME), "type"), (COMPLEX, Memory(FRAME), "type"), (LONG, Value(Const(1, 32)), "too-small"),
    (struct(("a", 0, array(LONG, 4)), size=32), Register(3), "too-small"), (array(INT, 2), Register(3), "array"),
    (array(INT, 2), Constant(bytes(8)), "array"), (array(INT, 2), absent("no-range", "not here"), "no-range"),
    (struct(size=300), Pieces((Piece(Register(3), 2400),)), "too-large"), (LONG, Register(3), ""),
    (array(INT, None, variable=True), Register(3), "type"), (FunctionType(1, False, True, Void, tuple), Memory(FRAME), "type"),
    (NODE, absent("discarded", "gone"), "discarded"),
    (INT, EntryValue(Load(SP)), "entry-memory"), (INT, Memory(Entry(Load(Reg(5)))), "entry-memory"),
    (INT, Memory(fold.add(SP, -8)), "no-frame"), (NODE, Memory(fold.add(SP, -8)), "no-frame"), (NODE, Memory(FRAME), ""),
    (BaseType(5, "long long long", 32, Encoding.UNSIGNED), Memory(FRAME), "too-large"),
    (BaseType(5, "nothing", 0, Encoding.UNSIGNED), Memory(FRAME), "damaged"),
])
def test_what_has_no_provable_value_is_absent_with_the_reason(ctype: CType, location: Location, slug: str) -> None:
    if not slug:
        assert read(ctype, location).readable
        return
    assert why(ctype, location) == slug


def test_an_array_in_memory_is_where_it_is_even_of_unknown_length() -> None:
    assert read(array(INT, None, variable=True), Memory(Load(FRAME, 64, True))).source == Object(Load(FRAME, 64, True), False)
    assert read(NODE, Memory(FRAME), "x.rest").source == Object(fold.add(SP, 64), True)


DIVISIONS = [
    (Op.SDIV, Const(3), True), (Op.SDIV, Const(0), False), (Op.SDIV, Const((1 << 64) - 1), False), (Op.SDIV, Reg(1), False),
    (Op.UDIV, Const((1 << 64) - 1), True), (Op.UDIV, Const(0), False), (Op.SMOD, Const((1 << 64) - 1), False),
    (Op.UMOD, Const(7), True), (Op.UMOD, Reg(1), False),
]


@pytest.mark.parametrize(("operation", "divisor", "readable"), DIVISIONS)
def test_a_division_that_could_trap_is_absent_wherever_it_stands(operation: Op, divisor: Expr, readable: bool) -> None:
    division = Binary(operation, Reg(0), divisor)
    for location in (Value(division), Memory(division), Value(Select(Reg(2), division, Reg(3))), Value(Load(division)),
                     Pieces((Piece(Value(division), 64), Piece(Register(1), 64)))):
        found = read(LONG_PAIR if isinstance(location, Pieces) else LONG, location)
        assert found.readable is readable
        assert readable or (found.reason is not None and found.reason.slug == "division")


def test_divisions_of_128_bits_are_absent() -> None:
    """They are calls of __divti3 and its kin, which a kernel does not have."""
    wide = Binary(Op.UDIV, Extend(Reg(0), 128, False), Const(3, 128), 128)
    assert why(INT, Value(wide)) == "division"


def test_the_type_of_an_absent_read_is_the_paths_own() -> None:
    assert read(NODE, absent("no-range", "not here"), "x.pair.left").type is INT
    assert read(pointer(NODE), absent("no-range", "not here"), "x->next[1].right").type is INT
    assert isinstance(absent("a", "b"), Absent)


def test_the_expressions_of_a_source_are_all_that_it_evaluates() -> None:
    pair = read(PAIR, Register(0)).source
    assert pair is not None and expressions(pair) == (Reg(0),)
    assert expressions(Object(FRAME, True)) == (FRAME,)
