# SPDX-License-Identifier: GPL-2.0-or-later
"""What each DWARF operation describes (DWARF 5 sections 2.5, 2.6), what cannot be read, and that all of it ends."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from localvar.arch import X86_64
from localvar.dwarf import constants as c
from localvar.dwarf.errors import DwarfError, Unreadable
from localvar.dwarf.expression import evaluate, evaluate_value
from localvar.dwarf.info import DebugInfo
from localvar.dwarf.stack import Context
from localvar.model import fold
from localvar.model.expr import Address, Binary, Const, Entry, Expr, Extend, Load, Op, Parameter, PerCpu, Reg, Select, Unary
from localvar.model.location import (
    Absent,
    Constant,
    EntryValue,
    ImplicitPointer,
    Location,
    Memory,
    Piece,
    Pieces,
    Register,
    Value,
    absent,
)
from tests.dwarf_support import debug_info, named
from tests.dwarfgen import Addr, Die, Form, Image, Section, Symbol, Unit, ctype, op
from tests.dwarfgen.op import Item

TYPES = [
    ctype.base("int", 4, "signed"), ctype.base("u16", 2, "unsigned"), ctype.base("s128", 16, "signed"),
    ctype.base("bool", 1, "boolean"), ctype.base("double", 8, "float"), ctype.base("odd", 3, "unsigned"),
    ctype.base("u64", 8, "unsigned"), ctype.pointer("pointer", None),
]
DATA = Section(".data", bytes(0x100), 0x2000)
PERCPU = Section(".data..percpu", bytes(0x100), 0x100)
INIT = Section(".init.data", bytes(0x100), 0x3000)
LATE = Section(".x86_cpu_dev.init", bytes(0x100), 0x3100)
SYMBOLS = [Symbol("__init_begin", 0x3000), Symbol("__init_end", 0x4000)]
SP, FRAME = Reg(7), fold.add(Reg(7), 64)


def info_of(*items: Item, others: tuple[Die, ...] = (), version: int = 5, **fields: Any) -> DebugInfo:
    x = Die("variable", name="x", location=op.expr(*items))
    root = Die("compile_unit", name="a.c", children=[*TYPES, *others, x])
    return debug_info(Image(units=[Unit(root, version=version)], sections=[DATA, PERCPU, INIT, LATE], symbols=SYMBOLS, **fields))


def context_of(info: DebugInfo, variables: Mapping[str, Location] | None = None) -> Context:
    """The frame base is rsp+64, the CFA rsp+80; other variables are at the locations given."""
    def variable(offset: int) -> Location:
        return (variables or {})[info.die(offset).string(c.DW_AT_name) or ""]

    return Context(named(info, "x").unit, X86_64, lambda: FRAME, lambda: fold.add(SP, 80), variable)


def location(*items: Item, others: tuple[Die, ...] = (), variables: Mapping[str, Location] | None = None,
             **fields: Any) -> Location:
    info = info_of(*items, others=others, **fields)
    block = named(info, "x").block(c.DW_AT_location)
    assert block is not None
    return evaluate(block, context_of(info, variables))


def slug(*items: Item, **fields: Any) -> str:
    """Why the location is absent."""
    found = location(*items, **fields)
    assert isinstance(found, Absent), found
    return found.reason.slug


def value(*items: Item, **fields: Any) -> Expr:
    found = location(*items, op.stack_value(), **fields)
    assert isinstance(found, (Value, EntryValue)), found
    return found.expr if isinstance(found, Value) else Entry(found.inner)


# -- simple locations -----------------------------------------------------------------------------------------------

SIMPLE: dict[str, tuple[Item, Location]] = {
    **{f"reg{n}": (op.Op(f"reg{n}", ()), Register(n)) for n in range(16)},
    "regx": (op.regx(12), Register(12)),
    "memory at a register": (op.breg3(-24), Memory(fold.add(Reg(3), -24))),
    "memory at bregx": (op.bregx(12, 300), Memory(fold.add(Reg(12), 300))),
    "memory in the frame": (op.fbreg(-16), Memory(fold.add(SP, 48))),
    "memory at the CFA": (op.call_frame_cfa(), Memory(fold.add(SP, 80))),
    "memory at an address": (op.addr(0x2010), Memory(Address(0x2010))),
    "memory at an indexed address": (op.addrx(Addr(0x2010)), Memory(Address(0x2010))),
    "memory at an address of GNU's index": (op.GNU_addr_index(Addr(0x2010)), Memory(Address(0x2010))),
    "a value of a register": (op.expr(op.breg3(0), op.stack_value()), Value(Reg(3))),
    "a constant value": (op.expr(op.const1s(-1), op.stack_value()), Value(Const((1 << 64) - 1))),
    "a constant out of the address table": (op.expr(op.constx(Addr(None, 5)), op.stack_value()), Value(Const(5))),
    "a constant of GNU's index": (op.expr(op.GNU_const_index(Addr(None, 5)), op.stack_value()), Value(Const(5))),
    "an address as a value": (op.expr(op.addr(0x2010), op.stack_value()), Value(Address(0x2010))),
    "an address plus a constant": (op.expr(op.addr(0x2010), op.plus_uconst(8), op.stack_value()), Value(Address(0x2018))),
    "bytes": (op.implicit_value(b"\1\2\3"), Constant(b"\1\2\3")),
    "memory through memory": (op.expr(op.fbreg(0), op.deref()), Memory(Load(FRAME, 64, True))),
    "memory that may fault": (
        op.expr(op.breg3(8), op.deref(), op.plus_uconst(4)), Memory(fold.add(Load(fold.add(Reg(3), 8)), 4))),
    "nothing but operations that do nothing": (op.expr(op.nop(), op.breg1(0), op.nop()), Memory(Reg(1))),
}


@pytest.mark.parametrize("name", SIMPLE)
def test_a_simple_location_is_what_the_standard_says(name: str) -> None:
    items, expected = SIMPLE[name]
    assert location(items) == expected


@pytest.mark.parametrize("version", [4, 5])
@pytest.mark.parametrize("name", ["entry_value", "GNU_entry_value"])
def test_an_entry_value_is_what_a_register_held_on_entry(name: str, version: int) -> None:
    entry = op.Op(name, (op.expr(op.reg5()),))
    assert location(op.expr(entry, op.stack_value()), version=version) == EntryValue(Reg(5))
    assert location(op.expr(entry, op.plus_uconst(8), op.stack_value()), version=version) == Value(fold.add(Entry(Reg(5)), 8))
    assert location(op.expr(entry), version=version) == Memory(Entry(Reg(5)))


def test_an_entry_value_of_nothing_is_absent() -> None:
    assert slug(op.entry_value(), op.stack_value()) == "not-a-value"


def test_an_entry_value_of_memory_is_a_load_on_entry() -> None:
    inner = op.expr(op.breg7(8), op.deref())
    assert location(op.entry_value(inner), op.stack_value()) == EntryValue(Load(fold.add(SP, 8), 64, True))


@pytest.mark.parametrize("inner", [op.fbreg(8), op.call_frame_cfa(), op.GNU_variable_value("other")])
def test_an_entry_value_does_not_use_the_frame_of_the_pc(inner: Item) -> None:
    """The CFA rule at the pc is another than the one at the function's entry."""
    other = Die("variable", label="other", name="other", type=Form("ref4", "u64"))
    assert slug(op.entry_value(inner), op.stack_value(), others=(other,), variables={"other": Register(3)}) == "entry-frame"


