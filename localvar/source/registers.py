# SPDX-License-Identifier: GPL-2.0-or-later
"""Whether uses read through the registers of the probe that fired.

A use reads through its function's pt_regs parameter.  That is the probe's where the parameter is left alone, and where
every call hands on the caller's own; with any other registers a use would give a plausible wrong value.  Calls through
pointers are not looked at.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from localvar.diagnostics import Log
from localvar.source.functions import Body
from localvar.source.lexer import Kind
from localvar.source.macros import Locator, Use
from localvar.source.stream import Piece, Stream, split

_ASSIGNMENTS = frozenset({"=", "+=", "-=", "*=", "/=", "%=", "&=", "|=", "^=", "<<=", ">>=", "++", "--"})
_OPERATORS = frozenset({"return", "sizeof", "typeof", "__typeof__", "case", "else", "do", "goto"})
_BEFORE_OPERAND = frozenset({"(", ",", "=", "return", ";", "{", "}", "[", "?", ":", "&&", "||", "!"})


def readers(bodies: Iterable[Body], using: Collection[str], calls: Mapping[str, Collection[str]]) -> frozenset[str]:
    """The functions with a pt_regs parameter that have uses, `using`, or hand registers on to one that has."""
    passing = {body.name for body in bodies if body.regs}
    found = set(using) & passing
    before = -1
    while len(found) != before:
        before = len(found)
        found |= {name for name in passing if found & set(calls[name])}
    return frozenset(found)


def check_calls(stream: Stream, bodies: Iterable[Body], called: Mapping[str, Body], locator: Locator, log: Log) -> None:
    """Complain where a function of the stream calls one of `called` with other registers than its own parameter."""
    for body in bodies:
        for index in range(body.brace, body.last):
            callee = called.get(stream.text(index)) if stream.pieces[index].kind is Kind.NAME else None
            if callee is not None and stream.text(index + 1) == "(" and stream.text(index - 1) not in (".", "->"):
                given = split(stream.pieces[index + 2:stream.partner.get(index + 1, index + 2)])
                at = callee.regs_at
                if at is not None and at < len(given) and not _hands_on(given[at], body.regs):
                    _complain(stream.pieces[index], given[at], callee.name, body, locator, log)


def _hands_on(argument: Sequence[Piece], name: str | None) -> bool:
    """Whether an argument is the parameter of this name, perhaps in parentheses or cast."""
    words = [piece.text for piece in argument]
    while words[:1] == ["("] and words[-1:] == [")"]:
        words = words[1:-1]
    if words[:1] == ["("] and "pt_regs" in words and words.count(")") == 1:
        words = words[words.index(")") + 1:]
    return bool(name) and words == [name]


def _complain(piece: Piece, argument: Sequence[Piece], callee: str, caller: Body, locator: Locator, log: Log) -> None:
    place = argument[0] if argument else piece
    own = f"pass {caller.regs}" if caller.regs else f"give {caller.name}() a parameter `struct pt_regs *regs`, and pass that"
    log.error("other-registers", f"{callee}() reads variables of the probed code, and these are not the probe's registers",
              locator.span(place), notes=locator.notes(place.copy), fix=own)


def check_name(body: Body, uses: Sequence[Use], locator: Locator, log: Log) -> None:
    """Complain where the name of a function's pt_regs parameter, through which the uses read, means something else."""
    name, stream = body.regs, body.stream
    for index in range(body.brace, body.last):
        if stream.text(index) == name and _changes(stream, index):
            piece = stream.pieces[index]
            log.error("regs-changed", f"{name} does not stay the probe's registers in {body.name}()",
                      locator.span(piece), notes=locator.notes(piece.copy),
                      fix=f"leave the parameter {name} alone and give the other value another name")
    for use in uses:
        copy = use.copy
        while copy:
            carrier = locator.copies[copy].carrier
            if name in (carrier.parameters or ()):
                log.error("regs-hidden", f"{name} is a parameter of the macro {carrier.name}", use.span,
                          notes=locator.notes(copy), fix="give the macro's parameter another name")
            copy = locator.copies[copy].parent


def _changes(stream: Stream, index: int) -> bool:
    """Whether the name at index is assigned, declared anew, or has its address taken."""
    before, after = stream.text(index - 1), stream.text(index + 1)
    if before in (".", "->"):
        return False
    if after in _ASSIGNMENTS or before in ("++", "--"):
        return True
    if before == "&":
        return stream.text(index - 2) in _BEFORE_OPERAND
    declared = index - 1
    while stream.text(declared) in ("*", "const", "volatile", "restrict"):
        declared -= 1
    around = stream.parent[index]
    prototype = stream.text(around) == "(" and after in (",", ")")
    owner = (stream.text(around - 1), stream.text(around - 2)) if stream.text(around) == "{" else ()
    typed = stream.pieces[declared].kind is Kind.NAME and stream.text(declared) not in _OPERATORS
    return typed and not prototype and not {"struct", "union"} & set(owner)
