# SPDX-License-Identifier: GPL-2.0-or-later
"""Line tables (DWARF 5, 6.2): ``LineTable(directories, files, program)``.

A program is made of ``Sequence``s of ``Row``s, for which the opcodes are chosen here, of single opcodes
(``lns.advance_pc(4)``, ``lne.set_address(0x1000)``, ``special(20)``), and of ``Raw`` bytes.

``directories[0]`` is the compilation directory and files count from 1, whatever the version: DWARF 5 tables
repeat the first file as number 0, as gcc's do.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, TypeAlias

from . import lne, lns
from .buffer import Buffer
from .context import UnitContext
from .opcodes import Instruction
from .values import AddrLike, Raw

FORMS = {"string": 0x08, "strp": 0x0E, "udata": 0x0F, "data16": 0x1E, "line_strp": 0x1F}
LNCT = {"path": 1, "directory_index": 2, "timestamp": 3, "size": 4, "MD5": 5}


@dataclass(frozen=True)
class File:
    """A source file; ``directory`` is an index into the table's directories. DWARF 5 alone has ``md5``."""

    name: str
    directory: int = 0
    timestamp: int = 0
    size: int = 0
    md5: bytes | None = None


@dataclass(frozen=True)
class Row:
    """A row of the line table."""

    address: AddrLike
    line: int
    column: int = 0
    file: int = 1
    is_stmt: bool = True
    basic_block: bool = False
    prologue_end: bool = False
    epilogue_begin: bool = False
    discriminator: int = 0


@dataclass(frozen=True)
class Sequence:
    """Rows of rising addresses, and the address behind the last."""

    rows: tuple[Row, ...]
    end: AddrLike

    def __init__(self, rows: Iterable[Row], end: AddrLike) -> None:
        object.__setattr__(self, "rows", tuple(rows))
        object.__setattr__(self, "end", end)


@dataclass(frozen=True)
class Special:
    """A special opcode, by its number."""

    opcode: int


def special(opcode: int) -> Special:
    """A special opcode, by its number (from ``opcode_base`` to 255)."""
    return Special(opcode)


Step: TypeAlias = "Sequence | Instruction | Special | Raw"


@dataclass(frozen=True, eq=False)
class LineTable:
    """A line number program and its header.

    ``version`` is the unit's where it is None. ``path_form`` is how DWARF 5 holds names.
    ``repeat_first_file`` False leaves DWARF 5 files as clang has them: numbered from 0.
    """

    directories: tuple[str, ...] = ("/src",)
    files: tuple[File, ...] = (File("a.c"),)
    program: tuple[Step, ...] = ()
    version: int | None = None
    min_instruction_length: int = 1
    max_operations: int = 1
    default_is_stmt: bool = True
    line_base: int = -5
    line_range: int = 14
    opcode_base: int = 13
    path_form: str = "line_strp"
    repeat_first_file: bool = True


def write_line_table(table: LineTable, context: UnitContext) -> None:
    """Write a line table, once however many units name it."""
    key = ("line", id(table))
    if key in context.assembly.places.found:
        return
    buffer = context.assembly.section(".debug_line")
    context.assembly.places.mark(key, len(buffer))
    version = table.version or context.version
    with buffer.initial_length(context.offset_size):
        buffer.number(2, version)
        if version >= 5:
            buffer.number(1, buffer.target.address_size)
            buffer.number(1, 0)
        with buffer.length(context.offset_size):
            _write_parameters(table, version, buffer)
            if version >= 5:
                _write_names_v5(table, buffer, context)
            else:
                _write_names_v4(table, buffer)
        for step in table.program:
            _write_step(step, table, buffer)


def _write_parameters(table: LineTable, version: int, buffer: Buffer) -> None:
    buffer.number(1, table.min_instruction_length)
    if version >= 4:
        buffer.number(1, table.max_operations)
    buffer.number(1, int(table.default_is_stmt))
    buffer.number(1, table.line_base)
    buffer.number(1, table.line_range)
    buffer.number(1, table.opcode_base)
    lengths = {code: len(kinds.split()) for code, kinds in lns.OPCODES.values()}
    for opcode in range(1, table.opcode_base):
        buffer.number(1, lengths.get(opcode, 0))


def _write_names_v4(table: LineTable, buffer: Buffer) -> None:
    for directory in table.directories[1:]:
        buffer.cstring(directory)
    buffer.raw(b"\0")
    for file in table.files:
        buffer.cstring(file.name)
        for number in (file.directory, file.timestamp, file.size):
            buffer.uleb(number)
    buffer.raw(b"\0")


