# SPDX-License-Identifier: GPL-2.0-or-later
"""What the operations of a DWARF expression work on: a stack of trees with their types (DWARF 5 section 2.5.1), and what has
been described of the location so far.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from localvar.arch import Architecture
from localvar.dwarf.addresses import pointer_value
from localvar.dwarf.errors import DwarfError, Unreadable
from localvar.dwarf.op import Operation
from localvar.dwarf.unit import Unit
from localvar.model.expr import Expr
from localvar.model.location import Location, Piece, absent


@dataclass(frozen=True)
class Context:
    """What an expression may ask for: its unit, and the things that depend on the pc.

    frame_base, cfa: expressions for DW_OP_fbreg and DW_OP_call_frame_cfa; they raise Unreadable.  variable: the
    location of another variable at the same pc, by its DIE's section offset (DW_OP_implicit_pointer,
    DW_OP_GNU_variable_value).
    """

    unit: Unit
    arch: Architecture
    frame_base: Callable[[], Expr]
    cfa: Callable[[], Expr]
    variable: Callable[[int], Location]

    @property
    def bits(self) -> int:
        """Of the generic type: those of an address (section 2.5.1)."""
        return self.arch.address_bits


def rule_context(unit: Unit, arch: Architecture) -> Context:
    """What the expression of a call frame rule may ask for: it is what tells the frame (section 6.4.2), and of no variable."""
    def nothing() -> Expr:
        raise Unreadable("no-cfi", "a frame expression refers to its own frame")

    def no_variable(_: int) -> Location:
        return absent("no-cfi", "a frame expression refers to a variable")

    return Context(unit, arch, nothing, nothing, no_variable)


@dataclass(frozen=True)
class BaseEncoding:
    """An integral base type of the typed operations: its bits and whether it is signed."""

    bits: int
    signed: bool


@dataclass(frozen=True)
class Typed:
    """A stack entry; type None is the generic type (section 2.5.1)."""

    expr: Expr
    type: BaseEncoding | None = None


@dataclass(frozen=True)
class State:
    """The machine between two operations: the stack, the location that was described, the pieces so far."""

    stack: tuple[Typed, ...] = ()
    described: Location | None = None
    pieces: tuple[Piece, ...] = ()


Handler = Callable[[Context, Operation, State], State]
"""Carries out one operation.  Raises Unreadable where it cannot be read in a kernel probe, DwarfError on damage."""


def push(state: State, expr: Expr, kind: BaseEncoding | None = None) -> State:
    """state with an entry more on its stack."""
    return replace(state, stack=(*state.stack, Typed(expr, kind)))


def pop(state: State) -> tuple[Typed, State]:
    """The entry on top of the stack, and state without it.  Raises DwarfError."""
    if not state.stack:
        raise DwarfError("the location expression takes from an empty stack")
    top = state.stack[-1]
    return replace(top, expr=pointer_value(top.expr)), replace(state, stack=state.stack[:-1])
