# SPDX-License-Identifier: GPL-2.0-or-later
"""What compilers write that the standard does not say, or that is not what the program computes."""

from __future__ import annotations

import pytest

from localvar.arch import X86_64
from localvar.dwarf.expression import evaluate
from localvar.dwarf.stack import Context
from localvar.model.expr import Binary, Const, Extend, Op, Reg
from localvar.model.location import Absent, Location, Pieces, Register, Value
from tests.dwarf_support import debug_info, named
from tests.dwarfgen import Die, Image, Unit, ctype, op
from tests.dwarfgen.op import Item

CLANG, GCC = "clang version 16.0.6", "GNU C11 12.2.0"
INT, LONG, ULONG = "int", "long", "ulong"
TYPES = [ctype.base(INT, 4, "signed"), ctype.base(LONG, 8, "signed"), ctype.base(ULONG, 8, "unsigned")]
MASKED = (op.breg3(0), op.constu(0xFFFFFFFF), op.and_())


def location(*items: Item, producer: str = CLANG) -> Location:
    x = Die("variable", name="x", location=op.expr(*items))
    root = Die("compile_unit", name="a.c", producer=producer, children=[*TYPES, x])
    die = named(debug_info(Image(units=[Unit(root)])), "x")

    def nothing() -> Reg:
        raise AssertionError("no frame is asked for")

    block = die.block(2)
    assert block is not None
    return evaluate(block, Context(die.unit, X86_64, nothing, nothing, lambda _: Register(0)))


def slug(found: Location) -> str:
    assert isinstance(found, Absent)
    return found.reason.slug


def test_a_piece_that_cannot_be_read_leaves_the_others() -> None:
    found = location(op.regx(17), op.piece(4), op.reg3(), op.piece(4))
    assert isinstance(found, Pieces)
    assert slug(found.pieces[0].location) == "register"
    assert (found.pieces[0].bit_size, found.pieces[1].location) == (32, Register(3))


def test_what_a_piece_that_cannot_be_read_left_on_the_stack_is_not_the_next_ones() -> None:
    found = location(op.breg3(0), op.regx(17), op.piece(4), op.piece(4))
    assert isinstance(found, Pieces)
    assert [slug(piece.location) for piece in found.pieces] == ["register", "optimized-out"]


def test_the_last_piece_may_be_the_one_that_cannot_be_read() -> None:
    found = location(op.reg3(), op.piece(4), op.breg3(0), op.regval_type(17, LONG), op.plus(), op.stack_value(), op.piece(8))
    assert isinstance(found, Pieces)
    assert found.pieces[0].location == Register(3) and slug(found.pieces[1].location) == "register"


def test_signless_operations_take_the_generic_type_with_one_as_wide() -> None:
    found = location(op.breg3(0), *MASKED, op.convert(INT), op.convert(LONG), op.xor(), op.stack_value())
    assert isinstance(found, Value) and isinstance(found.expr, Binary) and found.expr.op is Op.XOR
    assert found.expr.left == Reg(3)
    assert isinstance(found.expr.right, Extend) and found.expr.right.signed


@pytest.mark.parametrize("operation", [op.div(), op.mod(), op.lt(), op.gt()])
def test_operations_that_depend_on_the_sign_do_not(operation: Item) -> None:
    assert slug(location(op.breg3(0), op.breg0(0), op.convert(ULONG), operation, op.stack_value())) == "damaged"


def test_clangs_remainder_is_of_numbers_whose_sign_it_does_not_say() -> None:
    assert slug(location(op.breg3(0), op.lit7(), op.mod(), op.stack_value())) == "producer"
    typed = location(op.breg3(0), op.convert(LONG), op.const_type(LONG, (7).to_bytes(8, "little")), op.mod(), op.stack_value())
    assert typed == Value(Extend(Binary(Op.SMOD, Reg(3), Const(7)), 64, True))


@pytest.mark.parametrize("operation", [op.lt(), op.le(), op.gt(), op.ge()])
def test_clangs_comparisons_are_of_numbers_whose_sign_it_does_not_say(operation: Item) -> None:
    assert slug(location(op.breg3(0), op.lit7(), operation, op.stack_value())) == "producer"
    assert isinstance(location(op.breg3(0), op.lit7(), operation, op.stack_value(), producer=GCC), Value)


def test_gccs_remainder_is_of_unsigned_numbers() -> None:
    assert location(op.breg3(0), op.lit7(), op.mod(), op.stack_value(), producer=GCC) == Value(Binary(Op.UMOD, Reg(3), Const(7)))
