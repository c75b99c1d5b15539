# SPDX-License-Identifier: GPL-2.0-or-later
"""Stack, arithmetic and logical operations of DWARF expressions (DWARF 5 sections 2.5.1.3, 2.5.1.4)."""

from __future__ import annotations

from dataclasses import replace

from localvar.dwarf import constants as c
from localvar.dwarf.errors import DwarfError, Unreadable
from localvar.dwarf.op import Operation
from localvar.dwarf.stack import BaseEncoding, Context, Handler, State, Typed, pop, push
from localvar.model import fold
from localvar.model.expr import Const, Expr, Extend, Op, Unary

# code -> operator for unsigned types, for signed types, whether the generic type counts as signed, whether the
# result is a truth value of the generic type (sections 2.5.1.4, 2.5.1.5)
_BINARY: dict[int, tuple[Op, Op, bool, bool]] = {
    c.DW_OP_and: (Op.AND, Op.AND, False, False), c.DW_OP_or: (Op.OR, Op.OR, False, False),
    c.DW_OP_xor: (Op.XOR, Op.XOR, False, False), c.DW_OP_plus: (Op.ADD, Op.ADD, False, False),
    c.DW_OP_minus: (Op.SUB, Op.SUB, False, False), c.DW_OP_mul: (Op.MUL, Op.MUL, False, False),
    c.DW_OP_div: (Op.UDIV, Op.SDIV, True, False), c.DW_OP_mod: (Op.UMOD, Op.SMOD, False, False),
    c.DW_OP_shl: (Op.SHL, Op.SHL, False, False), c.DW_OP_shr: (Op.SHR, Op.SHR, False, False),
    c.DW_OP_shra: (Op.SAR, Op.SAR, True, False), c.DW_OP_eq: (Op.EQ, Op.EQ, True, True),
    c.DW_OP_ne: (Op.NE, Op.NE, True, True), c.DW_OP_lt: (Op.ULT, Op.SLT, True, True),
    c.DW_OP_le: (Op.ULE, Op.SLE, True, True), c.DW_OP_gt: (Op.UGT, Op.SGT, True, True),
    c.DW_OP_ge: (Op.UGE, Op.SGE, True, True),
}

_OF_BITS = frozenset({c.DW_OP_and, c.DW_OP_or, c.DW_OP_xor, c.DW_OP_plus, c.DW_OP_minus, c.DW_OP_mul, c.DW_OP_eq, c.DW_OP_ne})
"""Operations that come to the same bits for signed and for unsigned operands."""

_OF_SIGN = frozenset({c.DW_OP_mod, c.DW_OP_lt, c.DW_OP_le, c.DW_OP_gt, c.DW_OP_ge})
"""Operations of which compilers do not agree whether their generic operands are signed."""

_OF_WIDTH = frozenset({c.DW_OP_div, c.DW_OP_mod, c.DW_OP_shr, c.DW_OP_shra})
"""Operations whose low bits depend on how wide they are."""


def _binary(context: Context, operation: Operation, state: State) -> State:
    right, state = pop(state)
    left, state = pop(state)
    unsigned_op, signed_op, generic_signed, relation = _BINARY[operation.code]
    shift = operation.code in (c.DW_OP_shl, c.DW_OP_shr, c.DW_OP_shra)
    if left.type != right.type and not shift:
        left = _generic(operation, left, right)
    _check_producer(context, operation, left)
    is_signed = left.type.signed if left.type else generic_signed
    result = fold.binary(signed_op if is_signed else unsigned_op, left.expr, right.expr)
    if relation:
        return push(state, fold.extend(result, context.bits, False))
    return push(state, _marked(result, left.type) if operation.code in _OF_WIDTH else result, left.type)


def _check_producer(context: Context, operation: Operation, left: Typed) -> None:
    """Refuse what clang writes for signed and for unsigned numbers alike (llvm, getDwarfOpForBinOp, getDwarfOpForIcmpPred):
    comparisons of the generic type, which are signed by the standard, and DW_OP_mod, which is not."""
    if operation.code in _OF_SIGN and left.type is None and "clang" in (
            context.unit.root.string(c.DW_AT_producer) or ""):
        raise Unreadable("producer", f"clang does not say whether its {operation.name} is of signed numbers")


def _generic(operation: Operation, left: Typed, right: Typed) -> Typed:
    """The left operand where one of the two is of the generic type, the other of one as wide, and the operation comes to the
    same bits whatever their signs: clang mixes them.  Raises DwarfError for other operands of different types."""
    if operation.code in _OF_BITS and None in (left.type, right.type) and left.expr.bits == right.expr.bits:
        return replace(left, type=None)
    raise DwarfError(f"operands of {operation.name} are of different types")


def _marked(expr: Expr, kind: BaseEncoding | None) -> Expr:
    """expr, marked as of just its width where it has a type as wide as the generic one (see plan/width.py)."""
    if kind is None or kind.bits != 64 or isinstance(expr, Const):
        return expr
    return Extend(expr, expr.bits, kind.signed)


def _unary(context: Context, operation: Operation, state: State) -> State:
    value, state = pop(state)
    if operation.code == c.DW_OP_abs and value.type is not None and not value.type.signed:
        return push(state, value.expr, value.type)
    op = {c.DW_OP_neg: Op.NEG, c.DW_OP_not: Op.NOT, c.DW_OP_abs: Op.SABS}[operation.code]
    result = Unary(op, value.expr, value.expr.bits)
    return push(state, _marked(result, value.type) if op is Op.SABS else result, value.type)


def _plus_uconst(context: Context, operation: Operation, state: State) -> State:
    if not state.stack:
        raise DwarfError(f"{operation.name} takes from an empty stack")
    value = state.stack[-1]
    return push(replace(state, stack=state.stack[:-1]), fold.add(value.expr, operation.number()), value.type)


def _dup(context: Context, operation: Operation, state: State) -> State:
    return _pick_at(context, state, 0)


def _over(context: Context, operation: Operation, state: State) -> State:
    return _pick_at(context, state, 1)


def _pick(context: Context, operation: Operation, state: State) -> State:
    return _pick_at(context, state, operation.number())


def _pick_at(context: Context, state: State, depth: int) -> State:
    if depth >= len(state.stack):
        raise DwarfError(f"stack entry {depth} is not there")
    return replace(state, stack=(*state.stack, state.stack[-1 - depth]))


def _drop(context: Context, operation: Operation, state: State) -> State:
    return pop(state)[1]


def _swap(context: Context, operation: Operation, state: State) -> State:
    second, state = pop(state)
    first, state = pop(state)
    return replace(state, stack=(*state.stack, second, first))


def _rot(context: Context, operation: Operation, state: State) -> State:
    top, state = pop(state)
    second, state = pop(state)
    third, state = pop(state)
    return replace(state, stack=(*state.stack, top, third, second))


def _nop(context: Context, operation: Operation, state: State) -> State:
    return state


HANDLERS: dict[int, Handler] = {
    **dict.fromkeys(_BINARY, _binary),
    c.DW_OP_abs: _unary, c.DW_OP_neg: _unary, c.DW_OP_not: _unary, c.DW_OP_plus_uconst: _plus_uconst,
    c.DW_OP_dup: _dup, c.DW_OP_drop: _drop, c.DW_OP_over: _over, c.DW_OP_pick: _pick, c.DW_OP_swap: _swap, c.DW_OP_rot: _rot,
    c.DW_OP_nop: _nop,
}
"""Operation to what it does."""
