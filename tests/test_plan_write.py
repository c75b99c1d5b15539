# SPDX-License-Identifier: GPL-2.0-or-later
"""SET_LOCAL_VAR: written only where debug info shows one place for the variable and nothing else in it."""

from __future__ import annotations

import ctypes
import random
from dataclasses import dataclass, replace
from typing import Any

import pytest

from localvar.arch import X86_64
from localvar.codegen.values import value_type, write_statement
from localvar.ctext.declare import type_name
from localvar.dwarf.elf import Elf
from localvar.dwarf.scope import chain_at, function_at
from localvar.images import Image as OurImage
from localvar.images import Images
from localvar.model.path import parse_path
from localvar.model.plan import Read
from localvar.model.site import ScopeRef, Site
from localvar.plan.judge import Judge
from localvar.plan.write import unwritable
from localvar.probe.sites import make_site
from tests.compiled import FIELDS, Compiled, Registers, compile_c
from tests.dwarfgen import Addr, Cie, Die, Fde, Image, Ref, Section, Symbol, Unit, cfa, ctype, loclist, nops, op

START, PC, SIZE = 0x1000, 0x1040, 0x100
BX, SI, DI, SP, R12 = 3, 4, 5, 7, 12
TYPES = [
    ctype.base("int", 4, "signed"), ctype.base("long", 8, "signed"), ctype.base("unsigned char", 1, "unsigned"),
    ctype.base("_Bool", 1, "boolean"), ctype.pointer("pointer", "int"), ctype.pointer("to_bits", "bits"),
    Die("array_type", label="flexible", type=Ref("int"), children=[Die("subrange_type")]),
    Die("array_type", label="four", type=Ref("int"), children=[Die("subrange_type", count=4)]),
    Die("structure_type", label="bits", name="bits", byte_size=8, children=[
        ctype.bit_field("low", "int", 0, 3), ctype.bit_field("sign", "int", 3, 5), ctype.bit_field("across", "int", 8, 13),
        ctype.member("word", "int", 4)]),
    Die("structure_type", label="packed", name="packed", byte_size=12, children=[
        ctype.bit_field("odd", "int", 4, 20), ctype.bit_field("wide", "long", 30, 62),
        ctype.bit_field("full", "long", 34, 62)]),
    Die("structure_type", label="two", name="two", byte_size=16, children=[
        ctype.member("first", "long", 0), ctype.member("second", "long", 8)]),
]
SECTIONS = [Section(".data", bytes(0x100), 0x4000), Section(".data..percpu", bytes(0x100), 0x5000),
            Section(".rodata", bytes(0x100), 0x6000), Section(".bss", bytes(0x100), 0x7000),
            Section(".data..ro_after_init", bytes(0x100), 0x8000)]
FRAME = (cfa.advance(1), cfa.def_cfa_offset(80))


def variable(name: str, location: object, kind: str = "int", tag: str = "variable", **attributes: Any) -> Die:
    location = op.expr(location) if isinstance(location, op.Op) else location
    return Die(tag, name=name, type=Ref(kind), location=location, **attributes)


def inlined(*variables: Die) -> Die:
    """An inlined copy that holds PC."""
    return Die("inlined_subroutine", abstract_origin=Ref("g"), low_pc=START + 0x20, high_pc=0x40, children=variables)


@dataclass(frozen=True)
class OneModule:
    """A ModuleSource of one module, whatever its name."""

    data: bytes

    def names(self, glob: str) -> tuple[str, ...]:
        return (glob,)

    def read(self, name: str) -> tuple[str, bytes]:
        return name, self.data


