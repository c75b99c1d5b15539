# SPDX-License-Identifier: GPL-2.0-or-later
"""Random units of the installed 6.1 kernel, held against pyelftools: DIEs, lines, ranges, locations, aranges."""

from __future__ import annotations

import random
from typing import Any

import pytest
from elftools.dwarf.locationlists import LocationEntry, LocationExpr, LocationParser
from elftools.dwarf.ranges import BaseAddressEntry, RangeEntry

from localvar.dwarf import constants as c
from localvar.dwarf.aranges import address_ranges
from localvar.dwarf.line import LineTable, Row
from localvar.dwarf.loclists import location_entries
from localvar.dwarf.ranges import die_ranges
from localvar.dwarf.unit import Unit, UnitHeader
from tests.dwarf_support import as_theirs, below, sample_units, their_vmlinux, vmlinux

SEED = 20260101


@pytest.fixture(scope="module")
def units() -> list[Unit]:
    """A handful of random units of moderate size."""
    return sample_units(4, SEED)


def their_info() -> Any:
    return their_vmlinux()


def their_unit(unit: Unit) -> Any:
    return their_info().get_CU_at(unit.offset)


def test_every_die_of_random_units_is_what_pyelftools_reads(units: list[Unit]) -> None:
    count = 0
    for unit in units:
        expected = [die for die in their_unit(unit).iter_DIEs() if not die.is_null()]
        ours = list(below(unit.root))
        assert [die.key for die in ours] == [die.offset for die in expected]
        for die, other in zip(ours, expected, strict=True):
            assert (die.tag, die.attributes) == as_theirs(other)
        count += len(ours)
    assert count > 5000


def test_random_bytes_belong_to_the_die_that_pyelftools_has_there(units: list[Unit]) -> None:
    for unit in units:
        dies = list(their_unit(unit).iter_DIEs())
        for die in random.Random(SEED).sample(dies, 60):
            path = unit.path_to(die.offset - unit.offset + die.size - 1)
            if die.is_null() or die.get_parent() is None:
                assert path == ()
                continue
            chain = [die]
            while chain[-1].get_parent() is not None:
                chain.append(chain[-1].get_parent())
            assert [unit.offset + entry[0] for entry in path] == [one.offset for one in reversed(chain[:-1])]


def test_the_top_level_of_random_units_is_their_childrens_list(units: list[Unit]) -> None:
    for unit in units:
        expected = [die.offset for die in their_unit(unit).get_top_DIE().iter_children()]
        assert [unit.offset + entry[0] for entry in unit.top_level] == expected


def test_names_of_random_units_are_what_pyelftools_reads(units: list[Unit]) -> None:
    for unit in units:
        for die, other in zip(below(unit.root), (d for d in their_unit(unit).iter_DIEs() if not d.is_null()), strict=True):
            name = other.attributes.get("DW_AT_name")
            assert die.string(c.DW_AT_name) == (name.value.decode() if name else None)


def test_rows_and_files_of_random_units_are_those_of_pyelftools(units: list[Unit]) -> None:
    for unit in units:
        program = their_info().line_program_for_CU(their_unit(unit))
        states = [entry.state for entry in program.get_entries() if entry.state is not None]
        table = LineTable(unit)
        assert [row._replace(is_stmt=row.is_stmt and not row.end_sequence) for row in table.rows] == [
            Row(s.address, s.file, s.line, s.column, bool(s.is_stmt), bool(s.end_sequence)) for s in states]
        names = [entry.name.decode() for entry in program.header.file_entry]
        assert [path.rpartition("/")[2] for path in table.files] == [name.rpartition("/")[2] for name in names]


def test_ranges_of_random_units_are_those_of_pyelftools(units: list[Unit]) -> None:
    lists = their_info().range_lists()
    count = 0
    for unit in units:
        other = their_unit(unit)
        base = _base(other)
        for die, their_die in zip(below(unit.root), (d for d in other.iter_DIEs() if not d.is_null()), strict=True):
            if c.DW_AT_ranges not in die:
                continue
            expected, at = [], base
            for entry in lists.get_range_list_at_offset(their_die.attributes["DW_AT_ranges"].value, other):
                if isinstance(entry, BaseAddressEntry):
                    at = entry.base_address
                    continue
                assert isinstance(entry, RangeEntry)
                low = 0 if entry.is_absolute else at
                expected.append((low + entry.begin_offset, low + entry.end_offset))
            assert die_ranges(die) == [pair for pair in expected if pair[1] > pair[0]]
            count += 1
    assert count > 50


def test_locations_of_random_units_are_those_of_pyelftools(units: list[Unit]) -> None:
    info = their_info()
    parser = LocationParser(info.location_lists())
    count = 0
    for unit in units:
        other = their_unit(unit)
        base = _base(other)
        for die, their_die in zip(below(unit.root), (d for d in other.iter_DIEs() if not d.is_null()), strict=True):
            if c.DW_AT_location not in die:
                continue
            found = parser.parse_from_attribute(their_die.attributes["DW_AT_location"], 5, their_die)
            ours = [(e.low, e.high, e.expression) for e in location_entries(die, c.DW_AT_location)]
            assert ours == _theirs(found, base), hex(die.key)
            count += len(ours)
    assert count > 1000


def _base(unit: Any) -> int:
    """The base address of a unit (section 3.1.1, item 1)."""
    low = unit.get_top_DIE().attributes.get("DW_AT_low_pc")
    return int(low.value) if low else 0


def _theirs(found: Any, base: int) -> list[tuple[int | None, int | None, bytes]]:
    if isinstance(found, LocationExpr):
        return [(None, None, bytes(found.loc_expr))]
    entries: list[tuple[int | None, int | None, bytes]] = []
    for entry in found:
        if isinstance(entry, LocationEntry):
            start = 0 if entry.is_absolute else base
            entries.append((start + entry.begin_offset, start + entry.end_offset, bytes(entry.loc_expr)))
        else:
            base = entry.base_address
    return entries


def test_addresses_lead_to_the_units_that_pyelftools_finds() -> None:
    info = vmlinux()
    their_table = their_info().get_aranges()
    rows = address_ranges(info)
    assert len(rows) > 5000
    for low, high, _ in random.Random(SEED).sample(rows, 300):
        for pc in (low, high - 1):
            found = info.unit_of_pc(pc)
            assert found is not None and found.offset == their_table.cu_offset_at_addr(pc)


def test_all_units_are_found_by_their_lengths() -> None:
    offsets = vmlinux().unit_offsets
    at = 0
    for offset in offsets:
        assert offset == at
        at += UnitHeader(vmlinux().contents.bytes(offset, 48)).length
    assert at == vmlinux().contents.size
