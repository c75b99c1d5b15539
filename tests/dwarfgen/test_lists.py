# SPDX-License-Identifier: GPL-2.0-or-later
"""Location lists, range lists and the tables around them, held against pyelftools and readelf."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from elftools.dwarf.die import DIE
from elftools.dwarf.locationlists import BaseAddressEntry, LocationEntry
from elftools.dwarf.ranges import RangeEntry
from hypothesis import given
from hypothesis import strategies as st

from tests.dwarfgen import (
    Addr,
    Die,
    Form,
    Image,
    LocList,
    Raw,
    RngList,
    Section,
    ViewsOf,
    lle,
    loclist,
    op,
    rle,
    rnglist,
)
from tests.dwarfgen.parsed import decoded, dies, dwarf, tool_output, unit, value

RANGES = st.lists(st.tuples(st.integers(0x1000, 0x1FFF), st.integers(1, 0x200)), max_size=8)


def variable_with(locations: LocList | Form, *, low_pc: int = 0x1000, version: int = 5, **fields: Any) -> DIE:
    variable = Die("variable", name="x", location=locations)
    return dies(dwarf(Image(units=[unit(variable, low_pc=low_pc, version=version)], **fields)))[1]


def located(die: DIE) -> list[tuple[object, ...]]:
    """The list of a DIE's locations: ("base", address), or start, end, whether absolute, expression."""
    lists = die.dwarfinfo.location_lists()
    assert lists is not None
    found: list[tuple[object, ...]] = []
    for entry in lists.get_location_list_at_offset(value(die, "location"), die):
        if isinstance(entry, BaseAddressEntry):
            found.append(("base", entry.base_address))
        else:
            assert isinstance(entry, LocationEntry)
            names = [name for name, _ in decoded(die, entry.loc_expr)]
            found.append((entry.begin_offset, entry.end_offset, entry.is_absolute, *names))
    return found


def ranges_of(entries: RngList | Form, *, low_pc: int = 0x1000, version: int = 5) -> list[tuple[object, ...]]:
    block = Die("lexical_block", ranges=entries)
    info = dwarf(Image(units=[unit(block, low_pc=low_pc, version=version)]))
    (cu,), (_, die) = info.iter_CUs(), dies(info)
    lists = die.dwarfinfo.range_lists()
    assert lists is not None
    return [
        (entry.begin_offset, entry.end_offset, entry.is_absolute)
        if isinstance(entry, RangeEntry)
        else ("base", entry.base_address)
        for entry in lists.get_range_list_at_offset(value(die, "ranges"), cu)
    ]


def test_every_v5_location_entry_comes_back() -> None:
    reg = op.reg3()
    entries = loclist(
        lle.offset_pair(0x10, 0x14, reg),
        lle.base_address(0x1100),
        lle.offset_pair(0, 300, reg),
        lle.base_addressx(Addr(0x1200)),
        lle.startx_endx(Addr(0x1300), Addr(0x1310), reg),
        lle.startx_length(Addr(0x1320), 0x10, reg),
        lle.start_end(0x1400, 0x1404, reg),
        lle.start_length(0x1500, 0x20, reg),
        lle.default_location(op.lit0()),
    )
    assert located(variable_with(entries)) == [
        (0x10, 0x14, False, "reg3"),
        ("base", 0x1100),
        (0, 300, False, "reg3"),
        ("base", 0x1200),
        (0x1300, 0x1310, True, "reg3"),
        (0x1320, 0x1330, True, "reg3"),
        (0x1400, 0x1404, True, "reg3"),
        (0x1500, 0x1520, True, "reg3"),
        (-1, -1, True, "lit0"),
    ]


def test_v4_locations_are_relative_to_the_selected_base() -> None:
    entries = loclist(
        (0x1010, 0x1014, op.reg3()),
        lle.base_address(0x1100),
        (0x1110, 0x1120, op.reg4()),
        lle.offset_pair(1, 2, op.reg5()),
    )
    assert located(variable_with(entries, version=4)) == [
        (0x10, 0x14, False, "reg3"),
        ("base", 0x1100),
        (0x10, 0x20, False, "reg4"),
        (1, 2, False, "reg5"),
    ]


