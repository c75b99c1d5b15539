# SPDX-License-Identifier: GPL-2.0-or-later
"""Which sites each macro use reads at, and the plan of all of them: the whole of what an expansion compiles."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from localvar.arch import Architecture
from localvar.diagnostics import Log, Note
from localvar.model.location import Reason
from localvar.model.path import Path, parse_path
from localvar.model.plan import PlannedProbe, PlannedUse, Read, ReadPlan, Variable
from localvar.model.site import Site, SiteKind
from localvar.model.source import Macro, MacroUse, ProbeDeclaration, ProbeSource
from localvar.plan.convert import TypeNames, check_conversion
from localvar.plan.read import NoSuchMember, absent_read, plan_read

OPTIONAL = frozenset({Macro.GET_LOCAL_VAR_OR, Macro.LOCAL_VAR_AVAILABLE, Macro.PRINT_LOCAL_VARS, Macro.PRINT_PARAMETERS})
"""Macros that are content with an absent value."""

SUPPORTED = frozenset({Macro.GET_LOCAL_VAR, Macro.LOCAL_VAR_AVAILABLE, Macro.LOCAL_VAR_ADDR})
"""Macros that can be expanded so far."""


class Locations(Protocol):
    """What the plan asks of the locate stage."""

    def variable(self, site: Site, name: str) -> Variable | None:
        """The variable that a name means at a site."""

    def variables(self, site: Site) -> list[Variable]:
        """The variables of the site's function that are in scope."""


Nearest = Callable[[Site, Sequence[Path]], tuple[Note, ...]]
"""Notes that say where all of the paths are readable in the site's function."""


