# SPDX-License-Identifier: GPL-2.0-or-later
"""Which memory is surely mapped, so that a plain load reads it."""

from __future__ import annotations

from localvar.arch.base import Architecture
from localvar.model.expr import Address, Binary, Const, Expr, Op, PerCpu, Reg
from localvar.model.fold import signed

FRAME_LIMIT = 1 << 14
"""Bytes above the stack pointer that are taken for the thread's stack: THREAD_SIZE of x86-64."""


def is_safe(address: Expr, arch: Architecture) -> bool:
    """True for the probed frame (stack pointer plus a constant) and for the kernel's linked data; any other load may fault:
    a module's data is there only while the module is."""
    offset = _frame_offset(address, arch)
    if offset is not None:
        return 0 <= offset < FRAME_LIMIT
    if isinstance(address, Binary) and address.op is Op.ADD and isinstance(address.right, Const):
        address = address.left
    return isinstance(address, (Address, PerCpu)) and address.module is None


def is_below_stack(address: Expr, arch: Architecture) -> bool:
    """True for the stack pointer minus a constant: kernels are built without a red zone (-mno-red-zone), so an
    interrupt may write there at any time, and the frame that is to be there is not set up yet, or is gone."""
    offset = _frame_offset(address, arch)
    return offset is not None and offset < 0


def passed_on_stack(address: Expr, arch: Architecture) -> int | None:
    """The distance from the caller's stack pointer at the call to an address over the registers at a function's entry; None
    where it is not above what the call pushed."""
    offset = _frame_offset(address, arch)
    return offset - arch.cfa_at_entry if offset is not None and offset >= arch.cfa_at_entry else None


def _frame_offset(address: Expr, arch: Architecture) -> int | None:
    """What is added to the stack pointer; None where address is something else."""
    stack_pointer = Reg(arch.stack_pointer, arch.address_bits)
    if address == stack_pointer:
        return 0
    if isinstance(address, Binary) and address.op is Op.ADD and isinstance(address.right, Const):
        return signed(address.right.value, address.bits) if address.left == stack_pointer else None
    return None
