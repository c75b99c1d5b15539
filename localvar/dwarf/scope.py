# SPDX-License-Identifier: GPL-2.0-or-later
"""Scopes: which functions, inlined copies and blocks hold an address, and what is declared in them (DWARF 5 chapter 3)."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from operator import itemgetter

from localvar.dwarf import constants as c
from localvar.dwarf.copies import copies_in, has_index
from localvar.dwarf.errors import DwarfError
from localvar.dwarf.info import DebugInfo
from localvar.dwarf.manynames import name_offsets, units_naming
from localvar.dwarf.names import dies_named, references_to
from localvar.dwarf.nest import FUNCTION_TAGS as FUNCTION_TAGS
from localvar.dwarf.nest import SCOPE_TAGS as SCOPE_TAGS
from localvar.dwarf.nest import nest_of
from localvar.dwarf.ranges import Ranges, die_ranges
from localvar.dwarf.unit import Die, Entry, Unit

VARIABLE_TAGS = frozenset({c.DW_TAG_formal_parameter, c.DW_TAG_variable})

_MANY = 16
_FEW = 3
"""Functions of a unit, for each of which is searched, before all copies in the unit are listed."""

Chain = tuple[Die, ...]
"""Scopes from the innermost outwards; the last one is the concrete function (a DW_TAG_subprogram)."""


@dataclass(frozen=True)
class Instance:
    """Code of a function: its out-of-line body, a clone of it, or an inlined copy (then chain[0] is that copy).

    entry: where control enters it, which can be outside the ranges of a copy; a copy can have none.
    """

    chain: Chain
    entry: int
    ranges: tuple[tuple[int, int], ...]

    @property
    def inlined(self) -> bool:
        """True for an inlined copy."""
        return self.chain[0].tag == c.DW_TAG_inlined_subroutine


def origin(die: Die) -> Die:
    """The DIE that states what `die` leaves out: the end of its abstract-origin and specification chain (section 2.13)."""
    seen = 0
    while seen < 16:
        following = die.reference(c.DW_AT_abstract_origin) or die.reference(c.DW_AT_specification)
        if following is None:
            return die
        die, seen = following, seen + 1
    return die


def name_of(die: Die) -> str | None:
    """The source name of a DIE, its own or its origin's."""
    names = die.unit.names
    if die.offset not in names:
        names[die.offset] = die.string(c.DW_AT_name) or origin(die).string(c.DW_AT_name)
    return names[die.offset]


def attribute_of(die: Die, attribute: int) -> Die | None:
    """The DIE (die, or its origins) that has an attribute; None where none has."""
    for _ in range(16):
        if attribute in die:
            return die
        following = die.reference(c.DW_AT_abstract_origin) or die.reference(c.DW_AT_specification)
        if following is None:
            return None
        die = following
    return None


def entry_of(chain: Chain) -> int:
    """Where the code of chain[0], a function or an inlined copy, begins: DW_AT_entry_pc, else DW_AT_low_pc, else the first
    address listed (section 3.3.3: the first range of a function is its entry's).

    gcc writes the address where control enters a copy (-ginline-points), which can be outside the copy's ranges: its own
    instructions begin earlier or later, or there are none.  It counts where the function around the copy has code there.
    Raises DwarfError where the code begins nowhere.
    """
    ranges = die_ranges(chain[0])
    entry = _entry(chain[0], ranges, ranges if len(chain) == 1 else die_ranges(chain[-1]))
    if entry is None:
        raise DwarfError(f"the code of the DIE at {chain[0].key:#x} begins nowhere")
    return entry


def _entry(die: Die, ranges: Ranges, around: Ranges) -> int | None:
    """entry_of(); None for a copy that has neither code nor an entry.  around: the concrete function's ranges."""
    low, entry = die.address(c.DW_AT_low_pc), die.address(c.DW_AT_entry_pc)
    base = low if low is not None else ranges[0][0] if ranges else None
    if entry is None and base is not None and (offset := die.constant(c.DW_AT_entry_pc)) is not None:
        entry = offset + base
    if entry is not None and any(start <= entry < end for start, end in around):
        return entry
    if not ranges:
        return None
    if die.tag == c.DW_TAG_inlined_subroutine:
        return min(start for start, _ in ranges)
    return base


def is_discarded(ranges: Ranges) -> bool:
    """Whether the linker threw the code away (its relocations were resolved to 0)."""
    return all(start == 0 for start, _ in ranges)


def function_dies(info: DebugInfo, name: str) -> list[Die]:
    """DIEs of functions whose own name is `name`: concrete ones and abstract instances, declarations left out."""
    return dies_named(info, name, {c.DW_TAG_subprogram}, skip_declarations=True)


