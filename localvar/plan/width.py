# SPDX-License-Identifier: GPL-2.0-or-later
"""Whether a computed value is the program's, whatever the width that the program computed it in.

Operations of DWARF's generic type are of 64 bits (section 2.5.1), the program's of 32 where its variable is an int.
Compilers write both the same (gcc 12, dwarf2out.cc, mem_loc_descriptor: DIV, MOD, ASHIFTRT, LSHIFTRT; llvm,
salvageDebugInfoImpl), and the upper half of a register that holds an int may be anything.  The low bits of sums, products
and masks are the same in either width.  Those of quotients, remainders and right shifts are not: they are proven where 64
bits of the result are asked for, since then the program's operation was of 64 bits too, and where what they work on is
known to be extended as the program's operation would see it.  Operations that have a type are exact.
"""

from __future__ import annotations

from dataclasses import replace

from localvar.model.expr import COMPARISONS, Binary, Const, Expr, Extend, Load, Op, Select, Unary, children
from localvar.model.location import Absent, EntryValue, Location, Memory, Pieces, Reason, Value

_GENERIC_BITS = 64
_DIVISIONS = frozenset({Op.SDIV, Op.SMOD, Op.UDIV, Op.UMOD})
_WIDTHS = (8, 16, 32, 64, 128)


def with_clear_width(location: Location, wanted: int) -> Location:
    """location of an object of so many bits, as debug info gives it; Absent in place of what is not proven to be the
    program's."""
    if isinstance(location, Pieces):
        return Pieces(tuple(replace(piece, location=with_clear_width(piece.location, piece.bit_offset + piece.bit_size))
                            for piece in location.pieces))
    reason = None
    if isinstance(location, Memory):
        reason = unclear_width(location.address, location.address.bits)
    elif isinstance(location, (Value, EntryValue)):
        expr = location.expr if isinstance(location, Value) else location.inner
        reason = unclear_width(expr, min(wanted, expr.bits))
    return Absent(reason) if reason is not None else location


def unclear_width(expr: Expr, wanted: int) -> Reason | None:
    """Why the `wanted` lowest bits of expr may differ from the program's value; None where they cannot."""
    if wanted <= 0:  # all of them shifted out
        return None
    if isinstance(expr, Extend):  # of the same width: around an operation that has a type
        if expr.bits == expr.operand.bits:
            return _first(expr.bits, *children(expr.operand))
        return unclear_width(expr.operand, min(wanted, expr.operand.bits))
    if isinstance(expr, Load):
        return unclear_width(expr.address, expr.address.bits)
    if isinstance(expr, Select):
        return unclear_width(expr.condition, expr.condition.bits) or _first(wanted, expr.yes, expr.no)
    if isinstance(expr, Unary):
        if expr.op is Op.SABS and expr.bits == _GENERIC_BITS and wanted < expr.bits and not _extended(expr.operand, wanted, True):
            return _reason(expr, wanted)
        return unclear_width(expr.operand, wanted)
    return _binary(expr, wanted) if isinstance(expr, Binary) else _first(wanted, *children(expr))


def _first(wanted: int, *parts: Expr) -> Reason | None:
    return next((reason for part in parts if (reason := unclear_width(part, wanted))), None)


def _binary(expr: Binary, wanted: int) -> Reason | None:
    left, right = expr.left, expr.right
    if expr.bits != _GENERIC_BITS:  # the operation has a type
        return _first(expr.bits, left, right)
    if expr.op in COMPARISONS:  # compilers extend what they compare
        return _first(left.bits, left, right)
    if expr.op in _DIVISIONS:
        signed = expr.op in (Op.SDIV, Op.SMOD)
        if wanted < expr.bits and not (_extended(left, wanted, signed) and _extended(right, wanted, signed)):
            return _reason(expr, wanted)
        return _first(expr.bits, left, right)
    if expr.op in (Op.SHL, Op.SHR, Op.SAR):
        return _shift(expr, wanted)
    if expr.op is Op.AND and isinstance(right, Const):
        return unclear_width(left, min(wanted, right.value.bit_length()))
    return _first(wanted, left, right)


def _shift(expr: Binary, wanted: int) -> Reason | None:
    left, right = expr.left, expr.right
    count = right.value if isinstance(right, Const) else None
    if count is None and wanted < expr.bits and not _extended(right, wanted, False):
        return _reason(expr, wanted)
    if expr.op is Op.SHL:
        return unclear_width(left, max(wanted - count, 0)) if count is not None else _first(wanted, left, right)
    # the program's operation was at least as wide as its result and as its count makes sense
    least = next((width for width in _WIDTHS if width >= wanted and (count is None or width > count)), expr.bits)
    touched = expr.bits if count is None else min(wanted + count, expr.bits)
    if touched > least and not _extended(left, wanted, expr.op is Op.SAR):
        return _reason(expr, wanted)
    return _first(expr.bits, left, right)


def _extended(expr: Expr, wanted: int, signed: bool) -> bool:
    """Whether expr is what an operation of `wanted` or more bits sees, extended by its sign or by zeros."""
    if signed and _sign_extended(expr, wanted):
        return True
    return _bit_length(expr) < wanted + (not signed)


def _sign_extended(expr: Expr, wanted: int) -> bool:
    if isinstance(expr, Extend):
        return expr.signed and expr.operand.bits <= wanted
    if isinstance(expr, Const):
        return expr.value >> (wanted - 1) in (0, (1 << expr.bits - wanted + 1) - 1)
    return isinstance(expr, Binary) and expr.op is Op.SAR and isinstance(expr.left, Binary) and expr.left.op is Op.SHL and (
        isinstance(expr.right, Const) and expr.left.right == expr.right and expr.bits - expr.right.value <= wanted)


def _bit_length(expr: Expr) -> int:
    """How many bits of an unsigned value may be set, from the lowest on."""
    if isinstance(expr, Const):
        return expr.value.bit_length()
    if isinstance(expr, Extend):
        return expr.bits if expr.signed else min(expr.bits, _bit_length(expr.operand))
    if isinstance(expr, Binary) and expr.op is Op.AND:
        return min(_bit_length(expr.left), _bit_length(expr.right))
    if isinstance(expr, Binary) and expr.op is Op.SHR and isinstance(expr.right, Const):
        return max(_bit_length(expr.left) - expr.right.value, 0)
    return 1 if isinstance(expr, Binary) and expr.op in COMPARISONS else expr.bits


def _reason(expr: Expr, wanted: int) -> Reason:
    operation = {Op.SHL: "shift", Op.SHR: "shift", Op.SAR: "shift", Op.SABS: "absolute value"}.get(
        expr.op if isinstance(expr, (Unary, Binary)) else Op.ADD, "division")
    return Reason("width", f"debug info does not say whether a {operation} that it takes is of {wanted} or of {expr.bits} bits")
