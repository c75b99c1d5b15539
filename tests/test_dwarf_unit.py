# SPDX-License-Identifier: GPL-2.0-or-later
"""Units and DIEs: every form and version, held against pyelftools; steps over DIEs; references between units."""

from __future__ import annotations

from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from localvar.dwarf import constants as c
from localvar.dwarf.errors import DwarfError
from localvar.dwarf.unit import Die as OurDie
from localvar.dwarf.unit import Unit as OurUnit
from tests.dwarf_support import as_theirs, below, debug_info, every_die, named, theirs
from tests.dwarfgen import (
    Addr,
    Die,
    Form,
    Image,
    LineTable,
    Raw,
    Ref,
    Row,
    Sequence,
    Signature,
    Unit,
    ctype,
    loclist,
    op,
    rnglist,
)

INT = ctype.base("int", 4, "signed")
LISTED = loclist((0x1000, 0x1008, op.reg3()))
RANGED = rnglist((0x1000, 0x1004), (0x1008, 0x100C))

FORMS: dict[str, object] = {
    "addr": 0x1010, "data1": 0xFE, "data2": 0xFFFE, "data4": 0xFFFFFFFE, "data8": 0xFFFFFFFFFFFFFFFE,
    "sdata": -300, "udata": 300, "flag": True, "string": "inline", "strp": "pooled string",
    "block": b"\1\2\3", "block1": b"\1\2", "block2": b"", "block4": b"\xff" * 300,
    "ref1": "near", "ref2": "near", "ref4": "near", "ref8": "near", "ref_udata": "near", "ref_addr": "near",
    "indirect": Form("udata", 70000),
}
SINCE_4: dict[str, object] = {
    "exprloc": op.fbreg(-24), "flag_present": True, "sec_offset": LISTED, "ref_sig8": 0x1122334455667788,
}
SINCE_5: dict[str, object] = {
    "line_strp": "a line string", "implicit_const": -70, "data16": (1 << 127) + 5,
    **{f"strx{size}": f"string {size}" for size in ("", 1, 2, 3)},  # pyelftools 0.33 takes strx4 for 8 bytes
    **{f"addrx{size}": Addr(0x1020) for size in ("", 1, 2, 3, 4)},
    "loclistx": LISTED, "rnglistx": RANGED,
}


def forms_of(version: int) -> dict[str, object]:
    """The forms that a version has, with a value for each."""
    return FORMS | (SINCE_4 if version >= 4 else {}) | (SINCE_5 if version >= 5 else {})


def all_forms(version: int, offset_size: Literal[4, 8], siblings: bool = False) -> Image:
    """DIEs that hold every form between them, nested, so that steps over them go over every form too."""
    holders = [
        Die("variable", name=f"with {form}", attributes=[("decl_line", Form(form, value)), ("decl_file", 7)],
            children=[Die("lexical_block", attributes=[("const_value", Form(form, value))])])
        for form, value in forms_of(version).items()
    ]
    near = Die("lexical_block", label="near")  # within reach of a one-byte reference
    inner = Die("structure_type", children=[*holders, Die("variable", name="last", decl_line=9)])
    root = Die("compile_unit", name="a.c", low_pc=0x1000, high_pc=0x100, children=[near, inner, INT])
    return Image(units=[Unit(root, version=version, offset_size=offset_size, siblings=siblings)])


SHAPES: list[Any] = [(version, size) for version in (2, 3, 4, 5) for size in (4, 8) if version > 2 or size == 4]


@pytest.mark.parametrize("siblings", [False, True])
@pytest.mark.parametrize(("version", "offset_size"), SHAPES)
def test_every_form_is_what_pyelftools_reads(version: int, offset_size: Literal[4, 8], siblings: bool) -> None:
    image = all_forms(version, offset_size, siblings)
    ours, other = every_die(debug_info(image)), theirs(image)
    expected = [die for unit in other.iter_CUs() for die in unit.iter_DIEs() if not die.is_null()]
    assert [die.key for die in ours] == [die.offset for die in expected]
    assert [(die.tag, die.attributes) for die in ours] == [as_theirs(die) for die in expected]
    assert len(ours) == 2 * len(forms_of(version)) + 5


@pytest.mark.parametrize(("version", "offset_size"), SHAPES)
def test_a_walk_by_siblings_finds_what_lies_behind_every_form(version: int, offset_size: Literal[4, 8]) -> None:
    unit = debug_info(all_forms(version, offset_size)).unit(0)
    tags = [entry[1].tag for entry in unit.top_level]
    assert tags == [c.DW_TAG_lexical_block, c.DW_TAG_structure_type, c.DW_TAG_base_type]
    inner = [OurDie(unit, entry).string(c.DW_AT_name) for entry in unit.children(unit.top_level[1])]
    assert inner == [*(f"with {form}" for form in forms_of(version)), "last"]


