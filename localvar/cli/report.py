# SPDX-License-Identifier: GPL-2.0-or-later
"""Diagnostics as a compiler prints them, or as JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from typing import Any, ClassVar

import click

from localvar.diagnostics import Diagnostic, Note, Severity, Span

_COLORS = {Severity.ERROR: "red", Severity.WARNING: "magenta", Severity.NOTE: "cyan"}


@dataclass
class Reporter:
    """How this run prints: color True/False, as_json, quiet (no warnings).  Each diagnostic is printed once."""

    color: bool = False
    as_json: bool = False
    quiet: bool = False
    printed: list[Diagnostic] = field(default_factory=list)

    current: ClassVar[Reporter]

    def show(self, diagnostics: Iterable[Diagnostic]) -> None:
        """Print diagnostics on standard error; with as_json one object on standard output."""
        new = [d for d in diagnostics if d not in self.printed and not (self.quiet and d.severity is not Severity.ERROR)]
        self.printed += new
        if self.as_json:
            if new:
                print(json.dumps({"diagnostics": [as_object(d) for d in new]}))
            return
        for diagnostic in new:
            print(self.text(diagnostic), file=sys.stderr)

    def text(self, diagnostic: Diagnostic) -> str:
        """One diagnostic with its source line, caret, notes and fix."""
        lines = self._message(diagnostic.span, diagnostic.severity, f"{diagnostic.message} [{diagnostic.slug}]")
        for note in diagnostic.notes:
            lines += self._message(note.span or _bare(diagnostic.span), Severity.NOTE, note.message, note.span is not None)
        if diagnostic.fix:
            lines += self._message(_bare(diagnostic.span), Severity.NOTE, f"fix: {diagnostic.fix}", False)
        return "\n".join(lines)

    def _message(self, span: Span | None, severity: Severity, message: str, excerpt: bool = True) -> list[str]:
        where = f"{span.file}:{span.line}:{span.column}" if span and span.line else span.file if span else "localvar"
        lines = [f"{self._style(where, bold=True)}: {self._style(severity.value, fg=_COLORS[severity], bold=True)}: {message}"]
        return lines + (_excerpt(span) if span is not None and excerpt and span.line else [])

    def _style(self, text: str, **style: Any) -> str:
        return click.style(text, **style) if self.color else text


Reporter.current = Reporter(color=sys.stderr.isatty())


def _bare(span: Span | None) -> Span | None:
    return span


@cache
def _file_lines(path: str) -> list[bytes]:
    try:
        with open(path, "rb") as file:
            return file.read().splitlines()
    except OSError:
        return []


def _excerpt(span: Span) -> list[str]:
    """The source line and a caret under the span, tabs kept so that they line up."""
    lines = _file_lines(span.file)
    if not 0 < span.line <= len(lines):
        return []
    raw = lines[span.line - 1]
    text = raw.decode("utf-8", "replace")
    before = raw[: span.column - 1].decode("utf-8", "replace")
    inside = raw[span.column - 1 : span.column - 1 + max(span.end - span.start, 1)].decode("utf-8", "replace")
    pad = "".join("\t" if ch == "\t" else " " for ch in before)
    return [f"{span.line:5} | {text}", f"      | {pad}^{'~' * (len(inside) - 1)}"]


def as_object(diagnostic: Diagnostic) -> dict[str, Any]:
    """A diagnostic as JSON values."""
    return {
        "severity": diagnostic.severity.value, "slug": diagnostic.slug, "message": diagnostic.message,
        **_place(diagnostic.span), "notes": [_note(note) for note in diagnostic.notes], "fix": diagnostic.fix,
    }


def _note(note: Note) -> dict[str, Any]:
    return {"message": note.message, **_place(note.span)}


def _place(span: Span | None) -> dict[str, Any]:
    return {"file": span.file if span else None, "line": span.line if span else None, "column": span.column if span else None}
