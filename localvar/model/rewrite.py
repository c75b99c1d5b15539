# SPDX-License-Identifier: GPL-2.0-or-later
"""Expressions with some of their nodes replaced."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from localvar.model.expr import Binary, Entry, Expr, Extend, Load, ReturnsTo, Select, Unary


def rewrite(expr: Expr, change: Callable[[Expr], Expr]) -> Expr:
    """expr with `change` applied to every node, children first."""
    if isinstance(expr, Load):
        expr = replace(expr, address=rewrite(expr.address, change))
    elif isinstance(expr, ReturnsTo):
        expr = replace(expr, frame=rewrite(expr.frame, change))
    elif isinstance(expr, (Unary, Extend, Entry)):
        expr = replace(expr, operand=rewrite(expr.operand, change))
    elif isinstance(expr, Binary):
        expr = replace(expr, left=rewrite(expr.left, change), right=rewrite(expr.right, change))
    elif isinstance(expr, Select):
        expr = replace(expr, condition=rewrite(expr.condition, change), yes=rewrite(expr.yes, change),
                       no=rewrite(expr.no, change))
    return change(expr)
