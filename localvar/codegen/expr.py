# SPDX-License-Identifier: GPL-2.0-or-later
"""Expressions to C: one straight line over `regs`, with no operation that the expression does not have."""

from __future__ import annotations

from localvar.arch import Architecture
from localvar.codegen.names import section_name
from localvar.model import fold
from localvar.model.expr import (
    COMPARISONS,
    Address,
    Binary,
    Const,
    Entry,
    Expr,
    Extend,
    Load,
    Named,
    Op,
    Parameter,
    PerCpu,
    Reg,
    ReturnsTo,
    Select,
    Unary,
)

UNSIGNED = {8: "u8", 16: "u16", 32: "u32", 64: "unsigned long", 128: "unsigned __int128"}
SIGNED = {8: "s8", 16: "s16", 32: "s32", 64: "long", 128: "__int128"}

_INFIX = {
    Op.ADD: "+", Op.SUB: "-", Op.MUL: "*", Op.UDIV: "/", Op.UMOD: "%", Op.AND: "&", Op.OR: "|", Op.XOR: "^",
    Op.EQ: "==", Op.NE: "!=", Op.SLT: "<", Op.SLE: "<=", Op.SGT: ">", Op.SGE: ">=", Op.ULT: "<", Op.ULE: "<=",
    Op.UGT: ">", Op.UGE: ">=",
}
_SIGNED_COMPARISONS = frozenset({Op.SLT, Op.SLE, Op.SGT, Op.SGE})
_SHIFTS = {Op.SHL: "localvar_shl", Op.SHR: "localvar_shr", Op.SAR: "localvar_sar"}


def c_expression(expr: Expr, arch: Architecture) -> str:
    """expr as C, of the unsigned type of its width; registers are fields of `regs`, those on entry of
    localvar_entry_regs()."""
    return _Writer(arch).outer(expr)


