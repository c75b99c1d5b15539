# SPDX-License-Identifier: GPL-2.0-or-later
"""Variables with static storage by name and file: the one that is meant, or none."""

from __future__ import annotations

from typing import Any

import pytest

from localvar.arch import X86_64
from localvar.dwarf.locate import Locator
from localvar.model.expr import Address, Expr, PerCpu
from localvar.model.location import Constant, Memory, Reason
from localvar.model.plan import Variable, VariableKind
from tests.dwarf_support import debug_info
from tests.dwarfgen import Die, File, Image, LineTable, Ref, Row, Section, Sequence, Unit, ctype, op

DATA, PER_CPU = Section(".data", bytes(0x100), 0x4000), Section(".data..percpu", bytes(0x100), 0x5000)


def unit(name: str, *dies: Die, files: tuple[str, ...] = ()) -> Unit:
    """A unit; its files are numbered from 1."""
    root = Die("compile_unit", name=name, comp_dir="/build/linux", low_pc=0x1000, high_pc=0x100,
               children=[ctype.base("int", 4, "signed"), *dies])
    table = tuple(File(file, 0) for file in (name, *files))
    return Unit(root, line=LineTable(("/build/linux",), table, (Sequence([Row(0x1000, 1)], 0x1100),)))


def variable(name: str | None, location: object = None, **attributes: Any) -> Die:
    return Die("variable", name=name, type=Ref("int"), label=attributes.pop("label", None), location=location, **attributes)


def found(*units: Unit, name: str = "x", file: str | None = None) -> Variable | Reason:
    info = debug_info(Image(units=units, sections=[DATA, PER_CPU]))
    return Locator(info, X86_64).static_variable(name, file)


def place(*units: Unit, name: str = "x", file: str | None = None) -> Expr:
    variable = found(*units, name=name, file=file)
    assert isinstance(variable, Variable) and isinstance(variable.location, Memory), variable
    return variable.location.address


def slug(*units: Unit, name: str = "x", file: str | None = None) -> str:
    reason = found(*units, name=name, file=file)
    assert isinstance(reason, Reason), reason
    return reason.slug


A, B = unit("mm/a.c", variable("x", op.addr(0x4000), decl_file=1, decl_line=3)), unit("fs/a.c", variable("x", op.addr(0x4010)))


def test_a_name_is_of_the_file_that_is_asked_for() -> None:
    assert place(A) == Address(0x4000) and place(B) == Address(0x4010)
    assert place(A, B, file="mm/a.c") == Address(0x4000)
    assert place(A, B, file="fs/a.c") == Address(0x4010)
    assert slug(A, file="m/a.c") == slug(A, file="b.c") == slug(A, file="a.c/") == "no-such-variable"


def test_several_of_a_name_are_ambiguous_and_named() -> None:
    for file in (None, "a.c"):
        reason = found(A, B, file=file)
        assert isinstance(reason, Reason) and reason.slug == "ambiguous"
        assert "mm/a.c" in reason.text and "fs/a.c" in reason.text


def test_one_that_several_units_describe_is_one() -> None:
    again = unit("net/c.c", variable("x", op.addr(0x4000)))
    assert place(A, again) == Address(0x4000)


def test_no_variable_of_the_name_is_said_with_the_file() -> None:
    reason = found(A, name="y", file="mm/a.c")
    assert isinstance(reason, Reason) and reason.slug == "no-such-variable" and "'y'" in reason.text and "mm/a.c" in reason.text


def test_a_static_of_a_function_counts_and_its_other_variables_do_not() -> None:
    function = Die("subprogram", name="f", low_pc=0x1000, high_pc=0x10, children=[
        variable("calls", op.addr(0x4020)), variable("x", op.reg3()), variable("y", op.breg7(8))])
    assert place(unit("a.c", function), name="calls") == Address(0x4020)
    assert place(A, unit("a.c", function)) == Address(0x4000)
    assert slug(unit("a.c", function)) == "no-such-variable"
    assert slug(unit("a.c", function), name="y") == "no-such-variable"


def test_a_constant_within_a_function_may_be_no_static() -> None:
    """An automatic variable whose value the compiler knew has the same DIE as a static one."""
    function = Die("subprogram", name="f", low_pc=0x1000, high_pc=0x10, children=[variable("z", const_value=7)])
    assert slug(unit("a.c", function), name="z") == "no-such-variable"


def test_a_definition_is_found_by_the_name_that_its_declaration_has() -> None:
    """As gcc writes an extern variable that a header declares, and its file defines."""
    declaration = variable("x", declaration=True, external=True, label="x", decl_file=2, decl_line=1)
    definition = variable(None, op.addr(0x4030), specification=Ref("x"), decl_file=1)
    there = unit("kernel/d.c", declaration, definition, files=("include/x.h",))
    only = unit("fs/e.c", variable("x", declaration=True, external=True, decl_file=1))
    assert place(there) == place(there, only) == Address(0x4030)
    assert place(there, only, file="kernel/d.c") == Address(0x4030)
    assert slug(there, only, file="fs/e.c") == slug(only) == slug(there, file="include/x.h") == "no-such-variable"


def test_a_file_that_is_included_counts_by_its_own_name() -> None:
    parts = unit("kernel/sched/core.c", variable("x", op.addr(0x4040), decl_file=2), files=("kernel/sched/fair.c",))
    for file in ("kernel/sched/fair.c", "fair.c", "kernel/sched/core.c", "core.c"):
        assert place(parts, file=file) == Address(0x4040)
    assert slug(parts, file="air.c") == "no-such-variable"


def test_a_variable_of_each_cpu_and_a_constant_count_and_a_discarded_one_does_not() -> None:
    assert place(unit("a.c", variable("x", op.addr(0x5008)))) == PerCpu(0x5008)
    assert slug(unit("a.c", variable("x", op.addr(0)))) == "discarded"
    constant = found(unit("a.c", variable("x", const_value=7)))
    assert isinstance(constant, Variable) and constant.location == Constant(b"\7\0\0\0")
    assert slug(unit("a.c", variable("x", const_value=7)), unit("b.c", variable("x", const_value=8))) == "ambiguous"


@pytest.mark.parametrize("address", [0x4000, 0x5000])
def test_what_is_found_is_static_and_says_where_it_is_declared(address: int) -> None:
    variable_found = found(unit("mm/a.c", variable("x", op.addr(address), decl_file=1, decl_line=3)))
    assert isinstance(variable_found, Variable) and variable_found.kind is VariableKind.STATIC
    assert variable_found.scope == "mm/a.c" and variable_found.declared.line == 3
