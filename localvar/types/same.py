# SPDX-License-Identifier: GPL-2.0-or-later
"""Whether two types of debug info are one: each unit describes the types of a header anew."""

from __future__ import annotations

from localvar.model.ctype import (
    Array,
    BaseType,
    CType,
    Enumeration,
    FunctionType,
    Pointer,
    Qualified,
    Record,
    Typedef,
    UnknownType,
    Void,
)


def same_type(a: CType, b: CType) -> bool:
    """Whether both have the same names, layout and values: what is behind pointers counts by its name only."""
    return _same(a, b, True)


def _same(a: CType, b: CType, deep: bool) -> bool:
    if type(a) is not type(b):
        return False
    if a is b:
        return True
    if isinstance(a, Record) and isinstance(b, Record):
        return _records(a, b, deep)
    if isinstance(a, Enumeration) and isinstance(b, Enumeration):
        if a.name != b.name or (a.name is not None and not deep):
            return a.name == b.name
        return (a.size, a.enumerators()) == (b.size, b.enumerators())
    if isinstance(a, Typedef) and isinstance(b, Typedef):
        return a.name == b.name and (not deep or _same(a.target(), b.target(), deep))
    return _derived(a, b, deep)


def _derived(a: CType, b: CType, deep: bool) -> bool:
    if isinstance(a, BaseType) and isinstance(b, BaseType):
        return (a.name, a.size) == (b.name, b.size)
    if isinstance(a, Qualified) and isinstance(b, Qualified):
        return a.qualifier is b.qualifier and _same(a.target(), b.target(), deep)
    if isinstance(a, Pointer) and isinstance(b, Pointer):
        return _same(a.target(), b.target(), False)
    if isinstance(a, Array) and isinstance(b, Array):
        return a.count == b.count and _same(a.element(), b.element(), deep)
    if isinstance(a, FunctionType) and isinstance(b, FunctionType):
        left, right = (a.result(), *a.parameters()), (b.result(), *b.parameters())
        return len(left) == len(right) and all(_same(x, y, False) for x, y in zip(left, right, strict=True))
    return isinstance(a, (Void, UnknownType))


def _records(a: Record, b: Record, deep: bool) -> bool:
    if (a.kind, a.name) != (b.kind, b.name):
        return False
    if a.name is not None and (not deep or a.declaration or b.declaration):
        return True
    if a.size != b.size:
        return False
    if a.declared == b.declared and a.name is not None and a.declared.file is not None and a.unit == b.unit:
        return True
    left, right = a.members(), b.members()
    return len(left) == len(right) and all(
        (x.name, x.bit_offset, x.bit_size) == (y.name, y.bit_offset, y.bit_size) and _same(x.type(), y.type(), deep)
        for x, y in zip(left, right, strict=True))
