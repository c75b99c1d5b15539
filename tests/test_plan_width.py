# SPDX-License-Identifier: GPL-2.0-or-later
"""Values that depend on how wide the program's operation was, which debug info does not say, are not read."""

from __future__ import annotations

import pytest

from localvar.model.expr import Binary, Const, Expr, Extend, Load, Op, Reg, Select, Unary
from localvar.model.location import Absent, EntryValue, Memory, Piece, Pieces, Register, Value
from localvar.plan.width import unclear_width, with_clear_width

R = Reg(3)
ZEROS = Extend(Extend(R, 32, False), 64, False)
SIGNS = Extend(Extend(R, 32, False), 64, True)
SHIFTED_SIGNS = Binary(Op.SAR, Binary(Op.SHL, R, Const(32)), Const(32))
BYTE = Binary(Op.AND, R, Const(0xFF))


def binary(op: Op, left: Expr, right: Expr | int) -> Binary:
    return Binary(op, left, Const(right % 2**64) if isinstance(right, int) else right)


@pytest.mark.parametrize("op", [Op.ADD, Op.SUB, Op.MUL, Op.AND, Op.OR, Op.XOR, Op.SHL])
def test_low_bits_that_are_the_same_in_every_width_are_proven(op: Op) -> None:
    assert unclear_width(binary(op, R, 3), 32) is None
    assert unclear_width(Unary(Op.NEG, binary(op, R, 3)), 8) is None


@pytest.mark.parametrize("op", [Op.SDIV, Op.SMOD, Op.UDIV, Op.UMOD, Op.SHR, Op.SAR])
def test_an_int_computed_from_a_register_is_not_proven_a_long_is(op: Op) -> None:
    reason = unclear_width(binary(op, R, 3), 32)
    assert reason is not None and reason.slug == "width"
    assert unclear_width(binary(op, R, 3), 64) is None


@pytest.mark.parametrize("operand", [SIGNS, SHIFTED_SIGNS, BYTE])
@pytest.mark.parametrize("op", [Op.SDIV, Op.SMOD, Op.SAR])
def test_signed_operations_on_what_is_sign_extended_are_proven(op: Op, operand: Expr) -> None:
    assert unclear_width(binary(op, operand, 3), 32) is None
    assert unclear_width(binary(op, ZEROS, 3), 32) is not None


@pytest.mark.parametrize("operand", [ZEROS, BYTE])
@pytest.mark.parametrize("op", [Op.UDIV, Op.UMOD, Op.SHR])
def test_unsigned_operations_on_what_is_zero_extended_are_proven(op: Op, operand: Expr) -> None:
    assert unclear_width(binary(op, operand, 3), 32) is None
    assert unclear_width(binary(op, SIGNS, 3), 32) is not None


@pytest.mark.parametrize(("wanted", "count", "proven"), [
    (32, 32, True), (32, 40, True), (32, 31, False), (8, 8, True), (8, 7, False), (8, 16, True), (8, 25, False), (16, 16, True),
    (16, 15, False), (1, 9, True), (1, 7, True), (8, 24, True),
])
def test_a_right_shift_is_proven_where_every_width_with_such_a_count_has_the_bits(wanted: int, count: int, proven: bool) -> None:
    assert (unclear_width(binary(Op.SHR, R, count), wanted) is None) is proven
    assert (unclear_width(binary(Op.SAR, R, count), wanted) is None) is proven


def test_counts_that_are_not_constant_must_be_extended() -> None:
    assert unclear_width(binary(Op.SHL, R, Reg(2)), 32) is not None
    assert unclear_width(binary(Op.SHL, R, Reg(2)), 64) is None
    assert unclear_width(binary(Op.SHL, R, BYTE), 32) is None


def test_a_widened_int_is_an_int() -> None:
    quotient = binary(Op.SDIV, R, 7)
    assert unclear_width(binary(Op.SAR, binary(Op.SHL, quotient, 32), 32), 64) is not None
    assert unclear_width(Extend(Extend(quotient, 32, False), 64, True), 64) is not None
    assert unclear_width(binary(Op.AND, quotient, 0xFFFFFFFF), 64) is not None


def test_the_sign_of_a_negative_constant_is_known() -> None:
    assert unclear_width(binary(Op.SDIV, SIGNS, -7), 32) is None
    assert unclear_width(binary(Op.SDIV, SIGNS, 0xFFFFFFF9), 32) is not None


def test_addresses_and_conditions_are_of_all_bits() -> None:
    assert unclear_width(Load(binary(Op.SAR, R, 3), 32), 32) is None
    assert unclear_width(binary(Op.SLT, binary(Op.SAR, R, 3), 5), 8) is None


def test_operations_that_have_a_type_are_exact() -> None:
    narrow = Extend(R, 32, False)
    assert unclear_width(Extend(Binary(Op.SDIV, narrow, Const(7, 32), 32), 64, True), 8) is None
    assert unclear_width(Extend(binary(Op.UDIV, R, 7), 64, False), 32) is None
    assert unclear_width(Extend(binary(Op.UDIV, binary(Op.AND, binary(Op.SAR, R, 3), 0xFF), 7), 64, False), 32) is not None


