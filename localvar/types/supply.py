# SPDX-License-Identifier: GPL-2.0-or-later
"""The types step: includes, definitions and assertions in front of the accessors of an expansion."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from localvar.ctext.names import Unspeakable
from localvar.diagnostics import Log, Note, Span
from localvar.model.ctype import CType, Enumeration, Record, Typedef, strip
from localvar.model.plan import ReadPlan
from localvar.model.source import ProbeSource
from localvar.types.asserts import MACROS, assertions
from localvar.types.closure import Closure, Collision, Forward, Item, Named, spelling
from localvar.types.define import define, origin
from localvar.types.headers import Chooser, IncludePath, complete, include_path
from localvar.types.layout import Layouts
from localvar.types.rename import Renaming, renamed_plan, renaming
from localvar.types.trial import Parser, Trial
from localvar.types.wanted import Wanted, reached, used_members, wanted

_INCLUDE = re.compile(rb"^[ \t]*#[ \t]*include\b", re.MULTILINE)


class Names(Protocol):
    """Types by name, as debug info has them."""

    def typedef(self, name: str) -> CType | None:
        """The typedef of that name."""

    def tagged(self, kind: str, name: str) -> CType | None:
        """The first definition of that tag."""

    def definitions(self, kind: str, name: str) -> tuple[CType, ...]:
        """Every definition of that tag."""


@dataclass(frozen=True)
class Supplies:
    """Headers to include, text of declarations, definitions and assertions behind them, and the plan with the names that
    types have there."""

    includes: tuple[str, ...]
    definitions: str
    plan: ReadPlan


@dataclass(frozen=True)
class Target:
    """How the file is compiled: the compiler's flags and working directory, and the file as it was parsed with them."""

    flags: Sequence[str]
    directory: str
    parser: Parser


def supply(plan: ReadPlan, source: ProbeSource, target: Target, names: Names, log: Log) -> Supplies:
    """What the accessors of plan, and the handlers that use their values, need to know of types.

    A type that is complete in the file stays as it is; one of a shipped header is included; any other is written out, under
    another name where it collides and the handlers do not name it.  Errors, at the use that needs the type: it collides
    with another type of that name, or the compiler refuses it.
    """
    path = include_path(target.flags, target.directory)

    def shipped(ctype: Named) -> bool:
        return bool(path.bring(ctype))

    found = list(wanted(plan, source, names, shipped, log))
    renamings: list[Renaming] = []
    while found:
        supplier = _Supplier(source, target.parser, path, names, found, log)
        try:
            includes, definitions = supplier.supplies()
            return Supplies(includes, definitions, plan)
        except Rename as problem:
            renamings.append(renaming(problem.ctype, {one.new_name for one in renamings}))
            plan = renamed_plan(plan, renamings[-1])
            found = list(wanted(plan, source, names, shipped, Log()))
    return Supplies((), "", plan)


class Rename(Exception):
    """A type collides, and can have another name."""

    def __init__(self, ctype: Record | Enumeration) -> None:
        super().__init__(spelling(ctype))
        self.ctype = ctype


