# SPDX-License-Identifier: GPL-2.0-or-later
"""SET_LOCAL_VAR: where writing one place changes the variable, and nothing else that debug info knows of.

What must hold: the variable has one location at this address; no other variable that is alive there lies in the same place,
or is computed from it; the frame is not found through it.  Compilers give one register to variables that are equal (a
parameter of an inlined function and what was passed for it), and describe one that they took away by another's register,
or by the memory that it was loaded from.  Of two places in memory, those that are so many bytes from one register, or from
the frame (all that debug info gives relative to the CFA), are compared; where one is behind a pointer it may be the other.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Protocol

from localvar.arch import Architecture
from localvar.model.ctype import is_scalar, size_of
from localvar.model.expr import Address, Binary, Const, Entry, Expr, Load, Op, PerCpu, Reg, children
from localvar.model.fold import signed
from localvar.model.location import Absent, EntryValue, ImplicitPointer, Location, Memory, Pieces, Reason, Register, Value
from localvar.model.memory import is_safe
from localvar.model.path import MemberStep
from localvar.model.plan import How, Read, Scalar, Variable, VariableKind
from localvar.model.site import Site
from localvar.plan.read import walk


class Scopes(Protocol):
    """What is asked of the locate stage (see judge.Locations)."""

    def held(self, site: Site) -> list[Variable]:
        """Every variable of every scope that holds the site's pc, once for each of the locations that hold there."""

    def entry_variables(self, site: Site) -> list[Variable]:
        """All parameters of the containing concrete function, as they were on entry."""

    def frame(self, site: Site) -> Expr | Reason:
        """The canonical frame address at a site, or why it is not known."""

    def is_writable(self, address: Address | PerCpu) -> bool:
        """Whether what is linked at an address may be written in the running kernel."""


_NOWHERE = frozenset({"optimized-out", "no-range", "declaration", "no-frame", "discarded"})
"""Slugs of locations that are no place at all; of others it is not known what they are made from."""


def unwritable(read: Read, locations: Scopes, arch: Architecture) -> Reason | None:
    """Why the variable cannot be written at the site of a readable read; None where it can.

    A scalar, or a scalar or bit-field member, whole in one register or in memory that is surely mapped and may be written;
    anything else is a copy, a computed value, or has parts elsewhere.
    """
    variable = read.variable
    if variable is None or read.how is not How.DIRECT:
        return _reason("it is not in a place of its own here")
    if not is_scalar(read.type):
        return _reason("only scalars can be written")
    if read.bit_field is not None and sum(read.bit_field) > arch.address_bits:
        return _reason("its bits lie in more than one word")
    if read.address is not None:
        base, offset = _split(read.address)
        if not _is_mapped(read, base, read.address, arch):
            return _reason("a write through a pointer could fault")
        if isinstance(base, (Address, PerCpu)) and not locations.is_writable(replace(base, value=offset)):
            return _reason("it is in memory that the kernel write-protects")
        return _shared(read, variable, locations, arch)
    if read.register is not None:
        return _shared(read, variable, locations, arch)
    return _reason(f"it has no place to write to here: {variable.dwarf}")


def _reason(text: str) -> Reason:
    return Reason("not-writable", text)


def _is_mapped(read: Read, base: Expr, address: Expr, arch: Architecture) -> bool:
    """Whether the memory is there: the frame, what is linked, while a probe of a module is hit the module's own.  Loads are
    protected where they may lie outside of the variable, and those of modules' variables always."""
    if isinstance(base, (Address, PerCpu)) and base.module is not None:
        inside = all(isinstance(step, MemberStep) and not step.through_pointer for step in read.path.steps)
        return base.module == read.site.module and inside
    loads = walk(read.source.expr) if isinstance(read.source, Scalar) else []
    return is_safe(address, arch) and all(load.safe for load in loads if isinstance(load, Load))


# -- what else is there -------------------------------------------------------------------------------------------


