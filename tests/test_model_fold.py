# SPDX-License-Identifier: GPL-2.0-or-later
"""The algebra on expressions changes no value, held against the evaluation of what it was made from."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localvar.model import fold
from localvar.model.expr import (
    COMPARISONS,
    Address,
    Binary,
    Const,
    Expr,
    Extend,
    Load,
    Op,
    PerCpu,
    Reg,
    Select,
    Unary,
    children,
    contains,
)
from tests.expr_value import World, value

WIDTHS = [8, 16, 32, 64, 128]
DIVISIONS = {Op.SDIV, Op.UDIV, Op.SMOD, Op.UMOD}
BINARY = [op for op in Op if op not in (Op.NEG, Op.NOT, Op.SABS)]
WORLD = World({0: 0x123456789ABCDEF0, 1: (1 << 64) - 7}, lambda address, size: bytes(size), slide=0x200000)
bits = st.sampled_from(WIDTHS)


def patterns(width: int) -> st.SearchStrategy[int]:
    edges = [0, 1, width - 1, width, (1 << width - 1) - 1, 1 << width - 1, (1 << width) - 1]
    return st.one_of(st.sampled_from([edge & (1 << width) - 1 for edge in edges]), st.integers(0, (1 << width) - 1))


@given(bits, st.sampled_from(BINARY), st.data())
def test_constants_are_folded_to_the_value_of_the_operation(width: int, op: Op, data: st.DataObject) -> None:
    left, right = Const(data.draw(patterns(width)), width), Const(data.draw(patterns(width)), width)
    found = fold.binary(op, left, right)
    if op in DIVISIONS and right.value == 0:
        assert found == Binary(op, left, right, width)
        return
    assert found == Const(value(Binary(op, left, right, width), WORLD), width)


@given(st.sampled_from(BINARY), patterns(64), st.booleans())
def test_operations_on_registers_keep_their_value(op: Op, number: int, swapped: bool) -> None:
    operands: tuple[Expr, Expr] = (Const(number), Reg(0)) if swapped else (Reg(0), Const(number))
    if op in DIVISIONS and value(operands[1], WORLD) == 0:
        return
    assert value(fold.binary(op, *operands), WORLD) == value(Binary(op, *operands), WORLD)


@given(st.lists(st.integers(-(1 << 65), 1 << 65), max_size=5), st.sampled_from([Reg(0), Address(0x1000), Const(5), Load(Reg(1))]))
def test_constants_that_are_added_are_gathered(offsets: list[int], start: Expr) -> None:
    expr = start
    for offset in offsets:
        expr = fold.add(expr, offset)
    assert value(expr, WORLD) == value(start, WORLD) + sum(offsets) & (1 << 64) - 1
    assert sum(isinstance(node, Binary) for node in _nodes(expr)) <= 1


def _nodes(expr: Expr) -> list[Expr]:
    return [expr, *(node for child in children(expr) for node in _nodes(child))]


@given(bits, bits, st.booleans(), st.data())
def test_widening_and_narrowing_keep_the_number_or_its_low_bits(old: int, new: int, sign: bool, data: st.DataObject) -> None:
    number = data.draw(patterns(old))
    expected = (fold.signed(number, old) if sign else number) & (1 << new) - 1
    assert fold.extend(Const(number, old), new, sign) == Const(expected, new)
    register = Unary(Op.NOT, Const(number ^ (1 << old) - 1, old), old)
    assert value(fold.extend(register, new, sign), WORLD) == expected


@given(bits, st.data())
def test_the_signed_reading_is_twos_complement(width: int, data: st.DataObject) -> None:
    number = data.draw(st.integers(-(1 << width - 1), (1 << width - 1) - 1))
    assert fold.signed(number & fold.mask(width), width) == number


@pytest.mark.parametrize(("expr", "simple"), [
    (fold.add(Reg(7), 0), Reg(7)), (fold.add(fold.add(Reg(7), 8), -8), Reg(7)), (fold.add(Address(0x1000), 16), Address(0x1010)),
    (fold.add(PerCpu(0x100), 8), PerCpu(0x108)), (fold.binary(Op.SUB, Reg(7), Const(8)), fold.add(Reg(7), -8)),
    (fold.binary(Op.ADD, Const(8), Address(0x1000)), Address(0x1008)), (fold.extend(Reg(3), 64, True), Reg(3)),
    (fold.binary(Op.SHL, Const(1), Const(64)), Const(0)), (fold.binary(Op.SAR, Const(1 << 63), Const(200)), Const((1 << 64) - 1)),
])
def test_what_can_be_said_shorter_is(expr: Expr, simple: Expr) -> None:
    assert expr == simple


def test_a_section_of_a_module_stays_with_its_address() -> None:
    assert fold.add(Address(0x10, "ext4", ".data"), 8) == Address(0x18, "ext4", ".data")


def test_children_are_all_direct_parts_and_contains_looks_at_all_levels() -> None:
    tree = Select(Reg(0), Extend(Load(Reg(1), 32), 64, True), Binary(Op.ADD, Unary(Op.NEG, Reg(2)), Const(1)))
    assert len(children(tree)) == 3
    assert {node.number for node in _nodes(tree) if isinstance(node, Reg)} == {0, 1, 2}
    assert contains(tree, Load) and contains(tree, (Address, Unary)) and not contains(tree, Address)


def test_comparisons_are_those_operators_that_give_a_truth_value() -> None:
    assert {op for op in BINARY if {fold.compute(op, a, b, 8) for a in range(5) for b in range(1, 5)} <= {0, 1}} == COMPARISONS
