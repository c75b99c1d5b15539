# SPDX-License-Identifier: GPL-2.0-or-later
"""Where gdb is known to be wrong, each with the reason and with what must be seen in debug info for it to count."""

from __future__ import annotations

from collections.abc import Iterator

from localvar.dwarf import constants as c
from localvar.dwarf.loclists import location_entries
from localvar.dwarf.ranges import die_ranges
from localvar.dwarf.scope import SCOPE_TAGS, VARIABLE_TAGS, entry_of, holds, name_of
from localvar.dwarf.unit import Die
from localvar.kernel import Kernel
from tests.programs.choose import functions
from tests.programs.outcome import Finding


def is_known(program: Kernel, finding: Finding) -> bool:
    """Whether gdb's value differs from ours by a known mistake of gdb's."""
    return any(_empty_range_at_entry(die, finding.pc) for die in _variables(program, finding.pc, finding.path))


def is_compilers(compiler: str, finding: Finding) -> bool:
    """Whether a value is not what the program told because debug info names a wrong place, as gdb reads it too: clang 19
    halves the quotient with a logical shift, since only its low bits are used, and still says that it is the variable."""
    return compiler.startswith("clang") and (finding.function, finding.path, finding.location_class) == (
        "derived", "quotient", "register")


def is_known_scope(program: Kernel, pc: int, name: str) -> bool:
    """gdb 13 looks blocks up by their lowest and highest address (find_block_in_blockvector), not by DW_AT_ranges: in
    the holes of a block it shows the block's variables.  DWARF 5 section 2.17.3: those addresses are not the block's."""
    return any(not holds(block, pc) and min(die_ranges(block))[0] <= pc < max(high for _, high in die_ranges(block))
               for function in functions(program) for block in _blocks(function)
               if die_ranges(block) and any(name_of(child) == name for child in block.children()))


def _empty_range_at_entry(die: Die, pc: int) -> bool:
    """gdb 13 takes an empty range [entry, entry) of a location list for one that holds at the function's entry
    (dwarf2_find_location_expression, for an entry value of gcc 4.x).  DWARF 5 section 2.6.2: an empty range describes
    nothing; gcc writes one for each assignment that has no instruction, and the last of them is the value."""
    form = die.attributes.get(c.DW_AT_location)
    if form is None or die.block(c.DW_AT_location) is not None:
        return False
    return any(entry.low == entry.high == pc for entry in location_entries(die, c.DW_AT_location))


def _variables(program: Kernel, pc: int, path: str) -> Iterator[Die]:
    """Variables by the name that a path begins with, in the function that begins at pc."""
    for function in functions(program):
        if entry_of((function,)) == pc:
            for block in _blocks(function):
                yield from (die for die in block.children() if die.tag in VARIABLE_TAGS and _begins(path, name_of(die)))


def _begins(path: str, name: str | None) -> bool:
    return name is not None and path.replace("->", ".").replace("[", ".").split(".")[0] == name


def _blocks(scope: Die) -> Iterator[Die]:
    yield scope
    for child in scope.children():
        if child.tag in SCOPE_TAGS:
            yield from _blocks(child)
