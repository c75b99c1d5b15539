# SPDX-License-Identifier: GPL-2.0-or-later
"""The rows that some files have in a line number program, without making the others (DWARF 5 section 6.2.5).

A header's line has code in hundreds of units, and in each of them a hundredth of the rows are the header's.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import lru_cache
from typing import NamedTuple

from localvar.dwarf import constants as c
from localvar.dwarf.leb128 import uleb
from localvar.dwarf.linesearch import END, KEPT, Opcodes, is_discriminator, set_address, tools


class FileRow(NamedTuple):
    """A row of the line number matrix without its column."""

    address: int
    file: int
    line: int
    is_stmt: bool
    end_sequence: bool


_ROW, _OTHER, _FILE, _STMT, _ADDRESS, _END = range(6)


class _Meanings(dict[bytes, tuple[int, int, int]]):
    """By opcode: what it is, what it adds to the address (sets the file, the address to), what it adds to the line."""

    def __init__(self, opcodes: Opcodes) -> None:
        super().__init__()
        self.pattern, self._addresses, self._lines = tools(opcodes, KEPT | {c.DW_LNS_negate_stmt})
        self._base = opcodes.base

    def __missing__(self, token: bytes) -> tuple[int, int, int]:
        code = token[0]
        if token == END:
            found = _END, 0, 0
        elif not code and not is_discriminator(token):
            return _ADDRESS, set_address(token), 0  # not kept: no two are alike
        elif code == c.DW_LNS_set_file:
            found = _FILE, uleb(token, 1)[0], 0
        elif code == c.DW_LNS_negate_stmt:
            found = _STMT, 0, 0
        else:
            kind = _ROW if code >= self._base or code == c.DW_LNS_copy else _OTHER
            found = kind, self._addresses[token], self._lines[token]
        self[token] = found
        return found


_meanings = lru_cache(maxsize=64)(_Meanings)


def rows_of_files(program: bytes, opcodes: Opcodes, is_stmt: bool, files: Collection[int]) -> list[FileRow]:
    """The rows of these files, the row behind each run of them, and the ends of sequences, in program order.

    is_stmt: the header's default_is_stmt.  Raises ValueError where the program has opcodes that compilers do not write.
    """
    if not _may_set(program, files):
        return []
    meanings, default = _meanings(opcodes), is_stmt
    rows: list[FileRow] = []
    append, make = rows.append, tuple.__new__
    address, file, line, wanted, behind = 0, 1, 1, 1 in files, False
    for token in meanings.pattern.findall(program):
        kind, step, lines = meanings[token]
        if kind <= _OTHER:
            address += step
            line += lines
            if kind == _ROW and (wanted or behind):
                append(make(FileRow, (address, file, line, is_stmt, False)))
                behind = wanted
        elif kind == _FILE:
            file, wanted = step, step in files
        elif kind == _STMT:
            is_stmt = not is_stmt
        elif kind == _ADDRESS:
            address = step
        else:
            append(make(FileRow, (address, file, line, is_stmt, True)))
            address, file, line, is_stmt, wanted, behind = 0, 1, 1, default, 1 in files, False
    return rows


def _may_set(program: bytes, files: Collection[int]) -> bool:
    """Whether a program may set the file to one of these: right where it says no."""
    if 1 in files:  # a sequence begins with it
        return True
    return any(_setter(file).search(program) for file in files)


@lru_cache(maxsize=1024)
def _setter(file: int) -> re.Pattern[bytes]:
    """Finds the bytes of a set_file opcode, its number in as many bytes as it may have."""
    groups = []
    while True:
        group, file = file & 0x7F, file >> 7
        groups.append(group)
        if not file:
            break
    *front, last = groups
    text = bytes([c.DW_LNS_set_file, *(group | 0x80 for group in front)])
    return re.compile(re.escape(text) + b"(?:%b|%b\x80*\0)" % (re.escape(bytes([last])), re.escape(bytes([last | 0x80]))))
