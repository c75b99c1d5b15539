# SPDX-License-Identifier: GPL-2.0-or-later
"""What the caller passed, told by the return address in the frame (design section 4, 3 b).

Each call that debug info describes states what it passes over the caller's registers, which the frame gives back; the
return address says which call it was.  Memory is not kept: what the caller had there may have changed since.  A hit whose
caller is none of these is counted as unproven, and the handler is not called.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import reduce

from localvar.arch import Architecture
from localvar.model import fold
from localvar.model.calls import Activation, Call
from localvar.model.expr import Binary, Const, Entry, Expr, Load, Op, Parameter, Reg, ReturnsTo, Select, contains
from localvar.model.location import Reason
from localvar.model.memory import passed_on_stack
from localvar.model.plan import Callers, How, Read
from localvar.model.rewrite import rewrite
from localvar.model.site import Site
from localvar.plan.read import expressions, with_expressions
from localvar.plan.width import unclear_width

CALLS_LIMIT = 32
"""Calls of a function that pass different values: a handler compares them one by one."""


_WIDTHS = (8, 16, 32, 64)
"""Of what a parameter can be; a call site does not say."""


class _Unstated(Exception):
    """A call does not say what it passes, or what it says is lost."""


def by_callers(site: Site, read: Read, calls: Sequence[Call], activation: Activation, arch: Architecture) -> Read | Reason:
    """A read of values on entry, through the calls that state them; why there is none."""
    assert read.source is not None
    wanted = [*expressions(read.source), *([read.address] if read.address is not None else [])]
    stated: dict[tuple[Expr, ...], list[Call]] = {}
    for call in calls:
        try:
            values = tuple(_at(call, expr, activation, arch) for expr in wanted)
        except _Unstated:
            continue
        stated.setdefault(values, []).append(call)
    if not stated:
        known = f"none of the {len(calls)} calls of its function that debug info describes says" if calls else \
            "debug info describes no call of its function that says"
        return Reason("caller-unknown", f"it is what a caller passed, and {known} what")
    if len(stated) > CALLS_LIMIT:
        return Reason("caller-unknown", f"it is what a caller passed, in {len(stated)} ways: too many to tell apart")
    key = ReturnsTo(activation.frame, site.module, site.section)
    chosen = {expr: _chosen([(values[index], group) for values, group in stated.items()], key)
              for index, expr in enumerate(wanted)}
    found = sorted((call.returns_to, call.name) for group in stated.values() for call in group)
    return replace(with_expressions(read, chosen.__getitem__), how=How.CALLER, callers=Callers(key, tuple(found)))


def _chosen(groups: Sequence[tuple[Expr, Sequence[Call]]], key: ReturnsTo) -> Expr:
    """The value that the activation's own call passed."""
    merged: dict[Expr, list[Call]] = {}
    for value, group in groups:
        merged.setdefault(value, []).extend(group)
    *rest, (last, _) = merged.items()
    return reduce(lambda other, one: Select(_is_one_of(key, one[1]), one[0], other, other.bits), reversed(rest), last)


def _is_one_of(key: ReturnsTo, calls: Sequence[Call]) -> Expr:
    tests: list[Expr] = [Binary(Op.EQ, key, Const(call.returns_to)) for call in sorted(calls, key=lambda call: call.returns_to)]
    return reduce(lambda left, right: Binary(Op.OR, left, right), tests)


def _at(call: Call, expr: Expr, activation: Activation, arch: Architecture) -> Expr:
    """expr where that was the call.  Raises _Unstated."""
    return rewrite(expr, lambda node: _passed(node, call, activation, arch))


def _passed(node: Expr, call: Call, activation: Activation, arch: Architecture) -> Expr:
    """What a value on entry was, where node is one.  Raises _Unstated."""
    if isinstance(node, Parameter):
        return _unwound(_of(call.parameters, node.die), activation)
    if isinstance(node, Entry) and isinstance(node.operand, Load):
        distance = passed_on_stack(node.operand.address, arch)
        value = _unwound(_of(call.stack, -1 if distance is None else distance), activation)
        return fold.extend(value, node.bits, False)
    if isinstance(node, Entry):
        return rewrite(node.operand, lambda inner: (
            _unwound(_of(call.registers, inner.number), activation) if isinstance(inner, Reg) else inner))
    return node


def _of(stated: Mapping[int, Expr], key: int) -> Expr:
    if key not in stated:
        raise _Unstated
    return stated[key]


def _unwound(value: Expr, activation: Activation) -> Expr:
    """A value over the caller's registers, over those at the probed place."""
    kept = value.bits == _WIDTHS[-1] and not contains(value, (Load, Entry, Parameter))
    if not kept or any(unclear_width(value, bits) for bits in _WIDTHS):
        raise _Unstated

    def change(node: Expr) -> Expr:
        if isinstance(node, Reg):
            return _of(activation.registers, node.number)
        if isinstance(node, Binary) and node.op is Op.ADD:
            return fold.binary(Op.ADD, node.left, node.right)
        return node

    return rewrite(value, change)
