# SPDX-License-Identifier: GPL-2.0-or-later
"""x86-64: DWARF register numbers and calling convention (System V psABI, figures 3.36 and 3.4); struct pt_regs as in
arch/x86/include/asm/ptrace.h.  At a kprobe pt_regs holds all general registers; sp is that of the probed code."""

from __future__ import annotations

from localvar.arch.base import Architecture

_GENERAL = ("ax", "dx", "cx", "bx", "si", "di", "bp", "sp", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15")

X86_64 = Architecture(
    name="x86_64",
    elf_machine=62,
    address_bits=64,
    pt_regs=dict(enumerate(_GENERAL)),
    register_names={
        **{n: name if name[1:].isdigit() else f"r{name}" for n, name in enumerate(_GENERAL)},
        16: "return address",
        **{17 + n: f"xmm{n}" for n in range(16)},
        **{33 + n: f"st{n}" for n in range(8)},
        **{41 + n: f"mm{n}" for n in range(8)},
        49: "rflags",
    },
    stack_pointer=7,
    return_address=16,
    argument_registers=(5, 4, 1, 2, 8, 9),
    preserved=frozenset({3, 6, 7, 12, 13, 14, 15}),
    cfa_at_entry=8,
    return_registers=(0, 1),
)
