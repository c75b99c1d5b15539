# SPDX-License-Identifier: GPL-2.0-or-later
"""Registers that hold at an instruction what they held on entry, on every path that leads there."""

from __future__ import annotations

import struct
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from functools import cached_property

from localvar.code.code import Code
from localvar.code.patches import LENGTH_LIMIT, Patches, read_patches
from localvar.code.x86 import EVERYTHING, Instruction, decode
from localvar.dwarf.elf import Elf

EM_X86_64 = 62

CALL, CALL_SIZE = 0xE8, 5
ENDBR64 = b"\xf3\x0f\x1e\xfa"

THUNKS = ("rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", *(f"r{number}" for number in range(8, 16)))
"""The registers that an indirect jump can be through."""

Ranges = Sequence[tuple[int, int]]


class Flow:
    """Answers for the functions of one ELF file; a function is analysed once."""

    def __init__(self, elf: Elf) -> None:
        self.elf = elf
        self.code = Code(elf)
        self._found: dict[int, dict[int, frozenset[int]]] = {}
        self._once: dict[int, bool] = {}

    @cached_property
    def patches(self) -> Patches | None:
        """What the kernel changes in the code; None where that is not known."""
        return read_patches(self.elf)

    @cached_property
    def _tracer(self) -> int | None:
        return self.code.address_of("__fentry__")

    def intact(self, entry: int, ranges: Ranges, pc: int) -> frozenset[int]:
        """DWARF numbers of the registers that provably hold at pc what they held when the function began at entry.

        ranges: all code of the function.  Empty where nothing can be proven: another architecture, code that cannot be
        followed (an indirect jump, an address that is no instruction), code that the kernel may rewrite in between.
        """
        if self.elf.machine != EM_X86_64:
            return frozenset()
        if entry not in self._found:
            self._found[entry] = self._analyse(entry, ranges)
        return self._found[entry].get(pc, frozenset())

    def begins_once(self, entry: int, ranges: Ranges) -> bool:
        """Whether the code of a function does not come back to its first instruction: that is proven where it is the call of
        the tracer, which compilers put in front of all that they write, or where no jump leads there.

        ranges: all code of the function.
        """
        if entry not in self._once:
            self._once[entry] = self._begins_once(entry, ranges)
        return self._once[entry]

    def _begins_once(self, entry: int, ranges: Ranges) -> bool:
        if self.elf.machine != EM_X86_64:
            return False
        if self._is_traced(entry):
            return True
        code, patches = self._instructions(ranges), self.patches
        return code is not None and patches is not None and all(map(self._is_followed, code.values())) and not any(
            entry in self.targets(instruction, patches) for instruction in code.values())

    def _is_traced(self, entry: int) -> bool:
        """Whether a function begins with the call of the tracer, behind the landing point of indirect calls."""
        at = entry + (len(ENDBR64) if self.code.bytes(entry, len(ENDBR64)) == ENDBR64 else 0)
        raw = self.code.bytes(at, CALL_SIZE)
        return raw is not None and raw[0] == CALL and at + CALL_SIZE + int(struct.unpack_from("<i", raw, 1)[0]) == self._tracer

    def _analyse(self, entry: int, ranges: Ranges) -> dict[int, frozenset[int]]:
        patches = self.patches
        code = self._instructions(ranges)
        if patches is None or code is None or entry not in code or not all(map(self._is_followed, code.values())):
            return {}
        state: dict[int, frozenset[int]] = {entry: EVERYTHING}
        pending = [entry]
        for landing in patches.landings & code.keys():
            state[landing] = frozenset()
            pending.append(landing)
        while pending:
            at = pending.pop()
            changes, following = self._step(code[at], patches)
            out = state[at] - changes
            for target in following & code.keys():
                before = state.get(target)
                after = out if before is None else before & out
                if after != before:
                    state[target] = after
                    pending.append(target)
        return state

    def _instructions(self, ranges: Ranges) -> dict[int, Instruction] | None:
        code: dict[int, Instruction] = {}
        for low, high in ranges:
            raw = self.code.bytes(low, high - low)
            if raw is None:
                return None
            found = {instruction.address: instruction for instruction in decode(raw, low, self._tracer)}
            if not found or max(i.end for i in found.values()) != high:
                return None
            code.update(found)
        return code

    def _is_followed(self, instruction: Instruction) -> bool:
        """Whether it is known where an instruction goes to.  A jump to a thunk goes to where a register says: to another
        function, or to a label of its own (goto *label)."""
        return instruction.known and not any(target in self.thunks for target in instruction.targets)

    @cached_property
    def thunks(self) -> frozenset[int]:
        """The kernel's indirect jumps (arch/x86/lib/retpoline.S)."""
        found = (self.code.address_of(f"__x86_indirect_thunk_{name}") for name in THUNKS)
        return frozenset(address for address in found if address is not None)

    def _step(self, instruction: Instruction, patches: Patches) -> tuple[frozenset[int], set[int]]:
        """The registers that an instruction can change, and where it can go to, once the kernel has had its way with it."""
        following = self.targets(instruction, patches)
        if instruction.falls_through or instruction.address in patches.jumps:
            following.add(instruction.end)
        rewritten = _rewritten(instruction, patches)
        following |= {high for _, high in rewritten}
        return EVERYTHING if rewritten else instruction.changes, following

    def targets(self, instruction: Instruction, patches: Patches) -> set[int]:
        """Where an instruction, and what the kernel may put in its place, can jump to."""
        found = set(instruction.targets)
        if instruction.address in patches.jumps:
            found.add(patches.jumps[instruction.address])
        for low, _ in _rewritten(instruction, patches):
            found |= {target for place in patches.replacements[low] for target in self._jumps(*place)}
        return found

    def _jumps(self, low: int, high: int) -> Iterator[int]:
        """Where replaced code jumps to."""
        for instruction in decode(self.code.bytes(low, high - low) or b"", low, self._tracer):
            yield from instruction.targets


def _rewritten(instruction: Instruction, patches: Patches) -> list[tuple[int, int]]:
    """The places that an instruction is a part of where the kernel may put other instructions."""
    first = bisect_left(patches.rewritten, (instruction.address - LENGTH_LIMIT, 0))
    last = bisect_left(patches.rewritten, (instruction.end, 0))
    return [(low, high) for low, high in patches.rewritten[first:last] if instruction.address < high]