class World:
    """A kernel, or a module, of one function with these variables in it."""

    def __init__(self, *children: Die, frame: Any = FRAME, module: bool = False) -> None:
        f = Die("subprogram", name="f", low_pc=START, high_pc=SIZE, frame_base=op.call_frame_cfa(), children=children)
        g = Die("subprogram", name="g", label="g", inline=1)
        root = Die("compile_unit", name="a.c", low_pc=START, high_pc=0x1000, children=[*TYPES, g, f])
        fde = Fde(Cie((cfa.def_cfa(SP, 8), cfa.offset(16, 1))), START, SIZE, frame)
        sections = [replace(section, address=0) for section in SECTIONS] if module else SECTIONS
        image = Image(units=[Unit(root)], text=nops(0x2000 if module else 0x1000), sections=sections, debug_frame=[fde],
                      file_type="REL" if module else "EXEC",
                      symbols=[Symbol(f"in{one.name}", 0, 8, "OBJECT", section=one.name) for one in sections if module])
        self.data = image.elf()
        self.image = OurImage(Elf("image", self.data), X86_64)
        self.locations = Images(self.image, X86_64, lambda: OneModule(self.data))
        if module:
            (self.image,) = self.locations.matching("m")

    def site(self) -> Site:
        text = self.image.elf.section(".text")
        assert text is not None
        pc = PC + (text.address if self.image.info.module else 0)
        unit = self.image.info.unit_of_pc(pc)
        die = function_at(unit, pc) if unit else None
        assert die is not None
        return make_site(self.image.info, chain_at(die, pc), pc, self.image.resolver.probeable, outer=True)

    def read(self, path: str = "x") -> Read:
        return Judge(self.locations, X86_64, self.image.intact).local(self.site(), parse_path(path))

    def why(self, path: str = "x") -> str | None:
        """Why it cannot be written; None where it can."""
        reason = unwritable(self.read(path), self.locations, X86_64)
        assert reason is None or reason.slug == "not-writable"
        return None if reason is None else reason.text


X = variable("x", op.reg3())
SLOT = variable("x", op.fbreg(-24))
ENTRY = op.expr(op.entry_value(op.reg5()), op.lit8(), op.plus(), op.stack_value())


# -- the variable's own place ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("location", "kind", "path", "writable"), [
    (op.reg3(), "int", "x", True), (op.fbreg(-24), "int", "x", True), (op.fbreg(-24), "bits", "x.low", True),
    (op.fbreg(-24), "two", "x.second", True), (op.fbreg(-24), "two", "x", False),
    (op.reg3(), "bits", "x.low", True), (op.reg3(), "bits", "x.across", True), (op.reg3(), "bits", "x.word", True),
    (op.fbreg(-24), "packed", "x.odd", True), (op.fbreg(-24), "packed", "x.full", True),
    (op.fbreg(-24), "packed", "x.wide", False),
    (op.reg3(), "bits", "x", False), (op.reg3(), "to_bits", "x->word", False), (op.fbreg(-24), "to_bits", "x->word", False),
    (op.reg7(), "long", "x", False), (op.breg3(8), "int", "x", False), (op.addr(0x4000), "int", "x", True),
    (op.addr(0x4000), "four", "x[1]", True), (op.addr(0x4000), "flexible", "x[1]", False), (op.fbreg(-24), "four", "x[3]", True),
    (op.addr(0x5000), "int", "x", True), (op.addr(0x6000), "int", "x", False), (op.addr(0x7000), "int", "x", True),
    (op.expr(op.reg3(), op.piece(8), op.fbreg(-24), op.piece(8)), "two", "x.first", True),
    (op.expr(op.reg3(), op.piece(8), op.fbreg(-24), op.piece(8)), "two", "x.second", True),
    (op.expr(op.reg3(), op.piece(8), op.lit1(), op.stack_value(), op.piece(8)), "two", "x.second", False),
    (op.expr(op.reg3(), op.piece(2), op.reg12(), op.piece(2)), "int", "x", False),
    (op.expr(op.breg3(0), op.stack_value()), "int", "x", False), (op.implicit_value(b"\1\0\0\0"), "int", "x", False),
    (ENTRY, "long", "x", False),
])
def test_a_scalar_that_is_whole_in_one_place_is_written(location: object, kind: str, path: str, writable: bool) -> None:
    assert (World(variable("x", location, kind)).why(path) is None) is writable


def static(section: str, kind: str = "int") -> Die:
    return variable("x", op.addr(Addr(section, 0x10)), kind)


@pytest.mark.parametrize(("found", "path", "writable"), [
    (static(".data"), "x", True), (static(".bss"), "x", True), (static(".data..percpu"), "x", True),
    (static(".rodata"), "x", False), (static(".data..ro_after_init"), "x", False),
    (static(".data", "bits"), "x.sign", True), (static(".data", "two"), "x.second", True), (static(".data", "two"), "x", False),
    (static(".data", "to_bits"), "x->word", False), (static(".data", "pointer"), "x[2]", False),
    (static(".data", "flexible"), "x[2]", False),
])
def test_a_static_of_a_module_is_written_by_its_own_probes(found: Die, path: str, writable: bool) -> None:
    """While a probe in the module is hit the module is there, unlike at a place in the kernel."""
    world = World(found, module=True)
    assert (world.why(path) is None) is writable
    read = world.read(path)
    elsewhere = replace(read, site=replace(read.site, module=None))
    assert "could fault" in str(unwritable(elsewhere, world.locations, X86_64)) or not writable
    assert world.read(path).readable


