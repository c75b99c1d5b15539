# SPDX-License-Identifier: GPL-2.0-or-later
"""The functions and declarations of a stream, the functions' pt_regs parameter, and what they refer to."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from localvar.diagnostics import Span
from localvar.source.lexer import Kind
from localvar.source.macros import Locator
from localvar.source.parse import Initialised, Signature
from localvar.source.stream import Definition, Piece, Stream

_REGS = re.compile(r"(?:(?:const|volatile) )*struct pt_regs \*(?: ?(?:const|volatile|restrict|__restrict))*")


@dataclass(frozen=True)
class Body:
    """A function definition in a stream: pieces `first` (of its declaration) to `last` (its closing brace).

    signature is None where the compiler has none: the function's body is made by a macro.  regs: the name of its
    struct pt_regs * parameter, "" where that has none.
    """

    name: str
    stream: Stream
    first: int
    brace: int
    last: int
    signature: Signature | None
    regs: str | None
    span: Span

    @property
    def regs_at(self) -> int | None:
        """Which of the parameters the registers are; None where there are none, or a macro makes the declaration."""
        kinds = [kind for _, kind in self.signature.parameters] if self.signature is not None else []
        return next((number for number, kind in enumerate(kinds) if _REGS.fullmatch(kind)), None)


@dataclass(frozen=True)
class Declaration:
    """A declaration at file scope, with the names of what it initialises."""

    stream: Stream
    first: int
    last: int
    variables: tuple[str, ...]


def items(stream: Stream, signature_at: Callable[[Piece], Signature | None],
          initialised_at: Callable[[Piece], Initialised | None],
          locator: Locator) -> tuple[list[Body], list[Declaration]]:
    """The functions and the other declarations of a stream, in order.

    signature_at, initialised_at: what the compiler says that a brace, which stands in a file, begins.
    """
    bodies: list[Body] = []
    declarations: list[Declaration] = []
    first = at = 0
    while at < len(stream.pieces):
        text = stream.text(at)
        end = stream.partner.get(at, len(stream.pieces)) if text in ("(", "[", "{") else at
        if text == "{" and end < len(stream.pieces):
            body = _body(stream, first, at, end, signature_at, locator)
            if body is not None:
                bodies.append(body)
                first = end + 1
        elif text == ";":
            declarations.append(Declaration(stream, first, at, _initialised(stream, first, at, initialised_at)))
            first = at + 1
        at = end + 1
    return bodies, declarations


def _body(stream: Stream, first: int, brace: int, last: int,
          signature_at: Callable[[Piece], Signature | None], locator: Locator) -> Body | None:
    signature = _signature(stream, first, brace, signature_at)
    if signature is not None:
        name, regs = signature.name, _regs_parameter(signature)
    else:
        made = _made_by_macro(stream, first, brace) if stream.pieces[brace].copy else None
        if made is None:
            return None
        name, regs = made
    start, end = outermost(stream.pieces[first], locator), outermost(stream.pieces[last], locator)
    span = locator.files[stream.path].span(start[0], end[1])
    return Body(name, stream, first, brace, last, signature, regs, span)


def _signature(stream: Stream, first: int, brace: int,
               signature_at: Callable[[Piece], Signature | None]) -> Signature | None:
    """What the compiler calls the function at its brace; where it skipped the body, at its name."""
    names = [stream.pieces[group - 1] for group in reversed(_groups(stream, first, brace))]
    known = (signature_at(piece) for piece in (stream.pieces[brace], *names) if not piece.copy)
    return next((signature for signature in known if signature is not None), None)


def _groups(stream: Stream, first: int, brace: int) -> list[int]:
    """The parentheses behind names in the declaration [first, brace); none where it has an initialiser."""
    level = [i for i in range(first, brace) if stream.parent[i] == stream.parent[brace]]
    if any(stream.text(i) == "=" for i in level):
        return []
    return [i for i in level if i > first and stream.text(i) == "(" and stream.pieces[i - 1].kind is Kind.NAME]


def outermost(piece: Piece, locator: Locator) -> tuple[int, int]:
    """The bytes of the file in which a piece, or the macro use it comes from, is written."""
    start, end, copy = piece.start, piece.end, piece.copy
    while copy:
        use = locator.copies[copy]
        start, end, copy = use.start, use.end, use.parent
    return start, end


def _regs_parameter(signature: Signature) -> str | None:
    return next((name for name, kind in signature.parameters if _REGS.fullmatch(kind)), None)


def _made_by_macro(stream: Stream, first: int, brace: int) -> tuple[str, str | None] | None:
    """Name and pt_regs parameter of a function whose body stands in a macro, read from its declaration's tokens."""
    groups = _groups(stream, first, brace)
    if not groups:
        return None
    for group in groups:
        for i in range(group, stream.partner.get(group, group)):
            named = stream.text(i) == "pt_regs" and stream.text(i + 1) == "*"
            if named and stream.pieces[i + 2].kind is Kind.NAME:
                return stream.text(group - 1), stream.text(i + 2)
    return stream.text(groups[-1] - 1), None


def _initialised(stream: Stream, first: int, last: int,
                 initialised_at: Callable[[Piece], Initialised | None]) -> tuple[str, ...]:
    """The variables that a declaration initialises: the compiler's word, or the names in front of the `=`."""
    found = []
    for equals in range(first, last):
        if stream.text(equals) == "=" and stream.parent[equals] == stream.parent[last]:
            brace = stream.pieces[equals + 1]
            known = initialised_at(brace) if brace.text == "{" and not brace.copy else None
            found.append(known.variable if known is not None else _declared(stream, first, equals))
    return tuple(name for name in found if name)


def _declared(stream: Stream, first: int, equals: int) -> str | None:
    """The name in front of an `=`, behind which its array bounds or attributes may stand."""
    at = equals - 1
    while at > first and stream.text(at) in ("]", ")"):
        at = stream.partner.get(at, first) - 1
    return stream.text(at) if at >= first and stream.pieces[at].kind is Kind.NAME else None


def references(bodies: Sequence[Body], declarations: Iterable[Declaration],
               macros: Mapping[str, Sequence[Definition]]) -> dict[str, frozenset[str]]:
    """For each function the functions among them that it calls or takes the address of.

    Directly, through the module's macros, or through a variable of the module whose initialiser names them.
    """
    names = {body.name: _names(body.stream, body.brace, body.last) for body in bodies}
    through: dict[str, set[str]] = {}
    for name, definitions in macros.items():
        through[name] = {t.text for d in definitions for t in d.body if t.kind is Kind.NAME}
    for declaration in declarations:
        for variable in declaration.variables:
            found = _names(declaration.stream, declaration.first, declaration.last) - {variable}
            through.setdefault(variable, set()).update(found)
    return {name: frozenset(_reached(found, through) & names.keys()) for name, found in names.items()}


def _names(stream: Stream, first: int, last: int) -> set[str]:
    return {stream.text(i) for i in range(first, last + 1)
            if stream.pieces[i].kind is Kind.NAME and stream.text(i - 1) not in (".", "->")}


def _reached(names: set[str], through: Mapping[str, Collection[str]]) -> set[str]:
    """The names, and those that they stand for, and so on."""
    reached: set[str] = set()
    pending = list(names)
    while pending:
        name = pending.pop()
        if name not in reached:
            reached.add(name)
            pending += through.get(name, ())
    return reached