def _write_names_v5(table: LineTable, buffer: Buffer, context: UnitContext) -> None:
    """Names in the formats of DWARF 5, 6.2.4.1; a file's optional columns are there if one file has them."""
    _write_format((("path", table.path_form),), buffer)
    buffer.uleb(len(table.directories))
    for directory in table.directories:
        _write_path(directory, table.path_form, buffer, context)
    columns = [("path", table.path_form), ("directory_index", "udata")]
    columns += [("timestamp", "udata")] if any(file.timestamp for file in table.files) else []
    columns += [("size", "udata")] if any(file.size for file in table.files) else []
    columns += [("MD5", "data16")] if any(file.md5 for file in table.files) else []
    files = table.files[:1] + table.files if table.repeat_first_file else table.files
    _write_format(columns, buffer)
    buffer.uleb(len(files))
    for file in files:
        _write_file(file, table.path_form, [name for name, _ in columns], buffer, context)


def _write_format(columns: Iterable[tuple[str, str]], buffer: Buffer) -> None:
    columns = tuple(columns)
    buffer.number(1, len(columns))
    for content, form in columns:
        buffer.uleb(LNCT[content])
        buffer.uleb(FORMS[form])


def _write_file(file: File, form: str, columns: list[str], buffer: Buffer, context: UnitContext) -> None:
    _write_path(file.name, form, buffer, context)
    buffer.uleb(file.directory)
    if "timestamp" in columns:
        buffer.uleb(file.timestamp)
    if "size" in columns:
        buffer.uleb(file.size)
    if "MD5" in columns:
        buffer.raw(file.md5 or bytes(16))


def _write_path(path: str, form: str, buffer: Buffer, context: UnitContext) -> None:
    assembly = context.assembly
    if form == "string":
        buffer.cstring(path)
    elif form == "line_strp":
        buffer.offset(".debug_line_str", assembly.line_strings.offset(path), context.offset_size)
    else:
        buffer.offset(".debug_str", assembly.strings.offset(path), context.offset_size)


def _write_step(step: Step, table: LineTable, buffer: Buffer) -> None:
    if isinstance(step, Sequence):
        for instruction in _compile(step, table, buffer):
            _write_step(instruction, table, buffer)
    elif isinstance(step, Raw):
        buffer.raw(step.data)
    elif isinstance(step, Special):
        buffer.number(1, step.opcode)
    elif step.set == "DW_LNE_":
        _write_extended(step, buffer)
    else:
        code, kinds = lns.OPCODES[step.name]
        buffer.number(1, code)
        _write_operands(kinds, step.operands, buffer)


def _write_extended(step: Instruction, buffer: Buffer) -> None:
    code, kinds = lne.OPCODES[step.name]
    part = buffer.part()
    part.number(1, code)
    _write_operands(kinds, step.operands, part)
    buffer.number(1, 0)
    buffer.counted(part)


def _write_operands(kinds: str, operands: tuple[object, ...], buffer: Buffer) -> None:
    for kind, operand in zip(kinds.split(), operands, strict=True):
        value: Any = operand
        if kind == "addr":
            buffer.addr(value)
        elif kind == "string":
            buffer.cstring(value)
        elif kind == "half":
            buffer.number(2, value)
        elif kind == "sleb":
            buffer.sleb(value)
        else:
            buffer.uleb(value)


def _compile(sequence: Sequence, table: LineTable, buffer: Buffer) -> Iterable[Step]:
    """The opcodes for a sequence, special ones wherever they reach."""
    value = buffer.space.value
    last = Row(sequence.rows[0].address, line=1, is_stmt=table.default_is_stmt)
    yield lne.set_address(last.address)
    for row in sequence.rows:
        yield from _registers(last, row)
        advance = (value(row.address) - value(last.address)) // table.min_instruction_length
        yield from _advance(advance, row.line - last.line, table)
        last = row
    yield lns.advance_pc((value(sequence.end) - value(last.address)) // table.min_instruction_length)
    yield lne.end_sequence()


def _registers(last: Row, row: Row) -> Iterable[Step]:
    """What differs between two rows but for address and line; the last three last for one row only."""
    if row.file != last.file:
        yield lns.set_file(row.file)
    if row.column != last.column:
        yield lns.set_column(row.column)
    if row.is_stmt != last.is_stmt:
        yield lns.negate_stmt()
    if row.basic_block:
        yield lns.set_basic_block()
    if row.prologue_end:
        yield lns.set_prologue_end()
    if row.epilogue_begin:
        yield lns.set_epilogue_begin()
    if row.discriminator:
        yield lne.set_discriminator(row.discriminator)


def _advance(address: int, line: int, table: LineTable) -> Iterable[Step]:
    """Append a row: one special opcode if the steps are small (DWARF 5, 6.2.5.1)."""
    opcode = line - table.line_base + table.line_range * address + table.opcode_base
    if table.line_base <= line < table.line_base + table.line_range and address >= 0 and opcode <= 0xFF:
        yield Special(opcode)
        return
    if line:
        yield lns.advance_line(line)
    if address:
        yield lns.advance_pc(address)
    yield lns.copy()
