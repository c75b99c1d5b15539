# SPDX-License-Identifier: GPL-2.0-or-later
"""Short ways through a unit, held against the long ones: a line by address, functions without the types in front."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from localvar.dwarf import abbrev
from localvar.dwarf import constants as c
from localvar.dwarf.abbrev import parse_one
from localvar.dwarf.copies import copies_in, has_index
from localvar.dwarf.leb128 import uleb
from localvar.dwarf.line import FileTest, LineTable
from localvar.dwarf.linerows import FileRow, rows_of_files
from localvar.dwarf.linesearch import Opcodes, Search
from localvar.dwarf.names import references_to
from localvar.dwarf.ranges import die_ranges
from localvar.dwarf.scope import FUNCTION_TAGS, SCOPE_TAGS, Chain, chain_at, function_at, instances
from localvar.dwarf.types import line_table
from localvar.dwarf.unit import Die
from localvar.probe.functions import file_test, path_matches
from localvar.probe.statements import line_starts
from tests.dwarf_support import debug_info, sample_units, vmlinux
from tests.dwarfgen import Die as Entry
from tests.dwarfgen import Form, Image
from tests.dwarfgen import Unit as GeneratedUnit

LENGTHS = bytes([0, 1, 1, 1, 1, 0, 0, 0, 1, 0, 0, 1])
PLAIN = Opcodes(13, LENGTHS, -5, 14, 1)
SET_ADDRESS = b"\0\x09\x02" + (0x1000).to_bytes(8, "little")
END = b"\0\x01\x01"


def test_place_of_random_addresses_is_that_of_the_whole_matrix() -> None:
    chosen = random.Random(20260101)
    checked = 0
    for unit in sample_units(4, 20260101):
        table = line_table(unit)
        assert table._search._tokens  # does not raise
        for row in chosen.sample(table.rows, 60):
            pc = row.address + chosen.choice((0, 0, 1, 3))
            long_way = table.row_at(pc)
            expected = None if long_way is None else (table.file(long_way.file), long_way.line)
            assert table.place_at(pc) == expected
            checked += expected is not None
    assert checked > 100


def test_functions_found_by_address_are_the_end_of_the_top_level() -> None:
    found = 0
    for unit in sample_units(8, 20260101):
        code = unit.code
        if code:
            assert code == unit.top_level[-len(code) :]
            before = unit.top_level[: -len(code)]
            assert not [e for e in before if e[1].tag == c.DW_TAG_subprogram and die_ranges(Die(unit, e))]
            found += 1
    assert found >= 6


def test_line_and_file_stand_until_the_next_row() -> None:
    program = SET_ADDRESS + b"\x03\x0a\x01" + b"\x02\x04\x04\x02\x03\x7f\x01" + b"\x02\x08" + END
    search = Search(program, PLAIN)
    assert [search.place_at(pc) for pc in (0xFFF, 0x1000, 0x1003, 0x1004, 0x100B, 0x100C)] == [
        None, (1, 11), (1, 11), (2, 10), (2, 10), None]


def test_bytes_of_operands_are_no_opcodes() -> None:
    disguised = b"\x05\x00" + b"\x03\x09\x01"  # column 0, then 9 lines on
    search = Search(SET_ADDRESS + disguised + b"\x09\x00\x01" + END, PLAIN)
    assert search.place_at(0x10FF) == (1, 10)


def test_an_address_within_a_sequence_moves_on() -> None:
    further = b"\0\x09\x02" + (0x2000).to_bytes(8, "little")
    search = Search(SET_ADDRESS + b"\x03\x0a\x01" + further + b"\x03\x01\x01\x02\x04" + END, PLAIN)
    assert [search.place_at(pc) for pc in (0x1000, 0x1FFF, 0x2000, 0x2003, 0x2004)] == [(1, 11), (1, 11), (1, 12), (1, 12), None]


def test_file_and_line_may_be_set_before_the_address() -> None:
    search = Search(b"\x04\x02\x03\x0a" + SET_ADDRESS + b"\x01\x02\x04" + END, PLAIN)
    assert search.place_at(0x1003) == (2, 11)


def test_of_several_sequences_the_one_that_holds_the_address_is_read() -> None:
    low = SET_ADDRESS + b"\x03\x0a\x01\x02\x08" + END
    high = b"\0\x09\x02" + (0x2000).to_bytes(8, "little") + b"\x03\x14\x01\x02\x08" + END
    search = Search(high + low, PLAIN)
    assert [search.place_at(pc) for pc in (0x1007, 0x1008, 0x2000, 0x2008)] == [(1, 11), None, (1, 21), None]


@pytest.mark.parametrize("program", [
    SET_ADDRESS + b"\x01" + b"\0\x02\x80\x00" + END,  # an opcode of a vendor
    SET_ADDRESS + b"\x01\x02",  # ends within an operand
    SET_ADDRESS + b"\x01\x02\x04",  # no end of the sequence
    SET_ADDRESS + b"\x01\x02\x04" + b"\0\x09\x02" + bytes(8) + b"\x01" + END,  # goes back
    SET_ADDRESS + b"\x01\x02\x04\x02\x04" + b"\0\x09\x02" + (0x1004).to_bytes(8, "little") + b"\x01" + END,  # the same
    b"\x01\x02\x04" + END,  # begins at no address
    b"\x01" + SET_ADDRESS + b"\x01\x02\x04" + END,  # has a row in front of its address
])
def test_program_that_is_not_plain_is_left_to_the_long_way(program: bytes) -> None:
    with pytest.raises((ValueError, IndexError)):
        Search(program, PLAIN).place_at(0x1000)


# -- the rows of some files ---------------------------------------------------------------------------------------


def plain_rows(table: LineTable) -> list[FileRow]:
    """All rows, as rows_of_files() writes them."""
    return [FileRow(row.address, row.file, row.line, row.is_stmt, row.end_sequence) for row in table.rows]


def needed(rows: list[FileRow], files: set[int]) -> Iterator[FileRow]:
    """Of all rows what tells where code of the files begins and ends: theirs, those right behind, ends of sequences."""
    for before, row in zip([None, *rows], rows, strict=False):
        behind = before is not None and before.file in files and not before.end_sequence
        if row.file in files or behind or row.end_sequence:
            yield row


def test_rows_of_random_files_are_those_of_the_whole_matrix() -> None:
    chosen = random.Random(20260101)
    checked = 0
    for unit in sample_units(6, 20260101):
        table = line_table(unit)
        every = plain_rows(table)
        for files in ({1}, *({file} for file in chosen.sample(range(len(table.files)), 8)), set(range(4, 40))):
            found = rows_of_files(table._program, table._opcodes, table._default_is_stmt, files)
            assert found == list(needed(every, files)) or not (found or any(row.file in files for row in every))
            checked += len(found)
    assert checked > 4000


def test_line_starts_are_those_of_the_whole_matrix(monkeypatch: pytest.MonkeyPatch) -> None:
    """A line's ranges are merged where its rows adjoin: rows of other files must not be missed between them."""
    checked = 0
    for unit in sample_units(4, 20260102):
        table = line_table(unit)
        for file in sorted({table.files[row.file] for row in table.rows[:2000:50]}):
            short = line_starts(unit, file, lambda line: True)
            with monkeypatch.context() as patch:
                patch.setattr(LineTable, "rows_of", lambda self, files: plain_rows(self))
                assert line_starts(unit, file, lambda line: True) == short
            checked += len(short)
    assert checked > 1000


