# SPDX-License-Identifier: GPL-2.0-or-later
"""Any run of bits out of any location: the expression that yields it, held against the bits laid out by hand."""

from __future__ import annotations

import random
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from localvar.arch import X86_64
from localvar.model import fold
from localvar.model.expr import Address, Binary, Const, Entry, Expr, Load, Op, Reg
from localvar.model.location import (
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
from localvar.plan.bits import Unproven, extract, width_for, within
from tests.expr_value import World, value

BASE = 0x10000
MEMORY = random.Random(2).randbytes(0x200)
REGISTERS = {number: random.Random(number).getrandbits(64) for number in range(16)} | {7: BASE + 0x40, 3: BASE + 0x100}
ENTRY = {number: random.Random(100 + number).getrandbits(64) for number in range(16)}
WORLD = World(REGISTERS, lambda address, size: MEMORY[address - BASE : address - BASE + size], ENTRY)


@dataclass(frozen=True)
class Laid:
    """A location, and the bits that lie there, as one number and their count."""

    location: Location
    bits: int
    count: int


def memory(offset: int, register: int = 3) -> Laid:
    """Memory at a register plus offset: as many bits as there are left."""
    start = REGISTERS[register] - BASE + offset
    return Laid(Memory(fold.add(Reg(register), offset)), int.from_bytes(MEMORY[start:], "little"), 8 * (len(MEMORY) - start))


simple = st.one_of(
    st.integers(0, 15).map(lambda n: Laid(Register(n), REGISTERS[n], 64)),
    st.tuples(st.integers(0, 100), st.sampled_from([3, 7])).map(lambda pair: memory(*pair)),
    st.binary(min_size=1, max_size=20).map(lambda data: Laid(Constant(data), int.from_bytes(data, "little"), 8 * len(data))),
    st.sampled_from([8, 16, 32, 64, 128]).flatmap(lambda bits: st.integers(0, (1 << bits) - 1).map(
        lambda number: Laid(Value(Const(number, bits)), number, bits))),
    st.integers(0, 15).map(lambda n: Laid(EntryValue(Reg(n)), ENTRY[n], 64)),
    st.just(Laid(Value(Binary(Op.XOR, Reg(1), Reg(2))), REGISTERS[1] ^ REGISTERS[2], 64)),
)


@st.composite
def composites(draw: st.DrawFn) -> Laid:
    """Pieces and bit pieces, one behind the other."""
    pieces, bits, count = [], 0, 0
    for _ in range(draw(st.integers(1, 5))):
        laid = draw(simple)
        offset = draw(st.integers(0, min(laid.count - 1, 40))) if draw(st.booleans()) else 0
        most = min(laid.count - offset, 100)
        size = draw(st.integers(1, most)) if draw(st.booleans()) or most < 8 else 8 * draw(st.integers(1, most // 8))
        pieces.append(Piece(laid.location, size, offset))
        bits |= (laid.bits >> offset & (1 << size) - 1) << count
        count += size
    return Laid(Pieces(tuple(pieces)), bits, count)


@settings(max_examples=400, deadline=None)
@given(st.one_of(simple, composites()), st.data())
def test_any_run_of_bits_has_its_value(laid: Laid, data: st.DataObject) -> None:
    size = data.draw(st.one_of(st.sampled_from([1, 8, 16, 32, 64]), st.integers(1, 64)))
    offset = data.draw(st.integers(0, max(laid.count - size, 0)))
    if offset + size > laid.count:
        with pytest.raises(Unproven):
            extract(laid.location, offset, size, X86_64)
        return
    found = extract(laid.location, offset, size, X86_64)
    assert value(found, WORLD) == laid.bits >> offset & (1 << size) - 1
    assert found.bits == width_for(size)


@settings(max_examples=100, deadline=None)
@given(st.one_of(simple, composites()))
def test_whole_objects_of_128_bits_have_their_value(laid: Laid) -> None:
    if laid.count >= 128:
        assert value(extract(laid.location, 0, 128, X86_64), WORLD) == laid.bits & (1 << 128) - 1
    else:
        with pytest.raises(Unproven):
            extract(laid.location, 0, 128, X86_64)


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 100), st.integers(1, 64), st.booleans())
def test_no_byte_outside_the_bits_is_loaded(bit_offset: int, size: int, trusted: bool) -> None:
    """The byte behind a bit-field may be another CPU's, or of an unmapped page."""
    found = extract(Memory(Reg(7)), bit_offset, size, X86_64, trusted)
    touched = {at for start, bits in _loads(found) for at in range(start, start + bits // 8)}
    assert touched == set(range(bit_offset // 8, (bit_offset + size + 7) // 8))
    assert {load.safe for load in _nodes(found) if isinstance(load, Load)} == {trusted}


def _nodes(expr: Expr) -> list[Expr]:
    from localvar.model.expr import children

    return [expr, *(node for child in children(expr) for node in _nodes(child))]


def _loads(expr: Expr) -> list[tuple[int, int]]:
    """Offsets from the stack pointer, and sizes."""
    loads = [node for node in _nodes(expr) if isinstance(node, Load)]
    return [(value(load.address, World({7: 0}, WORLD.memory)), load.bits) for load in loads]


# -- what is written simply stays simple ----------------------------------------------------------------------------


@pytest.mark.parametrize(("location", "offset", "size", "expected"), [
    (Register(3), 0, 64, Reg(3)),
    (Memory(fold.add(Reg(7), 8)), 0, 32, Load(fold.add(Reg(7), 8), 32, True)),
    (Memory(fold.add(Reg(7), 8)), 64, 16, Load(fold.add(Reg(7), 16), 16, True)),
    (Memory(Address(0x1000)), 8, 8, Load(Address(0x1001), 8, True)),
    (Memory(Reg(3)), 0, 64, Load(Reg(3), 64, False)),
    (Constant(b"\1\2\3\4"), 8, 16, Const(0x0302, 16)),
    (EntryValue(Reg(5)), 0, 64, Entry(Reg(5))),
    (Pieces((Piece(Register(1), 64), Piece(Register(2), 64))), 64, 64, Reg(2)),
])
def test_a_whole_object_is_one_operation(location: Location, offset: int, size: int, expected: Expr) -> None:
    assert extract(location, offset, size, X86_64) == expected


# -- what is not there ----------------------------------------------------------------------------------------------

HOLE = Pieces((Piece(Register(1), 32), Piece(absent("optimized-out", "gone"), 32), Piece(Register(2), 64)))


@pytest.mark.parametrize(("location", "offset", "size", "slug"), [
    (absent("no-range", "not here"), 0, 8, "no-range"), (ImplicitPointer(0, 0, Register(1)), 0, 64, "implicit-pointer"),
    (HOLE, 0, 64, "optimized-out"), (HOLE, 32, 32, "optimized-out"), (HOLE, 31, 2, "optimized-out"), (HOLE, 64, 65, "too-small"),
    (HOLE, 100, 32, "too-small"), (Pieces(()), 0, 8, "too-small"), (Register(1), 0, 65, "too-small"),
    (Register(1), 60, 5, "too-small"),
    (Value(Const(1, 32)), 0, 64, "too-small"), (Constant(b"\1"), 0, 16, "too-small"),
    (Register(1), -8, 8, "too-small"), (Constant(b"\1\2"), -8, 8, "too-small"), (HOLE, -8, 16, "too-small"),
    (Memory(Reg(3)), 0, 256, "too-large"), (Constant(bytes(64)), 0, 256, "too-large"), (Register(1), 0, 0, "damaged"),
    (Memory(fold.add(Reg(7), -8)), 0, 64, "no-frame"), (Memory(fold.add(Reg(7), -8)), 64, 64, None),
])
def test_bits_that_are_not_there_are_absent_with_the_reason(location: Location, offset: int, size: int, slug: str | None) -> None:
    if slug is None:
        assert extract(location, offset, size, X86_64).bits == size
        return
    with pytest.raises(Unproven) as problem:
        extract(location, offset, size, X86_64)
    assert problem.value.reason.slug == slug


@pytest.mark.parametrize(("offset", "size"), [(0, 32), (64, 64), (70, 10), (8, 16)])
def test_bits_beside_a_hole_are_read(offset: int, size: int) -> None:
    assert extract(HOLE, offset, size, X86_64).bits == width_for(size)


@pytest.mark.parametrize(("address", "safe"), [
    (Reg(7), True), (fold.add(Reg(7), 0x3FF8), True), (fold.add(Reg(7), 0x4000), False), (fold.add(Reg(7), 1 << 40), False),
    (Reg(6), False), (Address(0x1000), True), (Load(Reg(7), 64, True), False), (Const(0x1000), False),
])
def test_only_the_frame_and_linked_data_are_taken_for_mapped(address: Expr, safe: bool) -> None:
    """Beyond THREAD_SIZE above the stack pointer there is another thread's stack, or a guard page."""
    assert extract(Memory(address), 0, 64, X86_64) == Load(address, 64, safe)


def test_memory_in_front_of_a_variable_may_be_the_way_to_it() -> None:
    """`p = array - 1` that was optimized out: p[1] is the array's first element."""
    assert extract(Memory(fold.add(Reg(3), 16)), -32, 32, X86_64, trusted=False) == Load(fold.add(Reg(3), 12), 32)


@pytest.mark.parametrize(("offset", "size", "expected"), [
    (0, 64, (Register(1), 0)), (32, 16, (Register(1), 32)), (64, 32, (Constant(b"\1\2\3\4"), 0)), (96, 64, (Memory(Reg(3)), 5)),
    (32, 64, None),
])
def test_a_run_of_bits_in_one_piece_is_found_there(offset: int, size: int, expected: tuple[Location, int] | None) -> None:
    pieces = Pieces((Piece(Register(1), 64), Piece(Constant(b"\1\2\3\4"), 32), Piece(Memory(Reg(3)), 64, 5)))
    assert within(pieces, offset, size) == (expected or (pieces, offset))