@pytest.mark.parametrize("version", [2, 3, 4, 5])
def test_absolute_ranges_suit_every_version(version: int) -> None:
    ((start, end, absolute, name),) = located(
        variable_with(loclist((0x1010, 0x1020, op.reg0())), version=version)
    )
    base = 0 if absolute else 0x1000
    assert isinstance(start, int)
    assert isinstance(end, int)
    assert (start + base, end + base, name) == (0x1010, 0x1020, "reg0")


def test_v4_has_no_v5_entries() -> None:
    with pytest.raises(ValueError, match="DWARF 4 lists have no start_end"):
        variable_with(loclist(lle.start_end(1, 2, op.reg0())), version=4)


def test_a_list_by_index_goes_through_the_offset_table() -> None:
    first = loclist((0x1000, 0x1004, op.reg1()))
    second = loclist((0x1004, 0x1008, op.reg2()))
    variables = [Die("variable", location=Form("loclistx", entries)) for entries in (first, second)]
    root, one, two = dies(dwarf(Image(units=[unit(*variables)])))
    assert [die.attributes["DW_AT_location"].raw_value for die in (one, two)] == [0, 1]
    assert [located(die)[0][-1] for die in (one, two)] == ["reg1", "reg2"]
    assert value(root, "loclists_base") == 12


def test_units_have_location_tables_of_their_own() -> None:
    units = [
        unit(Die("variable", location=Form("loclistx", loclist((0x1000, 0x1004, o)))))
        for o in (op.reg1(), op.reg2())
    ]
    _, one, _, two = dies(dwarf(Image(units=units)))
    assert [located(die)[0][-1] for die in (one, two)] == ["reg1", "reg2"]


def test_a_list_used_twice_is_written_once() -> None:
    shared = loclist((0x1000, 0x1004, op.reg1()))
    image = Image(units=[unit(Die("variable", location=shared), Die("variable", location=shared))])
    _, one, two = dies(dwarf(image))
    assert value(one, "location") == value(two, "location")
    assert len(image.assemble().sections[".debug_loclists"]) == 12 + 1 + 8 + 1 + 2 + 1


@pytest.mark.parametrize("version", [4, 5])
def test_view_pairs_stand_before_the_list(version: int, tmp_path: Path) -> None:
    entries = loclist((0x1000, 0x1004, op.reg1()), (0x1004, 0x1008, op.reg2()), views=((1, 2), (3, 4)))
    variable = Die("variable", name="x", location=entries, GNU_locviews=ViewsOf(entries))
    image = Image(units=[unit(variable, version=version)])
    die = dies(dwarf(image))[1]
    at = value(die, "GNU_locviews")
    section = ".debug_loclists" if version == 5 else ".debug_loc"
    assert value(die, "location") == at + 4
    assert image.assemble().sections[section][at : at + 4] == bytes((1, 2, 3, 4))
    assert len(located(die)) == 2
    assert "location view pair" in tool_output(["readelf", "-W", "--debug-dump=loc,info"], image, tmp_path)


def test_a_view_pair_entry_holds_two_numbers() -> None:
    entries = loclist(lle.view_pair(1, 300), (0x1000, 0x1004, op.reg1()))
    image = Image(units=[unit(Die("variable", location=entries))])
    assert image.assemble().sections[".debug_loclists"][12:16] == b"\x09\x01\xac\x02"


def test_an_unterminated_list_has_no_end() -> None:
    entries = loclist((0x1000, 0x1004, op.reg1()), end=False)
    image = Image(units=[unit(Die("variable", location=entries))])
    assert image.assemble().sections[".debug_loclists"][-3:] == b"\x04\x01\x51"


def test_raw_bytes_stand_among_entries_and_for_locations() -> None:
    entries = loclist(Raw(b"\xff"), lle.default_location(Raw(b"\x7f\x50")))
    image = Image(units=[unit(Die("variable", location=entries))])
    assert image.assemble().sections[".debug_loclists"][12:] == b"\xff\x05\x7f\x50\x00"


