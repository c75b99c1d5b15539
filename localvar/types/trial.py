# SPDX-License-Identifier: GPL-2.0-or-later
"""Lines of C tried behind a text that the compiler has read: what of them it takes, and what it says of the rest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol


class Place(Protocol):
    """A byte of a file."""

    @property
    def path(self) -> str:
        """The file, as the compiler names it."""

    @property
    def offset(self) -> int:
        """The byte."""


class Message(Protocol):
    """An error of the compiler's."""

    @property
    def text(self) -> str:
        """What it says."""

    @property
    def place(self) -> Place | None:
        """Where."""

    @property
    def notes(self) -> Sequence[tuple[str, Place]]:
        """What it adds."""


class Parser(Protocol):
    """One file under the compiler's flags (localvar.source.parse.Unit)."""

    @property
    def path(self) -> str:
        """The file's absolute name."""

    @property
    def text(self) -> bytes:
        """Its text."""

    def check(self, text: bytes) -> Sequence[Message]:
        """The errors of another text in its place."""


@dataclass(frozen=True)
class Outcome:
    """What the compiler says of each line (None: nothing; what it adds behind a semicolon), and of headers that they bring."""

    lines: tuple[str | None, ...]
    elsewhere: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """True where nothing is wrong."""
        return not self.elsewhere and not any(self.lines)


@dataclass
class Trial:
    """Tries lines at the end of `base`."""

    parser: Parser
    base: bytes
    _known: dict[tuple[str, ...], Outcome] = field(default_factory=dict)

    def run(self, lines: Sequence[str]) -> Outcome:
        """The outcome of these lines, each complete in itself."""
        key = tuple(lines)
        if key not in self._known:
            self._known[key] = self._run(key)
        return self._known[key]

    def _run(self, lines: tuple[str, ...]) -> Outcome:
        # A declaration in front: directives right behind the base's own would change the part that is kept precompiled.
        text = bytearray(self.base + b"\nstruct localvar_types;\n")
        before, ends = len(text), []
        for line in lines:
            text += line.encode("ascii", "replace") + b"\n"
            ends.append(len(text))
        found: list[str | None] = [None] * len(lines)
        elsewhere = []
        for message in self.parser.check(bytes(text)):
            place = message.place
            if place is None or place.path != self.parser.path:
                elsewhere.append(_words(message))
            elif place.offset >= before:
                number = next((n for n, end in enumerate(ends) if place.offset < end), len(lines) - 1)
                found[number] = found[number] or _words(message)
        return Outcome(tuple(found), tuple(elsewhere))


def _words(message: Message) -> str:
    return "; ".join([message.text, *(text for text, _ in message.notes)])
