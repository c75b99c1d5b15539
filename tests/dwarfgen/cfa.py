# SPDX-License-Identifier: GPL-2.0-or-later
"""Call frame instructions, one function for each, named without ``DW_CFA_`` (DWARF 5, 6.4.2).

Operands are what the instruction holds: factored offsets, and advances in units of the code alignment factor.
``cfa.advance(delta)`` takes the shortest advance_loc. Expressions are ``op`` expressions.
"""

from __future__ import annotations

from collections.abc import Callable

from .opcodes import Instruction, make_instruction

# The first operand of "low" instructions is the low six bits of the opcode.
OPCODES: dict[str, tuple[int, str]] = {
    "advance_loc": (0x40, "low"), "offset": (0x80, "low uleb"), "restore": (0xC0, "low"),
    "nop": (0x00, ""), "set_loc": (0x01, "addr"),
    "advance_loc1": (0x02, "n1"), "advance_loc2": (0x03, "n2"), "advance_loc4": (0x04, "n4"),
    "offset_extended": (0x05, "uleb uleb"), "restore_extended": (0x06, "uleb"), "undefined": (0x07, "uleb"),
    "same_value": (0x08, "uleb"), "register": (0x09, "uleb uleb"),
    "remember_state": (0x0A, ""), "restore_state": (0x0B, ""),
    "def_cfa": (0x0C, "uleb uleb"), "def_cfa_register": (0x0D, "uleb"), "def_cfa_offset": (0x0E, "uleb"),
    "def_cfa_expression": (0x0F, "expr"), "expression": (0x10, "uleb expr"),
    "offset_extended_sf": (0x11, "uleb sleb"), "def_cfa_sf": (0x12, "uleb sleb"),
    "def_cfa_offset_sf": (0x13, "sleb"), "val_offset": (0x14, "uleb uleb"),
    "val_offset_sf": (0x15, "uleb sleb"), "val_expression": (0x16, "uleb expr"),
    "MIPS_advance_loc8": (0x1D, "n8"), "AARCH64_negate_ra_state_with_pc": (0x2C, ""),
    "AARCH64_negate_ra_state": (0x2D, ""), "GNU_window_save": (0x2D, ""),
    "GNU_args_size": (0x2E, "uleb"), "GNU_negative_offset_extended": (0x2F, "uleb uleb"),
}  # fmt: skip


def __getattr__(name: str) -> Callable[..., Instruction]:
    return make_instruction(OPCODES, "DW_CFA_", name)


def advance(delta: int) -> Instruction:
    """The shortest instruction that advances the location."""
    if delta < 0x40:
        return Instruction("DW_CFA_", "advance_loc", (delta,))
    size = next(size for size in (1, 2, 4) if delta < 1 << 8 * size)
    return Instruction("DW_CFA_", f"advance_loc{size}", (delta,))
