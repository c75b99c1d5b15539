# SPDX-License-Identifier: GPL-2.0-or-later
"""DIEs, attributes and units, held against pyelftools and binutils."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any, Literal

import pytest
from elftools.elf.elffile import ELFFile
from hypothesis import given
from hypothesis import strategies as st

from tests import dwarfgen
from tests.dwarfgen import (
    Addr,
    Cie,
    Die,
    Fde,
    Form,
    Image,
    LineTable,
    NextSibling,
    Raw,
    RawUnit,
    Ref,
    Row,
    Section,
    Sequence,
    Signature,
    Symbol,
    Unit,
    cfa,
    ctype,
    loclist,
    op,
    rnglist,
    sleb128,
    uleb128,
)
from tests.dwarfgen.parsed import dies, dwarf, elf, form, operations, section, tool_output, unit, value

INT = ctype.base("int", 4, "signed")
WIDTHS: list[Literal[4, 8]] = [4, 8]


def small_program(version: int, **fields: Any) -> Image:
    """One function with a parameter, a variable, ranges, lines and frames."""
    start = 0 if fields.get("file_type") == "REL" else 0x1000
    body = [
        Die("formal_parameter", name="argument", type=Ref("int"), location=op.fbreg(-16)),
        Die(
            "variable",
            name="y",
            type=Ref("int"),
            location=loclist(
                (start, start + 0x10, op.reg3()),
                (start + 0x10, start + 0x20, op.expr(op.breg3(1), op.stack_value())),
            ),
        ),
        Die("lexical_block", ranges=rnglist((start, start + 4), (start + 8, start + 12))),
    ]
    function = Die(
        "subprogram",
        label="f",
        name="f",
        low_pc=start,
        high_pc=0x40,
        external=True,
        frame_base=op.call_frame_cfa(),
        children=body,
    )
    rows = [Row(start, 10), Row(start + 4, 12, column=3), Row(start + 0x10, 200, is_stmt=False)]
    root = Die(
        "compile_unit", name="a.c", comp_dir="/src", low_pc=start, high_pc=0x100, children=[INT, function]
    )
    lines = LineTable(program=(Sequence(rows, end=start + 0x40),))
    frame = Fde(
        Cie((cfa.def_cfa(7, 8), cfa.offset(16, 1))), start, 0x40, (cfa.advance(1), cfa.def_cfa_offset(16))
    )
    return Image(
        units=[Unit(root, version=version, line=lines, aranges=((start, 0x100),), siblings=True)],
        symbols=[Symbol("f", start, 0x40)],
        debug_frame=[frame],
        build_id=bytes(range(20)),
        **fields,
    )


@given(st.integers(min_value=0, max_value=1 << 200))
def test_uleb128_round_trips(number: int) -> None:
    data = uleb128(number)
    assert sum((byte & 0x7F) << 7 * at for at, byte in enumerate(data)) == number
    assert [byte >> 7 for byte in data] == [1] * (len(data) - 1) + [0]


@given(st.integers(min_value=-(1 << 200), max_value=1 << 200))
def test_sleb128_round_trips(number: int) -> None:
    data = sleb128(number)
    decoded = sum((byte & 0x7F) << 7 * at for at, byte in enumerate(data))
    assert decoded - (1 << 7 * len(data) if data[-1] & 0x40 else 0) == number
    assert [byte >> 7 for byte in data] == [1] * (len(data) - 1) + [0]


@pytest.mark.parametrize(
    ("number", "size"),
    [(0, 1), (63, 1), (64, 2), (-64, 1), (-65, 2), (8191, 2), (8192, 3), (-8192, 2), (-8193, 3)],
)
def test_sleb128_is_no_longer_than_it_must_be(number: int, size: int) -> None:
    assert len(sleb128(number)) == size


@pytest.mark.parametrize(("number", "size"), [(0, 1), (127, 1), (128, 2), (16383, 2), (16384, 3)])
def test_uleb128_is_no_longer_than_it_must_be(number: int, size: int) -> None:
    assert len(uleb128(number)) == size


def test_uleb128_refuses_a_negative_number() -> None:
    with pytest.raises(ValueError, match="-1 is not unsigned"):
        uleb128(-1)


@pytest.mark.parametrize("version", [2, 3, 4, 5])
def test_tree_and_values_come_back(version: int) -> None:
    info = dwarf(small_program(version))
    root, base, function, parameter, variable, _block = dies(info)
    assert value(root, "name") == b"a.c"
    assert (base.tag, value(base, "encoding")) == ("DW_TAG_base_type", 5)
    assert value(function, "low_pc") == 0x1000
    assert value(function, "high_pc") == 0x40
    assert value(parameter, "name") == b"argument"
    assert parameter.get_DIE_from_attribute("DW_AT_type") == base
    assert parameter.get_parent() == function
    assert value(variable, "name") == b"y"


NATIVE: list[dict[str, Any]] = [
    {},
    {"file_type": "REL"},
    {"file_type": "DYN"},
    {"emit_relocs": True},
    {"compress": "zlib"},
    {"compress": "gnu"},
    {"machine": "i386", "elf_class": 32},
    {"merge_string_tails": True, "share_abbreviations": True},
]
FOREIGN: list[dict[str, Any]] = [
    {"machine": "aarch64"},
    {"machine": "aarch64", "file_type": "REL"},
    {"machine": "s390x", "byteorder": "big"},
    {"machine": "ppc64", "byteorder": "big", "elf_class": 32},
]


def reads_the_small_program(printed: str) -> bool:
    return "argument" in printed and "DW_OP_stack_value" in printed


@pytest.mark.parametrize("version", [4, 5])
@pytest.mark.parametrize("fields", [*NATIVE, *FOREIGN], ids=str)
def test_readelf_reads_it_without_a_warning(version: int, fields: dict[str, Any], tmp_path: Path) -> None:
    image = small_program(version, **fields)
    assert reads_the_small_program(tool_output(["readelf", "-aW", "--debug-dump"], image, tmp_path))


@pytest.mark.parametrize("version", [4, 5])
@pytest.mark.parametrize("fields", NATIVE, ids=str)
def test_objdump_reads_it_without_a_warning(version: int, fields: dict[str, Any], tmp_path: Path) -> None:
    """Only machines of its own: another's relocations it cannot apply."""
    image = small_program(version, **fields)
    assert reads_the_small_program(tool_output(["objdump", "-WK", "-W"], image, tmp_path))