def test_a_variable_that_is_in_two_places_at_once_is_not_written() -> None:
    both = loclist((START, START + 0x80, op.reg3()), (PC, PC + 4, op.reg12()))
    assert "several places at once" in (World(variable("x", both)).why() or "")
    same = loclist((START, START + 0x80, op.reg3()), (PC, PC + 4, op.reg3()))
    assert World(variable("x", same)).why() is None
    elsewhere = loclist((START, PC, op.reg12()), (PC, PC + 4, op.reg3()))
    assert World(variable("x", elsewhere)).why() is None


# -- what else is there ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("other", [
    pytest.param(op.reg3(), id="the same register"),
    pytest.param(op.expr(op.breg3(8), op.stack_value()), id="computed from it"),
    pytest.param(op.breg3(8), id="where it points to"),
    pytest.param(op.expr(op.reg3(), op.piece(4), op.reg12(), op.piece(4)), id="a piece in it"),
    pytest.param(op.expr(op.breg12(0), op.piece(4), op.breg3(0), op.stack_value(), op.piece(4)), id="a piece computed from it"),
    pytest.param(op.expr(op.reg3(), op.form_tls_address()), id="nobody knows"),
])
@pytest.mark.parametrize("outside", [False, True])
def test_a_register_that_is_of_two_variables_is_not_written(other: object, outside: bool) -> None:
    """gcc gives an inlined function's parameter the register of what was passed for it."""
    second = variable("y", other, "long")
    world = World(second, inlined(X)) if outside else World(X, inlined(second))
    assert f"'y' of {'f' if outside else 'g'}()" in (world.why() or "")


@pytest.mark.parametrize("other", [
    pytest.param(op.reg12(), id="another register"), pytest.param(op.fbreg(-24), id="memory"),
    pytest.param(op.expr(op.breg12(8), op.stack_value()), id="computed from another"),
    pytest.param(loclist((START, PC, op.reg3()), (PC, START + 0x80, op.reg12())), id="the same register before"),
    pytest.param(loclist((PC + 1, START + 0x80, op.reg3())), id="the same register afterwards"),
    pytest.param(None, id="optimized out"), pytest.param(op.expr(), id="optimized out here"),
    pytest.param(op.expr(op.entry_value(op.reg3()), op.stack_value()), id="what the register held on entry"),
])
def test_other_places_are_no_matter(other: object) -> None:
    assert World(X, inlined(variable("y", other, "long"))).why() is None


def test_a_variable_that_is_only_declared_is_no_matter() -> None:
    assert World(X, Die("variable", name="y", type=Ref("int"), declaration=True)).why() is None


def test_code_inlined_at_the_place_counts_where_the_coordinate_is_of_the_function_around_it() -> None:
    world = World(X, inlined(variable("y", op.reg3())))
    read = world.read()
    outer = replace(read, site=replace(read.site, scope=ScopeRef(read.site.scope.dies[-1:])))
    assert "'y' of g()" in str(unwritable(outer, world.locations, X86_64))


def test_a_scope_that_does_not_hold_the_place_is_no_matter() -> None:
    block = Die("lexical_block", low_pc=START, high_pc=0x10, children=[variable("y", op.reg3())])
    assert World(X, block).why() is None


@pytest.mark.parametrize(("other", "shared"), [
    (op.fbreg(-24), True), (op.fbreg(-21), True), (op.fbreg(-27), True), (op.fbreg(-20), False), (op.fbreg(-28), False),
    (op.expr(op.fbreg(-24), op.deref(), op.stack_value()), True), (op.expr(op.fbreg(-16), op.deref(), op.stack_value()), False),
    (op.expr(op.fbreg(-32), op.piece(8), op.fbreg(-24), op.piece(8)), True),
    (op.expr(op.fbreg(-40), op.piece(8), op.fbreg(-48), op.piece(8)), False), (op.reg3(), False),
    (op.expr(op.fbreg(-32), op.piece(8), op.reg12(), op.piece(8)), False),
    (op.expr(op.fbreg(-32), op.piece(9), op.reg12(), op.piece(7)), True),
])
def test_a_slot_is_written_where_no_other_variable_overlaps(other: object, shared: bool) -> None:
    kind = "two" if isinstance(other, op.Expr) and len(other.items) == 4 else "int" if isinstance(other, op.Op) else "long"
    why = World(SLOT, inlined(variable("y", other, kind))).why()
    assert ("'y' of g()" in (why or "")) is shared
    assert shared or why is None


