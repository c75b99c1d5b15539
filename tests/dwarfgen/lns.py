# SPDX-License-Identifier: GPL-2.0-or-later
"""Standard opcodes of line programs, one function for each, named without ``DW_LNS_`` (DWARF 5, 6.2.5.2)."""

from __future__ import annotations

from collections.abc import Callable

from .opcodes import Instruction, make_instruction

OPCODES: dict[str, tuple[int, str]] = {
    "copy": (1, ""),
    "advance_pc": (2, "uleb"),
    "advance_line": (3, "sleb"),
    "set_file": (4, "uleb"),
    "set_column": (5, "uleb"),
    "negate_stmt": (6, ""),
    "set_basic_block": (7, ""),
    "const_add_pc": (8, ""),
    "fixed_advance_pc": (9, "half"),
    "set_prologue_end": (10, ""),
    "set_epilogue_begin": (11, ""),
    "set_isa": (12, "uleb"),
}


def __getattr__(name: str) -> Callable[..., Instruction]:
    return make_instruction(OPCODES, "DW_LNS_", name)