@pytest.mark.parametrize("siblings", [False, True])
@pytest.mark.parametrize("version", [4, 5])
def test_every_byte_of_a_unit_belongs_to_the_die_that_pyelftools_has_there(version: int, siblings: bool) -> None:
    image = all_forms(version, 4, siblings)
    (cu,) = theirs(image).iter_CUs()
    expected: dict[int, list[int]] = {}
    for die in cu.iter_DIEs():
        chain: list[int] = []
        at = None if die.is_null() else die
        while at is not None and at.get_parent() is not None:
            chain.insert(0, at.offset)
            at = at.get_parent()
        expected |= dict.fromkeys(range(die.offset, die.offset + die.size), chain)
    unit = debug_info(image).unit(0)
    for position in range(len(unit.data)):
        assert [entry[0] for entry in unit.path_to(position)] == expected.get(position, []), hex(position)


def strings_and_addresses(version: int) -> Image:
    forms = ("string", "strp") if version < 5 else ("string", "strp", "line_strp", "strx", "strx1", "strx2", "strx3", "strx4")
    addresses = ("addr",) if version < 5 else ("addr", "addrx", "addrx1", "addrx2", "addrx3", "addrx4")
    return Image(units=[Unit(Die("compile_unit", name="a.c", children=[
        *(Die("variable", name=Form(form, f"by {form}")) for form in forms),
        *(Die("label", name="here", low_pc=Form(form, Addr(0x1000 + n))) for n, form in enumerate(addresses)),
    ]), version=version)])


@pytest.mark.parametrize("version", [4, 5])
def test_strings_and_addresses_are_looked_up_by_every_form(version: int) -> None:
    dies = every_die(debug_info(strings_and_addresses(version)))
    variables = [die for die in dies if die.tag == c.DW_TAG_variable]
    labels = [die for die in dies if die.tag == c.DW_TAG_label]
    assert [die.string(c.DW_AT_name) for die in variables][:2] == ["by string", "by strp"]
    assert len({die.string(c.DW_AT_name) for die in variables}) == (2 if version < 5 else 8)
    assert all(die.string(c.DW_AT_name) == f"by {form}" for die, form in zip(
        variables, ("string", "strp", "line_strp", "strx", "strx1", "strx2", "strx3", "strx4"), strict=False))
    assert [die.address(c.DW_AT_low_pc) for die in labels] == [0x1000 + n for n in range(len(labels))]


def test_indexes_count_from_the_bases_of_their_own_unit() -> None:
    def unit(number: int) -> Unit:
        return Unit(Die("compile_unit", name=f"{number}.c", children=[
            Die("variable", name=Form("strx", f"first of {number}")),
            Die("label", name=Form("strx", f"second of {number}"), low_pc=Form("addrx", Addr(0x1000 + number))),
        ]))

    dies = every_die(debug_info(Image(units=[unit(1), unit(2), unit(3)])))
    assert [die.string(c.DW_AT_name) for die in dies if die.tag == c.DW_TAG_label] == [f"second of {n}" for n in (1, 2, 3)]
    assert [die.address(c.DW_AT_low_pc) for die in dies if die.tag == c.DW_TAG_label] == [0x1001, 0x1002, 0x1003]


def test_a_unit_without_bases_counts_from_the_first_table() -> None:
    """Section 7.26 and 7.27: where an attribute is left out, the table behind the section's first header is meant."""
    image = Image(units=[Unit(Die("compile_unit", str_offsets_base=Form("udata", 8), addr_base=Form("udata", 8), children=[
        Die("label", name=Form("strx", "only"), low_pc=Form("addrx", Addr(0x1234)))]))])
    unit = debug_info(image).unit(0)
    unit.root.attributes.pop(c.DW_AT_str_offsets_base)
    unit.root.attributes.pop(c.DW_AT_addr_base)
    (label,) = unit.root.children()
    assert (label.string(c.DW_AT_name), label.address(c.DW_AT_low_pc)) == ("only", 0x1234)


# -- references -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["ref1", "ref2", "ref4", "ref8", "ref_udata", "ref_addr"])
@pytest.mark.parametrize("version", [4, 5])
def test_a_reference_of_every_form_leads_to_its_die(version: int, form: str) -> None:
    image = Image(units=[
        Unit(Die("compile_unit", name="filler.c"), version=version),
        Unit(Die("compile_unit", name="a.c", children=[INT, Die("variable", name="x", type=Form(form, "int"))]), version=version),
    ])
    target = named(debug_info(image), "x").reference(c.DW_AT_type)
    assert target is not None and target.string(c.DW_AT_name) == "int" and target.unit.offset > 0


