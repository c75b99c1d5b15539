# SPDX-License-Identifier: GPL-2.0-or-later
"""What a plan's expressions come to, over registers and memory: written apart from localvar's own folding."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from localvar.model.expr import Address, Binary, Const, Entry, Expr, Extend, Load, Op, Reg, ReturnsTo, Select, Unary
from localvar.model.plan import Assembly, Object, Scalar, Source


class Fault(Exception):
    """Memory that is not mapped is read."""


class NotCaptured(Exception):
    """The registers at the function's entry are not known: it was entered before."""


class UnknownCaller(Exception):
    """The function was called by a call that does not say what it passes."""


@dataclass(frozen=True)
class Machine:
    """Registers by DWARF number; memory(address, size), which raises Fault; the registers at the function's entry."""

    registers: Mapping[int, int]
    memory: Callable[[int, int], bytes]
    entry: Mapping[int, int] | None = None


def value_of(source: Source, size: int, machine: Machine) -> bytes:
    """The bytes of a read of so many bytes.  Raises Fault, NotCaptured."""
    if isinstance(source, Object):
        return machine.memory(evaluate(source.address, machine), size)
    if isinstance(source, Scalar):
        return evaluate(source.expr, machine).to_bytes(max(size, source.expr.bits // 8), "little")[:size]
    assert isinstance(source, Assembly)
    data = bytearray(size)
    for chunk in source.chunks:
        part = evaluate(chunk.expr, machine).to_bytes(chunk.expr.bits // 8, "little")
        data[chunk.offset : chunk.offset + len(part)] = part
    assert len(data) == size, "a chunk leads out of its object"
    return bytes(data)


def evaluate(expr: Expr, machine: Machine) -> int:
    """The bit pattern that an expression yields."""
    return _value(expr, machine) & (1 << expr.bits) - 1


def _value(expr: Expr, machine: Machine) -> int:
    if isinstance(expr, (Const, Address)):
        return expr.value
    if isinstance(expr, Reg):
        return machine.registers[expr.number]
    if isinstance(expr, Load):
        return int.from_bytes(machine.memory(evaluate(expr.address, machine), expr.bits // 8), "little")
    if isinstance(expr, Entry):
        if machine.entry is None:
            raise NotCaptured
        return evaluate(expr.operand, Machine(machine.entry, _no_memory))
    if isinstance(expr, ReturnsTo):
        return int.from_bytes(machine.memory(evaluate(expr.frame, machine) - 8, 8), "little")
    if isinstance(expr, Extend):
        return _signed(expr.operand, machine) if expr.signed else evaluate(expr.operand, machine)
    if isinstance(expr, Select):
        return evaluate(expr.yes if evaluate(expr.condition, machine) else expr.no, machine)
    if isinstance(expr, Unary):
        return _UNARY[expr.op](_signed(expr.operand, machine))
    assert isinstance(expr, Binary), f"a plan has {expr}"
    return _binary(expr, machine)


def _no_memory(_address: int, _size: int) -> bytes:
    raise AssertionError("a plan reads memory as it was on entry")


def _signed(expr: Expr, machine: Machine) -> int:
    value = evaluate(expr, machine)
    return value - (1 << expr.bits) if value >> (expr.bits - 1) else value


_UNARY: dict[Op, Callable[[int], int]] = {Op.NEG: operator.neg, Op.NOT: operator.invert, Op.SABS: abs}
_PLAIN: dict[Op, Callable[[int, int], int]] = {
    Op.ADD: operator.add, Op.SUB: operator.sub, Op.MUL: operator.mul, Op.AND: operator.and_, Op.OR: operator.or_,
    Op.XOR: operator.xor, Op.UDIV: operator.floordiv, Op.UMOD: operator.mod, Op.EQ: operator.eq, Op.NE: operator.ne,
    Op.ULT: operator.lt, Op.ULE: operator.le, Op.UGT: operator.gt, Op.UGE: operator.ge,
}
_SIGNED: dict[Op, Callable[[int, int], int]] = {
    Op.SLT: operator.lt, Op.SLE: operator.le, Op.SGT: operator.gt, Op.SGE: operator.ge,
    Op.SDIV: lambda a, b: _quotient(a, b), Op.SMOD: lambda a, b: a - b * _quotient(a, b),
}


def _quotient(a: int, b: int) -> int:
    return abs(a) // abs(b) if (a < 0) == (b < 0) else -(abs(a) // abs(b))


def _binary(expr: Binary, machine: Machine) -> int:
    left, right = evaluate(expr.left, machine), evaluate(expr.right, machine)
    if expr.op in _PLAIN:
        return int(_PLAIN[expr.op](left, right))
    if expr.op in _SIGNED:
        return int(_SIGNED[expr.op](_signed(expr.left, machine), _signed(expr.right, machine)))
    right = min(right, expr.left.bits)
    if expr.op is Op.SHL:
        return left << right
    return left >> right if expr.op is Op.SHR else _signed(expr.left, machine) >> right
