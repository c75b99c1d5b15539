# SPDX-License-Identifier: GPL-2.0-or-later
"""Types by name and by glob: what is found, what is shown of it, and one clear error for what is not."""

from __future__ import annotations

import struct

import pytest

from localvar.diagnostics import Failure
from localvar.dwarf.btf import type_names
from localvar.dwarf.lookup import TypeLookup
from localvar.types.listing import find_types, type_definition, type_definitions
from tests.dwarf_support import debug_info, vmlinux
from tests.dwarfgen import Die, Image, Section, ctype
from tests.dwarfgen.parsed import unit

TYPES = [
    ctype.base("int", 4, "signed"),
    ctype.base("char", 1, "signed_char"),
    ctype.struct("scan_control", 12, ctype.member("order", "char", 0), ctype.member("count", "int", 4),
                 ctype.bit_field("may", "int", 64, 3), ctype.bit_field("must", "int", 68, 1)),
    ctype.struct("scan_result", 4, ctype.member("n", "int", 0)),
    ctype.struct("other", 4, ctype.member("n", "int", 0)),
    ctype.typedef("scan_t", "int"),
    Die("variable", name="scan_variable"),
]


@pytest.fixture
def names() -> TypeLookup:
    return TypeLookup(debug_info(Image(units=[unit(*TYPES)])))


def test_a_glob_names_types_of_all_kinds_and_nothing_else(names: TypeLookup) -> None:
    assert [found.name for found in type_definitions(names, "scan_*")] == ["struct scan_control", "struct scan_result", "scan_t"]
    assert [found.name for found in type_definitions(names, "struct scan_[!c]*")] == ["struct scan_result"]
    assert [found.name for found in type_definitions(names, "?ther")] == ["struct other"]


def test_a_definition_of_a_glob_comes_without_what_it_needs(names: TypeLookup) -> None:
    shown = type_definitions(names, "scan_r*")[0].text
    assert shown.split("\n")[1:] == ["struct scan_result {", "\tint n;", "};", ""]


def test_members_have_their_places_and_the_holes_behind_them(names: TypeLookup) -> None:
    members = type_definition(names, "scan_control").members
    assert [(m.name, m.type, m.offset, m.size, m.bit_size, m.hole_bits) for m in members] == [
        ("order", "char", 0, 1, None, 24), ("count", "int", 4, 4, None, 0),
        ("may", "int", 8, 4, 3, 1), ("must", "int", 8, 4, 1, 27)]
    assert "holes: 2 of 25 bits, padding: 27 bits" in type_definition(names, "scan_control", layout=True).text


@pytest.mark.parametrize(("name", "message"), [
    ("zz_*", "debug info has no type zz_*"),
    ("union scan_*", "debug info has no type union scan_*"),
    ("", "'' is no name of a type"),
    ("struct", "'struct' is no name of a type"),
    ("struct *; x", "'struct *; x' is no name of a type"),
    ("class scan_*", "'class scan_*' is no name of a type"),
    ("a;b", "'a;b' is no name of a type"),
])
def test_what_names_no_type_is_one_error(names: TypeLookup, name: str, message: str) -> None:
    with pytest.raises(Failure) as failure:
        find_types(names, name)
    assert [diagnostic.message for diagnostic in failure.value.diagnostics] == [message]


def test_a_type_that_another_file_declares_is_an_error_that_names_the_place(names: TypeLookup) -> None:
    with pytest.raises(Failure) as failure:
        type_definition(names, "other", "foo.c")
    (diagnostic,) = failure.value.diagnostics
    assert diagnostic.message == "debug info has no type other in foo.c"
    assert [note.message[:20] for note in diagnostic.notes] == ["it is declared at un"]


def test_the_names_in_btf_are_types_of_dwarf() -> None:
    info = vmlinux()
    pairs = set(type_names(info.elf))
    assert len(pairs) > 8000
    assert {("struct", "scan_control"), ("union", "sigval"), ("enum", "zone_type"), ("typedef", "gfp_t")} <= pairs
    found = TypeLookup(info)
    for kind, name in sorted(pairs)[:: len(pairs) // 20]:
        assert (found.typedef(name) if kind == "typedef" else found.tagged(kind, name)) is not None, (kind, name)


@pytest.mark.parametrize("data", [
    b"", b"\x9f\xeb" + bytes(10), struct.pack("<HBBIIIII", 0xEB9F, 1, 0, 24, 0, 99, 99, 5), b"x" * 64])
def test_damaged_btf_names_nothing(data: bytes) -> None:
    image = Image(units=[unit(*TYPES)], sections=[Section(".BTF", data)])
    assert list(type_names(debug_info(image).elf)) == []
