# SPDX-License-Identifier: GPL-2.0-or-later
"""Expressions from DWARF to C that has been compiled and run, against an independent evaluation of the DWARF."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from localvar.arch import X86_64
from localvar.codegen.expr import UNSIGNED, c_expression
from localvar.dwarf import constants as c
from localvar.dwarf.expression import evaluate
from localvar.dwarf.stack import Context
from localvar.dwarf.unit import Die as OurDie
from localvar.model import fold
from localvar.model.ctype import BaseType, Declared, Encoding
from localvar.model.expr import Address, Binary, Const, Entry, Expr, Extend, Load, Op, Reg, Select, Unary
from localvar.model.location import Location, Memory, absent
from localvar.model.path import Path
from localvar.model.plan import Read, Scalar, Variable, VariableKind
from localvar.model.site import NOWHERE
from localvar.plan.read import plan_read
from tests.compiled import MEMORY_SIZE, Compiled, compile_c, function
from tests.dwarf_expressions import (
    ARITHMETIC,
    BASE_TYPES,
    COMPARE,
    EDGES,
    SAFE,
    SCRATCH,
    SHIFTS,
    SP,
    TYPES,
    any_value,
    make,
    typed_values,
)
from tests.dwarf_reference import Program, Undefined, bits_of, locate
from tests.dwarf_support import debug_info
from tests.dwarfgen import Die, Image, Unit, op
from tests.dwarfgen.op import Expr as Items

FRAME_BASE, CFA = 64, 80
"""Distances from the stack pointer."""
MEMORY = random.Random(1).randbytes(MEMORY_SIZE)


@dataclass(frozen=True)
class Case:
    """A value of so many bits that an expression describes, and localvar's way to read it."""

    items: Items
    bits: int
    read: Read


def locations(expressions: Sequence[Items]) -> list[Location]:
    """What localvar makes of expressions."""
    variables = [Die("variable", location=items) for items in expressions]
    image = Image(units=[Unit(Die("compile_unit", name="a.c", children=[*BASE_TYPES, *variables]))])
    unit = debug_info(image).unit(0)
    stack_pointer = Reg(SP)
    context = Context(unit, X86_64, lambda: fold.add(stack_pointer, FRAME_BASE), lambda: fold.add(stack_pointer, CFA),
                      lambda _: absent("test", "no variable"))
    blocks = [OurDie(unit, entry).block(c.DW_AT_location) for entry in unit.top_level]
    return [evaluate(block, context) for block in blocks if block is not None]