def test_a_reference_leads_into_another_unit() -> None:
    image = Image(units=[
        Unit(Die("compile_unit", name="a.c", children=[Die("variable", name="x", type=Ref("int"))])),
        Unit(Die("compile_unit", name="b.c", children=[INT])),
    ])
    target = named(debug_info(image), "x").reference(c.DW_AT_type)
    assert target is not None and target.string(c.DW_AT_name) == "int" and target.unit.root.string(c.DW_AT_name) == "b.c"


@pytest.mark.parametrize("version", [4, 5])
def test_a_signature_leads_to_the_type_of_a_type_unit(version: int) -> None:
    """DWARF 4 keeps type units in .debug_types, DWARF 5 in .debug_info."""
    image = Image(units=[
        Unit(Die("compile_unit", name="a.c", children=[Die("variable", name="x", type=Signature(0xABCD))]), version=version),
        *(Unit(Die("type_unit", children=[Die("base_type", name="filler", byte_size=1), ctype.struct(f"s{n}", n)]),
               version=version, signature=number, type_die=f"s{n}") for n, number in ((3, 0x1234), (5, 0xABCD), (7, 0x99))),
    ])
    info = debug_info(image)
    target = named(info, "x").reference(c.DW_AT_type)
    assert target is not None and (target.string(c.DW_AT_name), target.constant(c.DW_AT_byte_size)) == ("s5", 5)
    assert info.die(target.key) == target
    assert len({die.key for die in every_die(info)}) == 11


def test_type_units_of_dwarf_4_are_what_pyelftools_reads() -> None:
    units = [Unit(Die("type_unit", children=[ctype.struct(f"s{n}", n, ctype.member("m", "int", 0)), INT]), version=4,
                  signature=n, type_die=f"s{n}", offset_size=8 if n == 2 else 4) for n in (1, 2, 3)]
    image = Image(units=[Unit(Die("compile_unit", name="a.c"), version=4), *units])
    info, other = debug_info(image), theirs(image)
    ours = [die for die in every_die(info) if die.key >= info.contents.size]
    expected = [die for unit in other.iter_TUs() for die in unit.iter_DIEs() if not die.is_null()]
    assert [(die.tag, die.attributes) for die in ours] == [as_theirs(die) for die in expected]
    assert [die.key - info.contents.size for die in ours] == [die.offset for die in expected]


def test_an_unknown_signature_is_an_error_that_names_it() -> None:
    image = Image(units=[Unit(Die("compile_unit", name="a.c", children=[Die("variable", name="x", type=Signature(0xABCD))]))])
    with pytest.raises(DwarfError, match="0xabcd"):
        named(debug_info(image), "x").reference(c.DW_AT_type)


def test_a_reference_that_misses_is_an_error() -> None:
    children = [INT, Die("variable", name="x", type=Form("ref4", 0x7000))]
    info = debug_info(Image(units=[Unit(Die("compile_unit", name="a.c", children=children))]))
    with pytest.raises(DwarfError, match="outside the unit"):
        named(info, "x").reference(c.DW_AT_type)


# -- many units -----------------------------------------------------------------------------------------------------


def mixed() -> Image:
    """Units of all versions and both formats, one behind the other."""
    units = [Unit(Die("compile_unit", name=f"{version}.{size}", low_pc=0x1000 * n, high_pc=0x100, children=[
        Die("subprogram", name=f"f{n}", low_pc=0x1000 * n, high_pc=0x80, children=[Die("variable", name=f"v{n}")])]),
        version=version, offset_size=size, padding=n % 3) for n, (version, size) in enumerate(SHAPES, 1)]
    return Image(units=units)


def test_units_of_all_versions_are_found_by_their_lengths() -> None:
    image = mixed()
    info, other = debug_info(image), theirs(image)
    assert info.unit_offsets == [unit.cu_offset for unit in other.iter_CUs()]
    assert [info.unit(at).root.string(c.DW_AT_name) for at in info.unit_offsets] == [f"{v}.{s}" for v, s in SHAPES]


def test_each_die_is_found_by_its_offset_in_the_section() -> None:
    info = debug_info(mixed())
    for die in every_die(info):
        assert info.die(die.key) == die
        assert info.unit_at(die.key) is die.unit


