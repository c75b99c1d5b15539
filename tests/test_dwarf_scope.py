# SPDX-License-Identifier: GPL-2.0-or-later
"""Where functions, their copies and their blocks are, and where they begin."""

from __future__ import annotations

from typing import Any

import pytest

from localvar.dwarf.errors import DwarfError
from localvar.dwarf.info import DebugInfo
from localvar.dwarf.scope import (
    blocks_within,
    chain_at,
    entry_of,
    function_at,
    holds,
    inlined_names,
    instances,
    is_discarded,
    name_of,
)
from localvar.dwarf.unit import Die as OurDie
from tests.dwarf_support import debug_info, every_die, named
from tests.dwarfgen import Addr, Die, Form, Image, Ref, Unit, rnglist


def info(*dies: Die, version: int = 5) -> DebugInfo:
    root = Die("compile_unit", name="a.c", low_pc=0x1000, high_pc=0x1000, children=dies)
    return debug_info(Image(units=[Unit(root, version=version)]))


def function(name: str, *children: Die, **attributes: Any) -> Die:
    return Die("subprogram", label=name, name=name, children=children, **attributes)


def copy(of: str, *children: Die, **attributes: Any) -> Die:
    return Die("inlined_subroutine", abstract_origin=Ref(of), children=children, **attributes)


def block(low: int, size: int, *children: Die) -> Die:
    return Die("lexical_block", low_pc=low, high_pc=size, children=children)


def the(found: DebugInfo, tag: int) -> OurDie:
    (die,) = [each for each in every_die(found) if each.tag == tag]
    return die


TWO = rnglist((0x1040, 0x1050), (0x1010, 0x1020))


@pytest.mark.parametrize(("attributes", "entry"), [
    ({"low_pc": 0x1010, "high_pc": 0x10}, 0x1010),
    ({"ranges": TWO}, 0x1040),  # the first range is the entry's
    ({"ranges": TWO, "entry_pc": Addr(0x1014)}, 0x1014), ({"ranges": TWO, "entry_pc": Addr(0x1010)}, 0x1010),
    ({"ranges": TWO, "entry_pc": Addr(0x1020)}, 0x1040),  # behind its code
    ({"ranges": TWO, "entry_pc": Addr(0x104F)}, 0x104F),
    ({"ranges": TWO, "entry_pc": Form("data1", 4)}, 0x1044),  # counted from the base (section 2.18)
    ({"low_pc": 0x1010, "high_pc": 0x10, "entry_pc": Form("data1", 4)}, 0x1014),
    ({"low_pc": 0x1010, "high_pc": 0x10, "entry_pc": Form("data1", 0x10)}, 0x1010),
])
def test_a_function_begins_where_it_says(attributes: dict[str, Any], entry: int) -> None:
    assert entry_of((named(info(function("f", **attributes)), "f"),)) == entry


@pytest.mark.parametrize(("attributes", "entry"), [
    ({"ranges": TWO}, 0x1010), ({"low_pc": 0x1040, "high_pc": 4}, 0x1040),
    ({"ranges": TWO, "entry_pc": Addr(0x1048)}, 0x1048), ({"ranges": TWO, "entry_pc": Addr(0x1030)}, 0x1030),
    ({"ranges": TWO, "entry_pc": Addr(0x1100)}, 0x1010), ({"entry_pc": Addr(0x1030)}, 0x1030), ({}, None),
    ({"entry_pc": Addr(0x1100)}, None),
])
def test_a_copy_begins_where_control_enters_it_in_the_function_around(attributes: dict[str, Any], entry: int | None) -> None:
    found = info(function("g", inline=1), function("f", copy("g", **attributes), low_pc=0x1000, high_pc=0x80))
    inner, outer = the(found, 0x1D), named(found, "f")
    if entry is None:
        with pytest.raises(DwarfError, match="begins nowhere"):
            entry_of((inner, outer))
        assert [each.inlined for each in instances(named(found, "g"))] == []
        return
    assert entry_of((inner, outer)) == entry
    (instance,) = instances(named(found, "g"))
    assert (instance.inlined, instance.entry, instance.chain) == (True, entry, (inner, outer))