INT = Extend(Extend(binary(Op.SDIV, R, 7), 32, False), 64, True)
"""A quotient of an int or of a long's lower half, in 64 bits: unclear wherever all of it counts."""


@pytest.mark.parametrize("expr", [
    Load(INT), Load(binary(Op.ADD, R, INT), 8), Unary(Op.NOT, INT), Unary(Op.NEG, INT), Unary(Op.SABS, INT),
    binary(Op.UDIV, INT, 5), binary(Op.SMOD, R, INT), binary(Op.SHR, INT, 5), binary(Op.SAR, R, INT), binary(Op.EQ, INT, 5),
    binary(Op.ADD, R, INT), Select(INT, R, R), Select(R, INT, R), Select(R, R, INT),
    Extend(Binary(Op.ADD, Extend(INT, 32, False), Const(1, 32), 32), 64, False),
    Extend(Binary(Op.EQ, Const(1, 32), Extend(INT, 32, False), 32), 64, False),
])
def test_what_is_made_from_an_unclear_value_is_unclear(expr: Expr) -> None:
    """Where 64 bits are asked for the operation itself was of 64; what it works on need not have been."""
    assert unclear_width(expr, 64) is not None


@pytest.mark.parametrize(("expr", "proven"), [
    (Unary(Op.SABS, R), False), (Unary(Op.SABS, SIGNS), True), (Unary(Op.SABS, ZEROS), False), (Unary(Op.SABS, BYTE), True),
    (binary(Op.UDIV, binary(Op.SHR, R, 40), 3), True), (binary(Op.UDIV, binary(Op.SHR, R, 8), 3), False),
    (binary(Op.SDIV, binary(Op.SHR, R, 32), 3), False), (binary(Op.SDIV, binary(Op.SHR, R, 33), 3), True),
    (binary(Op.SDIV, binary(Op.SAR, binary(Op.SHR, R, 32), 32), 3), False),
    (binary(Op.SDIV, binary(Op.SAR, binary(Op.SHL, R, 32), 31), 3), False),
    (binary(Op.SDIV, binary(Op.SAR, binary(Op.SHL, R, 16), 16), 3), False),
    (binary(Op.SDIV, binary(Op.SAR, binary(Op.SHL, R, 48), 48), 3), True),
    (binary(Op.SDIV, binary(Op.SHR, binary(Op.SHL, R, 32), 32), 3), False), (binary(Op.SDIV, binary(Op.SAR, R, 40), 3), False),
    (binary(Op.UDIV, binary(Op.SHR, R, Reg(2)), 3), False),
    (binary(Op.UDIV, binary(Op.EQ, R, 1), 3), True), (binary(Op.UDIV, binary(Op.AND, R, ZEROS), 3), True),
    (binary(Op.UDIV, binary(Op.OR, R, ZEROS), 3), False), (Select(binary(Op.SHR, R, 3), R, R), True),
])
def test_how_far_a_value_is_extended_is_known(expr: Expr, proven: bool) -> None:
    assert (unclear_width(expr, 32) is None) is proven
    assert unclear_width(expr, 64) is None


def test_a_value_on_entry_of_unclear_width_is_absent() -> None:
    assert isinstance(with_clear_width(EntryValue(binary(Op.UDIV, R, 7)), 32), Absent)
    assert with_clear_width(EntryValue(R), 32) == EntryValue(R)


def test_what_is_of_unclear_width_is_absent_where_it_is_narrow() -> None:
    quotient = Value(binary(Op.SDIV, R, 7))
    assert with_clear_width(quotient, 64) == quotient
    found = with_clear_width(quotient, 32)
    assert isinstance(found, Absent) and found.reason.slug == "width" and "division" in found.reason.text


def test_an_address_that_takes_an_unclear_value_is_absent() -> None:
    index = binary(Op.SAR, binary(Op.SHL, binary(Op.SDIV, R, 7), 32), 32)
    assert isinstance(with_clear_width(Memory(binary(Op.ADD, index, Reg(5))), 32), Absent)
    assert with_clear_width(Memory(R), 32) == Memory(R)


def test_each_piece_has_its_own_width() -> None:
    quotient = Value(binary(Op.SDIV, R, 7))
    found = with_clear_width(Pieces((Piece(quotient, 64), Piece(quotient, 32), Piece(Register(1), 8))), 104)
    assert isinstance(found, Pieces)
    assert [type(piece.location) for piece in found.pieces] == [Value, Absent, Register]


@pytest.mark.parametrize("inner", [binary(Op.SAR, R, 3), binary(Op.SDIV, R, 3), binary(Op.SHR, BYTE, R), Unary(Op.SABS, R)])
def test_bits_that_are_shifted_out_do_not_count(inner: Expr) -> None:
    assert unclear_width(binary(Op.SHL, inner, 32), 32) is None
    assert unclear_width(binary(Op.SHL, inner, 64), 32) is None
