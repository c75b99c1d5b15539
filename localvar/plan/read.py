# SPDX-License-Identifier: GPL-2.0-or-later
"""From a variable's location to a Read: the path is followed, each step proven, the way of reading chosen."""

from __future__ import annotations

from dataclasses import dataclass

from localvar.arch import Architecture
from localvar.model import fold
from localvar.model.ctype import (
    Array,
    CType,
    Member,
    Pointer,
    Record,
    UnknownType,
    Void,
    is_scalar,
    size_of,
    strip,
)
from localvar.model.expr import Entry, Expr, Load, Parameter, children, contains
from localvar.model.location import (
    Absent,
    Constant,
    EntryValue,
    ImplicitPointer,
    Location,
    Memory,
    Pieces,
    Reason,
    Register,
    Value,
)
from localvar.model.memory import is_safe
from localvar.model.path import IndexStep, MemberStep, Path
from localvar.model.plan import Assembly, Chunk, How, LocationClass, Object, Read, Scalar, Source, Variable
from localvar.model.site import Site
from localvar.plan.bits import Unproven, check_frame, extract

_CLASSES: dict[type, LocationClass] = {
    Register: LocationClass.REGISTER, Memory: LocationClass.MEMORY, Value: LocationClass.VALUE,
    Constant: LocationClass.CONSTANT, Pieces: LocationClass.PIECES, ImplicitPointer: LocationClass.IMPLICIT_POINTER,
    EntryValue: LocationClass.ENTRY_VALUE, Absent: LocationClass.ABSENT,
}

ASSEMBLY_LIMIT = 256
"""Bytes of an object that is put together from pieces before it is refused: read its members instead."""


class NoSuchMember(Exception):
    """A path does not fit the type; carries the text and the names that would."""

    def __init__(self, text: str, candidates: tuple[str, ...] = ()) -> None:
        super().__init__(text)
        self.candidates = candidates


@dataclass(frozen=True)
class Place:
    """An object on the way along a path: bits of `location` from bit_offset, of a type; bit_size for bit-fields."""

    location: Location
    bit_offset: int
    type: CType
    bit_size: int | None = None


def location_class(location: Location) -> LocationClass:
    """The class listings give a location: entry_value wherever its value depends on one."""
    if isinstance(location, Value) and contains(location.expr, (Entry, Parameter)):
        return LocationClass.ENTRY_VALUE
    return _CLASSES[type(location)]