@pytest.mark.parametrize("version", [4, 5])
@pytest.mark.parametrize("fields", [{}, {"file_type": "REL"}, {"machine": "aarch64"}], ids=str)
def test_llvm_verifies_it(version: int, fields: dict[str, Any], tmp_path: Path) -> None:
    assert "No errors." in tool_output(
        ["llvm-dwarfdump", "--verify"], small_program(version, **fields), tmp_path
    )


def test_the_example_of_the_package_works(tmp_path: Path) -> None:
    example = textwrap.dedent((dwarfgen.__doc__ or "").split("\n\n")[1])
    names: dict[str, Any] = {"tmp_path": tmp_path}
    exec("from tests.dwarfgen import *\n" + example, names)
    with names["path"].open("rb") as file:
        found = dies(ELFFile(file).get_dwarf_info())
        assert [value(die, "name") for die in found] == [b"a.c", b"int", b"f", b"x", b"y"]


def attribute_of(
    attribute_value: object, *, version: int = 5, name: str = "const_value", **fields: Any
) -> Any:
    """One attribute, written and read back."""
    owner = Die("variable", attributes=[(name, attribute_value)])
    image = Image(units=[unit(INT, owner, version=version, **fields)])
    return dies(dwarf(image))[2].attributes["DW_AT_" + name]


@pytest.mark.parametrize(
    ("written", "expected_form", "expected"),
    [
        (0, "data1", 0),
        (0xFF, "data1", 0xFF),
        (0x100, "data2", 0x100),
        (0x1_0000, "data4", 0x1_0000),
        (0x1_0000_0000, "data8", 0x1_0000_0000),
        (-1, "sdata", -1),
        (True, "flag_present", True),
        (False, "flag", False),
        ("abc", "string", b"abc"),
        ("abcd", "strp", b"abcd"),
        (Addr(0x1234), "addr", 0x1234),
        (b"ab", "block1", list(b"ab")),
        (bytes(256), "block2", [0] * 256),
        (bytes(65536), "block4", [0] * 65536),
        (op.lit1(), "exprloc", [0x31]),
        (op.expr(op.lit1(), op.lit2()), "exprloc", [0x31, 0x32]),
    ],
)
def test_a_value_takes_the_form_that_gcc_gives_it(
    written: object, expected_form: str, expected: object
) -> None:
    found = attribute_of(written)
    assert (found.form, found.value) == ("DW_FORM_" + expected_form, expected)


