# SPDX-License-Identifier: GPL-2.0-or-later
"""Small algebra on expressions: constants folded, additions of constants gathered.  Never changes a value."""

from __future__ import annotations

import operator
from dataclasses import replace

from localvar.model.expr import COMPARISONS, Address, Binary, Const, Expr, Extend, Op, PerCpu


def mask(bits: int) -> int:
    """The all-ones pattern of so many bits."""
    return (1 << bits) - 1


def signed(value: int, bits: int) -> int:
    """The two's complement reading of a bit pattern."""
    value &= mask(bits)
    return value - (1 << bits) if value >> (bits - 1) else value


def add(expr: Expr, offset: int) -> Expr:
    """expr plus a constant, in expr's width."""
    bits = expr.bits
    if isinstance(expr, Const):
        return Const(expr.value + offset & mask(bits), bits)
    if isinstance(expr, (Address, PerCpu)):
        return replace(expr, value=expr.value + offset & mask(bits))
    if isinstance(expr, Binary) and expr.op is Op.ADD and isinstance(expr.right, Const):
        return add(expr.left, signed(expr.right.value + offset, bits))
    return expr if offset & mask(bits) == 0 else Binary(Op.ADD, expr, Const(offset & mask(bits), bits), bits)


def binary(op: Op, left: Expr, right: Expr) -> Expr:
    """left op right, with what is constant computed.  A division by a constant zero is left for the reader to refuse."""
    bits = left.bits
    if op is Op.ADD and isinstance(right, Const):
        return add(left, right.value)
    if op is Op.ADD and isinstance(left, Const):
        return add(right, left.value)
    if op is Op.SUB and isinstance(right, Const):
        return add(left, -right.value)
    if isinstance(left, Const) and isinstance(right, Const):
        value = compute(op, left.value, right.value, bits)
        if value is not None:
            return Const(value, bits)
    return Binary(op, left, right, bits)


def extend(expr: Expr, bits: int, sign: bool) -> Expr:
    """expr in another width."""
    if bits == expr.bits:
        return expr
    if isinstance(expr, Const):
        return Const((signed(expr.value, expr.bits) if sign else expr.value) & mask(bits), bits)
    return Extend(expr, bits, sign)


def compute(op: Op, left: int, right: int, bits: int) -> int | None:
    """left op right on bit patterns; None where the result is not defined (division by zero)."""
    a, b = signed(left, bits), signed(right, bits)
    if op in (Op.SDIV, Op.UDIV, Op.SMOD, Op.UMOD):
        if right == 0:
            return None
        if op is Op.UDIV:
            return left // right
        if op is Op.UMOD:
            return left % right
        quotient = abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)
        return (quotient if op is Op.SDIV else a - quotient * b) & mask(bits)
    if op in COMPARISONS:
        return int(_compare(op, (a, b), (left, right)))
    if op in (Op.SHL, Op.SHR, Op.SAR):
        if op is Op.SAR:
            return (a >> min(right, bits)) & mask(bits)
        return 0 if right >= bits else (left << right if op is Op.SHL else left >> right) & mask(bits)
    value = {Op.ADD: left + right, Op.SUB: left - right, Op.MUL: left * right, Op.AND: left & right,
             Op.OR: left | right, Op.XOR: left ^ right}[op]
    return value & mask(bits)


_COMPARE = {
    Op.EQ: operator.eq, Op.NE: operator.ne,
    Op.SLT: operator.lt, Op.SLE: operator.le, Op.SGT: operator.gt, Op.SGE: operator.ge,
    Op.ULT: operator.lt, Op.ULE: operator.le, Op.UGT: operator.gt, Op.UGE: operator.ge,
}


def _compare(op: Op, signed_pair: tuple[int, int], unsigned_pair: tuple[int, int]) -> bool:
    a, b = unsigned_pair if op in (Op.ULT, Op.ULE, Op.UGT, Op.UGE) else signed_pair
    return bool(_COMPARE[op](a, b))
