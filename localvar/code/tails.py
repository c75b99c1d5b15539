# SPDX-License-Identifier: GPL-2.0-or-later
"""Whether the frame of a function is surely of the activation that its return address tells.

A call instruction pushes the address behind it and goes to the function that it names.  The frame there keeps that
address however long; but where the function ends in a jump to another one (a tail call), which may end in a jump back, it
begins again in the same place with other arguments.  Debug info does not have to list tail calls; the code has them all.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

from localvar.code.flow import CALL, CALL_SIZE, EM_X86_64, Flow
from localvar.code.x86 import Instruction, decode
from localvar.dwarf import constants as c
from localvar.dwarf.info import DebugInfo
from localvar.dwarf.ranges import die_ranges
from localvar.dwarf.scope import entry_of, function_at, name_of
from localvar.dwarf.unit import Die

FUNCTIONS_LIMIT = 64
"""Functions that a chain of tail calls is followed through."""

RETURNS = frozenset({"__x86_return_thunk"})
"""What a return is a jump to, until the kernel has put a return in its place (arch/x86/lib/retpoline.S)."""

DW_LANG_MIPS_ASSEMBLER = 0x8001



class Tails:
    """Answers from the code of one file."""

    def __init__(self, info: DebugInfo, flow: Flow) -> None:
        self._info = info
        self._elf = info.elf
        self._flow = flow
        self._found: dict[int, str | None] = {}

    def is_call(self, returns_to: int, entry: int) -> bool:
        """Whether the instruction in front of an address calls the function at `entry`, and nothing else ever."""
        at = returns_to - CALL_SIZE
        patches = self._flow.patches
        if self._elf.machine != EM_X86_64 or patches is None or self._is_freed(at):
            return False
        raw = self.code(at, CALL_SIZE)
        if raw is None or raw[0] != CALL or any(low < returns_to and at < high for low, high in patches.rewritten):
            return False
        return returns_to + int(struct.unpack_from("<i", raw, 1)[0]) == entry

    def beginning_again(self, function: Die) -> str | None:
        """Why a concrete function could begin again in the frame that it has; None where it is proven that it cannot."""
        if function.key not in self._found:
            self._found[function.key] = self._beginning_again(function)
        return self._found[function.key]

    def _beginning_again(self, function: Die) -> str | None:
        entry = entry_of((function,))
        pending, seen = [function], {function.key}
        while pending:
            die = pending.pop()
            code = self.instructions(die_ranges(die))
            if code is None:
                return f"the code of {name_of(die)} cannot be followed"
            for instruction in code:
                following = self._leaves(instruction, die, entry)
                if isinstance(following, str):
                    return following
                pending += [one for one in following if one.key not in seen]
                seen |= {one.key for one in following}
            if len(seen) > FUNCTIONS_LIMIT:
                return f"it ends in jumps through more than {FUNCTIONS_LIMIT} functions"
        return None

    def _leaves(self, instruction: Instruction, die: Die, entry: int) -> list[Die] | str:
        """The functions that a jump goes to; why that is not known, or that it is the function at entry."""
        if not instruction.known:
            return f"{name_of(die)} jumps to where a register or memory says"
        patches = self._flow.patches
        if patches is None:
            return "it is not known what the kernel changes in the code"
        found = []
        for target in sorted(self._flow.targets(instruction, patches)):
            following = self._begins(target, die, entry)
            if isinstance(following, str):
                return following
            found += following
        return found

    def _begins(self, target: int, die: Die, entry: int) -> list[Die] | str:
        """The function that a jump of a function goes to, none where it stays or returns; why that is not known."""
        if target == entry:
            return f"{name_of(die)} can jump to its beginning"
        if any(low <= target < high for low, high in die_ranges(die)):
            return []
        elsewhere = self._flow.code.elsewhere(target)
        names = {elsewhere} if elsewhere is not None else {symbol.name for symbol in self._elf.symbols_at(target)}
        if names & RETURNS:
            return []
        if elsewhere is not None:
            return f"{name_of(die)} ends in a jump to {elsewhere}"
        unit = self._info.unit_of_pc(target)
        function = function_at(unit, target) if unit is not None else None
        if unit is None or function is None or unit.root.constant(c.DW_AT_language) == DW_LANG_MIPS_ASSEMBLER:
            return f"{name_of(die)} can jump to {target:#x}, which is no C function"
        return [function]

    # -- code -----------------------------------------------------------------------------------------------------

    def instructions(self, ranges: Sequence[tuple[int, int]]) -> list[Instruction] | None:
        """All instructions of a function; None where they cannot be told."""
        found: list[Instruction] = []
        for low, high in ranges:
            raw = self.code(low, high - low)
            part = list(decode(raw, low, None)) if raw is not None else []
            if not part or part[-1].end != high:
                return None
            found += part
        return found

    def _is_freed(self, address: int) -> bool:
        """Whether code is in the kernel's memory, or the module's, for its initialisation only."""
        section = self._elf.section_at(address)
        bounds = self._info.init_range
        return section is None or section.name.startswith((".init", ".exit")) or (
            bounds is not None and bounds[0] <= address < bounds[1])

    def code(self, address: int, size: int) -> bytes | None:
        """The bytes of code as it runs; None where the file does not hold them."""
        return self._flow.code.bytes(address, size)