def test_a_parameter_reference_names_the_parameter() -> None:
    parameter = Die("formal_parameter", label="p", name="p")
    for version in (4, 5):
        info = info_of(op.GNU_parameter_ref("p"), op.stack_value(), others=(parameter,), version=version)
        block = named(info, "x").block(c.DW_AT_location)
        assert block is not None
        assert evaluate(block, context_of(info)) == Value(Parameter(named(info, "p").key))


@pytest.mark.parametrize("name", ["implicit_pointer", "GNU_implicit_pointer"])
def test_an_implicit_pointer_leads_to_the_other_variable(name: str) -> None:
    target = Die("variable", label="target", name="target")
    found = location(op.Op(name, ("target", -4)), others=(target,), variables={"target": Constant(b"\7")})
    assert isinstance(found, ImplicitPointer)
    assert (found.offset, found.target) == (-4, Constant(b"\7"))


@pytest.mark.parametrize(("kind", "where", "expected"), [
    ("u64", Register(3), Reg(3)), ("u64", Value(fold.add(Reg(3), 1)), fold.add(Reg(3), 1)),
    ("u64", EntryValue(Reg(5)), Entry(Reg(5))), ("int", Register(3), Extend(Extend(Reg(3), 32, False), 64, True)),
    ("u16", Register(3), Extend(Extend(Reg(3), 16, False), 64, False)),
    ("int", Memory(FRAME), Extend(Load(FRAME, 32, True), 64, True)),
    ("int", Constant(b"\xff\xff\xff\xff"), Const((1 << 64) - 1)),
    ("pointer", Memory(Reg(3)), Load(Reg(3))),
])
def test_the_value_of_a_variable_has_the_width_and_sign_of_its_type(kind: str, where: Location, expected: Expr) -> None:
    """DW_OP_GNU_variable_value: the upper half of a register is not the int in its lower one."""
    other = Die("variable", label="other", name="other", type=Form("ref4", kind))
    assert value(op.GNU_variable_value("other"), others=(other,), variables={"other": where}) == expected