@pytest.mark.parametrize("number", [b"\x02", b"\x82\x00", b"\x82\x80\x00"])
def test_the_number_of_a_file_may_be_padded(number: bytes) -> None:
    program = SET_ADDRESS + b"\x04" + number + b"\x03\x0a\x01" + b"\x02\x04" + END
    assert rows_of_files(program, PLAIN, True, {2}) == [FileRow(0x1000, 2, 11, True, False), FileRow(0x1004, 2, 11, True, True)]


def test_files_of_two_bytes_are_found() -> None:
    program = SET_ADDRESS + b"\x04\xac\x02\x01\x02\x04" + END
    assert len(rows_of_files(program, PLAIN, True, {300})) == 2 and rows_of_files(program, PLAIN, True, {44, 172}) == []


def test_statements_begin_anew_with_each_sequence() -> None:
    program = SET_ADDRESS + b"\x06\x01\x02\x04" + END + SET_ADDRESS + b"\x01\x06\x02\x01\x01\x02\x04" + END
    assert [row.is_stmt for row in rows_of_files(program, PLAIN, True, {1})] == [False, False, True, False, False]


def test_a_program_with_other_opcodes_has_no_short_way() -> None:
    program = SET_ADDRESS + b"\x01" + b"\0\x02\x80\x00" + END
    with pytest.raises((ValueError, IndexError)):
        rows_of_files(program, PLAIN, True, {1})


