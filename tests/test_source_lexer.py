# SPDX-License-Identifier: GPL-2.0-or-later
"""Tokens and their offsets."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localvar.source.lexer import File, Kind, tokenize


@pytest.mark.parametrize(("text", "tokens"), [
    ("a->b . c", ["a", "->", "b", ".", "c"]),
    ("a+++b", ["a", "++", "+", "b"]),
    ("x<<=1>>2", ["x", "<<=", "1", ">>", "2"]),
    ("0x1fUL 1e+5 .5f 1.2.3", ["0x1fUL", "1e+5", ".5f", "1.2.3"]),
    (r"'\'' '\\' L'x' u8" '"y"', [r"'\''", r"'\\'", "L'x'", 'u8"y"']),
    ('"a\\"b" "/* no */" // "c"\nd', ['"a\\"b"', '"/* no */"', "d"]),
    ("a /* b\n * \" */ c // d \\\n e\nf", ["a", "c", "f"]),
    ("a\\\nb \\\n c", ["ab", "c"]),
    ("don't\nx", ["don", "'", "t", "x"]),
    ("a # b", ["a", "#", "b"]),
    ("f(...)##", ["f", "(", "...", ")", "##"]),
])
def test_tokens(text: str, tokens: list[str]) -> None:
    assert [token.text for token in tokenize(text)] == tokens


@pytest.mark.parametrize(("text", "directive"), [
    ("x\n  # define A(b) \\\n  b /* c\n d */ e\ny", "# define A(b) \\\n  b /* c\n d */ e"),
    ("x\n/* here */ #if 0 // don't\ny", "#if 0 // don't"),
    ("x\n#include <it's.h>\ny", "#include <it's.h>"),
    ("x\n#error \"unfinished\ny", "#error \"unfinished"),
    ("x\r\n#define A \\\r\n 1\r\ny", "#define A \\\r\n 1\r"),
])
def test_directive_is_one_token_to_its_last_line(text: str, directive: str) -> None:
    first, token, last = tokenize(text)
    assert (first.text, last.text) == ("x", "y")
    assert token.kind is Kind.DIRECTIVE
    assert text[token.start:token.end] == directive


@given(st.text(st.sampled_from("ab(){}[]\"'\\/*#\n\r\t ,;.->=0x1é"), max_size=60))
def test_any_text_gives_tokens_in_order_that_stand_where_they_say(text: str) -> None:
    text = text.encode().decode("latin-1")
    at = 0
    for token in tokenize(text):
        assert at <= token.start < token.end <= len(text)
        assert "\\" in text[token.start:token.end] or text[token.start:token.end] == token.text
        at = token.end


@given(st.text(st.sampled_from("aé\n\r\t"), max_size=40), st.integers(0, 80))
def test_span_has_the_line_and_byte_column_of_its_start(text: str, offset: int) -> None:
    data = text.encode()
    offset = min(offset, len(data))
    span = File("x.c", data).span(offset, offset)
    before = data[:offset].split(b"\n")
    assert (span.line, span.column) == (len(before), len(before[-1]) + 1)