@pytest.mark.parametrize(("kind", "where", "why"), [
    ("double", Register(3), "operation"), ("s128", Register(3), "operation"), ("odd", Register(3), "operation"),
    ("u64", Constant(b"\1"), "operation"), ("u64", Pieces(()), "operation"), ("u64", absent("no-range", "not here"), "no-range"),
])
def test_the_value_of_a_variable_that_has_no_one_place_is_absent(kind: str, where: Location, why: str) -> None:
    other = Die("variable", label="other", name="other", type=Form("ref4", kind))
    assert slug(op.GNU_variable_value("other"), op.stack_value(), others=(other,), variables={"other": where}) == why


# -- composites -----------------------------------------------------------------------------------------------------


def test_pieces_are_in_order_and_an_empty_one_is_absent() -> None:
    found = location(op.reg3(), op.piece(8), op.piece(4), op.fbreg(8), op.piece(4), op.lit5(), op.stack_value(), op.piece(2),
                     op.implicit_value(b"\1\2"), op.piece(2))
    assert isinstance(found, Pieces)
    hole = found.pieces[1].location
    assert isinstance(hole, Absent) and hole.reason.slug == "optimized-out"
    assert [piece for piece in found.pieces if piece.location is not hole] == [
        Piece(Register(3), 64), Piece(Memory(fold.add(FRAME, 8)), 32), Piece(Value(Const(5)), 16), Piece(Constant(b"\1\2"), 16)]
    assert [piece.bit_size for piece in found.pieces] == [64, 32, 32, 16, 16]


def test_bit_pieces_begin_within_their_location() -> None:
    assert location(op.reg3(), op.bit_piece(5, 3), op.fbreg(0), op.bit_piece(11, 9)) == Pieces((
        Piece(Register(3), 5, 3), Piece(Memory(FRAME), 11, 9)))


def test_an_implicit_pointer_can_be_a_piece() -> None:
    target = Die("variable", label="target", name="target")
    found = location(op.implicit_pointer("target", 0), op.piece(8), op.reg1(), op.piece(8), others=(target,),
                     variables={"target": Register(2)})
    assert isinstance(found, Pieces) and isinstance(found.pieces[0].location, ImplicitPointer)
    assert found.pieces[1].location == Register(1)


# -- branches and calls -----------------------------------------------------------------------------------------------


