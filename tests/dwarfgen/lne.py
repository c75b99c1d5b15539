# SPDX-License-Identifier: GPL-2.0-or-later
"""Extended opcodes of line programs, one function for each, named without ``DW_LNE_`` (DWARF 5, 6.2.5.3)."""

from __future__ import annotations

from collections.abc import Callable

from .opcodes import Instruction, make_instruction

OPCODES: dict[str, tuple[int, str]] = {
    "end_sequence": (1, ""),
    "set_address": (2, "addr"),
    "define_file": (3, "string uleb uleb uleb"),
    "set_discriminator": (4, "uleb"),
}


def __getattr__(name: str) -> Callable[..., Instruction]:
    return make_instruction(OPCODES, "DW_LNE_", name)
