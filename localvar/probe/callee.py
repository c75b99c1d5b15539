# SPDX-License-Identifier: GPL-2.0-or-later
"""Functions called from a function: copies inlined into it, and calls of code out of line (DWARF 5 sections 3.3.8, 3.4)."""

from __future__ import annotations

from collections.abc import Iterator

from localvar.code.instructions import instruction_starts
from localvar.dwarf import constants as c
from localvar.dwarf.elf import ET_REL, Elf
from localvar.dwarf.ranges import die_ranges
from localvar.dwarf.relocate import EM_X86_64
from localvar.dwarf.scope import Chain, name_of
from localvar.dwarf.unit import Die

_CALLS = frozenset({c.DW_TAG_call_site, c.DW_TAG_GNU_call_site})

OF_COMPILER = ("__fentry__", "__x86_indirect_thunk_")
"""Begin the names that calls have which the source does not make, and which the kernel takes out of its code when it starts: the
function tracer's, and those by way of a register (arch/x86/kernel/alternative.c: apply_retpolines)."""

_ORIGINS = (c.DW_AT_call_origin, c.DW_AT_abstract_origin)


def inlined_callees(chain: Chain) -> Iterator[tuple[str, Chain]]:
    """(name, scopes) of the copies inlined directly into the innermost function of a chain."""
    for child in chain[0].children():
        if child.tag == c.DW_TAG_inlined_subroutine:
            yield name_of(child) or "?", (child, *chain)
        elif child.tag == c.DW_TAG_lexical_block:
            yield from inlined_callees((child, *chain))


def named_calls(scope: Die) -> Iterator[str]:
    """Names of the functions that a function itself calls, as far as its call sites say."""
    for child in scope.children():
        if child.tag in _CALLS:
            target = next((die for attribute in _ORIGINS if (die := child.reference(attribute)) is not None), None)
            name = name_of(target) if target is not None else None
            if name:
                yield name
        elif child.tag == c.DW_TAG_lexical_block:
            yield from named_calls(child)


def direct_calls(elf: Elf, function: Die) -> Iterator[tuple[int, int]]:
    """(return address, address called) of all direct calls in the code of a concrete function: that debug info has each of
    them is not sure (DW_AT_call_all_calls), the code has."""
    if elf.machine != EM_X86_64 or elf.type == ET_REL:
        return
    for low, high in die_ranges(function):
        code = elf.memory(low, high - low)
        for start in sorted(instruction_starts(code, low, elf.machine)) if code is not None else ():
            call = code[start - low : start - low + 5] if code is not None else b""
            if len(call) == 5 and call[0] == 0xE8:  # call rel32
                yield start + 5, start + 5 + int.from_bytes(call[1:], "little", signed=True)
