# SPDX-License-Identifier: GPL-2.0-or-later
"""What expressions describe: places, values, pieces, other variables (DWARF 5 section 2.6.1)."""

from __future__ import annotations

from dataclasses import replace

from localvar.dwarf import constants as c
from localvar.dwarf.addresses import check_address
from localvar.dwarf.errors import DwarfError, Unreadable
from localvar.dwarf.op import Operation
from localvar.dwarf.operands import load, register
from localvar.dwarf.scope import attribute_of
from localvar.dwarf.stack import Context, Handler, State, pop, push
from localvar.dwarf.types import type_of
from localvar.model import fold
from localvar.model.ctype import is_floating, is_scalar, is_signed, size_of
from localvar.model.expr import Address, Const, Entry, Expr, Select
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


def in_register(context: Context, state: State, number: int) -> State:
    """The object is in a register."""
    register(context, number)
    return replace(state, described=Register(number))


def finish(context: Context, state: State) -> Location:
    """The location, at the end of an expression."""
    part = _part(context, state)
    if state.pieces:
        if part is not None:
            raise DwarfError("operations follow the last piece")
        return Pieces(state.pieces)
    if part is None:
        raise DwarfError("the location expression leaves nothing")
    return part


def finish_value(context: Context, state: State) -> Location:
    """The same where a value is wanted."""
    if state.pieces:
        raise DwarfError("pieces where a value is wanted")
    if isinstance(state.described, Value):
        return state.described
    if isinstance(state.described, EntryValue):
        return Value(Entry(state.described.inner, state.described.inner.bits))
    if state.described is not None or not state.stack:
        raise Unreadable("not-a-value", "the expression describes a location where a value is wanted")
    return Value(pop(state)[0].expr)


def _part(context: Context, state: State) -> Location | None:
    """The location described since the last piece; None where nothing was (an absent piece)."""
    if state.described is not None or not state.stack:
        return state.described
    address = state.stack[-1].expr
    if address.bits != context.bits:
        raise DwarfError(f"address of {address.bits} bits")
    if isinstance(address, Address):
        check_address(address, context.unit.info)
    return Memory(address)


def value_location(expr: Expr) -> Location:
    """Value, or EntryValue where the whole value is one of the function's entry."""
    return EntryValue(expr.operand) if isinstance(expr, Entry) else Value(expr)


def join(condition: Expr, yes: Location, no: Location) -> Location:
    """The location that is `yes` where condition is not zero and `no` elsewhere.  Raises Unreadable where the two are
    of different kinds."""
    if yes == no:
        return yes
    if isinstance(yes, Memory) and isinstance(no, Memory):
        return Memory(Select(condition, yes.address, no.address, yes.address.bits))
    a, b = _as_value(yes), _as_value(no)
    if a is not None and b is not None and a.bits == b.bits:
        return Value(Select(condition, a, b, a.bits))
    raise Unreadable("branches", "the branches of the location expression describe different kinds of location")


def _as_value(location: Location) -> Expr | None:
    if isinstance(location, Value):
        return location.expr
    if isinstance(location, EntryValue):
        return Entry(location.inner, location.inner.bits)
    return None


def _regx(context: Context, operation: Operation, state: State) -> State:
    return in_register(context, state, operation.number())


def _stack_value(context: Context, operation: Operation, state: State) -> State:
    value, state = pop(state)
    return replace(state, described=value_location(value.expr))


def _implicit_value(context: Context, operation: Operation, state: State) -> State:
    return replace(state, described=Constant(operation.block()))


def _piece(context: Context, operation: Operation, state: State) -> State:
    return _add_piece(context, state, 8 * operation.number(), 0)


def _bit_piece(context: Context, operation: Operation, state: State) -> State:
    return _add_piece(context, state, operation.number(0), operation.number(1))


def _add_piece(context: Context, state: State, bit_size: int, bit_offset: int) -> State:
    part = _part(context, state) or absent("optimized-out", "this part of it is optimized out here")
    return State(pieces=(*state.pieces, Piece(part, bit_size, bit_offset)))


def _uninit(context: Context, operation: Operation, state: State) -> State:
    raise Unreadable("uninitialized", "debug info says that it has no value yet here")


def _implicit_pointer(context: Context, operation: Operation, state: State) -> State:
    die = operation.number(0)
    return replace(state, described=ImplicitPointer(context.unit.info.base + die, operation.number(1), context.variable(die)))


def _variable_value(context: Context, operation: Operation, state: State) -> State:
    """The value of a whole variable, of integer or pointer type and no wider than the generic type."""
    offset = operation.number()
    die = context.unit.info.die(offset)
    ctype = type_of(attribute_of(die, c.DW_AT_type) or die)
    size = size_of(ctype)
    integral = is_scalar(ctype) and not is_floating(ctype)
    if not integral or size is None or 8 * size not in (8, 16, 32, 64) or 8 * size > context.bits:
        raise Unreadable("operation", f"{operation.name} of a variable that is no integer or pointer")
    found = _whole(context, context.variable(offset), 8 * size)
    if found is None or found.bits < 8 * size:
        raise Unreadable("operation", f"{operation.name} of a variable that is not in one place")
    return push(state, fold.extend(fold.extend(found, 8 * size, False), context.bits, is_signed(ctype)))


def _whole(context: Context, location: Location, bits: int) -> Expr | None:
    if isinstance(location, Register):
        return register(context, location.number)
    if isinstance(location, Memory):
        return load(context, location.address, bits)
    if isinstance(location, Constant):
        return Const(int.from_bytes(location.data, "little"), 8 * len(location.data))
    if isinstance(location, Absent):
        raise Unreadable(location.reason.slug, location.reason.text)
    return _as_value(location)


HANDLERS: dict[int, Handler] = {
    c.DW_OP_regx: _regx, c.DW_OP_stack_value: _stack_value, c.DW_OP_implicit_value: _implicit_value,
    c.DW_OP_piece: _piece, c.DW_OP_bit_piece: _bit_piece, c.DW_OP_GNU_uninit: _uninit,
    c.DW_OP_implicit_pointer: _implicit_pointer, c.DW_OP_GNU_implicit_pointer: _implicit_pointer,
    c.DW_OP_GNU_variable_value: _variable_value,
}
"""Operation to what it does."""
