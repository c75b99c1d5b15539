# SPDX-License-Identifier: GPL-2.0-or-later
"""The judge: for a path and a site, the Read that listings print and expansions compile."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from localvar.arch import Architecture
from localvar.model.calls import Activation, Call
from localvar.model.expr import Address, Entry, Expr, Parameter, PerCpu, Reg, contains
from localvar.model.location import Absent, Reason
from localvar.model.path import Path
from localvar.model.plan import How, Read, Source, Variable
from localvar.model.rewrite import rewrite
from localvar.model.site import NOWHERE, Site, SiteKind
from localvar.plan.caller import by_callers
from localvar.plan.read import absent_read, expressions, plan_read, walk, with_expressions


class Locations(Protocol):
    """What the plan asks of the locate stage.  Variables are as they are at exactly the site's pc."""

    def variable(self, site: Site, name: str) -> Variable | None:
        """The variable that a name means at a site."""

    def variables(self, site: Site) -> list[Variable]:
        """The variables of the site's function that are in scope."""

    def held(self, site: Site) -> list[Variable]:
        """Every variable of every scope that holds the site's pc, once for each of the locations that hold there."""

    def entry_variable(self, site: Site, name: str) -> Variable | None:
        """A parameter of the containing concrete function, as it was on entry."""

    def entry_variables(self, site: Site) -> list[Variable]:
        """All parameters of the containing concrete function, as they were on entry."""

    def return_value(self, site: Site) -> Variable:
        """What the site's function returns."""

    def static_variable(self, name: str, file: str | None, modules: Sequence[str]) -> Variable | Reason:
        """The variable with static storage of that name in that file, of the kernel or of one of these modules."""

    def frame(self, site: Site) -> Expr | Reason:
        """The canonical frame address at a site, or why it is not known."""

    def is_writable(self, address: Address | PerCpu) -> bool:
        """Whether what is linked at an address may be written in the running kernel."""

    def begins_once(self, site: Site) -> bool:
        """Whether a hit at the entry of the containing concrete function is surely where an activation begins."""

    def calls(self, site: Site) -> tuple[Call, ...] | Reason:
        """The calls of the containing concrete function that its frame tells apart, or why it cannot."""

    def activation(self, site: Site) -> Activation | Reason:
        """The containing concrete function's activation at a site, or why it is not known."""