# -- files, units and scopes --------------------------------------------------------------------------------------


@pytest.mark.parametrize("pattern", ["include/linux/fs.h", "fs.h", "list.h", "*.h", "linux/*.h", "*list*", "l?st.h", "s[lk]*b.h",
                                     "include/linux", "no/such.h", "*/", "kernel/sched/../sched/sched.h"])
def test_files_by_name_are_those_of_all_paths(pattern: str) -> None:
    wanted = file_test(pattern)
    for unit in sample_units(8, 20260103):
        table = line_table(unit)
        assert table.indices(wanted) == [index for index, path in enumerate(table.files) if path and path_matches(path, pattern)]


def test_strings_of_files_are_looked_at_once() -> None:
    asked: list[str] = []

    def name(text: str) -> bool:
        asked.append(text)
        return text == "fs.h"

    wanted = FileTest(name, lambda path: path == "include/linux/fs.h")
    found = [line_table(unit).indices(wanted) for unit in sample_units(8, 20260103)]
    assert len(asked) == len(set(asked)) > 300 and sum(map(len, found)) >= 6


def test_a_units_own_die_is_read_without_the_other_abbreviations() -> None:
    info = vmlinux()
    short = 0
    for offset in info.unit_offsets[::40]:
        unit = info.unit(offset)
        at = unit.header.size
        own = unit.die(at)
        assert (unit.root.tag, unit.root.attributes, unit.root.offset) == (own.tag, own.attributes, at)
        assert unit.root.entry[1:] == own.entry[1:]
        short += info.abbreviation(unit.header, unit.data[at : uleb(unit.data, at)[1]]) is not None
    assert short > 50


@pytest.mark.parametrize("table", [
    b"\x01\x2e\x00\x00\x00" + b"\x00" + b"\x02\x11\x01\x03\x08\x00\x00" + b"\x00",  # 2 is another table's
    b"\x01\x2e\x00\x03\x08\x00\x00" + b"\x00" + b"\x02\x11\x01\x03\x08\x00\x00" + b"\x00",
    b"\x01\x21\x00\x3a\x21\x21\x00\x00" + b"\x00" + b"\x02\x11\x01\x03\x08\x00\x00" + b"\x00",
    b"\x01\x2e\x00\x03\x08\x00\x00" + b"\x03\x11\x02\x03\x08\x00\x00" + b"\x00",  # 2 is no code
])
def test_an_abbreviation_that_may_be_another_tables_is_not_taken(table: bytes) -> None:
    assert parse_one(table, b"\x02", 8, 4, 5) is None


@pytest.mark.parametrize("front", [
    b"", b"\x01\x18\x00\x00\x00", b"\x90\x01\x18\x00\x00\x00", b"\x01\x2e\x00\x03\x08\x3a\x21\x00\x00\x00",
])
def test_an_abbreviation_behind_others_is_found(front: bytes) -> None:
    first = b"\x03\x13\x01\x03\x08\x00\x00"
    found = parse_one(first + front + b"\x02\x11\x01\x03\x08\x00\x00\x00", b"\x02", 8, 4, 5)
    assert found is not None and found.tag == c.DW_TAG_compile_unit and found.attributes == ((c.DW_AT_name, c.DW_FORM_string, 0),)


def test_abbreviations_are_those_that_are_read_one_number_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    info = vmlinux()
    headers = [info.unit(offset).header for offset in info.unit_offsets[::20]]
    short = [info.abbreviations(header) for header in headers]
    taken = sum(map(len, short))
    monkeypatch.setattr(abbrev, "_declarations", lambda data, at: ([], at))
    monkeypatch.setattr(info, "_abbreviations", {})
    assert short == [info.abbreviations(header) for header in headers] and taken > 10_000


def test_most_abbreviations_have_a_short_way() -> None:
    info = vmlinux()
    table = bytes(info.elf.contents(".debug_abbrev").bytes(0, 1 << 20))
    offsets = [info.unit(offset).header.abbrev_offset for offset in info.unit_offsets[:200]]
    assert sum(not abbrev._declarations(table, offset)[0] for offset in offsets) <= 2