def test_a_branch_is_a_selection_between_two_values() -> None:
    """vfs_read: count = min(count, MAX_RW_COUNT)."""
    count, limit = op.breg14(0), op.const4u(0x7FFFF000)
    items = (count, limit, op.over(), op.over(), op.gt(), op.bra("larger"), op.drop(), op.skip("end"),
             op.label("larger"), op.swap(), op.drop(), op.label("end"), op.stack_value())
    condition = Binary(Op.SGT, Reg(14), Const(0x7FFFF000))
    assert location(*items) == Value(Select(condition, Const(0x7FFFF000), Reg(14)))


def test_a_branch_can_choose_between_places() -> None:
    items = (op.breg0(0), op.bra("other"), op.fbreg(0), op.skip("end"), op.label("other"), op.breg3(8), op.label("end"))
    assert location(*items) == Memory(Select(Reg(0), fold.add(Reg(3), 8), FRAME))


@pytest.mark.parametrize(("condition", "expected"), [(op.lit1(), Const(7)), (op.lit0(), Const(3))])
def test_a_branch_on_a_constant_goes_one_way(condition: Item, expected: Expr) -> None:
    items = (condition, op.bra("yes"), op.lit3(), op.skip("end"), op.label("yes"), op.lit7(), op.label("end"))
    assert value(*items) == expected


def test_a_branch_whose_ways_agree_is_no_selection() -> None:
    items = (op.breg0(0), op.bra("yes"), op.lit3(), op.skip("end"), op.label("yes"), op.lit3(), op.label("end"))
    assert value(*items) == Const(3)


def test_branches_to_different_kinds_of_location_are_absent() -> None:
    assert slug(op.breg0(0), op.bra("yes"), op.fbreg(0), op.skip("end"), op.label("yes"), op.lit3(), op.stack_value(),
                op.label("end")) == "branches"


def test_a_way_that_cannot_be_read_makes_the_whole_absent() -> None:
    """It may be the way that is taken."""
    assert slug(op.breg0(0), op.bra("yes"), op.lit0(), op.skip("end"), op.label("yes"), op.lit1(), op.form_tls_address(),
                op.label("end"), op.stack_value()) == "operation"


def test_a_backward_branch_is_absent() -> None:
    assert slug(op.label("top"), op.lit1(), op.bra("top"), op.lit1()) == "backward-branch"
    assert slug(op.lit1(), op.label("top"), op.skip("top")) == "backward-branch"


@pytest.mark.parametrize("target", [1, 100, 0x7FFF])
def test_a_branch_to_no_operation_is_damage(target: int) -> None:
    assert slug(op.breg0(0), op.bra(target), op.const2u(5), op.lit1()) == "damaged"


@pytest.mark.parametrize("call", [op.call2, op.call4, op.call_ref])
def test_a_call_runs_the_operations_of_another_die(call: Callable[[str], Item]) -> None:
    procedure = Die("dwarf_procedure", label="twice", location=op.expr(op.dup(), op.plus()))
    assert value(op.breg3(0), call("twice"), others=(procedure,)) == Binary(Op.ADD, Reg(3), Reg(3))


def test_a_call_of_a_die_without_location_does_nothing() -> None:
    assert value(op.breg3(0), op.call4("none"), others=(Die("dwarf_procedure", label="none"),)) == Reg(3)


def test_a_call_that_calls_itself_is_damage() -> None:
    procedure = Die("dwarf_procedure", label="again", location=op.expr(op.call4("again")))
    assert slug(op.breg3(0), op.call4("again"), op.stack_value(), others=(procedure,)) == "damaged"


def test_a_call_of_an_expression_with_branches_is_absent() -> None:
    procedure = Die("dwarf_procedure", label="p", location=op.expr(op.bra("end"), op.lit1(), op.label("end")))
    assert slug(op.breg3(0), op.call4("p"), op.stack_value(), others=(procedure,)) == "operation"


# -- typed operations -------------------------------------------------------------------------------------------------


def test_conversions_widen_by_the_sign_of_the_source() -> None:
    assert value(op.regval_type(0, "int"), op.convert(0)) == Extend(Extend(Reg(0), 32, False), 64, True)
    assert value(op.regval_type(0, "u16"), op.convert("int")) == Extend(Extend(Reg(0), 16, False), 32, False)
    assert value(op.const_type("int", b"\xff" * 4), op.convert("u64")) == Const((1 << 64) - 1)
    assert value(op.const_type("int", b"\xff" * 4), op.convert("u16")) == Const(0xFFFF, 16)


