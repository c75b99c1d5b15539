# SPDX-License-Identifier: GPL-2.0-or-later
"""The lines that a coordinate asks for, searched in functions and in files: their places, and the nearest lines with code."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from localvar.code.arrivals import Arrivals
from localvar.dwarf import constants as c
from localvar.dwarf.scope import holds, origin, own_function
from localvar.dwarf.unit import Die, Unit
from localvar.probe.coordinate import AllLines, Lines, RelativeLine, Where
from localvar.probe.functions import all_instances, function_file
from localvar.probe.lines import LinePlace, in_function, places_in, places_of_lines
from localvar.probe.statements import LineStart, Wanted, line_starts

NEAR_LINES = 4
"""Lines with code that are named where the one asked for has none."""


def in_functions(arrivals: Arrivals, functions: Iterable[Die], where: Where | None) -> Iterator[LinePlace]:
    """The places of lines of functions in their own code and in their inlined copies."""
    for function in functions:
        yield from _in_function(arrivals, function, wanted_lines(where, first_line(function)))


def _in_function(arrivals: Arrivals, function: Die, wanted: Wanted) -> Iterator[LinePlace]:
    file = function_file(function) or ""
    found = list(all_instances([function]))
    own = {instance.chain[0].key for instance in found}
    starts: dict[int, list[LineStart]] = {}
    for concrete in {instance.chain[-1].key: instance.chain[-1] for instance in found}.values():
        offset = concrete.unit.offset
        if offset not in starts:
            starts[offset] = line_starts(concrete.unit, file, wanted)
        inside = [(start, concrete) for start in starts[offset] if holds(concrete, start.address)]
        yield from (place for place in places_in(arrivals, inside, file) if own_function(place.chain).key in own)


def in_files(arrivals: Arrivals, units: Sequence[Unit], file: str, name: str, wanted: Wanted) -> Iterator[LinePlace]:
    """The places of lines of a file in those functions of units that a glob matches."""
    return (place for place in places_of_lines(arrivals, units, file, wanted)
            if name == "*" or in_function(place.chain, name))


def nearest_in_functions(arrivals: Arrivals, functions: Iterable[Die], asked: int) -> list[int]:
    """The lines with code of functions that are nearest to the one asked for, the nearest first; of two, the later one."""
    lines = {place.line for place in in_functions(arrivals, functions, AllLines()) if place.why_not is None}
    return sorted(lines, key=lambda line: _distance(line, asked))[:NEAR_LINES]


def nearest_in_files(arrivals: Arrivals, units: Sequence[Unit], file: str, name: str, asked: int) -> list[int]:
    """The same, of a file in those functions of units that a glob matches.  Which are lines of functions takes long to tell in
    a header: it is asked of the nearest ones only, where these are enough."""
    every = sorted({start.line for unit in units for start in line_starts(unit, file, lambda _: True)},
                   key=lambda line: _distance(line, asked))
    lines: set[int] = set()
    for count in (NEAR_LINES * 4, len(every)):
        places = in_files(arrivals, units, file, name, set(every[:count]).__contains__)
        lines = {place.line for place in places if place.why_not is None}
        if len(lines) >= NEAR_LINES:
            break
    return sorted(lines, key=lambda line: _distance(line, asked))[:NEAR_LINES]


def _distance(line: int, asked: int) -> tuple[int, int]:
    return abs(line - asked), -line


def first_line(function: Die) -> int:
    """The line that declares a function, from which relative lines count; 0 where debug info does not say."""
    return origin(function).constant(c.DW_AT_decl_line) or 0


def wanted_lines(where: Where | None, first: int) -> Wanted:
    """Whether a line is one that a coordinate asks for, in a function whose first line that is."""
    if isinstance(where, AllLines):
        return lambda line: True
    if isinstance(where, RelativeLine):
        wanted = first + where.offset
        return lambda line: line == wanted
    assert isinstance(where, Lines)
    ranges = where.ranges
    return lambda line: any(a <= line <= b for a, b in ranges)


def asked_line(where: Where | None, first: int) -> int:
    """The first line that a coordinate asks for; first where it asks for all."""
    if isinstance(where, RelativeLine):
        return first + where.offset
    return where.ranges[0][0] if isinstance(where, Lines) else first
