# SPDX-License-Identifier: GPL-2.0-or-later
"""The builders of C types, held against what gdb makes of them."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.dwarfgen import Die, Image, Ref, Section, Symbol, ctype, op
from tests.dwarfgen.parsed import dies, dwarf, unit

TYPES = [
    ctype.base("int", 4, "signed"),
    ctype.base("unsigned long", 8, "unsigned"),
    ctype.pointer("void *", None),
    ctype.qualified("const int", "const", "int"),
    ctype.pointer("const int *", "const int"),
    ctype.typedef("size_t", "unsigned long"),
    ctype.enumeration("colour", 4, "int", RED=0, GREEN=7),
    ctype.array("int [3][2]", "int", 3, 2),
    ctype.array("int []", "int", None),
    ctype.struct(None, 4, ctype.member("in", "int", 0), label="anonymous"),
    ctype.struct(
        "s",
        64,
        ctype.member("p", "void *", 0),
        ctype.bit_field("low", "int", 64, 3),
        ctype.bit_field("high", "int", 67, 5),
        ctype.member(None, "anonymous", 12),
        ctype.member("n", "size_t", 16),
        ctype.member("c", "const int *", 24),
        ctype.member("e", "colour", 32),
        ctype.member("grid", "int [3][2]", 36),
        ctype.member("rest", "int []", 64),
    ),
]


def test_gdb_prints_the_type_as_c(tmp_path: Path) -> None:
    if shutil.which("gdb") is None:
        pytest.skip("gdb is not installed")
    variable = Die("variable", name="x", external=True, type=Ref("s"), location=op.addr(0x4000))
    image = Image(
        units=[unit(*TYPES, variable)],
        sections=[Section(".data", bytes(64), 0x4000)],
        symbols=[Symbol("x", 0x4000, 64, "OBJECT")],
    )
    path = str(image.write(tmp_path / "image"))
    command = ["gdb", "-batch", "-nx", "-ex", "ptype x", "-ex", "print sizeof(x)", path]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert run.stderr == ""
    assert [line.strip() for line in run.stdout.splitlines()] == [
        "type = struct s {",
        "void *p;",
        "int low : 3;",
        "int high : 5;",
        "struct {",
        "int in;",
        "};",
        "size_t n;",
        "const int *c;",
        "enum colour e;",
        "int grid[3][2];",
        "int rest[];",
        "}",
        "$1 = 64",
    ]


def test_an_array_without_elements_has_a_count() -> None:
    image = Image(units=[unit(TYPES[0], ctype.array("int [0]", "int", 0))])
    *_, dimension = dies(dwarf(image))
    assert {name: entry.value for name, entry in dimension.attributes.items()} == {"DW_AT_count": 0}