def functions_named(info: DebugInfo, names: Collection[str]) -> list[Die]:
    """function_dies() of all the names, by name: where there are many in one walk of the top levels of the units that can have
    them.  Functions within functions or namespaces are found by search only."""
    if len(names) < _MANY:
        return [die for name in names for die in function_dies(info, name)]
    found: dict[str, list[Die]] = {name: [] for name in sorted(names)}
    offsets = name_offsets(info, names)
    raw = {offset.to_bytes(4, "little") for offset in offsets if not offset >> 32}

    def collect(unit: Unit) -> bool:
        before = sum(map(len, found.values()))
        for entry in unit.functions:
            _, abbreviation, at = entry
            if abbreviation.is_definition:
                place = abbreviation.name_place
                if place >= 0 and unit.data[at + place : at + place + 4] not in raw:
                    continue
                die = Die(unit, entry)
                name = die.string(c.DW_AT_name)
                if name in found and not die.flag(c.DW_AT_declaration):
                    found[name].append(die)
        return sum(map(len, found.values())) != before

    info.units_where(collect, units_naming(info, offsets))
    return [die for dies in found.values() for die in dies]


def instances(function: Die) -> Iterator[Instance]:
    """All code of a function: itself where it is concrete, the concrete and inlined instances that refer to it."""
    found = instance_of((function,))
    if found is not None:
        yield found
    for chain in _references(function):
        found = instance_of(chain)
        if found is not None:
            yield found


def _references(function: Die) -> Iterable[Chain]:
    """The instances that refer to a function.  Who asks for a few functions of a unit asks for many."""
    unit = function.unit
    unit.asked += 1
    if unit.asked > _FEW and has_index(unit):
        return copies_in(unit).get(function.offset, ())
    return references_to(function, c.DW_AT_abstract_origin, FUNCTION_TAGS)


def instance_of(chain: Chain) -> Instance | None:
    """The code of chain[0]; None where it has none, or the linker threw it away."""
    chain = tuple(die for die in chain if die.tag in SCOPE_TAGS)
    around = die_ranges(chain[-1])
    if not around or is_discarded(around):
        return None
    ranges = around if len(chain) == 1 else die_ranges(chain[0])
    entry = _entry(chain[0], ranges, around)
    return None if entry is None else Instance(chain, entry, tuple(ranges))


def holds(die: Die, pc: int) -> bool:
    """Whether the address ranges of a scope hold pc."""
    return any(low <= pc < high for low, high in die_ranges(die))


class _Functions:
    """The concrete functions among some DIEs by address."""

    def __init__(self, unit: Unit, entries: list[Entry]) -> None:
        dies = [Die(unit, entry) for entry in entries if entry[1].tag == c.DW_TAG_subprogram]
        self._rows = [(low, high, die) for die in dies for low, high in die_ranges(die)]
        in_order = sorted(self._rows, key=lambda row: row[:2])
        self._apart = all(one[1] <= following[0] for one, following in pairwise(in_order))
        if self._apart:
            self._rows = in_order

    def at(self, pc: int) -> Die | None:
        """The first function that holds pc."""
        index = bisect_right(self._rows, pc, key=itemgetter(0)) if self._apart else 0
        rows = self._rows[max(index - 1, 0) : index] if self._apart else self._rows
        return next((die for low, high, die in rows if low <= pc < high), None)


@cache
def _functions(unit: Unit, whole: bool) -> _Functions:
    return _Functions(unit, unit.functions if whole else unit.code)


def function_at(unit: Unit, pc: int) -> Die | None:
    """The concrete function of a unit whose code holds pc."""
    return _functions(unit, False).at(pc) or _functions(unit, True).at(pc)


def chain_at(function: Die, pc: int) -> Chain:
    """The scopes that hold pc within a concrete function, innermost first."""
    chain, inner = [function], nest_of(function).at(pc)
    while inner is not None:
        chain.insert(0, inner.die)
        inner = inner.at(pc)
    return tuple(chain)


def blocks_within(chain: Chain, pc: int) -> Chain:
    """chain extended inwards by the lexical blocks that hold pc, stopping before the next inlined function."""
    inner, nest = list(chain), nest_of(chain[0])
    while True:
        blocks = (block for block in nest.inner if block.die.tag == c.DW_TAG_lexical_block)
        block = next((block for block in blocks if any(low <= pc < high for low, high in block.ranges)), None)
        if block is None:
            return tuple(inner)
        inner.insert(0, block.die)
        nest = block


def inlined_names(chain: Chain) -> tuple[str, ...]:
    """Names of the functions whose inlined copies are in the chain, innermost first."""
    return tuple(name_of(die) or "?" for die in chain if die.tag == c.DW_TAG_inlined_subroutine)


def own_function(chain: Chain) -> Die:
    """The innermost function or inlined copy of a chain."""
    return next(die for die in chain if die.tag in FUNCTION_TAGS)
