# SPDX-License-Identifier: GPL-2.0-or-later
"""What is read where.  Pickled by the test, unpickled inside gdb: of localvar it needs the model alone."""

from __future__ import annotations

from dataclasses import dataclass

from localvar.model.expr import Expr
from localvar.model.path import Path
from localvar.model.plan import Callers, Source


@dataclass(frozen=True)
class Ask:
    """One path in one frame at one address, with localvar's plan for it.

    frame: 0 is the innermost function or inlined copy.  function: its name.  how, source: None where reason says why.
    key: the canonical frame address, where how is entry_capture.  callers: where it is caller.  size in bytes, None where it
    is known at run time only.
    bits: of a bit-field.  signed: it is a scalar that holds negative values.  line: of its declaration.
    """

    frame: int
    function: str
    path: Path
    location_class: str
    how: str | None
    source: Source | None
    reason: str | None
    key: Expr | None
    callers: Callers | None
    size: int | None
    bits: int | None
    signed: bool
    line: int


@dataclass(frozen=True)
class Stop:
    """One address.  frames: the functions around it, innermost first; entry: a function begins here; cfa: the canonical
    frame address, where it is known."""

    pc: int
    frames: tuple[str, ...]
    asks: tuple[Ask, ...]
    entry: bool
    cfa: Expr | None


@dataclass(frozen=True)
class Session:
    """All that the script inside gdb is told.  limit: how many times a stop is looked at; tell: address of tell();
    program_output, result: files to write."""

    executable: str
    stops: tuple[Stop, ...]
    limit: int
    tell: int
    program_output: str
    result: str