@dataclass
class _Supplier:
    source: ProbeSource
    parser: Parser
    path: IncludePath
    names: Names
    wanted: list[Wanted]
    log: Log
    _known: set[str] = field(default_factory=set)
    _late: set[str] = field(default_factory=set)
    _unusable: set[str] = field(default_factory=set)
    _reached: dict[str, Record] = field(default_factory=dict)
    _layouts: Layouts = field(default_factory=Layouts)

    def supplies(self) -> tuple[tuple[str, ...], str]:
        """Includes and text; errors go to the log.  Raises Rename."""
        trial = Trial(self.parser, self._base())
        try:
            self._find_known(self._closure(), trial)
            includes = self._includes(trial)
            closure = self._closure()
        except Collision as problem:
            self._collides(problem)
            return (), ""
        if not self._check_known(closure):
            return (), ""
        blocks = self._blocks(closure)
        asserts = self._assertions()
        self._check(trial, includes, blocks, asserts)
        return includes, "".join(f"{block}\n" for block in [*(text for _, text in blocks), *asserts])

    def _base(self) -> bytes:
        """The text that what is supplied stands behind: the whole file where nothing more is included behind it, which
        is quicker to parse (see Unit)."""
        rest = self.source.text[self.source.include_at :]
        return self.source.text[: self.source.include_at] if _INCLUDE.search(rest) else self.parser.text

    # -- what is needed -------------------------------------------------------------------------------------------

    def _closure(self) -> Closure:
        """Everything that the wanted types need, apart from what is known or shipped.  Raises Collision."""
        closure = Closure(self._is_given)
        for want in self.wanted:
            closure.add(want.type, want.value or want.inside)
        return closure

    def _is_given(self, ctype: Named) -> bool:
        name = spelling(ctype)
        return name in self._known or (name not in self._unusable and bool(self.path.bring(ctype)))

    def _find_known(self, closure: Closure, trial: Trial) -> None:
        """Note types that are complete in the file already; late: those that would be written and that the file defines
        itself, behind the place of what is supplied."""
        given, written = list(closure.given), [spelling(item) for item in closure.items if not isinstance(item, Forward)]
        own = _accepted(Trial(self.parser, self.parser.text), written)
        used = used_members(self.source)
        beyond = reached(self.wanted, used, self.names, lambda ctype: bool(self.path.bring(ctype)))
        beyond = {name: record for name, record in beyond.items() if name not in given}
        accepted = _accepted(trial, [*given, *beyond])
        self._known = (accepted & set(given)) | own
        self._reached = {name: record for name, record in beyond.items() if name in accepted}
        if own:
            self._late = own - _accepted(Trial(self.parser, self.source.text[: self.source.include_at]), sorted(own))

    def _includes(self, trial: Trial) -> tuple[str, ...]:
        """The includes for types of shipped headers; those whose headers do not serve are to be written out."""
        chooser = Chooser(self.path, self.names, trial)
        includes: tuple[str, ...] = ()
        while True:
            missing = self._missing(self._closure())
            names = {_check(name): name for name in missing}
            includes, refused = chooser.choose_all(includes, {_check(name): ctype.declared for name, ctype in missing.items()})
            if not refused:
                return includes
            self._unusable |= {names[check] for check in refused}

    def _missing(self, closure: Closure) -> dict[str, Named]:
        """Types to be brought by includes."""
        return {name: ctype for name, (ctype, whole) in closure.given.items()
                if name not in self._known and (whole or not isinstance(ctype, Record))}

    # -- text -----------------------------------------------------------------------------------------------------

    def _blocks(self, closure: Closure) -> list[tuple[str, str]]:
        """Name and text of each declaration and definition, in order."""
        blocks = []
        forward = [f"{name};" for name, (ctype, whole) in closure.given.items()
                   if isinstance(ctype, Record) and not whole and name not in self._known]
        if forward:
            blocks.append(("", "\n".join(forward)))
        for item in closure.items:
            try:
                blocks.append((_name(item), self._text(item)))
            except Unspeakable as problem:
                self.log.error("type-without-name", f"{_name(item)} cannot be written in C: {problem}", self._span(_name(item)))
        return blocks

    def _text(self, item: Item) -> str:
        if isinstance(item, Forward):
            return f"{item.kind} {item.name};"
        return f"/* {_comment_safe(origin(item))} */\n{define(item, self._layouts)}"

    def _assertions(self) -> list[str]:
        """Assertions on every record that is complete in the expansion and that values or pointers lead to, and on what the
        handlers get to from there."""
        used = used_members(self.source)
        found: dict[str, None] = {}
        for want in self.wanted:
            if not (want.value or want.inside):
                continue
            bare = strip(want.type)
            if isinstance(bare, Record) and bare.name is not None:
                try:
                    name = spelling(bare)
                except Unspeakable:
                    continue
                if name in self._late:
                    continue
                members = None if want.value and not self._is_given(bare) else used
                found.update(dict.fromkeys(str(a) for a in assertions(bare, name, members)))
        for name, record in self._reached.items():
            found.update(dict.fromkeys(str(a) for a in assertions(record, name, used)))
        return [MACROS, *found] if found else []

    # -- checks ---------------------------------------------------------------------------------------------------

    def _check_known(self, closure: Closure) -> bool:
        """Whether the types that the file defines itself are those that debug info describes."""
        good = True
        for name, (ctype, _) in closure.given.items():
            if name in self._known and not self.path.bring(ctype) and not isinstance(ctype, Typedef):
                lines = [MACROS, *(str(a) for a in assertions(ctype, name))]
                problems = [line for line in Trial(self.parser, self.parser.text).run(lines).lines if line]
                notes = [Note(f"vmlinux has: {self._on_one_line(ctype)}"), *(Note(f"here: {_reason(p)}") for p in problems[:4])]
                if problems:
                    self._rename(ctype)
                    good = False
                    self.log.error("type-collides", f"this file's {name} is not the kernel's of {origin(ctype)}",
                                   self._span(name), notes=tuple(notes), fix="rename this file's type, or write the kernel's")
        return good

    def _on_one_line(self, ctype: Named) -> str:
        return " ".join(define(ctype, self._layouts).split())

    def _check(self, trial: Trial, includes: Sequence[str], blocks: Sequence[tuple[str, str]], asserts: Sequence[str]) -> None:
        """What the compiler refuses is an error now; what differs from the headers is one when the file is built."""
        lines = [*(f"#include <{name}>" for name in includes), *(text for _, text in blocks), *asserts]
        outcome = trial.run(lines)
        if outcome.ok:
            return
        results = outcome.lines[len(includes) :]
        for (name, _), problem in zip(blocks, results, strict=False):
            if problem:
                self.log.error("type-refused", f"the definition of {name} that debug info gives does not compile here: {problem}",
                               self._span(name))
        for problem in results[len(blocks) :]:
            if problem:
                self.log.warning("headers-differ", f"vmlinux and this build's headers differ: {_reason(problem)}",
                                 self.wanted[0].use.use.span)

    def _collides(self, problem: Collision) -> None:
        first, second = problem.types
        name = spelling(first)
        self._rename(second)
        notes = tuple(Note(f"{origin(ctype)}: {self._on_one_line(ctype)}") for ctype in problem.types)
        self.log.error("type-collides", f"{name} is two types, of {origin(first)} and {origin(second)}", self._span(name),
                       notes=notes, fix="read the members of one of them: GET_LOCAL_VAR(var.member)")

    def _rename(self, ctype: Named) -> None:
        """Raises Rename where the type is private and the module's text does not say its name."""
        if isinstance(ctype, Typedef) or self.path.bring(ctype):
            return
        texts = (self.source.text, *(header.text for header in self.source.headers))
        says = re.compile(rb"\b" + rb"\s+".join(re.escape(word.encode()) for word in spelling(ctype).split()) + rb"\b")
        if not any(says.search(text) for text in texts):
            raise Rename(ctype)

    def _span(self, name: str) -> Span:
        """Of the first use that wants the type, or else of the first use."""
        for want in self.wanted:
            bare = strip(want.type)
            if isinstance(bare, (Record, Enumeration)) and bare.name is not None and spelling(bare) == name:
                return want.use.use.span
        return self.wanted[0].use.use.span


def _accepted(trial: Trial, names: Sequence[str]) -> set[str]:
    """Those of these types that are known behind the trial's text."""
    outcome = trial.run([_check(name) for name in names])
    return {name for name, problem in zip(names, outcome.lines, strict=True) if not problem}


def _check(name: str) -> str:
    """A line that compiles where the type is known: complete, or a typedef of an incomplete or function type."""
    return complete(name) if " " in name else f"typedef __typeof__({name}) localvar_types_{name};"


def _name(item: Item) -> str:
    return f"{item.kind} {item.name}" if isinstance(item, Forward) else spelling(item)


def _reason(problem: str) -> str:
    """The compiler's message about an assertion without its own words for it, and the values that it found."""
    text = re.sub(r"^static assertion failed[^:]*: ", "", problem.partition("; ")[0]).partition(", these headers do not")[0]
    values = re.findall(r"expression evaluates to '(\d+) == \d+'", problem)
    return text + (f", the compiler {values[0]}" if values else "")


def _comment_safe(text: str) -> str:
    return "".join(ch if " " <= ch < "\x7f" else "?" for ch in text).replace("*/", "* /")