@pytest.mark.parametrize("last", [b"\x3a\x21\x00", b"\x3a\x21\xc0\x00", b"\x3a\x21\x21", b"\x3a\x21\xa1\x21", b""])
def test_the_end_of_a_declaration_is_no_null_byte_of_its_last_constant(last: bytes) -> None:
    """Null bytes at the end: of the constant 0 or 64, two of the declaration, one of the table."""
    one = b"\x01\x2e\x00" + last + b"\0\0"
    for table in (one + b"\0", one + b"\x02\x18\0\0\0" + b"\0", one + b"\x02" + one[1:] + b"\0"):
        found = abbrev.parse_abbreviations(table + b"\x03\x2e\x00\x3a\x0b\0\0\0", 0, 8, 4, 5)
        assert set(found) in ({1}, {1, 2}) and found[1].tag == c.DW_TAG_subprogram
        assert [constant for _, _, constant in found[1].attributes] == {
            b"\x3a\x21\x00": [0], b"\x3a\x21\xc0\x00": [64], b"\x3a\x21\x21": [33], b"\x3a\x21\xa1\x21": [33 + (0x21 << 7)],
            b"": []}[last]


def plain_chain(function: Die, pc: int) -> Chain:
    """chain_at() without anything kept."""
    chain = [function]
    while inner := next((child for child in chain[0].children() if child.tag in SCOPE_TAGS
                         and any(low <= pc < high for low, high in die_ranges(child))), None):
        chain.insert(0, inner)
    return tuple(chain)


def test_scopes_of_random_addresses_are_those_of_a_walk() -> None:
    chosen = random.Random(20260101)
    deepest = 0
    for unit in sample_units(4, 20260104):
        functions = [Die(unit, entry) for entry in unit.top_level if entry[1].tag == c.DW_TAG_subprogram]
        for row in chosen.sample(line_table(unit).rows, 60):
            holding = [die for die in functions if any(low <= row.address < high for low, high in die_ranges(die))]
            function = function_at(unit, row.address)
            assert [function] == holding[:1] or (not holding and function is None)
            if function is not None:
                chain = chain_at(function, row.address)
                assert chain == plain_chain(function, row.address)
                deepest = max(deepest, len(chain))
    assert deepest >= 4


# -- copies of functions ------------------------------------------------------------------------------------------


def test_copies_from_one_walk_are_those_of_a_search_for_each() -> None:
    copies = 0
    for unit in sample_units(8, 20260105):
        assert has_index(unit)
        index = copies_in(unit)
        for function in (Die(unit, entry) for entry in unit.functions):
            searched = list(references_to(function, c.DW_AT_abstract_origin, FUNCTION_TAGS))
            assert index.get(function.offset, []) == searched
            copies += len(searched)
    assert copies > 400


@pytest.mark.parametrize(("language", "form", "listed"), [
    (0x0C, "ref4", True), (0x1D, "ref4", True), (0x1C, "ref4", False), (0x21, "ref4", False), (None, "ref4", False),
    (0x1D, "ref_udata", False),
])
def test_copies_are_listed_where_functions_are_at_the_top_level(language: int | None, form: str, listed: bool) -> None:
    """Rust has namespaces around them; a reference in another form may lead out of the unit."""
    copy = Entry("inlined_subroutine", abstract_origin=Form(form, "f"), low_pc=0x1000, high_pc=4)
    around = Entry("subprogram", name="around", low_pc=0x1000, high_pc=8, children=[copy])
    inner = [Entry("subprogram", label="f", name="f", inline=1), around]
    root = Entry("compile_unit", name="a.c", language=language, children=inner)
    unit = debug_info(Image(units=[GeneratedUnit(root)])).unit(0)
    assert has_index(unit) is listed
    functions = [Die(unit, entry) for entry in unit.functions]
    for _ in range(5):
        assert [found.chain[0].tag for found in instances(functions[0])] == [c.DW_TAG_inlined_subroutine]


def test_copies_that_may_be_in_other_units_are_searched_for() -> None:
    """Link-time optimization inlines what is in another unit (DW_FORM_ref_addr)."""
    copy = Entry("inlined_subroutine", abstract_origin=Form("ref_addr", "f"), low_pc=0x1000, high_pc=4)
    around = Entry("subprogram", name="around", low_pc=0x1000, high_pc=8, children=[copy])
    first = Entry("compile_unit", name="a.c", language=0x1D, children=[Entry("subprogram", label="f", name="f", inline=1)])
    second = Entry("compile_unit", name="b.c", language=0x1D, children=[around])
    unit = debug_info(Image(units=[GeneratedUnit(first), GeneratedUnit(second)])).unit(0)
    assert not has_index(unit)
    for _ in range(5):
        assert len(list(instances(Die(unit, unit.functions[0])))) == 1
