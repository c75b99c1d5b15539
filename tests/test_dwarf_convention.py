# SPDX-License-Identifier: GPL-2.0-or-later
"""Results and parameters where the calling convention has them (System V psABI, section 3.2.3)."""

from __future__ import annotations

from functools import partial

import pytest

from localvar.arch import X86_64
from localvar.dwarf.convention import on_entry, returned
from localvar.model import fold
from localvar.model.ctype import Array, BaseType, CType, Declared, Encoding, Member, Pointer, Record, Void
from localvar.model.expr import Const, Entry, Load, Reg
from localvar.model.location import Absent, Constant, EntryValue, Location, Memory, Piece, Pieces, Register, Value, absent

AX, DX, DI, SP = 0, 1, 5, 7
CHAR, INT = BaseType(1, "char", 1, Encoding.SIGNED_CHAR), BaseType(2, "int", 4, Encoding.SIGNED)
SHORT = BaseType(8, "short", 2, Encoding.SIGNED)
LONG, DOUBLE = BaseType(3, "long", 8, Encoding.SIGNED), BaseType(4, "double", 8, Encoding.FLOAT)
WIDE, COMPLEX = BaseType(5, "__int128", 16, Encoding.SIGNED), BaseType(6, "complex float", 8, Encoding.OTHER)


def itself(ctype: CType) -> CType:
    return ctype


def struct(size: int, *members: tuple[int, CType], declaration: bool = False, bits: int | None = None) -> Record:
    made = tuple(Member("m", 8 * offset, bits, None, partial(itself, ctype)) for offset, ctype in members)
    return Record(9, "struct", "s", size, declaration, Declared("a.h", 1), "a.c", None, lambda: made)


def array(count: int, of: CType) -> Array:
    return Array(10, count, False, lambda: of)


def two(second: int) -> Pieces:
    return Pieces((Piece(Register(AX), 64), Piece(Register(DX), second)))


@pytest.mark.parametrize(("ctype", "expected"), [
    (CHAR, Register(AX)), (INT, Register(AX)), (LONG, Register(AX)), (WIDE, two(64)), (Pointer(7, 8, Void), Register(AX)),
    (struct(8, (0, INT), (4, INT)), Register(AX)), (struct(3, (0, array(3, CHAR))), Register(AX)),
    (struct(9, (0, array(9, CHAR))), two(8)), (struct(12, (0, array(3, INT))), two(32)),
    (struct(16, (0, LONG), (8, struct(8, (0, INT), (4, INT)))), two(64)),
    (struct(8, (1, INT), bits=5), Register(AX)), (struct(8, (1, struct(7, (3, INT)))), Register(AX)),
    (struct(17, (0, array(17, CHAR))), Memory(Reg(AX))), (struct(24, (0, array(3, LONG))), Memory(Reg(AX))),
])
def test_an_integer_result_is_in_registers_up_to_two_words_and_in_memory_beyond(ctype: CType, expected: Location) -> None:
    assert returned(ctype, X86_64) == expected


@pytest.mark.parametrize(("ctype", "slug"), [
    (Void(), "void"), (struct(8, declaration=True), "void"), (DOUBLE, "abi"), (COMPLEX, "abi"),
    (struct(16, (0, LONG), (8, DOUBLE)), "abi"), (struct(24, (0, array(3, DOUBLE))), "abi"),
    (struct(5, (0, CHAR), (1, INT)), "abi"),  # packed: of class MEMORY, small as it is
    (struct(12, (0, INT), (4, struct(8, (0, LONG)))), "abi"), (struct(8, (0, Void())), "abi"),
])
def test_a_result_by_other_rules_is_absent(ctype: CType, slug: str) -> None:
    found = returned(ctype, X86_64)
    assert isinstance(found, Absent) and found.reason.slug == slug


def test_a_type_that_holds_itself_is_absent() -> None:
    endless = Record(9, "struct", "s", 8, False, Declared("a.h", 1), "a.c", None,
                     lambda: (Member("m", 0, None, None, lambda: endless),))
    assert isinstance(returned(endless, X86_64), Absent)


ON_STACK = fold.add(Reg(SP), 8)


@pytest.mark.parametrize(("location", "ctype", "expected"), [
    (Register(DI), LONG, EntryValue(Reg(DI))), (Value(fold.add(Reg(DI), 8)), LONG, Value(Entry(fold.add(Reg(DI), 8)))),
    (Constant(bytes(4)), INT, Constant(bytes(4))), (absent("no-range", "gone"), INT, absent("no-range", "gone")),
    (Pieces((Piece(Register(DI), 64), Piece(Value(Const(1)), 64))), struct(16),
     Pieces((Piece(EntryValue(Reg(DI)), 64), Piece(Value(Entry(Const(1))), 64)))),
    (Memory(ON_STACK), CHAR, Value(Entry(Load(ON_STACK, 8, True), 8))),
    (Memory(ON_STACK), SHORT, Value(Entry(Load(ON_STACK, 16, True), 16))),
    (Memory(ON_STACK), INT, Value(Entry(Load(ON_STACK, 32, True), 32))),
    (Memory(ON_STACK), LONG, Value(Entry(Load(ON_STACK, 64, True), 64))),
])
def test_a_place_on_entry_is_known_later_as_what_it_held(location: Location, ctype: CType, expected: Location) -> None:
    assert on_entry(location, ctype, X86_64) == expected


@pytest.mark.parametrize(("location", "ctype"), [
    (Memory(Reg(SP)), LONG),  # the return address
    (Memory(Reg(DI)), LONG), (Memory(ON_STACK), struct(8, (0, LONG))), (Memory(ON_STACK), WIDE),
])
def test_what_memory_held_on_entry_is_known_of_numbers_passed_on_the_stack_only(location: Location, ctype: CType) -> None:
    found = on_entry(location, ctype, X86_64)
    assert isinstance(found, Absent) and found.reason.slug == "entry-memory"
