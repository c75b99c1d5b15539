# SPDX-License-Identifier: GPL-2.0-or-later
"""Variables at a site: names as C resolves them, and their locations at exactly that pc."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from localvar.arch import X86_64
from localvar.dwarf import constants as c
from localvar.dwarf.body import uses_registers
from localvar.dwarf.info import DebugInfo
from localvar.dwarf.locate import Locator
from localvar.dwarf.op import decode
from localvar.dwarf.scope import chain_at, function_at, name_of, own_function
from localvar.model import fold
from localvar.model.ctype import BaseType, Encoding, strip
from localvar.model.expr import Address, Const, Entry, Load, Reg
from localvar.model.location import (
    Absent,
    Constant,
    EntryValue,
    ImplicitPointer,
    Location,
    Memory,
    Pieces,
    Reason,
    Register,
    Value,
)
from localvar.model.plan import Variable, VariableKind
from localvar.model.site import NOWHERE, ScopeRef, Site
from tests.dwarf_support import debug_info
from tests.dwarfgen import (
    Addr,
    Cie,
    Die,
    Fde,
    Form,
    Image,
    Ref,
    Section,
    Unit,
    cfa,
    ctype,
    lle,
    loclist,
    op,
    rnglist,
)

INT = ctype.base("int", 4, "signed")
BASES = [INT, ctype.base("u64", 8, "unsigned"), ctype.base("char", 1, "signed_char"), ctype.base("s128", 16, "signed"),
         ctype.array("text", "char", 4), ctype.pointer("pointer", "int"), Die("unspecified_type", label="none", name="none")]
FRAME = Fde(Cie((cfa.def_cfa(7, 8), cfa.offset(16, 1))), 0x1000, 0x100, (
    cfa.advance(1), cfa.def_cfa_offset(16), cfa.offset(6, 2), cfa.advance(3), cfa.def_cfa_register(6)))
"""push %rbp (1 byte); mov %rsp,%rbp (3 bytes)."""
DATA = Section(".data", bytes(0x100), 0x4000)


def variable(name: str | None, location: object = None, kind: str = "int", **attributes: Any) -> Die:
    return Die("variable", label=attributes.pop("label", None), name=name, type=Ref(kind), location=location, **attributes)


def function(*children: Die, frame_base: object = None, **attributes: Any) -> Die:
    base = op.call_frame_cfa() if frame_base is None else frame_base
    return Die("subprogram", label="f", name="f", low_pc=0x1000, high_pc=0x100, frame_base=base, children=children, **attributes)


def locator(*dies: Die, version: int = 5, producer: str = "", **fields: Any) -> Locator:
    fields.setdefault("debug_frame", [FRAME])
    root = Die("compile_unit", name="a.c", producer=producer, low_pc=0x1000, high_pc=0x1000, children=[*BASES, *dies])
    return Locator(debug_info(Image(units=[Unit(root, version=version)], sections=[DATA], **fields)), X86_64)


def site(found: Locator, pc: int, outer: bool = False) -> Site:
    """The site at a pc, in its innermost scope."""
    unit = found.info.unit_of_pc(pc)
    assert unit is not None
    function_die = function_at(unit, pc)
    assert function_die is not None
    chain = chain_at(function_die, pc)
    return replace(NOWHERE, pc=pc, function=name_of(own_function(chain)) or "", scope=ScopeRef(tuple(d.key for d in chain)),
                   entry=0x1000, outer=outer)


def names(found: Locator, pc: int, outer: bool = False) -> list[str]:
    return [v.name for v in found.variables(site(found, pc, outer))]


def read(found: Locator, name: str, pc: int = 0x1000, outer: bool = False) -> Variable:
    there = found.variable(site(found, pc, outer), name)
    assert there is not None
    return there


def where(*dies: Die, pc: int = 0x1000, **fields: Any) -> Location:
    """The location of x, among the children of a function."""
    return read(locator(function(*dies), **fields), "x", pc).location


def slug(location: Location) -> str:
    assert isinstance(location, Absent), location
    return location.reason.slug


# -- names ----------------------------------------------------------------------------------------------------------


def test_variables_are_listed_from_the_innermost_scope_outwards() -> None:
    inner = Die("lexical_block", low_pc=0x1010, high_pc=0x10, children=[variable("inner")])
    outer = Die("lexical_block", low_pc=0x1008, high_pc=0x40, children=[variable("middle"), inner])
    found = locator(function(Die("formal_parameter", name="p", type=Ref("int")), variable("local"), outer))
    assert names(found, 0x1000) == ["p", "local"]
    assert names(found, 0x1008) == ["middle", "p", "local"]
    assert names(found, 0x1010) == ["inner", "middle", "p", "local"]
    assert names(found, 0x1020) == ["middle", "p", "local"]


def test_a_name_means_the_innermost_variable_that_has_it() -> None:
    inner = Die("lexical_block", low_pc=0x1010, high_pc=0x10, children=[variable("x", op.reg2())])
    found = locator(function(variable("x", op.reg1()), inner), variable("x", op.addr(0x4000)))
    assert [read(found, "x", pc).location for pc in (0x100F, 0x1010, 0x101F, 0x1020)] == [
        Register(1), Register(2), Register(2), Register(1)]
    assert names(found, 0x1010) == ["x"]


def test_a_block_of_several_ranges_holds_its_names_in_all_of_them() -> None:
    block = Die("lexical_block", ranges=rnglist((0x1010, 0x1014), (0x1080, 0x1084)), children=[variable("inner")])
    found = locator(function(block))
    assert [names(found, pc) for pc in (0x1010, 0x1014, 0x1080, 0x1084)] == [["inner"], [], ["inner"], []]


def test_a_name_that_no_scope_has_is_looked_up_in_the_file() -> None:
    found = locator(function(), variable("counter", op.addr(0x4010)))
    there = read(found, "counter")
    assert (there.kind, there.location, there.scope) == (VariableKind.STATIC, Memory(Address(0x4010)), "a.c")
    assert found.variable(site(found, 0x1000), "nothing") is None


def test_the_definition_counts_where_the_file_declares_a_name_first() -> None:
    declared = variable("counter", external=True, declaration=True, label="declared")
    found = locator(function(), declared, Die("variable", specification=Ref("declared"), location=op.addr(0x4010)))
    assert read(found, "counter").location == Memory(Address(0x4010))
    assert isinstance(read(found, "counter").type, BaseType)


def test_what_the_file_only_declares_is_absent_with_that_reason() -> None:
    found = locator(function(), variable("jiffies", external=True, declaration=True))
    assert slug(read(found, "jiffies").location) == "declaration"


def test_a_constant_of_the_file_is_its_value() -> None:
    found = locator(function(), variable("limit", const_value=7))
    assert read(found, "limit").location == Constant(b"\7\0\0\0")


def test_kinds_are_parameter_local_and_static() -> None:
    found = locator(function(Die("formal_parameter", name="p", type=Ref("int"), location=op.reg5()), variable("l", op.reg1()),
                             variable("s", op.addr(0x4000)), variable("e", external=True, declaration=True)))
    assert {v.name: v.kind for v in found.variables(site(found, 0x1000))} == {
        "p": VariableKind.PARAMETER, "l": VariableKind.LOCAL, "s": VariableKind.STATIC, "e": VariableKind.STATIC}


# -- abstract and concrete instances ----------------------------------------------------------------------------------


def abstract(name: str, *children: Die) -> Die:
    return Die("subprogram", label=name, name=name, inline="inlined", type=Ref("int"), children=children)


def inlined(of: str, low: int, size: int, *children: Die) -> Die:
    return Die("inlined_subroutine", abstract_origin=Ref(of), low_pc=low, high_pc=size, children=children)


def concrete(of: str, location: object = None, tag: str = "variable", **attributes: Any) -> Die:
    return Die(tag, abstract_origin=Ref(of), location=location, **attributes)


def three_deep() -> Locator:
    """f, with g inlined into it and h into g; each has a parameter n and a variable of its own."""
    def own(name: str) -> list[Die]:
        return [Die("formal_parameter", label=f"n_{name}", name="n", type=Ref("int"), decl_line=3),
                Die("variable", label=f"of_{name}", name=f"of_{name}", type=Ref("u64"), decl_line=4)]

    h = inlined("h", 0x1020, 0x10, concrete("n_h", op.reg2(), "formal_parameter"), concrete("of_h", op.reg3()))
    g = inlined("g", 0x1010, 0x40, concrete("n_g", op.reg1(), "formal_parameter"), concrete("of_g", op.reg4()), h)
    f = function(Die("formal_parameter", name="n", type=Ref("int"), location=op.reg5()), variable("of_f", op.reg8()), g)
    return locator(abstract("g", *own("g")), abstract("h", *own("h")), f)


def test_an_inlined_function_does_not_see_its_callers_names() -> None:
    found = three_deep()
    assert [names(found, pc) for pc in (0x1000, 0x1010, 0x1020, 0x1030)] == [
        ["n", "of_f"], ["n", "of_g"], ["n", "of_h"], ["n", "of_g"]]
    assert [read(found, "n", pc).location for pc in (0x1000, 0x1010, 0x1020)] == [Register(5), Register(1), Register(2)]
    assert [read(found, "n", pc).scope for pc in (0x1000, 0x1010, 0x1020)] == ["f", "g", "h"]
    assert found.variable(site(found, 0x1020), "of_f") is None


def test_from_an_address_the_functions_around_are_seen_behind_the_innermost() -> None:
    found = three_deep()
    assert names(found, 0x1020, outer=True) == ["n", "of_h", "of_g", "of_f"]
    assert read(found, "n", 0x1020, outer=True).location == Register(2)
    assert read(found, "of_f", 0x1020, outer=True).location == Register(8)


def test_names_types_and_places_in_the_source_come_from_the_abstract_instance() -> None:
    there = read(three_deep(), "of_h", 0x1020)
    assert there.declared.line == 4
    bare = strip(there.type)
    assert isinstance(bare, BaseType) and (bare.size, bare.encoding) == (8, Encoding.UNSIGNED)


def test_a_variable_that_the_concrete_instance_leaves_out_is_optimized_out() -> None:
    """It is in scope, it hides outer names, and it has no location."""
    a = abstract("g", variable("kept", label="kept"), variable("gone"), variable("x"))
    found = locator(a, function(variable("x", op.reg1()), inlined("g", 0x1010, 0x10, concrete("kept", op.reg3()))))
    assert names(found, 0x1010) == ["kept", "gone", "x"]
    assert slug(read(found, "gone", 0x1010).location) == slug(read(found, "x", 0x1010).location) == "optimized-out"
    assert slug(read(found, "x", 0x1010, outer=True).location) == "optimized-out"


def test_a_block_of_an_abstract_instance_gives_its_names_to_the_concrete_one() -> None:
    a = abstract("g", Die("lexical_block", label="block", children=[variable("inside", label="inside"), variable("gone")]))
    block = Die("lexical_block", abstract_origin=Ref("block"), low_pc=0x1014, high_pc=4, children=[concrete("inside", op.reg3())])
    found = locator(a, function(inlined("g", 0x1010, 0x10, block)))
    assert [names(found, pc) for pc in (0x1010, 0x1014, 0x1018)] == [[], ["inside", "gone"], []]


def test_a_static_variable_that_is_nowhere_says_why() -> None:
    found = locator(variable("gone", op.addr(0)), variable("here", op.addr(0x4010)))
    assert [type(found.static_variable(name, None)) for name in ("gone", "here", "other")] == [Reason, Variable, Reason]
    reasons = [found.static_variable(name, None) for name in ("gone", "other")]
    assert [reason.slug for reason in reasons if isinstance(reason, Reason)] == ["discarded", "no-such-variable"]


def test_a_static_variable_has_the_place_that_only_the_abstract_instance_states() -> None:
    a = abstract("g", variable("count", op.addr(0x4020), label="count"))
    with_die = inlined("g", 0x1010, 8, concrete("count"))
    without = inlined("g", 0x1020, 8)
    found = locator(a, function(with_die, without))
    assert read(found, "count", 0x1010).location == read(found, "count", 0x1020).location == Memory(Address(0x4020))


def test_the_location_of_the_concrete_instance_wins_over_a_constant_of_the_abstract_one() -> None:
    a = abstract("g", variable("x", label="x", const_value=5))
    found = locator(a, function(inlined("g", 0x1010, 8, concrete("x", op.reg3())), inlined("g", 0x1020, 8, concrete("x"))))
    assert read(found, "x", 0x1010).location == Register(3)
    assert read(found, "x", 0x1020).location == Constant(b"\5\0\0\0")


def test_origins_are_followed_along_the_whole_chain() -> None:
    """A clone's parameter refers to an abstract one, which may refer to a declaration."""
    first = Die("formal_parameter", label="first", name="n", type=Ref("u64"))
    second = Die("formal_parameter", label="second", abstract_origin=Ref("first"))
    found = locator(abstract("g", first), abstract("h", second), function(concrete("second", op.reg3(), "formal_parameter")))
    there = read(found, "n")
    bare = strip(there.type)
    assert there.location == Register(3) and isinstance(bare, BaseType) and bare.size == 8