def test_sixteen_bytes_are_data16() -> None:
    found = attribute_of(1 << 100)
    assert found.form == "DW_FORM_data16"
    assert int.from_bytes(bytes(found.value), "little") == 1 << 100


@pytest.mark.parametrize(
    ("name", "given_value", "expected"),
    [
        ("data1", 0x12, 0x12),
        ("data2", 0x1234, 0x1234),
        ("data4", 0x12345678, 0x12345678),
        ("data8", 1 << 63, 1 << 63),
        ("data1", -1, 0xFF),
        ("sdata", -12345, -12345),
        ("udata", 12345, 12345),
        ("implicit_const", -7, -7),
        ("string", "text", b"text"),
        ("string", b"\xff\xfe", b"\xff\xfe"),
        ("strp", "text", b"text"),
        ("line_strp", "text", b"text"),
        *((f"strx{size}", "text", b"text") for size in ("", 1, 2, 3)),
        ("addr", 0x1234, 0x1234),
        *((f"addrx{size}", Addr(0x1234), 0x1234) for size in ("", 1, 2, 3, 4)),
        ("sec_offset", 0x77, 0x77),
        ("exprloc", b"\x31", [0x31]),
        ("exprloc", op.lit1(), [0x31]),
        ("block", bytes(200), [0] * 200),
        ("block1", b"ab", list(b"ab")),
        ("block2", b"ab", list(b"ab")),
        ("block4", b"ab", list(b"ab")),
        ("flag", True, True),
        ("flag", 2, True),
        ("flag_present", True, True),
        ("ref_sig8", 1 << 60, 1 << 60),
        ("data4", Raw(b"\1\0\0\0"), 1),
    ],
)
@pytest.mark.parametrize("offset_size", WIDTHS)
def test_a_form_can_be_forced(name: str, given_value: object, expected: object, offset_size: int) -> None:
    found = attribute_of(Form(name, given_value), offset_size=offset_size)
    assert (found.form, found.value) == ("DW_FORM_" + name, expected)


@pytest.mark.parametrize("name", ["ref1", "ref2", "ref4", "ref8", "ref_udata", "ref_addr"])
@pytest.mark.parametrize("offset_size", WIDTHS)
def test_a_reference_takes_any_form(name: str, offset_size: Literal[4, 8]) -> None:
    user = Die("variable", type=Form(name, "int"))
    info = dwarf(Image(units=[unit(), unit(user, INT, offset_size=offset_size)]))
    _, _, found, base = dies(info)
    assert form(found, "type") == name
    assert found.get_DIE_from_attribute("DW_AT_type") == base


def test_an_indirect_form_is_named_in_the_value() -> None:
    found = attribute_of(Form("indirect", Form("data2", 0x1234)))
    assert found.value == 0x1234


def test_llvm_reads_an_index_of_four_bytes(tmp_path: Path) -> None:
    """pyelftools 0.33 takes eight for DW_FORM_strx4."""
    image = Image(units=[unit(Die("variable", name=Form("strx4", "counter")))])
    assert 'DW_AT_name\t("counter")' in tool_output(["llvm-dwarfdump"], image, tmp_path)


def test_an_index_can_be_given_itself() -> None:
    image = Image(
        units=[unit(Die("variable", name=Form("strx1", "zero")), Die("variable", name=Form("strx1", 0)))]
    )
    assert [value(die, "name") for die in dies(dwarf(image))[1:]] == [b"zero", b"zero"]


@pytest.mark.parametrize(("version", "expected"), [(3, "block1"), (4, "exprloc")])
def test_expressions_are_blocks_before_dwarf_4(version: int, expected: str) -> None:
    assert attribute_of(op.lit1(), version=version, name="location").form == "DW_FORM_" + expected


