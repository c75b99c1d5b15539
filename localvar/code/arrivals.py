# SPDX-License-Identifier: GPL-2.0-or-later
"""How control comes to an address: from the instruction in front of it, by jumps, or both.

A compiler notes where a source line or an inlined copy begins by an address alone, where it left no instruction there.  Such a
note at the end of straight code has the address of what follows; where jumps lead to that address too, who comes by one of
them has not passed what the note is about.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cached_property

from localvar.code.flow import EM_X86_64, Flow
from localvar.code.patches import Patches
from localvar.dwarf import constants as c
from localvar.dwarf.ranges import die_ranges
from localvar.dwarf.unit import Die

DISTANCE = 256
"""Bytes of code that runs_into() looks at: what belongs to one line is near."""

_ENDS = ("jmp", "ret", "iret", "ud2", "hlt", "int3")
"""Beginnings of the names of instructions that nothing falls out of."""
_LEAVES = (*_ENDS, "j", "call", "loop", "int", "sys", "xbegin", "lcall", "ljmp", "ud", "stac")
"""Of those that can go elsewhere.  stac is in front of an access that may fault on purpose and go on at its fixup."""


@dataclass(frozen=True)
class _Step:
    """An instruction.  target: where it jumps to; None where it does not jump, or that is not known (is_followed)."""

    address: int
    end: int
    name: str
    target: int | None
    is_followed: bool


@dataclass(frozen=True)
class _Ways:
    """Of a function's code: what is jumped to, what is fallen into."""

    targets: frozenset[int]
    behind: frozenset[int]


class Arrivals:
    """Answers for the functions of one file."""

    def __init__(self, flow: Flow) -> None:
        self._flow = flow
        self._found: dict[int, _Ways | None] = {}

    def are_mixed(self, function: Die, pc: int) -> bool:
        """Whether control comes to pc, in a concrete function, from the instruction in front of it and by jumps as well; True too
        where that cannot be told (another architecture, jumps to where a register says).  Raises DwarfError on damage."""
        ways = self._ways(function)
        return ways is None or (pc in ways.targets and pc in ways.behind)

    def lead_only(self, function: Die, start: int, pc: int) -> bool:
        """Whether who passes start surely passes pc, and who comes to pc from the instruction in front of it has passed start:
        straight code that no jump leads into.  Raises DwarfError on damage."""
        ways = self._ways(function)
        return ways is not None and self.runs_into(start, (pc,)) and not any(start < one < pc for one in ways.targets)

    def runs_into(self, start: int, ends: Collection[int]) -> bool:
        """Whether code from the instruction at start on runs straight into one of the addresses.  False where that is not proven:
        on other architectures, behind DISTANCE bytes, past what the kernel may turn into a jump (a nop of two bytes and more)."""
        last = max((end for end in ends if start < end <= start + DISTANCE), default=None)
        if last is None or self._flow.elf.machine != EM_X86_64:
            return False
        for step in self._steps(start, last):
            if step.name.startswith(_LEAVES) or (step.name == "nop" and step.end > step.address + 1):
                return False
            if step.end in ends:
                return True
        return False

    def _ways(self, function: Die) -> _Ways | None:
        if function.key not in self._found:
            self._found[function.key] = self._analyse(function)
        return self._found[function.key]

    def _analyse(self, function: Die) -> _Ways | None:
        patches = self._flow.patches
        if self._flow.elf.machine != EM_X86_64 or patches is None:
            return None
        targets, behind = set(self._fixed), set[int]()
        for low, high in die_ranges(function):
            for step in self._steps(low, high):
                if not step.is_followed or (step.target in self._flow.thunks and has_labels(function)):
                    return None
                if step.target is not None:
                    targets.add(step.target)
                if not step.name.startswith(_ENDS) or step.address in patches.jumps:
                    behind.add(step.end)
            targets |= self._patched(patches, low, high)
        return _Ways(frozenset(targets), frozenset(behind))

    def _patched(self, patches: Patches, low: int, high: int) -> set[int]:
        """Where code goes to that the kernel may put into a range."""
        found = set[int]()
        for place in self._places[bisect_left(self._places, low) : bisect_left(self._places, high)]:
            if place in patches.jumps:
                found.add(patches.jumps[place])
            for replacement in patches.replacements.get(place, ()):
                found |= {step.target for step in self._steps(*replacement) if step.target is not None}
        return found

    @cached_property
    def _places(self) -> list[int]:
        """Where the kernel may change code, ascending."""
        patches = self._flow.patches
        return sorted(patches.jumps.keys() | patches.replacements.keys()) if patches is not None else []

    @cached_property
    def _fixed(self) -> frozenset[int]:
        """Where code goes on behind a fault, and behind what static_cpu_has() does at first, in a section of its own."""
        section = self._flow.elf.section(".altinstr_aux")
        steps = self._steps(section.address, section.address + section.size) if section is not None else ()
        beside = {step.target for step in steps if step.target is not None}
        return frozenset(beside | (self._flow.patches.landings if self._flow.patches is not None else frozenset()))

    def _steps(self, low: int, high: int) -> Iterator[_Step]:
        import capstone

        code = self._flow.code.bytes(low, high - low) or b""
        decoder = capstone.Cs(capstone.CS_ARCH_X86, capstone.CS_MODE_64)
        for address, size, name, operands in decoder.disasm_lite(code, low):
            name = name.removeprefix("notrack ").removeprefix("bnd ")
            jumps = name.startswith(("j", "loop"))
            direct = operands.startswith("0x")
            yield _Step(address, address + size, name, int(operands, 16) if jumps and direct else None, direct or not jumps)


def has_labels(scope: Die) -> bool:
    """Whether a function, or what is inlined into it, has labels: without one a jump to where a register says leaves it (the
    kernel is built with -fno-jump-tables where such jumps go through thunks)."""
    return any(child.tag == c.DW_TAG_label or has_labels(child) for child in scope.children())
