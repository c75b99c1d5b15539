# SPDX-License-Identifier: GPL-2.0-or-later
"""From a character of a string to where it is written: escapes, adjacent literals and continued lines seen through."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator

from localvar.diagnostics import Span
from localvar.source.lexer import Kind, tokenize

# A line continuation (C11 5.1.1.2, phase 2), an escape sequence (6.4.4.4), or one byte.
_STEP = re.compile(r"(?P<continued>\\[ \t]*\r?\n)|\\(?:[0-7]{1,3}|x[0-9a-fA-F]+|.)|.", re.S)


def span_inside(span: Span, written: bytes, offset: int, length: int) -> Span | None:
    """Where the characters [offset, offset + length) of a string stand that the literals in a span mean.

    written: the bytes of the span.  An offset behind the last character is that of the closing quote.  None where the
    span is not made of plain literals alone (a macro stands for them), or the string is not that long.
    """
    places = _character_places(written)
    if places is None or not 0 <= offset < len(places):
        return None
    start, end = places[offset][0], places[min(offset + max(length, 1), len(places)) - 1][1]
    before = written[:start]
    lines = before.count(b"\n")
    column = start - before.rfind(b"\n") if lines else span.column + start
    return Span(span.file, span.start + start, span.start + end, span.line + lines, column)


def _character_places(written: bytes) -> list[tuple[int, int]] | None:
    """[start, end) in written of each character of the string (as decoded from UTF-8), and of the last closing quote."""
    tokens = tokenize(written.decode("latin-1"), directives=False)
    if not tokens or any(token.kind is not Kind.STRING or written[token.start : token.start + 1] != b'"' for token in tokens):
        return None
    places: list[tuple[int, int]] = []
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    begun: int | None = None
    for start, end, value in (step for token in tokens for step in _steps(written, token.start + 1, token.end - 1)):
        begun = start if begun is None else begun
        characters = len(decoder.decode(bytes([value])))
        if characters:
            places += [(begun, end)] * characters
            begun = None
    if begun is not None:
        places += [(begun, tokens[-1].end - 1)] * len(decoder.decode(b"", final=True))
    return [*places, (tokens[-1].end - 1, tokens[-1].end)]


def _steps(written: bytes, start: int, end: int) -> Iterator[tuple[int, int, int]]:
    """(start, end, value) of each byte of a literal; what an escape's value is matters only where it begins a character."""
    text = written.decode("latin-1")
    while start < end:
        match = _STEP.match(text, start, end)
        assert match is not None, "the last alternative takes any character"
        if match["continued"] is None:
            yield start, match.end(), _value(match[0])
        start = match.end()


def _value(text: str) -> int:
    if len(text) == 1:
        return ord(text)
    if text[1] in "01234567":
        return int(text[1:], 8) & 0xFF
    return int(text[2:], 16) & 0xFF if text[1] == "x" else ord(text[1]) & 0x7F