def test_origins_in_a_circle_end() -> None:
    a, b = Die("variable", label="a", abstract_origin=Ref("b")), Die("variable", label="b", abstract_origin=Ref("a"))
    assert names(locator(function(a, b)), 0x1000) == []


def test_a_variable_length_array_has_the_type_of_its_concrete_instance() -> None:
    bound = Die("variable", label="bound", name="n", type=Ref("u64"), artificial=True, location=op.reg3())
    vla = Die("array_type", label="vla", type=Ref("int"), children=[Die("subrange_type", upper_bound=Ref("bound"))])
    plain = ctype.array("plain", "int", None)
    a = abstract("g", plain, variable("x", label="x", kind="plain"))
    body = inlined("g", 0x1010, 8, bound, vla, concrete("x", op.expr(op.fbreg(-64), op.deref()), type=Ref("vla")))
    there = read(locator(a, function(body)), "x", 0x1010)
    assert getattr(there.type, "variable", None) is True


# -- locations at a pc --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [4, 5])
def test_a_location_holds_at_exactly_its_addresses(version: int) -> None:
    x = variable("x", loclist((0x1010, 0x1020, op.reg3()), (0x1020, 0x1024, op.expr(op.lit7(), op.stack_value()))))
    found = locator(function(x), version=version)
    assert [read(found, "x", pc).location for pc in (0x1010, 0x101F, 0x1020, 0x1023)] == [
        Register(3), Register(3), Value(Const(7)), Value(Const(7))]
    assert [slug(read(found, "x", pc).location) for pc in (0x100F, 0x1024)] == ["no-range", "no-range"]


