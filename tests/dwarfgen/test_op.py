# SPDX-License-Identifier: GPL-2.0-or-later
"""Expressions, held against pyelftools and readelf."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from elftools.dwarf.dwarf_expr import DW_OP_name2opcode
from hypothesis import given
from hypothesis import strategies as st

from tests.dwarfgen import Addr, Die, Form, Image, Ref, Section, Unit, ctype, op
from tests.dwarfgen.op import OPERATIONS, Op
from tests.dwarfgen.parsed import decoded, dies, dwarf, operations, tool_output, unit, value

INT = ctype.base("int", 4, "signed")
# What pyelftools 0.33 does not decode; and DW_OP_GNU_variable_value, whose operand it takes for ULEB128 where
# gcc writes an offset into .debug_info (dwarf2out.cc, size_of_loc_descr).
NOT_IN_PYELFTOOLS = {"constx", "reinterpret", "xderef_type", "GNU_reinterpret", "GNU_variable_value"}
# One operand of each kind, and what pyelftools makes of it where INT is the first DIE below the root.
OPERANDS: dict[str, object] = {
    "addr": 0x1010,
    "n1": 0x7F,
    "n2": 0x7FFE,
    "n4": 0x7FFFFFFE,
    "n8": 0x7FFFFFFFFFFFFFFE,
    "uleb": 300,
    "sleb": -300,
    "branch": -3,
    "block": b"\x01\x02\x03",
    "block1": b"\x01\x02\x03",
    "addrx": Addr(0x1010),
    "expr": op.reg5(),
    **dict.fromkeys(("die", "die2", "die4", "die_section"), "int"),
}


def with_expression(*items: op.Item) -> Image:
    """A unit whose first DIE is INT and whose second has the expression."""
    return Image(units=[unit(INT, Die("variable", name="x", location=op.expr(*items)))])


def parsed(*items: op.Item) -> list[tuple[str, list[Any]]]:
    return operations(dies(dwarf(with_expression(*items)))[2])


def sample(name: str) -> Op:
    """An operation with operands of its kinds."""
    kinds = OPERATIONS[name][1].split()
    return Op(name, tuple(OPERANDS[kind] for kind in kinds))


def test_opcodes_are_those_of_pyelftools() -> None:
    theirs = {name.removeprefix("DW_OP_"): code for name, code in DW_OP_name2opcode.items()}
    ours = {name: code for name, (code, _) in OPERATIONS.items() if name != "GNU_reinterpret"}
    assert {name: theirs[name] for name in ours} == ours
    assert set(theirs) - set(ours) == {"lo_user", "hi_user", "WASM_location"}


@pytest.mark.parametrize("name", sorted(set(OPERATIONS) - NOT_IN_PYELFTOOLS))
def test_every_operation_comes_back_with_its_operands(name: str) -> None:
    variable = dies(dwarf(with_expression(sample(name), op.nop())))[2]
    base = next(child.offset for child in variable.cu.get_top_DIE().iter_children())
    expected = {
        "block": [1, 2, 3],
        "block1": [1, 2, 3],
        "addrx": 0,
        "expr": [(0x55, "DW_OP_reg5", [], 0)],
        **dict.fromkeys(("die", "die2", "die4", "die_section"), base),
    }
    operands = [expected.get(kind, OPERANDS[kind]) for kind in OPERATIONS[name][1].split()]
    assert operations(variable) == [(name, operands), ("nop", [])]


def test_readelf_knows_every_operation(tmp_path: Path) -> None:
    # binutils 2.40 stops at DW_OP_constx and DW_OP_xderef_type.
    names = [name for name in OPERATIONS if name not in ("constx", "xderef_type")]
    printed = tool_output(
        ["readelf", "-W", "--debug-dump=info"], with_expression(*map(sample, names)), tmp_path
    )
    location = next(line for line in printed.splitlines() if "DW_AT_location" in line)
    location = location.replace(": (DW_OP_reg5 (rdi))", "").replace(" or DW_OP_HP_unknown", "")
    assert re.findall(r"DW_OP_(\w+)", location) == names


def test_xderef_type_is_a_size_and_a_type() -> None:
    _, base, variable = dies(dwarf(with_expression(op.xderef_type(4, "int"))))
    assert bytes(value(variable, "location")) == bytes((0xA7, 4, base.offset))


@given(
    st.lists(st.sampled_from(["const1s", "const2s", "const4s", "const8s", "consts"]), max_size=6), st.data()
)
def test_signed_constants_come_back(names: list[str], data: st.DataObject) -> None:
    widths = {"const1s": 8, "const2s": 16, "const4s": 32, "const8s": 64, "consts": 64}
    wanted = []
    for name in names:
        limit = 1 << widths[name] - 1
        wanted.append((name, [data.draw(st.integers(-limit, limit - 1))]))
    assert parsed(*(Op(name, tuple(operands)) for name, operands in wanted)) == wanted


def test_a_branch_goes_to_its_label_forward_and_back() -> None:
    loop = op.expr(op.label("top"), op.lit1(), op.bra("end"), op.plus_uconst(300), op.skip("top"))
    assert parsed(loop, op.label("end"), op.nop()) == [
        ("lit1", []),
        ("bra", [6]),
        ("plus_uconst", [300]),
        ("skip", [-10]),
        ("nop", []),
    ]


def test_a_branch_to_no_label_is_an_error() -> None:
    with pytest.raises(LookupError, match="no label 'end'"):
        with_expression(op.bra("end")).elf()


def test_a_reference_grows_with_the_distance_to_its_die() -> None:
    """ULEB128 references change the offsets that they hold: the passes must settle."""
    users = [Die("variable", name=f"v{n}", location=op.convert("late")) for n in range(60)]
    late = Die("base_type", label="late", name="late", byte_size=8, encoding="unsigned")
    *variables, target = dies(dwarf(Image(units=[unit(*users, late)])))[1:]
    assert target.offset > 0x80
    assert {str(operations(variable)) for variable in variables} == {str([("convert", [target.offset])])}


def test_a_typed_operation_takes_offset_zero_for_the_generic_type() -> None:
    assert parsed(op.lit0(), op.convert(0)) == [("lit0", []), ("convert", [0])]


def test_unit_references_are_relative_to_the_unit() -> None:
    second = unit(INT, Die("variable", location=op.regval_type(3, "int")))
    info = dwarf(Image(units=[unit(Die("variable", name="filler")), second]))
    _, _, root, base, variable = dies(info)
    assert operations(variable) == [("regval_type", [3, base.offset - root.cu.cu_offset])]


def test_a_unit_reference_to_another_unit_is_an_error() -> None:
    units = [unit(INT), unit(Die("variable", location=op.convert("int")))]
    with pytest.raises(ValueError, match="base_type int is in another unit"):
        Image(units=units).elf()


def test_an_implicit_pointer_points_across_units() -> None:
    target = Die("variable", label="target", name="target", const_value=7)
    info = dwarf(
        Image(units=[unit(target), unit(Die("variable", location=op.implicit_pointer("target", -4)))])
    )
    _, pointed, _, variable = dies(info)
    assert operations(variable) == [("implicit_pointer", [pointed.offset, -4])]


def test_variable_value_is_an_offset_in_the_section() -> None:
    target = Die("variable", label="n", name="n")
    info = dwarf(Image(units=[unit(target), unit(Die("variable", location=op.GNU_variable_value("n")))]))
    _, pointed, _, variable = dies(info)
    assert bytes(value(variable, "location")) == b"\xfd" + pointed.offset.to_bytes(4, "little")


def test_parameter_ref_is_four_bytes_relative_to_the_unit() -> None:
    parameter = Die("formal_parameter", label="p", name="p")
    second = unit(parameter, Die("variable", location=op.expr(op.GNU_parameter_ref("p"), op.stack_value())))
    variable = dies(dwarf(Image(units=[unit(), second])))[-1]
    (name, (offset,)), last = operations(variable)
    assert (name, last) == ("GNU_parameter_ref", ("stack_value", []))
    assert (
        variable.cu.get_DIE_from_refaddr(variable.cu.cu_offset + offset).attributes["DW_AT_name"].value
        == b"p"
    )


def test_entry_values_nest_an_expression() -> None:
    ((name, (inner,)),) = parsed(op.entry_value(op.breg5(8), op.deref()))
    assert name == "entry_value"
    assert [(item.op_name, item.args) for item in inner] == [("DW_OP_breg5", [8]), ("DW_OP_deref", [])]


def test_constx_reads_a_constant_of_debug_addr() -> None:
    info = dwarf(with_expression(op.expr(op.addrx(Addr(0x1004)), op.constx(Addr(None, 99)), op.plus())))
    root, _, variable = dies(info)
    assert bytes(value(variable, "location")) == b"\xa1\x00\xa2\x01\x22"
    assert [info.get_addr(root.cu, index) for index in (0, 1)] == [0x1004, 99]


def test_raw_bytes_stand_between_operations() -> None:
    assert parsed(op.lit3(), b"\x06", op.stack_value()) == [("lit3", []), ("deref", []), ("stack_value", [])]


def test_names_that_are_keywords_take_an_underscore() -> None:
    assert parsed(op.and_(), op.or_(), op.not_()) == [("and", []), ("or", []), ("not", [])]


def test_an_unknown_operation_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="DW_OP_frobnicate"):
        op.frobnicate()


def test_operands_are_counted() -> None:
    with pytest.raises(TypeError, match="DW_OP_breg7 takes 1 operands, not 0"):
        op.breg7()


def test_a_number_that_does_not_fit_is_an_error() -> None:
    with pytest.raises(OverflowError):
        with_expression(op.const1u(256)).elf()


@pytest.mark.parametrize(("version", "size"), [(2, 8), (3, 4), (4, 4), (5, 4)])
def test_section_references_are_as_wide_as_an_address_in_dwarf_2(version: int, size: int) -> None:
    procedure = Die("dwarf_procedure", label="p")
    user = Die("variable", location=op.call_ref("p"), type=Form("ref_addr", "p"))
    _, pointed, variable = dies(dwarf(Image(units=[unit(procedure, user, version=version)])))
    assert bytes(value(variable, "location")) == b"\x9a" + pointed.offset.to_bytes(size, "little")
    assert value(variable, "type") == pointed.offset


def test_call_ref_is_as_wide_as_an_offset() -> None:
    procedure = Die("dwarf_procedure", label="p", location=op.lit1())
    user = Die("variable", location=op.call_ref(Ref("p")))
    wide = Unit(Die("compile_unit", children=[procedure, user]), offset_size=8)
    _, pointed, variable = dies(dwarf(Image(units=[wide])))
    assert bytes(value(variable, "location")) == b"\x9a" + pointed.offset.to_bytes(8, "little")
    assert operations(variable) == [("call_ref", [pointed.offset])]


def test_an_address_in_an_expression_is_relocated() -> None:
    variable = Die("variable", location=op.expr(op.lit0(), op.addr(Addr(".data", 8))))
    image = Image(units=[unit(variable, low_pc=0)], sections=[Section(".data", bytes(16))], file_type="REL")
    assert b"\x30\x03" + bytes(8) in image.assemble().sections[".debug_info"]
    die = dies(dwarf(image))[1]
    assert decoded(die, value(die, "location")) == [("lit0", []), ("addr", [8])]
