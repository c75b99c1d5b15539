# SPDX-License-Identifier: GPL-2.0-or-later
"""From a variable's location to a Read: the path is followed, each step proven, the way of reading chosen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

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
    is_floating,
    is_scalar,
    size_of,
    strip,
)
from localvar.model.expr import Binary, Const, Entry, Expr, Load, Op, Parameter, children, contains
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
from localvar.model.memory import is_safe, passed_on_stack
from localvar.model.path import IndexStep, MemberStep, Path
from localvar.model.plan import Assembly, Chunk, How, LocationClass, Object, Read, RegisterBits, Scalar, Source, Variable
from localvar.model.site import Site
from localvar.plan.bits import Unproven, check_frame, extract, within
from localvar.plan.width import with_clear_width

_CLASSES: dict[type, LocationClass] = {
    Register: LocationClass.REGISTER, Memory: LocationClass.MEMORY, Value: LocationClass.VALUE,
    Constant: LocationClass.CONSTANT, Pieces: LocationClass.PIECES, ImplicitPointer: LocationClass.IMPLICIT_POINTER,
    EntryValue: LocationClass.ENTRY_VALUE, Absent: LocationClass.ABSENT,
}

NESTING_LIMIT = 64
"""Unnamed structs within unnamed structs before they are taken for damage."""

ASSEMBLY_LIMIT = 256
"""Bytes of an object that is put together from pieces before it is refused: read its members instead."""


class NoSuchMember(Exception):
    """A path does not fit the type; carries the text and the names that would."""

    def __init__(self, text: str, candidates: tuple[str, ...] = ()) -> None:
        super().__init__(text)
        self.candidates = candidates


@dataclass(frozen=True)
class Place:
    """An object on the way along a path: bits of `location` from bit_offset, of a type; bit_size for bit-fields.
    trusted: it is known to lie within the variable (no index into an array without bounds on the way)."""

    location: Location
    bit_offset: int
    type: CType
    bit_size: int | None = None
    trusted: bool = True


def location_class(location: Location) -> LocationClass:
    """The class listings give a location: entry_value wherever its value depends on one."""
    if isinstance(location, Value) and contains(location.expr, (Entry, Parameter)):
        return LocationClass.ENTRY_VALUE
    return _CLASSES[type(location)]


def plan_read(site: Site, variable: Variable, path: Path, arch: Architecture) -> Read:
    """How path, which begins at variable, is read at site.  Raises NoSuchMember where it does not fit the type."""
    kind = location_class(variable.location)
    _follow(Place(Memory(Const(0, arch.address_bits)), 0, variable.type), path, arch)  # fits its type, wherever it is
    try:
        place = _in_one_piece(_follow(_given(variable.location, 0, variable.type), path, arch))
        source = _source(place, arch)
        how = _way(source, arch)
    except Unproven as problem:
        return Read(site, path, variable, _type_along(variable, path), kind, None, None, problem.reason)
    address = fold.add(place.location.address, place.bit_offset // 8) if isinstance(place.location, Memory) else None
    field = None if place.bit_size is None else (place.bit_offset % 8, place.bit_size)
    return Read(site, path, variable, place.type, kind, how, source, None, address=address, bit_field=field,
                register=_register_bits(place, variable, arch))


def _register_bits(place: Place, variable: Variable, arch: Architecture) -> RegisterBits | None:
    """Where an object lies in the one register that holds it."""
    size = place.bit_size if place.bit_size is not None else 8 * (size_of(place.type) or 0)
    if not isinstance(place.location, Register) or not size or place.bit_offset + size > arch.address_bits:
        return None
    whole = place.location == variable.location and size == 8 * (size_of(variable.type) or 0)
    return RegisterBits(place.location.number, place.bit_offset, size, whole)


def absent_read(site: Site, path: Path, reason: Reason) -> Read:
    """A read of a name that is not in scope at a site."""
    return Read(site, path, None, UnknownType(-1, "unknown"), LocationClass.ABSENT, None, None, reason)


# -- along the path -----------------------------------------------------------------------------------------------


def _follow(place: Place, path: Path, arch: Architecture) -> Place:
    for step in path.steps:
        place = _index(place, step, arch) if isinstance(step, IndexStep) else _member(place, step, arch)
    return place


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
    return replace(place, bit_offset=place.bit_offset + offset, type=member.type(), bit_size=member.bit_size)


def find_member(record: Record, name: str, depth: int = 0) -> tuple[int, Member] | None:
    """The bit offset and member of that name, those of unnamed members included (C11 6.7.2.1 paragraph 13)."""
    for member in record.members():
        if member.name == name:
            return member.bit_offset, member
        inner = strip(member.type())
        if member.name is None and isinstance(inner, Record) and depth < NESTING_LIMIT:
            found = find_member(inner, name, depth + 1)
            if found is not None:
                return member.bit_offset + found[0], found[1]
    return None


def member_names(record: Record, depth: int = 0) -> tuple[str, ...]:
    """Names that can follow `.`, those of unnamed members included."""
    names: list[str] = []
    for member in record.members():
        inner = strip(member.type())
        if member.name is not None:
            names.append(member.name)
        elif isinstance(inner, Record) and depth < NESTING_LIMIT:
            names += member_names(inner, depth + 1)
    return tuple(names)


def _index(place: Place, step: IndexStep, arch: Architecture) -> Place:
    array = strip(place.type)
    if isinstance(array, Pointer):
        place = _dereference(place, arch)
        element, bounded = place.type, False
    elif isinstance(array, Array):
        element, bounded = array.element(), bool(array.count)  # [] and [0] are C's and gcc's flexible arrays
        if bounded and array.count is not None and step.index >= array.count:
            raise NoSuchMember(f"[{step.index}] is outside the array, which has {array.count} elements")
    else:
        raise NoSuchMember(f"[{step.index}] is asked of something that is no array or pointer")
    size = size_of(element)
    if size is None:
        raise NoSuchMember(f"[{step.index}]: the size of an element is not known")
    return replace(place, bit_offset=place.bit_offset + 8 * size * step.index, type=element, bit_size=None,
                   trusted=place.trusted and bounded)


def _dereference(place: Place, arch: Architecture) -> Place:
    pointer = strip(place.type)
    if isinstance(pointer, Array):
        return replace(place, type=pointer.element(), trusted=place.trusted and bool(pointer.count))
    if not isinstance(pointer, Pointer):
        raise NoSuchMember("'->' on something that is no pointer")
    place = _in_one_piece(place)
    if isinstance(place.location, ImplicitPointer) and place.bit_offset == 0:
        # the variable is known, not its size: the offset may lead out of it
        return replace(_given(place.location.target, 8 * place.location.offset, pointer.target()), trusted=False)
    value = extract(place.location, place.bit_offset, 8 * pointer.size, arch, place.trusted)
    return Place(Memory(value), 0, pointer.target(), trusted=False)


def _given(location: Location, bit_offset: int, ctype: CType) -> Place:
    """The place of an object at a location that debug info gives."""
    return Place(with_clear_width(location, bit_offset + 8 * (size_of(ctype) or 0)), bit_offset, ctype)


def _in_one_piece(place: Place) -> Place:
    """place, in the one piece of its composite that holds it where there is one."""
    bits = place.bit_size if place.bit_size is not None else 8 * (size_of(place.type) or 0)
    if not isinstance(place.location, Pieces) or not bits:
        return place
    location, bit_offset = within(place.location, place.bit_offset, bits)
    return replace(place, location=location, bit_offset=bit_offset)


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
        return Scalar(extract(place.location, place.bit_offset, place.bit_size, arch, place.trusted))
    size = size_of(place.type)
    if size is None:
        if isinstance(strip(place.type), (Void, UnknownType)):
            raise Unproven(Reason("type", "its type has no values"))
        if isinstance(strip(place.type), Array) and isinstance(place.location, Memory):
            return _object(place, arch)
        raise Unproven(Reason("type", "its type is incomplete in debug info"))
    if is_floating(place.type):
        raise Unproven(Reason("type", "floating point values cannot be used in the kernel"))
    if is_scalar(place.type):
        return Scalar(extract(place.location, place.bit_offset, 8 * size, arch, place.trusted))
    if isinstance(place.location, Memory):
        return _object(place, arch)
    if isinstance(strip(place.type), Array):
        raise Unproven(_reason(place.location) or Reason("array", "it is an array that is not in memory; read its elements"))
    return _assemble(place, size, arch)


def _reason(location: Location) -> Reason | None:
    return location.reason if isinstance(location, Absent) else None


def _object(place: Place, arch: Architecture) -> Object:
    assert isinstance(place.location, Memory)
    address = fold.add(place.location.address, place.bit_offset // 8)
    check_frame(address, arch)
    return Object(address, place.trusted and is_safe(address, arch))


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


def with_expressions(read: Read, change: Callable[[Expr], Expr]) -> Read:
    """read with each of its expressions changed."""
    source = read.source
    if isinstance(source, Scalar):
        source = Scalar(change(source.expr))
    elif isinstance(source, Object):
        source = Object(change(source.address), source.safe)
    elif source is not None:
        source = Assembly(tuple(Chunk(chunk.offset, change(chunk.expr)) for chunk in source.chunks))
    return replace(read, source=source, address=None if read.address is None else change(read.address))


def _way(source: Source, arch: Architecture) -> How:
    """How the source can be had at run time, if it can: for the caller's and the entry's values the judge tells.  Raises
    Unproven where no way is known."""
    needs_entry = needs_caller = False
    for expr in expressions(source):
        for node in walk(expr):
            if isinstance(node, Binary) and _may_trap(node):
                raise Unproven(Reason("division", "it takes a division that could trap"))
            needs_caller = needs_caller or isinstance(node, Parameter)
            if isinstance(node, Entry):
                needs_entry = True
                if isinstance(node.operand, Load) and passed_on_stack(node.operand.address, arch) is not None:
                    needs_caller = True
                elif not _register_only(node.operand):
                    raise Unproven(Reason("entry-memory", "it depends on what memory held on entry to the function"))
    return How.CALLER if needs_caller else How.ENTRY_CAPTURE if needs_entry else How.DIRECT


def _may_trap(node: Binary) -> bool:
    """Whether a node is a division by what may be zero, or overflows (most negative number by -1), or needs a library
    function that kernels do not have (128 bits)."""
    if node.op not in (Op.SDIV, Op.UDIV, Op.SMOD, Op.UMOD):
        return False
    bad = {0, fold.mask(node.bits)} if node.op in (Op.SDIV, Op.SMOD) else {0}
    return node.bits > 64 or not isinstance(node.right, Const) or node.right.value in bad


def _register_only(expr: Expr) -> bool:
    return not any(isinstance(node, Load) for node in walk(expr))


def walk(expr: Expr) -> list[Expr]:
    """expr and everything below it."""
    found = [expr]
    for child in children(expr):
        found += walk(child)
    return found