@pytest.mark.parametrize(("version", "expected"), [(3, "data4"), (4, "sec_offset")])
def test_section_offsets_are_data_before_dwarf_4(version: int, expected: str) -> None:
    locations = loclist((0x1000, 0x1004, op.reg1()))
    assert attribute_of(locations, version=version, name="location").form == "DW_FORM_" + expected


def test_names_of_the_unit_go_to_debug_line_str_in_dwarf_5() -> None:
    root = dies(dwarf(Image(units=[Unit(Die("compile_unit", name="kernel/a.c", comp_dir="/src"))])))[0]
    assert [form(root, "name"), form(root, "comp_dir")] == ["line_strp", "line_strp"]
    assert [value(root, "name"), value(root, "comp_dir")] == [b"kernel/a.c", b"/src"]


def test_bytes_of_a_location_are_an_expression() -> None:
    assert attribute_of(b"\x91\x70", name="location").form == "DW_FORM_exprloc"


def test_named_constants_stand_for_their_numbers() -> None:
    root = Die("compile_unit", language="C11", children=[INT, Die("subprogram", inline="inlined")])
    unit_die, base, function = dies(dwarf(Image(units=[Unit(root)])))
    assert [value(unit_die, "language"), value(base, "encoding"), value(function, "inline")] == [0x1D, 5, 1]


def test_numbers_serve_for_tags_attributes_and_forms() -> None:
    odd = Die(0x6000, attributes=[(0x3E0A, Form(0x0B, Raw(b"\7"))), ("name", "odd")])
    found = dies(dwarf(Image(units=[unit(odd)])))[1]
    assert found.tag == 0x6000
    by_number: dict[Any, Any] = found.attributes
    assert by_number[0x3E0A].value == 7
    assert value(found, "name") == b"odd"


def test_an_unknown_name_is_a_key_error() -> None:
    with pytest.raises(KeyError, match="DW_TAG_frob"):
        Image(units=[unit(Die("frob"))]).elf()
    with pytest.raises(KeyError, match="DW_AT_frob"):
        Image(units=[unit(Die("variable", frob=1))]).elf()


def test_an_attribute_that_is_none_is_left_out() -> None:
    assert dies(dwarf(Image(units=[unit(Die("variable", name="x", type=None))])))[1].attributes.keys() == {
        "DW_AT_name"
    }


def test_a_keyword_attribute_takes_an_underscore() -> None:
    users = [Die("imported_unit", import_=Ref("pu"))]
    partial = Unit(Die("partial_unit", label="pu", children=[INT]))
    info = dwarf(Image(units=[unit(*users), partial]))
    _, imported, root, _ = dies(info)
    assert form(imported, "import") == "ref_addr"
    assert imported.get_DIE_from_attribute("DW_AT_import") == root
    assert root.cu.header.unit_type == "DW_UT_partial"


def test_dies_of_one_shape_share_an_abbreviation() -> None:
    image = Image(units=[unit(*(Die("variable", name=f"v{n}") for n in range(5)), Die("variable", name=5))])
    codes = [die.abbrev_code for die in dies(dwarf(image))]
    assert codes == [1, 2, 2, 2, 2, 2, 3]


def test_units_can_share_their_abbreviations() -> None:
    units = [unit(Die("variable", name="a")), unit(Die("variable", name="b"))]
    for shared, different in ((True, 1), (False, 2)):
        info = dwarf(Image(units=units, share_abbreviations=shared))
        assert len({cu.header.debug_abbrev_offset for cu in info.iter_CUs()}) == different
        assert [value(die, "name") for die in dies(info)] == [b"a.c", b"a", b"a.c", b"b"]


def test_the_same_label_in_two_units_is_found_in_the_own() -> None:
    units = [unit(INT, Die("variable", type=Ref("int"))) for _ in range(2)]
    _, first, one, _, second, two = dies(dwarf(Image(units=units)))
    assert one.get_DIE_from_attribute("DW_AT_type") == first
    assert two.get_DIE_from_attribute("DW_AT_type") == second
    assert first.offset != second.offset


def test_a_label_of_two_other_units_is_ambiguous() -> None:
    with pytest.raises(LookupError, match="2 units have a DIE 'int'"):
        Image(units=[unit(INT), unit(INT), unit(Die("variable", type=Ref("int")))]).elf()


