# SPDX-License-Identifier: GPL-2.0-or-later
"""Line number tables (DWARF 5 section 6.2; versions 2 to 5): files of a unit, and the rows of its program."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from localvar.dwarf import constants as c
from localvar.dwarf.abbrev import LEB, form_size
from localvar.dwarf.errors import DwarfError
from localvar.dwarf.forms import STRINGS, RawValue, read_form
from localvar.dwarf.leb128 import sleb, uleb
from localvar.dwarf.linerows import FileRow, rows_of_files
from localvar.dwarf.linesearch import Opcodes, Search

if TYPE_CHECKING:
    from localvar.dwarf.info import DebugInfo
    from localvar.dwarf.unit import Unit


class Row(NamedTuple):
    """A row of the line number matrix: the address, file index, line, column and flags that hold from it on."""

    address: int
    file: int
    line: int
    column: int
    is_stmt: bool
    end_sequence: bool


@dataclass(frozen=True)
class _Entries:
    """A table of directories or files: (content type, form) of the fields, the bytes of each row's fields."""

    formats: tuple[tuple[int, int], ...]
    rows: list[tuple[bytes, ...]]
    sizes: tuple[int, int, int]

    def value(self, index: int, kind: int) -> tuple[int, RawValue] | None:
        """(form, value) of a row's field of that content type, None where there is none."""
        for (content, form), raw in zip(self.formats, self.rows[index], strict=True):
            if content == kind:
                return read_form(raw, form, 0, 0, self.sizes)[:2]
        return None


class FileTest:
    """Which files of line tables are wanted.  Of the thousands of files that a kernel is made of each unit names hundreds, so
    the name in the last field of a path is looked at once, and a path is only made where the name can be a wanted one's."""

    def __init__(self, name: Callable[[str], bool], path: Callable[[str], bool]) -> None:
        """name: whether the path of a file of that name, as tables have it, can be wanted; path: whether one is."""
        self.name = name
        self.path = path
        self.names: dict[tuple[DebugInfo, int], dict[bytes, bool]] = {}
        """What name says of the strings at offsets, by file and form."""


@lru_cache(maxsize=64)
def _entry_pattern(forms: tuple[int, ...], sizes: tuple[int, int, int]) -> re.Pattern[bytes] | None:
    """An expression whose groups are the fields of an entry; None where a form has another extent."""
    parts = []
    for form in forms:
        size = form_size(form, *sizes)
        if size is None and form not in LEB:
            return None
        parts.append(rb"([\x80-\xff]*[\x00-\x7f])" if size is None else rb"([\s\S]{%d})" % size)
    return re.compile(b"".join(parts)) if parts else None


