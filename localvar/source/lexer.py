# SPDX-License-Identifier: GPL-2.0-or-later
"""C text to preprocessing tokens with byte offsets (C11 6.4).

Text is bytes read as Latin-1, one character per byte, so that an offset is a byte offset whatever the file
holds. Blanks and comments are left out.  A preprocessing directive is one token.
"""

from __future__ import annotations

import bisect
import enum
import re
import sys
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from localvar.diagnostics import Span


class Kind(enum.Enum):
    """What a token is."""

    NAME = "name"
    NUMBER = "number"
    STRING = "string"
    CHARACTER = "character"
    PUNCTUATOR = "punctuator"
    DIRECTIVE = "directive"
    OTHER = "other"


class Token(NamedTuple):
    """One token: its text with line continuations taken out, and the bytes [start, end) where it is written."""

    kind: Kind
    text: str
    start: int
    end: int


_CONTINUATION = r"\\[ \t]*\r?\n"
_COMMENT = r"/\*.*?(?:\*/|\Z)|//(?:" + _CONTINUATION + r"|[^\n])*"
_QUOTED = r"(?:u8|[uUL])?\"(?:" + _CONTINUATION + r"|\\.|[^\"\\\n])*\""
_DIRECTIVE = re.compile(r"(?:#|%:)(?:" + _CONTINUATION + "|" + _COMMENT + "|" + _QUOTED + r"|[^\n])*", re.S)
_TOKEN = re.compile(
    "|".join((
        rf"(?P<blank>(?:[ \t\f\v\r]|{_CONTINUATION})+)",
        r"(?P<newline>\n)",
        rf"(?P<comment>{_COMMENT})",
        rf"(?P<string>{_QUOTED})",
        rf"(?P<character>[uUL]?'(?:{_CONTINUATION}|\\.|[^'\\\n])*')",
        rf"(?P<name>[A-Za-z_$\x80-\xff](?:[\w$\x80-\xff]|{_CONTINUATION})*)",
        rf"(?P<number>\.?[0-9](?:[eEpP][+-]|[\w.]|{_CONTINUATION})*)",
        r"(?P<punctuator>\.\.\.|<<=|>>=|->|\+\+|--|<<|>>|[<>=!+\-*/%&|^]=|&&|\|\||\#\#"
        r"|[\[\](){}.&*+\-~!/%<>^|?:;=,\#])",
        r"(?P<other>.)",
    )),
    re.S | re.A,
)
_KINDS = {kind.value: kind for kind in Kind}
_NOWHERE = (sys.maxsize, sys.maxsize)
_SPLICE = re.compile(_CONTINUATION)


def tokenize(text: str, start: int = 0, end: int | None = None, *, directives: bool = True) -> list[Token]:
    """The tokens of text[start:end].  directives: a `#` that comes first on a line begins one (False inside one)."""
    tokens: list[Token] = []
    stop = len(text) if end is None else end
    fresh = True
    while start < stop:
        match = _TOKEN.match(text, start, stop)
        assert match is not None and match.lastgroup is not None, "the last alternative takes any character"
        group = match.lastgroup
        if group == "newline":
            fresh = True
        elif group not in ("blank", "comment"):
            if fresh and directives and match[0] == "#":
                match = _DIRECTIVE.match(text, start, stop)
                assert match is not None, "it begins with #"
                group = "directive"
            fresh = False
            tokens.append(Token(_KINDS[group], _joined(match[0], group), match.start(), match.end()))
        start = match.end()
    return tokens


def _joined(text: str, group: str) -> str:
    return _SPLICE.sub("", text) if "\\" in text and group in ("name", "number", "string") else text


def alive(tokens: Iterable[Token], dead: Iterable[tuple[int, int]]) -> Iterator[Token]:
    """The tokens, in order, that begin outside the ranges of bytes `dead`, which come in order too."""
    ranges = iter(dead)
    start, end = next(ranges, _NOWHERE)
    for token in tokens:
        while token.start >= end:
            start, end = next(ranges, _NOWHERE)
        if token.start < start:
            yield token


def directive_end(text: str, start: int) -> int:
    """Where the directive ends whose `#` is at start: at its newline, which comments and continuations can hide."""
    match = _DIRECTIVE.match(text, start)
    return match.end() if match is not None else start


def decode(text: str) -> str:
    """Latin-1 text of a token as the user sees it."""
    return text.encode("latin-1").decode("utf-8", "replace")


class File:
    """A source file: its text, and from offsets to spans."""

    def __init__(self, path: str, data: bytes) -> None:
        self.path = path
        self.data = data
        self.text = data.decode("latin-1")
        self._lines = [0, *(m.end() for m in re.finditer("\n", self.text))]

    def span(self, start: int, end: int) -> Span:
        """The bytes [start, end) of this file, with the line and column of start."""
        line = bisect.bisect_right(self._lines, start) - 1
        return Span(self.path, start, end, line + 1, start - self._lines[line] + 1)

    def shown(self, start: int, end: int) -> str:
        """The bytes [start, end) as text for people."""
        return decode(self.text[start:end])
