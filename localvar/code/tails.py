# SPDX-License-Identifier: GPL-2.0-or-later
"""Whether the frame of a function is surely of the activation that its return address tells.

A call instruction pushes the address behind it and goes to the function that it names.  The frame there keeps that
address however long; but where the function ends in a jump to another one (a tail call), which may end in a jump back, it
begins again in the same place with other arguments.  Debug info does not have to list tail calls; the code has them all.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from functools import cached_property

from localvar.code.flow import EM_X86_64, Flow
from localvar.code.x86 import Instruction, decode
from localvar.dwarf import constants as c
from localvar.dwarf.elf import ET_REL
from localvar.dwarf.info import DebugInfo
from localvar.dwarf.ranges import die_ranges
from localvar.dwarf.scope import entry_of, function_at, name_of
from localvar.dwarf.unit import Die

FUNCTIONS_LIMIT = 64
"""Functions that a chain of tail calls is followed through."""

RETURNS = frozenset({"__x86_return_thunk"})
"""What a return is a jump to, until the kernel has put a return in its place (arch/x86/lib/retpoline.S)."""

DW_LANG_MIPS_ASSEMBLER = 0x8001

_R_X86_64_PC32, _R_X86_64_PLT32 = 2, 4
_CALL, _CALL_SIZE = 0xE8, 5


class Tails:
    """Answers from the code of one file."""

    def __init__(self, info: DebugInfo, flow: Flow) -> None:
        self._info = info
        self._elf = info.elf
        self._flow = flow
        self._found: dict[int, str | None] = {}

    def is_call(self, returns_to: int, entry: int) -> bool:
        """Whether the instruction in front of an address calls the function at `entry`, and nothing else ever."""
        at = returns_to - _CALL_SIZE
        patches = self._flow.patches
        if self._elf.machine != EM_X86_64 or patches is None or self._is_freed(at):
            return False
        raw = self.code(at, _CALL_SIZE)
        if raw is None or raw[0] != _CALL or any(low < returns_to and at < high for low, high in patches.rewritten):
            return False
        return returns_to + int(struct.unpack_from("<i", raw, 1)[0]) == entry and at + 1 not in self._foreign

    def beginning_again(self, function: Die) -> str | None:
        """Why a concrete function could begin again in the frame that it has; None where it is proven that it cannot."""
        if function.key not in self._found:
            self._found[function.key] = self._beginning_again(function)
        return self._found[function.key]

    def _beginning_again(self, function: Die) -> str | None:
        entry = entry_of(function, die_ranges(function))
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
        symbol = next((self._foreign[at] for at in range(instruction.address, instruction.end) if at in self._foreign), None)
        if symbol is not None and instruction.targets:
            return [] if symbol in RETURNS else f"{name_of(die)} ends in a jump to {symbol}"
        found = []
        for target in instruction.targets:
            if target == entry:
                return f"{name_of(die)} can jump to its beginning"
            if any(low <= target < high for low, high in die_ranges(die)):
                continue
            if any(symbol.name in RETURNS for symbol in self._elf.symbols_at(target)):
                continue
            unit = self._info.unit_of_pc(target)
            function = function_at(unit, target) if unit is not None else None
            if unit is None or function is None or unit.root.constant(c.DW_AT_language) == DW_LANG_MIPS_ASSEMBLER:
                return f"{name_of(die)} can jump to {target:#x}, which is no C function"
            found.append(function)
        return found

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
        """The bytes of code at an address, a module's with its own addresses put in; None where there are none."""
        raw = self._elf.memory(address, size)
        if raw is None or self._elf.type != ET_REL:
            return raw
        data = bytearray(raw)
        for at in range(address, address + size - 3):
            if at in self._relocated:
                struct.pack_into("<i", data, at - address, self._relocated[at] - at)
        return bytes(data)

    @cached_property
    def _relocations(self) -> tuple[dict[int, int], dict[int, str]]:
        """Of a module's code: place to the value (before the place is subtracted), place to the name of a symbol that is
        elsewhere."""
        inside: dict[int, int] = {}
        foreign: dict[int, str] = {}
        for place, kind, symbol, addend in self._elf.code_relocations():
            if kind in (_R_X86_64_PC32, _R_X86_64_PLT32) and symbol.section:
                inside[place] = symbol.value + addend
            elif kind in (_R_X86_64_PC32, _R_X86_64_PLT32):
                foreign[place] = symbol.name
        return inside, foreign

    @property
    def _relocated(self) -> dict[int, int]:
        return self._relocations[0]

    @property
    def _foreign(self) -> dict[int, str]:
        return self._relocations[1]
