# SPDX-License-Identifier: GPL-2.0-or-later
"""What the model says of C types: sizes, signs, what is beneath typedefs and qualifiers."""

from __future__ import annotations

import pytest

from localvar.model.ctype import (
    Array,
    BaseType,
    CType,
    Declared,
    Encoding,
    Enumeration,
    FunctionType,
    Member,
    Pointer,
    Qualified,
    Qualifier,
    Record,
    Typedef,
    UnknownType,
    Void,
    is_floating,
    is_scalar,
    is_signed,
    size_of,
    strip,
)

WHERE = Declared(None, 0)
INT = BaseType(1, "int", 4, Encoding.SIGNED)
TYPES: dict[str, tuple[CType, int | None, bool, bool, bool]] = {
    # size, signed, scalar, floating
    "int": (INT, 4, True, True, False),
    "unsigned": (BaseType(1, "unsigned int", 4, Encoding.UNSIGNED), 4, False, True, False),
    "char": (BaseType(1, "char", 1, Encoding.SIGNED_CHAR), 1, True, True, False),
    "unsigned char": (BaseType(1, "unsigned char", 1, Encoding.UNSIGNED_CHAR), 1, False, True, False),
    "_Bool": (BaseType(1, "_Bool", 1, Encoding.BOOLEAN), 1, False, True, False),
    "double": (BaseType(1, "double", 8, Encoding.FLOAT), 8, False, True, True),
    "complex": (BaseType(1, "complex double", 16, Encoding.OTHER), 16, False, True, True),
    "pointer": (Pointer(1, 8, Void), 8, False, True, False),
    "void": (Void(), None, False, False, False),
    "struct": (Record(1, "struct", "s", 12, False, WHERE, "", None, tuple), 12, False, False, False),
    "declared struct": (Record(1, "struct", "s", 0, True, WHERE, "", None, tuple), None, False, False, False),
    "enum": (Enumeration(1, "e", 4, False, False, WHERE, "", tuple), 4, False, True, False),
    "signed enum": (Enumeration(1, "e", 4, True, False, WHERE, "", tuple), 4, True, True, False),
    "declared enum": (Enumeration(1, "e", 4, True, True, WHERE, "", tuple), None, True, True, False),
    "array": (Array(1, 3, False, lambda: INT), 12, False, False, False),
    "array of arrays": (Array(1, 3, False, lambda: Array(2, 2, False, lambda: INT)), 24, False, False, False),
    "flexible array": (Array(1, None, False, lambda: INT), None, False, False, False),
    "array of nothing": (Array(1, 3, False, Void), None, False, False, False),
    "function": (FunctionType(1, False, True, Void, tuple), None, False, False, False),
    "unknown": (UnknownType(1, "odd"), None, False, False, False),
}


def wrapped(ctype: CType) -> CType:
    """const volatile typedef of a typedef."""
    alias = Qualified(6, Qualifier.VOLATILE, lambda: Typedef(5, "alias", WHERE, lambda: ctype))
    return Qualified(8, Qualifier.CONST, lambda: Typedef(7, "other", WHERE, lambda: alias))


@pytest.mark.parametrize("name", TYPES)
def test_what_a_type_is_holds_beneath_typedefs_and_qualifiers_too(name: str) -> None:
    ctype, size, signed, scalar, floating = TYPES[name]
    for one in (ctype, wrapped(ctype)):
        assert strip(one) is ctype
        assert (size_of(one), is_signed(one), is_scalar(one), is_floating(one)) == (size, signed, scalar, floating)


def test_typedefs_in_a_circle_are_of_no_type() -> None:
    loop: list[CType] = []
    loop.append(Typedef(1, "a", WHERE, lambda: Typedef(2, "b", WHERE, lambda: loop[0])))
    assert isinstance(strip(loop[0]), UnknownType)
    assert size_of(loop[0]) is None and not is_scalar(loop[0])


def test_an_array_of_itself_has_no_size() -> None:
    loop: list[CType] = []
    loop.append(Array(1, 2, False, lambda: loop[0]))
    assert size_of(loop[0]) is None


def test_types_are_the_same_by_their_die_whatever_follows_from_them() -> None:
    assert Pointer(1, 8, Void) == Pointer(1, 8, lambda: INT)
    assert Pointer(1, 8, Void) != Pointer(2, 8, Void)
    one, other = (Record(1, "struct", "s", 8, False, WHERE, "", None, members) for members in (tuple, lambda: ()))
    assert one == other and hash(one) == hash(other)


def test_the_offset_of_a_member_is_in_bytes() -> None:
    assert Member("m", 64, None, None, Void).offset == 8
