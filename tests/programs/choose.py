# SPDX-License-Identifier: GPL-2.0-or-later
"""Every statement of every function of a program, with what localvar says of every variable in every frame there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from localvar.dwarf import constants as c
from localvar.dwarf.elf import STT_FUNC
from localvar.dwarf.ranges import die_ranges
from localvar.dwarf.scope import FUNCTION_TAGS, chain_at, entry_of, function_at, name_of
from localvar.dwarf.types import line_table
from localvar.dwarf.unit import Die
from localvar.kernel import Kernel
from localvar.model.ctype import Array, CType, Pointer, Record, is_signed, size_of, strip
from localvar.model.location import Reason
from localvar.model.path import IndexStep, MemberStep, Path
from localvar.model.plan import How, Read
from localvar.model.site import ScopeRef, Site
from localvar.probe.sites import make_site
from tests.programs.asked import Ask, Stop

DEPTH = 3
"""Steps that a path has at most."""


def functions(program: Kernel) -> list[Die]:
    """The concrete functions that debug info describes."""
    found = {}
    for symbol in program.elf.symbols:
        unit = program.info.unit_of_pc(symbol.value) if symbol.type == STT_FUNC and symbol.size else None
        die = function_at(unit, symbol.value) if unit is not None else None
        if die is not None:
            found[die.key] = die
    return [die for _, die in sorted(found.items())]


def choose(program: Kernel) -> tuple[Stop, ...]:
    """A stop at each statement address of the program's functions, and at each entry."""
    return tuple(stop for function in functions(program) for stop in _stops(program, function))


def _stops(program: Kernel, function: Die) -> Iterator[Stop]:
    ranges = die_ranges(function)
    entry = entry_of((function,))
    addresses = {row.address for row in line_table(function.unit).rows if row.is_stmt and not row.end_sequence
                 and any(low <= row.address < high for low, high in ranges)}
    for pc in sorted(addresses | {entry}):
        frames = list(_frames(program, function, pc))
        asks = [ask for number, site in enumerate(frames) for ask in _asks(program, site, number)]
        found = program.locator.frame(frames[-1])
        cfa = None if isinstance(found, Reason) else found
        yield Stop(pc, tuple(site.function for site in frames), tuple(asks), pc == entry, cfa)


def _frames(program: Kernel, function: Die, pc: int) -> Iterator[Site]:
    """The site once for each function whose code holds it, innermost first: C sees the names of one."""
    chain = chain_at(function, pc)
    start = 0
    for index, die in enumerate(chain):
        if die.tag in FUNCTION_TAGS:
            site = make_site(program.info, chain, pc, program.resolver.probeable)
            scope = ScopeRef(tuple(one.key for one in chain[start:]))
            yield replace(site, scope=scope, function=name_of(die) or "?")
            start = index + 1


def _asks(program: Kernel, site: Site, frame: int) -> Iterator[Ask]:
    """Each variable and paths from it; what would be captured at the entry also as its caller passed it."""
    for read in program.judge.all(site):
        assert read.variable is not None
        paths = _paths(read.path, read.variable.type, DEPTH, True)
        for one in (read, *(program.judge.read(site, read.variable, path) for path in paths)):
            yield _ask(one, frame)
            called = program.judge.without_capture(one)
            if called.how is How.CALLER and called is not one:
                yield _ask(called, frame)


def _paths(path: Path, ctype: CType, depth: int, follow: bool) -> Iterator[Path]:
    """Paths that go on from path: members, the first and the last element, one pointer on the way."""
    bare = strip(ctype)
    if depth == 0:
        return
    if isinstance(bare, Pointer) and follow:
        target = strip(bare.target())
        if isinstance(target, Record) and not target.declaration:
            for name, inner in _members(target):
                yield from _with(path, MemberStep(name, True), inner, depth, False)
        elif size_of(target):
            yield from _with(path, IndexStep(0), target, depth, isinstance(target, Pointer))
    elif isinstance(bare, Record):
        for name, inner in _members(bare):
            yield from _with(path, MemberStep(name, False), inner, depth, follow)
    elif isinstance(bare, Array):
        for index in sorted({0, bare.count - 1} if bare.count else {0} if not bare.variable else set()):
            yield from _with(path, IndexStep(index), bare.element(), depth, follow)


def _with(path: Path, step: IndexStep | MemberStep, ctype: CType, depth: int, follow: bool) -> Iterator[Path]:
    longer = Path(path.name, (*path.steps, step))
    yield longer
    yield from _paths(longer, ctype, depth - 1, follow)


def _members(record: Record) -> Iterator[tuple[str, CType]]:
    for member in record.members():
        inner = strip(member.type())
        if member.name is not None:
            yield member.name, inner
        elif isinstance(inner, Record):
            yield from _members(inner)


def _ask(read: Read, frame: int) -> Ask:
    variable = read.variable
    assert variable is not None
    return Ask(frame, variable.scope, read.path, read.location_class.value, read.how.value if read.how else None, read.source,
               str(read.reason) if read.reason else None, read.frame, read.callers, size_of(read.type),
               read.bit_field[1] if read.bit_field else None, is_signed(read.type), variable.declared.line)


def address_of(program: Kernel, name: str) -> int:
    """Where a function begins."""
    return next(symbol.value for symbol in program.elf.symbols_named(name))


def units_of(program: Kernel) -> list[str]:
    """The names of the compilation units that debug info describes."""
    return [program.info.unit(offset).root.string(c.DW_AT_name) or "?" for offset in program.info.unit_offsets]