def test_a_label_used_twice_in_a_unit_is_an_error() -> None:
    with pytest.raises(ValueError, match="two DIEs 'int' in one unit"):
        Image(units=[unit(INT, ctype.base("int", 8, "signed"))]).elf()


def test_a_reference_may_name_the_object_or_miss_on_purpose() -> None:
    nameless = Die("base_type", byte_size=1)
    info = dwarf(
        Image(
            units=[
                unit(nameless, Die("variable", type=Ref(nameless)), Die("variable", type=Ref(nameless, 1)))
            ]
        )
    )
    _, base, one, two = dies(info)
    assert one.get_DIE_from_attribute("DW_AT_type") == base
    assert value(two, "type") == value(one, "type") + 1


@pytest.mark.parametrize("version", [4, 5])
def test_a_type_unit_is_found_by_its_signature(version: int) -> None:
    structure = ctype.struct("s", 4, ctype.member("a", "int", 0))
    types = Unit(
        Die("type_unit", children=[structure, INT]),
        version=version,
        kind="type",
        signature=0x1234567890ABCDEF,
        type_die="s",
    )
    user = Die("variable", name="x", type=Signature(0x1234567890ABCDEF))
    info = dwarf(Image(units=[unit(user, version=version), types]))
    if version >= 5:
        (_, type_unit) = info.iter_CUs()
        assert type_unit.header.unit_type == "DW_UT_type"
        assert type_unit.header.type_signature == 0x1234567890ABCDEF
        found = type_unit.get_DIE_from_refaddr(type_unit.cu_offset + type_unit.header.type_offset)
    else:
        tu = info.get_TU_by_sig8(0x1234567890ABCDEF)
        found = dies(info)[1].get_DIE_from_attribute("DW_AT_type")
        assert tu.tu_offset == 0
    assert value(found, "name") == b"s"


def test_a_skeleton_unit_has_a_dwo_id(tmp_path: Path) -> None:
    skeleton = Unit(Die("skeleton_unit", dwo_name="a.dwo"), dwo_id=0x1122334455667788)
    printed = tool_output(["llvm-dwarfdump"], Image(units=[skeleton]), tmp_path)
    assert "unit_type = DW_UT_skeleton" in printed
    assert "DWO_id = 0x1122334455667788" in printed


@pytest.mark.parametrize("version", [4, 5])
def test_the_sixty_four_bit_format_comes_back(version: int) -> None:
    variable = Die(
        "variable", name="variable", type=Ref("int"), location=loclist((0x1000, 0x1004, op.reg1()))
    )
    rows = Sequence([Row(0x1000, 7)], end=0x1010)
    wide = unit(
        INT,
        variable,
        version=version,
        offset_size=8,
        line=LineTable(program=(rows,)),
        aranges=((0x1000, 16),),
    )
    info = dwarf(Image(units=[unit(version=version), wide]))
    _, cu = info.iter_CUs()
    *_, found = dies(info)
    assert cu.structs.dwarf_format == 64
    assert value(found, "name") == b"variable"
    assert value(found.get_DIE_from_attribute("DW_AT_type"), "name") == b"int"
    lines = info.line_program_for_CU(cu)
    assert lines is not None
    assert [entry.state.line for entry in lines.get_entries() if entry.state] == [7, 7]


def test_siblings_lead_from_one_to_the_next() -> None:
    block = Die("lexical_block", children=[Die("variable", name="x")])
    functions = [Die("subprogram", name=f"f{n}", children=[block]) for n in range(3)]
    image = Image(units=[unit(*functions[:1], INT, siblings=True)])
    _, function, inner, _, base = dies(dwarf(image))
    assert value(function, "sibling") + function.cu.cu_offset == base.offset
    assert value(inner, "sibling") > inner.offset


def test_one_sibling_attribute_can_be_asked_for() -> None:
    image = Image(units=[unit(Die("subprogram", sibling=NextSibling(), children=[INT]), Die("variable"))])
    _, function, _, variable = dies(dwarf(image))
    assert value(function, "sibling") == variable.offset


def test_units_may_end_in_padding_and_dies_in_a_lone_null() -> None:
    hollow = Die("subprogram", name="f", has_children=True)
    units = [unit(hollow, Die("variable", name="x"), padding=5), unit()]
    found = dies(dwarf(Image(units=units)))
    assert [die.tag for die in found] == [
        "DW_TAG_compile_unit",
        "DW_TAG_subprogram",
        "DW_TAG_variable",
        "DW_TAG_compile_unit",
    ]


