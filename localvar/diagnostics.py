# SPDX-License-Identifier: GPL-2.0-or-later
"""Diagnostics: what is wrong, where, and what to do about it; and the one exception that carries them.

A stage that finds an error in its input either collects a Diagnostic in a Log (so that several errors are
reported in one run) or raises Failure when it cannot go on.  Nothing here prints: cli/ renders.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass, field


class Severity(enum.Enum):
    """Severity of a diagnostic, in the words compilers print."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


class Exit(enum.IntEnum):
    """Exit status of the program: done, errors in the source, usage or environment."""

    DONE = 0
    SOURCE = 1
    ENVIRONMENT = 2


@dataclass(frozen=True, order=True)
class Span:
    """A range of bytes [start, end) of a file; line and column (both from 1, column in bytes) are those of start."""

    file: str
    start: int
    end: int
    line: int
    column: int


@dataclass(frozen=True)
class Note:
    """Supplement to a diagnostic: where the variable is readable, close names, what was searched."""

    message: str
    span: Span | None = None


@dataclass(frozen=True)
class Diagnostic:
    """One finding.  slug is stable text for programs ("no-such-function"); fix says what to do."""

    severity: Severity
    slug: str
    message: str
    span: Span | None = None
    notes: tuple[Note, ...] = ()
    fix: str | None = None


class Failure(Exception):
    """The work cannot go on.  Carries the diagnostics to print and the exit status."""

    def __init__(self, diagnostics: tuple[Diagnostic, ...], status: Exit = Exit.SOURCE) -> None:
        super().__init__("; ".join(d.message for d in diagnostics))
        self.diagnostics = diagnostics
        self.status = status


def error(
    slug: str, message: str, span: Span | None = None, *, notes: tuple[Note, ...] = (), fix: str | None = None
) -> Diagnostic:
    """A diagnostic of severity error."""
    return Diagnostic(Severity.ERROR, slug, message, span, notes, fix)


def source_failure(slug: str, message: str, span: Span | None = None, *, notes: tuple[Note, ...] = (),
                   fix: str | None = None) -> Failure:
    """A Failure of one error in what the user wrote: a handler, a coordinate, a name (exit status 1)."""
    return Failure((error(slug, message, span, notes=notes, fix=fix),), Exit.SOURCE)


def environment_failure(slug: str, message: str, *, notes: tuple[Note, ...] = (), fix: str | None = None) -> Failure:
    """A Failure of one error in the surroundings: no vmlinux, no build directory, damaged debug info (exit status 2)."""
    return Failure((error(slug, message, None, notes=notes, fix=fix),), Exit.ENVIRONMENT)


@dataclass
class Log:
    """Collects diagnostics of one run, in the order they are found."""

    diagnostics: list[Diagnostic] = field(default_factory=list)

    def add(self, diagnostic: Diagnostic) -> None:
        """Append one diagnostic; the same one twice is kept once."""
        if diagnostic not in self.diagnostics:
            self.diagnostics.append(diagnostic)

    def error(self, slug: str, message: str, span: Span | None = None, *, notes: tuple[Note, ...] = (),
              fix: str | None = None) -> None:
        """Append an error."""
        self.add(error(slug, message, span, notes=notes, fix=fix))

    def warning(self, slug: str, message: str, span: Span | None = None, *, notes: tuple[Note, ...] = (),
                fix: str | None = None) -> None:
        """Append a warning."""
        self.add(Diagnostic(Severity.WARNING, slug, message, span, notes, fix))

    @property
    def failed(self) -> bool:
        """True where an error (not only warnings) was collected."""
        return any(d.severity is Severity.ERROR for d in self.diagnostics)

    def check(self, status: Exit = Exit.SOURCE) -> None:
        """Raise Failure with everything collected, in the order of the text, where there is an error."""
        if self.failed:
            raise Failure(in_order(self.diagnostics), status)


def in_order(diagnostics: Sequence[Diagnostic]) -> tuple[Diagnostic, ...]:
    """Diagnostics in the order of the text that they are about, file by file; those about none first."""
    files = {diagnostic.span.file: number for number, diagnostic in reversed(list(enumerate(diagnostics))) if diagnostic.span}
    return tuple(sorted(diagnostics, key=lambda d: (files[d.span.file], d.span.start) if d.span else (-1, 0)))