class _Writer:
    def __init__(self, arch: Architecture, regs: str = "regs") -> None:
        self._arch = arch
        self._regs = regs

    def outer(self, expr: Expr) -> str:
        """expr as a whole right-hand side."""
        text = self.operand(expr)
        return text[1:-1] if text.startswith("(") and _closes(text) else text

    def operand(self, expr: Expr) -> str:
        """expr where it binds tighter than any operator."""
        if isinstance(expr, Const):
            return _constant(expr)
        if isinstance(expr, Reg):
            return f"{self._regs}->{self._arch.pt_regs[expr.number]}"
        if isinstance(expr, Entry):
            return _Writer(self._arch, "localvar_entry_regs()").operand(expr.operand)
        if isinstance(expr, (Address, PerCpu)) and expr.module is not None and expr.section is not None:
            place = f"&{section_name(expr.module, expr.section)}, {expr.value:#x}ul"
            if isinstance(expr, Address):
                return f"localvar_address(&localvar_kernel, {place})"
            return f"localvar_module_percpu({place})"
        if isinstance(expr, PerCpu):
            return f"((unsigned long)this_cpu_ptr(localvar_percpu(&localvar_kernel, {expr.value:#x}ul)))"
        if isinstance(expr, Named):
            return expr.name
        if isinstance(expr, ReturnsTo):
            return self._returns_to(expr)
        if isinstance(expr, Address):
            return f"(localvar_slide(&localvar_kernel) + {expr.value:#x}ul)"
        if isinstance(expr, Load):
            return self._load(expr)
        if isinstance(expr, Select):
            return f"({self._condition(expr.condition)} ? {self.operand(expr.yes)} : {self.operand(expr.no)})"
        if isinstance(expr, Extend):
            return self._extend(expr)
        if isinstance(expr, Unary):
            return self._unary(expr)
        if isinstance(expr, Binary):
            return self._binary(expr)
        assert isinstance(expr, Parameter)
        raise ValueError("a parameter reference that was not resolved")

    def _condition(self, expr: Expr) -> str:
        """expr where only whether it is zero counts."""
        if isinstance(expr, Extend) and not expr.signed and expr.bits > expr.operand.bits:
            return self._condition(expr.operand)
        if isinstance(expr, Binary) and expr.op in COMPARISONS:
            return self._compare(expr)
        text = self.operand(expr)
        return text if isinstance(expr, (Reg, Load)) else f"{text} != 0"  # gcc warns of products and shifts as truth values

    def _returns_to(self, expr: ReturnsTo) -> str:
        known = expr.module is not None and expr.section is not None
        section = f"&{section_name(expr.module or '', expr.section or '')}" if known else "NULL"
        return f"localvar_caller(&localvar_kernel, {section}, {self.outer(expr.frame)})"

    def _load(self, expr: Load) -> str:
        ctype = UNSIGNED[expr.bits]
        if expr.safe:
            return f"(*(const {ctype} *)({self.outer(expr.address)}))"
        return f"localvar_load({ctype}, {self.outer(expr.address)})"

    def _extend(self, expr: Extend) -> str:
        operand = self.operand(expr.operand)
        to = UNSIGNED[expr.bits]
        if expr.bits < expr.operand.bits:
            return f"(({to}){operand})"
        source = SIGNED if expr.signed else UNSIGNED
        widened = f"({source[expr.operand.bits]}){operand}"
        return f"(({to})({SIGNED[expr.bits]}){widened})" if expr.signed else f"(({to}){widened})"

    def _unary(self, expr: Unary) -> str:
        ctype = UNSIGNED[expr.bits]
        operand = self.operand(expr.operand)
        if expr.op is Op.SABS:
            return f"localvar_abs({ctype}, ({SIGNED[expr.bits]}){operand})"
        if expr.op is Op.NOT and _is_truth(expr.operand):
            return f"({operand} ^ {_constant(Const(fold.mask(expr.bits), expr.bits))})"  # gcc warns of ~ on a truth value
        return f"(({ctype}){'-' if expr.op is Op.NEG else '~'}{operand})"

    def _binary(self, expr: Binary) -> str:
        ctype = UNSIGNED[expr.bits]
        if expr.op in _SHIFTS:
            return self._shift(expr)
        if isinstance(expr.right, Const) and expr.op is Op.ADD and expr.bits == 64:
            offset = fold.signed(expr.right.value, 64)
            if abs(offset) < 1 << 31:
                return f"({self.operand(expr.left)} {'-' if offset < 0 else '+'} {abs(offset)})"
        if expr.op in COMPARISONS:
            return f"(({ctype}){self._compare(expr)})"
        left, right = self.operand(expr.left), self.operand(expr.right)
        if expr.op in (Op.SDIV, Op.SMOD):
            cast = SIGNED[expr.bits]
            return f"(({ctype})(({cast}){left} {'/' if expr.op is Op.SDIV else '%'} ({cast}){right}))"
        if expr.bits >= 32:
            return f"({left} {_INFIX[expr.op]} {right})"
        # narrower than int, C computes in int: the casts keep a product from overflowing and bring the result back
        return f"(({ctype})((u32){left} {_INFIX[expr.op]} {right}))"

    def _compare(self, expr: Binary) -> str:
        """A comparison, whose type is C's int."""
        cast = f"({SIGNED[expr.left.bits]})" if expr.op in _SIGNED_COMPARISONS else ""
        return f"({cast}{self.operand(expr.left)} {_INFIX[expr.op]} {cast}{self.operand(expr.right)})"

    def _shift(self, expr: Binary) -> str:
        ctype, left = UNSIGNED[expr.bits], self.operand(expr.left)
        if isinstance(expr.right, Const) and expr.right.value < expr.bits:
            if expr.op is Op.SAR:
                return f"(({ctype})(({SIGNED[expr.bits]}){left} >> {expr.right.value}))"
            infix = "<<" if expr.op is Op.SHL else ">>"
            text = f"({left} {infix} {expr.right.value})"
            return f"(({ctype}){text})" if expr.bits < 32 else text
        right = self.operand(expr.right)
        if expr.op is Op.SAR:
            return f"(({ctype})localvar_sar({SIGNED[expr.bits]}, {left}, {right}))"
        return f"{_SHIFTS[expr.op]}({ctype}, {left}, {right})"


def _is_truth(expr: Expr) -> bool:
    """Whether a value is 0 or 1, as gcc sees it."""
    if isinstance(expr, Extend):
        return _is_truth(expr.operand)
    if isinstance(expr, Select):
        return _is_truth(expr.yes) and _is_truth(expr.no)
    return isinstance(expr, Binary) and (expr.op in COMPARISONS or (
        expr.op in (Op.AND, Op.OR, Op.XOR) and _is_truth(expr.left) and _is_truth(expr.right)))


def _constant(expr: Const) -> str:
    if expr.bits == 128:
        high, low = expr.value >> 64, expr.value & fold.mask(64)
        return f"((unsigned __int128){high:#x}ul << 64 | {low:#x}ul)" if high else f"((unsigned __int128){low:#x}ul)"
    number = str(expr.value) if expr.value < 1 << 16 else f"{expr.value:#x}"
    if expr.bits == 64:
        return number + "ul"
    return number + "u" if expr.bits == 32 else f"(({UNSIGNED[expr.bits]}){number})"


def _closes(text: str) -> bool:
    """Whether the parenthesis that text begins with closes at its very end, and is no cast's."""
    depth = 0
    for index, character in enumerate(text):
        depth += (character == "(") - (character == ")")
        if depth == 0:
            return index == len(text) - 1
    return False
