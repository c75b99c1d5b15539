# SPDX-License-Identifier: GPL-2.0-or-later
"""What an expansion needs in front of its accessors: includes, and declarations of types without a header."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from localvar.ctext.declare import display
from localvar.ctext.names import Unspeakable, identifier
from localvar.diagnostics import Log
from localvar.model.ctype import CType, Enumeration, Record, Typedef
from localvar.model.plan import PlannedUse, ReadPlan
from localvar.model.source import Macro, ProbeSource
from localvar.types.headers import IncludePath, include_path
from localvar.types.needs import Need, needs


class Names(Protocol):
    """Definitions by name."""

    def tagged(self, kind: str, name: str) -> CType | None:
        """The definition of a struct, union or enum."""


@dataclass(frozen=True)
class Supplies:
    """Headers to include, and text of declarations."""

    includes: tuple[str, ...]
    definitions: str


def supply(plan: ReadPlan, source: ProbeSource, flags: Sequence[str], names: Names, log: Log) -> Supplies:
    """The includes and declarations for everything that the accessors of plan mention.

    A type that must be complete and is in no shipped header is an error at the use that needs it.
    """
    path = include_path(flags)
    read = set(source.dependencies)
    includes: dict[str, None] = {}
    forward: dict[str, None] = {}
    for use in plan.uses:
        if use.use.macro is Macro.LOCAL_VAR_AVAILABLE:
            continue
        for need in _needs_of(use):
            spelling = _header(need, path, names)
            if spelling is not None:
                if not _already_read(spelling, path, read):
                    includes[spelling] = None
            elif need.complete:
                _refuse(need, use, log)
            else:
                forward[_declaration(need)] = None
    return Supplies(tuple(includes), "".join(f"{text}\n" for text in forward if text))


def _needs_of(use: PlannedUse) -> list[Need]:
    readable = [read for _, read in use.reads if read.readable]
    return list(needs(readable[0].type)) if readable else []


def _header(need: Need, path: IncludePath, names: Names) -> str | None:
    ctype: CType | None = need.type
    if isinstance(ctype, Record) and ctype.declaration and ctype.name:
        ctype = names.tagged(ctype.kind, ctype.name)
    if not isinstance(ctype, (Record, Enumeration, Typedef)) or ctype.declared.file is None:
        return None
    return path.spelling(ctype.declared.file)


def _already_read(spelling: str, path: IncludePath, read: set[str]) -> bool:
    return any(f"{directory}/{spelling}" in read for directory in path.directories)


def _refuse(need: Need, use: PlannedUse, log: Log) -> None:
    where = need.type.declared.file or "an unknown file"
    log.error("private-type", f"'{use.path}' has type {display(need.type)}, which is private to {where}: "
              "writing it out is not supported yet", use.use.span, fix="read its members: GET_LOCAL_VAR(var.member)")


def _declaration(need: Need) -> str:
    if not isinstance(need.type, Record):
        return ""
    try:
        return f"{need.type.kind} {identifier(need.type.name)};"
    except Unspeakable:
        return ""