def plan(location: Location, bits: int) -> Read:
    """How a variable of an unsigned type of so many bits is read."""
    ctype = BaseType(1, "test", bits // 8, Encoding.UNSIGNED)
    variable = Variable("x", VariableKind.LOCAL, ctype, "f", location, "", 0, Declared(None, 0))
    return plan_read(NOWHERE, variable, Path("x"), X86_64)


def cases(expressions: Sequence[tuple[Items, int]]) -> list[Case]:
    found = locations([items for items, _ in expressions])
    return [Case(items, bits, plan(location, bits)) for (items, bits), location in zip(expressions, found, strict=True)]


def compile_cases(found: Sequence[Case]) -> Compiled:
    """One function `read_N` for each case that is readable."""
    parts = []
    for number, case in enumerate(found):
        if case.read.readable:
            assert isinstance(case.read.source, Scalar)
            parts.append(function(f"read_{number}", UNSIGNED[case.bits], c_expression(case.read.source.expr, X86_64)))
    compiled = compile_c(parts)
    compiled.fill(MEMORY)
    return compiled


def registers(compiled: Compiled, numbers: random.Random) -> dict[int, int]:
    """Registers of any contents, with the stack pointer and one other within the memory."""
    pool = [*EDGES, *(numbers.getrandbits(64) for _ in range(6)), compiled.memory_address + 0x3000]
    found = {number: numbers.choice(pool) for number in SCRATCH}
    return found | {SP: compiled.memory_address + 0x1000, SAFE: compiled.memory_address + 0x6000}


def program(compiled: Compiled, regs: dict[int, int], memory: bytes = MEMORY) -> Program:
    def load(address: int, size: int) -> int:
        at = address - compiled.memory_address
        return int.from_bytes(memory[at : at + size], "little") if 0 <= at <= MEMORY_SIZE - size else 0

    return Program(regs, load, TYPES, cfa=regs[SP] + CFA, frame_base=regs[SP] + FRAME_BASE)


def reference(case: Case, world: Program) -> int | None:
    """The value by the standard; None where it has none."""
    try:
        return bits_of(locate(case.items, world), 0, case.bits, world)
    except Undefined:
        return None


def assert_same_values(found: Sequence[Case], seed: int, rounds: int = 4) -> int:
    """Compile the cases, run each with several sets of registers; gives how many values were compared."""
    compiled = compile_cases(found)
    numbers, compared = random.Random(seed), 0
    for _ in range(rounds):
        regs = registers(compiled, numbers)
        world = program(compiled, regs)
        for number, case in enumerate(found):
            expected = reference(case, world) if case.read.readable else None
            if expected is not None:  # None here: it divides by zero what it drops
                value = int.from_bytes(compiled.call(f"read_{number}", regs, case.bits // 8), "little")
                assert value == expected, f"{case.items}\n{case.read.source}\n{regs}"
                compared += 1
    return compared


# -- any expression -------------------------------------------------------------------------------------------------

ABSENT = {"division", "operation", "no-frame", "too-complex", "width"}
generic = st.lists(any_value.map(lambda items: (op.expr(items, op.stack_value()), 64)), min_size=8, max_size=24)
typed = st.lists(st.sampled_from(sorted(TYPES)).flatmap(
    lambda name: typed_values(name, 3).map(lambda items: (op.expr(items, op.stack_value()), TYPES[name].bits))),
    min_size=8, max_size=24)
# each step of shrinking takes a compilation: what fails is shown as it was drawn, one case of it by the assertion
PHASES = [Phase.explicit, Phase.reuse, Phase.generate]
QUICK = settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck), phases=PHASES)


@QUICK
@given(generic, st.integers(0, 1 << 30))
def test_any_generic_expression_compiles_to_its_value(expressions: list[tuple[Items, int]], seed: int) -> None:
    found = cases(expressions)
    assert {case.read.reason.slug for case in found if case.read.reason} <= ABSENT
    assert_same_values(found, seed)


@QUICK
@given(typed, st.integers(0, 1 << 30))
def test_any_typed_expression_compiles_to_its_value(expressions: list[tuple[Items, int]], seed: int) -> None:
    found = cases(expressions)
    assert {case.read.reason.slug for case in found if case.read.reason} <= ABSENT
    assert_same_values(found, seed)


def test_most_random_expressions_are_readable() -> None:
    """A generator of nothing but divisions by zero would pass the tests above."""
    drawn: list[tuple[Items, int]] = []

    @settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck), phases=PHASES, database=None)
    @given(any_value)
    def draw(items: Items) -> None:
        drawn.append((op.expr(items, op.stack_value()), 64))

    draw()
    found = cases(drawn)
    assert sum(case.read.readable for case in found) > 0.8 * len(found) > 100


# -- each operation -------------------------------------------------------------------------------------------------

LEFT, RIGHT = op.breg0(0), op.breg1(0)
GENERIC: dict[str, Items] = {
    **{name: op.expr(LEFT, RIGHT, make(name)) for name in (*ARITHMETIC, *SHIFTS, *COMPARE)},
    **{name: op.expr(LEFT, make(name)) for name in ("neg", "not", "abs")},
    **{f"{name} by {divisor}": op.expr(LEFT, op.consts(divisor), make(name))
       for name in ("div", "mod") for divisor in (1, 2, 3, -2, -7, 1 << 62, -(1 << 63))},
    **{f"{name} by {count}": op.expr(LEFT, op.constu(count), make(name))
       for name in SHIFTS for count in (0, 1, 63, 64, 65, 255, (1 << 64) - 1)},
    "plus_uconst": op.expr(LEFT, op.plus_uconst((1 << 64) - 5)),
    **{f"deref_size {size}": op.expr(op.breg15(3), op.deref_size(size)) for size in (1, 2, 4, 8)},
    "deref of the frame": op.expr(op.fbreg(8), op.deref()),
    "deref that faults": op.expr(op.lit3(), op.deref()),
    "call_frame_cfa": op.expr(op.call_frame_cfa()),
    "bregx": op.expr(op.bregx(12, -300)),
    "regval_type of a part": op.expr(op.regval_type(0, "s16"), op.convert(0)),
    "bra": op.expr(LEFT, op.bra("yes"), op.lit1(), op.skip("end"), op.label("yes"), RIGHT, op.label("end")),
    "comparisons are numbers": op.expr(LEFT, RIGHT, op.lt(), op.const1u(40), op.shl(), LEFT, RIGHT, op.gt(), op.minus(),
                                       op.lit1(), op.shr()),
}


