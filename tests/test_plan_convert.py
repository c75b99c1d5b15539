# SPDX-License-Identifier: GPL-2.0-or-later
"""GET_LOCAL_VAR(var, type): what a type takes and what it does not, with the kernel's typedefs and as gcc has it."""

from __future__ import annotations

import functools

import pytest

from localvar.dwarf.lookup import TypeLookup
from localvar.model.ctype import CType
from localvar.plan.convert import conversion_problem, parse_type
from tests.dwarf_support import debug_info
from tests.dwarfgen import Die, Image, Ref, ctype
from tests.dwarfgen.parsed import unit

TYPES = [
    ctype.base("char", 1, "signed_char"),
    ctype.base("signed char", 1, "signed_char"),
    ctype.base("unsigned char", 1, "unsigned_char"),
    ctype.base("short int", 2, "signed"),
    ctype.base("short unsigned int", 2, "unsigned"),
    ctype.base("int", 4, "signed"),
    ctype.base("unsigned int", 4, "unsigned"),
    ctype.base("long int", 8, "signed"),
    ctype.base("long unsigned int", 8, "unsigned"),
    ctype.base("long long int", 8, "signed"),
    ctype.base("long long unsigned int", 8, "unsigned"),
    ctype.base("_Bool", 1, "boolean"),
    *(ctype.typedef(name, target) for name, target in {
        "bool": "_Bool", "u8": "unsigned char", "u16": "short unsigned int", "u32": "unsigned int", "s32": "int",
        "u64": "long long unsigned int", "s64": "long long int", "size_t": "long unsigned int", "ssize_t": "long int",
        "gfp_t": "unsigned int", "pid_t": "int", "loff_t": "long long int", "sector_t": "u64"}.items()),
    ctype.enumeration("zone_type", 4, "unsigned int", ZONE_DMA=0, ZONE_NORMAL=1),
    ctype.enumeration("signed_enum", 4, "int", NONE=-1, SOME=1),
    ctype.struct("file", 8, ctype.member("n", "long int", 0)),
    ctype.struct("inode", 8, ctype.member("n", "long int", 0)),
    Die("structure_type", label="kuid", byte_size=4, children=[ctype.member("val", "unsigned int", 0)]),
    Die("structure_type", label="kgid", byte_size=4, children=[ctype.member("val", "unsigned int", 0)]),
    Die("typedef", name="kuid_t", type=Ref("kuid"), label="kuid_t"),
    Die("typedef", name="kgid_t", type=Ref("kgid"), label="kgid_t"),
    Die("const_type", type=Ref("file"), label="const file"),
    Die("typedef", name="cfile_t", type=Ref("const file"), label="cfile_t"),
    *(Die("subroutine_type", label=name, prototyped=True, type=Ref("int"),
          children=[Die("formal_parameter", type=Ref(of))]) for name, of in {"int(int)": "int", "int(long)": "long int"}.items()),
    *(Die("pointer_type", byte_size=8, type=Ref(of), label=f"{of} *") for of in ("int(int)", "int(long)")),
    Die("typedef", name="by_int_t", type=Ref("int(int) *"), label="by_int_t"),
    Die("typedef", name="by_long_t", type=Ref("int(long) *"), label="by_long_t"),
]