def test_a_constant_without_a_sign_can_be_widened_beyond_the_generic_type() -> None:
    """gcc multiplies in 128 bits: DW_OP_lit24, DW_OP_convert to unsigned __int128."""
    assert value(op.lit24(), op.convert("s128")) == Const(24, 128)
    assert slug(op.const1s(-1), op.convert("s128"), op.stack_value()) == "operation"
    assert slug(op.breg3(0), op.convert("s128"), op.stack_value()) == "operation"


def test_a_reinterpretation_keeps_the_bits() -> None:
    assert value(op.breg3(0), op.reinterpret("u64")) == Reg(3)
    assert value(op.const_type("u64", b"\xff" * 8), op.GNU_reinterpret(0)) == Const((1 << 64) - 1)
    assert slug(op.breg3(0), op.reinterpret("int"), op.stack_value()) == "damaged"


@pytest.mark.parametrize(("items", "why"), [
    ((op.const_type("int", bytes(2)),), "damaged"), ((op.breg3(0), op.deref_type(8, "int")), "damaged"),
    ((op.regval_type(0, "s128"),), "operation"), ((op.regval_type(0, "double"),), "operation"),
    ((op.breg3(0), op.convert("double")), "operation"), ((op.breg3(0), op.deref_type(3, "odd")), "operation"),
    ((op.breg3(0), op.convert("s128")), "operation"), ((op.breg3(0), op.convert("pointer")), "damaged"),
    ((op.regval_type(0, "int"), op.regval_type(1, "u16"), op.plus()), "damaged"),
    ((op.regval_type(0, "int"), op.deref()), "damaged"), ((op.breg3(0), op.deref_size(3)), "operation"),
    ((op.breg3(0), op.deref_size(0)), "damaged"), ((op.breg3(0), op.deref_size(9)), "damaged"),
])
def test_typed_operations_that_do_not_fit_are_absent(items: tuple[Item, ...], why: str) -> None:
    assert slug(*items, op.stack_value()) == why


def test_a_typed_address_is_no_place() -> None:
    assert slug(op.regval_type(0, "int")) == "damaged"
    assert slug(op.regval_type(0, "int"), op.piece(4)) == "damaged"


def test_shifts_are_arithmetic_by_the_operation_not_by_the_type() -> None:
    """gcc shifts 128-bit values as unsigned types, with DW_OP_shra for a signed shift."""
    assert value(op.const_type("u16", b"\0\x80"), op.lit1(), op.shra()) == Const(0xC000, 16)
    assert value(op.const_type("int", b"\0\0\0\x80"), op.lit1(), op.shr()) == Const(0x40000000, 32)


# -- what cannot be read ----------------------------------------------------------------------------------------------

