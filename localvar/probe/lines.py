# SPDX-License-Identifier: GPL-2.0-or-later
"""Lines of a file, in whatever functions they have code: file.c:450, *@file.c:450, function("f@file.c:450")."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase

from localvar.dwarf import constants as c
from localvar.dwarf.ranges import die_ranges
from localvar.dwarf.scope import FUNCTION_TAGS, Chain, chain_at, name_of
from localvar.dwarf.unit import Die, Unit
from localvar.probe.names import is_glob
from localvar.probe.statements import Wanted, line_starts


def places_of_lines(units: list[Unit], file: str, wanted: Wanted) -> Iterator[tuple[Chain, int, int]]:
    """(scopes, address, line) of each place where code of a wanted line begins, in order of address for each unit."""
    for unit in units:
        starts = list(line_starts(unit, file, wanted))
        if not starts:
            continue
        functions = _functions(unit)
        for line, pc in starts:
            function = next((die for low, high, die in functions if low <= pc < high), None)
            if function is not None:
                yield chain_at(function, pc), pc, line


def _functions(unit: Unit) -> list[tuple[int, int, Die]]:
    """(low, high, function) of the concrete functions of a unit."""
    dies = [Die(unit, entry) for entry in unit.top_level if entry[1].tag == c.DW_TAG_subprogram]
    return [(low, high, die) for die in dies for low, high in die_ranges(die)]


def in_function(chain: Chain, name: str) -> bool:
    """Whether the innermost function of a chain has that name, or one that the glob matches."""
    own = name_of(next(die for die in chain if die.tag in FUNCTION_TAGS)) or ""
    return fnmatchcase(own, name) if is_glob(name) else own == name
