# SPDX-License-Identifier: GPL-2.0-or-later
"""Which memory is surely mapped, so that a plain load reads it."""

from __future__ import annotations

from localvar.arch.base import Architecture
from localvar.model.expr import Address, Binary, Const, Expr, Op, PerCpu, Reg


def is_safe(address: Expr, arch: Architecture) -> bool:
    """True for the probed frame (stack pointer plus a constant) and for linked data; any other load may fault."""
    if isinstance(address, Binary) and address.op is Op.ADD and isinstance(address.right, Const):
        address = address.left
    return isinstance(address, (Address, PerCpu)) or address == Reg(arch.stack_pointer, arch.address_bits)
