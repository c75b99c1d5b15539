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

    span covers the macro's name to its closing parenthesis, as written in its file.  Spans are disjoint, or
    one lies in an argument of the other: those of GET_LOCAL_VAR_OR's fallback, SET_LOCAL_VAR's value and the
    arguments of PRINT_* are C that stays in the expansion, with the uses in it replaced; their text is as
    written. A path is given without blanks ("sc.nr"), a type or a file name with macro parameters replaced.
    copy: where the use stands in the body of a macro of the module, the MacroCopy that it belongs to; the
    same span then occurs once for each copy, with the arguments and the function of that copy. guarded_by:
    variables (paths without blanks) for which LOCAL_VAR_AVAILABLE holds wherever this use is evaluated.
    """

    macro: Macro
    span: Span
    arguments: tuple[Argument, ...]
    function: str
    regs: str
    guarded_by: frozenset[str] = frozenset()
    copy: str | None = None


@dataclass(frozen=True)
class MacroCopy:
    """A copy to be made, for one use, of a macro of the module whose body holds macro uses.

    The use is renamed: `span` (the macro's name where it is used; a part of the file or, where parent is not
    None, of that copy's definition) becomes `name`.  The copy is `#define ` + name + `text`, the bytes
    of `definition`, in which the uses, probes and copies that belong to it are replaced in their turn, by text
    on one line; a name in it means what it means where the macro is used, so all copies can stand together,
    say at include_at.
    """

    name: str
    macro: str
    span: Span
    definition: Span
    text: bytes
    parent: str | None = None


@dataclass(frozen=True)
class Function:
    """A function definition of the translation unit that stands in a file of the module.

    regs: name of its `struct pt_regs *` parameter, or None.  calls: names of the module's functions it calls
    or takes the address of.  span: from its first token (attributes and storage class included) to its
    closing brace.  body: from brace to brace, None where a macro makes it.
    """

    name: str
    span: Span
    regs: str | None
    calls: frozenset[str] = frozenset()
    body: Span | None = None


class ProbeKind(enum.Enum):
    """How a handler is bound to its coordinates."""

    PROBE = "LOCALVAR_PROBE"
    KPROBE = "struct kprobe"
    KRETPROBE = "struct kretprobe"


class Role(enum.Enum):
    """What a handler is to its probe: when it is called, and what its registers are."""

    PROBE = "LOCALVAR_PROBE"
    PRE = "pre_handler"
    POST = "post_handler"
    RETURN = "handler"
    ENTRY = "entry_handler"


@dataclass(frozen=True)
class Handler:
    """A function that a probe calls, and where it is named."""

    role: Role
    function: str
    span: Span


@dataclass(frozen=True)
class ProbeDeclaration:
    """Handlers bound to coordinates.

    span: what is replaced (the macro use), in the file or in the MacroCopy `copy`.  handlers: for PROBE the
    one that LOCALVAR_PROBE names; for a kprobe or kretprobe those that its initialiser or assignments to it
    name, maybe none. coordinates: contents of the string literals (escapes undone), each with the span of its
    literal token(s).
    """

    kind: ProbeKind
    span: Span
    handlers: tuple[Handler, ...]
    coordinates: tuple[Argument, ...]
    copy: str | None = None


@dataclass(frozen=True)
class Alias:
    """PROBE_ALIAS("name", "coordinate"[, ...])."""

    name: str
    coordinates: tuple[Argument, ...]
    span: Span
    copy: str | None = None


@dataclass(frozen=True)
class Hook:
    """LOCALVAR_BEGIN(fn), LOCALVAR_END(fn) or LOCALVAR_MODULE() at file scope."""

    macro: Macro
    function: str | None
    span: Span
    copy: str | None = None


@dataclass(frozen=True)
class Header:
    """A header of the module that holds something to be replaced, or includes one that does.

    path: as in spans.  text: its bytes.  included: the #include directives that bring it in, from `#` to
    their newline, each in the main file or in another of these headers.  The expansion puts the header's
    text there.
    """

    path: str
    text: bytes
    included: tuple[Span, ...]


@dataclass(frozen=True)
class ProbeSource:
    """A handler file after scan.

    path: as given on the command line; text: its bytes.  Everything with a span can stand in `path` or in one
    of `headers`; functions are those defined in the module's files.  include_at: offset just behind the line
    that brings localvar.h (then has_localvar_h), or in front of that of the header that does, where that is rewritten.
    dependencies: absolute names of every file that was read, for the depfile, path's own first.  places: offsets in text,
    ascending, where lines at file scope can be put in front of a declaration.
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
    copies: tuple[MacroCopy, ...] = ()
    headers: tuple[Header, ...] = ()
    places: tuple[int, ...] = ()
    has_localvar_h: bool = True

    def text_of(self, span: Span) -> bytes:
        """The bytes of a span in the file or one of its headers; none for another file's."""
        texts = {self.path: self.text} | {header.path: header.text for header in self.headers}
        return texts.get(span.file, b"")[span.start : span.end]


OPTIONAL = frozenset({Macro.GET_LOCAL_VAR_OR, Macro.LOCAL_VAR_AVAILABLE, Macro.PRINT_LOCAL_VARS, Macro.PRINT_PARAMETERS})
"""Macros that are content with an absent value."""


def is_optional(use: MacroUse) -> bool:
    """Whether a use is content with an absent value."""
    return use.macro in OPTIONAL or (bool(use.arguments) and use.arguments[0].text in use.guarded_by)