def test_aranges_lead_to_their_unit() -> None:
    units = [unit(), unit(aranges=((0x1000, 0x10), (0x1100, 0x20))), unit(aranges=((0x1200, 4),))]
    image = Image(units=units)
    aranges = dwarf(image).get_aranges()
    assert aranges is not None
    built = image.assemble()
    at = [aranges.cu_offset_at_addr(address) for address in (0x1004, 0x111F, 0x1203, 0x1300)]
    assert at == [built.unit_offset(1), built.unit_offset(1), built.unit_offset(2), None]


def test_the_assembled_image_tells_where_a_die_is() -> None:
    built = Image(units=[unit(INT), unit(INT)]).assemble()
    offsets = [built.offset("int"), built.offset("int", unit=1)]
    assert built.unit_offset(0) == 0 < offsets[0] < built.unit_offset(1) < offsets[1]
    assert built.sections[".debug_info"][offsets[0]] == 2


def test_strings_are_held_once_and_may_share_their_tails() -> None:
    names = [Die("variable", name=name) for name in ("foobar", "obar", "foobar")]
    apart = Image(units=[unit(*names, version=4)])
    assert apart.assemble().sections[".debug_str"] == b"foobar\0obar\0"
    merged = Image(units=[unit(*names, version=4)], merge_string_tails=True)
    assert merged.assemble().sections[".debug_str"] == b"foobar\0"
    assert [value(die, "name") for die in dies(dwarf(merged))[1:]] == [b"foobar", b"obar", b"foobar"]


def test_raw_bytes_stand_among_units_and_dies() -> None:
    image = Image(units=[unit(Raw(b"\0")), RawUnit(b"\1\2\3")])
    assert image.assemble().sections[".debug_info"].endswith(b"\0\0\1\2\3")


def test_a_section_can_be_damaged() -> None:
    image = Image(units=[unit(INT)], damage={".debug_abbrev": lambda data: data[:-3]})
    whole = Image(units=[unit(INT)])
    damaged, intact = (section(elf(each), ".debug_abbrev").data() for each in (image, whole))
    assert damaged == intact[:-3]


def test_a_section_of_the_test_replaces_the_generated_one() -> None:
    image = Image(
        units=[unit(Die("variable", name="variable"))], sections=[Section(".debug_str", b"other\0")]
    )
    assert value(dies(dwarf(image))[1], "name") == b"other"


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_a_relocatable_image_comes_back_relocated(machine: str) -> None:
    info = dwarf(small_program(5, file_type="REL", machine=machine))
    root, _, function, parameter, *_ = dies(info)
    assert [value(die, "name") for die in (root, function, parameter)] == [b"a.c", b"f", b"argument"]
    assert value(root, "comp_dir") == b"/src"
    assert operations(parameter) == [("fbreg", [-16])]


def test_relocations_of_a_linked_image_are_already_applied() -> None:
    plain, kept = elf(small_program(5)), elf(small_program(5, emit_relocs=True))
    name = ".debug_info"
    assert section(kept, name).data() == section(plain, name).data()
    relocations, symbols = section(kept, ".rela" + name), section(kept, ".symtab")
    assert plain.get_section_by_name(".rela" + name) is None
    numbers = {relocation["r_info_sym"] for relocation in relocations.iter_relocations()}
    places = {kept.get_section(symbols.get_symbol(number)["st_shndx"]).name for number in numbers}
    assert {".text", ".debug_abbrev", ".debug_str", ".debug_line_str", ".debug_line"} <= places


def test_a_reference_to_no_die_is_an_error() -> None:
    with pytest.raises(LookupError, match="'nowhere'"):
        Image(units=[unit(Die("variable", type=Ref("nowhere")))]).elf()


def test_an_address_names_a_symbol() -> None:
    image = Image(
        units=[unit(Die("variable", name="x", location=op.addr(Addr("x", 4))))],
        symbols=[Symbol("x", 0x1010, 4, "OBJECT")],
    )
    (_, variable) = dies(dwarf(image))
    assert bytes(value(variable, "location")) == b"\x03" + (0x1014).to_bytes(8, "little")
