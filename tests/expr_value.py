# SPDX-License-Identifier: GPL-2.0-or-later
"""The value of a symbolic expression over given registers and memory, on plain integers: what the C must compute."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from localvar.model.expr import Address, Binary, Const, Entry, Expr, Extend, Load, Op, Reg, Select, Unary
from localvar.model.plan import Assembly, Object, Scalar, Source


class Fault(Exception):
    """Memory that cannot be read."""


@dataclass(frozen=True)
class World:
    """Registers by DWARF number (those on entry too), memory(address, size) (which may raise Fault), the load slide."""

    registers: Mapping[int, int]
    memory: Callable[[int, int], bytes]
    entry: Mapping[int, int] = field(default_factory=dict)
    slide: int = 0


def value(expr: Expr, world: World) -> int:
    """The bit pattern of an expression.  Raises Fault."""
    mask = (1 << expr.bits) - 1
    if isinstance(expr, Const):
        return expr.value
    if isinstance(expr, Reg):
        return world.registers[expr.number] & mask
    if isinstance(expr, Address):
        return expr.value + world.slide & mask
    if isinstance(expr, Load):
        return int.from_bytes(world.memory(value(expr.address, world), expr.bits // 8), "little")
    if isinstance(expr, Select):
        return value(expr.yes if value(expr.condition, world) else expr.no, world)
    if isinstance(expr, Extend):
        inner = value(expr.operand, world)
        return (_signed(inner, expr.operand.bits) if expr.signed else inner) & mask
    if isinstance(expr, Unary):
        inner = value(expr.operand, world)
        return {Op.NEG: -inner, Op.NOT: ~inner, Op.SABS: abs(_signed(inner, expr.bits))}[expr.op] & mask
    if isinstance(expr, Binary):
        return _binary(expr.op, value(expr.left, world), value(expr.right, world), expr.left.bits) & mask
    if isinstance(expr, Entry):
        return value(expr.operand, World(world.entry, world.memory, {}, world.slide))
    raise TypeError(f"no value for {type(expr).__name__}")


def source_bytes(source: Source, size: int, world: World) -> bytes:
    """The object that a plan reads, as it lies in memory.  Raises Fault."""
    if isinstance(source, Scalar):
        return value(source.expr, world).to_bytes(source.expr.bits // 8, "little")
    if isinstance(source, Object):
        return world.memory(value(source.address, world), size)
    assert isinstance(source, Assembly)
    whole = bytearray(size)
    for chunk in source.chunks:
        count = chunk.expr.bits // 8
        whole[chunk.offset : chunk.offset + count] = value(chunk.expr, world).to_bytes(count, "little")
    return bytes(whole)


def _signed(pattern: int, bits: int) -> int:
    return pattern - (1 << bits) if pattern >> (bits - 1) else pattern


def _binary(op: Op, left: int, right: int, bits: int) -> int:
    a, b = _signed(left, bits), _signed(right, bits)
    if op in (Op.SDIV, Op.SMOD):
        quotient = abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)
        return quotient if op is Op.SDIV else a - quotient * b
    if op in _UNSIGNED:
        return int(_UNSIGNED[op](left, right))
    if op in (Op.SHL, Op.SHR, Op.SAR):
        count = min(right, bits)
        return left << count if op is Op.SHL else (a if op is Op.SAR else left) >> count
    return int(_SIGNED[op](a, b))


_UNSIGNED: dict[Op, Callable[[int, int], int]] = {
    Op.ADD: operator.add, Op.SUB: operator.sub, Op.MUL: operator.mul, Op.AND: operator.and_, Op.OR: operator.or_,
    Op.XOR: operator.xor, Op.EQ: operator.eq, Op.NE: operator.ne, Op.ULT: operator.lt, Op.ULE: operator.le,
    Op.UGT: operator.gt, Op.UGE: operator.ge, Op.UDIV: operator.floordiv, Op.UMOD: operator.mod,
}
_SIGNED: dict[Op, Callable[[int, int], int]] = {
    Op.SLT: operator.lt, Op.SLE: operator.le, Op.SGT: operator.gt, Op.SGE: operator.ge,
}