def plan_read(site: Site, variable: Variable, path: Path, arch: Architecture) -> Read:
    """How path, which begins at variable, is read at site.  Raises NoSuchMember where it does not fit the type."""
    place = Place(variable.location, 0, variable.type)
    kind = location_class(variable.location)
    try:
        for step in path.steps:
            place = _index(place, step, arch) if isinstance(step, IndexStep) else _member(place, step, arch)
        source = _source(place, arch)
        how = _way(source)
    except Unproven as problem:
        return Read(site, path, variable, _type_along(variable, path), kind, None, None, problem.reason)
    address = fold.add(place.location.address, place.bit_offset // 8) if isinstance(place.location, Memory) else None
    field = None if place.bit_size is None else (place.bit_offset % 8, place.bit_size)
    return Read(site, path, variable, place.type, kind, how, source, None, address=address, bit_field=field)


def absent_read(site: Site, path: Path, reason: Reason) -> Read:
    """A read of a name that is not in scope at a site."""
    return Read(site, path, None, UnknownType(-1, "unknown"), LocationClass.ABSENT, None, None, reason)


# -- along the path -----------------------------------------------------------------------------------------------


def _member(place: Place, step: MemberStep, arch: Architecture) -> Place:
    if step.through_pointer:
        place = _dereference(place, arch)
    elif isinstance(strip(place.type), Pointer):
        raise NoSuchMember(f"'.{step.name}' on a pointer: write '->{step.name}'")
    record = strip(place.type)
    if not isinstance(record, Record):
        raise NoSuchMember(f"'{step.name}' is asked of something that is no struct or union")
    if record.declaration:
        raise NoSuchMember(f"{record.kind} {record.name} is only declared in this unit's debug info, its members are not known")
    found = find_member(record, step.name)
    if found is None:
        raise NoSuchMember(f"{record.kind} {record.name or '(unnamed)'} has no member '{step.name}'", member_names(record))
    offset, member = found
    return Place(place.location, place.bit_offset + offset, member.type(), member.bit_size)


def find_member(record: Record, name: str) -> tuple[int, Member] | None:
    """The bit offset and member of that name, those of unnamed members included (C11 6.7.2.1 paragraph 13)."""
    for member in record.members():
        if member.name == name:
            return member.bit_offset, member
        inner = strip(member.type())
        if member.name is None and isinstance(inner, Record):
            found = find_member(inner, name)
            if found is not None:
                return member.bit_offset + found[0], found[1]
    return None


def member_names(record: Record) -> tuple[str, ...]:
    """Names that can follow `.`, those of unnamed members included."""
    names: list[str] = []
    for member in record.members():
        inner = strip(member.type())
        if member.name is not None:
            names.append(member.name)
        elif isinstance(inner, Record):
            names += member_names(inner)
    return tuple(names)


def _index(place: Place, step: IndexStep, arch: Architecture) -> Place:
    array = strip(place.type)
    if isinstance(array, Pointer):
        place = _dereference(place, arch)
        element, count = place.type, None
    elif isinstance(array, Array):
        element, count = array.element(), array.count
    else:
        raise NoSuchMember(f"[{step.index}] is asked of something that is no array or pointer")
    if count is not None and step.index >= count:
        raise NoSuchMember(f"[{step.index}] is outside the array, which has {count} elements")
    size = size_of(element)
    if size is None:
        raise NoSuchMember(f"[{step.index}]: the size of an element is not known")
    return Place(place.location, place.bit_offset + 8 * size * step.index, element)


def _dereference(place: Place, arch: Architecture) -> Place:
    pointer = strip(place.type)
    if isinstance(pointer, Array):
        return Place(place.location, place.bit_offset, pointer.element())
    if not isinstance(pointer, Pointer):
        raise NoSuchMember("'->' on something that is no pointer")
    target = pointer.target()
    if isinstance(place.location, ImplicitPointer):
        return Place(place.location.target, 8 * place.location.offset, target)
    value = extract(place.location, place.bit_offset, 8 * pointer.size, arch)
    return Place(Memory(value), 0, target)


def _type_along(variable: Variable, path: Path) -> CType:
    """The type a path would have, for a read that is absent; best known where a step cannot be followed."""
    ctype = variable.type
    for step in path.steps:
        base = strip(ctype)
        if isinstance(step, IndexStep):
            ctype = base.element() if isinstance(base, Array) else base.target() if isinstance(base, Pointer) else ctype
            continue
        record = strip(base.target()) if isinstance(base, Pointer) else base
        found = find_member(record, step.name) if isinstance(record, Record) else None
        if found is None:
            return ctype
        ctype = found[1].type()
    return ctype


# -- what is read -------------------------------------------------------------------------------------------------


def _source(place: Place, arch: Architecture) -> Source:
    """The value of the object that the path ends at.  Raises Unproven."""
    if place.bit_size is not None:
        return Scalar(extract(place.location, place.bit_offset, place.bit_size, arch))
    size = size_of(place.type)
    if size is None:
        if isinstance(strip(place.type), (Void, UnknownType)):
            raise Unproven(Reason("type", "its type has no values"))
        if isinstance(strip(place.type), Array) and isinstance(place.location, Memory):
            return _object(place, arch)
        raise Unproven(Reason("type", "its type is incomplete in debug info"))
    if is_scalar(place.type):
        return Scalar(extract(place.location, place.bit_offset, 8 * size, arch))
    if isinstance(place.location, Memory):
        return _object(place, arch)
    return _assemble(place, size, arch)


def _object(place: Place, arch: Architecture) -> Object:
    assert isinstance(place.location, Memory)
    address = fold.add(place.location.address, place.bit_offset // 8)
    check_frame(address, arch)
    return Object(address, is_safe(address, arch))


def _assemble(place: Place, size: int, arch: Architecture) -> Assembly:
    if isinstance(place.location, Absent):
        raise Unproven(place.location.reason)
    if size > ASSEMBLY_LIMIT:
        raise Unproven(Reason("too-large", f"it is {size} bytes in pieces; read its members"))
    chunks, at = [], 0
    while at < size:
        step = next(n for n in (8, 4, 2, 1) if n <= size - at)
        chunks.append(Chunk(at, extract(place.location, place.bit_offset + 8 * at, 8 * step, arch)))
        at += step
    return Assembly(tuple(chunks))


def expressions(source: Source) -> tuple[Expr, ...]:
    """The expressions that a source evaluates."""
    if isinstance(source, Scalar):
        return (source.expr,)
    if isinstance(source, Object):
        return (source.address,)
    return tuple(chunk.expr for chunk in source.chunks)


def _way(source: Source) -> How:
    """How the source can be had at run time.  Raises Unproven where no way is known."""
    needs_entry = False
    for expr in expressions(source):
        for node in walk(expr):
            if isinstance(node, Parameter):
                raise Unproven(Reason("caller-unknown", "it is what a caller passed for a parameter that was optimized out"))
            if isinstance(node, Entry):
                needs_entry = True
                if not _register_only(node.operand):
                    raise Unproven(Reason("entry-memory", "it depends on what memory held on entry to the function"))
    return How.ENTRY_CAPTURE if needs_entry else How.DIRECT


def _register_only(expr: Expr) -> bool:
    return not any(isinstance(node, Load) for node in walk(expr))


def walk(expr: Expr) -> list[Expr]:
    """expr and everything below it."""
    found = [expr]
    for child in children(expr):
        found += walk(child)
    return found


