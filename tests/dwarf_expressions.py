# SPDX-License-Identifier: GPL-2.0-or-later
"""Random DWARF expressions that are valid: hypothesis strategies over dwarfgen's operations."""

from __future__ import annotations

from hypothesis import strategies as st

from tests.dwarf_reference import Type
from tests.dwarfgen import Die, ctype, op
from tests.dwarfgen.op import Expr, Op

TYPES = {f"{sign}{bits}": Type(bits, sign == "s") for bits in (8, 16, 32, 64, 128) for sign in "us"}
BASE_TYPES: list[Die] = [
    ctype.base(name, kind.bits // 8, ("signed" if kind.signed else "unsigned") + ("_char" if kind.bits == 8 else ""))
    for name, kind in TYPES.items()
]
SAFE, SP, SCRATCH = 15, 7, (0, 1, 2, 3, 5, 12)
"""Registers: one that points into memory, the stack pointer, and those that hold any number."""

EDGES = [0, 1, 2, 7, 8, 63, 64, 65, 127, 128, 255, 256, (1 << 31) - 1, 1 << 31, (1 << 32) - 1, (1 << 63) - 1, 1 << 63,
         (1 << 64) - 1]
words = st.one_of(st.sampled_from(EDGES), st.integers(0, (1 << 64) - 1))
shift_counts = st.one_of(st.integers(0, 70), words)
ARITHMETIC = ["plus", "minus", "mul", "and", "or", "xor"]
SHIFTS = ["shl", "shr", "shra"]
COMPARE = ["eq", "ne", "lt", "le", "gt", "ge"]


def make(name: str, *operands: object) -> Op:
    """An operation by its name."""
    return Op(name, operands)


def constant(value: int) -> st.SearchStrategy[Expr]:
    """A way to push a 64-bit pattern."""
    signed = value - (1 << 64) if value >> 63 else value
    ways = [make("const8u", value), make("const8s", signed), make("constu", value), make("consts", signed)]
    for name, low, high in (("const1u", 0, 255), ("const1s", -128, 127), ("const2u", 0, 65535), ("const2s", -32768, 32767),
                            ("const4u", 0, (1 << 32) - 1), ("const4s", -(1 << 31), (1 << 31) - 1)):
        number = value if name.endswith("u") else signed
        if low <= number <= high:
            ways.append(make(name, number))
    if value < 32:
        ways.append(make(f"lit{value}"))
    return st.sampled_from([op.expr(way) for way in ways])


constants = words.flatmap(constant)


@st.composite
def leaves(draw: st.DrawFn) -> Expr:
    """An expression that pushes one generic value without taking any."""
    kind = draw(st.integers(0, 5))
    if kind == 0:
        return draw(constants)
    if kind == 1:
        number, offset = draw(st.sampled_from(SCRATCH)), draw(st.integers(-(1 << 40), 1 << 40))
        return op.expr(make(f"breg{number}", offset) if draw(st.booleans()) else make("bregx", number, offset))
    if kind == 2:
        return op.expr(draw(st.sampled_from([make("call_frame_cfa"), make("fbreg", -16), make("fbreg", 300), make("breg7", 8)])))
    if kind == 3:
        return op.expr(draw(addresses()), draw(st.sampled_from([make("deref"), *(make("deref_size", n) for n in (1, 2, 4, 8))])))
    number = draw(st.sampled_from(SCRATCH))
    return op.expr(make(f"breg{number}", 0))


@st.composite
def addresses(draw: st.DrawFn) -> Expr:
    """An expression that pushes an address: of the frame, of other memory, or one that may fault."""
    kind = draw(st.integers(0, 4))
    if kind == 0:
        return op.expr(make(f"breg{SP}", draw(st.integers(0, 0x3000))))
    if kind == 1:
        return op.expr(make("fbreg", draw(st.integers(-64, 0x1000))))
    if kind == 2:
        return op.expr(make("breg0", draw(st.integers(-9, 9))))
    index = op.expr(make("breg1", 0), op.const1u(0xF8), op.and_(), make(f"breg{SAFE}", 0), op.plus())
    return index if kind == 3 else op.expr(make(f"breg{SAFE}", draw(st.integers(-0x800, 0x800))))


@st.composite
def values(draw: st.DrawFn, depth: int = 3) -> Expr:
    """An expression that pushes one generic value."""
    if depth == 0:
        return draw(leaves())
    inner = values(depth - 1)
    kind = draw(st.integers(0, 9))
    if kind == 0:
        return draw(leaves())
    if kind == 1:
        return op.expr(draw(inner), make(draw(st.sampled_from(["neg", "not", "abs", "nop"]))))
    if kind == 2:
        return op.expr(draw(inner), op.plus_uconst(draw(words)))
    if kind in (3, 4):
        return op.expr(draw(inner), draw(inner), make(draw(st.sampled_from(ARITHMETIC + COMPARE))))
    if kind == 5:
        count = draw(shift_counts.flatmap(constant)) if draw(st.booleans()) else draw(inner)
        return op.expr(draw(inner), count, make(draw(st.sampled_from(SHIFTS))))
    if kind == 6:
        divisor = draw(constants) if draw(st.integers(0, 7)) else draw(inner)
        return op.expr(draw(inner), divisor, make(draw(st.sampled_from(["div", "mod"]))))
    if kind == 7:
        return draw(branches(inner))
    if kind == 8:
        return draw(shuffles(inner))
    name = draw(st.sampled_from(sorted(TYPES)))
    typed = op.expr(draw(typed_values(name, depth - 1)))
    if TYPES[name].bits == 64 and draw(st.booleans()):
        return op.expr(typed, make(draw(st.sampled_from(["reinterpret", "GNU_reinterpret"])), 0))
    return op.expr(typed, make(draw(st.sampled_from(["convert", "GNU_convert"])), 0))


@st.composite
def branches(draw: st.DrawFn, inner: st.SearchStrategy[Expr]) -> Expr:
    """Values chosen by bra and skip, as gcc writes conditional expressions."""
    one, other = draw(st.uuids()).hex, draw(st.uuids()).hex
    if draw(st.booleans()):
        # condition, bra yes; no; skip end; yes: ...; end:
        return op.expr(draw(inner), op.bra(one), draw(inner), op.skip(other), op.label(one), draw(inner), op.label(other))
    # value, condition, bra end; something that changes the value; end:
    change = op.expr(draw(inner), make(draw(st.sampled_from(ARITHMETIC))))
    return op.expr(draw(inner), draw(inner), op.bra(one), change, op.label(one))


@st.composite
def shuffles(draw: st.DrawFn, inner: st.SearchStrategy[Expr]) -> Expr:
    """One value left of several that the stack operations moved around."""
    join = make(draw(st.sampled_from(ARITHMETIC)))
    a, b, c = draw(inner), draw(inner), draw(leaves())
    return draw(st.sampled_from([
        op.expr(a, op.dup(), join), op.expr(a, b, op.swap(), join), op.expr(a, b, op.drop()),
        op.expr(a, b, op.over(), join, join), op.expr(a, b, c, op.rot(), join, join),
        op.expr(a, b, c, op.pick(2), join, join, join), op.expr(a, b, c, op.rot(), op.drop(), op.swap(), op.drop()),
    ]))


@st.composite
def typed_values(draw: st.DrawFn, name: str, depth: int = 2) -> Expr:
    """An expression that pushes one value of a base type."""
    kind = TYPES[name]
    size = kind.bits // 8
    gnu = draw(st.sampled_from(["", "GNU_"]))
    choice = draw(st.integers(0, 8)) if depth else draw(st.integers(0, 2))
    if choice == 0 or (choice == 1 and kind.bits > 64):
        return op.expr(make(gnu + "const_type", name, draw(st.integers(0, (1 << kind.bits) - 1)).to_bytes(size, "little")))
    if choice == 1:
        return op.expr(make(gnu + "regval_type", draw(st.sampled_from(SCRATCH)), name))
    if choice == 2:
        return op.expr(draw(addresses()), make(gnu + "deref_type", size, name))
    inner = typed_values(name, depth - 1)
    if choice == 3:
        return op.expr(draw(inner), make(draw(st.sampled_from(["neg", "not", "abs"]))))
    if choice == 4:
        return op.expr(draw(inner), draw(inner), make(draw(st.sampled_from(ARITHMETIC))))
    if choice == 5:
        by_any = st.sampled_from(sorted(TYPES)).flatmap(lambda other: typed_values(other, 0))
        count = draw(shift_counts.flatmap(constant) if draw(st.booleans()) else by_any)
        return op.expr(draw(inner), count, make(draw(st.sampled_from(SHIFTS))))
    if choice == 6:
        divisor = draw(st.integers(0, (1 << kind.bits) - 1)).to_bytes(size, "little")
        return op.expr(draw(inner), make("const_type", name, divisor), make(draw(st.sampled_from(["div", "mod"]))))
    other = draw(st.sampled_from(sorted(TYPES)))
    source = draw(typed_values(other, depth - 1))
    if TYPES[other].bits == kind.bits and choice == 7:
        return op.expr(source, make("reinterpret", name))
    return op.expr(source, make("convert", name))


@st.composite
def comparisons(draw: st.DrawFn) -> Expr:
    """A comparison of two typed values, whose result is generic."""
    name = draw(st.sampled_from(sorted(TYPES)))
    both = typed_values(name, 1)
    return op.expr(draw(both), draw(both), make(draw(st.sampled_from(COMPARE))))


any_value = st.one_of(values(), values(), comparisons())