MEMORY = [
    pytest.param(op.fbreg(-24), op.breg12(0), True, id="a slot, behind a pointer"),
    pytest.param(op.fbreg(-24), op.expr(op.breg12(0), op.deref(), op.stack_value()), True, id="a slot, loaded from a pointer"),
    pytest.param(op.fbreg(-24), op.breg6(-24), True, id="a slot, and one by another register"),
    pytest.param(op.fbreg(-24), op.expr(op.breg7(8), op.deref()), True, id="a slot, behind a pointer in the frame"),
    pytest.param(op.fbreg(-24), op.breg7(56), True, id="a slot, the same by the stack pointer"),
    pytest.param(op.fbreg(-24), op.breg7(60), False, id="a slot, the next by the stack pointer"),
    pytest.param(op.fbreg(-24), op.addr(0x4010), False, id="a slot, linked"),
    pytest.param(op.fbreg(-80), op.fbreg(-76), False, id="the last slot, the next"),
    pytest.param(op.fbreg(-80), op.fbreg(-80), True, id="the last slot, the same"),
    pytest.param(op.fbreg(-24), op.expr(op.breg7(0), op.const1s(-16), op.and_()), True, id="a slot, by an aligned address"),
    pytest.param(op.addr(0x4010), op.addr(0x400D), True, id="linked, the same"),
    pytest.param(op.addr(0x4010), op.addr(0x4008), False, id="linked, in front of it"),
    pytest.param(op.addr(0x4010), op.addr(0x4014), False, id="linked, behind it"),
    pytest.param(op.addr(0x4010), op.expr(op.addr(0x4010), op.deref(), op.stack_value()), True, id="linked, loaded from there"),
    pytest.param(op.addr(0x4010), op.breg12(0), True, id="linked, behind a pointer"),
    pytest.param(op.addr(0x4010), op.fbreg(-24), False, id="linked, a slot"),
    pytest.param(op.addr(0x4010), op.addr(0x5010), False, id="linked, of each CPU"),
]


@pytest.mark.parametrize(("place", "other", "shared"), MEMORY)
def test_memory_is_written_where_what_else_is_in_memory_is_surely_elsewhere(place: object, other: Any, shared: bool) -> None:
    """gcc describes a local variable that was loaded from p->a as the memory behind p, which may be any."""
    kind = "long" if isinstance(other, op.Expr) and "stack_value" in str(other) else "int"
    why = World(variable("x", place), inlined(variable("y", loclist((START, START + SIZE, other)), kind))).why()
    assert ("'y' of g()" in (why or "")) is shared
    assert shared or why is None


def test_what_a_pointer_that_is_gone_points_to_counts_unless_that_is_the_variable_itself() -> None:
    def pointing(target: str) -> str | None:
        pointer = variable("p", op.implicit_pointer(Ref(target), 0), "pointer")
        gone = Die("lexical_block", low_pc=START, high_pc=4, children=[variable("y", op.fbreg(-24), label="y")])
        return World(variable("x", op.fbreg(-24), label="x"), pointer, gone).why()

    assert pointing("x") is None
    assert "'p' of f()" in (pointing("y") or "")


def test_a_parameter_whose_value_on_entry_is_used_is_not_written() -> None:
    places = loclist((START, START + 4, op.reg5()), (START + 4, START + 0x80, op.reg3()))
    parameter = variable("x", places, "long", "formal_parameter")
    assert "its value on entry" in (World(parameter, variable("y", ENTRY, "long")).why() or "")
    itself = op.expr(op.entry_value(op.reg5()), op.stack_value())
    assert "its value on entry" in (World(parameter, variable("y", itself, "long")).why() or "")
    in_part = op.expr(op.reg12(), op.piece(8), op.entry_value(op.reg5()), op.stack_value(), op.piece(8))
    assert "its value on entry" in (World(parameter, variable("y", in_part, "two")).why() or "")
    of_another = op.expr(op.entry_value(op.reg4()), op.stack_value())
    for other in (of_another, op.reg12()):
        assert World(parameter, variable("y", other, "long")).why() is None


def test_a_parameter_of_an_inlined_function_is_written() -> None:
    assert World(inlined(variable("x", op.reg3(), tag="formal_parameter")), variable("y", ENTRY, "long")).why() is None


def test_a_register_that_the_frame_is_found_by_is_not_written() -> None:
    world = World(X, frame=(cfa.advance(1), cfa.def_cfa_register(BX)))
    assert "the frame" in (world.why() or "")


# -- the write ------------------------------------------------------------------------------------------------------


