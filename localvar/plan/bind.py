# SPDX-License-Identifier: GPL-2.0-or-later
"""Which sites each macro use reads at, and the plan of all of them: the whole of what an expansion compiles."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from localvar.arch import Architecture
from localvar.diagnostics import Log, Note
from localvar.model.location import Reason
from localvar.model.path import MemberStep, Path, parse_path
from localvar.model.plan import How, PlannedProbe, PlannedUse, Read, ReadPlan
from localvar.model.site import NOWHERE, Places, Site
from localvar.model.source import Macro, MacroUse, ProbeDeclaration, ProbeKind, ProbeSource, Role, is_optional
from localvar.plan.convert import TypeNames, check_conversion
from localvar.plan.judge import Judge, Locations
from localvar.plan.reach import handlers_of, idle, reached, sites_for
from localvar.plan.read import NoSuchMember, absent_read
from localvar.plan.refuse import Nearest, Refusals
from localvar.plan.write import unwritable

LISTS = frozenset({Macro.PRINT_LOCAL_VARS, Macro.PRINT_PARAMETERS})
"""Macros that read all variables instead of one path."""


@dataclass
class Binder:
    """Plans one source against one kernel.  Errors go to log; check it before the plan is used."""

    source: ProbeSource
    probes: Sequence[tuple[ProbeDeclaration, Places]]
    judge: Judge
    names: TypeNames
    nearest: Nearest
    log: Log
    verbose: bool = False
    _sites: list[Site] = field(default_factory=list)
    _numbers: dict[Site, int] = field(default_factory=dict)
    _reads: dict[tuple[int, Macro, str], Read] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._of_plain = {site for declaration, places in self.probes if declaration.kind is not ProbeKind.PROBE
                          for site in places.sites}

    def plan(self) -> ReadPlan:
        """The plan of everything that the source reads."""
        self.refusals = Refusals(self.judge, self.nearest, self.log, self.verbose)
        reach = [[(role, name, reached(self.source.functions, name)) for role, name in handlers_of(declaration)]
                 for declaration, _ in self.probes]
        unused = idle(self.source)
        empty = {use.function: unused[use.function] for use in self.source.uses if use.function in unused}
        uses = [use for use in self.source.uses if use.function not in empty and self._is_bound(use, reach)]
        kept = [self._probe(number, reach[number], uses) for number in range(len(self.probes))]
        planned = []
        for use in uses:
            sites = {self._number(site) for probe, roles in zip(kept, reach, strict=True) for role, _, functions in roles
                     if use.function in functions for site in sites_for(role, [self._sites[i] for i in probe.sites])}
            planned.append(self._use(use, sorted(sites)))
        return ReadPlan(tuple(self._sites), tuple(kept), tuple(planned), tuple(empty.values()))

    def _number(self, site: Site) -> int:
        number = self._numbers.setdefault(site, len(self._sites))
        if number == len(self._sites):
            self._sites.append(site)
        return number

    def _is_bound(self, use: MacroUse, reach: list[list[tuple[Role, str, set[str]]]]) -> bool:
        roles = [role for probe in reach for role, _, functions in probe if use.function in functions]
        if use.macro is Macro.GET_STATIC_VAR:
            return True
        if not roles:
            self.log.error("unbound", f"{use.macro.value} in '{use.function}', which no probe calls", use.span,
                           fix=f'bind it with LOCALVAR_PROBE({use.function}, "coordinate"), or call it from a handler')
        elif Role.POST in roles:
            self.log.error("post-handler", f"{use.macro.value} in '{use.function}', which runs after the probed instruction: "
                           "variables may have moved", use.span, fix="use a pre_handler")
        else:
            return True
        return False

    # -- probes ---------------------------------------------------------------------------------------------------

    def _probe(self, number: int, roles: list[tuple[Role, str, set[str]]], uses: list[MacroUse]) -> PlannedProbe:
        """The probe with the sites where it can be armed and everything that it must read is proven."""
        declaration, places = self.probes[number]
        sites = places.sites
        if not sites and declaration.kind is not ProbeKind.PROBE:
            self.log.error("no-place", f"a {declaration.kind.value} has one address, the coordinate names none in this kernel",
                           declaration.span, fix="use LOCALVAR_PROBE, which may have no place")
        bad = {site: text for site in sites if (text := self._problem(declaration, site, roles, uses)) is not None}
        if bad and len(sites) == 1:
            self._refuse(declaration, places, roles, uses)
        elif bad and not self._names_nothing(roles, uses, sites):
            first = next((by for site, by in zip(sites, places.named_by, strict=True) if site in bad), 0)
            self.refusals.some(declaration, list(bad.values()), len(sites), first)
        left = tuple(self._number(site) for site in sites if site not in bad)
        if declaration.kind is not ProbeKind.PROBE and len(left) > 1:
            self.log.error("several-sites", f"a {declaration.kind.value} has one address, the coordinate names {len(left)}",
                           declaration.span, fix="use LOCALVAR_PROBE, or a coordinate that names one place")
        return PlannedProbe(declaration, left, self._reached_by(roles, uses), places.maxactive)

    def _reached_by(self, roles: list[tuple[Role, str, set[str]]], uses: list[MacroUse]) -> tuple[int, ...]:
        return tuple(n for n, use in enumerate(uses) if any(use.function in functions for _, _, functions in roles))

    def _needed(self, roles: list[tuple[Role, str, set[str]]], uses: list[MacroUse], site: Site) -> list[tuple[MacroUse, Read]]:
        """The uses that a probe's handlers reach and cannot do without, with what they read at a site."""
        return [(use, read) for role, _, functions in roles for use in uses
                if use.function in functions and not is_optional(use)
                for met in sites_for(role, [site]) if (read := self._read(use, met)) is not None]

    def _problem(self, declaration: ProbeDeclaration, site: Site, roles: list[tuple[Role, str, set[str]]],
                 uses: list[MacroUse]) -> str | None:
        if site.why_not is not None:
            return f"{site.name} cannot be probed: {site.why_not.text}"
        if site.callers and declaration.kind is not ProbeKind.PROBE:
            return f"{site.name} is for some callers only, which a plain kprobe cannot tell: use LOCALVAR_PROBE"
        for _, read in self._needed(roles, uses, site):
            read = _in_plain(declaration, read)
            if read.reason is not None:
                return f"{read.path} is not readable at {site.name}: {read.reason.text}"
        return None

    def _refuse(self, declaration: ProbeDeclaration, places: Places, roles: list[tuple[Role, str, set[str]]],
                uses: list[MacroUse]) -> None:
        [site] = places.sites
        if site.why_not is not None:
            self.refusals.site(declaration, places)
            return
        if site.callers and declaration.kind is not ProbeKind.PROBE:
            self.log.error("not-supported", f"a {declaration.kind.value} cannot tell callers", declaration.span,
                           fix="use LOCALVAR_PROBE")
        needed = self._needed(roles, uses, site)
        wanted = [read.path for use, read in needed if use.macro not in (Macro.GET_RETURN_VALUE, Macro.GET_ENTRY_VAR)
                  and not _is_unknown([read])]
        for use, read in needed:
            read = _in_plain(declaration, read)
            if not read.readable:
                self.refusals.read(use, read, wanted)

    def _names_nothing(self, roles: list[tuple[Role, str, set[str]]], uses: list[MacroUse], sites: Sequence[Site]) -> bool:
        """Whether a use names a variable that is in scope at no site of a probe: the name is wrong then, and said to be."""
        reads: dict[MacroUse, list[Read]] = {}
        for site in sites:
            for use, read in self._needed(roles, uses, site):
                reads.setdefault(use, []).append(read)
        wrong = [(use, found[0].path) for use, found in reads.items() if _is_unknown(found)]
        for use, path in wrong:
            self.refusals.nowhere(use, path, sites)
        return bool(wrong)

    # -- reads ----------------------------------------------------------------------------------------------------

    def _read(self, use: MacroUse, site: Site) -> Read | None:
        """What a use reads at a site; None for uses that read no single value."""
        if use.macro in LISTS or use.macro is Macro.GET_STATIC_VAR:
            return None
        key = (self._number(site), use.macro, use.arguments[0].text if use.arguments else "")
        found = self._reads.get(key)
        if found is None:
            found = self._reads[key] = self._judge(use, site)
        return found

    def _judge(self, use: MacroUse, site: Site) -> Read:
        if use.macro is Macro.GET_RETURN_VALUE:
            return self.judge.returned(site)
        judged = self.judge.entry if use.macro is Macro.GET_ENTRY_VAR else self.judge.local
        read = self._fitting(use, site, lambda path: judged(site, path))
        return _demanded(use, self.judge.without_capture(read) if site in self._of_plain else read,
                         self.judge.locations, self.judge.arch)

    def _fitting(self, use: MacroUse, site: Site, judged: Callable[[Path], Read]) -> Read:
        """The judgement of a use's path; a path that does not fit the type is an error and absent."""
        path = parse_path(use.arguments[0].text)
        try:
            return judged(path)
        except NoSuchMember as problem:
            last = path.steps[-1]
            close = difflib.get_close_matches(last.name if isinstance(last, MemberStep) else "", problem.candidates, 3)
            notes = (Note(f"close names: {', '.join(close)}"),) if close else ()
            self.log.error("no-such-member", f"'{path}': {problem}", use.arguments[0].span, notes=notes)
            return absent_read(site, path, Reason("no-such-member", str(problem)))

    def _use(self, use: MacroUse, sites: list[int]) -> PlannedUse:
        if use.macro is Macro.GET_STATIC_VAR:
            return self._static(use, sites)
        if use.macro in LISTS:
            lists = tuple((index, tuple(self.judge.all(self._sites[index]))) for index in sites)
            return PlannedUse(use, None, (), lists=lists)
        reads = tuple((index, read) for index in sites if (read := self._read(use, self._sites[index])) is not None)
        if use.macro in (Macro.GET_LOCAL_VAR_OR, Macro.LOCAL_VAR_AVAILABLE) and _is_unknown([read for _, read in reads]):
            self.refusals.suspect(use, reads[0][1].path, [self._sites[index] for index, _ in reads])
        as_type = self._asked_type(use)
        if as_type is not None:
            readable = [read for _, read in reads if read.readable]
            check_conversion(readable, as_type, self.names, use.arguments[-1].span, self.log)
        return PlannedUse(use, reads[0][1].path if reads else None, reads, as_type)

    def _static(self, use: MacroUse, sites: list[int]) -> PlannedUse:
        """A variable of the kernel, or of a module that a handler is called in which reaches the use."""
        file = use.arguments[1].text.strip('"') if len(use.arguments) > 1 else None
        modules = sorted({module for index in sites if (module := self._sites[index].module) is not None})
        read = self._fitting(use, NOWHERE, lambda path: self.judge.static(path, file, modules))
        if read.reason is not None and read.reason.slug != "no-such-member":
            self.log.error(read.reason.slug, read.reason.text, use.arguments[0].span)
        return PlannedUse(use, read.path, ((-1, read),), sites=tuple(sites))

    def _asked_type(self, use: MacroUse) -> str | None:
        position = {Macro.GET_LOCAL_VAR: 1, Macro.GET_RETURN_VALUE: 0}.get(use.macro)
        return None if position is None or len(use.arguments) <= position else use.arguments[position].text


def _is_unknown(reads: Sequence[Read]) -> bool:
    """Whether none of these reads found a variable of its name."""
    return bool(reads) and all(read.reason is not None and read.reason.slug == "no-such-variable" for read in reads)


def _in_plain(declaration: ProbeDeclaration, read: Read) -> Read:
    """A read as the handler of a plain kprobe has it: without the companion probe at the function's entry."""
    if declaration.kind is ProbeKind.PROBE or read.how is not How.ENTRY_CAPTURE:
        return read
    return replace(read, how=None, source=None, reason=Reason(
        "plain-kprobe",
        "it needs a second probe at the function's entry, which a plain kprobe does not have: use LOCALVAR_PROBE"))


def _demanded(use: MacroUse, read: Read, locations: Locations, arch: Architecture) -> Read:
    """read, absent where its value is known but not what the macro wants of it."""
    if not read.readable:
        return read
    why = None
    if use.macro is Macro.LOCAL_VAR_ADDR and read.address is None:
        words = read.variable.dwarf if read.variable else ""
        why = Reason("no-address", f"it does not live in memory: {words}")
    elif use.macro is Macro.SET_LOCAL_VAR:
        why = unwritable(read, locations, arch)
    return read if why is None else replace(read, source=None, how=None, reason=why)
