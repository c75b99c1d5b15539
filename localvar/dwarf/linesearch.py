# SPDX-License-Identifier: GPL-2.0-or-later
"""The file and line of one address in a line number program, without its matrix (DWARF 5 section 6.2.5).

One regular expression finds the opcodes; addresses are then running sums of what each adds.  That is ten times faster than
making every row, and a handler on an inlined function asks 700 units for two rows each.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate, islice
from operator import itemgetter

from localvar.dwarf import constants as c
from localvar.dwarf.leb128 import sleb, uleb

_LEB = rb"[\x80-\xff]*[\x00-\x7f]"
KEPT = frozenset({c.DW_LNS_copy, c.DW_LNS_advance_pc, c.DW_LNS_advance_line, c.DW_LNS_set_file, c.DW_LNS_const_add_pc,
                  c.DW_LNS_fixed_advance_pc})
"""The standard opcodes that say something of address, file or line."""
_LONGEST = 6
"""Bytes of the longest discriminator, whose number has five."""

_BLOCK = 256
"""Sums that are made at once."""

END = b"\0\x01\x01"
"""The opcode end_sequence."""
_SET_ADDRESS = b"\0\x09\x02"


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
        if (code == c.DW_LNS_advance_line and len(token) > 1) or is_discriminator(token):  # most of the different ones
            self[token] = 0
            return 0
        if not code:
            raise ValueError("an extended opcode that is not known")
        if len(token) == 1 and code < opcodes.base and opcodes.lengths[code - 1]:
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
        elif code == c.DW_LNS_advance_line and len(token) == 3:
            step = (token[1] & 0x7F | token[2] << 7) - (token[2] << 8 & 0x4000)
        elif code == c.DW_LNS_advance_line:
            step = sleb(token, 1)[0]
        self[token] = step
        return step


@lru_cache(maxsize=64)
def tools(opcodes: Opcodes, wanted: frozenset[int] = KEPT) -> tuple[re.Pattern[bytes], _Addresses, _Lines]:
    """The expression that finds the opcodes, and what they add.  Columns and is_stmt, where they are not wanted, are most of them
    stepped over with the opcode behind them; a byte that begins no opcode that is known is found, as an opcode of one byte that
    _Addresses refuses."""
    # end_sequence, set_address, discriminators; others are found as a byte 0
    silent = b"|".join(re.escape(bytes([size])) + rb"\x04[\s\S]{%d}" % (size - 1) for size in range(2, _LONGEST + 1))
    extended = rb"\x00(?:\x01\x01|\x09\x02[\s\S]{8}|" + silent + b")"
    codes: dict[bytes, bytes] = {b"": re.escape(bytes([opcodes.base])) + rb"-\xff"}
    for code, count in enumerate(opcodes.lengths, 1):
        operands = rb"[\s\S]{2}" if code == c.DW_LNS_fixed_advance_pc else _LEB * count
        codes[operands] = codes.get(operands, b"") + re.escape(bytes([code]))
    # few alternatives, each with its first byte in a set: they are tried in turn, at every opcode
    found = [*(b"[" + same + b"]" + operands for operands, same in codes.items()), extended, rb"[\s\S]"]
    passed = b""
    if opcodes.lengths[4:6] == b"\1\0" and c.DW_LNS_set_column not in wanted:
        passed = rb"(?:\x05[\x00-\x7f]|)" if c.DW_LNS_negate_stmt in wanted else rb"(?:\x05[\x00-\x7f]\x06?|\x06|)"
    return re.compile(passed + b"(" + b"|".join(found) + b")"), _Addresses(opcodes), _Lines(opcodes)


@dataclass(frozen=True)
class _Sequence:
    """Tokens [start, end] of one sequence, and which of them set the address to what: one before the first row, and some
    later ones."""

    start: int
    end: int
    setters: list[int]
    addresses: list[int]


class _Sums:
    """Running sums, made as far as they are asked for."""

    def __init__(self, steps: Iterator[int], initial: int) -> None:
        self._rest = accumulate(steps, initial=initial)
        self.known = [next(self._rest)]

    def up_to(self, index: int) -> bool:
        """Whether there is a sum of that index; then it is known."""
        if index >= len(self.known):
            self.known.extend(islice(self._rest, max(index + 1 - len(self.known), _BLOCK)))
        return index < len(self.known)

    def beyond(self, value: int) -> bool:
        """Whether some sum is greater than value; then all up to the first that is are known."""
        while self.known[-1] <= value:
            if not self.up_to(len(self.known)):
                return False
        return True


class Search:
    """Rows of one program by address."""

    def __init__(self, program: bytes, opcodes: Opcodes) -> None:
        """Raises ValueError, as place_at() does, where the program is not of the plain kind: then every row has to be made."""
        pattern, self._advance, self._lines = tools(opcodes)
        self._base = opcodes.base
        self._tokens = pattern.findall(program)
        self._codes = bytes(map(itemgetter(0), self._tokens))
        self._sequences: list[_Sequence] = []
        self._addresses: dict[int, _Sums] = {}
        self._line_sums: dict[int, _Sums] = {}
        start, setters = 0, list[int]()
        for index in self._extended():
            if self._tokens[index] != END:
                setters.append(index)
                continue
            addresses = [set_address(self._tokens[at]) for at in setters]
            before = self._tokens[start : setters[0]] if setters else [END]
            if addresses != sorted(addresses) or any(self._is_row(token[0]) or self._advance[token] for token in before):
                raise ValueError("addresses go back, or begin nowhere")
            self._sequences.append(_Sequence(start, index, setters, addresses))
            start, setters = index + 1, []
        if start != len(self._tokens):
            raise ValueError("the last sequence has no end")

    def _extended(self) -> Iterator[int]:
        """Which tokens are extended opcodes, discriminators left out."""
        index = self._codes.find(0)
        while index >= 0:
            if not is_discriminator(self._tokens[index]):
                yield index
            index = self._codes.find(0, index + 1)

    def place_at(self, pc: int) -> tuple[int, int] | None:
        """(file, line) of the last row at or before pc, in the last sequence whose addresses hold it."""
        for sequence in reversed(self._sequences):
            number = bisect_right(sequence.addresses, pc) - 1
            if number < 0:
                continue
            first = sequence.setters[number]
            addresses = self._addresses_from(sequence, number)
            if addresses.beyond(pc) or number + 1 < len(sequence.setters):
                index = first + bisect_right(addresses.known, pc) - 1
                while index >= sequence.start and not self._is_row(self._codes[index]):
                    index -= 1
                if index >= sequence.start:
                    return self._place(sequence, index)
        return None

    def _is_row(self, code: int) -> bool:
        return code >= self._base or code == c.DW_LNS_copy

    def _addresses_from(self, sequence: _Sequence, number: int) -> _Sums:
        """The address behind each token from the number-th that sets it to the next one, or the end."""
        first = sequence.setters[number]
        if first not in self._addresses:
            last = number + 1 == len(sequence.setters)
            behind = sequence.end if last else sequence.setters[number + 1]
            found = _Sums(map(self._advance.__getitem__, self._tokens[first + 1 : behind]), sequence.addresses[number])
            if not last and found.beyond(sequence.addresses[number + 1]):
                raise ValueError("addresses go back")
            self._addresses[first] = found
        return self._addresses[first]

    def _place(self, sequence: _Sequence, index: int) -> tuple[int, int]:
        """(file, line) behind a token."""
        sums = self._line_sums.get(sequence.start)
        if sums is None:
            tokens = self._tokens[sequence.start : sequence.end]
            sums = self._line_sums[sequence.start] = _Sums(map(self._lines.__getitem__, tokens), 1)
        sums.up_to(index - sequence.start + 1)
        setter = self._codes.rfind(c.DW_LNS_set_file, sequence.start, index + 1)
        return uleb(self._tokens[setter], 1)[0] if setter >= 0 else 1, sums.known[index - sequence.start + 1]


def is_discriminator(token: bytes) -> bool:
    """Whether a token is the extended opcode that tells blocks of a line apart."""
    return token[0] == 0 and token[2:3] == b"\x04"


def set_address(token: bytes) -> int:
    """The operand of a set_address opcode."""
    if token[2:3] != b"\x02":
        raise ValueError("an extended opcode that is not known")
    return int.from_bytes(token[3:], "little")
