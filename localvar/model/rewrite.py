# SPDX-License-Identifier: GPL-2.0-or-later
"""Expressions with some of their nodes replaced."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from localvar.model.expr import Binary, Entry, Expr, Extend, Load, ReturnsTo, Select, Unary


def rewrite(expr: Expr, change: Callable[[Expr], Expr]) -> Expr:
    """expr with `change` applied to every node, children first."""
    return change(with_children(expr, lambda child: rewrite(child, change)))


def with_children(expr: Expr, change: Callable[[Expr], Expr]) -> Expr:
    """expr with `change` applied to its direct subexpressions, in order."""
    if isinstance(expr, Load):
        return replace(expr, address=change(expr.address))
    if isinstance(expr, ReturnsTo):
        return replace(expr, frame=change(expr.frame))
    if isinstance(expr, (Unary, Extend, Entry)):
        return replace(expr, operand=change(expr.operand))
    if isinstance(expr, Binary):
        return replace(expr, left=change(expr.left), right=change(expr.right))
    if isinstance(expr, Select):
        return replace(expr, condition=change(expr.condition), yes=change(expr.yes), no=change(expr.no))
    return expr