def test_the_default_location_holds_elsewhere() -> None:
    x = variable("x", loclist((0x1010, 0x1020, op.reg3()), lle.default_location(op.reg2())))
    assert [where(x, pc=pc) for pc in (0x100F, 0x1010, 0x1020)] == [Register(2), Register(3), Register(2)]


@pytest.mark.parametrize(("first", "second", "best"), [
    (op.expr(op.entry_value(op.reg5()), op.stack_value()), op.reg3(), Register(3)),
    (op.expr(op.const8u(1), op.form_tls_address()), op.expr(op.entry_value(op.reg5()), op.stack_value()), EntryValue(Reg(5))),
    (op.expr(op.breg3(8)), op.implicit_value(b"\1\0\0\0"), Constant(b"\1\0\0\0")),
    (op.expr(op.entry_value(op.reg5()), op.plus_uconst(1), op.stack_value()), op.expr(op.breg3(1), op.stack_value()),
     Value(fold.add(Reg(3), 1))),
    (op.entry_value(op.reg5()), op.breg3(8), Memory(fold.add(Reg(3), 8))),
    (op.expr(op.GNU_parameter_ref("n"), op.stack_value()), op.expr(op.entry_value(op.reg5()), op.stack_value()),
     EntryValue(Reg(5))),
])
def test_of_several_places_at_once_the_one_that_takes_least_is_read(first: op.Expr, second: op.Expr, best: Location) -> None:
    parameter = Die("formal_parameter", label="n", name="n")
    for one, other in ((first, second), (second, first)):
        assert where(parameter, variable("x", loclist((0x1000, 0x1010, one), (0x1000, 0x1010, other)))) == best


