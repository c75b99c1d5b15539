# SPDX-License-Identifier: GPL-2.0-or-later
"""Line tables, held against pyelftools and readelf."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from elftools.dwarf.lineprogram import LineProgram, LineState
from hypothesis import given
from hypothesis import strategies as st

from tests.dwarfgen import File, Image, LineTable, Raw, Row, Sequence, lne, lns, special
from tests.dwarfgen.parsed import dwarf, tool_output, unit

VERSIONS = pytest.mark.parametrize("version", [2, 3, 4, 5])
FLAGS = st.booleans()


@st.composite
def sequences(draw: st.DrawFn) -> Sequence:
    """Rows with rising addresses and anything else."""
    address, rows = 0x1000, []
    for step in draw(st.lists(st.integers(0, 600), min_size=1, max_size=12)):
        address += step
        flags = {name: draw(FLAGS) for name in ("is_stmt", "basic_block", "prologue_end", "epilogue_begin")}
        rows.append(
            Row(
                address,
                line=draw(st.integers(1, 5000)),
                column=draw(st.integers(0, 200)),
                file=draw(st.integers(1, 2)),
                discriminator=draw(st.integers(0, 3)),
                **flags,
            )
        )
    return Sequence(rows, end=address + draw(st.integers(1, 300)))


def program(table: LineTable, version: int = 5, **fields: Any) -> LineProgram:
    info = dwarf(Image(units=[unit(version=version, line=table, **fields)]))
    found = info.line_program_for_CU(next(info.iter_CUs()))
    assert found is not None
    return found


def states(table: LineTable, version: int = 5) -> list[LineState]:
    return [entry.state for entry in program(table, version).get_entries() if entry.state is not None]


def row_of(state: LineState) -> Row:
    return Row(
        state.address,
        state.line,
        state.column,
        state.file,
        bool(state.is_stmt),
        bool(state.basic_block),
        state.prologue_end,
        state.epilogue_begin,
        state.discriminator,
    )


def names(table: LineTable, version: int, **fields: Any) -> tuple[list[bytes], list[tuple[bytes, int]]]:
    """Directories, and files with their directories."""
    header = program(table, version, **fields).header
    return list(header.include_directory), [(file.name, file.dir_index) for file in header.file_entry]


@given(sequences(), st.sampled_from([4, 5]))
def test_rows_come_back(sequence: Sequence, version: int) -> None:
    table = LineTable(files=(File("a.c"), File("b.h")), program=(sequence,))
    *rows, last = states(table, version)
    assert [row_of(state) for state in rows] == list(sequence.rows)
    assert (last.end_sequence, last.address) == (True, sequence.end)


@given(sequences(), st.booleans())
def test_rows_come_back_from_an_odd_header(sequence: Sequence, is_stmt: bool) -> None:
    table = LineTable(
        files=(File("a.c"), File("b.h")),
        program=(sequence,),
        default_is_stmt=is_stmt,
        line_base=-3,
        line_range=12,
        opcode_base=14,
    )
    assert [row_of(state) for state in states(table)[:-1]] == list(sequence.rows)


def test_rows_come_back_from_every_small_step() -> None:
    """One special opcode reaches some steps; at its edges others must take over."""
    address, line, rows = 0x1000, 1000, []
    for advance in range(20):
        for step in range(-7, 12):
            address, line = address + advance, line + step
            rows.append(Row(address, line))
    found = states(LineTable(program=(Sequence(rows, end=address + 1),)))
    assert [row_of(state) for state in found[:-1]] == rows


@VERSIONS
def test_the_header_tells_how_many_operands_opcodes_have(version: int) -> None:
    header = program(LineTable(opcode_base=14), version).header
    assert list(header.standard_opcode_lengths) == [0, 1, 1, 1, 1, 0, 0, 0, 1, 0, 0, 1, 0]
    assert (header.version, header.opcode_base, header.line_base, header.line_range) == (version, 14, -5, 14)


def test_instructions_are_counted_in_their_own_length() -> None:
    rows = [Row(0x1000, 1), Row(0x1004, 2), Row(0x1400, 3)]
    table = LineTable(program=(Sequence(rows, end=0x1404),), min_instruction_length=4)
    assert [state.address for state in states(table)] == [0x1000, 0x1004, 0x1400, 0x1404]


def test_several_sequences_each_begin_anew() -> None:
    table = LineTable(
        program=(Sequence([Row(0x1100, 9)], end=0x1104), Sequence([Row(0x1000, 3)], end=0x1008))
    )
    found = [(state.address, state.line, bool(state.end_sequence)) for state in states(table)]
    assert found == [(0x1100, 9, False), (0x1104, 9, True), (0x1000, 3, False), (0x1008, 3, True)]


@VERSIONS
def test_file_numbers_count_from_one_in_every_version(version: int) -> None:
    table = LineTable(directories=("/src", "include"), files=(File("a.c"), File("b.h", 1)), program=())
    directories, files = names(table, version)
    first = 0 if version >= 5 else 1  # DWARF 5 tables hold number 0
    assert directories == [b"/src", b"include"][first:]
    assert files[1 - first :] == [(b"a.c", 0), (b"b.h", 1)]
    assert len(files) == (3 if version >= 5 else 2)


@pytest.mark.parametrize("form", ["string", "line_strp", "strp"])
@pytest.mark.parametrize("offset_size", [4, 8])
def test_v5_names_are_held_in_any_form(form: str, offset_size: int) -> None:
    table = LineTable(directories=("/src", "inc"), files=(File("a.c", 1),), path_form=form)
    found = names(table, 5, offset_size=offset_size)
    assert found == ([b"/src", b"inc"], [(b"a.c", 1), (b"a.c", 1)])


def test_files_of_clang_count_from_zero() -> None:
    md5 = bytes(range(16))
    table = LineTable(files=(File("a.c", md5=md5), File("b.h")), repeat_first_file=False)
    header = program(table).header
    assert [(file.DW_LNCT_path, bytes(file.DW_LNCT_MD5)) for file in header.file_names] == [
        (b"a.c", md5),
        (b"b.h", bytes(16)),
    ]


@VERSIONS
def test_time_and_size_of_a_file_come_back(version: int) -> None:
    file = program(LineTable(files=(File("a.c", 0, 1234, 5678),)), version).header.file_entry[0]
    assert (file.mtime, file.length) == (1234, 5678)


def test_every_opcode_can_be_written_by_itself() -> None:
    steps = (
        lne.set_address(0x1000),
        lns.advance_pc(0x20),
        lns.advance_line(-3),
        lns.advance_line(10),
        lns.set_file(2),
        lns.set_column(7),
        lns.negate_stmt(),
        lns.set_basic_block(),
        lns.set_prologue_end(),
        lns.set_epilogue_begin(),
        lns.set_isa(4),
        lne.set_discriminator(5),
        lne.define_file("c.h", 0, 0, 0),
        lns.copy(),
        lns.const_add_pc(),
        lns.fixed_advance_pc(0x100),
        special(13 + 5 + 14 * 2),
        Raw(b"\x01"),
        lne.end_sequence(),
    )
    # pyelftools 0.33 fails on DW_LNE_define_file in DWARF 5, which has withdrawn it.
    first, second, third, last = states(LineTable(files=(File("a.c"), File("b.h")), program=steps), version=4)
    assert row_of(first) == Row(0x1020, 8, 7, 2, False, True, True, True, 5)
    assert first.isa == 4
    assert (second.address, second.line) == (0x1020 + 17 + 0x100 + 2, 8)
    assert (third.address, third.basic_block) == (second.address, False)
    assert last.end_sequence


def test_units_share_a_table() -> None:
    table = LineTable()
    info = dwarf(Image(units=[unit(line=table), unit(line=LineTable()), unit(line=table)]))
    offsets = [cu.get_top_DIE().attributes["DW_AT_stmt_list"].value for cu in info.iter_CUs()]
    assert offsets[0] == offsets[2] == 0
    assert offsets[1] > 0


@pytest.mark.parametrize("version", [4, 5])
def test_readelf_decodes_the_rows(version: int, tmp_path: Path) -> None:
    rows = [Row(0x1000, 10), Row(0x1004, 12), Row(0x1100, 900)]
    image = Image(units=[unit(version=version, line=LineTable(program=(Sequence(rows, end=0x1200),)))])
    printed = tool_output(["readelf", "-W", "--debug-dump=decodedline"], image, tmp_path)
    lines = [line.split()[:3] for line in printed.splitlines() if line.startswith("a.c ")]
    assert lines == [
        ["a.c", "10", "0x1000"],
        ["a.c", "12", "0x1004"],
        ["a.c", "900", "0x1100"],
        ["a.c", "-", "0x1200"],
    ]
