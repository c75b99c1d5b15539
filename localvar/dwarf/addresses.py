# SPDX-License-Identifier: GPL-2.0-or-later
"""Link-time addresses in debug info: what they mean in the running kernel."""

from __future__ import annotations

from localvar.arch import Architecture
from localvar.dwarf.errors import Unreadable
from localvar.dwarf.info import DebugInfo
from localvar.model.expr import Address, Const, Expr, PerCpu


def link_address(value: int, info: DebugInfo, arch: Architecture) -> Expr:
    """The expression for an address of the linked image.  Raises Unreadable where nothing is there at run time."""
    if value == 0:
        raise Unreadable("discarded", "its address is 0: the linker discarded its section")
    section = info.elf.section_at(value)
    name, offset = info.elf.split(value)
    if section is not None and section.name == arch.percpu_section:
        if name is not None and info.module is None:
            raise Unreadable("per-cpu", "it is a per-CPU variable of an object file that is no module")
        return PerCpu(offset, info.module, name, arch.address_bits)
    address = Address(offset, info.module, name, arch.address_bits)
    check_address(address, info)
    return address


def check_address(address: Address, info: DebugInfo) -> None:
    """Refuse an address where the running kernel has nothing, or no longer what was linked.  Raises Unreadable."""
    if address.section is not None:
        discarded = address.section.startswith((".init.", ".exit."))
        where = address.section
    else:
        section = info.elf.section_at(address.value)
        if section is None:
            raise Unreadable("address", f"its address {address.value:#x} is in no section")
        where, init = section.name, info.init_range
        discarded = where.startswith((".init.", ".exit.")) or (init is not None and init[0] <= address.value < init[1])
    if discarded:
        raise Unreadable("init-data", f"it lives in {where}, which the kernel frees after boot")


def pointer_value(expr: Expr) -> Expr:
    """A per-CPU address as a value: &variable of C, the address that this_cpu_ptr() takes.  Only where such an address
    is the place of the variable itself is the running CPU's copy meant."""
    if isinstance(expr, PerCpu):
        if expr.module is not None:  # the symbol's value in the running kernel, which the loader puts there
            return Address(expr.value, expr.module, expr.section, expr.bits)
        at_zero = not expr.value >> (expr.bits - 1)  # linked at 0 the area does not move with the kernel (percpu-defs.h)
        return Const(expr.value, expr.bits) if at_zero else Address(expr.value, bits=expr.bits)
    return expr
