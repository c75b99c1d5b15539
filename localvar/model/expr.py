# SPDX-License-Identifier: GPL-2.0-or-later
"""Symbolic expressions: what a DWARF expression computes, as a tree over registers, addresses and loads.

Values are bit patterns of `bits` bits (the generic type of DWARF 5 section 2.5.1 is an integer of the size of an
address and of unspecified signedness); operators say what they do to the bits, so no signedness is ever guessed.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Op(enum.Enum):
    """Operators on bit patterns of one width; signed and unsigned ones are told apart."""

    ADD = "+"
    SUB = "-"
    MUL = "*"
    SDIV = "sdiv"
    UDIV = "udiv"
    SMOD = "smod"
    UMOD = "umod"
    AND = "&"
    OR = "|"
    XOR = "^"
    SHL = "<<"
    SHR = ">>"
    SAR = "sar"
    EQ = "=="
    NE = "!="
    SLT = "s<"
    SLE = "s<="
    SGT = "s>"
    SGE = "s>="
    ULT = "u<"
    ULE = "u<="
    UGT = "u>"
    UGE = "u>="
    NEG = "neg"
    NOT = "~"
    SABS = "abs"


COMPARISONS = frozenset({Op.EQ, Op.NE, Op.SLT, Op.SLE, Op.SGT, Op.SGE, Op.ULT, Op.ULE, Op.UGT, Op.UGE})


@dataclass(frozen=True)
class Const:
    """A constant bit pattern, 0 <= value < 2**bits."""

    value: int
    bits: int = 64


@dataclass(frozen=True)
class Reg:
    """The contents of a register at the probed pc, by DWARF number (the architecture's ABI gives the mapping)."""

    number: int
    bits: int = 64


@dataclass(frozen=True)
class Address:
    """An address known at link time; the load slide of `module` (None: the kernel) is added at run time.

    section: for an ET_REL module, the section that `value` is an offset into.
    """

    value: int
    module: str | None = None
    section: str | None = None
    bits: int = 64


@dataclass(frozen=True)
class Load:
    """`bits` bits of memory at address, zero-extension being a matter for Convert.

    safe: the memory is known to be mapped (the frame of the probed function, the kernel's own data); any other load
    is fault-protected.
    """

    address: Expr
    bits: int = 64
    safe: bool = False


@dataclass(frozen=True)
class Unary:
    """op applied to operand."""

    op: Op
    operand: Expr
    bits: int = 64


@dataclass(frozen=True)
class Binary:
    """left op right, both of the same width except the right operand of shifts; comparisons yield 0 or 1 in `bits` bits."""

    op: Op
    left: Expr
    right: Expr
    bits: int = 64


@dataclass(frozen=True)
class Select:
    """yes where condition is not zero, no otherwise; only the chosen side is evaluated."""

    condition: Expr
    yes: Expr
    no: Expr
    bits: int = 64


@dataclass(frozen=True)
class Extend:
    """operand widened or narrowed to `bits` bits; widening copies the sign bit where signed."""

    operand: Expr
    bits: int
    signed: bool


@dataclass(frozen=True)
class Entry:
    """The value that operand had on entry to the containing concrete function (DW_OP_entry_value, section 2.5.1.7)."""

    operand: Expr
    bits: int = 64


@dataclass(frozen=True)
class Parameter:
    """The value on entry of a parameter of the containing function (DW_OP_GNU_parameter_ref), by the DIE that all of its
    instances have in common."""

    die: int
    bits: int = 64


@dataclass(frozen=True)
class ReturnsTo:
    """The address, at link time, that the activation with this canonical frame address returns to; in a module the offset
    in the section; any other number where it returns to code that is not of the file."""

    frame: Expr
    module: str | None = None
    section: str | None = None
    bits: int = 64


@dataclass(frozen=True)
class PerCpu:
    """The address, on the running CPU, of the per-CPU variable whose link-time address is value; of a module's, module,
    section and value are as in Address."""

    value: int
    module: str | None = None
    section: str | None = None
    bits: int = 64


@dataclass(frozen=True)
class Named:
    """A value that generated code has in a variable of that name."""

    name: str
    bits: int = 64


Expr = Const | Reg | Address | Load | Unary | Binary | Select | Extend | Entry | Parameter | ReturnsTo | PerCpu | Named


def children(expr: Expr) -> tuple[Expr, ...]:
    """The direct subexpressions of expr."""
    if isinstance(expr, Load):
        return (expr.address,)
    if isinstance(expr, ReturnsTo):
        return (expr.frame,)
    if isinstance(expr, (Unary, Extend, Entry)):
        return (expr.operand,)
    if isinstance(expr, Binary):
        return (expr.left, expr.right)
    if isinstance(expr, Select):
        return (expr.condition, expr.yes, expr.no)
    return ()


def contains(expr: Expr, kinds: type | tuple[type, ...]) -> bool:
    """True where expr or one of its subexpressions is of one of the given node classes."""
    return isinstance(expr, kinds) or any(contains(c, kinds) for c in children(expr))
