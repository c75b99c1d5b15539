# SPDX-License-Identifier: GPL-2.0-or-later
"""Which of libclang's complaints about a handler file are reported at this stage.

Reported is what no later stage can make good: what does not parse, and names that mean nothing.  Left to gcc,
which compiles the expansion with `#line` and so complains at the same place, is everything that depends on
types.  localvar adds includes and definitions (a struct that is incomplete here will be complete there), and
the type of a macro use is not known here, so that even a correct handler draws complaints like "member
reference type 'void' is not a pointer". Errors inside headers are gcc's business, too, unless they end the
parse.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from localvar.diagnostics import Diagnostic, Note, Severity, Span
from localvar.source.parse import Message, Place

VALUE = "localvar_value"
"""The member that scan.h's macros ask for and that does not exist."""

_ERROR_DIRECTIVE = "User-Defined Issue"
_SYNTAX = frozenset({"Parse Issue", "Lexical or Preprocessor Issue", _ERROR_DIRECTIVE})
_NAMES = re.compile(
    r"use of undeclared (?:identifier|label) "
    r"|call to undeclared (?:library )?function "
    r"|implicit declaration of function "
    r"|unknown type name "
    r"|must use '\w+' tag to refer to type "
    r"|type specifier missing, defaults to 'int'"
    r"|redefinition of "
    r"|redeclaration of "
    r"|no member named "
    r"|too (?:few|many) arguments to function call"
    r"|conflicting types for "
)
_TAIL = re.compile(r"; ISO C99 and later do not support implicit (?:function declarations|int)$")
_UNKNOWN = re.compile(r"use of undeclared identifier '([a-z]\w*)'")
_GCC_ACCEPTS = re.compile(r"function definition is not allowed here|localvar_|LOCALVAR_")


def is_use(message: Message) -> bool:
    """Whether this is the complaint that each macro use of unknown type gives (see scan.h)."""
    return VALUE in message.text


def is_syntax(message: Message) -> bool:
    """Whether the text does not parse, so that what follows may be misread."""
    return message.fatal or message.category == "Parse Issue"


def reported(messages: Iterable[Message], span: Callable[[Place], Span | None]) -> list[Diagnostic]:
    """The messages that concern the user, as diagnostics; span: from a place in a file of the module, else None."""
    found = []
    messages = tuple(messages)
    fatal = tuple(message for message in messages if message.fatal)
    for message in fatal or messages:
        where = span(message.place) if message.place is not None else None
        if not _concerns(message, where):
            continue
        notes = tuple(Note(text, span(place)) for text, place in message.notes if span(place) is not None)
        text = _TAIL.sub("", message.text)
        text = f"#error {text}" if message.category == _ERROR_DIRECTIVE else text
        if where is None and message.place is not None:
            text = f"{message.place.path}: {text}"
        unknown = _UNKNOWN.fullmatch(text)
        fix = f"to read a variable of the probed code, write GET_LOCAL_VAR({unknown[1]})" if unknown else None
        found.append(Diagnostic(Severity.ERROR, "compiler", text, where, notes, fix))
    return found


def _concerns(message: Message, where: Span | None) -> bool:
    if message.fatal:
        return True
    if where is None or _GCC_ACCEPTS.search(message.text):
        return False
    return message.category in _SYNTAX or _NAMES.match(message.text) is not None
