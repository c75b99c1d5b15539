# SPDX-License-Identifier: GPL-2.0-or-later
"""What has to be written for a type to be complete: definitions in an order that C takes, and forward declarations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from localvar.ctext.names import Unspeakable, identifier
from localvar.model.ctype import Array, CType, Enumeration, FunctionType, Pointer, Qualified, Record, Typedef

Named = Record | Enumeration | Typedef


@dataclass(frozen=True)
class Forward:
    """`struct name;`"""

    kind: str
    name: str


Item = Forward | Named

IsGiven = Callable[[Named], bool]
"""Whether a type comes from elsewhere: a header, or the handler's own file."""


class Collision(Exception):
    """Two types of one name that are not the same."""

    def __init__(self, first: Named, second: Named) -> None:
        super().__init__(f"{spelling(first)} is two types")
        self.types = (first, second)


def spelling(ctype: Named) -> str:
    """`struct name`, `enum name`, `name`.  Raises Unspeakable where it has none."""
    name = identifier(ctype.name)
    if isinstance(ctype, Typedef):
        return name
    return f"{ctype.kind if isinstance(ctype, Record) else 'enum'} {name}"


class Closure:
    """Collects types; items are what to write, given what comes from elsewhere (True: needed complete)."""

    def __init__(self, is_given: IsGiven) -> None:
        self._is_given = is_given
        self.items: list[Item] = []
        self.given: dict[str, tuple[Named, bool]] = {}
        self._done: dict[str, Named] = {}
        self._completed: set[str] = set()
        self._unnamed: set[Record] = set()
        self._forward: set[Forward] = set()

    def add(self, ctype: CType, complete: bool = True) -> None:
        """Collect what a declaration of the type takes; complete: an object of it, not only a pointer to it.

        Types that C cannot name are passed over: what needs them is written without.  Raises Collision.
        """
        if isinstance(ctype, Qualified):
            self.add(ctype.target(), complete)
        elif isinstance(ctype, Pointer):
            self.add(ctype.target(), False)
        elif isinstance(ctype, Array):
            self.add(ctype.element(), True)  # C11 6.7.6.2: the element is complete, behind a pointer, too
        elif isinstance(ctype, FunctionType):
            for part in (ctype.result(), *ctype.parameters()):
                self.add(part, False)
        elif isinstance(ctype, (Record, Enumeration)) and ctype.name is None:
            self._members(ctype)
        elif isinstance(ctype, (Record, Enumeration, Typedef)):
            try:
                self._named(ctype, complete, spelling(ctype))
            except Unspeakable:
                return

    def _named(self, ctype: Named, complete: bool, name: str) -> None:
        if self._is_given(ctype):
            before = self.given.get(name)
            self._same(before[0] if before else None, ctype)
            self.given[name] = (ctype, complete or bool(before and before[1]))
        elif isinstance(ctype, Typedef):
            self.add(ctype.target(), complete)
            self._append(name, ctype)
        elif isinstance(ctype, Enumeration) and not ctype.declaration:
            self._append(name, ctype)
        elif isinstance(ctype, Record) and complete and not ctype.declaration:
            self._record(ctype, name)
        elif name not in self._completed and name not in self._done:
            self._declare(Forward(name.partition(" ")[0], identifier(ctype.name)))

    def _declare(self, forward: Forward) -> None:
        """An incomplete type; of enums that is gcc's extension, which the kernel's headers use."""
        if forward not in self._forward:
            self._forward.add(forward)
            self.items.append(forward)

    def _record(self, record: Record, name: str) -> None:
        if name in self._completed:
            self._same(self._done.get(name), record)
            return
        self._completed.add(name)
        self._done[name] = record
        self._members(record)
        self.items.append(record)

    def _members(self, ctype: Record | Enumeration) -> None:
        if isinstance(ctype, Enumeration) or ctype in self._unnamed:
            return
        if ctype.name is None:
            self._unnamed.add(ctype)
        for member in ctype.members():
            self.add(member.type(), True)

    def _append(self, name: str, ctype: Named) -> None:
        self._same(self._done.get(name), ctype)
        if name not in self._done:
            self._done[name] = ctype
            self.items.append(ctype)

    @staticmethod
    def _same(first: Named | None, second: Named) -> None:
        from localvar.types.same import same_type

        if first is not None and not same_type(first, second):
            raise Collision(first, second)
