# SPDX-License-Identifier: GPL-2.0-or-later
"""Which uses are evaluated only where LOCAL_VAR_AVAILABLE(x) holds.

A fact is "x is available", known from a place in the text on: in a branch of `if`, `while`, `for` or `?:`,
behind `&&` or `||`, and behind `if (!LOCAL_VAR_AVAILABLE(x)) return 0;`.  Facts are never guessed: a wrong
one would let a handler run with a value that is not there.  So a label ends every fact known before it
(control may come from anywhere), a `case` those known inside its switch.  Macros that hold no use are not
expanded: the arguments of the module's own give no facts, since what the macro makes of them is not looked
at, and one that is a fragment of an expression or of a statement ends every fact.  The kernel's macros are
taken to be whole expressions, statements or heads of loops.

The structure of statements is read from the tokens, not from libclang's tree: an expression with a use of
unknown type can make libclang drop the statement around it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from localvar.source.lexer import Kind, Token
from localvar.source.stream import Definition, Stream

Facts = frozenset[tuple[str, int]]
"""(variable, index of the piece from which on it is known to be available)."""

_NONE: Facts = frozenset()
_JUMPS = frozenset({"return", "goto", "break", "continue"})
_ASSIGNMENTS = frozenset({"=", "+=", "-=", "*=", "/=", "%=", "&=", "|=", "^=", "<<=", ">>="})
_KEYWORDS = frozenset({"if", "else", "for", "while", "do", "switch", "case", "default", "return", "goto",
                       "break",
                       "continue"})
_STRUCTURE = frozenset({"&&", "||", "!", "?", ":", ",", ";", "{", "}", "(", ")", *_ASSIGNMENTS})
_TRANSPARENT = frozenset({"likely", "unlikely", "WARN_ON", "WARN_ON_ONCE"})
"""Macros of the kernel whose value is the truth of their one argument."""


class _Flow(NamedTuple):
    """What follows a statement: the index behind it, the facts known there, whether control never gets there,
    and
    whether an `else` there would surely belong to an `if` before the statement."""

    next: int
    facts: Facts
    leaves: bool = False
    clear: bool = True


class Truth(NamedTuple):
    """The facts that hold where an expression is not zero, and where it is zero."""

    yes: Facts = _NONE
    no: Facts = _NONE


def guarded(stream: Stream, first: int, last: int, available: Mapping[int, tuple[int, str]],
            macros: Mapping[str, Sequence[Definition]]) -> dict[int, frozenset[str]]:
    """For each name piece between the braces `first` and `last` of a function body: the variables known available.

    available: the uses of LOCAL_VAR_AVAILABLE, by the index of their name: index of their last piece, and
    variable. macros: the module's own.
    """
    breaking = {name for name, definitions in macros.items() if any(_breaks(d.body) for d in definitions)}
    barriers = [i for i in range(first + 1, last) if stream.text(i) in breaking]
    walk = _Walk(stream, available, macros, barriers)
    walk.block(first + 1, last, _NONE)
    return walk.known


def _breaks(body: Sequence[Token]) -> bool:
    """Whether a macro may be more than an operand, a statement or the head of a loop.

    A fragment of an expression or of a statement gives the tokens around it another meaning than they look
    like.
    """
    words = [t.text for t in body]
    if words[:2] == ["do", "{"] and words[-5:] == ["}", "while", "(", "0", ")"]:
        return False
    called = bool(body) and body[0].kind is Kind.NAME and words[0] not in _KEYWORDS - {"for", "while"}
    group = words[1:] if called else words
    if group[:1] == ["("] and _closing(group) == len(group) - 1:
        return False
    return any(word in _KEYWORDS or word in _STRUCTURE for word in words)


def _closing(words: Sequence[str]) -> int:
    """The index of the parenthesis that closes the first one."""
    depth = 0
    for index, word in enumerate(words):
        depth += (word == "(") - (word == ")")
        if depth == 0:
            return index
    return -1


class _Walk:
    """One pass over a function body, in the order of the text."""

    def __init__(self, stream: Stream, available: Mapping[int, tuple[int, str]], macros: Collection[str],
                 barriers: list[int]) -> None:
        self._stream, self._available, self._macros, self._barriers = stream, available, macros, barriers
        self._ended: list[tuple[int, int]] = []
        self._switches: list[int] = []
        self.known: dict[int, frozenset[str]] = {}

    def block(self, at: int, end: int, facts: Facts) -> bool:
        """The statements in [at, end); whether control never gets to the end."""
        leaves = False
        while at < end:
            at, facts, leaves, _ = self._statement(at, end, facts)
        return leaves

    def _statement(self, at: int, end: int, facts: Facts) -> _Flow:
        word = self._stream.text(at)
        if word == "{":
            close = self._partner(at, end)
            return _Flow(close + 1, facts, self.block(at + 1, close, facts))
        heads = {"if": self._if, "while": self._while, "for": self._for, "switch": self._switch}
        if word in heads and self._stream.text(at + 1) == "(":
            return heads[word](at, end, facts)
        if word == "do":
            return self._do(at, end, facts)
        if word in ("case", "default"):
            self._ended.append((self._switches[-1] if self._switches else 0, at))
            return self._statement_or_end(self._colon(at, end) + 1, end, facts)
        if self._stream.text(at + 1) == ":" and self._is_name(at):
            self._ended.append((0, at))
            return self._statement_or_end(at + 2, end, facts)
        return self._simple(at, end, facts)

    def _statement_or_end(self, at: int, end: int, facts: Facts) -> _Flow:
        return self._statement(at, end, facts) if at < end else _Flow(end, facts)

    def _if(self, at: int, end: int, facts: Facts) -> _Flow:
        close = self._partner(at + 1, end)
        truth = self._expression(at + 2, close, facts)
        then = self._statement_or_end(close + 1, end, facts | truth.yes)
        if then.next >= end or self._stream.text(then.next) != "else":
            return _Flow(then.next, facts | truth.no if then.leaves else facts, clear=False)
        sure = truth if then.clear else Truth()
        other = self._statement_or_end(then.next + 1, end, facts | sure.no)
        after = facts | (sure.no if then.leaves else _NONE) | (sure.yes if other.leaves else _NONE)
        return _Flow(other.next, after, then.leaves and other.leaves, other.clear)

    def _while(self, at: int, end: int, facts: Facts) -> _Flow:
        close = self._partner(at + 1, end)
        truth = self._expression(at + 2, close, facts)
        return self._loop(close + 1, end, facts, truth)

    def _loop(self, at: int, end: int, facts: Facts, truth: Truth) -> _Flow:
        body = self._statement_or_end(at, end, facts | truth.yes)
        return _Flow(body.next, facts, clear=body.clear)

    def _for(self, at: int, end: int, facts: Facts) -> _Flow:
        close = self._partner(at + 1, end)
        parts = self._parts(at + 2, close, ";")
        truth = Truth()
        for number, (start, stop) in enumerate(parts):
            found = self._expression(start, stop, facts | truth.yes)
            truth = found if number == 1 else truth
        return self._loop(close + 1, end, facts, truth)

    def _switch(self, at: int, end: int, facts: Facts) -> _Flow:
        close = self._partner(at + 1, end)
        self._expression(at + 2, close, facts)
        self._switches.append(at)
        body = self._statement_or_end(close + 1, end, facts)
        self._switches.pop()
        return _Flow(body.next, facts, clear=body.clear)

    def _do(self, at: int, end: int, facts: Facts) -> _Flow:
        body = self._statement_or_end(at + 1, end, facts)
        if self._stream.text(body.next) != "while" or self._stream.text(body.next + 1) != "(":
            return _Flow(body.next, facts, clear=False)
        close = self._partner(body.next + 1, end)
        self._expression(body.next + 2, close, facts)
        return _Flow(min(close + 2, end), facts)

    def _simple(self, at: int, end: int, facts: Facts) -> _Flow:
        """A jump, an expression, a declaration, or a macro that stands for the head of a loop."""
        jump = self._stream.text(at) in _JUMPS
        call = self._is_name(at) and self._stream.text(at + 1) == "("
        head = self._stream.partner.get(at + 1) if call else None
        if head is not None and head + 1 < end and not jump:
            following = self._stream.text(head + 1)
            if following == "{" or (self._is_name(head + 1) and following != "else"):
                self._expression(at, head + 1, facts)
                return self._loop(head + 1, end, facts, Truth())._replace(clear=False)
            if following == "else":
                self._expression(at, head + 1, facts)
                return _Flow(head + 1, facts, clear=False)
        stop = at
        while stop < end and self._stream.text(stop) != ";":
            stop = self._partner(stop, end) + 1
        self._expression(at + jump, min(stop, end), facts)
        return _Flow(min(stop, end) + 1, facts, jump, self._stream.text(at) not in self._macros)

    def _expression(self, at: int, end: int, facts: Facts) -> Truth:
        """An expression or the arguments of a call; operators from the loosest to the tightest (C11 6.5)."""
        parts = self._parts(at, end, ",")
        if len(parts) > 1:
            return [self._expression(start, stop, facts) for start, stop in parts][-1]
        question = self._find(at, end, {"?"})
        assignment = self._find(at, question, _ASSIGNMENTS)
        if assignment < question:
            self._expression(at, assignment, facts)
            self._expression(assignment + 1, end, facts)
            return Truth()
        if question < end:
            return self._conditional(at, question, end, facts)
        for operator in ("||", "&&"):
            parts = self._parts(at, end, operator)
            if len(parts) > 1:
                return self._logical(parts, operator == "&&", facts)
        return self._unary(at, end, facts)

    def _conditional(self, at: int, question: int, end: int, facts: Facts) -> Truth:
        colon = self._colon(question, end)
        truth = self._expression(at, question, facts)
        self._expression(question + 1, colon, facts | truth.yes)
        self._expression(colon + 1, end, facts | truth.no)
        return Truth()

    def _logical(self, parts: list[tuple[int, int]], conjunction: bool, facts: Facts) -> Truth:
        """a && b: b is evaluated where a holds; where all hold, all their facts do.  || the other way round."""
        gathered = _NONE
        for start, stop in parts:
            truth = self._expression(start, stop, facts | gathered)
            gathered |= truth.yes if conjunction else truth.no
        return Truth(yes=gathered) if conjunction else Truth(no=gathered)

    def _unary(self, at: int, end: int, facts: Facts) -> Truth:
        word = self._stream.text(at)
        if word == "!" and self._is_primary(at + 1, end):
            truth = self._unary(at + 1, end, facts)
            return Truth(truth.no, truth.yes)
        if self._is_primary(at, end):
            if at in self._available:
                self._note(at, end, facts)
                return Truth(yes=frozenset({(self._available[at][1], at)}))
            opening = at if word == "(" else at + 1
            if self._stream.text(opening + 1) != "{":
                return self._expression(opening + 1, end - 1, facts)
        self._operands(at, end, facts)
        return Truth()

    def _is_primary(self, at: int, end: int) -> bool:
        """Whether [at, end) is one operand whose truth is known: parenthesised, LOCAL_VAR_AVAILABLE(), likely()."""
        word = self._stream.text(at)
        if word == "!":
            return self._is_primary(at + 1, end)
        if at in self._available:
            return self._available[at][0] == end - 1
        opening = at if word == "(" else at + 1 if word in _TRANSPARENT and word not in self._macros else -1
        return self._stream.text(opening) == "(" and self._stream.partner.get(opening) == end - 1

    def _operands(self, at: int, end: int, facts: Facts) -> None:
        """What is left: operands and operators that tell nothing, and groups in brackets."""
        while at < end:
            self._note(at, at + 1, facts)
            close = self._partner(at, end)
            if close > at and self._stream.text(at - 1) in self._macros:
                self._note(at, close, facts)
            elif close > at and self._stream.text(at) == "(" and self._stream.text(at + 1) == "{":
                self.block(at + 2, self._partner(at + 1, close), facts)
            elif close > at:
                self._expression(at + 1, close, facts)
            at = close + 1

    def _note(self, at: int, end: int, facts: Facts) -> None:
        variables = frozenset(variable for variable, since in facts if self._holds(since, at))
        for index in range(at, end):
            if self._is_name(index):
                self.known[index] = self.known.get(index, variables) & variables

    def _holds(self, since: int, at: int) -> bool:
        return not (any(low <= since < high for low, high in self._ended)
                    or any(since < barrier < at for barrier in self._barriers))

    def _is_name(self, at: int) -> bool:
        return at < len(self._stream.pieces) and self._stream.pieces[at].kind is Kind.NAME

    def _partner(self, at: int, end: int) -> int:
        """The index of the bracket that closes the one at `at`, within end; `at` itself where it opens none."""
        if self._stream.text(at) not in ("(", "[", "{"):
            return at
        return min(self._stream.partner.get(at, end), end)

    def _find(self, at: int, end: int, words: Collection[str]) -> int:
        """The index of the first of these outside brackets, else end."""
        while at < end and self._stream.text(at) not in words:
            at = self._partner(at, end) + 1
        return min(at, end)

    def _colon(self, at: int, end: int) -> int:
        """The index of the `:` that belongs to the `?` or `case` at `at`."""
        depth = 0
        at += 1
        while at < end:
            word = self._stream.text(at)
            if word == ":" and depth == 0:
                return at
            depth += (word == "?") - (word == ":")
            at = self._partner(at, end) + 1
        return end

    def _parts(self, at: int, end: int, separator: str) -> list[tuple[int, int]]:
        """[at, end) split at a separator that stands outside brackets."""
        parts = []
        while True:
            stop = self._find(at, end, {separator})
            parts.append((at, stop))
            if stop >= end:
                return parts
            at = stop + 1