def test_a_variable_without_a_location_is_optimized_out() -> None:
    assert slug(where(variable("x"))) == "optimized-out"
    assert slug(where(variable("x", op.expr()))) == "optimized-out"


def test_a_declaration_in_a_block_is_no_definition() -> None:
    assert slug(where(variable("x", external=True, declaration=True))) == "declaration"


def parameter(*entries: Any, **fields: Any) -> Die:
    """A parameter x with a location list; without more in it, one that says rbx everywhere."""
    more = entries if fields else (*entries, (0x1000, 0x1010, op.reg3()))
    return Die("formal_parameter", name="x", type=Ref("int"), location=loclist(*more, **fields))


def test_a_parameter_at_its_functions_entry_is_what_was_passed() -> None:
    """`if (x-- > 0)` first in a function comes to no code of its own: an empty entry says where x was passed, another one what
    it is behind that statement (copy_strings_kernel of Linux 6.12)."""
    less = op.expr(op.breg5(-1), op.stack_value())
    x = parameter((0x1000, 0x1000, op.reg5()), (0x1000, 0x1010, less), views=((0, 2), (2, 0)))
    assert where(x) == Register(5)
    found = locator(function(x))
    assert where(x, pc=0x1001) == Value(fold.add(Reg(5), -1))
    at_entry = found.entry_variable(site(found, 0x1010), "x")
    assert at_entry is not None and at_entry.location == EntryValue(Reg(5))


@pytest.mark.parametrize("inner", [
    variable("x", loclist((0x1000, 0x1000, op.reg5()), (0x1000, 0x1010, op.reg3()))),
    Die("lexical_block", low_pc=0x1000, high_pc=0x10, children=[parameter((0x1000, 0x1000, op.reg5()))]),
    parameter((0x1008, 0x1008, op.reg5())),
])
def test_an_empty_entry_of_anything_else_holds_nowhere(inner: Die) -> None:
    assert where(inner) == where(inner, pc=0x1008) == Register(3)


@pytest.mark.parametrize("location", [Form("sec_offset", 0x7000), Form("string", "abc"), Form("loclistx", 77)])
def test_a_location_that_leads_nowhere_is_damaged(location: Form) -> None:
    assert slug(where(variable("x", location))) == "damaged"


def test_a_discarded_variable_is_never_read() -> None:
    assert slug(where(variable("x", op.addr(0)))) == "discarded"


# -- constants ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "value", "expected"), [
    ("int", 5, b"\5\0\0\0"), ("int", -1, b"\xff" * 4), ("int", Form("sdata", -2), b"\xfe\xff\xff\xff"),
    ("int", Form("udata", 300), b"\x2c\1\0\0"), ("int", Form("data1", 0xFF), b"\xff\0\0\0"),
    ("int", Form("data2", 0x8000), b"\0\x80\0\0"), ("int", Form("data4", 0xFFFFFFFF), b"\xff" * 4),
    ("int", Form("data8", 0xFFFFFFFFFFFFFFFE), b"\xfe\xff\xff\xff"), ("int", Form("implicit_const", -3), b"\xfd\xff\xff\xff"),
    ("u64", Form("data1", 0xFF), b"\xff" + bytes(7)), ("u64", Form("sdata", -1), b"\xff" * 8), ("char", 0x41, b"A"),
    ("s128", Form("data16", 1 << 100), (1 << 100).to_bytes(16, "little")), ("s128", Form("sdata", -2), b"\xfe" + b"\xff" * 15),
    ("int", b"\1\2\3\4", b"\1\2\3\4"), ("text", b"abcd", b"abcd"), ("text", Form("block2", b"abc\0"), b"abc\0"),
    ("text", Form("string", "abc"), b"abc\0"), ("text", Form("strp", "abc"), b"abc\0"), ("text", Form("strp", "a"), b"a\0\0\0"),
    ("text", Form("strx", "abcdef"), b"abcd"),
])
def test_a_constant_of_every_form_has_its_types_bytes(kind: str, value: object, expected: bytes) -> None:
    assert where(variable("x", kind=kind, const_value=value)) == Constant(expected)


@pytest.mark.parametrize(("value", "expected"), [
    (Form("addr", 0x4010), Value(Address(0x4010))), (Form("addrx", Addr(0x4010)), Value(Address(0x4010))),
])
def test_a_constant_address_moves_with_the_kernel(value: object, expected: Location) -> None:
    """gcc writes &variable as DW_AT_const_value of an address form."""
    assert where(variable("x", kind="pointer", const_value=value)) == expected


