# SPDX-License-Identifier: GPL-2.0-or-later
"""Which types an expansion has to know, and how well: from the plan's reads and what the handler does with them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from localvar.ctext.names import Unspeakable
from localvar.diagnostics import Log, Note
from localvar.model.ctype import Array, CType, Pointer, Record, strip
from localvar.model.plan import PlannedUse, ReadPlan
from localvar.model.source import Macro, ProbeSource
from localvar.types.asserts import all_members
from localvar.types.closure import Named, spelling
from localvar.types.same import same_type

_FURTHER = re.compile(rb"[\s)]*(?:->|\[|\.\s*[A-Za-z_])")
_MEMBER = re.compile(r"(?:->|\.)\s*([A-Za-z_]\w*)", re.ASCII)


class Definitions(Protocol):
    """Definitions by name, as debug info has them."""

    def tagged(self, kind: str, name: str) -> CType | None:
        """The struct, union or enum of that tag: the first definition."""

    def definitions(self, kind: str, name: str) -> tuple[CType, ...]:
        """Every definition of that tag."""


class Shipped(Protocol):
    """Tells types of headers that the kernel's build directory ships."""

    def __call__(self, ctype: Named) -> bool:
        """True for a type of such a header."""


@dataclass(frozen=True)
class Wanted:
    """A type that a use mentions.  value: an object of it is made, else a pointer to it is all that the accessor takes;
    inside: the handler looks into what the pointer points to."""

    type: CType
    use: PlannedUse
    value: bool
    inside: bool


def wanted(plan: ReadPlan, source: ProbeSource, names: Definitions, shipped: Shipped, log: Log) -> Iterator[Wanted]:
    """The types of all reads, pointers followed to the records that they point to.  What is printed needs no type."""
    text, members = _text(source), used_members(source)
    for use in plan.uses:
        if use.use.macro is Macro.LOCAL_VAR_AVAILABLE:
            continue
        for ctype in dict.fromkeys(read.type for _, read in use.reads if read.readable):
            yield Wanted(ctype, use, use.use.macro is not Macro.LOCAL_VAR_ADDR, False)
            pointee = _pointee(ctype, use)
            if isinstance(pointee, Record) and pointee.declaration and pointee.name is not None:
                pointee = complete_definition(pointee, names, shipped, use, log)
            if isinstance(pointee, Record) and not pointee.declaration and pointee.name is not None:
                inside = shipped(pointee) or _looks_inside(pointee, members, text) or _goes_on(use, source)
                yield Wanted(pointee, use, False, inside)


def reached(wants: Sequence[Wanted], members: frozenset[str], names: Definitions, shipped: Shipped) -> dict[str, Record]:
    """Records of shipped headers, by name, that the handlers may get to from what the accessors give them: by members
    that the module's text uses, through pointers too, and of which it uses members."""
    found: dict[str, Record] = {}
    seen: set[str] = set()
    pending = [record for want in wants if isinstance(record := strip(want.type), Record)]
    while pending:
        for member in all_members(pending.pop()):
            inner = _inner(member.type()) if member.name in members else None
            if inner is None or inner.name is None or (name := f"{inner.kind} {inner.name}") in seen:
                continue
            seen.add(name)
            whole = names.tagged(inner.kind, inner.name) if inner.declaration else inner
            if isinstance(whole, Record) and not whole.declaration:
                pending.append(whole)
                if shipped(whole) and any(member.name in members for member in all_members(whole)):
                    found[name] = whole
    return found


def _inner(ctype: CType) -> Record | None:
    """The record that a member is, or points to, or has elements of."""
    bare = strip(ctype)
    while isinstance(bare, (Array, Pointer)):
        bare = strip(bare.element() if isinstance(bare, Array) else bare.target())
    return bare if isinstance(bare, Record) else None


def used_members(source: ProbeSource) -> frozenset[str]:
    """Every name behind `.` or `->` in the module's files."""
    return frozenset(_MEMBER.findall(_text(source)))


def _text(source: ProbeSource) -> str:
    return "\n".join(data.decode("latin-1") for data in (source.text, *(header.text for header in source.headers)))


def _pointee(ctype: CType, use: PlannedUse) -> CType | None:
    bare = strip(ctype)
    if isinstance(bare, Pointer):
        return strip(bare.target())
    if isinstance(bare, Array):
        return strip(bare.element())
    return bare if use.use.macro is Macro.LOCAL_VAR_ADDR else None


def _looks_inside(record: Record, members: frozenset[str], text: str) -> bool:
    """Whether the module's text may use the record's insides: a member's name, or the record by value."""
    if any(member.name in members for member in all_members(record)):
        return True
    try:
        return re.search(rf"\b{spelling(record)}\b\s*[^*\s;]", text) is not None
    except Unspeakable:
        return False


def _goes_on(use: PlannedUse, source: ProbeSource) -> bool:
    """Whether a member, even one that the record does not have, or an element follows the use at once."""
    span = use.use.span
    return _FURTHER.match(source.text_of(replace(span, start=span.end, end=span.end + 80))) is not None


def complete_definition(record: Record, names: Definitions, shipped: Shipped, use: PlannedUse, log: Log) -> Record:
    """The definition of a record that the variable's own unit only declares; the declaration where it is not the only one.

    A type of a shipped header is one; private types of one name can be several, and nothing says which is meant.
    """
    first = names.tagged(record.kind, record.name or "")
    if not isinstance(first, Record) or first.declaration:
        return record
    if shipped(first):
        return first
    for other in names.definitions(record.kind, record.name or ""):
        if isinstance(other, Record) and not same_type(first, other):
            notes = tuple(Note(f"defined at {r.declared.file}:{r.declared.line}, {r.size} bytes") for r in (first, other))
            log.warning("ambiguous-type", f"{record.kind} {record.name} is several types, and debug info does not say which "
                        f"'{use.path}' points to: its members are not known", use.use.span, notes=notes)
            return record
    return first
