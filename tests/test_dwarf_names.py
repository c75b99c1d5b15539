# SPDX-License-Identifier: GPL-2.0-or-later
"""From names to DIEs and from DIEs to what refers to them: by search, with nothing left out and nothing made up."""

from __future__ import annotations

import random
from typing import Any, Literal

import pytest

from localvar.dwarf import constants as c
from localvar.dwarf.names import dies_named, references_to
from localvar.dwarf.scope import function_dies, instances
from localvar.dwarf.unit import Die as OurDie
from tests.dwarf_support import below, debug_info, every_die, sample_units, vmlinux
from tests.dwarfgen import Die, Form, Image, Ref, Unit, ctype

INT = ctype.base("int", 4, "signed")
VERSIONS = [(version, size) for version in (3, 4, 5) for size in (4, 8)]


def unit(*dies: Die, version: int = 5, offset_size: Any = 4, **fields: Any) -> Unit:
    return Unit(Die("compile_unit", name="a.c", low_pc=0x1000, high_pc=0x1000, children=dies), version=version,
                offset_size=offset_size, **fields)


def found(image: Image, name: str, *tags: int, **options: Any) -> list[str]:
    dies = dies_named(debug_info(image), name, tags or (c.DW_TAG_variable,), **options)
    assert all(die.string(c.DW_AT_name) == name for die in dies)
    return [str(die.constant(c.DW_AT_decl_line)) for die in dies]


@pytest.mark.parametrize(("version", "offset_size"), VERSIONS)
@pytest.mark.parametrize("name", ["x", "abc", "abcd", "counter", "a_rather_long_name_of_a_variable"])
def test_a_name_of_any_length_is_found_in_all_its_units(name: str, version: int, offset_size: Literal[4, 8]) -> None:
    image = Image(units=[
        unit(Die("variable", name="filler"), Die("variable", name=name, decl_line=line), Die("variable", name="filler"),
             version=version, offset_size=offset_size) for line in (2, 3)])
    assert found(image, name) == ["2", "3"]
    assert found(image, name, limit=1) == ["2"]
    assert found(image, "nothing") == []


@pytest.mark.parametrize("form", ["string", "strp", "strx", "strx1", "strx2", "strx3", "strx4"])
def test_a_name_in_any_form_is_found(form: str) -> None:
    other = unit(Die("variable", name=Form("strx", "other")), Die("variable", name=Form("strx", "counter"), decl_line=3))
    image = Image(units=[other, unit(Die("variable", name=Form(form, "counter"), decl_line=2))])
    assert found(image, "counter") == (["3", "2"] if form != "string" else ["3"])


def test_an_inline_string_is_found_where_no_unit_pools_it() -> None:
    assert found(Image(units=[unit(Die("variable", name=Form("string", "counter"), decl_line=2))]), "counter") == ["2"]


@pytest.mark.parametrize("merged", [True, False])
def test_a_name_that_is_the_end_of_another_is_found_and_the_other_is_not(merged: bool) -> None:
    names = ["old_counter", "counter", "counters", "encounter"]
    image = Image(units=[unit(*(Die("variable", name=name, decl_line=line) for line, name in enumerate(names)))],
                  merge_string_tails=merged)
    assert found(image, "counter") == ["1"]


def test_a_name_counts_only_as_the_name_of_a_die_of_the_tag() -> None:
    image = Image(units=[unit(
        Die("variable", name="counter", decl_line=1), Die("label", name="counter", decl_line=2), Die("variable", name="x"),
        Die("variable", producer="counter", decl_line=4), Die("subprogram", name="counter", decl_line=5))])
    assert found(image, "counter") == ["1"]
    assert found(image, "counter", c.DW_TAG_label, c.DW_TAG_subprogram) == ["2", "5"]


def test_bytes_that_look_like_a_name_are_not_taken_for_one() -> None:
    """The offset of a name in .debug_str is a small number, which occurs in constants and blocks too."""
    dies = [Die("variable", name="counter", decl_line=1)]
    dies += [Die("variable", name=f"v{n}", const_value=Form("data4", n), decl_line=9) for n in range(60)]
    dies += [Die("variable", name="block", const_value=Form("block1", n.to_bytes(4, "little") * 3)) for n in range(40)]
    assert found(Image(units=[unit(*dies)]), "counter") == ["1"]


def test_declarations_are_skipped_where_asked() -> None:
    image = Image(units=[unit(Die("structure_type", name="scan", declaration=True, decl_line=1),
                              Die("structure_type", name="scan", byte_size=8, decl_line=2))])
    assert found(image, "scan", c.DW_TAG_structure_type) == ["1", "2"]
    assert found(image, "scan", c.DW_TAG_structure_type, skip_declarations=True) == ["2"]


def test_names_within_functions_and_blocks_are_found() -> None:
    image = Image(units=[unit(Die("subprogram", name="f", children=[
        Die("lexical_block", children=[Die("variable", name="counter", decl_line=4)])]))])
    assert found(image, "counter") == ["4"]


