# SPDX-License-Identifier: GPL-2.0-or-later
"""Registers that hold at an instruction what they held on entry, on every path that leads there."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from functools import cached_property

from localvar.code.patches import Patches, read_patches
from localvar.code.x86 import EVERYTHING, Instruction, decode
from localvar.dwarf.elf import Elf

EM_X86_64 = 62
Ranges = Sequence[tuple[int, int]]


class Flow:
    """Answers for the functions of one ELF file; a function is analysed once."""

    def __init__(self, elf: Elf) -> None:
        self._elf = elf
        self._found: dict[int, dict[int, frozenset[int]]] = {}

    @cached_property
    def patches(self) -> Patches | None:
        """What the kernel changes in the code; None where that is not known."""
        return read_patches(self._elf)

    @cached_property
    def _tracer(self) -> int | None:
        found = self._elf.symbols_named("__fentry__")
        return found[0].value if found else None

    def intact(self, entry: int, ranges: Ranges, pc: int) -> frozenset[int]:
        """DWARF numbers of the registers that provably hold at pc what they held when the function began at entry.

        ranges: all code of the function.  Empty where nothing can be proven: another architecture, code that cannot be
        followed (an indirect jump, an address that is no instruction), code that the kernel may rewrite in between.
        """
        if self._elf.machine != EM_X86_64:
            return frozenset()
        if entry not in self._found:
            self._found[entry] = self._analyse(entry, ranges)
        return self._found[entry].get(pc, frozenset())

    def _analyse(self, entry: int, ranges: Ranges) -> dict[int, frozenset[int]]:
        patches = self.patches
        code = self._instructions(ranges)
        if patches is None or code is None or entry not in code or not all(i.known for i in code.values()):
            return {}
        changes = {at: _with_patches(instruction, patches) for at, instruction in code.items()}
        state: dict[int, frozenset[int]] = {entry: EVERYTHING}
        pending = [entry]
        for landing in patches.landings & code.keys():
            state[landing] = frozenset()
            pending.append(landing)
        while pending:
            at = pending.pop()
            out = state[at] - changes[at]
            for target in self._successors(code[at], patches, code):
                before = state.get(target)
                after = out if before is None else before & out
                if after != before:
                    state[target] = after
                    pending.append(target)
        return state

    def _instructions(self, ranges: Ranges) -> dict[int, Instruction] | None:
        code: dict[int, Instruction] = {}
        for low, high in ranges:
            raw = self._elf.memory(low, high - low)
            if raw is None:
                return None
            found = {instruction.address: instruction for instruction in decode(raw, low, self._tracer)}
            if not found or max(i.end for i in found.values()) != high:
                return None
            code.update(found)
        return code

    def _successors(self, instruction: Instruction, patches: Patches, code: dict[int, Instruction]) -> list[int]:
        targets = list(instruction.targets)
        if instruction.address in patches.jumps:
            targets.append(patches.jumps[instruction.address])
        if instruction.falls_through or instruction.address in patches.jumps:
            targets.append(instruction.end)
        return [target for target in targets if target in code]


def _with_patches(instruction: Instruction, patches: Patches) -> frozenset[int]:
    """What an instruction can change once the kernel has had its way with it."""
    index = bisect_right(patches.rewritten, (instruction.address, 1 << 64))
    for low, high in patches.rewritten[max(0, index - 8) : index + 1]:
        if low < instruction.end and instruction.address < high:
            return EVERYTHING
    return instruction.changes