@dataclass
class Binder:
    """Plans one source against one kernel.  Errors go to log; plan() gives what is left without them."""

    source: ProbeSource
    probes: Sequence[tuple[ProbeDeclaration, Sequence[Site]]]
    locations: Locations
    names: TypeNames
    arch: Architecture
    nearest: Nearest
    log: Log
    verbose: bool = False
    _sites: list[Site] = field(default_factory=list)
    _reads: dict[tuple[int, str], Read] = field(default_factory=dict)

    def plan(self) -> ReadPlan:
        """The plan; check the log before it is used."""
        indices = [self._index(sites) for _, sites in self.probes]
        reach = self._reach()
        uses = [use for use in self.source.uses if self._is_bound(use, reach)]
        kept: list[PlannedProbe] = []
        for number, (declaration, _) in enumerate(self.probes):
            mine = [use for use in uses if number in reach[use.function]]
            left = self._usable(declaration, indices[number], mine)
            kept.append(PlannedProbe(declaration, tuple(left)))
        planned = [self._use(use, sorted({site for n in reach[use.function] for site in kept[n].sites})) for use in uses]
        return ReadPlan(tuple(self._sites), tuple(kept), tuple(planned))

    def _index(self, sites: Sequence[Site]) -> list[int]:
        found = []
        for site in sites:
            if site not in self._sites:
                self._sites.append(site)
            found.append(self._sites.index(site))
        return found

    # -- who calls whom -------------------------------------------------------------------------------------------

    def _reach(self) -> dict[str, set[int]]:
        """Function name to the probes whose handlers reach it."""
        calls = {function.name: function.calls for function in self.source.functions}
        reach: dict[str, set[int]] = {name: set() for name in calls}
        for number, (declaration, _) in enumerate(self.probes):
            pending = [handler.function for handler in declaration.handlers]
            seen: set[str] = set()
            while pending:
                name = pending.pop()
                if name in seen or name not in calls:
                    continue
                seen.add(name)
                reach[name].add(number)
                pending += calls[name]
        return reach

    def _is_bound(self, use: MacroUse, reach: dict[str, set[int]]) -> bool:
        if use.macro not in SUPPORTED:
            self.log.error("not-supported", f"{use.macro.value} is not supported yet", use.span)
            return False
        if reach.get(use.function):
            return True
        self.log.error("unbound", f"{use.macro.value} in '{use.function}', which no probe calls", use.span,
                       fix=f'bind it with LOCALVAR_PROBE({use.function}, "coordinate"), or call it from a handler')
        return False

    # -- sites ----------------------------------------------------------------------------------------------------

    def _usable(self, declaration: ProbeDeclaration, sites: list[int], uses: list[MacroUse]) -> list[int]:
        """The sites of a probe where it can be armed and everything it must read is proven."""
        bad: dict[int, str] = {}
        for index in sites:
            site = self._sites[index]
            if site.why_not is not None:
                bad[index] = f"{site.name} cannot be probed: {site.why_not.text}"
                continue
            for use in uses:
                read = self._read(use, index)
                if read is not None and not read.readable and not self._is_optional(use):
                    bad[index] = f"{read.path} is not readable at {site.name}: {read.reason.text if read.reason else ''}"
                    break
        if not bad:
            return sites
        if len(sites) == 1:
            self._refuse(declaration, sites[0], uses)
            return []
        self._leave_out(declaration, sites, bad)
        return [index for index in sites if index not in bad]

    def _is_optional(self, use: MacroUse) -> bool:
        return use.macro in OPTIONAL or (bool(use.arguments) and use.arguments[0].text in use.guarded_by)

    def _refuse(self, declaration: ProbeDeclaration, index: int, uses: list[MacroUse]) -> None:
        """The errors of a probe's only site."""
        site = self._sites[index]
        span = declaration.coordinates[0].span if declaration.coordinates else declaration.span
        if site.why_not is not None:
            self.log.error(site.why_not.slug, f"{site.name} cannot be probed: {site.why_not.text}", span)
            return
        needed = [use for use in uses if not self._is_optional(use)]
        for use in needed:
            read = self._read(use, index)
            if read is not None and not read.readable:
                self._absent(use, read, [r.path for u in needed if (r := self._read(u, index)) is not None])

    def _leave_out(self, declaration: ProbeDeclaration, sites: list[int], bad: dict[int, str]) -> None:
        span = declaration.coordinates[0].span if declaration.coordinates else declaration.span
        reasons = list(bad.values())
        shown = reasons if self.verbose else reasons[:3]
        notes = tuple(Note(text) for text in shown)
        if len(shown) < len(reasons):
            notes += (Note(f"and {len(reasons) - len(shown)} more (-v lists all)"),)
        if len(bad) == len(sites):
            self.log.error("no-usable-site", f"none of the {len(sites)} sites can be used", span, notes=notes)
        else:
            self.log.warning("sites-left-out", f"{len(bad)} of {len(sites)} sites are left out", span, notes=notes)

    # -- reads ----------------------------------------------------------------------------------------------------

    def _read(self, use: MacroUse, index: int) -> Read | None:
        """What a use reads at a site; None for uses that read no variable."""
        if not use.arguments:
            return None
        text = use.arguments[0].text
        found = self._reads.get((index, text))
        if found is None:
            found = self._reads[index, text] = self._plan(use, self._sites[index], parse_path(text))
        return found

    def _plan(self, use: MacroUse, site: Site, path: Path) -> Read:
        span = use.arguments[0].span
        if site.kind is SiteKind.RETURN:
            return absent_read(site, path, Reason("return-probe", "at a function's return its variables are gone: "
                                                  "use GET_RETURN_VALUE() or GET_ENTRY_VAR()"))
        variable = self.locations.variable(site, path.name)
        if variable is None:
            in_scope = [v.name for v in self.locations.variables(site)]
            return absent_read(site, path, Reason("no-such-variable", _unknown(path.name, site, in_scope)))
        try:
            return plan_read(site, variable, path, self.arch)
        except NoSuchMember as problem:
            close = difflib.get_close_matches(path.steps[-1].name if hasattr(path.steps[-1], "name") else "",
                                              problem.candidates, 3)
            notes: tuple[Note, ...] = (Note(f"close names: {', '.join(close)}"),) if close else ()
            self.log.error("no-such-member", f"'{path}': {problem}", span, notes=notes)
            return absent_read(site, path, Reason("no-such-member", str(problem)))

    def _absent(self, use: MacroUse, read: Read, wanted: list[Path]) -> None:
        assert read.reason is not None
        span = use.arguments[0].span
        if read.reason.slug == "no-such-member":
            return
        if read.reason.slug == "no-such-variable":
            names = [v.name for v in self.locations.variables(read.site)]
            close = difflib.get_close_matches(read.path.name, names, 3, 0.6)
            notes: tuple[Note, ...] = (Note(f"close names: {', '.join(close)}"),) if close else ()
            notes += (Note(f"in scope there: {', '.join(names)}"),) if names else ()
            self.log.error(read.reason.slug, read.reason.text, span, notes=notes)
            return
        self.log.error(read.reason.slug, f"'{read.path}' is not readable at {_place(read.site)}: {read.reason.text}", span,
                       notes=self.nearest(read.site, wanted) if read.reason.slug != "return-probe" else ())

    def _use(self, use: MacroUse, sites: list[int]) -> PlannedUse:
        reads = tuple((index, read) for index in sites if (read := self._read(use, index)) is not None)
        as_type = None
        if use.macro is Macro.GET_LOCAL_VAR and len(use.arguments) > 1:
            as_type = use.arguments[1].text
            for _, read in reads:
                if read.readable:
                    check_conversion(read, as_type, self.names, use.arguments[1].span, self.log)
                    break
        return PlannedUse(use, reads[0][1].path if reads else None, reads, as_type)


def _place(site: Site) -> str:
    source = f" ({site.file}:{site.line})" if site.file else ""
    return f"{site.name}{source}"


def _unknown(name: str, site: Site, in_scope: list[str]) -> str:
    return f"no variable '{name}' in scope at {_place(site)}"


