# SPDX-License-Identifier: GPL-2.0-or-later
"""The shape of an architecture's description."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Architecture:
    """What reading a variable needs to know.

    name: as the kernel names it in `uname -m`.  pt_regs: DWARF register number to the field of struct pt_regs that
    holds its value at a probe.  register_names: DWARF number to the assembler's name.  stack_pointer,
    return_address: DWARF numbers.  argument_registers: in the order of the calling convention.  preserved: registers
    that a function restores before it returns.  cfa_at_entry: CFA minus stack pointer at a function's first
    instruction.  return_registers: that hold a result of up to two words.
    """

    name: str
    elf_machine: int
    address_bits: int
    pt_regs: Mapping[int, str]
    register_names: Mapping[int, str]
    stack_pointer: int
    return_address: int
    argument_registers: tuple[int, ...]
    preserved: frozenset[int]
    cfa_at_entry: int
    return_registers: tuple[int, int]
    percpu_section: str = ".data..percpu"

    def register_name(self, number: int) -> str:
        """The assembler's name of a DWARF register, or its number where it has none here."""
        return self.register_names.get(number, f"register {number}")
