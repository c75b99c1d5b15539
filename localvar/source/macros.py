# SPDX-License-Identifier: GPL-2.0-or-later
"""Uses of localvar's macros in a stream: where they stand, their arguments, and whether those are well formed."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from localvar.diagnostics import Log, Note, Span
from localvar.model.source import Argument, Macro
from localvar.source.lexer import File, Kind, decode
from localvar.source.stream import LOCALVAR_MACROS, Copy, Piece, Stream, spelled, split

FORMS: Mapping[Macro, tuple[int, int | None, str]] = {
    Macro.GET_LOCAL_VAR: (1, 2, "GET_LOCAL_VAR(var) or GET_LOCAL_VAR(var, type)"),
    Macro.GET_LOCAL_VAR_OR: (2, 2, "GET_LOCAL_VAR_OR(var, fallback)"),
    Macro.LOCAL_VAR_AVAILABLE: (1, 1, "LOCAL_VAR_AVAILABLE(var)"),
    Macro.LOCAL_VAR_ADDR: (1, 1, "LOCAL_VAR_ADDR(var)"),
    Macro.SET_LOCAL_VAR: (2, 2, "SET_LOCAL_VAR(var, value)"),
    Macro.GET_RETURN_VALUE: (0, 1, "GET_RETURN_VALUE() or GET_RETURN_VALUE(type)"),
    Macro.GET_ENTRY_VAR: (1, 1, "GET_ENTRY_VAR(var)"),
    Macro.GET_STATIC_VAR: (1, 2, 'GET_STATIC_VAR(var, "file.c")'),
    Macro.PRINT_LOCAL_VARS: (2, 2, "PRINT_LOCAL_VARS(buf, size)"),
    Macro.PRINT_PARAMETERS: (2, 2, "PRINT_PARAMETERS(buf, size)"),
    Macro.LOCALVAR_PROBE: (2, None, 'LOCALVAR_PROBE(handler, "coordinate")'),
    Macro.PROBE_LOCATION: (1, 1, 'PROBE_LOCATION("coordinate")'),
    Macro.LOCALVAR_BEGIN: (1, 1, "LOCALVAR_BEGIN(function)"),
    Macro.LOCALVAR_END: (1, 1, "LOCALVAR_END(function)"),
    Macro.PROBE_ALIAS: (2, None, 'PROBE_ALIAS("name", "coordinate")'),
    Macro.LOCALVAR_MODULE: (0, 0, "LOCALVAR_MODULE()"),
}
"""How many arguments each macro takes, at least and at most, and what to show who gives it others."""

PATHS = frozenset({
    Macro.GET_LOCAL_VAR, Macro.GET_LOCAL_VAR_OR, Macro.LOCAL_VAR_AVAILABLE, Macro.LOCAL_VAR_ADDR,
    Macro.SET_LOCAL_VAR, Macro.GET_ENTRY_VAR, Macro.GET_STATIC_VAR,
})
"""Macros whose first argument is a variable or a path from one."""

EXPRESSIONS: Mapping[Macro, tuple[int, ...]] = {
    Macro.GET_LOCAL_VAR_OR: (1,), Macro.SET_LOCAL_VAR: (1,), Macro.PRINT_LOCAL_VARS: (0, 1),
    Macro.PRINT_PARAMETERS: (0, 1),
}
"""Arguments that are C and stay in the expansion, and so may hold further uses."""

_INTEGER = re.compile(r"(?:0[xX][0-9a-fA-F]+|0[bB][01]+|0[0-7]*|[1-9][0-9]*)[uUlL]*")


@dataclass(frozen=True)
class Use:
    """A use in a stream: pieces `first` (the name) to `last` (the closing parenthesis), and its arguments."""

    macro: Macro
    first: int
    last: int
    pieces: tuple[tuple[Piece, ...], ...]
    arguments: tuple[Argument, ...]
    span: Span
    copy: str


class Locator:
    """From pieces to spans in the files where they are written."""

    def __init__(self, files: Mapping[str, File], copies: Mapping[str, Copy]) -> None:
        self.files, self.copies = files, copies

    def span(self, first: Piece, last: Piece | None = None) -> Span:
        """From the start of the first piece to the end of the last, where both stand in one text."""
        last = last if last is not None and _same_text(first, last) and last.end > first.start else first
        return self.files[first.path].span(first.start, last.end)

    def notes(self, copy: str) -> tuple[Note, ...]:
        """Where the macros are used in whose body a piece of this copy stands, innermost first."""
        notes = []
        while copy:
            use = self.copies[copy]
            span = self.files[use.path].span(use.start, use.name_end)
            notes.append(Note(f"in this use of {use.carrier.name}", span))
            copy = use.parent
        return tuple(notes)


def find(stream: Stream, expanded: Collection[int] | None, locator: Locator, log: Log) -> list[Use]:
    """The uses in a stream, each once; malformed ones are reported and left out.

    expanded: the offsets of the macro names that the compiler expanded in the stream's own file, where known:
    a name elsewhere (made a string by another macro, say) is no use.
    """
    uses: list[Use] = []
    for macro, first, last in written(stream):
        piece = stream.pieces[first]
        if expanded is None or piece.copy or piece.path != stream.path or piece.start in expanded:
            use = _use(stream, macro, first, last, locator, log)
            if use is not None:
                uses.append(use)
    return uses


def written(stream: Stream) -> Iterator[tuple[Macro, int, int]]:
    """Everything that looks like a use: the macro, the index of its name and that of its closing parenthesis."""
    for index, piece in enumerate(stream.pieces):
        macro = LOCALVAR_MACROS.get(piece.text) if piece.kind is Kind.NAME else None
        last = stream.partner.get(index + 1)
        if macro is not None and last is not None and stream.text(index + 1) == "(":
            yield macro, index, last


def _use(stream: Stream, macro: Macro, first: int, last: int, locator: Locator, log: Log) -> Use | None:
    name, close = stream.pieces[first], stream.pieces[last]
    notes = locator.notes(name.copy)
    if name.made or not all(_same_text(name, p) and not p.made for p in (stream.pieces[first + 1], close)):
        log.error("scattered-use", f"{macro.value} is put together by macros in a way that cannot be rewritten",
                  locator.span(name), notes=notes, fix="write the macro's name and its parentheses next to each other")
        return None
    span = locator.span(name, close)
    delimiters = [first + 1, *(i for i in range(first + 2, last) if _is_comma(stream, i, first + 1)), last]
    pieces = tuple(tuple(a) for a in split(stream.pieces[first + 2:last]))
    at_least, at_most, form = FORMS[macro]
    if len(pieces) < at_least or (at_most is not None and len(pieces) > at_most) or not all(pieces):
        log.error("wrong-arguments", f"wrong arguments of {macro.value}", span, notes=notes,
                  fix=f"write {form}")
        return None
    arguments = []
    for number, argument in enumerate(pieces):
        if number in EXPRESSIONS.get(macro, ()):
            made = _verbatim(stream, delimiters[number], delimiters[number + 1], name, locator)
        else:
            text = _path(argument) if macro in PATHS and number == 0 else spelled(argument)
            made = Argument(decode(text), _argument_span(argument, name, locator))
        if made is None:
            log.error("scattered-use", f"the arguments of {macro.value} come from another macro", span,
                      notes=notes, fix=f"write {form} with the arguments one by one")
            return None
        arguments.append(made)
    if macro in PATHS and not _check_path(pieces[0], locator, notes, log):
        return None
    return Use(macro, first, last, pieces, tuple(arguments), span, name.copy)


def _verbatim(stream: Stream, before: int, after: int, name: Piece, locator: Locator) -> Argument | None:
    """The argument between two delimiters as it is written, macro parameters and all."""
    left, right = stream.pieces[before], stream.pieces[after]
    if not (_same_text(name, left) and _same_text(name, right)) or left.made or right.made:
        return None
    file = locator.files[name.path]
    text = file.text[left.end:right.start]
    start = left.end + len(text) - len(text.lstrip())
    end = start + len(text.strip())
    return Argument(file.shown(start, end), file.span(start, end))


def _argument_span(argument: Sequence[Piece], name: Piece, locator: Locator) -> Span:
    first, last = argument[0], argument[-1]
    whole = _same_text(first, last) and first.start >= 0 and last.end > first.start
    return locator.span(first, last) if whole else locator.span(name)


def _path(argument: Sequence[Piece]) -> str:
    """A path without blanks, its indexes in decimal."""
    return "".join(str(_integer(p.text)) if p.kind is Kind.NUMBER and _INTEGER.fullmatch(p.text) else p.text
                   for p in argument)


def _integer(text: str) -> int:
    """The value of a C integer constant (C11 6.4.4.1)."""
    digits = text.rstrip("uUlL")
    octal = len(digits) > 1 and digits.startswith("0") and digits.isdigit()
    return int(digits, 8 if octal else 0)


def _check_path(argument: Sequence[Piece], locator: Locator, notes: tuple[Note, ...], log: Log) -> bool:
    """Whether this is NAME ( .NAME | ->NAME | [INTEGER] )*; complains about the first piece that is out of place."""
    wanted, at = "a variable's name", 0
    while at < len(argument):
        piece = argument[at]
        if wanted.endswith("name"):
            good = piece.kind is Kind.NAME
            wanted = "`.`, `->` or `[`"
        elif piece.text in (".", "->"):
            good, wanted = True, "a member's name"
        else:
            good = (piece.text == "[" and at + 2 < len(argument) and argument[at + 2].text == "]"
                    and _INTEGER.fullmatch(argument[at + 1].text) is not None)
            at += 2 if good else 0
        if not good:
            return _not_a_path(piece, locator, notes, log)
        at += 1
    return wanted.startswith("`") or _not_a_path(argument[-1], locator, notes, log)


def _not_a_path(piece: Piece, locator: Locator, notes: tuple[Note, ...], log: Log) -> bool:
    log.error("not-a-path", f"`{decode(piece.text)}` does not belong in a path to a variable",
              locator.span(piece), notes=notes, fix="a path is a name followed by .member, ->member and [constant]")
    return False


def _is_comma(stream: Stream, index: int, opening: int) -> bool:
    return stream.text(index) == "," and _argument_depth(stream, index, opening)


def _argument_depth(stream: Stream, index: int, opening: int) -> bool:
    """Whether no parenthesis stands between a piece and the one at `opening`; brackets and braces do not count."""
    parent = stream.parent[index]
    while parent != opening and stream.text(parent) != "(":
        parent = stream.parent[parent]
    return parent == opening


def _same_text(one: Piece, other: Piece) -> bool:
    return one.path == other.path and one.copy == other.copy