@pytest.mark.parametrize("aranges", [True, False])
def test_an_address_leads_to_its_unit_with_and_without_aranges(aranges: bool) -> None:
    """gcc writes .debug_aranges, clang leaves them out."""
    units = [Unit(Die("compile_unit", name=f"{n}.c", low_pc=0x1000 * n, high_pc=0x100), version=4 + n % 2,
                  offset_size=8 if n == 3 else 4, aranges=[(0x1000 * n, 0x100)] if aranges else None) for n in range(1, 5)]
    info = debug_info(Image(units=units))
    for n in range(1, 5):
        for pc, inside in ((0x1000 * n - 1, False), (0x1000 * n, True), (0x1000 * n + 0xFF, True), (0x1000 * n + 0x100, False)):
            found = info.unit_of_pc(pc)
            assert (found.root.string(c.DW_AT_name) if found else None) == (f"{n}.c" if inside else None)


def test_units_that_aranges_leave_out_are_found_by_their_own_ranges() -> None:
    units = [Unit(Die("compile_unit", name=f"{n}.c", ranges=rnglist((0x1000 * n, 0x1000 * n + 8)), low_pc=0),
                  aranges=None if n == 3 else [(0x1000 * n, 8)]) for n in range(1, 5)]
    info = debug_info(Image(units=units))
    assert [info.unit_of_pc(0x1000 * n + 7).root.string(c.DW_AT_name) for n in range(1, 5)] == [  # type: ignore[union-attr]
        f"{n}.c" for n in range(1, 5)]


# -- any tree -------------------------------------------------------------------------------------------------------

values = st.sampled_from([
    ("decl_line", Form("udata", 1 << 20)), ("decl_line", Form("data1", 3)), ("name", "ab"), ("name", "long name"),
    ("location", op.fbreg(-300)), ("location", op.expr(*[op.lit0()] * 200)), ("external", True),
    ("const_value", Form("block2", b"\0" * 9)), ("decl_line", Form("indirect", Form("string", "x"))),
])


def _leaf(attributes: list[tuple[str, object]]) -> Die:
    return Die("variable", attributes=dict(attributes).items())


def _block(attributes: list[tuple[str, object]], children: list[Die]) -> Die:
    return Die("lexical_block", attributes=dict(attributes).items(), children=children, has_children=True)


trees = st.recursive(
    st.builds(_leaf, st.lists(values, max_size=3)),
    lambda inner: st.builds(_block, st.lists(values, max_size=2), st.lists(inner, max_size=4)), max_leaves=12)


@settings(max_examples=60, deadline=None)
@given(st.lists(trees, max_size=3), st.booleans(), st.sampled_from([4, 5]))
def test_any_tree_of_dies_comes_back_with_its_shape(children: list[Die], siblings: bool, version: int) -> None:
    image = Image(units=[Unit(Die("compile_unit", children=children), version=version, siblings=siblings)])

    def shape(die: OurDie) -> list[Any]:
        return [die.tag, [shape(child) for child in die.children()]]

    def wanted(die: Die) -> list[Any]:
        tag = {"variable": c.DW_TAG_variable, "lexical_block": c.DW_TAG_lexical_block, "compile_unit": c.DW_TAG_compile_unit}
        return [tag[str(die.tag)], [wanted(child) for child in die.children if isinstance(child, Die)]]

    root = debug_info(image).unit(0).root
    assert shape(root) == wanted(image.units[0].root)  # type: ignore[union-attr]
    for die in list(below(root))[1:]:
        assert die.unit.path_to(die.offset)[-1][0] == die.offset


def test_the_unit_knows_its_lines_however_old_its_form() -> None:
    for version in (2, 3, 4, 5):
        table = LineTable(program=(Sequence([Row(0x1000, 10)], end=0x1004),))
        unit: OurUnit = debug_info(Image(units=[Unit(Die("compile_unit", name="a.c"), version=version, line=table)])).unit(0)
        assert unit.root.integer(c.DW_AT_stmt_list) == 0


def test_a_die_of_an_abbreviation_that_is_not_declared_is_an_error() -> None:
    info = debug_info(Image(units=[Unit(Die("compile_unit", name="a.c", children=[Raw(b"\x7f\0")]))]))
    with pytest.raises(DwarfError, match="abbreviation 127 is not declared"):
        every_die(info)


def test_addresses_relative_to_a_section_come_back_from_a_module() -> None:
    """In an ET_REL file an address is a relocation; localvar makes up a distinct one for each section."""
    image = Image(units=[Unit(Die("compile_unit", name="m.c", low_pc=Addr(".text", 0), high_pc=0x40, children=[
        Die("label", name="here", low_pc=Addr(".text", 0x10))]))], file_type="REL")
    info = debug_info(image)
    here = named(info, "here").address(c.DW_AT_low_pc)
    assert here is not None and info.elf.split(here) == (".text", 0x10)