@pytest.mark.parametrize(("kind", "value", "why"), [
    ("pointer", Form("addr", 0), "discarded"), ("int", b"\1\2", "damaged"), ("none", 5, "damaged"),
    ("int", Form("sec_offset", 5), "damaged"), ("int", Form("ref4", "int"), "damaged"), ("int", Form("strp", 0x7000), "damaged"),
])
def test_a_constant_that_does_not_fit_its_type_is_absent(kind: str, value: object, why: str) -> None:
    assert slug(where(variable("x", kind=kind, const_value=value))) == why


# -- frames ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("section", ["debug_frame", "eh_frame"])
def test_the_frame_is_where_the_call_frame_information_has_it_at_the_pc(section: str) -> None:
    """CFA-24: rsp-16 at the entry, rsp-8 behind the push, rbp-8 from then on."""
    fields: dict[str, Any] = {"debug_frame": (), section: [FRAME]}
    places = [where(variable("x", op.fbreg(-24)), pc=pc, **fields) for pc in (0x1000, 0x1001, 0x1003, 0x1004, 0x10FF)]
    assert places == [Memory(fold.add(Reg(7), -16)), *[Memory(fold.add(Reg(7), -8))] * 2, *[Memory(fold.add(Reg(6), -8))] * 2]


@pytest.mark.parametrize(("frame_base", "expected"), [
    (op.expr(op.breg6(8), op.stack_value()), fold.add(Reg(6), -16)),
    (op.expr(op.breg3(0), op.deref()), fold.add(Load(Reg(3)), -24)), (op.bregx(6, 16), fold.add(Reg(6), -8)),
    (op.expr(op.call_frame_cfa(), op.lit16(), op.minus()), fold.add(Reg(7), -32)),
    (loclist((0x1000, 0x1001, op.breg7(8)), (0x1001, 0x1100, op.breg7(16))), fold.add(Reg(7), -16)),
])
def test_every_form_of_frame_base_is_understood(frame_base: object, expected: Any) -> None:
    """old gcc has a location list; clang DW_OP_reg6, whose value is the frame base: see below."""
    found = locator(function(variable("x", op.fbreg(-24)), frame_base=frame_base))
    assert read(found, "x").location == Memory(expected)


WITHOUT_FRAME_POINTER = Fde(Cie((cfa.def_cfa(7, 8), cfa.offset(16, 1))), 0x1000, 0x100, (
    cfa.advance(1), cfa.def_cfa_offset(16), cfa.advance(4), cfa.def_cfa_offset(48), cfa.advance(0x3B),
    cfa.def_cfa_offset(56), cfa.advance(4), cfa.def_cfa_offset(48), cfa.advance(0xB0), cfa.def_cfa_offset(8)))
"""push %rbx; sub $0x20,%rsp; the body, with an argument pushed at 0x1040; add $0x28,%rsp at 0x10f4."""


@pytest.mark.parametrize(("location", "frame_base"), [
    (op.breg7(4), None), (op.fbreg(4), op.reg7()), (op.expr(op.bregx(7, 4), op.stack_value()), None),
    (op.expr(op.fbreg(4), op.deref()), op.reg7()),
    (op.expr(op.breg7(4), op.piece(2), op.reg3(), op.piece(2)), None)])
def test_a_place_relative_to_the_stack_pointer_is_there_in_the_body_only(location: object, frame_base: object) -> None:
    """As clang has it: one location for the whole function, wrong while the stack pointer is on its way."""
    found = locator(function(variable("x", location), frame_base=frame_base), debug_frame=[WITHOUT_FRAME_POINTER])
    places = {pc: read(found, "x", pc).location for pc in range(0x1000, 0x1100)}
    absent = {pc for pc, place in places.items() if isinstance(place, Absent) and slug(place) == "no-frame"}
    assert absent == {*range(0x1000, 0x1005), *range(0x1040, 0x1044), *range(0x10F4, 0x1100)}


def test_a_place_relative_to_the_stack_pointer_is_not_proven_where_the_function_aligns_its_stack() -> None:
    """gcc, -mstackrealign and its kin: the frame is found by %rbp, nothing tells when %rsp has been aligned."""
    assert {slug(where(variable("x", op.breg7(352)), pc=pc)) for pc in range(0x1000, 0x1100)} == {"no-frame"}


ALIGNED = Fde(Cie((cfa.def_cfa(7, 8), cfa.offset(16, 1))), 0x1000, 0x100, (
    cfa.advance(5), cfa.def_cfa(10, 0), cfa.advance(13), cfa.expression(6, op.breg6(0)), cfa.advance(2),
    cfa.def_cfa_expression(op.expr(op.breg6(-8), op.deref())), cfa.advance(0xE0), cfa.def_cfa(10, 0),
    cfa.advance(4), cfa.def_cfa(7, 8)))
"""gcc: lea 0x8(%rsp),%r10; and $-16,%rsp; push -0x8(%r10); push %rbp; mov %rsp,%rbp; push %r10; at the end pop %r10; pop %rbp;
lea -0x8(%r10),%rsp."""


