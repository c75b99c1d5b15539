# SPDX-License-Identifier: GPL-2.0-or-later
"""Characters of a string found in the literals that mean it: the string's value and their spelling are built side by side."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localvar.diagnostics import Span
from localvar.source.lexer import File
from localvar.source.literals import span_inside

SPELLINGS = st.one_of(
    st.sampled_from([("a", "a"), ("(", "("), ('"', '\\"'), ("\\", "\\\\"), ("\n", "\\n"), ("A", "\\101"), ("Z", "\\x5a"),
                     ("é", "é"), ("é", "\\303\\251"), ("é", "\\xc3\\xa9"), ("?", "\\?"), ("€", "€")]),
    st.sampled_from([("", "\\\n"), ("", "\\ \r\n"), ("", '" "'), ("", '"\n\t"'), ("", '" /* " */ "')]),
)
"""Characters and how each can be written; some spellings write none."""


def joined(pieces: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """The pieces with a blank literal after hexadecimal escapes, which else would take the next digit in."""
    found: list[tuple[str, str]] = []
    for piece in pieces:
        found += [piece, ("", '" "')] if "\\x" in piece[1] or "\\1" in piece[1] else [piece]
    return found


@given(pieces=st.lists(SPELLINGS), before=st.sampled_from(["", "f(\"x\", ", "é\n\n  "]))
def test_every_character_is_found_where_its_spelling_stands(pieces: list[tuple[str, str]], before: str) -> None:
    pieces = joined(pieces)
    literal = '"' + "".join(spelling for _, spelling in pieces) + '"'
    file = File("f.c", (before + literal).encode())
    start = len(before.encode())
    span = file.span(start, start + len(literal.encode()))
    written = literal.encode()
    at, offset = 1, 0
    for character, spelling in pieces:
        size = len(spelling.encode())
        if character:
            assert span_inside(span, written, offset, 1) == file.span(start + at, start + at + size)
            offset += 1
        at += size
    end = start + len(written)
    assert span_inside(span, written, offset, 1) == file.span(end - 1, end)
    assert span_inside(span, written, offset + 1, 1) is None


def test_several_characters_are_one_span() -> None:
    written = rb'"kernel.function(\"account\")"'
    span = Span("f.c", 100, 100 + len(written), 7, 23)
    found = span_inside(span, written, 17, 7)
    assert found == Span("f.c", 100 + 19, 100 + 26, 7, 23 + 19)
    assert written[found.start - 100 : found.end - 100] == b"account"


def test_length_beyond_the_end_stops_at_the_closing_quote() -> None:
    assert span_inside(Span("f.c", 0, 4, 1, 1), b'"ab"', 1, 99) == Span("f.c", 2, 4, 1, 3)


@pytest.mark.parametrize("written", [b"COORDINATE", b'"a" MACRO "b"', b'L"a"', b'u8"a"', b"", b'"a" + 1'])
def test_what_is_no_plain_literal_has_no_places(written: bytes) -> None:
    assert span_inside(Span("f.c", 0, len(written), 1, 1), written, 0, 1) is None