def test_locations_of_a_relocatable_image_are_relocated() -> None:
    entries = loclist((Addr(".init.text", 4), Addr(".init.text", 8), op.reg1()))
    sections = [Section(".init.text", bytes(16))]
    die = variable_with(entries, low_pc=0, file_type="REL", sections=sections)
    assert located(die) == [(4, 8, True, "reg1")]


def test_every_v5_range_entry_comes_back() -> None:
    entries = rnglist(
        rle.offset_pair(0x10, 0x14),
        rle.base_address(0x1100),
        rle.base_addressx(Addr(0x1200)),
        rle.startx_endx(Addr(0x1300), Addr(0x1310)),
        rle.startx_length(Addr(0x1320), 0x10),
        rle.start_end(0x1400, 0x1404),
        rle.start_length(0x1500, 0x20),
    )
    assert ranges_of(entries) == [
        (0x10, 0x14, False),
        ("base", 0x1100),
        ("base", 0x1200),
        (0x1300, 0x1310, True),
        (0x1320, 0x1330, True),
        (0x1400, 0x1404, True),
        (0x1500, 0x1520, True),
    ]


def test_v4_ranges_are_relative_to_the_selected_base() -> None:
    entries = rnglist((0x1010, 0x1014), rle.base_address(0), (0x1100, 0x1104), rle.offset_pair(5, 6))
    assert ranges_of(entries, version=4) == [
        (0x10, 0x14, False),
        ("base", 0),
        (0x1100, 0x1104, False),
        (5, 6, False),
    ]


@given(RANGES, st.sampled_from([4, 5]))
def test_ranges_come_back(ranges: list[tuple[int, int]], version: int) -> None:
    pairs = [(start, start + length) for start, length in ranges]
    base = 0 if version == 5 else 0x1000
    found = ranges_of(rnglist(*pairs), version=version)
    assert found == [(start - base, end - base, version == 5) for start, end in pairs]


def test_ranges_by_index_go_through_the_offset_table() -> None:
    assert ranges_of(Form("rnglistx", rnglist((0x1000, 0x1004)))) == [(0x1000, 0x1004, True)]


def test_a_unit_with_ranges_and_base_zero_holds_addresses() -> None:
    """gcc writes DW_AT_low_pc 0 beside DW_AT_ranges: v4 lists then hold the addresses themselves."""
    assert ranges_of(rnglist((0x1010, 0x1020)), low_pc=0, version=4) == [(0x1010, 0x1020, False)]


def test_readelf_reads_the_lists_without_a_warning(tmp_path: Path) -> None:
    locations = loclist((0x1000, 0x1004, op.reg1()), lle.offset_pair(4, 8, op.reg2()))
    ranges = rnglist((0x1000, 0x1004), rle.start_end(0x1008, 0x1010))
    image = Image(units=[unit(Die("variable", location=locations), Die("lexical_block", ranges=ranges))])
    printed = tool_output(["readelf", "-W", "--debug-dump=info,loc,Ranges"], image, tmp_path)
    assert "0000000000001004 0000000000001008 (DW_OP_reg2 (rcx))" in printed
    assert "0000000000001008 0000000000001010" in printed


def test_llvm_reads_lists_that_go_through_debug_addr(tmp_path: Path) -> None:
    """binutils 2.40 looks the indices up without DW_AT_addr_base."""
    locations = loclist(lle.startx_length(Addr(0x1004), 4, op.reg2()))
    ranges = rnglist(rle.startx_endx(Addr(0x1008), Addr(0x1010)))
    children = (
        Die("variable", location=Form("loclistx", locations)),
        Die("lexical_block", ranges=Form("rnglistx", ranges)),
    )
    printed = tool_output(["llvm-dwarfdump"], Image(units=[unit(), unit(*children)]), tmp_path)
    assert "[0x0000000000001004, 0x0000000000001008): DW_OP_reg2 RCX" in printed
    assert "[0x0000000000001008, 0x0000000000001010)" in printed
