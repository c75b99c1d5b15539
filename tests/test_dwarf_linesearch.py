# SPDX-License-Identifier: GPL-2.0-or-later
"""Short ways through a unit, held against the long ones: a line by address, functions without the types in front."""

from __future__ import annotations

import random

import pytest

from localvar.dwarf import constants as c
from localvar.dwarf.linesearch import Opcodes, Search
from localvar.dwarf.ranges import die_ranges
from localvar.dwarf.types import line_table
from localvar.dwarf.unit import Die
from tests.dwarf_support import sample_units

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
