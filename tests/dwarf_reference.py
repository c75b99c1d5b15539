# SPDX-License-Identifier: GPL-2.0-or-later
"""DWARF expressions evaluated as DWARF 5 section 2.5 says, on plain integers: what localvar is held against.

It runs the items that dwarfgen assembles, not bytes, and uses nothing of localvar.  A value is a bit pattern and a
type; the generic type is None, 64 bits wide.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.dwarfgen.op import Expr, Label, Op

GENERIC_BITS = 64


@dataclass(frozen=True)
class Type:
    """An integral base type."""

    bits: int
    signed: bool


@dataclass(frozen=True)
class Cell:
    """A stack entry: its bit pattern and its type, None for the generic one."""

    value: int
    type: Type | None = None

    @property
    def bits(self) -> int:
        """Width of the pattern."""
        return self.type.bits if self.type else GENERIC_BITS

    def number(self, signed: bool) -> int:
        """The pattern as a number."""
        return self.value - (1 << self.bits) if signed and self.value >> (self.bits - 1) else self.value


class Undefined(Exception):
    """The standard gives the expression no value (division by zero)."""


@dataclass
class Program:
    """What an expression asks for.  memory(address, size) gives a number."""

    registers: Mapping[int, int]
    memory: Callable[[int, int], int]
    types: Mapping[str, Type] = field(default_factory=dict)
    cfa: int = 0
    frame_base: int = 0


@dataclass(frozen=True)
class Found:
    """A location: kind is "memory" (an address), "register" (a number), "value" (a Cell), "constant" (bytes)."""

    kind: str
    what: Any


@dataclass(frozen=True)
class Part:
    """A piece: its location (None: nothing known), its size and where in the location it begins, in bits."""

    found: Found | None
    bits: int
    offset: int


def locate(expression: Expr, program: Program) -> Found | list[Part]:
    """The location that an expression describes: one, or the pieces of a composite."""
    return _Machine(expression, program).run()


def bits_of(found: Found | Sequence[Part], offset: int, count: int, program: Program) -> int | None:
    """count bits of a variable from offset on; None where a part of them is not there."""
    if isinstance(found, Found):
        return _bits_at(found, offset, count, program)
    at, value = 0, 0
    for part in found:
        low, high = max(at, offset), min(at + part.bits, offset + count)
        if low < high:
            inner = None if part.found is None else _bits_at(part.found, part.offset + low - at, high - low, program)
            if inner is None:
                return None
            value |= inner << (low - offset)
        at += part.bits
    return value if at >= offset + count else None


def _bits_at(found: Found, offset: int, count: int, program: Program) -> int | None:
    if found.kind == "memory":
        whole = sum(program.memory(found.what + n, 1) << 8 * n for n in range(offset // 8, (offset + count + 7) // 8))
        return whole >> offset & (1 << count) - 1
    if found.kind == "constant":
        size, value = 8 * len(found.what), int.from_bytes(found.what, "little")
    elif found.kind == "register":
        size, value = GENERIC_BITS, program.registers[found.what]
    else:
        size, value = found.what.bits, found.what.value
    return value >> offset & (1 << count) - 1 if offset + count <= size else None


class _Machine:
    def __init__(self, expression: Expr, program: Program) -> None:
        self.items = expression.items
        self.program = program
        self.stack: list[Cell] = []
        self.described: Found | None = None
        self.parts: list[Part] = []

    def run(self) -> Found | list[Part]:
        labels = {item.name: at for at, item in enumerate(self.items) if isinstance(item, Label)}
        at = 0
        while at < len(self.items):
            item = self.items[at]
            at += 1
            if not isinstance(item, Op):
                continue
            if item.name == "skip" or (item.name == "bra" and self.stack.pop().value):
                at = labels[str(item.operands[0])]
            elif item.name not in ("bra", "skip"):
                self.step(item.name, item.operands)
        return self.parts or self.place() or Found("nothing", None)

    def place(self) -> Found | None:
        """What has been described, or the address on the stack."""
        if self.described is None and self.stack:
            return Found("memory", self.stack[-1].value)
        return self.described

    def push(self, value: int, kind: Type | None = None) -> None:
        self.stack.append(Cell(value & (1 << (kind.bits if kind else GENERIC_BITS)) - 1, kind))

    def step(self, name: str, operands: Sequence[Any]) -> None:
        for prefix in ("breg", "lit", "reg"):
            number = name.removeprefix(prefix)
            if number.isdigit() and name.startswith(prefix):
                getattr(self, "_" + prefix)(int(number), *operands)
                return
        if name in _BINARY:
            self._binary(name)
        elif name in _COMPARE:
            self._compare(name)
        else:
            getattr(self, "_" + name.removeprefix("GNU_").rstrip("_"))(*operands)

    # registers and constants
    def _lit(self, number: int) -> None:
        self.push(number)

    def _breg(self, number: int, offset: int) -> None:
        self.push(self.program.registers[number] + offset)

    def _reg(self, number: int) -> None:
        self.described = Found("register", number)

    def _bregx(self, number: int, offset: int) -> None:
        self._breg(number, offset)

    def _regx(self, number: int) -> None:
        self._reg(number)

    def _fbreg(self, offset: int) -> None:
        self.push(self.program.frame_base + offset)

    def _call_frame_cfa(self) -> None:
        self.push(self.program.cfa)

    def _constant(self, value: int) -> None:
        self.push(value)

    _const1u = _const1s = _const2u = _const2s = _const4u = _const4s = _const8u = _const8s = _constu = _consts = _constant

    # the stack
    def _dup(self) -> None:
        self.stack.append(self.stack[-1])

    def _drop(self) -> None:
        self.stack.pop()

    def _over(self) -> None:
        self.stack.append(self.stack[-2])

    def _pick(self, index: int) -> None:
        self.stack.append(self.stack[-1 - index])

    def _swap(self) -> None:
        self.stack[-2:] = self.stack[-1], self.stack[-2]

    def _rot(self) -> None:
        self.stack[-3:] = self.stack[-1], self.stack[-3], self.stack[-2]

    def _nop(self) -> None:
        pass

    # arithmetic
    def _binary(self, name: str) -> None:
        right, left = self.stack.pop(), self.stack.pop()
        self.push(_BINARY[name](left, right), left.type)

    def _compare(self, name: str) -> None:
        right, left = self.stack.pop(), self.stack.pop()
        signed = left.type is None or left.type.signed
        self.push(int(_COMPARE[name](left.number(signed), right.number(signed))))

    def _abs(self) -> None:
        top = self.stack.pop()
        self.push(abs(top.number(top.type is None or top.type.signed)), top.type)

    def _neg(self) -> None:
        top = self.stack.pop()
        self.push(-top.value, top.type)

    def _not(self) -> None:
        top = self.stack.pop()
        self.push(~top.value, top.type)

    def _plus_uconst(self, addend: int) -> None:
        top = self.stack.pop()
        self.push(top.value + addend, top.type)

    # memory and types
    def _deref(self) -> None:
        self.push(self.program.memory(self.stack.pop().value, 8))

    def _deref_size(self, size: int) -> None:
        self.push(self.program.memory(self.stack.pop().value, size))

    def _deref_type(self, size: int, kind: str) -> None:
        self.push(self.program.memory(self.stack.pop().value, size), self.program.types[kind])

    def _const_type(self, kind: str, data: bytes) -> None:
        self.push(int.from_bytes(data, "little"), self.program.types[kind])

    def _regval_type(self, number: int, kind: str) -> None:
        self.push(self.program.registers[number], self.program.types[kind])

    def _convert(self, kind: str | int) -> None:
        top = self.stack.pop()
        self.push(top.number(top.type is not None and top.type.signed), self._type(kind))

    def _reinterpret(self, kind: str | int) -> None:
        self.push(self.stack.pop().value, self._type(kind))

    def _type(self, kind: str | int) -> Type | None:
        return self.program.types[kind] if isinstance(kind, str) else None

    # locations
    def _stack_value(self) -> None:
        self.described = Found("value", self.stack.pop())

    def _implicit_value(self, data: bytes) -> None:
        self.described = Found("constant", data)

    def _piece(self, size: int) -> None:
        self._bit_piece(8 * size, 0)

    def _bit_piece(self, bits: int, offset: int) -> None:
        self.parts.append(Part(self.place(), bits, offset))
        self.described, self.stack = None, []


def _divide(left: Cell, right: Cell, signed: bool, remainder: bool) -> int:
    a, b = left.number(signed), right.number(signed)
    if b == 0:
        raise Undefined("division by zero")
    quotient = abs(a) // abs(b) * (-1 if (a < 0) != (b < 0) else 1)
    return a - quotient * b if remainder else quotient


def _shift_right(left: Cell, right: Cell, signed: bool) -> int:
    return left.number(signed) >> min(right.value, left.bits)


_BINARY: dict[str, Callable[[Cell, Cell], int]] = {
    "plus": lambda a, b: a.value + b.value,
    "minus": lambda a, b: a.value - b.value,
    "mul": lambda a, b: a.value * b.value,
    "and": lambda a, b: a.value & b.value,
    "or": lambda a, b: a.value | b.value,
    "xor": lambda a, b: a.value ^ b.value,
    "div": lambda a, b: _divide(a, b, a.type is None or a.type.signed, False),
    "mod": lambda a, b: _divide(a, b, a.type is not None and a.type.signed, True),
    "shl": lambda a, b: a.value << min(b.value, a.bits),
    "shr": lambda a, b: _shift_right(a, b, False),
    "shra": lambda a, b: _shift_right(a, b, True),
}
_COMPARE: dict[str, Callable[[int, int], bool]] = {
    "eq": lambda a, b: a == b, "ne": lambda a, b: a != b, "lt": lambda a, b: a < b, "le": lambda a, b: a <= b,
    "gt": lambda a, b: a > b, "ge": lambda a, b: a >= b,
}