def test_the_code_of_a_function_is_all_that_refers_to_it_and_was_not_thrown_away() -> None:
    f = function("f", low_pc=0x1000, high_pc=0x80)
    clone = Die("subprogram", abstract_origin=Ref("g"), low_pc=0x1100, high_pc=0x10)
    gone = Die("subprogram", abstract_origin=Ref("g"), low_pc=Addr(None), high_pc=0x10)
    user = function("h", block(0x1208, 8, copy("g", low_pc=0x120A, high_pc=2)), low_pc=0x1200, high_pc=0x20)
    in_gone = function("i", copy("g", low_pc=Addr(None, 4), high_pc=2), low_pc=Addr(None), high_pc=0x20)
    found = info(function("g", inline=1), f, clone, gone, user, in_gone)
    assert [(each.inlined, each.entry, each.ranges) for each in instances(named(found, "g"))] == [
        (False, 0x1100, ((0x1100, 0x1110),)), (True, 0x120A, ((0x120A, 0x120C),))]
    assert [len(each.chain) for each in instances(named(found, "g"))] == [1, 3]
    assert [(each.inlined, each.entry) for each in instances(named(found, "f"))] == [(False, 0x1000)]
    assert list(instances(named(found, "i"))) == []


def test_code_is_thrown_away_where_all_of_it_is_at_zero() -> None:
    assert is_discarded([(0, 8)]) and not is_discarded([(0, 8), (0x1000, 0x1008)])


@pytest.mark.parametrize("apart", [True, False])
def test_the_function_at_an_address_is_the_one_whose_range_holds_it(apart: bool) -> None:
    """Functions of several ranges lie in one another's gaps; where ranges overlap the first of the unit counts."""
    f = function("f", ranges=rnglist((0x1040, 0x1050), (0x1000, 0x1010)))
    g = function("g", low_pc=0x1010, high_pc=0x30)
    others = [] if apart else [function("h", low_pc=0x1000, high_pc=0x60)]
    found = info(function("declared", declaration=True), f, g, *others)
    unit = found.unit(found.unit_offsets[0])

    def at(pc: int) -> str | None:
        die = function_at(unit, pc)
        return name_of(die) if die else None

    places = {0xFFF: None, 0x1000: "f", 0x100F: "f", 0x1010: "g", 0x103F: "g", 0x1040: "f", 0x104F: "f"}
    assert {pc: at(pc) for pc in places} == places
    assert at(0x1050) == (None if apart else "h") and at(0x1060) is None


def nested() -> DebugInfo:
    """f { block { block { g() { block } } } block }"""
    inside = copy("g", block(0x1030, 8), low_pc=0x102C, high_pc=0x10)
    return info(function("g", inline=1), function(
        "f", block(0x1010, 0x40, block(0x1020, 0x20, inside)), block(0x1060, 8), low_pc=0x1000, high_pc=0x80))


@pytest.mark.parametrize(("pc", "tags"), [
    (0x1000, []), (0x1010, ["block"]), (0x101F, ["block"]), (0x1020, ["block", "block"]), (0x1050, []), (0x104F, ["block"]),
    (0x102C, ["copy", "block", "block"]), (0x1030, ["block", "copy", "block", "block"]), (0x1067, ["block"]), (0x1068, []),
])
def test_the_scopes_at_an_address_are_those_that_hold_it_from_the_inside_out(pc: int, tags: list[str]) -> None:
    found = nested()
    f = named(found, "f")
    names = {0x0B: "block", 0x1D: "copy"}
    chain = chain_at(f, pc)
    assert [names[die.tag] for die in chain[:-1]] == tags and chain[-1] == f
    assert all(holds(die, pc) for die in chain)
    assert inlined_names(chain) == (("g",) if "copy" in tags else ())
    blocks = [names[die.tag] for die in blocks_within((f,), pc)[:-1]]
    assert blocks == tags[tags.index("copy") + 1 :] if "copy" in tags else blocks == tags


def test_blocks_are_looked_for_from_the_scope_that_is_given() -> None:
    found = nested()
    chain = chain_at(named(found, "f"), 0x102C)
    assert [die.tag for die in blocks_within(chain, 0x1030)] == [0x0B, 0x1D, 0x0B, 0x0B, 0x2E]
