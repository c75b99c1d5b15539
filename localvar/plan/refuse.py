# SPDX-License-Identifier: GPL-2.0-or-later
"""What is said where a handler cannot have what it asks for: at one site an error, at some of many a warning."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from localvar.diagnostics import Log, Note, Span
from localvar.model.path import Path
from localvar.model.plan import Read
from localvar.model.site import Places, Site
from localvar.model.source import Macro, MacroUse, ProbeDeclaration
from localvar.plan.judge import Judge, place

Nearest = Callable[[Site, Sequence[Path]], tuple[Note, ...]]
"""Notes that say where all of the paths are readable in the site's function."""

ELSEWHERE_IS_NO_HELP = frozenset({
    "return-probe", "no-return", "no-result", "plain-kprobe", "no-address", "not-writable", "void", "abi",
})
"""Reasons that another line of the function would not change."""

_DENIED = {"not-writable": "cannot be written", "no-address": "has no address", "no-return": "is nothing"}
"""What a value cannot be that is there all the same, by the slug of the reason."""

MOST_SITES = 20
"""Sites of a probe whose variables are looked at for names."""

SHOWN = 3
"""Left-out sites that a warning names without -v."""


@dataclass(frozen=True)
class Refusals:
    """Writes the findings of one source to its log."""

    judge: Judge
    nearest: Nearest
    log: Log
    verbose: bool

    def site(self, declaration: ProbeDeclaration, places: Places) -> None:
        """A probe's only site cannot be probed."""
        [site] = places.sites
        assert site.why_not is not None
        self.log.error(site.why_not.slug, f"{place(site)} cannot be probed: {site.why_not.text}",
                       span_of(declaration, *places.named_by))

    def read(self, use: MacroUse, read: Read, wanted: Sequence[Path]) -> None:
        """A use's value is absent at a probe's only site; wanted: all that the handler reads there."""
        assert read.reason is not None
        slug, span = read.reason.slug, use.arguments[0].span if use.arguments else use.span
        if slug == "no-such-member":
            return
        if slug == "no-such-variable":
            on_entry = use.macro is Macro.GET_ENTRY_VAR
            self.log.error(slug, read.reason.text, span, notes=self._parameters(read) if on_entry else
                           self._names(read.path, [read.site]))
            return
        notes = () if slug in ELSEWHERE_IS_NO_HELP or not wanted else self.nearest(read.site, wanted)
        subject = "GET_RETURN_VALUE()" if use.macro is Macro.GET_RETURN_VALUE else f"'{read.path}'"
        self.log.error(slug, f"{subject} {_DENIED.get(slug, 'is not readable')} at {place(read.site)}: {read.reason.text}", span,
                       notes=notes)

    def _parameters(self, read: Read) -> tuple[Note, ...]:
        names = [variable.name for variable in self.judge.locations.entry_variables(read.site)]
        return (Note(f"its parameters: {', '.join(names)}" if names else "it has no parameters"),)

    def nowhere(self, use: MacroUse, path: Path, sites: Sequence[Site]) -> None:
        """No site of a probe has the variable that a use names."""
        self.log.error("no-such-variable", f"no variable '{path.name}' in scope at any of the {len(sites)} sites",
                       use.arguments[0].span, notes=self._names(path, sites))

    def suspect(self, use: MacroUse, path: Path, sites: Sequence[Site]) -> None:
        """No site has a variable that a use can do without: a warning where a name that there is looks much like it."""
        close = self._close(path, sites, 0.75)
        if close:
            self.log.warning("no-such-variable", f"no variable '{path.name}' in scope at any site", use.arguments[0].span,
                             notes=(Note(f"close names: {', '.join(close)}"),))

    def _names(self, path: Path, sites: Sequence[Site]) -> tuple[Note, ...]:
        close, names = self._close(path, sites, 0.6), self._in_scope(sites)
        notes: tuple[Note, ...] = (Note(f"close names: {', '.join(close)}"),) if close else ()
        return notes + ((Note(f"in scope there: {', '.join(names)}"),) if names else ())

    def _close(self, path: Path, sites: Sequence[Site], cutoff: float) -> list[str]:
        return difflib.get_close_matches(path.name, self._in_scope(sites), 3, cutoff)

    def _in_scope(self, sites: Sequence[Site]) -> list[str]:
        found = [v.name for site in sites[:MOST_SITES] for v in self.judge.locations.variables(site)]
        return list(dict.fromkeys(found))

    def some(self, declaration: ProbeDeclaration, reasons: Sequence[str], total: int, named_by: int = 0) -> None:
        """Sites of a probe with several are left out, for these reasons; named_by: which coordinate named the first."""
        shown = reasons if self.verbose else reasons[:SHOWN]
        notes = tuple(Note(text) for text in shown)
        if len(shown) < len(reasons):
            notes += (Note(f"and {len(reasons) - len(shown)} more (-v lists all)"),)
        span = span_of(declaration, named_by)
        if len(reasons) == total:
            self.log.error("no-usable-site", f"none of the {total} sites can be used", span, notes=notes)
        else:
            self.log.warning("sites-left-out", f"{len(reasons)} of {total} sites are left out", span, notes=notes)


def span_of(declaration: ProbeDeclaration, number: int = 0) -> Span:
    """Where one of a probe's coordinates stands."""
    return declaration.coordinates[number].span if declaration.coordinates else declaration.span