@pytest.mark.parametrize(("location", "frame_base", "there"), [
    (op.breg6(-64), None, range(0x1014, 0x10F4)), (op.bregx(6, -64), None, range(0x1014, 0x10F4)),
    (op.fbreg(-64), op.reg6(), range(0x1014, 0x10F4)), (op.fbreg(-64), op.regx(6), range(0x1014, 0x10F4)),
    (op.bregx(10, 0), None, [*range(0x1005, 0x1014), *range(0x10F4, 0x10F8)]),
])
def test_a_place_relative_to_the_frames_register_is_there_while_that_finds_the_frame(
    location: object, frame_base: object, there: Sequence[int]
) -> None:
    """Locals at %rbp, arguments in memory at %r10: one location for the whole function.  At its entry %rbp is the caller's:
    device_create() of Linux 6.1 has its va_list so."""
    found = locator(function(variable("x", location), frame_base=frame_base), debug_frame=[ALIGNED])
    places = {pc: read(found, "x", pc).location for pc in range(0x1000, 0x1100)}
    assert {pc for pc, place in places.items() if isinstance(place, Memory)} == set(there)
    assert {slug(place) for pc, place in places.items() if pc not in there} == {"not-tracked"}


def test_an_argument_in_memory_is_behind_the_frame_where_its_function_aligns_the_stack() -> None:
    """gcc gives it relative to the register in which it once had the CFA, which holds anything later."""
    fields: dict[str, Any] = {"debug_frame": [ALIGNED]}
    places = [where(variable("x", op.breg10(8)), pc=pc, **fields) for pc in (0x1000, 0x1005, 0x1014, 0x10F0, 0x10F4, 0x10F8)]
    slot = Load(fold.add(Reg(6), -8))
    frames = [fold.add(Reg(7), 8), Reg(10), slot, slot, Reg(10), fold.add(Reg(7), 8)]
    assert places == [Memory(fold.add(frame, 8)) for frame in frames]
    assert slug(where(variable("x", op.breg9(8)), **fields)) == "not-tracked"
    assert slug(where(variable("x", op.expr(op.breg10(8), op.deref())), **fields)) == "not-tracked"


@pytest.mark.parametrize(("register", "kept"), [(10, 0), (10, 8), (0, 8), (11, 24)])
def test_an_argument_is_as_far_behind_the_frame_as_behind_the_register_that_keeps_it(register: int, kept: int) -> None:
    frame = Fde(Cie((cfa.def_cfa(7, 8), cfa.offset(16, 1))), 0x1000, 0x100, (
        cfa.advance(5), cfa.def_cfa(register, kept), cfa.advance(13), cfa.def_cfa(6, 16)))
    argument = variable("x", getattr(op, f"breg{register}")(kept + 16))
    assert where(argument, debug_frame=[frame]) == Memory(fold.add(Reg(7), 24))
    assert where(argument, debug_frame=[frame], pc=0x1005) == Memory(fold.add(Reg(register), kept + 16))
    assert where(argument, debug_frame=[frame], pc=0x1012) == Memory(fold.add(Reg(6), 32))


def test_a_place_relative_to_the_frame_pointer_is_there_when_it_is_set_up() -> None:
    places = {pc: where(variable("x", op.breg6(-24)), pc=pc) for pc in range(0x1000, 0x1100)}
    assert {pc for pc, place in places.items() if place == Memory(fold.add(Reg(6), -24))} == set(range(0x1004, 0x1100))


def test_a_number_in_two_registers_for_all_of_a_function_is_proven_nowhere() -> None:
    """gcc does not track an __int128: it names the registers that it is in after they are loaded and until they are needed.
    It tracks a struct in two registers."""
    both = op.expr(op.reg12(), op.piece(8), op.reg13(), op.piece(8))
    assert slug(where(variable("x", both, "s128"))) == "not-tracked"
    assert isinstance(where(variable("x", op.expr(op.reg12(), op.piece(2), op.reg13(), op.piece(2)), "text")), Pieces)
    assert isinstance(where(variable("x", loclist((0x1000, 0x1100, both)), "s128")), Pieces)


@pytest.mark.parametrize("location", [op.reg0(), op.regx(0), op.expr(op.reg0(), op.piece(4))])
def test_a_register_of_an_asm_statement_is_proven_nowhere(location: op.Op | op.Expr) -> None:
    """gcc's one location for all of a scope: `register int x asm("eax")`, as get_user() and hypercalls have it.  Parameters that
    stay in their register have such a location too, and clang's variables."""
    x = variable("x", location)
    parameter = Die("formal_parameter", name="x", type=Ref("int"), location=location)
    assert slug(where(x, producer="GNU C11 12.2.0 -O2")) == "not-tracked"
    assert not isinstance(where(variable("x", loclist((0x1000, 0x1100, location))), producer="GNU C11 12.2.0 -O2"), Absent)
    assert not isinstance(where(parameter, producer="GNU C11 12.2.0 -O2"), Absent)
    assert not isinstance(where(x, producer="clang version 19.1.7"), Absent)


def test_a_place_in_a_location_list_is_what_the_list_says() -> None:
    """There the compiler knows the pc."""
    x = variable("x", loclist((0x1000, 0x1100, op.breg7(4))))
    assert where(x, pc=0x1000, debug_frame=[WITHOUT_FRAME_POINTER]) == Memory(fold.add(Reg(7), 4))


def test_a_frame_base_list_is_looked_up_at_the_pc() -> None:
    base = loclist((0x1000, 0x1001, op.breg7(8)), (0x1001, 0x1004, op.breg7(16)))
    found = locator(function(variable("x", op.fbreg(0)), frame_base=base))
    assert read(found, "x", 0x1001).location == Memory(fold.add(Reg(7), 16))
    assert slug(read(found, "x", 0x1004).location) == "no-frame-base"