@dataclass(frozen=True)
class Judge:
    """Decides what is read and how.  All methods raise NoSuchMember where a path does not fit its type.

    intact: the registers that provably hold at a site what they held on entry to its function.
    """

    locations: Locations
    arch: Architecture
    intact: Callable[[Site], frozenset[int]] = lambda site: frozenset()

    def local(self, site: Site, path: Path) -> Read:
        """GET_LOCAL_VAR and its kin."""
        if site.kind is SiteKind.RETURN:
            return absent_read(site, path, Reason("return-probe", "at a function's return its variables are gone: "
                                                  "use GET_RETURN_VALUE() or GET_ENTRY_VAR()"))
        variable = self.locations.variable(site, path.name)
        if variable is None:
            return absent_read(site, path, Reason("no-such-variable", f"no variable '{path.name}' in scope at {place(site)}"))
        return self.read(site, variable, path)

    def entry(self, site: Site, path: Path) -> Read:
        """GET_ENTRY_VAR."""
        variable = self.locations.entry_variable(site, path.name)
        if variable is None:
            text = f"no parameter '{path.name}' of the function at {place(site)}"
            return absent_read(site, path, Reason("no-such-variable", text))
        return self.read(site, variable, path)

    def returned(self, site: Site) -> Read:
        """GET_RETURN_VALUE."""
        path = Path("return")
        if site.kind is not SiteKind.RETURN:
            text = "it is no function's return: bind the handler to '….return'"
            return absent_read(site, path, Reason("no-return", text))
        value = self.locations.return_value(site)
        if isinstance(value.location, Absent) and value.location.reason.slug == "void":
            return _absent(self.read(site, value, path), value.location.reason)
        return self.read(site, value, path)

    def static(self, path: Path, file: str | None, modules: Sequence[str] = ()) -> Read:
        """GET_STATIC_VAR: the same at every site; modules: those whose variables are meant, too."""
        variable = self.locations.static_variable(path.name, file, modules)
        return absent_read(NOWHERE, path, variable) if isinstance(variable, Reason) else self.read(NOWHERE, variable, path)

    def all(self, site: Site) -> list[Read]:
        """Every variable in scope at a site; at a return what is known there: the value and the parameters on entry."""
        if site.kind is SiteKind.RETURN:
            return [self.returned(site)] + [self.read(site, v, Path(v.name)) for v in self.locations.entry_variables(site)]
        return [self.read(site, variable, Path(variable.name)) for variable in self.locations.variables(site)]

    def read(self, site: Site, variable: Variable, path: Path) -> Read:
        """The read of a path that begins at a variable."""
        found = plan_read(site, variable, path, self.arch)
        if found.how not in (How.CALLER, How.ENTRY_CAPTURE):
            return found
        assert found.source is not None
        at_entry = site.pc == site.entry and site.kind is SiteKind.INSTRUCTION and not _takes_parameter(found)
        if at_entry and self.locations.begins_once(site):
            return replace(_at_entry(found), how=How.DIRECT)
        if found.how is How.CALLER:
            return self._called(site, found)
        if site.kind is SiteKind.INSTRUCTION and entry_registers(found.source) <= self.intact(site):
            return replace(_at_entry(found), how=How.SAME_PLACE)
        captured = self._captured(site, found)
        called = captured if captured.readable else self._called(site, found)
        return called if called.readable else captured

    def _captured(self, site: Site, found: Read) -> Read:
        """A read of registers at the function's entry: a companion probe there must be possible, and the frame known."""
        if not self.locations.begins_once(site):
            return _absent(found, Reason("entry-value", "it needs the registers at the function's entry, and its code may jump "
                                         "back there: a probe cannot tell which hit is the first"))
        if site.kind is SiteKind.RETURN:
            return found
        if site.entry_why_not is not None:
            return _absent(found, Reason("entry-value", "it needs the registers at the function's entry, which cannot be "
                                         f"probed: {site.entry_why_not.text}"))
        frame = self.locations.frame(site)
        if isinstance(frame, Reason):
            return _absent(found, Reason("entry-value", f"it needs the registers at the function's entry, and {frame.text}"))
        if any(isinstance(node, Entry) for node in walk(frame)):
            return _absent(found, Reason("entry-value", "the frame itself depends on registers at the function's entry"))
        return replace(found, frame=frame)

    def without_capture(self, read: Read) -> Read:
        """A read that takes no companion probe: from the caller where that can be, else as it was."""
        if read.how is not How.ENTRY_CAPTURE:
            return read
        called = self._called(read.site, replace(read, frame=None))
        return called if called.readable else read

    def _called(self, site: Site, found: Read) -> Read:
        """A read of what the caller passed: debug info must say that of a call, the frame which call it was."""
        if site.kind is SiteKind.RETURN:
            return _absent(found, Reason("caller-unknown", "it is what a caller passed, whose frame is not known at the return"))
        calls, activation = self.locations.calls(site), self.locations.activation(site)
        for part in (calls, activation):
            if isinstance(part, Reason):
                return _absent(found, Reason("caller-unknown", f"it is what a caller passed, and {part.text}"))
        assert not isinstance(calls, Reason) and not isinstance(activation, Reason)
        passed = by_callers(site, found, calls, activation, self.arch)
        return _absent(found, passed) if isinstance(passed, Reason) else passed


def entry_registers(source: Source) -> frozenset[int]:
    """The registers whose values on entry a source depends on."""
    return frozenset(inner.number for expr in expressions(source) for node in walk(expr) if isinstance(node, Entry)
                     for inner in walk(node.operand) if isinstance(inner, Reg))


def _takes_parameter(read: Read) -> bool:
    return read.source is not None and any(contains(expr, Parameter) for expr in expressions(read.source))


def _absent(read: Read, reason: Reason) -> Read:
    return replace(read, how=None, source=None, reason=reason, address=None, bit_field=None, register=None)


def _at_entry(read: Read) -> Read:
    """read where registers hold what they held on entry."""
    return with_expressions(read, lambda expr: rewrite(expr, lambda node: node.operand if isinstance(node, Entry) else node))


def needs_entry(reads: Sequence[Read]) -> bool:
    """Whether one of the reads takes registers at the function's entry."""
    return any(read.how is How.ENTRY_CAPTURE for read in reads)


def place(site: Site) -> str:
    """The site for messages: symbol+offset and source line."""
    return f"{site.name} ({site.file}:{site.line})" if site.file else site.name


