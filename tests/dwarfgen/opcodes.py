# SPDX-License-Identifier: GPL-2.0-or-later
"""Instructions of line programs and call frames: a name and operands, built from a table of opcodes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

# Name: opcode and the kinds of its operands.
Opcodes: TypeAlias = Mapping[str, tuple[int, str]]


@dataclass(frozen=True)
class Instruction:
    """An instruction; ``set`` is the prefix of its DWARF name."""

    set: str
    name: str
    operands: tuple[object, ...]


def make_instruction(opcodes: Opcodes, prefix: str, name: str) -> Callable[..., Instruction]:
    """The function that builds one instruction, with its operands counted."""
    bare = name.rstrip("_")
    if bare not in opcodes:
        raise AttributeError(f"no instruction {prefix}{bare}")
    wanted = len(opcodes[bare][1].split())

    def make(*operands: object) -> Instruction:
        if len(operands) != wanted:
            raise TypeError(f"{prefix}{bare} takes {wanted} operands, not {len(operands)}")
        return Instruction(prefix, bare, operands)

    return make