@pytest.mark.parametrize(("frame_base", "why"), [
    (op.fbreg(0), "no-frame-base"), (op.implicit_value(b"\1"), "no-frame-base"), (op.regx(17), "register"),
    (Form("string", "x"), "damaged"),
])
def test_a_frame_base_that_cannot_be_had_makes_the_variable_absent(frame_base: object, why: str) -> None:
    assert slug(read(locator(function(variable("x", op.fbreg(0)), frame_base=frame_base)), "x").location) == why


def test_a_function_without_a_frame_base_has_no_frame() -> None:
    f = Die("subprogram", name="f", low_pc=0x1000, high_pc=0x100, children=[variable("x", op.fbreg(0))])
    assert slug(read(locator(f), "x").location) == "no-frame-base"


def test_an_inlined_function_has_the_frame_of_the_one_it_is_in() -> None:
    a = abstract("g", variable("x", label="x"))
    found = locator(a, function(inlined("g", 0x1010, 0x10, concrete("x", op.fbreg(-24)))))
    assert read(found, "x", 0x1010).location == Memory(fold.add(Reg(6), -8))


@pytest.mark.parametrize(("instructions", "expected"), [
    ((cfa.def_cfa(17, 8),), "register"), ((cfa.restore_state(),), "damaged"),
    ((cfa.def_cfa_expression(op.call_frame_cfa()),), "no-cfi"),
])
def test_a_frame_that_is_not_known_is_said_so(instructions: Any, expected: str) -> None:
    frames = [Fde(Cie((cfa.def_cfa(7, 8), cfa.offset(16, 1))), 0x1000, 0x100, instructions)]
    there = locator(function(variable("x", loclist((0x1000, 0x1100, op.fbreg(-16))))), debug_frame=frames)
    assert slug(read(there, "x").location) == expected
    reason = there.frame(site(there, 0x1000))
    assert isinstance(reason, Reason) and reason.slug == expected


def test_the_frame_of_a_site_is_its_cfa() -> None:
    there = locator(function())
    assert there.frame(site(there, 0x1000)) == fold.add(Reg(7), 8)
    assert there.frame(site(there, 0x1001)) == fold.add(Reg(7), 16)
    assert there.frame(site(there, 0x1004)) == fold.add(Reg(6), 16)


def test_a_place_relative_to_a_register_is_not_proven_without_call_frame_information() -> None:
    assert slug(where(variable("x", op.breg6(-24)), debug_frame=())) == "not-tracked"


@pytest.mark.parametrize(("data", "uses"), [
    (b"\x50", True), (b"\x6f", True), (b"\x70\x00", True), (b"\x8f\x00", True),  # reg0, reg31, breg0, breg31
    (b"\x90\x03", True), (b"\x92\x03\x00", True), (b"\x91\x00", True), (b"\x9c", True),  # regx, bregx, fbreg, call_frame_cfa
    (b"\xa5\x03\x00", True), (b"\xf5\x03\x00", True), (b"\x30\x70\x00\x22", True),  # regval_type, its GNU form; a sum
    (b"\x4f\x9f", False), (b"\x03" + bytes(8), False), (b"\x9e\x01\x00", False), (b"\xa3\x01\x55\x9f", False), (b"", False),
])
def test_what_is_made_from_registers_depends_on_where_the_program_is(data: bytes, uses: bool) -> None:
    """A number, an address, bytes and a value on entry do not."""
    assert uses_registers(decode(data, 8, 4)) is uses


def test_code_without_call_frame_information_has_no_frame() -> None:
    assert slug(where(variable("x", op.fbreg(0)), debug_frame=())) == "no-cfi"
    other = Fde(FRAME.cie, 0x1000, 4)
    assert slug(where(variable("x", op.fbreg(0)), debug_frame=[other], pc=0x1004)) == "no-cfi"


def test_a_cfa_of_several_operations_is_computed() -> None:
    """Realigned stacks: the CFA is what the slot below rbp holds, plus what the expression says."""
    wild = op.expr(op.breg6(-8), op.deref(), op.plus_uconst(16))
    frame = Fde(FRAME.cie, 0x1000, 0x100, (cfa.def_cfa_expression(wild),))
    location = where(variable("x", op.fbreg(-24)), debug_frame=[frame])
    assert location == Memory(fold.add(Load(fold.add(Reg(6), -8)), -8))


@pytest.mark.parametrize(("wild", "why"), [
    (op.call_frame_cfa(), "no-cfi"), (op.fbreg(0), "no-cfi"), (op.bregx(17, 0), "register"), (op.drop(), "damaged"),
])
def test_a_cfa_expression_that_cannot_be_had_makes_the_variable_absent(wild: op.Op, why: str) -> None:
    frame = Fde(FRAME.cie, 0x1000, 0x100, (cfa.def_cfa_expression(wild),))
    assert slug(where(variable("x", op.fbreg(0)), debug_frame=[frame])) == why


# -- pointers to variables --------------------------------------------------------------------------------------------------