@pytest.fixture(scope="module")
def operations() -> tuple[dict[str, Case], Compiled, list[str]]:
    """Each operation alone: with generic operands, and with operands of every base type."""
    found = {name: op.expr(items, op.stack_value()) for name, items in GENERIC.items()}
    widths = dict.fromkeys(found, 64)
    for label, kind in TYPES.items():
        operand = [op.expr(op.breg15(offset), op.deref_type(kind.bits // 8, label)) for offset in (0, 40)]
        for name in (*ARITHMETIC, *SHIFTS, *COMPARE):
            items = op.expr(*operand, make(name), op.stack_value())
            found[f"{label} {name}"], widths[f"{label} {name}"] = items, 64 if name in COMPARE else kind.bits
        for name in ("neg", "not", "abs"):
            found[f"{label} {name}"], widths[f"{label} {name}"] = op.expr(operand[0], make(name), op.stack_value()), kind.bits
        for other, target in TYPES.items():
            items = op.expr(operand[0], op.convert(other), op.stack_value())
            found[f"{label} to {other}"], widths[f"{label} to {other}"] = items, target.bits
        for divisor in (3, (1 << kind.bits) - 2) if kind.bits < 128 else ():
            for name in ("div", "mod"):
                data = divisor.to_bytes(kind.bits // 8, "little")
                items = op.expr(operand[0], op.const_type(label, data), make(name), op.stack_value())
                found[f"{label} {name} by {divisor}"], widths[f"{label} {name} by {divisor}"] = items, kind.bits
    made = cases([(items, widths[name]) for name, items in found.items()])
    return dict(zip(found, made, strict=True)), compile_cases(made), list(found)


def test_every_operation_has_its_value_for_edge_operands(operations: tuple[dict[str, Case], Compiled, list[str]]) -> None:
    found, compiled, names = operations
    assert [name for name, case in found.items() if not case.read.readable] == []
    compared = 0
    for left in EDGES:
        for right in (0, 1, 7, 63, 64, 200, 1 << 31, 1 << 63, (1 << 64) - 1):
            data = (left.to_bytes(8, "little") + right.to_bytes(8, "little")) * 2 + bytes(8)
            regs = {0: left, 1: right, 12: 7, SP: compiled.memory_address + 0x1000, SAFE: compiled.memory_address + 0x6000}
            memory = MEMORY[:0x6000] + data + right.to_bytes(8, "little") * 2 + MEMORY[0x6000 + len(data) + 16 :]
            compiled.fill(memory)
            world = program(compiled, regs, memory)
            for name, case in found.items():
                value = int.from_bytes(compiled.call(f"read_{names.index(name)}", regs, case.bits // 8), "little")
                assert value == reference(case, world), (name, left, right)
                compared += 1
    assert compared > 30_000


@pytest.mark.parametrize(("items", "slug"), [
    (op.expr(LEFT, RIGHT, op.div()), "division"), (op.expr(LEFT, RIGHT, op.mod()), "division"),
    (op.expr(LEFT, op.lit0(), op.div()), "division"), (op.expr(LEFT, op.lit0(), op.mod()), "division"),
    (op.expr(LEFT, op.const1s(-1), op.div()), "division"), (op.expr(op.lit1(), op.lit0(), op.div()), "division"),
    (op.expr(op.const_type("s128", bytes(15) + b"\1"), op.const_type("s128", b"\0" * 16), op.div(), op.convert(0)), "division"),
    (op.expr(op.breg15(0), op.deref_type(16, "u128"), op.const_type("u128", b"\7" + bytes(15)), op.div(), op.convert(0)),
     "division"),
    (op.expr(LEFT, RIGHT, op.div(), op.drop(), op.lit1()), None),
])
def test_a_division_that_could_trap_is_absent(items: Items, slug: str | None) -> None:
    """A trap in a probe's handler stops the machine; where the value is not used nothing is divided."""
    (case,) = cases([(op.expr(items, op.stack_value()), 64)])
    assert (case.read.reason.slug if case.read.reason else None) == slug


def test_divisions_by_minus_one_that_cannot_overflow_are_read() -> None:
    """DW_OP_mod of the generic type is unsigned: -1 is the largest number, no sign is turned round."""
    found = cases([(op.expr(LEFT, op.const1s(-1), op.mod(), op.stack_value()), 64)])
    assert_same_values(found, 3)


def test_products_of_narrow_numbers_do_not_overflow_int() -> None:
    """u16 * u16 is int in C: 65535 * 65535 is undefined, and gcc says so of constants."""
    product = Binary(Op.MUL, Const(0xFFFF, 16), Const(0xFFFF, 16), 16)
    compiled = compile_c([function("product", "u16", c_expression(product, X86_64))])
    assert compiled.call("product", {}, 2) == b"\1\0"


def test_a_load_that_faults_gives_zero_and_is_counted() -> None:
    compiled = compile_cases(cases([(op.expr(op.lit3(), op.deref(), op.stack_value()), 64)]))
    before = compiled.faults
    assert compiled.call("read_0", {}, 8) == bytes(8)
    assert compiled.faults == before + 1


def test_the_frame_and_linked_data_are_read_without_protection() -> None:
    """`mov 8(%rsp)` and `mov symbol+slide`, no call: these pages are mapped."""
    frame = plan(Memory(Binary(Op.ADD, Reg(SP), Const(8))), 64)
    data = plan(Memory(Address(0x1000)), 64)
    wild = plan(Memory(Reg(3)), 64)
    assert [c_expression(read.source.expr, X86_64) for read in (frame, data, wild) if isinstance(read.source, Scalar)] == [
        "*(const unsigned long *)(regs->sp + 8)", "*(const unsigned long *)(localvar_slide(&localvar_kernel) + 0x1000ul)",
        "localvar_load(unsigned long, regs->bx)"]


def test_addresses_move_with_the_slide() -> None:
    compiled = compile_c([function("value", "unsigned long", c_expression(Address(0x4000), X86_64)),
                          function("load", "u32", c_expression(Load(Address(0x4010), 32, True), X86_64))])
    compiled.fill(MEMORY)
    compiled.slide(compiled.memory_address - 0x4000)
    assert int.from_bytes(compiled.call("value", {}, 8), "little") == compiled.memory_address
    assert compiled.call("load", {}, 4) == MEMORY[0x10:0x14]


def test_entry_values_read_the_captured_registers() -> None:
    expr = Binary(Op.SUB, Entry(Binary(Op.ADD, Reg(5), Const(3))), Reg(5))
    compiled = compile_c([function("value", "unsigned long", c_expression(expr, X86_64))])
    compiled.entry({5: 1000})
    assert int.from_bytes(compiled.call("value", {5: 1}, 8), "little") == 1002


@pytest.mark.parametrize(("expr", "text"), [
    (Reg(3), "regs->bx"),
    (Extend(Reg(3), 32, False), "(u32)regs->bx"),
    (Binary(Op.ADD, Reg(6), Const(16)), "regs->bp + 16"),
    (Binary(Op.ADD, Reg(6), Const((1 << 64) - 24)), "regs->bp - 24"),
    (Select(Binary(Op.ULE, Reg(14), Const(0x7FFFF000)), Reg(14), Const(0x7FFFF000)),
     "(regs->r14 <= 0x7ffff000ul) ? regs->r14 : 0x7ffff000ul"),
    (Unary(Op.NEG, Reg(0)), "(unsigned long)-regs->ax"),
    (Binary(Op.SHR, Reg(0), Const(3)), "regs->ax >> 3"),
    (Const(1), "1ul"),
])
def test_what_is_simple_is_written_simply(expr: Expr, text: str) -> None:
    assert c_expression(expr, X86_64) == text