def test_types_of_type_units_of_dwarf_4_are_found() -> None:
    image = Image(units=[unit(version=4), Unit(Die("type_unit", children=[
        Die("structure_type", label="s", name="scan_control", byte_size=8, decl_line=7)]), version=4, signature=1, type_die="s")])
    assert found(image, "scan_control", c.DW_TAG_structure_type) == ["7"]


# -- references -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["ref1", "ref2", "ref4", "ref8", "ref_udata"])
def test_what_refers_to_a_die_is_found_with_its_parents_by_every_form(form: str) -> None:
    g = Die("subprogram", label="g", name="g", inline="inlined")
    call = Die("inlined_subroutine", abstract_origin=Form(form, "g"), low_pc=0x1010, high_pc=4)
    block = Die("lexical_block", low_pc=0x1008, high_pc=0x20, children=[call])
    f = Die("subprogram", name="f", low_pc=0x1000, high_pc=0x40, children=[block])
    other = Die("subprogram", name="h", low_pc=0x1100, high_pc=8, call_origin=Form(form, "g"))
    info = debug_info(Image(units=[unit(g, f, other)]))
    (target,) = function_dies(info, "g")
    (chain,) = references_to(target, c.DW_AT_abstract_origin, {c.DW_TAG_inlined_subroutine})
    assert [die.tag for die in chain] == [c.DW_TAG_inlined_subroutine, c.DW_TAG_lexical_block, c.DW_TAG_subprogram]
    assert [(i.entry, i.inlined, len(i.chain)) for i in instances(target)] == [(0x1010, True, 3)]


def test_inlined_copies_in_other_units_are_found() -> None:
    """Link-time optimisation inlines across units, with DW_FORM_ref_addr."""
    g = Die("subprogram", label="g", name="g", inline="inlined")
    call = Die("inlined_subroutine", abstract_origin=Ref("g"), low_pc=0x1010, high_pc=4)
    f = Die("subprogram", name="f", low_pc=0x1000, high_pc=0x40, children=[call])
    out_of_line = Die("subprogram", abstract_origin=Ref("g"), low_pc=0x1080, high_pc=8)
    info = debug_info(Image(units=[unit(g), unit(f), unit(out_of_line)]))
    (target,) = function_dies(info, "g")
    assert sorted((i.entry, i.inlined) for i in instances(target)) == [(0x1010, True), (0x1080, False)]


def test_code_that_the_linker_discarded_is_no_instance() -> None:
    g = Die("subprogram", label="g", name="g", inline="inlined")
    f = Die("subprogram", name="f", low_pc=0, high_pc=0x40, children=[
        Die("inlined_subroutine", abstract_origin=Ref("g"), low_pc=0x10, high_pc=4)])
    (target,) = function_dies(debug_info(Image(units=[unit(g, f)])), "g")
    assert list(instances(target)) == []


# -- the kernel -----------------------------------------------------------------------------------------------------


def test_names_in_the_kernel_are_found_where_a_walk_finds_them() -> None:
    """For names of random units: each DIE of the unit that has the name is among those found, and no other of that unit."""
    (one, two) = sample_units(2, 3)
    for die in random.Random(4).sample(_named(one), 3) + random.Random(5).sample(_named(two), 3):
        name = die.string(c.DW_AT_name)
        assert name
        dies = dies_named(vmlinux(), name, {die.tag})
        assert len(dies) == len({d.key for d in dies})
        same = [other.key for other in below(die.unit.root) if other.tag == die.tag and other.string(c.DW_AT_name) == name]
        assert [d.key for d in dies if d.unit is die.unit] == same


def _named(unit: Any) -> list[OurDie]:
    """Functions: a header's types and its parameters' names are in thousands of units."""
    return [die for die in below(unit.root) if die.tag == c.DW_TAG_subprogram and c.DW_AT_low_pc in die and c.DW_AT_name in die]


def test_inlined_copies_in_the_kernel_are_those_that_a_walk_finds() -> None:
    (one,) = sample_units(1, 8)
    origins: dict[int, int] = {}
    for die in below(one.root):
        target = die.reference(c.DW_AT_abstract_origin) if die.tag == c.DW_TAG_inlined_subroutine else None
        if target is not None:
            origins[target.key] = origins.get(target.key, 0) + 1
    assert len(origins) > 5
    for key, count in list(origins.items())[:20]:
        target = vmlinux().die(key)
        assert len(list(references_to(target, c.DW_AT_abstract_origin, {c.DW_TAG_inlined_subroutine}))) == count


def test_every_die_of_an_image_is_found_by_its_name() -> None:
    for offset_size in (4, 8):
        dies = [Die("variable", name="n" * length, decl_line=length) for length in range(1, 40)]
        info = debug_info(Image(units=[unit(*dies, offset_size=offset_size), unit(*dies, offset_size=offset_size)]))
        for die in every_die(info):
            if die.tag == c.DW_TAG_variable:
                assert len(dies_named(info, die.string(c.DW_AT_name) or "", {die.tag})) == 2