TAKEN = [
    ("size_t", "unsigned long"), ("unsigned long", "size_t"), ("size_t", "u64"), ("u64", "size_t"), ("u64", "unsigned long"),
    ("gfp_t", "unsigned int"), ("gfp_t", "u32"), ("gfp_t", "unsigned long"), ("gfp_t", "long"), ("pid_t", "int"),
    ("pid_t", "long"), ("int", "pid_t"), ("enum zone_type", "int"), ("enum zone_type", "unsigned int"), ("enum zone_type", "u64"),
    ("int", "enum zone_type"), ("enum signed_enum", "int"), ("enum signed_enum", "long"), ("bool", "int"), ("bool", "u8"),
    ("_Bool", "bool"), ("u8", "int"), ("char", "long"), ("loff_t", "long"), ("sector_t", "unsigned long long"),
    ("unsigned int", "int"), ("unsigned int", "s64"), ("short", "int"), ("struct file", "struct file"), ("kuid_t", "kuid_t"),
    ("struct file *", "struct file *"), ("struct file *", "const struct file *"), ("struct file *", "struct file const *"),
    ("struct file *", "void *"), ("void *", "struct file *"), ("struct file *", "const void *"), ("struct file *", "cfile_t *"),
    ("char *", "const char __user *"), ("char *const *", "char *const *"), ("struct file **", "struct file **"),
    ("u64 *", "unsigned long *"), ("enum zone_type *", "unsigned int *"), ("loff_t *", "s64 *"), ("by_int_t", "by_int_t"),
    ("by_int_t", "void *"), ("kuid_t *", "const kuid_t *"), ("int", "own_t"), ("enum zone_type", "enum own"),
    ("struct file **", "struct file *const *"), ("u8 *", "char *"), ("signed char *", "const char *"), ("char *", "u8 *"),
]
REFUSED = [
    ("unsigned long", "int"), ("size_t", "unsigned int"), ("u64", "gfp_t"), ("long", "pid_t"), ("int", "u8"), ("int", "short"),
    ("int", "unsigned long"), ("pid_t", "size_t"), ("int", "u64"), ("enum signed_enum", "u64"), ("char", "unsigned int"),
    ("int", "bool"), ("u8", "bool"), ("struct file *", "unsigned long"), ("struct file *", "u64"), ("unsigned long", "void *"),
    ("size_t", "struct file *"), ("struct file *", "struct inode *"), ("struct file", "struct inode"), ("struct file", "long"),
    ("long", "struct file"), ("struct file", "struct file *"), ("kuid_t", "kgid_t"), ("kuid_t *", "kgid_t *"),
    ("kuid_t", "unsigned int"), ("const struct file *", "struct file *"), ("cfile_t *", "struct file *"),
    ("const char *", "char *"), ("int *", "long *"), ("int *", "unsigned int *"), ("bool *", "u8 *"),
    ("struct file **", "void **"),
    ("struct file **", "struct inode **"), ("struct file *", "struct file **"), ("int", "void"), ("by_int_t", "by_long_t"),
    ("by_int_t", "unsigned long"), ("enum signed_enum *", "enum zone_type *"), ("struct file *", "struct unheard_of *"),
    ("char *const *", "char **"),
]


@functools.cache
def names() -> TypeLookup:
    return TypeLookup(debug_info(Image(units=[unit(*TYPES)])))


def problem(actual: str, wanted: str, bits: int | None = None) -> str | None:
    """What stands against a conversion; nothing where the type asked for is not known here."""
    have, want = parse_type(actual, names()), parse_type(wanted, names())
    assert isinstance(have, CType), actual
    return None if want is None else conversion_problem(have, want, bits)


@pytest.mark.parametrize(("actual", "wanted"), TAKEN)
def test_a_type_that_keeps_the_value_is_taken(actual: str, wanted: str) -> None:
    assert problem(actual, wanted) is None


@pytest.mark.parametrize(("actual", "wanted"), REFUSED)
def test_a_type_that_loses_value_or_takes_a_pointer_for_an_integer_is_refused(actual: str, wanted: str) -> None:
    assert problem(actual, wanted) is not None


@pytest.mark.parametrize(("bits", "wanted", "taken"), [
    (1, "bool", True), (1, "u8", True), (2, "bool", False), (8, "u8", True), (8, "signed char", False), (9, "u8", False),
    (9, "u16", True), (31, "int", True), (32, "u32", True), (12, "unsigned long", True)])
def test_a_bit_field_counts_with_its_own_width(bits: int, wanted: str, taken: bool) -> None:
    assert (problem("unsigned int", wanted, bits) is None) == taken


def test_a_signed_bit_field_keeps_its_sign() -> None:
    assert problem("int", "bool", 1) is not None
    assert problem("int", "signed char", 7) is None
    assert problem("int", "u32", 7) is not None


@pytest.mark.parametrize("text", ["void (*)(int)", "typeof(x)", "int[3]", "own_t", "enum own", "int * own", "", "long float"])
def test_what_is_not_known_here_is_left_to_the_compiler(text: str) -> None:
    assert parse_type(text, names()) is None
