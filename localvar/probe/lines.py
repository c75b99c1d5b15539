# SPDX-License-Identifier: GPL-2.0-or-later
"""Lines of a file in the functions and inlined copies that have code of them, each with its own scopes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache

from localvar.dwarf import constants as c
from localvar.dwarf.scope import FUNCTION_TAGS, Chain, chain_at, function_at, name_of, origin, own_function
from localvar.dwarf.types import line_table
from localvar.dwarf.unit import Die, Unit
from localvar.probe.functions import function_file, path_matches
from localvar.probe.names import is_glob
from localvar.probe.statements import Kind, LineStart, Wanted, line_starts


@dataclass(frozen=True)
class LinePlace:
    """A place of a line: the scopes of the function whose line it is, innermost first."""

    chain: Chain
    pc: int
    line: int


def places_of_lines(units: list[Unit], file: str, wanted: Wanted) -> Iterator[LinePlace]:
    """The places of the wanted lines in all functions of units."""
    for unit in units:
        held = ((start, function_at(unit, start.address)) for start in line_starts(unit, file, wanted))
        yield from places_in(((start, function) for start, function in held if function is not None), file)


def places_in(starts: Iterable[tuple[LineStart, Die]], file: str) -> Iterator[LinePlace]:
    """The places of lines in concrete functions: of each function and inlined copy those of the best kind it has."""
    best: dict[tuple[int, int], list[tuple[Kind, LinePlace]]] = {}
    for start, function in starts:
        chain = _scopes(start, chain_at(function, start.address), file)
        if chain is not None:
            place = LinePlace(chain, start.address, start.line)
            best.setdefault((own_function(chain).key, start.line), []).append((start.kind, place))
    for found in best.values():
        kind = min(kind for kind, _ in found)
        yield from (place for each, place in found if each is kind)


def _scopes(start: LineStart, chain: Chain, file: str) -> Chain | None:
    """The scopes that a line's code at its place has: those of the function that calls what is inlined there, where the call
    stands in that line; else all.  None where the line is of another function."""
    for index, die in enumerate(chain):
        called_at = die.tag == c.DW_TAG_inlined_subroutine and die.constant(c.DW_AT_call_line) == start.line
        if called_at and path_matches(line_table(die.unit).file(die.constant(c.DW_AT_call_file)) or "", file):
            return chain[index + 1 :]
    if start.kind is Kind.STATEMENT:
        return chain
    own = origin(own_function(chain))
    first, number = own.constant(c.DW_AT_decl_line), own.constant(c.DW_AT_decl_file)
    if first is None or number is None or not path_matches(function_file(own) or "", file):
        return None
    following = next((line for line in _first_lines(own.unit).get(number, ()) if line > first), None)
    return chain if first <= start.line and (following is None or start.line < following) else None


@lru_cache(maxsize=64)
def _first_lines(unit: Unit) -> dict[int, list[int]]:
    """By file of a unit's line table, the first lines of the functions that the unit has of it, ascending."""
    found: dict[int, set[int]] = {}
    for entry in unit.functions:
        die = Die(unit, entry)
        line, number = die.constant(c.DW_AT_decl_line), die.constant(c.DW_AT_decl_file)
        if line is not None and number is not None:
            found.setdefault(number, set()).add(line)
    return {number: sorted(lines) for number, lines in found.items()}


def in_function(chain: Chain, name: str) -> bool:
    """Whether the innermost function of a chain has that name, or one that the glob matches."""
    own = name_of(next(die for die in chain if die.tag in FUNCTION_TAGS)) or ""
    return fnmatchcase(own, name) if is_glob(name) else own == name
