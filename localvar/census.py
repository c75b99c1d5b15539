# SPDX-License-Identifier: GPL-2.0-or-later
"""A census of what is readable: at every statement address of functions, each variable by class and by how it is read,
each absence by its reason.  Counts what the judge decides, so what an expansion would do."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path as FilePath

from localvar.dwarf.elf import STT_FUNC
from localvar.dwarf.errors import DwarfError
from localvar.dwarf.ranges import die_ranges
from localvar.dwarf.scope import FUNCTION_TAGS, Chain, chain_at, function_at
from localvar.dwarf.types import line_table
from localvar.dwarf.unit import Die
from localvar.kernel import Kernel
from localvar.model.plan import Read, VariableKind
from localvar.model.site import ScopeRef, Site
from localvar.probe.sites import make_site


@dataclass
class Census:
    """Counts of (variable, statement) pairs.

    Keys of by_class and by_how: (whose, what), whose one of "parameter" (of the function itself), "inlined parameter",
    "local"; what a class or a way of reading, of readable ones.  Keys of absent: (whose, slug of the reason).
    """

    functions: int = 0
    statements: int = 0
    by_class: Counter[tuple[str, str]] = field(default_factory=Counter)
    by_how: Counter[tuple[str, str]] = field(default_factory=Counter)
    absent: Counter[tuple[str, str]] = field(default_factory=Counter)

    def add(self, other: Census) -> None:
        """Add the counts of another census."""
        self.functions += other.functions
        self.statements += other.statements
        self.by_class += other.by_class
        self.by_how += other.by_how
        self.absent += other.absent

    def total(self, whose: str) -> int:
        """Pairs counted for one kind of variable."""
        return self.readable(whose) + sum(n for (w, _), n in self.absent.items() if w == whose)

    def readable(self, whose: str) -> int:
        """Readable pairs for one kind of variable."""
        return sum(n for (w, _), n in self.by_how.items() if w == whose)


def sample_functions(kernel: Kernel, number: int | None, seed: int) -> list[int]:
    """Entry addresses of that many random functions and clones of the kernel's text (None: all), by a seed."""
    text = kernel.elf.section(".text")
    found = sorted({symbol.value for symbol in kernel.elf.symbols
                    if symbol.type == STT_FUNC and symbol.size and text is not None and symbol.value in text
                    and ".cold" not in symbol.name})
    return found if number is None or number >= len(found) else sorted(random.Random(seed).sample(found, number))


def count(kernel: Kernel, entries: Sequence[int]) -> Iterator[Census]:
    """A census of each function that begins at one of the addresses (empty where debug info does not know it)."""
    for entry in entries:
        unit = kernel.info.unit_of_pc(entry)
        function = function_at(unit, entry) if unit else None
        yield Census() if function is None else _count_function(kernel, function)


def count_file(vmlinux: str, release: str, entries: Sequence[int]) -> list[Census]:
    """count() in a process of its own."""
    return list(count(Kernel(FilePath(vmlinux), release), entries))


def statement_addresses(function: Die) -> list[int]:
    """The addresses of a function's statements, ascending."""
    ranges = die_ranges(function)
    return sorted({row.address for row in line_table(function.unit).rows if row.is_stmt and not row.end_sequence
                   and any(low <= row.address < high for low, high in ranges)})


def parameters_at(kernel: Kernel, function: Die, pc: int) -> tuple[Site, list[Read]]:
    """The site at a statement of a function, and how the function's own parameters are read there."""
    site = make_site(kernel.info, chain_at(function, pc), pc, kernel.resolver.probeable)
    own = replace(site, scope=ScopeRef((function.key,)))
    return site, [read for read in kernel.judge.all(own) if read.variable and read.variable.kind is VariableKind.PARAMETER]


def _count_function(kernel: Kernel, function: Die) -> Census:
    census = Census(functions=1)
    for pc in statement_addresses(function):
        try:
            _count_statement(kernel, chain_at(function, pc), pc, census)
        except DwarfError:
            continue
        census.statements += 1
    return census


def _count_statement(kernel: Kernel, chain: Chain, pc: int, census: Census) -> None:
    site = make_site(kernel.info, chain, pc, kernel.resolver.probeable)
    start = 0
    for index, die in enumerate(chain):
        if die.tag in FUNCTION_TAGS:
            _count_frame(kernel, replace(site, scope=ScopeRef(tuple(d.key for d in chain[start:]))), die is chain[-1], census)
            start = index + 1


def _count_frame(kernel: Kernel, site: Site, concrete: bool, census: Census) -> None:
    """The variables of one function frame at a statement."""
    for read in kernel.judge.all(site):
        assert read.variable is not None
        if read.variable.kind is VariableKind.STATIC:
            continue
        whose = "local" if read.variable.kind is VariableKind.LOCAL else "parameter" if concrete else "inlined parameter"
        _tally(read, whose, census)


def _tally(read: Read, whose: str, census: Census) -> None:
    if read.reason is not None:
        census.absent[whose, read.reason.slug] += 1
    else:
        assert read.how is not None
        census.by_class[whose, read.location_class.value] += 1
        census.by_how[whose, read.how.value] += 1