class LineTable:
    """The line number table of one unit."""

    def __init__(self, unit: Unit) -> None:
        self._unit = unit
        offset = unit.root.integer(c.DW_AT_stmt_list)
        self.comp_dir = unit.root.string(c.DW_AT_comp_dir) or ""
        self.name = unit.root.string(c.DW_AT_name) or ""
        self._files: list[tuple[str, int]] = []
        self._directories: list[str] = []
        self._paths: dict[int, str] = {}
        self._file_entries = self._directory_entries = _Entries((), [], (8, 4, 5))
        self.version = 5
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
        self._opcodes = Opcodes(self._opcode_base, self._lengths, self._line_base, self._line_range, self._minimum)
        at += self._opcode_base - 1
        if self.version >= 5:
            self._tables_v5(data, at, size, len(data) - len(self._program))
        else:
            self._tables_v4(data, at)

    def _tables_v5(self, data: bytes, at: int, size: int, end: int) -> None:
        self._offset_size = size
        self._directory_entries, at = self._entries(data, at, size)
        self._file_entries, at = self._entries(data, at, size, end)

    def _entries(self, data: bytes, at: int, size: int, end: int | None = None) -> tuple[_Entries, int]:
        """The entries of a table of directories or files (section 6.2.4.1), not decoded, and the offset behind it.

        end: of the header, where this is its last table; then the offset is that.
        """
        count, at = data[at], at + 1
        formats = []
        for _ in range(count):
            kind, at = uleb(data, at)
            form, at = uleb(data, at)
            formats.append((kind, form))
        number, at = uleb(data, at)
        if (number and not formats) or number > len(data):
            raise DwarfError(f"{number} entries are announced")
        sizes = (self._unit.header.address_size, size, 5)
        pattern = _entry_pattern(tuple(form for _, form in formats), sizes)
        if end is not None and pattern is not None and len(formats) > 1:
            fields = pattern.findall(data, at, end)  # each of its matches begins where the one before ends
            if len(fields) >= number:
                return _Entries(tuple(formats), fields[:number], sizes), end
        rows: list[tuple[bytes, ...]] = []
        for _ in range(number):
            match = pattern.match(data, at) if pattern else None
            if match is not None:
                at = match.end()
                rows.append(match.groups())
                continue
            row = []
            for _, form in formats:
                start = at
                _, _, at = read_form(data, form, 0, at, sizes)
                row.append(data[start:at])
            rows.append(tuple(row))
        return _Entries(tuple(formats), rows, sizes), at

    def _text(self, value: tuple[int, RawValue] | None) -> str:
        if value is None or value[0] not in STRINGS:
            return ""
        form, raw = value
        if isinstance(raw, bytes):
            return raw.decode("utf-8", "replace")
        if form == c.DW_FORM_line_strp:
            return self._unit.info.line_string(raw)
        return self._unit.info.string(raw) if form == c.DW_FORM_strp else self._unit.indexed_string(raw)

    def _tables_v4(self, data: bytes, at: int) -> None:
        self._file_entries = self._directory_entries = _Entries((), [], (8, 4, 4))
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

    @property
    def _count(self) -> int:
        return len(self._file_entries.rows) if self.version >= 5 else len(self._files)

    @cached_property
    def files(self) -> list[str]:
        """Paths by file index, relative to the source tree where they are in it (see tree_path)."""
        return [self._file_path(index) for index in range(self._count)]

    def _file_path(self, index: int) -> str:
        found = self._paths.get(index)
        if found is None:
            if self.version >= 5:
                entries = self._file_entries
                name = self._text(entries.value(index, c.DW_LNCT_path))
                form_value = entries.value(index, c.DW_LNCT_directory_index)
                directory = form_value[1] if form_value is not None and isinstance(form_value[1], int) else 0
            else:
                name, directory = self._files[index]
            found = self._paths[index] = self._path(name, directory)
        return found

    def indices(self, wanted: FileTest) -> list[int]:
        """Indices of the wanted files."""
        entries, candidates = self._file_entries, list(range(self._count))
        column = next((at for at, (kind, form) in enumerate(entries.formats)
                       if kind == c.DW_LNCT_path and form in (c.DW_FORM_line_strp, c.DW_FORM_strp)), None)
        if column is not None:
            form = entries.formats[column][1]
            names = wanted.names.setdefault((self._unit.info, form), {})
            for raw in {row[column] for row in entries.rows}.difference(names):
                names[raw] = wanted.name(self._text((form, int.from_bytes(raw, "little"))))
            candidates = [index for index, row in enumerate(entries.rows) if names[row[column]]]
        return [index for index in candidates if (path := self._file_path(index)) and wanted.path(path)]

    def _directory(self, index: int) -> str:
        if self.version < 5:
            return self._directories[index] if index < len(self._directories) else ""
        entries = self._directory_entries
        return self._text(entries.value(index, c.DW_LNCT_path)) if index < len(entries.rows) else ""

    def _path(self, name: str, directory: int) -> str:
        if name.startswith("/"):
            return tree_path(name, self.comp_dir)
        parent = self._directory(directory)
        path = posixpath.join(parent, name) if directory or self.version >= 5 else name
        return tree_path(path, self.comp_dir)

    def file(self, index: int | None) -> str | None:
        """The path of a DW_AT_decl_file or a row's file; None where there is none."""
        if index is None or index >= self._count or (index == 0 and self.version < 5):
            return None
        return self._file_path(index)

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
        data, end = self._program, len(self._program)
        rows: list[Row] = []
        append, make = rows.append, tuple.__new__
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
                append(make(Row, (address, file, line, column, stmt, False)))
            elif code == 0:
                size, at = uleb(data, at)
                kind, body = data[at], data[at + 1 : at + size]
                at += size
                if kind == c.DW_LNE_set_address:
                    address = int.from_bytes(body, "little")
                elif kind == c.DW_LNE_end_sequence:
                    append(make(Row, (address, file, line, column, stmt, True)))
                    address, file, line, column, stmt = 0, 1, 1, 0, self._default_is_stmt
            elif code == c.DW_LNS_copy:
                append(make(Row, (address, file, line, column, stmt, False)))
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

    def rows_of(self, files: Collection[int]) -> list[FileRow]:
        """The rows of these files, and of the others at least those that tell where runs of them end, in program order.
        Raises DwarfError on damage."""
        if not self._program:
            return []
        try:
            return rows_of_files(self._program, self._opcodes, self._default_is_stmt, files)
        except (ValueError, IndexError):
            return [FileRow(row.address, row.file, row.line, row.is_stmt, row.end_sequence) for row in self.rows]

    def row_at(self, pc: int) -> Row | None:
        """The row that holds the instruction at pc: of rows at one address the last, as in the matrix."""
        held = [row for row, following in pairwise(self.rows) if not row.end_sequence and row.address <= pc < following.address]
        return max(held, key=lambda row: row.address, default=None)

    def place_at(self, pc: int) -> tuple[str | None, int] | None:
        """File and line of row_at(pc), without making every row where the program is as compilers write them."""
        if not self._program:
            return None
        try:
            place = self._search.place_at(pc)
        except (ValueError, IndexError):
            row = self.row_at(pc)
            place = None if row is None else (row.file, row.line)
        return None if place is None else (self.file(place[0]), place[1])

    @cached_property
    def _search(self) -> Search:
        """Raises ValueError, IndexError where the program is not of the plain kind."""
        return Search(self._program, self._opcodes)


@lru_cache(maxsize=1 << 15)
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
