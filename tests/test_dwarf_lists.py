# SPDX-License-Identifier: GPL-2.0-or-later
"""Range lists and location lists of both versions: what holds at a pc, one byte before, at and behind each boundary."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from localvar.dwarf import constants as c
from localvar.dwarf.errors import DwarfError
from localvar.dwarf.loclists import LocationEntry, expressions_at, location_entries
from localvar.dwarf.ranges import die_ranges
from localvar.dwarf.unit import Die as OurDie
from tests.dwarf_support import debug_info, named
from tests.dwarfgen import Addr, Die, Form, Image, LocList, Raw, RngList, Unit, lle, loclist, op, rle, rnglist

BOTH = pytest.mark.parametrize("version", [4, 5])
RBX, RCX, RDX = b"\x53", b"\x52", b"\x51"


def variable(locations: object, version: int = 5, offset_size: Literal[4, 8] = 4, low_pc: int | None = 0x1000) -> OurDie:
    """A variable with a location list, in a unit behind another that has lists too."""
    filler = Die("variable", name="filler", location=loclist((0x1000, 0x1001, op.reg0())))
    return _behind(filler, Die("variable", name="x", location=locations), low_pc, version=version, offset_size=offset_size)


def _behind(filler: Die, die: Die, low_pc: int | None, **fields: Any) -> OurDie:
    roots = [Die("compile_unit", low_pc=low_pc, high_pc=0x100, children=[one]) for one in (filler, die)]
    return named(debug_info(Image(units=[Unit(root, **fields) for root in roots])), "x")


def block(ranges: object, version: int = 5, low_pc: int | None = 0x1000) -> OurDie:
    """A lexical block with ranges, in a unit behind another that has ranges too."""
    filler = Die("lexical_block", ranges=rnglist((0x1000, 0x1001)))
    return _behind(filler, Die("lexical_block", name="x", ranges=ranges), low_pc, version=version)


# -- every kind of entry --------------------------------------------------------------------------------------------

V5_LOCATIONS: dict[str, tuple[Callable[..., LocList], list[tuple[int | None, int | None]]]] = {
    "offset_pair counts from the unit's low_pc": (lambda e: loclist(lle.offset_pair(0x10, 0x20, e)), [(0x1010, 0x1020)]),
    "offset_pair counts from the last base": (
        lambda e: loclist(lle.base_address(0x1800), lle.offset_pair(1, 2, e), lle.base_address(0x1900), lle.offset_pair(1, 2, e)),
        [(0x1801, 0x1802), (0x1901, 0x1902)]),
    "base_addressx": (lambda e: loclist(lle.base_addressx(Addr(0x1800)), lle.offset_pair(1, 2, e)), [(0x1801, 0x1802)]),
    "start_end": (lambda e: loclist(lle.start_end(0x1800, 0x1808, e)), [(0x1800, 0x1808)]),
    "start_end keeps the base": (
        lambda e: loclist(lle.start_end(0x1800, 0x1808, e), lle.offset_pair(1, 2, e)), [(0x1800, 0x1808), (0x1001, 0x1002)]),
    "start_length": (lambda e: loclist(lle.start_length(0x1800, 8, e)), [(0x1800, 0x1808)]),
    "startx_endx": (lambda e: loclist(lle.startx_endx(Addr(0x1800), Addr(0x1808), e)), [(0x1800, 0x1808)]),
    "startx_length": (lambda e: loclist(lle.startx_length(Addr(0x1800), 8, e)), [(0x1800, 0x1808)]),
    "default_location": (lambda e: loclist(lle.default_location(e)), [(None, None)]),
    "view pairs of gcc between entries": (
        lambda e: loclist(lle.view_pair(1, 2), lle.start_length(0x1800, 8, e), lle.view_pair(3, 300), lle.offset_pair(0, 4, e)),
        [(0x1800, 0x1808), (0x1000, 0x1004)]),
    "views in front of the list": (
        lambda e: loclist((0x1800, 0x1808, e), (0x1808, 0x1810, e), views=((1, 2), (0, 9))),
        [(0x1800, 0x1808), (0x1808, 0x1810)]),
    "an empty list": (lambda e: loclist(), []),
}


@pytest.mark.parametrize("offset_size", [4, 8])
@pytest.mark.parametrize("kind", V5_LOCATIONS)
@pytest.mark.parametrize("form", ["sec_offset", "loclistx"])
def test_every_entry_of_a_dwarf_5_location_list_bounds_its_expression(kind: str, form: str, offset_size: Literal[4, 8]) -> None:
    make, bounds = V5_LOCATIONS[kind]
    die = variable(Form(form, make(op.reg3())), offset_size=offset_size)
    assert location_entries(die, c.DW_AT_location) == tuple(LocationEntry(low, high, RBX) for low, high in bounds)


def test_every_entry_of_a_dwarf_4_location_list_bounds_its_expression() -> None:
    die = variable(loclist(lle.offset_pair(1, 2, op.reg3()), lle.base_address(0x1800), lle.offset_pair(0, 8, op.reg3())), 4)
    assert location_entries(die, c.DW_AT_location) == (LocationEntry(0x1001, 0x1002, RBX), LocationEntry(0x1800, 0x1808, RBX))


V5_RANGES: dict[str, tuple[RngList, list[tuple[int, int]]]] = {
    "offset_pair counts from the unit's low_pc": (rnglist(rle.offset_pair(0x10, 0x20)), [(0x1010, 0x1020)]),
    "offset_pair counts from the last base": (
        rnglist(rle.base_address(0x1800), rle.offset_pair(1, 2), rle.base_address(0x1900), rle.offset_pair(1, 2)),
        [(0x1801, 0x1802), (0x1901, 0x1902)]),
    "base_addressx": (rnglist(rle.base_addressx(Addr(0x1800)), rle.offset_pair(1, 2)), [(0x1801, 0x1802)]),
    "start_end": (rnglist(rle.start_end(0x1800, 0x1808)), [(0x1800, 0x1808)]),
    "start_length": (rnglist(rle.start_length(0x1800, 8)), [(0x1800, 0x1808)]),
    "startx_endx": (rnglist(rle.startx_endx(Addr(0x1800), Addr(0x1808))), [(0x1800, 0x1808)]),
    "startx_length": (rnglist(rle.startx_length(Addr(0x1800), 8)), [(0x1800, 0x1808)]),
    "empty ranges are left out": (rnglist((0x1800, 0x1800), (0x1810, 0x1812)), [(0x1810, 0x1812)]),
    "an empty list": (rnglist(), []),
}


@pytest.mark.parametrize("kind", V5_RANGES)
@pytest.mark.parametrize("form", ["sec_offset", "rnglistx"])
def test_every_entry_of_a_dwarf_5_range_list_is_read(kind: str, form: str) -> None:
    ranges, expected = V5_RANGES[kind]
    assert die_ranges(block(Form(form, ranges))) == expected


def test_every_entry_of_a_dwarf_4_range_list_is_read() -> None:
    die = block(rnglist(rle.offset_pair(1, 2), rle.offset_pair(3, 3), rle.base_address(0x1800), rle.offset_pair(0, 8)), 4)
    assert die_ranges(die) == [(0x1001, 0x1002), (0x1800, 0x1808)]


@BOTH
def test_a_unit_without_low_pc_has_the_base_zero(version: int) -> None:
    assert die_ranges(block(rnglist((0x1004, 0x1008)), version, low_pc=None)) == [(0x1004, 0x1008)]
    die = variable(loclist((0x1004, 0x1008, op.reg3())), version, low_pc=None)
    assert location_entries(die, c.DW_AT_location) == (LocationEntry(0x1004, 0x1008, RBX),)


@BOTH
@pytest.mark.parametrize(("low", "high", "expected"), [
    (0x1000, 0x10, [(0x1000, 0x1010)]), (Addr(0x1000), Addr(0x1010), [(0x1000, 0x1010)]), (0x1000, 0, []), (0x1000, None, []),
    (0x1000, Form("udata", 0x10), [(0x1000, 0x1010)]), (0x1000, Form("addr", 0x1000), []),
])
def test_low_and_high_pc_bound_a_scope(version: int, low: object, high: object, expected: list[tuple[int, int]]) -> None:
    tree = Die("compile_unit", name="a.c", children=[Die("lexical_block", name="x", low_pc=low, high_pc=high)])
    assert die_ranges(named(debug_info(Image(units=[Unit(tree, version=version)])), "x")) == expected


# -- boundaries -----------------------------------------------------------------------------------------------------


@BOTH
def test_an_entry_holds_from_its_first_address_up_to_its_end(version: int) -> None:
    die = variable(loclist((0x1010, 0x1020, op.reg3()), (0x1020, 0x1021, op.reg2()), (0x1030, 0x1038, op.reg1())), version)
    held = {0x100F: (), 0x1010: (RBX,), 0x101F: (RBX,), 0x1020: (RCX,), 0x1021: (), 0x102F: (), 0x1030: (RDX,),
            0x1037: (RDX,), 0x1038: ()}
    assert {pc: expressions_at(die, c.DW_AT_location, pc) for pc in held} == held


@BOTH
def test_all_of_overlapping_entries_hold(version: int) -> None:
    """Section 2.6.2: where ranges overlap, the object is in several places at once."""
    die = variable(loclist((0x1000, 0x1010, op.reg3()), (0x1008, 0x1018, op.reg2())), version)
    assert [expressions_at(die, c.DW_AT_location, pc) for pc in (0x1007, 0x1008, 0x100F, 0x1010)] == [
        (RBX,), (RBX, RCX), (RBX, RCX), (RCX,)]


def test_the_default_location_holds_where_no_bounded_entry_does() -> None:
    die = variable(loclist((0x1000, 0x1010, op.reg3()), lle.default_location(op.reg2()), (0x1020, 0x1028, op.reg1())))
    assert [expressions_at(die, c.DW_AT_location, pc) for pc in (0xFFF, 0x1000, 0x1010, 0x1020, 0x1028)] == [
        (RCX,), (RBX,), (RCX,), (RDX,), (RCX,)]


@BOTH
def test_an_empty_entry_holds_nowhere(version: int) -> None:
    """gcc leaves entries of no length where only views tell two places apart."""
    die = variable(loclist((0x1010, 0x1010, op.reg3()), (0x1010, 0x1011, op.reg2())), version)
    assert [expressions_at(die, c.DW_AT_location, pc) for pc in (0x100F, 0x1010, 0x1011)] == [(), (RCX,), ()]


@BOTH
def test_an_expression_instead_of_a_list_holds_everywhere(version: int) -> None:
    die = variable(op.fbreg(-16), version)
    assert expressions_at(die, c.DW_AT_location, 0) == expressions_at(die, c.DW_AT_location, 1 << 63) == (b"\x91\x70",)


spans = st.lists(st.tuples(st.integers(1, 60), st.integers(0, 12), st.integers(0, 15)), max_size=6)


@settings(max_examples=60, deadline=None)
@given(spans, st.booleans(), st.sampled_from([4, 5]))
def test_at_any_pc_exactly_the_entries_that_hold_it_are_given(
    entries: list[tuple[int, int, int]], based: bool, version: int,
) -> None:
    made: list[Any] = [lle.base_address(0x1000)] if based else []
    for low, size, number in entries:
        held = op.Op(f"reg{number}", ())
        made.append(lle.offset_pair(low, low + size, held) if based else (0x1000 + low, 0x1000 + low + size, held))
    die = variable(loclist(*made), version)
    for pc in range(0xFFF, 0x1000 + 75):
        expected = tuple(bytes((0x50 + n,)) for low, size, n in entries if 0x1000 + low <= pc < 0x1000 + low + size)
        assert expressions_at(die, c.DW_AT_location, pc) == expected


# -- damage ---------------------------------------------------------------------------------------------------------


@BOTH
def test_a_list_that_does_not_end_is_an_error(version: int) -> None:
    with pytest.raises(DwarfError, match="outside a section"):
        location_entries(variable(loclist((0x1000, 0x1008, op.reg3()), end=False), version), c.DW_AT_location)
    with pytest.raises(DwarfError, match="outside a section"):
        die_ranges(block(rnglist((0x1000, 0x1008), end=False), version))


def test_an_entry_kind_that_is_not_known_is_an_error() -> None:
    with pytest.raises(DwarfError, match="0x7f"):
        location_entries(variable(loclist(Raw(b"\x7f"))), c.DW_AT_location)
    with pytest.raises(DwarfError, match="0x7f"):
        die_ranges(block(rnglist(Raw(b"\x7f"))))


@BOTH
def test_a_location_that_is_neither_expression_nor_list_is_an_error(version: int) -> None:
    with pytest.raises(DwarfError):
        location_entries(variable(Form("string", "abc"), version), c.DW_AT_location)


def test_an_index_beyond_its_table_is_an_error() -> None:
    with pytest.raises(DwarfError):
        location_entries(variable(Form("loclistx", 5000)), c.DW_AT_location)
    with pytest.raises(DwarfError):
        die_ranges(block(Form("rnglistx", 5000)))
    with pytest.raises(DwarfError):
        location_entries(variable(loclist(lle.startx_length(5000, 8, op.reg3()))), c.DW_AT_location)
