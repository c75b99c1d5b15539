# SPDX-License-Identifier: GPL-2.0-or-later
"""Operations on values that have a type (DWARF 5 sections 2.5.1.2, 2.5.1.3, 2.5.1.6)."""

from __future__ import annotations

from localvar.dwarf import constants as c
from localvar.dwarf.errors import DwarfError, Unreadable
from localvar.dwarf.op import Operation
from localvar.dwarf.operands import load, pop_address, register
from localvar.dwarf.stack import BaseEncoding, Context, Handler, State, pop, push
from localvar.model import fold
from localvar.model.expr import Const

_INTEGRAL = {
    c.DW_ATE_boolean: False, c.DW_ATE_signed: True, c.DW_ATE_signed_char: True, c.DW_ATE_unsigned: False,
    c.DW_ATE_unsigned_char: False, c.DW_ATE_UTF: False, c.DW_ATE_address: False,
}


def _base_type(context: Context, offset: int) -> BaseEncoding:
    die = context.unit.die(offset)
    size, encoding = die.constant(c.DW_AT_byte_size), die.constant(c.DW_AT_encoding)
    if die.tag != c.DW_TAG_base_type or size is None:
        raise DwarfError(f"the type at {die.key:#x} of a typed operation is no base type")
    if encoding not in _INTEGRAL or size not in (1, 2, 4, 8, 16):
        raise Unreadable("operation", f"a typed operation on {die.string(c.DW_AT_name)}, which is no integer type")
    return BaseEncoding(8 * size, _INTEGRAL[encoding])


def _const_type(context: Context, operation: Operation, state: State) -> State:
    kind = _base_type(context, operation.number(0))
    if 8 * len(operation.block(1)) != kind.bits:
        raise DwarfError(f"{operation.name} of {len(operation.block(1))} bytes with a type of {kind.bits} bits")
    return push(state, Const(int.from_bytes(operation.block(1), "little"), kind.bits), kind)


def _deref_type(context: Context, operation: Operation, state: State) -> State:
    kind = _base_type(context, operation.number(1))
    if operation.number(0) * 8 != kind.bits:
        raise DwarfError(f"{operation.name} of {operation.number(0)} bytes with a type of {kind.bits} bits")
    address, state = pop_address(context, state)
    return push(state, load(context, address, kind.bits), kind)


def _regval_type(context: Context, operation: Operation, state: State) -> State:
    kind = _base_type(context, operation.number(1))
    whole = register(context, operation.number(0))
    if kind.bits > whole.bits:
        raise Unreadable("operation", f"{operation.name} of {kind.bits} bits from a register of {whole.bits}")
    return push(state, fold.extend(whole, kind.bits, False), kind)


def _convert(context: Context, operation: Operation, state: State) -> State:
    value, state = pop(state)
    kind = _base_type(context, operation.number()) if operation.number() else None
    bits = kind.bits if kind else context.bits
    plain = isinstance(value.expr, Const) and not value.expr.value >> (context.bits - 1)  # the same with and without a sign
    if value.type is None and bits > context.bits and not plain:
        raise Unreadable("operation", f"{operation.name} widens a value of the generic type, whose sign is not said")
    sign = value.type.signed if value.type else False
    return push(state, fold.extend(value.expr, bits, sign), kind)


def _reinterpret(context: Context, operation: Operation, state: State) -> State:
    value, state = pop(state)
    kind = _base_type(context, operation.number()) if operation.number() else None
    if value.expr.bits != (kind.bits if kind else context.bits):
        raise DwarfError(f"{operation.name} between types of different sizes")
    return push(state, value.expr, kind)


HANDLERS: dict[int, Handler] = {
    c.DW_OP_const_type: _const_type, c.DW_OP_GNU_const_type: _const_type,
    c.DW_OP_regval_type: _regval_type, c.DW_OP_GNU_regval_type: _regval_type,
    c.DW_OP_deref_type: _deref_type, c.DW_OP_GNU_deref_type: _deref_type,
    c.DW_OP_convert: _convert, c.DW_OP_GNU_convert: _convert,
    c.DW_OP_reinterpret: _reinterpret, c.DW_OP_GNU_reinterpret: _reinterpret,
}
"""Operation to what it does."""
