# SPDX-License-Identifier: GPL-2.0-or-later
"""Pieces of a coordinate's text that know where they stand, so that an error can point at them."""

from __future__ import annotations

import re
from dataclasses import dataclass

BLANKS = " \t\r\n"

MAX_DIGITS = 20
"""Of a number: 2**64 has as many."""

_NAME = re.compile(r"(?:[A-Za-z0-9_.$*?-]|\[!?[A-Za-z0-9_.$-]+\])+")
_FILE = re.compile(r"(?:[A-Za-z0-9_.$*?/-]|\[!?[A-Za-z0-9_.$-]+\])+")
_DECIMAL = re.compile(r"0|[1-9][0-9]*")
_HEX = re.compile(r"0[xX][0-9A-Fa-f]+")


class CoordinateError(Exception):
    """The text is no coordinate.  offset and length (in characters, length at least 1) say which part."""

    def __init__(self, message: str, offset: int, length: int, fix: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.offset = offset
        self.length = max(length, 1)
        self.fix = fix


@dataclass(frozen=True)
class Lexeme:
    """Part of a coordinate's text, and its offset there."""

    text: str
    offset: int

    def part(self, start: int, end: int | None = None) -> Lexeme:
        """The characters [start, end) of this part."""
        return Lexeme(self.text[start:end], self.offset + start)

    def split(self, separator: str) -> list[Lexeme]:
        """The parts between separators (one character)."""
        parts, start = [], 0
        for text in self.text.split(separator):
            parts.append(self.part(start, start + len(text)))
            start += len(text) + 1
        return parts

    def error(self, message: str, fix: str | None = None) -> CoordinateError:
        """An error that points at this part."""
        return CoordinateError(message, self.offset, len(self.text), fix)


def check_name(lexeme: Lexeme, what: str) -> str:
    """The lexeme as name or glob of [A-Za-z0-9_.$-], `*`, `?`, `[a-z]`, `[!a-z]`; what ("function") it names.

    The text goes into generated C and into messages: nothing else may pass.
    """
    return _check(lexeme, _NAME, what)


def check_file(lexeme: Lexeme) -> str | None:
    """The lexeme as glob of a file's path, None where it is `*`: any file."""
    text = _check(lexeme, _FILE, "file")
    return None if text == "*" else text


def check_function(lexeme: Lexeme) -> str:
    """The lexeme as glob of functions' names."""
    name = check_name(lexeme, "function")
    if name[0].isdigit():
        raise lexeme.error(f"`{name}`: a function's name does not start with a digit")
    return name


def check_number(lexeme: Lexeme, what: str, low: int, high: int, *, hexadecimal: bool = False) -> int:
    """The lexeme as a number in [low, high], decimal or (where allowed) 0x…; octal is an error."""
    text = lexeme.text
    if len(text) > MAX_DIGITS:
        raise lexeme.error(f"{what} expected, of at most {MAX_DIGITS} digits")
    if _DECIMAL.fullmatch(text):
        value = int(text)
    elif hexadecimal and _HEX.fullmatch(text):
        value = int(text, 16)
    elif text.isdigit():
        raise lexeme.error(f"`{text}`: a number does not start with 0", f"write {text.lstrip('0') or '0'}")
    else:
        raise lexeme.error(f"{what} expected" + (f", not `{text}`" if text else ""))
    if not low <= value <= high:
        raise lexeme.error(f"{what} is between {low} and {high:#x}" if hexadecimal
                           else f"{what} is between {low} and {high}")
    return value


def _check(lexeme: Lexeme, grammar: re.Pattern[str], what: str) -> str:
    text = lexeme.text
    if not text:
        raise lexeme.error(f"a {what}'s name is missing")
    match = grammar.match(text)
    end = match.end() if match else 0
    if end < len(text):
        bad = lexeme.part(end, end + 1)
        if bad.text in "[]":
            raise bad.error(f"`{bad.text}` in the {what}'s name `{text}` is not part of a character class",
                            "a class is written [abc], [a-z] or [!a-z]")
        raise bad.error(f"{_show(bad.text)} cannot be in a {what}'s name")
    return text


def _show(character: str) -> str:
    return "a blank" if character in BLANKS else f"`{character}`"


class Cursor:
    """Reads tokens of SystemTap's form from left to right; blanks between tokens mean nothing."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def skip(self) -> None:
        """Go past blanks."""
        while self.at < len(self.text) and self.text[self.at] in BLANKS:
            self.at += 1

    def peek(self) -> str:
        """The next character that is not blank, "" at the end."""
        self.skip()
        return self.text[self.at:self.at + 1]

    def accept(self, character: str) -> bool:
        """Go past character where it comes next."""
        if self.peek() != character:
            return False
        self.at += 1
        return True

    def expect(self, character: str, after: str) -> None:
        """Go past character, which must come next; after says what stands before it."""
        if not self.accept(character):
            raise self.here(1).error(f"`{character}` expected after {after}")

    def word(self) -> Lexeme:
        """The next run of letters, empty where none comes."""
        self.skip()
        start = self.at
        while self.at < len(self.text) and (self.text[self.at].isalnum() or self.text[self.at] == "_"):
            self.at += 1
        return Lexeme(self.text[start:self.at], start)

    def here(self, length: int | None = None) -> Lexeme:
        """What comes next: length characters, or all that is left."""
        self.skip()
        return Lexeme(self.text[self.at:None if length is None else self.at + length], self.at)

    def argument(self, after: str) -> tuple[Lexeme, bool]:
        """`("text")` or `(text)`: the text without its quotes, and whether it had them."""
        self.expect("(", after)
        quoted = self.accept('"')
        if not quoted:
            self.skip()
        start = self.at
        end = self.text.find('"' if quoted else ")", start)
        if end < 0:
            message = "the name has no closing quote" if quoted else f"the `(` after {after} is not closed"
            raise Lexeme(self.text[start - 1:], start - 1).error(message)
        text = self.text[start:end] if quoted else self.text[start:end].rstrip(BLANKS)
        self.at = end + 1 if quoted else end
        self.expect(")", "the name")
        return Lexeme(text, start), quoted
