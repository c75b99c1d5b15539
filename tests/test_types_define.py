# SPDX-License-Identifier: GPL-2.0-or-later
"""Definitions written out from debug info: odd layouts, compiled and held against the offsets that they came from."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from localvar.dwarf.lookup import TypeLookup
from localvar.model.ctype import Enumeration, Record
from localvar.types.asserts import MACROS, assertions
from localvar.types.closure import Closure, Collision, Forward, spelling
from localvar.types.define import define
from localvar.types.layout import Layouts
from tests.c_compilers import clang_errors, gcc_errors
from tests.dwarf_support import debug_info
from tests.dwarfgen import Die, Image, Ref, ctype
from tests.dwarfgen.parsed import unit

BASE = [
    ctype.base("char", 1, "signed_char"),
    ctype.base("unsigned char", 1, "unsigned_char"),
    ctype.base("short int", 2, "signed"),
    ctype.base("int", 4, "signed"),
    ctype.base("unsigned int", 4, "unsigned"),
    ctype.base("long unsigned int", 8, "unsigned"),
    ctype.base("_Bool", 1, "boolean"),
    ctype.pointer("void *", None),
]


def aligned(die: Die, alignment: int) -> Die:
    """The DIE with DW_AT_alignment."""
    values = {**dict(die.attributes), "alignment": alignment}
    return Die(die.tag, label=die.label, attributes=list(values.items()), children=die.children)


def lookup(*types: Die) -> TypeLookup:
    """The types of one unit, by name."""
    return TypeLookup(debug_info(Image(units=[unit(*BASE, *types)])))


def written(types: TypeLookup, *names: str) -> str:
    """The definitions of these types with all they need, as one C text."""
    closure, layouts = Closure(lambda ctype: False), Layouts()
    for name in names:
        closure.add(found(types, name))
    return "".join(f"{i.kind} {i.name};\n" if isinstance(i, Forward) else define(i, layouts) + "\n" for i in closure.items)


def found(types: TypeLookup, name: str) -> Record | Enumeration:
    """A type by kind and name."""
    kind, tag = name.split()
    made = types.tagged(kind, tag)
    assert isinstance(made, (Record, Enumeration))
    return made


def errors(types: TypeLookup, names: Iterable[str], folder: Path) -> list[str]:
    """What gcc and clang say of the definitions and of the sizes and offsets that debug info gives."""
    names = list(names)
    checks = [str(a) for name in names for a in assertions(found(types, name), name)]
    assert len(checks) >= len(names)
    text = "\n".join([written(types, *names), MACROS, *checks, ""])
    return gcc_errors(text, folder) + clang_errors(text)


PACKED = ctype.struct("packed", 5, ctype.member("c", "char", 0), ctype.member("n", "int", 1))

LAYOUTS = {
    "packed": [PACKED],
    "packed_and_aligned": [aligned(ctype.struct("packed_and_aligned", 8, ctype.member("c", "char", 0),
                                                ctype.member("n", "int", 1)), 4)],
    "aligned_member": [aligned(ctype.struct("aligned_member", 32, ctype.member("c", "char", 0),
                                            ctype.member("n", "int", 16, alignment=16)), 16)],
    "aligned_type": [aligned(ctype.struct("aligned_type", 64, ctype.member("n", "int", 0)), 64)],
    "lowered": [aligned(ctype.typedef("u64_4", "long unsigned int"), 4),
                ctype.struct("lowered", 12, ctype.member("n", "int", 0), ctype.member("v", "u64_4", 4, alignment=4))],
    "unexplained_hole": [ctype.struct("unexplained_hole", 16, ctype.member("c", "char", 0), ctype.member("d", "char", 9))],
    "unexplained_end": [ctype.struct("unexplained_end", 24, ctype.member("n", "int", 0))],
    "bits": [ctype.struct("bits", 24, ctype.bit_field("a", "_Bool", 0, 1), ctype.bit_field("b", "unsigned char", 1, 7),
                          ctype.bit_field("c", "long unsigned int", 8, 40), ctype.bit_field("d", "unsigned int", 64, 20),
                          ctype.bit_field("e", "int", 96, 3), ctype.member("end", "int", 16))],
    "bit_holes": [ctype.struct("bit_holes", 8, ctype.bit_field("a", "int", 3, 4), ctype.bit_field("b", "int", 37, 4),
                               ctype.member("end", "char", 7))],
    "packed_bits": [ctype.struct("packed_bits", 6, ctype.bit_field("a", "unsigned int", 0, 30),
                                 ctype.bit_field("b", "unsigned int", 30, 7), ctype.member("end", "char", 5))],
    "arrays": [PACKED, ctype.array("packed [2][3]", "packed", 2, 3), ctype.array("int [0]", "int", 0),
               ctype.array("int []", "int", None),
               ctype.struct("arrays", 32, ctype.member("c", "char", 0), ctype.member("m", "packed [2][3]", 1),
                            ctype.member("none", "int [0]", 32), ctype.member("rest", "int []", 32))],
    "unnamed": [ctype.struct(None, 8, ctype.member("low", "int", 0), ctype.member("high", "int", 4), label="halves"),
                ctype.struct(None, 8, ctype.member("whole", "long unsigned int", 0), ctype.member(None, "halves", 0),
                             label="parts", union=True),
                ctype.array("parts [2]", "parts", 2),
                ctype.struct("unnamed", 32, ctype.member("n", "int", 0), ctype.member(None, "parts", 8),
                             ctype.member("more", "parts [2]", 16))],
    "itself": [ctype.pointer("itself *", "itself"), ctype.struct("itself", 8, ctype.member("next", "itself *", 0))],
    "union_with_end": [ctype.struct("inside", 24, ctype.member("n", "int", 0), ctype.member("c", "char", 20)),
                       ctype.struct("union_with_end", 32, ctype.member("inside", "inside", 0), ctype.member("p", "void *", 24))],
    "empty": [ctype.struct("nothing", 0), ctype.struct("empty", 4, ctype.member("nothing", "nothing", 0),
                                                        ctype.member("n", "int", 0))],
    "calls": [ctype.pointer("calls *", "calls"),
              Die("subroutine_type", label="call", prototyped=True, type=Ref("int"), children=[
                  Die("formal_parameter", type=Ref("calls *")), Die("unspecified_parameters")]),
              ctype.pointer("call *", "call"), ctype.array("call *[2]", "call *", 2),
              ctype.struct("calls", 24, ctype.member("one", "call *", 0), ctype.member("two", "call *[2]", 8))],
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_compiler_lays_the_written_definition_out_as_debug_info_says(name: str, tmp_path: Path) -> None:
    types = lookup(*LAYOUTS[name])
    assert errors(types, [f"struct {name}"], tmp_path) == []


def test_a_layout_that_differs_from_debug_info_does_not_compile(tmp_path: Path) -> None:
    types = lookup(ctype.struct("s", 8, ctype.member("a", "int", 0), ctype.member("b", "int", 4)))
    checks = "\n".join(str(a) for a in assertions(found(types, "struct s"), "struct s"))
    text = f"struct s {{ int a; long b; }};\n{MACROS}\n{checks}\n"
    problems = gcc_errors(text, tmp_path)
    assert any("vmlinux has struct s with 8 bytes, these headers do not" in line for line in problems)
    assert any("vmlinux has b of struct s with 4 bytes, these headers do not" in line for line in problems)
    assert len(clang_errors(text)) == 6  # size; offset; size of the member: each with the two typedefs


def test_an_alignment_that_debug_info_states_is_written() -> None:
    types = lookup(*LAYOUTS["aligned_member"], *LAYOUTS["lowered"])
    assert "int n __attribute__((aligned(16)));" in written(types, "struct aligned_member")
    assert "typedef long unsigned int u64_4 __attribute__((aligned(4)));" in written(types, "struct lowered")


def test_a_layout_without_odd_places_is_written_without_attributes() -> None:
    types = lookup(ctype.struct("s", 16, ctype.member("c", "char", 0), ctype.member("p", "void *", 8)))
    assert written(types, "struct s") == "struct s {\n\tchar c;\n\tvoid *p;\n};\n"


ENUMS = {
    "plain": (4, "unsigned int", {"A": 0, "B": 5}),
    "negative": (4, "int", {"C": -1, "D": 7}),
    "unsigned_32": (4, "unsigned int", {"E": 0xFFFFFFFF}),
    "wide": (8, "long unsigned int", {"F": 1, "G": 1 << 40}),
    "byte": (1, "unsigned char", {"H": 0, "I": 200}),
}


@pytest.mark.parametrize("name", ENUMS)
def test_enums_keep_size_and_values(name: str, tmp_path: Path) -> None:
    size, underlying, values = ENUMS[name]
    types = lookup(ctype.enumeration(name, size, underlying, **values))
    kind = f"enum {name}"
    checks = [f"_Static_assert(sizeof({kind}) == {size}, \"size\");"]
    checks += [f"_Static_assert({key} == {value}, \"{key}\");" for key, value in values.items()]
    text = "\n".join([written(types, kind), *checks])
    assert gcc_errors(text, tmp_path) + clang_errors(text) == []


def test_types_needed_by_value_come_first_and_others_are_declared() -> None:
    types = lookup(
        ctype.struct("inner", 4, ctype.member("n", "int", 0)),
        ctype.struct("far", 4, ctype.member("n", "int", 0)),
        ctype.pointer("far *", "far"),
        ctype.struct("outer", 16, ctype.member("far", "far *", 0), ctype.member("inner", "inner", 8)))
    text = written(types, "struct outer")
    assert text.index("struct far;") < text.index("struct inner {") < text.index("struct outer {")
    assert "struct far {" not in text


def test_names_that_are_no_c_do_not_reach_the_text(tmp_path: Path) -> None:
    types = lookup(
        ctype.struct("evil; int x", 8, ctype.member("n", "long unsigned int", 0)),
        ctype.pointer("evil *", "evil; int x"),
        ctype.struct("victim", 32, ctype.member("int", "int", 0), ctype.member("a-b", "evil; int x", 8),
                     ctype.member("p", "evil *", 16), ctype.member("end", "int", 24)))
    text = written(types, "struct victim")
    assert "evil" not in text and "a-b" not in text
    assert errors(types, ["struct victim"], tmp_path) == []


def test_two_types_of_one_name_are_not_mixed_up() -> None:
    first = lookup(ctype.struct("s", 4, ctype.member("n", "int", 0)))
    second = lookup(ctype.struct("s", 8, ctype.member("n", "void *", 0)), ctype.struct("t", 4, ctype.member("n", "int", 0)))
    closure = Closure(lambda ctype: False)
    closure.add(found(first, "struct s"))
    with pytest.raises(Collision, match="struct s is two types"):
        closure.add(found(second, "struct s"))


def test_one_type_that_two_units_describe_is_written_once() -> None:
    def once() -> TypeLookup:
        itself = ctype.struct("s", 16, ctype.member("n", "int", 0), ctype.member("next", "s *", 8))
        return lookup(ctype.pointer("s *", "s"), itself)

    closure = Closure(lambda ctype: False)
    closure.add(found(once(), "struct s"))
    closure.add(found(once(), "struct s"))
    assert [spelling(item) for item in closure.items if not isinstance(item, Forward)] == ["struct s"]


def test_what_comes_from_elsewhere_is_not_written() -> None:
    types = lookup(
        ctype.struct("public", 4, ctype.member("n", "int", 0)),
        ctype.struct("private", 8, ctype.member("a", "public", 0), ctype.member("b", "int", 4)))
    closure = Closure(lambda ctype: ctype.name == "public")
    closure.add(found(types, "struct private"))
    assert [spelling(item) for item in closure.items if not isinstance(item, Forward)] == ["struct private"]
    assert {name: whole for name, (_, whole) in closure.given.items()} == {"struct public": True}


def test_offsets_and_holes_are_shown_on_request() -> None:
    types = lookup(ctype.struct("s", 24, ctype.member("c", "char", 0), ctype.member("p", "void *", 8),
                                ctype.bit_field("b", "unsigned int", 128, 3)))
    assert define(found(types, "struct s"), Layouts(), offsets=True).splitlines() == [
        "struct s {",
        "\tchar c;             /* 0  1; then a hole of 7 bytes */",
        "\tvoid *p;            /* 8  8 */",
        "\tunsigned int b : 3; /* 16:0  3 bits */",
        "\t/* size: 24, alignment: 8, members: 3, holes: 1 of 7 bytes, padding: 61 bits */",
        "};",
    ]
