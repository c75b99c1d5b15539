# SPDX-License-Identifier: GPL-2.0-or-later
"""Lines of a file in the functions and inlined copies that have code of them, each with its own scopes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache

from localvar.code.arrivals import Arrivals
from localvar.dwarf import constants as c
from localvar.dwarf.scope import FUNCTION_TAGS, Chain, chain_at, function_at, name_of, origin, own_function
from localvar.dwarf.types import line_table
from localvar.dwarf.unit import Die, Unit
from localvar.model.location import Reason
from localvar.probe.functions import function_file, path_matches
from localvar.probe.names import is_glob
from localvar.probe.statements import Kind, LineStart, Wanted, line_starts

JOINED = Reason("joined", "no instruction of it is there, and control also comes there by jumps from elsewhere: a hit would not "
                "tell that it was reached")
"""Why the address of a line, or of an inlined copy, without an instruction of its own is no place."""


@dataclass(frozen=True)
class LinePlace:
    """A place of a line: the scopes of the function whose line it is, innermost first.  why_not: why it is none."""

    chain: Chain
    pc: int
    line: int
    why_not: Reason | None = None


def places_of_lines(arrivals: Arrivals, units: Iterable[Unit], file: str, wanted: Wanted) -> Iterator[LinePlace]:
    """The places of the wanted lines in all functions of units."""
    for unit in units:
        held = ((start, function_at(unit, start.address)) for start in line_starts(unit, file, wanted))
        yield from places_in(arrivals, ((start, function) for start, function in held if function is not None), file)


def places_in(arrivals: Arrivals, starts: Iterable[tuple[LineStart, Die]], file: str) -> Iterator[LinePlace]:
    """The places of lines in concrete functions: of each function and inlined copy those where a statement of the line begins,
    those where the line begins and another line's instructions follow that do not surely lead to such a statement, or what
    else there is.  A line that begins where other code jumps to is none, and has the reason."""
    found: dict[tuple[int, int], dict[tuple[int, bool], tuple[LineStart, LinePlace]]] = {}
    for start, function in starts:
        place = _place(arrivals, start, chain_at(function, start.address), file)
        if place is not None:
            ranges = found.setdefault((own_function(place.chain).key, start.line), {})
            key = start.since, start.kind is Kind.BARE
            ranges[key] = min(ranges.get(key, (start, place)), (start, place), key=lambda one: (one[0].kind, one[0].address))
    for ranges in found.values():
        kinds: dict[Kind, dict[int, LinePlace]] = {kind: {} for kind in Kind}
        for start, place in ranges.values():
            kinds[start.kind][start.address] = place
        statements = kinds[Kind.STATEMENT]
        bare = list(_untold(arrivals, statements, kinds[Kind.BARE]))
        yield from statements.values()
        yield from bare
        if not statements and all(place.why_not is not None for place in bare):
            yield from kinds[Kind.REST].values()


def _untold(arrivals: Arrivals, statements: dict[int, LinePlace], bare: dict[int, LinePlace]) -> Iterator[LinePlace]:
    """The places where a line begins without an instruction that its statements, and those in front, do not tell of: straight
    code neither leads from there to a statement, nor only from one to there (as to the end of a `do … while (0)`)."""
    told = set(statements)
    for pc, place in sorted(bare.items()):
        function = place.chain[-1]
        if not arrivals.runs_into(pc, statements) and not any(arrivals.lead_only(function, one, pc) for one in told):
            if place.why_not is None:
                told.add(pc)
            yield place


def _place(arrivals: Arrivals, start: LineStart, chain: Chain, file: str) -> LinePlace | None:
    """The place of a line, with the scopes of the function whose line it is.  None where that is not one that has code there.

    That is the innermost function in whose lines it is; else the one that calls what is inlined there, where the call stands in
    that line; else, at a statement, the innermost one (its lines are not known: a macro can have made it).
    """
    called = _calling(chain, start, file)
    own = _own_scopes(chain, start, file) or called or (
        chain if start.kind is Kind.STATEMENT else _entered(start, chain, file))
    if own is None:
        return None
    joined = start.kind is Kind.BARE and called is None and arrivals.are_mixed(chain[-1], start.address)
    return LinePlace(own, start.address, start.line, JOINED if joined else None)


def _calling(chain: Chain, start: LineStart, file: str) -> Chain | None:
    """The scopes around the innermost copy that is inlined at a call in a line: its code is that line's as well."""
    for index, die in enumerate(chain):
        called_at = die.tag == c.DW_TAG_inlined_subroutine and die.constant(c.DW_AT_call_line) == start.line
        if called_at and path_matches(line_table(die.unit).file(die.constant(c.DW_AT_call_file)) or "", file):
            return chain[index + 1 :]
    return None


def _own_scopes(chain: Chain, start: LineStart, file: str) -> Chain | None:
    """The scopes of the innermost function of a chain in whose lines a line is."""
    begin = 0
    for index, die in enumerate(chain):
        if die.tag in FUNCTION_TAGS:
            if _has_line(origin(die), start.line, file):
                return chain[begin:]
            begin = index + 1
    return None


def _entered(start: LineStart, chain: Chain, file: str) -> Chain | None:
    """The scopes of an inlined copy whose line it is and whose code is elsewhere, or which has none: the one that is entered
    there, or the only one in the innermost scope that has copies of a function with that line."""
    for index, scope in enumerate(chain):
        copies = [child for child in scope.children() if child.tag == c.DW_TAG_inlined_subroutine
                  and _has_line(origin(child), start.line, file)]
        entered = [copy for copy in copies if copy.address(c.DW_AT_entry_pc) == start.address]
        if copies:
            found = entered or copies
            return (found[0], *chain[index:]) if len(found) == 1 else None
    return None


def _has_line(function: Die, line: int, file: str) -> bool:
    """Whether a line of a file is in a function (an abstract instance, or one that is its own): from its declaration to the
    next function of the unit."""
    first, number = function.constant(c.DW_AT_decl_line), function.constant(c.DW_AT_decl_file)
    if first is None or number is None or first > line or not path_matches(function_file(function) or "", file):
        return False
    following = next((other for other in _first_lines(function.unit).get(number, ()) if other > first), None)
    return following is None or line < following


@lru_cache(maxsize=64)
def _first_lines(unit: Unit) -> dict[int, list[int]]:
    """By file of a unit's line table, the first lines of the functions that the unit has of it, ascending."""
    found: dict[int, set[int]] = {}
    for entry in unit.functions:
        die = Die(unit, entry)
        line, number = die.constant(c.DW_AT_decl_line), die.constant(c.DW_AT_decl_file)
        # a declaration can stand inside a function: compiletime_assert() makes them
        if line is not None and number is not None and not die.flag(c.DW_AT_declaration):
            found.setdefault(number, set()).add(line)
    return {number: sorted(lines) for number, lines in found.items()}


def in_function(chain: Chain, name: str) -> bool:
    """Whether the innermost function of a chain has that name, or one that the glob matches."""
    own = name_of(next(die for die in chain if die.tag in FUNCTION_TAGS)) or ""
    return fnmatchcase(own, name) if is_glob(name) else own == name