def test_an_implicit_pointer_leads_to_where_the_variable_is_at_the_same_pc() -> None:
    target = variable("target", loclist((0x1000, 0x1008, op.reg3()), (0x1008, 0x1010, op.fbreg(-24))), label="target")
    x = variable("x", op.implicit_pointer("target", 4), kind="pointer")
    found = locator(function(target, x))
    there = [read(found, "x", pc).location for pc in (0x1000, 0x1008)]
    assert [(w.target, w.offset) for w in there if isinstance(w, ImplicitPointer)] == [
        (Register(3), 4), (Memory(fold.add(Reg(6), -8)), 4)]


def test_an_implicit_pointer_leads_to_a_procedure_that_holds_a_string() -> None:
    """gcc's string constants that are in no section."""
    text = Die("dwarf_procedure", label="string", location=op.implicit_value(b"hello\0"))
    location = where(text, variable("x", op.implicit_pointer("string", 1), kind="pointer"))
    assert isinstance(location, ImplicitPointer) and location.target == Constant(b"hello\0")


def test_a_variable_that_points_to_itself_ends() -> None:
    """struct list_head head = { &head, &head }, all of it in pieces."""
    pointers = op.expr(op.implicit_pointer("x", 0), op.piece(8), op.implicit_pointer("x", 0), op.piece(8))
    location = where(variable("x", pointers, label="x"))
    assert isinstance(location, Pieces)
    first = location.pieces[0].location
    assert isinstance(first, ImplicitPointer) and slug(first.target) == "too-complex"


def test_a_long_row_of_implicit_pointers_ends() -> None:
    row = [variable(f"v{n}", op.implicit_pointer(f"v{n + 1}", 0), kind="pointer", label=f"v{n}") for n in range(300)]
    found = locator(function(*row, variable("v300", op.reg1(), label="v300")))
    location, steps = read(found, "v0").location, 0
    while isinstance(location, ImplicitPointer):
        location, steps = location.target, steps + 1
    assert slug(location) == "too-complex" and steps > 10


def test_an_implicit_pointer_to_no_die_is_damaged() -> None:
    assert slug(where(variable("x", op.implicit_pointer(0x700000, 0), kind="pointer"))) == "damaged"


# -- words --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("location", "words"), [
    (op.reg3(), "DW_OP_reg3 (rbx)"), (op.fbreg(-24), "DW_OP_fbreg -24"), (op.breg7(8), "DW_OP_breg7 (rsp) 8"),
    (op.expr(op.entry_value(op.reg5()), op.stack_value()), "DW_OP_entry_value(DW_OP_reg5 (rdi)), DW_OP_stack_value"),
    (op.addr(0x4010), "DW_OP_addr 16400"), (op.implicit_value(b"\1\2"), "DW_OP_implicit_value 0102"),
    (op.expr(*[op.lit0()] * 13), ", ".join(["DW_OP_lit0"] * 12 + ["..."])), (op.expr(), "empty"),
    (op.expr(op.entry_value(b"\x02"), op.stack_value()),
     "DW_OP_entry_value(damaged: operation 0x2 is not known), DW_OP_stack_value"),
])
def test_a_location_is_told_in_words(location: op.Op | op.Expr, words: str) -> None:
    assert read(locator(function(variable("x", location))), "x").dwarf == words


# -- entry values -----------------------------------------------------------------------------------------------------------


def test_entry_values_in_an_inlined_function_are_the_concrete_functions() -> None:
    """The register at the entry of f, not at the first instruction of the copy of g: only f's frame is entered."""
    a = abstract("g", Die("formal_parameter", label="n", name="n", type=Ref("int")))
    found = locator(a, function(inlined("g", 0x1010, 0x10, concrete(
        "n", op.expr(op.entry_value(op.reg5()), op.stack_value()), "formal_parameter"))))
    assert read(found, "n", 0x1010).location == EntryValue(Reg(5))
    assert site(found, 0x1010).entry == 0x1000


def test_parameters_on_entry_are_what_their_registers_held() -> None:
    moved = loclist((0x1000, 0x1008, op.reg5()), (0x1008, 0x1010, op.reg3()))
    n = Die("formal_parameter", name="n", type=Ref("int"), location=moved)
    m = Die("formal_parameter", name="m", type=Ref("int"), location=op.fbreg(8))
    k = Die("formal_parameter", name="k", type=Ref("u64"), location=op.expr(op.breg4(1), op.stack_value()))
    own = Die("formal_parameter", name="own", type=Ref("int"), location=op.fbreg(-16))
    text = Die("formal_parameter", name="text", type=Ref("text"), location=op.fbreg(8))
    found = locator(function(n, m, k, own, text))
    there = {v.name: v.location for v in found.entry_variables(site(found, 0x1008))}
    assert there["n"] == EntryValue(Reg(5))
    assert there["m"] == Value(Entry(Load(fold.add(Reg(7), 16), 32, True), 32)), "above the return address: a caller may tell"
    assert slug(there["own"]) == slug(there["text"]) == "entry-memory"
    assert there["k"] == Value(Entry(fold.add(Reg(4), 1)))


def debug_info_of(found: Locator) -> DebugInfo:
    return found.info


def test_the_die_of_a_variable_is_the_one_that_states_its_location() -> None:
    found = three_deep()
    there = read(found, "of_h", 0x1020)
    assert debug_info_of(found).die(there.die).block(c.DW_AT_location) == b"\x53"
