# SPDX-License-Identifier: GPL-2.0-or-later
"""Types as C: each declaration is the type that a person would write, as gcc sees it."""

from __future__ import annotations

import subprocess

import pytest

from localvar.ctext.declare import declaration, type_name
from localvar.model.ctype import Array, BaseType, CType, Encoding, FunctionType, Pointer, Qualified, Qualifier, Void

INT = BaseType(1, "int", 4, Encoding.SIGNED)


def pointer(to: CType) -> CType:
    return Pointer(2, 8, lambda: to)


def array(count: int | None, of: CType) -> CType:
    return Array(3, count, False, lambda: of)


def const(of: CType) -> CType:
    return Qualified(4, Qualifier.CONST, lambda: of)


def volatile(of: CType) -> CType:
    return Qualified(5, Qualifier.VOLATILE, lambda: of)


def function(result: CType, *parameters: CType) -> CType:
    return FunctionType(6, False, True, lambda: result, lambda: parameters)


CASES = [
    (array(3, INT), "int x[3]"),
    (const(array(3, INT)), "const int x[3]"),
    (const(volatile(array(3, INT))), "const volatile int x[3]"),
    (volatile(const(array(2, array(3, INT)))), "volatile const int x[2][3]"),
    (const(array(2, volatile(array(3, INT)))), "const volatile int x[2][3]"),
    (const(array(3, volatile(pointer(INT)))), "int *const volatile x[3]"),
    (array(3, const(pointer(volatile(INT)))), "volatile int *const x[3]"),
    (pointer(const(volatile(array(3, INT)))), "const volatile int (*x)[3]"),
    (const(pointer(array(None, const(INT)))), "const int (*const x)[]"),
    (const(const(array(3, const(INT)))), "const int x[3]"),
    (pointer(const(function(INT, pointer(const(Void()))))), "int (*x)(const void *)"),
    (const(array(2, pointer(function(Void())))), "void (*const x[2])(void)"),
    (pointer(volatile(const(function(INT)))), "int (*x)(void)"),
]


@pytest.mark.parametrize(("ctype", "expected"), CASES, ids=[text for _, text in CASES])
def test_a_declaration_is_the_type_that_a_person_writes(ctype: CType, expected: str) -> None:
    """gcc takes two declarations of one name only where their types are the same, type_name() among them."""
    source = (f"extern {declaration(ctype, 'x')};\nextern {expected};\n"
              f"extern typeof(x) *y;\nextern typeof({type_name(ctype)}) *y;\n")
    found = subprocess.run(["gcc", "-Wall", "-Werror", "-fsyntax-only", "-xc", "-"], input=source, text=True, capture_output=True,
                           check=False)
    assert found.returncode == 0, source + found.stderr