UNREADABLE: dict[str, tuple[Item, str, str]] = {
    "a TLS address": (op.expr(op.const8u(8), op.form_tls_address()), "operation", "DW_OP_form_tls_address"),
    "GNU's TLS address": (op.expr(op.const8u(8), op.GNU_push_tls_address()), "operation", "DW_OP_GNU_push_tls_address"),
    "another address space": (op.expr(op.lit0(), op.lit0(), op.xderef()), "operation", "DW_OP_xderef"),
    "another address space, sized": (op.expr(op.lit0(), op.lit0(), op.xderef_size(4)), "operation", "DW_OP_xderef_size"),
    "another address space, typed": (op.expr(op.lit0(), op.lit0(), op.xderef_type(4, "int")), "operation", "DW_OP_xderef_type"),
    "an object's address": (op.push_object_address(), "operation", "DW_OP_push_object_address"),
    "a register that is not saved": (op.regx(17), "register", "xmm0"),
    "memory at a register that is not saved": (op.bregx(17, 0), "register", "xmm0"),
    "the return address column": (op.reg16(), "register", "return address"),
    "a discarded section": (op.addr(0), "discarded", "linker discarded"),
    "an address of no section": (op.addr(0x700000), "address", "0x700000"),
    "data freed after boot": (op.addr(0x3010), "init-data", ".init.data"),
    "data freed after boot, by its place": (op.addr(0x3110), "init-data", ".x86_cpu_dev.init"),
    "an address that leads out of its section": (op.expr(op.addr(0x2010), op.plus_uconst(0x600000)), "address", "0x602010"),
    "a load there": (op.expr(op.addr(0x2010), op.plus_uconst(0x600000), op.deref()), "address", "0x602010"),
    "a load below the stack pointer": (op.expr(op.breg7(-8), op.deref(), op.stack_value()), "no-frame", "stack pointer"),
    "a register that is not initialised": (op.expr(op.reg3(), op.GNU_uninit()), "uninitialized", "no value yet"),
    "a place that is not initialised": (op.expr(op.fbreg(0), op.GNU_uninit()), "uninitialized", "no value yet"),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_what_cannot_be_read_is_absent_and_says_what_it_is(name: str) -> None:
    items, why, text = UNREADABLE[name]
    found = location(items)
    assert isinstance(found, Absent)
    assert found.reason.slug == why and text in found.reason.text


def test_an_empty_expression_is_optimized_out() -> None:
    assert slug() == "optimized-out"


DAMAGED: dict[str, tuple[Item, ...]] = {
    "too few operands": (op.lit1(), op.plus()),
    "nothing to duplicate": (op.dup(),),
    "nothing to add to": (op.plus_uconst(1),),
    "nothing picked": (op.lit1(), op.pick(1)),
    "two registers": (op.reg3(), op.reg4()),
    "an operation behind a register": (op.reg3(), op.lit1()),
    "an operation behind a value": (op.lit1(), op.stack_value(), op.lit1()),
    "an operation behind the last piece": (op.reg3(), op.piece(8), op.lit1()),
    "nothing left": (op.lit1(), op.drop()),
    "an unknown operation": (b"\x02",),
    "an operand that ends early": (b"\x0e\x01\x02",),
    "a block that ends early": (b"\x9e\x05\x01",),
    "a number without an end": (b"\x10" + b"\x80" * 200,),
    "an entry value within another": (op.entry_value(op.entry_value(op.reg5())), op.stack_value()),
    "a type that is none": (op.regval_type(0, 0x7000), op.stack_value()),
    "a variable that is none": (op.implicit_pointer(0x700000, 0),),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_damage_is_absent_never_an_exception(name: str) -> None:
    assert slug(*DAMAGED[name]) == "damaged"


# -- per-CPU ----------------------------------------------------------------------------------------------------------


def test_a_per_cpu_variable_is_the_running_cpus_copy() -> None:
    assert location(op.addr(0x110)) == Memory(PerCpu(0x110))
    assert location(op.addr(0x110), op.plus_uconst(8)) == Memory(PerCpu(0x118))


def test_a_pointer_to_a_per_cpu_variable_is_no_cpus_copy() -> None:
    """In C its value is &variable, what this_cpu_ptr() takes: linked at 0 the area does not move with the kernel."""
    assert value(op.addr(0x110)) == Const(0x110)
    assert value(op.addr(0x110), op.plus_uconst(8)) == Const(0x118)
    assert value(op.addr(0x110), op.breg3(0), op.plus()) == fold.add(Reg(3), 0x110)


def test_a_per_cpu_area_that_moves_with_the_kernel_has_pointers_that_do() -> None:
    high = 0xFFFFFFFF83000000
    image = Image(units=[Unit(Die("compile_unit", name="a.c", children=[
        Die("variable", name="x", location=op.expr(op.addr(high + 16), op.stack_value()))]))],
        sections=[Section(".data..percpu", bytes(64), high)])
    info = debug_info(image)
    block = named(info, "x").block(c.DW_AT_location)
    assert block is not None and evaluate(block, context_of(info)) == Value(Address(high + 16))


@pytest.mark.parametrize("items", [(op.addr(Addr(".data..percpu", 8)),), (op.addr(Addr(".data..percpu", 8)), op.stack_value())])
def test_a_per_cpu_variable_of_a_module_is_absent(items: tuple[Item, ...]) -> None:
    """Its address is made up here (ET_REL): as a number it would be a plausible pointer to nothing."""
    x = Die("variable", name="x", location=op.expr(*items))
    image = Image(units=[Unit(Die("compile_unit", name="m.c", children=[x]))], sections=[Section(".data..percpu", bytes(64))],
                  file_type="REL")
    info = debug_info(image)
    block = named(info, "x").block(c.DW_AT_location)
    assert block is not None
    found = evaluate(block, context_of(info))
    assert isinstance(found, Absent) and found.reason.slug == "per-cpu"


def test_an_address_of_a_module_names_its_section() -> None:
    x = Die("variable", name="x", location=op.addr(Addr(".data", 8)))
    image = Image(units=[Unit(Die("compile_unit", name="m.c", children=[x]))], sections=[Section(".data", bytes(64))],
                  file_type="REL")
    info = debug_info(image)
    block = named(info, "x").block(c.DW_AT_location)
    assert block is not None and evaluate(block, context_of(info)) == Memory(Address(8, None, ".data"))


# -- limits -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("items", [
    [op.breg0(0), *[op.expr(op.dup(), op.mul())] * 200],
    [op.breg0(0), *[op.deref()] * 5000],
    [op.breg0(0), *[op.expr(op.breg1(0), op.bra(0), op.neg())] * 300],
    [op.breg0(0), *[op.expr(op.dup(), op.bra("end"), op.neg())] * 20, op.label("end")],
    [*[op.breg0(0)] * 20000],
])
def test_an_expression_that_grows_without_bound_is_refused_quickly(items: list[Item]) -> None:
    found = location(*items, op.stack_value())
    assert isinstance(found, (Absent, Value))
    assert not isinstance(found, Absent) or found.reason.slug in ("too-complex", "damaged")


