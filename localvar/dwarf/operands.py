# SPDX-License-Identifier: GPL-2.0-or-later
"""What expressions are made from: constants, addresses, registers, memory, parameters (DWARF 5 sections 2.5.1.1 to 2.5.1.3)."""

from __future__ import annotations

from localvar.dwarf import constants as c
from localvar.dwarf.addresses import check_address, link_address
from localvar.dwarf.errors import DwarfError, Unreadable
from localvar.dwarf.op import Operation
from localvar.dwarf.scope import origin
from localvar.dwarf.stack import Context, Handler, State, pop, push
from localvar.model import fold
from localvar.model.expr import Address, Const, Expr, Load, Parameter, Reg
from localvar.model.memory import is_below_stack, is_safe


def const(context: Context, value: int) -> Const:
    """A constant of the generic type."""
    return Const(value & fold.mask(context.bits), context.bits)


def register(context: Context, number: int) -> Reg:
    """The contents of a register.  Raises Unreadable where a probe has none."""
    arch = context.arch
    if number not in arch.pt_regs:
        raise Unreadable("register", f"{arch.register_name(number)} is not saved at a probe")
    return Reg(number, context.bits)


def load(context: Context, address: Expr, bits: int) -> Load:
    """So many bits of memory.  Raises Unreadable where they are not to be read."""
    arch = context.arch
    if is_below_stack(address, arch):
        raise Unreadable("no-frame", "it depends on a place below the stack pointer, which may be overwritten at any time")
    if isinstance(address, Address):
        check_address(address, context.unit.info)
    return Load(address, bits, is_safe(address, arch))


def pop_address(context: Context, state: State) -> tuple[Expr, State]:
    """The address on top of the stack, and state without it."""
    value, state = pop(state)
    if value.expr.bits != context.bits:
        raise DwarfError(f"address of {value.expr.bits} bits")
    return value.expr, state


def _bregx(context: Context, operation: Operation, state: State) -> State:
    return push(state, fold.add(register(context, operation.number(0)), operation.number(1)))


def _fbreg(context: Context, operation: Operation, state: State) -> State:
    return push(state, fold.add(context.frame_base(), operation.number()))


def _cfa(context: Context, operation: Operation, state: State) -> State:
    return push(state, context.cfa())


def _constant(context: Context, operation: Operation, state: State) -> State:
    return push(state, const(context, operation.number()))


def _constx(context: Context, operation: Operation, state: State) -> State:
    return push(state, const(context, context.unit.indexed_address(operation.number())))


def _addr(context: Context, operation: Operation, state: State) -> State:
    return push(state, _linked(context, operation.number()))


def _addrx(context: Context, operation: Operation, state: State) -> State:
    return push(state, _linked(context, context.unit.indexed_address(operation.number())))


def _linked(context: Context, value: int) -> Expr:
    return link_address(value, context.unit.info, context.arch)


def _deref(context: Context, operation: Operation, state: State) -> State:
    address, state = pop_address(context, state)
    return push(state, load(context, address, context.bits))


def _deref_size(context: Context, operation: Operation, state: State) -> State:
    size = operation.number()
    if not 1 <= size <= context.bits // 8:
        raise DwarfError(f"{operation.name} of {size} bytes")
    if size not in (1, 2, 4, 8):
        raise Unreadable("operation", f"{operation.name} of {size} bytes")
    address, state = pop_address(context, state)
    return push(state, fold.extend(load(context, address, 8 * size), context.bits, False))


def _parameter_ref(context: Context, operation: Operation, state: State) -> State:
    die = context.unit.die(operation.number())
    return push(state, Parameter(origin(die).key, context.bits))


HANDLERS: dict[int, Handler] = {
    c.DW_OP_addr: _addr, c.DW_OP_addrx: _addrx, c.DW_OP_GNU_addr_index: _addrx,
    c.DW_OP_constx: _constx, c.DW_OP_GNU_const_index: _constx,
    **dict.fromkeys(
        (c.DW_OP_const1u, c.DW_OP_const1s, c.DW_OP_const2u, c.DW_OP_const2s, c.DW_OP_const4u, c.DW_OP_const4s,
         c.DW_OP_const8u, c.DW_OP_const8s, c.DW_OP_constu, c.DW_OP_consts), _constant),
    c.DW_OP_bregx: _bregx, c.DW_OP_fbreg: _fbreg, c.DW_OP_call_frame_cfa: _cfa,
    c.DW_OP_deref: _deref, c.DW_OP_deref_size: _deref_size, c.DW_OP_GNU_parameter_ref: _parameter_ref,
}
"""Operation to what it does."""
