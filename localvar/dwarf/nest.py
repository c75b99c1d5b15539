# SPDX-License-Identifier: GPL-2.0-or-later
"""Functions, their inlined copies and blocks as they stand in each other (DWARF 5 chapter 3), each read once."""

from __future__ import annotations

from localvar.dwarf import constants as c
from localvar.dwarf.ranges import Ranges, die_ranges
from localvar.dwarf.unit import Die

FUNCTION_TAGS = frozenset({c.DW_TAG_subprogram, c.DW_TAG_inlined_subroutine})
SCOPE_TAGS = FUNCTION_TAGS | {c.DW_TAG_lexical_block}


class Nest:
    """A scope with its address ranges and the scopes in it, each read once."""

    __slots__ = ("_inner", "_ranges", "die")

    def __init__(self, die: Die) -> None:
        self.die = die
        self._ranges: Ranges | None = None
        self._inner: list[Nest] | None = None

    @property
    def ranges(self) -> Ranges:
        """As die_ranges()."""
        if self._ranges is None:
            self._ranges = die_ranges(self.die)
        return self._ranges

    @property
    def inner(self) -> list[Nest]:
        """The scopes directly in this one."""
        if self._inner is None:
            unit = self.die.unit
            self._inner = [nest_of(Die(unit, entry)) for entry in unit.children(self.die.entry) if entry[1].tag in SCOPE_TAGS]
        return self._inner

    def at(self, pc: int) -> Nest | None:
        """The first of the scopes directly in this one that holds pc."""
        for nest in self.inner:
            for low, high in nest.ranges:
                if low <= pc < high:
                    return nest
        return None


def nest_of(die: Die) -> Nest:
    """A scope as Nest, made once."""
    nests = die.unit.nests
    if die.offset not in nests:
        nests[die.offset] = Nest(die)
    return nests[die.offset]
