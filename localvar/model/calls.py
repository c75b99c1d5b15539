# SPDX-License-Identifier: GPL-2.0-or-later
"""Calls of a function, and one activation of it as seen from inside: what is needed to tell what its caller passed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from localvar.model.expr import Expr


@dataclass(frozen=True)
class Call:
    """A call instruction that calls one function, always.

    returns_to: the address behind it, at link time (of a module: offset in the section of the function that is called).
    name: of that address, for people.  registers, stack, parameters: what debug info says that it passes, by DWARF number of
    the register, by distance from the stack pointer at the call, and by the DIE of the parameter (Parameter.die), over the
    caller's registers at the call.
    """

    returns_to: int
    name: str
    registers: Mapping[int, Expr]
    parameters: Mapping[int, Expr]
    stack: Mapping[int, Expr] = field(default_factory=dict)


@dataclass(frozen=True)
class Activation:
    """A function's activation at one pc, over the registers there: its canonical frame address, and what the caller's
    registers held at the call (those that are lost are left out)."""

    frame: Expr
    registers: Mapping[int, Expr]
