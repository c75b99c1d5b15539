# SPDX-License-Identifier: GPL-2.0-or-later
"""Where a variable is at one pc: the sum type Location (DWARF 5 section 2.6).

What is not one of the first seven is Absent with a reason: nothing is half-understood.
"""

from __future__ import annotations

from dataclasses import dataclass

from localvar.model.expr import Expr


@dataclass(frozen=True)
class Reason:
    """Why a value is absent: a stable slug for programs and text for people."""

    slug: str
    text: str

    def __str__(self) -> str:
        return f"{self.slug}: {self.text}"


@dataclass(frozen=True)
class Register:
    """The variable is in a register (DWARF number), in its low bits."""

    number: int


@dataclass(frozen=True)
class Memory:
    """The variable is in memory at address."""

    address: Expr


@dataclass(frozen=True)
class Value:
    """The variable has no place; its value is expr (DW_OP_stack_value)."""

    expr: Expr


@dataclass(frozen=True)
class Constant:
    """The variable's bytes are known (DW_OP_implicit_value, DW_AT_const_value), in target byte order."""

    data: bytes


@dataclass(frozen=True)
class Piece:
    """bit_size bits of a composite, taken from bit_offset within location (DW_OP_piece, DW_OP_bit_piece)."""

    location: Location
    bit_size: int
    bit_offset: int = 0


@dataclass(frozen=True)
class Pieces:
    """A composite, in order from the variable's first bit."""

    pieces: tuple[Piece, ...]


@dataclass(frozen=True)
class ImplicitPointer:
    """A pointer that was optimised out; what it points to is target plus offset bytes (DW_OP_implicit_pointer).

    target is the location of the pointed-to variable, die its debugging information entry (as in Variable).
    """

    die: int
    offset: int
    target: Location


@dataclass(frozen=True)
class EntryValue:
    """The variable's value is what inner was on entry to the containing function (DW_OP_entry_value)."""

    inner: Expr


@dataclass(frozen=True)
class Absent:
    """There is no provable value here, for the reason given."""

    reason: Reason


Location = Register | Memory | Value | Constant | Pieces | ImplicitPointer | EntryValue | Absent


def absent(slug: str, text: str) -> Absent:
    """Absent with a Reason made of slug and text."""
    return Absent(Reason(slug, text))
