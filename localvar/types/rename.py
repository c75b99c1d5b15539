# SPDX-License-Identifier: GPL-2.0-or-later
"""A private type under another name: where an expansion has two of one name, and the handler's text names neither."""

from __future__ import annotations

import os
import re
from collections.abc import Collection
from dataclasses import dataclass, replace

from localvar.model.ctype import Array, CType, Enumeration, FunctionType, Member, Pointer, Qualified, Record, Typedef
from localvar.model.plan import PlannedUse, Read, ReadPlan


@dataclass(frozen=True)
class Renaming:
    """One type, as one unit has it, and the name that it gets."""

    kind: str
    name: str
    unit: str
    declared: object
    new_name: str

    def fits(self, ctype: Record | Enumeration) -> bool:
        """Whether a type is the one to be renamed; a declaration in its unit means it, too."""
        kind = ctype.kind if isinstance(ctype, Record) else "enum"
        same = (kind, ctype.name, ctype.unit) == (self.kind, self.name, self.unit)
        return same and (ctype.declaration or ctype.declared == self.declared)


def renaming(ctype: Record | Enumeration, taken: Collection[str]) -> Renaming:
    """A new name for a type, that of its file behind its own: `irq_info__8250_core`."""
    stem = re.sub(r"\W", "_", os.path.basename(ctype.declared.file or "unknown").rpartition(".")[0])
    names = (f"{ctype.name}__{stem}{number or ''}" for number in range(len(taken) + 1))
    kind = ctype.kind if isinstance(ctype, Record) else "enum"
    return Renaming(kind, ctype.name or "", ctype.unit, ctype.declared, next(name for name in names if name not in taken))


def renamed_plan(plan: ReadPlan, one: Renaming) -> ReadPlan:
    """The plan with a type renamed wherever a read is of it, or leads to it."""
    def read(old: Read) -> Read:
        return replace(old, type=renamed(old.type, one))

    def use(old: PlannedUse) -> PlannedUse:
        return replace(old, reads=tuple((index, read(r)) for index, r in old.reads),
                       lists=tuple((index, tuple(map(read, reads))) for index, reads in old.lists))

    return replace(plan, uses=tuple(map(use, plan.uses)))


def renamed(ctype: CType, one: Renaming) -> CType:
    """A type with one type in it renamed, as far as it is looked into."""
    if isinstance(ctype, (Pointer, Qualified, Typedef)):
        return replace(ctype, target=lambda: renamed(ctype.target(), one))
    if isinstance(ctype, Array):
        return replace(ctype, element=lambda: renamed(ctype.element(), one))
    if isinstance(ctype, FunctionType):
        return replace(ctype, result=lambda: renamed(ctype.result(), one),
                       parameters=lambda: tuple(renamed(part, one) for part in ctype.parameters()))
    if isinstance(ctype, Enumeration):
        return replace(ctype, name=one.new_name) if one.fits(ctype) else ctype
    if isinstance(ctype, Record):
        name = one.new_name if one.fits(ctype) else ctype.name
        return replace(ctype, name=name, members=lambda: tuple(_member(member, one) for member in ctype.members()))
    return ctype


def _member(member: Member, one: Renaming) -> Member:
    return replace(member, type=lambda: renamed(member.type(), one))