def test_the_largest_expressions_of_a_kernel_are_within_the_limits() -> None:
    """The largest of 88,000 in the 6.1 kernel has 176 nodes."""
    chain: list[Item] = [op.breg0(0)]
    for n in range(50):
        chain += [op.Op(f"breg{n % 16}", (n,)), op.xor()]
    assert isinstance(location(*chain, op.stack_value()), Value)


def test_entry_values_nested_without_end_are_damage() -> None:
    inner: Item = op.reg5()
    for _ in range(200):
        inner = op.entry_value(inner)
    assert slug(inner, op.stack_value()) == "damaged"


# -- values for others ------------------------------------------------------------------------------------------------


def test_a_value_begins_with_what_is_on_the_stack() -> None:
    """The rule of a saved register begins with the CFA (section 6.4.2.3)."""
    info = info_of(op.plus_uconst(16), op.deref())
    block = named(info, "x").block(c.DW_AT_location)
    assert block is not None
    assert evaluate_value(block, context_of(info), (fold.add(SP, 80),)) == Load(fold.add(SP, 96), 64, True)


@pytest.mark.parametrize(("items", "error"), [
    ((op.reg3(),), Unreadable), ((op.lit1(), op.piece(4)), DwarfError), ((op.drop(),), DwarfError), ((op.nop(),), Unreadable),
    ((op.implicit_value(b"\1"),), Unreadable),
])
def test_a_place_is_no_value(items: tuple[Item, ...], error: type[Exception]) -> None:
    info = info_of(*items)
    block = named(info, "x").block(c.DW_AT_location)
    assert block is not None
    with pytest.raises(error):
        evaluate_value(block, context_of(info))


def test_a_value_may_be_marked_as_one() -> None:
    info = info_of(op.breg3(1), op.stack_value())
    block = named(info, "x").block(c.DW_AT_location)
    assert block is not None and evaluate_value(block, context_of(info)) == fold.add(Reg(3), 1)


def test_negations_are_kept_as_operators() -> None:
    assert value(op.breg3(0), op.neg(), op.not_()) == Unary(Op.NOT, Unary(Op.NEG, Reg(3)))
