# SPDX-License-Identifier: GPL-2.0-or-later
"""Line tables of versions 2 to 5: files and rows, held against pyelftools; which row holds a pc."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from localvar.dwarf.errors import DwarfError
from localvar.dwarf.line import LineTable as OurTable
from localvar.dwarf.line import Row as OurRow
from localvar.dwarf.line import tree_path
from tests.dwarf_support import debug_info, theirs
from tests.dwarfgen import Die, File, Image, LineTable, Raw, Row, Sequence, Unit, lne, lns, special

VERSIONS = pytest.mark.parametrize("version", [2, 3, 4, 5])


def image(table: LineTable, version: int = 5, comp_dir: str = "/src", **fields: Any) -> Image:
    root = Die("compile_unit", name="a.c", comp_dir=comp_dir, low_pc=0x1000, high_pc=0x1000)
    return Image(units=[Unit(root, version=version, line=table)], **fields)


def table_of(table: LineTable, version: int = 5, **fields: Any) -> OurTable:
    return OurTable(debug_info(image(table, version, **fields)).unit(0))


def their_rows(built: Image) -> list[OurRow]:
    (unit,) = theirs(built).iter_CUs()
    program = theirs(built).line_program_for_CU(unit)
    assert program is not None
    states = [entry.state for entry in program.get_entries() if entry.state is not None]
    return [OurRow(s.address, s.file, s.line, s.column, bool(s.is_stmt), bool(s.end_sequence)) for s in states]


def rows_of(built: Image) -> list[OurRow]:
    """Our rows, with is_stmt of the ends of sequences as pyelftools clears it."""
    rows = OurTable(debug_info(built).unit(0)).rows
    return [row._replace(is_stmt=row.is_stmt and not row.end_sequence) for row in rows]


opcodes = st.one_of(
    st.builds(special, st.integers(13, 255)),
    st.builds(lns.advance_pc, st.integers(0, 300)),
    st.builds(lns.advance_line, st.integers(-20, 400)),
    st.builds(lns.set_column, st.integers(0, 200)),
    st.builds(lns.set_file, st.integers(0, 3)),
    st.builds(lns.fixed_advance_pc, st.integers(0, 500)),
    st.builds(lne.set_address, st.integers(0x1000, 0x1800)),
    st.builds(lne.set_discriminator, st.integers(0, 9)),
    st.sampled_from([lns.copy(), lns.negate_stmt(), lns.set_basic_block(), lns.const_add_pc(), lns.set_prologue_end(),
                     lns.set_epilogue_begin(), lne.end_sequence()]),
)


@settings(max_examples=80, deadline=None)
@given(st.lists(opcodes, max_size=20), st.sampled_from([2, 3, 4, 5]), st.booleans(), st.sampled_from([1, 4]))
def test_any_program_gives_the_rows_that_pyelftools_has(
    program: list[Any], version: int, is_stmt: bool, length: int,
) -> None:
    steps = (*program, lne.end_sequence())
    built = image(LineTable(program=steps, default_is_stmt=is_stmt, min_instruction_length=length), version)
    assert rows_of(built) == their_rows(built)


@VERSIONS
def test_special_opcodes_follow_the_parameters_of_the_table(version: int) -> None:
    table = LineTable(program=(lne.set_address(0x1000), special(10), special(30), lns.const_add_pc(), lns.copy()), line_base=-3,
                      line_range=12, opcode_base=10)
    built = image(table, version)
    assert rows_of(built) == their_rows(built)
    assert len(their_rows(built)) == 3


@VERSIONS
def test_opcodes_that_are_not_known_are_stepped_over(version: int) -> None:
    unknown = (Raw(b"\x00\x05\x80abcd"), Raw(b"\x00\x01\x81"))
    built = image(LineTable(program=(lne.set_address(0x1000), *unknown, lns.copy(), lne.end_sequence())), version)
    assert [(row.address, row.end_sequence) for row in rows_of(built)] == [(0x1000, False), (0x1000, True)]


# -- files ----------------------------------------------------------------------------------------------------------


NAMES = (("/src", "include/linux", "/usr/include"), (File("a.c"), File("fs.h", 1), File("stdio.h", 2)))


@pytest.mark.parametrize("form", ["string", "strp", "line_strp"])
def test_files_of_dwarf_5_are_found_by_every_form_of_path(form: str) -> None:
    table = table_of(LineTable(*NAMES, path_form=form))
    assert [table.file(n) for n in range(5)] == ["a.c", "a.c", "include/linux/fs.h", "/usr/include/stdio.h", None]


@pytest.mark.parametrize("version", [2, 3, 4])
def test_files_before_dwarf_5_count_from_one(version: int) -> None:
    table = table_of(LineTable(*NAMES), version)
    assert [table.file(n) for n in range(5)] == [None, "a.c", "include/linux/fs.h", "/usr/include/stdio.h", None]
    assert table.file(None) is None


def test_files_with_checksums_and_sizes_are_read() -> None:
    table = table_of(LineTable(files=(File("a.c", md5=bytes(16), size=7), File("b.c", timestamp=9))))
    assert [table.file(n) for n in (1, 2)] == ["a.c", "b.c"]


def test_files_of_clang_count_from_zero() -> None:
    table = table_of(LineTable(files=(File("a.c"), File("b.c")), repeat_first_file=False))
    assert [table.file(n) for n in (0, 1)] == ["a.c", "b.c"]


@pytest.mark.parametrize(("path", "comp_dir", "expected"), [
    ("./include/linux/fs.h", "/build/linux", "include/linux/fs.h"),
    ("/build/linux/mm/vmscan.c", "/build/linux", "mm/vmscan.c"),
    ("../../../include/linux/fs.h", "/src/debian/build/amd64", "../../../include/linux/fs.h"),
    ("/usr/include/x.h", "/src", "/usr/include/x.h"),
    ("/srcs/x.c", "/src", "/srcs/x.c"),
    ("mm/../fs/read_write.c", "/src", "fs/read_write.c"),
    ("", "/src", ""),
    ("a.c", "", "a.c"),
])
def test_paths_are_relative_to_the_source_tree_they_lie_in(path: str, comp_dir: str, expected: str) -> None:
    assert tree_path(path, comp_dir) == expected


# -- which row holds a pc ---------------------------------------------------------------------------------------------


@VERSIONS
def test_a_row_holds_from_its_address_to_the_next_one(version: int) -> None:
    rows = [Row(0x1000, 10), Row(0x1004, 12), Row(0x1004, 13, column=5), Row(0x1010, 11, is_stmt=False)]
    table = table_of(LineTable(program=(Sequence(rows, end=0x1018),)), version)
    lines = {0xFFF: None, 0x1000: 10, 0x1003: 10, 0x1004: 13, 0x100F: 13, 0x1010: 11, 0x1017: 11, 0x1018: None}
    assert {pc: row.line if (row := table.row_at(pc)) else None for pc in lines} == lines


def test_sequences_in_any_order_are_told_apart() -> None:
    """-ffunction-sections: one sequence for each function, not by address; the gap between two belongs to neither."""
    table = table_of(LineTable(program=(Sequence([Row(0x1100, 20)], end=0x1108), Sequence([Row(0x1000, 10)], end=0x1008))))
    assert [row.line if (row := table.row_at(pc)) else None for pc in (0x1000, 0x1007, 0x1008, 0x1050, 0x1100, 0x1108)] == [
        10, 10, None, None, 20, None]


def test_a_unit_without_a_line_table_has_no_rows_and_no_files() -> None:
    root = Die("compile_unit", name="a.c")
    table = OurTable(debug_info(Image(units=[Unit(root)])).unit(0))
    assert (table.rows, table.file(1), table.row_at(0x1000)) == ([], None, None)


# -- damage -----------------------------------------------------------------------------------------------------------


@VERSIONS
def test_a_table_cut_anywhere_gives_rows_or_an_error(version: int) -> None:
    table = LineTable(files=(File("a.c"), File("b.h", 0)), program=(Sequence([Row(0x1000, 10), Row(0x1004, 300)], end=0x1010),))
    whole = len(image(table, version).assemble().sections[".debug_line"])
    outcomes = set()
    for cut in range(whole):
        def shorten(data: bytes, cut: int = cut) -> bytes:
            # the length says what is there, so that the damage is inside the table
            return (max(cut, 4) - 4).to_bytes(4, "little") + data[4:max(cut, 4)]

        try:
            found = OurTable(debug_info(image(table, version, damage={".debug_line": shorten})).unit(0))
            outcomes.add(len(found.rows))
        except DwarfError:
            outcomes.add(-1)
    assert outcomes == {-1, 0, 1, 2}
