# SPDX-License-Identifier: GPL-2.0-or-later
"""The file and line of one address in a line number program, without its matrix (DWARF 5 section 6.2.5).

One regular expression finds the opcodes; addresses are then running sums of what each adds.  That is ten times faster than
making every row, and a handler on an inlined function asks 700 units for two rows each.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate

from localvar.dwarf import constants as c
from localvar.dwarf.leb128 import sleb, uleb

_LEB = rb"[\x80-\xff]*[\x00-\x7f]"
_KEPT = frozenset({c.DW_LNS_copy, c.DW_LNS_advance_pc, c.DW_LNS_advance_line, c.DW_LNS_set_file, c.DW_LNS_const_add_pc,
                   c.DW_LNS_fixed_advance_pc})
_LONGEST = 16
"""Bytes of the longest extended opcode that is known here: set_address has 9, a discriminator at most 6."""

_END = b"\0\x01\x01"


@dataclass(frozen=True)
class Opcodes:
    """What a header says of opcodes: operands of the standard ones, what the special ones add."""

    base: int
    lengths: bytes
    line_base: int
    line_range: int
    minimum: int


class _Addresses(dict[bytes, int]):
    """What each opcode adds to the address."""

    def __init__(self, opcodes: Opcodes) -> None:
        super().__init__()
        self._opcodes = opcodes

    def __missing__(self, token: bytes) -> int:
        opcodes, code = self._opcodes, token[0]
        step = 0
        if len(token) == 1 and code < opcodes.base and code not in (c.DW_LNS_copy, c.DW_LNS_const_add_pc):
            raise ValueError(f"opcode {code:#x} is not known")
        if code >= opcodes.base:
            step = (code - opcodes.base) // opcodes.line_range * opcodes.minimum
        elif code == c.DW_LNS_advance_pc:
            step = uleb(token, 1)[0] * opcodes.minimum
        elif code == c.DW_LNS_const_add_pc:
            step = (255 - opcodes.base) // opcodes.line_range * opcodes.minimum
        elif code == c.DW_LNS_fixed_advance_pc:
            step = int.from_bytes(token[1:], "little")
        self[token] = step
        return step


class _Lines(dict[bytes, int]):
    """What each opcode adds to the line."""

    def __init__(self, opcodes: Opcodes) -> None:
        super().__init__()
        self._opcodes = opcodes

    def __missing__(self, token: bytes) -> int:
        opcodes, code = self._opcodes, token[0]
        step = 0
        if code >= opcodes.base:
            step = opcodes.line_base + (code - opcodes.base) % opcodes.line_range
        elif code == c.DW_LNS_advance_line:
            step = sleb(token, 1)[0]
        self[token] = step
        return step


@lru_cache(maxsize=64)
def _tools(opcodes: Opcodes) -> tuple[re.Pattern[bytes], _Addresses, _Lines]:
    """The expression that finds the opcodes that matter, and what they add.  Those that say nothing of address, file or line
    are stepped over; a byte that begins no opcode that is known is found, as an opcode of one byte that _Addresses refuses."""
    extended = b"|".join(re.escape(bytes([size])) + rb"[^\x04][\s\S]{%d}" % (size - 1) for size in range(1, _LONGEST))
    silent = b"|".join(rb"\x00" + re.escape(bytes([size])) + rb"\x04[\s\S]{%d}" % (size - 1) for size in range(1, _LONGEST))
    skipped, kept = [silent], [b"[" + re.escape(bytes([opcodes.base])) + rb"-\xff]", rb"\x00(?:" + extended + b")"]
    for code, count in enumerate(opcodes.lengths, 1):
        operands = rb"[\s\S]{2}" if code == c.DW_LNS_fixed_advance_pc else _LEB * count
        (kept if code in _KEPT else skipped).append(re.escape(bytes([code])) + operands)
    pattern = b"(?:" + b"|".join(skipped) + b")*(" + b"|".join(kept) + rb"|[\s\S])"
    return re.compile(pattern), _Addresses(opcodes), _Lines(opcodes)


class Search:
    """Rows of one program by address."""

    def __init__(self, program: bytes, opcodes: Opcodes) -> None:
        """Raises ValueError where the program is not of the plain kind: then every row has to be made."""
        pattern, advance, self._lines = _tools(opcodes)
        self._base = opcodes.base
        self._tokens = pattern.findall(program)
        self._sequences: list[tuple[int, list[int]]] = []
        start, addresses = 0, list[int]()
        for index in [index for index, token in enumerate(self._tokens) if not token[0]]:
            address = addresses[-1] if addresses else 0
            steps = map(advance.__getitem__, self._tokens[start + len(addresses) : index])
            addresses += list(accumulate(steps, initial=address))[1:]
            token = self._tokens[index]
            if token == _END:
                addresses.append(addresses[-1] if addresses else 0)
                self._sequences.append((start, addresses))
                start, addresses = index + 1, []
            else:
                address = _address(token)
                if addresses and address < addresses[-1]:
                    raise ValueError("addresses go back")
                addresses.append(address)
        if start != len(self._tokens):
            raise ValueError("the last sequence has no end")

    def place_at(self, pc: int) -> tuple[int, int] | None:
        """(file, line) of the last row at or before pc, in the last sequence whose addresses hold it."""
        for start, addresses in reversed(self._sequences):
            if addresses[0] <= pc < addresses[-1]:
                index = start + bisect_right(addresses, pc) - 1
                while index >= start and not (self._tokens[index][0] >= self._base or self._tokens[index][0] == c.DW_LNS_copy):
                    index -= 1
                if index >= start:
                    return self._place(self._tokens[start : index + 1])
        return None

    def _place(self, tokens: list[bytes]) -> tuple[int, int]:
        line = 1 + sum(map(self._lines.__getitem__, tokens))
        return next((uleb(token, 1)[0] for token in reversed(tokens) if token[0] == c.DW_LNS_set_file), 1), line


def _address(token: bytes) -> int:
    """The operand of a set_address opcode."""
    if token[2:3] != b"\x02":
        raise ValueError("an extended opcode that is not known")
    return int.from_bytes(token[3:], "little")
