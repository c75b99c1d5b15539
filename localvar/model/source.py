# SPDX-License-Identifier: GPL-2.0-or-later
"""What scan finds in a handler file: macro uses with exact spans, functions, probe declarations."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from localvar.diagnostics import Span


class Macro(enum.Enum):
    """The macros of include/localvar.h, by the name the user writes."""

    GET_LOCAL_VAR = "GET_LOCAL_VAR"
    GET_LOCAL_VAR_OR = "GET_LOCAL_VAR_OR"
    LOCAL_VAR_AVAILABLE = "LOCAL_VAR_AVAILABLE"
    LOCAL_VAR_ADDR = "LOCAL_VAR_ADDR"
    SET_LOCAL_VAR = "SET_LOCAL_VAR"
    GET_RETURN_VALUE = "GET_RETURN_VALUE"
    GET_ENTRY_VAR = "GET_ENTRY_VAR"
    GET_STATIC_VAR = "GET_STATIC_VAR"
    PRINT_LOCAL_VARS = "PRINT_LOCAL_VARS"
    PRINT_PARAMETERS = "PRINT_PARAMETERS"
    LOCALVAR_PROBE = "LOCALVAR_PROBE"
    PROBE_LOCATION = "PROBE_LOCATION"
    LOCALVAR_BEGIN = "LOCALVAR_BEGIN"
    LOCALVAR_END = "LOCALVAR_END"
    PROBE_ALIAS = "PROBE_ALIAS"
    LOCALVAR_MODULE = "LOCALVAR_MODULE"


READS = frozenset({
    Macro.GET_LOCAL_VAR, Macro.GET_LOCAL_VAR_OR, Macro.LOCAL_VAR_AVAILABLE, Macro.LOCAL_VAR_ADDR,
    Macro.SET_LOCAL_VAR, Macro.GET_RETURN_VALUE, Macro.GET_ENTRY_VAR, Macro.GET_STATIC_VAR,
    Macro.PRINT_LOCAL_VARS, Macro.PRINT_PARAMETERS,
})
"""Macros that stand inside a function and read (or write) the probed place."""


@dataclass(frozen=True)
class Argument:
    """One macro argument: its text without surrounding blanks, and where it stands."""

    text: str
    span: Span


@dataclass(frozen=True)
class MacroUse:
    """One use of a macro that stands in a function body.

    span covers the macro's name to its closing parenthesis, as written in the file; where the use stands in the
    body of another macro of the module, span is the whole expansion of the outermost macro and `text` the text it
    would have been, with `{}` standing where this use's accessor goes.
    guarded_by: variables (as written) for which LOCAL_VAR_AVAILABLE holds wherever this use is evaluated.
    """

    macro: Macro
    span: Span
    arguments: tuple[Argument, ...]
    function: str
    regs: str
    guarded_by: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Function:
    """A function definition of the translation unit that stands in a file of the module.

    regs: name of its `struct pt_regs *` parameter, or None.  calls: names of the module's functions it calls or
    takes the address of.  span: from its first token (attributes and storage class included) to its closing brace.
    """

    name: str
    span: Span
    regs: str | None
    calls: frozenset[str] = frozenset()


class ProbeKind(enum.Enum):
    """How a handler is bound to its coordinates."""

    PROBE = "LOCALVAR_PROBE"
    KPROBE = "struct kprobe"
    KRETPROBE = "struct kretprobe"


@dataclass(frozen=True)
class ProbeDeclaration:
    """A handler bound to coordinates.

    span: what is replaced (the macro use).  handlers: the functions that the probe calls: the one named in
    LOCALVAR_PROBE, or pre_handler/post_handler/handler/entry_handler of the initialiser in which PROBE_LOCATION stands.
    coordinates: contents of the string literals (escapes undone), each with the span of its literal token(s).
    """

    kind: ProbeKind
    span: Span
    handlers: tuple[Argument, ...]
    coordinates: tuple[Argument, ...]


@dataclass(frozen=True)
class Alias:
    """PROBE_ALIAS("name", "coordinate"[, ...])."""

    name: str
    coordinates: tuple[Argument, ...]
    span: Span


@dataclass(frozen=True)
class Hook:
    """LOCALVAR_BEGIN(fn), LOCALVAR_END(fn) or LOCALVAR_MODULE() at file scope."""

    macro: Macro
    function: str | None
    span: Span


@dataclass(frozen=True)
class ProbeSource:
    """A handler file after scan.

    path: as given on the command line; text: its bytes.  The spans of uses, probes, aliases and hooks that stand in
    `path` are disjoint.  include_at: offset just behind the line that includes localvar.h (0 where it comes from
    elsewhere).  dependencies: every file that was read, for the depfile.  structs: tags of struct/union/enum types
    that are complete in this translation unit at its end; typedefs: names declared.
    """

    path: str
    text: bytes
    functions: tuple[Function, ...]
    uses: tuple[MacroUse, ...]
    probes: tuple[ProbeDeclaration, ...]
    aliases: tuple[Alias, ...]
    hooks: tuple[Hook, ...]
    include_at: int
    dependencies: tuple[str, ...]
