# SPDX-License-Identifier: GPL-2.0-or-later
"""Line number tables (DWARF 5 section 6.2; versions 2 to 5): files of a unit, and the rows of its program."""

from __future__ import annotations

import posixpath
from bisect import bisect_right
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from localvar.dwarf import constants as c
from localvar.dwarf.errors import DwarfError
from localvar.dwarf.forms import STRINGS, RawValue, read_form
from localvar.dwarf.leb128 import sleb, uleb

if TYPE_CHECKING:
    from localvar.dwarf.unit import Unit


class Row(NamedTuple):
    """A row of the line number matrix: the address, file index, line, column and flags that hold from it on."""

    address: int
    file: int
    line: int
    column: int
    is_stmt: bool
    end_sequence: bool


class LineTable:
    """The line number table of one unit."""

    def __init__(self, unit: Unit) -> None:
        self._unit = unit
        offset = unit.root.integer(c.DW_AT_stmt_list)
        self.comp_dir = unit.root.string(c.DW_AT_comp_dir) or ""
        self.name = unit.root.string(c.DW_AT_name) or ""
        self._files: list[tuple[str, int]] = []
        self._directories: list[str] = []
        self._program = b""
        if offset is not None:
            try:
                self._read_header(offset)
            except (IndexError, ValueError) as problem:  # DwarfError is a ValueError
                raise DwarfError(f"the line table at {offset:#x} is damaged: {problem}") from problem

    def _read_header(self, offset: int) -> None:
        contents = self._unit.info.elf.contents(".debug_line")
        length, size, head = int.from_bytes(contents.bytes(offset, 4), "little"), 4, 4
        if length == 0xFFFFFFFF:
            length, size, head = int.from_bytes(contents.bytes(offset + 4, 8), "little"), 8, 12
        data = bytes(contents.bytes(offset + head, length))
        self.version = int.from_bytes(data[0:2], "little")
        if not 2 <= self.version <= 5:
            raise DwarfError(f"version {self.version} is not supported")
        at = 4 if self.version >= 5 else 2
        header_length = int.from_bytes(data[at : at + size], "little")
        at += size
        self._program = data[at + header_length :]
        self._minimum = data[at]
        at += 2 if self.version >= 4 else 1
        self._default_is_stmt = bool(data[at])
        self._line_base = int.from_bytes(data[at + 1 : at + 2], "little", signed=True)
        self._line_range, self._opcode_base = data[at + 2], data[at + 3]
        if not self._line_range:
            raise DwarfError("line_range is 0")
        at += 4
        self._lengths = data[at : at + self._opcode_base - 1]
        at += self._opcode_base - 1
        if self.version >= 5:
            self._tables_v5(data, at, size)
        else:
            self._tables_v4(data, at)

    def _tables_v5(self, data: bytes, at: int, size: int) -> None:
        rows, at = self._entries(data, at, size)
        self._directories = [self._text(row.get(c.DW_LNCT_path)) for row in rows]
        rows, at = self._entries(data, at, size)
        self._files = [(self._text(row.get(c.DW_LNCT_path)), self._index(row.get(c.DW_LNCT_directory_index))) for row in rows]

    def _entries(self, data: bytes, at: int, size: int) -> tuple[list[dict[int, tuple[int, RawValue]]], int]:
        count, at = data[at], at + 1
        formats = []
        for _ in range(count):
            kind, at = uleb(data, at)
            form, at = uleb(data, at)
            formats.append((kind, form))
        number, at = uleb(data, at)
        if (number and not formats) or number > len(data):
            raise DwarfError(f"{number} entries are announced")
        rows = []
        for _ in range(number):
            row: dict[int, tuple[int, RawValue]] = {}
            for kind, form in formats:
                form, value, at = read_form(data, form, 0, at, (self._unit.header.address_size, size, 5))
                row[kind] = (form, value)
            rows.append(row)
        return rows, at

    def _text(self, value: tuple[int, RawValue] | None) -> str:
        if value is None or value[0] not in STRINGS:
            return ""
        form, raw = value
        if isinstance(raw, bytes):
            return raw.decode("utf-8", "replace")
        if form == c.DW_FORM_line_strp:
            return self._unit.info.line_string(raw)
        return self._unit.info.string(raw) if form == c.DW_FORM_strp else self._unit.indexed_string(raw)

    @staticmethod
    def _index(value: tuple[int, RawValue] | None) -> int:
        return value[1] if value is not None and isinstance(value[1], int) else 0

    def _tables_v4(self, data: bytes, at: int) -> None:
        self._directories = [self.comp_dir]
        while data[at]:
            end = data.index(b"\0", at)
            self._directories.append(data[at:end].decode("utf-8", "replace"))
            at = end + 1
        at += 1
        self._files = [(self.name, 0)]
        while data[at]:
            end = data.index(b"\0", at)
            name = data[at:end].decode("utf-8", "replace")
            directory, at = uleb(data, end + 1)
            _, at = uleb(data, at)
            _, at = uleb(data, at)
            self._files.append((name, directory))
        # file 0 of a version 4 table is the unit's own: decl_file 0 means no file there

    # -- files ----------------------------------------------------------------------------------------------------

    @cached_property
    def files(self) -> list[str]:
        """Paths by file index, relative to the source tree where they are in it (see tree_path)."""
        return [self._path(name, directory) for name, directory in self._files]

    def _path(self, name: str, directory: int) -> str:
        if name.startswith("/"):
            return tree_path(name, self.comp_dir)
        parent = self._directories[directory] if directory < len(self._directories) else ""
        path = posixpath.join(parent, name) if directory or self.version >= 5 else name
        return tree_path(path, self.comp_dir)

    def file(self, index: int | None) -> str | None:
        """The path of a DW_AT_decl_file or a row's file; None where there is none."""
        if index is None or index >= len(self.files) or (index == 0 and self.version < 5):
            return None
        return self.files[index]

    # -- rows -----------------------------------------------------------------------------------------------------

    @cached_property
    def rows(self) -> list[Row]:
        """Every row of the program, in program order.  Raises DwarfError on damage."""
        if not self._program:
            return []
        try:
            return self._run()
        except (IndexError, DwarfError) as problem:
            raise DwarfError(f"the line program of {self.name} ends early") from problem

    def _run(self) -> list[Row]:
        data, end, rows = self._program, len(self._program), []
        minimum, base, span, first = self._minimum, self._line_base, self._line_range, self._opcode_base
        address, file, line, column, stmt = 0, 1, 1, 0, self._default_is_stmt
        at = 0
        while at < end:
            code = data[at]
            at += 1
            if code >= first:
                adjusted = code - first
                address += adjusted // span * minimum
                line += base + adjusted % span
                rows.append(Row(address, file, line, column, stmt, False))
            elif code == 0:
                size, at = uleb(data, at)
                kind, body = data[at], data[at + 1 : at + size]
                at += size
                if kind == c.DW_LNE_set_address:
                    address = int.from_bytes(body, "little")
                elif kind == c.DW_LNE_end_sequence:
                    rows.append(Row(address, file, line, column, stmt, True))
                    address, file, line, column, stmt = 0, 1, 1, 0, self._default_is_stmt
            elif code == c.DW_LNS_copy:
                rows.append(Row(address, file, line, column, stmt, False))
            elif code == c.DW_LNS_advance_pc:
                step, at = uleb(data, at)
                address += step * minimum
            elif code == c.DW_LNS_advance_line:
                step, at = sleb(data, at)
                line += step
            elif code == c.DW_LNS_set_file:
                file, at = uleb(data, at)
            elif code == c.DW_LNS_set_column:
                column, at = uleb(data, at)
            elif code == c.DW_LNS_negate_stmt:
                stmt = not stmt
            elif code == c.DW_LNS_const_add_pc:
                address += (255 - first) // span * minimum
            elif code == c.DW_LNS_fixed_advance_pc:
                address += int.from_bytes(data[at : at + 2], "little")
                at += 2
            else:
                for _ in range(self._lengths[code - 1]):
                    _, at = uleb(data, at)
        return rows

    @cached_property
    def _spans(self) -> tuple[list[int], list[tuple[int, Row]]]:
        """Start addresses, ascending, with (end, row): rows of one address count by the last, as in the matrix."""
        spans = []
        for row, following in pairwise(self.rows):
            if not row.end_sequence and following.address > row.address:
                spans.append((row.address, following.address, row))
        spans.sort(key=lambda span: span[0])
        return [s[0] for s in spans], [(s[1], s[2]) for s in spans]

    def row_at(self, pc: int) -> Row | None:
        """The row that holds the instruction at pc."""
        starts, rest = self._spans
        index = bisect_right(starts, pc) - 1
        if index < 0 or pc >= rest[index][0]:
            return None
        return rest[index][1]


def tree_path(path: str, comp_dir: str) -> str:
    """path without what is only the build's: relative to the source tree where it lies in it.

    Kernels name one file as ./include/x.h, include/x.h, /build/dir/include/x.h or ../../../include/x.h (a build
    directory within the source tree, O=).
    """
    if not path:
        return path
    full = posixpath.normpath(posixpath.join(comp_dir or "/", path))
    root = posixpath.normpath(comp_dir) if comp_dir else ""
    if root and (full == root or full.startswith(root + "/")):
        return full[len(root) :].lstrip("/")
    return full if path.startswith("/") else posixpath.normpath(path)