def setter(world: World, path: str) -> Compiled:
    """`out` gets the registers after the value in r8 was written."""
    read = world.read(path)
    ctype_name = type_name(value_type(read.type))
    statement = write_statement(read, value_type(read.type), X86_64)
    return compile_c([
        "void run(const struct pt_regs *given, void *out);\nvoid run(const struct pt_regs *given, void *out)\n{\n"
        f"\tstruct pt_regs copy = *given, *regs = &copy;\n\t{ctype_name} value = ({ctype_name})given->r8;\n\n"
        f"\t{statement}\n\tmemcpy(out, &copy, sizeof(copy));\n}}\n"])


@pytest.mark.parametrize(("path", "low", "size"), [
    ("x.low", 0, 3), ("x.sign", 3, 5), ("x.across", 8, 13), ("x.word", 32, 32)])
@pytest.mark.parametrize("location", [op.reg3(), op.expr(op.reg3(), op.piece(8))])
def test_a_member_in_a_register_is_written_and_no_bit_beside_it(path: str, low: int, size: int, location: object) -> None:
    compiled = setter(World(variable("x", location, "bits")), path)
    numbers, mask = random.Random(7), (1 << size) - 1
    for value in (0, 1, mask, mask + 1, numbers.getrandbits(31)):
        before = {number: numbers.getrandbits(64) for number in range(16)} | {8: value}
        after = Registers.from_buffer_copy(compiled.call("run", before, 8 * len(FIELDS)))
        expected = before | {BX: before[BX] & ~(mask << low) | (value & mask) << low}
        assert [getattr(after, X86_64.pt_regs[number]) for number in range(16)] == [expected[number] for number in range(16)]


@pytest.mark.parametrize(("kind", "path", "low", "size"), [
    ("int", "x", 0, 32), ("unsigned char", "x", 0, 8), ("bits", "x.low", 0, 3), ("bits", "x.sign", 3, 5),
    ("bits", "x.across", 8, 13), ("bits", "x.word", 32, 32), ("packed", "x.odd", 4, 20), ("two", "x.second", 64, 64)])
def test_a_member_in_memory_is_written_and_no_byte_beside_it(kind: str, path: str, low: int, size: int) -> None:
    compiled = setter(World(variable("x", op.fbreg(-24), kind)), path)
    numbers, mask, place = random.Random(7), (1 << size) - 1, 80 - 24
    for value in (0, 1, mask, numbers.getrandbits(31)):
        before = numbers.getrandbits(8 * 96)
        compiled.fill(before.to_bytes(96, "little"))
        registers = {number: numbers.getrandbits(64) for number in range(16)} | {8: value, SP: compiled.memory_address}
        after = Registers.from_buffer_copy(compiled.call("run", registers, 8 * len(FIELDS)))
        assert [getattr(after, X86_64.pt_regs[number]) for number in range(16)] == [registers[number] for number in range(16)]
        at = 8 * place + low
        expected = before & ~(mask << at) | (value & mask) << at
        assert int.from_bytes(ctypes.string_at(compiled.memory_address, 96), "little") == expected


def test_a_bit_field_is_written_within_its_own_bytes() -> None:
    """A read and a write back of the byte behind would undo what another CPU does there meanwhile."""
    world = World(variable("x", op.fbreg(-24), "packed"))
    read = world.read("x.odd")
    assert write_statement(read, value_type(read.type), X86_64).endswith("memcpy((void *)(regs->sp + 56), &storage, 3);")


def test_the_bits_beside_a_piece_stay_as_they_are() -> None:
    compiled = setter(World(variable("x", op.expr(op.reg3(), op.piece(4)))), "x")
    after = Registers.from_buffer_copy(compiled.call("run", {8: 5, BX: (1 << 64) - 1}, 8 * len(FIELDS)))
    assert after.bx == 0xFFFF_FFFF_0000_0005


@pytest.mark.parametrize(("kind", "value", "expected"), [
    ("int", -2, 0xFFFF_FFFF_FFFF_FFFE), ("long", -2, 0xFFFF_FFFF_FFFF_FFFE), ("unsigned char", 0x1FF, 0xFF), ("_Bool", 5, 1),
    ("pointer", 1 << 63, 1 << 63)])
def test_a_whole_variable_in_a_register_is_extended_by_its_type(kind: str, value: int, expected: int) -> None:
    """Code behind may go on with the whole register: where it extended an int, it did so by its sign."""
    compiled = setter(World(variable("x", op.reg3(), kind)), "x")
    after = Registers.from_buffer_copy(compiled.call("run", {8: value & (1 << 64) - 1, BX: (1 << 64) - 1}, 8 * len(FIELDS)))
    assert after.bx == expected