def _shared(read: Read, variable: Variable, locations: Scopes, arch: Architecture) -> Reason | None:
    """Why a write would change more than the variable, or less than all that is of it."""
    held = locations.held(read.site)
    own = [one for one in held if one.die == variable.die]
    if len(own) > 1:
        return _reason("it is in several places at once here: " + " and ".join(one.dwarf for one in own))
    place = _Place(read, arch)
    entry = _entry_register(read, variable, locations)
    for other in held:
        if variable.die in (other.die, _target(other.location)):
            continue
        if isinstance(other.location, Absent) and other.location.reason.slug not in _NOWHERE:
            return _reason(f"'{other.name}' of {other.scope}() may be in the same place: {other.location.reason.text}")
        if place.may_hold(other) or any(place.is_in(expr) for expr in _expressions(other.location)):
            return _reason(f"a write could change '{other.name}' of {other.scope}() too: {other.dwarf}")
        if entry is not None and any(entry in _on_entry(expr) for expr in _expressions(other.location)):
            return _reason(f"its value on entry is what '{other.name}' of {other.scope}() is made from: {other.dwarf}")
    frame = locations.frame(read.site)
    if not isinstance(frame, Reason) and place.is_in(frame):
        return _reason("the frame of its function is found through the same place")
    return None


class _Place:
    """The register, or the bytes in memory, that a write changes."""

    def __init__(self, read: Read, arch: Architecture) -> None:
        self._arch = arch
        self._register = None if read.register is None else read.register.number
        self._bytes: tuple[Expr, int, int] | None = None
        if read.address is not None:
            base, offset = _split(read.address)
            size = size_of(read.type) or 8
            self._bytes = (base, offset, offset + size)

    def may_hold(self, other: Variable) -> bool:
        """Whether another variable lies there, in part or as a whole, for all that is known."""
        return any(self._may_be(location, size) for location, size in _places(other.location, size_of(other.type)))

    def _may_be(self, location: Location, size: int | None) -> bool:
        if isinstance(location, Register):
            return location.number == self._register
        return isinstance(location, Memory) and self._may_overlap(location.address, size)

    def _may_overlap(self, address: Expr, size: int | None) -> bool:
        if self._bytes is None:
            return False
        base, low, high = self._bytes
        other, start = _split(address)
        if other != base:
            return not _apart(base, other, self._arch)
        return start < high and (size is None or low < start + size)

    def is_in(self, expr: Expr) -> bool:
        """Whether a value depends on what is there now."""
        if isinstance(expr, Reg):
            return expr.number == self._register
        if isinstance(expr, Entry):
            return False
        if isinstance(expr, Load) and self._may_overlap(expr.address, expr.bits // 8):
            return True
        return any(map(self.is_in, children(expr)))


def _split(address: Expr) -> tuple[Expr, int]:
    """An address as something and a number of bytes."""
    if isinstance(address, (Address, PerCpu)):
        return replace(address, value=0), address.value
    if isinstance(address, Binary) and address.op is Op.ADD and isinstance(address.right, Const):
        return address.left, signed(address.right.value, address.bits)
    return address, 0


def _apart(one: Expr, other: Expr, arch: Architecture) -> bool:
    """Whether two bases of addresses are surely of different memory: the stack, what is linked, what is of each CPU."""
    return all(
        isinstance(base, (Address, PerCpu)) or base == Reg(arch.stack_pointer, arch.address_bits) for base in (one, other))


def _places(location: Location, size: int | None) -> Iterator[tuple[Location, int | None]]:
    """The places of a location with their sizes in bytes; None: not known."""
    if isinstance(location, Pieces):
        for piece in location.pieces:
            yield from _places(piece.location, (piece.bit_offset + piece.bit_size + 7) // 8)
    elif isinstance(location, ImplicitPointer):
        yield from _places(location.target, None)
    else:
        yield location, size


def _expressions(location: Location) -> Iterator[Expr]:
    """What a location is computed from."""
    if isinstance(location, Memory):
        yield location.address
    elif isinstance(location, Value):
        yield location.expr
    elif isinstance(location, EntryValue):
        yield Entry(location.inner, location.inner.bits)
    elif isinstance(location, Pieces):
        for piece in location.pieces:
            yield from _expressions(piece.location)
    elif isinstance(location, ImplicitPointer):
        yield from _expressions(location.target)


def _target(location: Location) -> int | None:
    """The variable that an implicit pointer points to."""
    return location.die if isinstance(location, ImplicitPointer) else None


def _on_entry(expr: Expr) -> set[int]:
    """The registers whose values on entry a value depends on."""
    return {inner.number for node in walk(expr) if isinstance(node, Entry) for inner in walk(node) if isinstance(inner, Reg)}


def _entry_register(read: Read, variable: Variable, locations: Scopes) -> int | None:
    """The register that a parameter was passed in."""
    if variable.kind is not VariableKind.PARAMETER:
        return None
    there = next((one for one in locations.entry_variables(read.site) if one.die == variable.die), None)
    inner = there.location.inner if there is not None and isinstance(there.location, EntryValue) else None
    return inner.number if isinstance(inner, Reg) else None
