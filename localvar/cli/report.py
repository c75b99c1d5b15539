# SPDX-License-Identifier: GPL-2.0-or-later
"""What a run says: diagnostics as a compiler prints them, or everything as one JSON object."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import click

from localvar.diagnostics import Diagnostic, Note, Severity, Span

_COLORS = {Severity.ERROR: "red", Severity.WARNING: "magenta", Severity.NOTE: "cyan"}
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")


@dataclass
class Reporter:
    """How this run prints: color True/False, as_json, quiet (no warnings).  Each diagnostic is printed once.

    Text goes out at once, diagnostics to standard error.  With as_json nothing is printed before finish(), which
    prints one object on standard output: the command's answer, and the diagnostics where there are any.
    """

    color: bool = False
    as_json: bool = False
    quiet: bool = False
    printed: list[Diagnostic] = field(default_factory=list)
    answered: dict[str, Any] = field(default_factory=dict)
    _files: dict[str, list[bytes]] = field(default_factory=dict)

    current: ClassVar[Reporter]

    def show(self, diagnostics: Iterable[Diagnostic]) -> None:
        """Say diagnostics."""
        for diagnostic in diagnostics:
            if diagnostic in self.printed or (self.quiet and diagnostic.severity is not Severity.ERROR):
                continue
            self.printed.append(diagnostic)
            if not self.as_json:
                print(self.text(diagnostic), file=sys.stderr)

    def answer(self, document: dict[str, Any]) -> None:
        """What the command has to say with --json."""
        self.answered.update(document)

    def finish(self) -> None:
        """Print what is left to be printed."""
        document = dict(self.answered)
        if self.printed:
            document["diagnostics"] = [as_object(diagnostic) for diagnostic in self.printed]
        if self.as_json and document:
            print(json.dumps(document))
        sys.stdout.flush()

    def text(self, diagnostic: Diagnostic) -> str:
        """One diagnostic with its source line, caret, notes and fix."""
        lines = self._message(diagnostic.span, diagnostic.severity, f"{diagnostic.message} [{diagnostic.slug}]")
        for note in diagnostic.notes:
            lines += self._message(note.span or diagnostic.span, Severity.NOTE, note.message, note.span is not None)
        if diagnostic.fix:
            lines += self._message(diagnostic.span, Severity.NOTE, f"fix: {diagnostic.fix}", False)
        return "\n".join(lines)

    def _message(self, span: Span | None, severity: Severity, message: str, excerpt: bool = True) -> list[str]:
        where = f"{span.file}:{span.line}:{span.column}" if span and span.line else span.file if span else "localvar"
        where, message = harmless(where), harmless(message)
        lines = [f"{self._style(where, bold=True)}: {self._style(severity.value, fg=_COLORS[severity], bold=True)}: {message}"]
        if span is None or not excerpt or not span.line:
            return lines
        if span.file not in self._files:
            self._files[span.file] = _file_lines(span.file)
        return lines + _excerpt(span, self._files[span.file])

    def _style(self, text: str, **style: Any) -> str:
        return click.style(text, **style) if self.color else text


Reporter.current = Reporter(color=sys.stderr.isatty())


def harmless(text: str) -> str:
    """text for a terminal: control characters, which can come from any file, are replaced."""
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)


def _file_lines(path: str) -> list[bytes]:
    try:
        with open(path, "rb") as file:
            return file.read().split(b"\n")
    except OSError:
        return []


def _excerpt(span: Span, lines: Sequence[bytes]) -> list[str]:
    """The source line and a caret under the span, tabs kept so that they line up."""
    if not 0 < span.line <= len(lines):
        return []
    raw = lines[span.line - 1].removesuffix(b"\r")
    text = raw.decode("utf-8", "replace")
    before = raw[: span.column - 1].decode("utf-8", "replace")
    inside = raw[span.column - 1 : span.column - 1 + max(span.end - span.start, 1)].decode("utf-8", "replace")
    pad = "".join("\t" if ch == "\t" else " " for ch in before)
    return [f"{span.line:5} | {harmless(text)}", f"      | {pad}^{'~' * (len(inside) - 1)}"]


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
