# SPDX-License-Identifier: GPL-2.0-or-later
"""Attempts (GET_LOCAL_VAR_OR, PRINT_LOCAL_VARS), compiled and run: the value, or that there is none, and never a load that
the expression would not make."""

from __future__ import annotations

import pytest

from localvar.arch import X86_64
from localvar.codegen.text import named
from localvar.codegen.values import attempt_statements
from localvar.model import fold
from localvar.model.ctype import BaseType, Encoding
from localvar.model.expr import Binary, Const, Expr, Load, Op, Reg, Select
from localvar.model.path import Path
from localvar.model.plan import How, LocationClass, Read, Scalar
from localvar.model.site import NOWHERE
from tests.compiled import Compiled, compile_c

LONG = BaseType(1, "unsigned long", 8, Encoding.UNSIGNED)
AX, DX, BX, SI = 0, 1, 3, 4
LEFT, RIGHT = 0x100, 0x200


def attempt(expr: Expr) -> Compiled:
    """`out` gets whether there is a value, and the value."""
    read = Read(NOWHERE, Path("x"), None, LONG, LocationClass.VALUE, How.DIRECT, Scalar(expr), None)
    body = attempt_statements(read, LONG, X86_64).replace("\n", "\n\t")
    compiled = compile_c([
        f"static bool get(const struct pt_regs *regs, unsigned long *value)\n{{\n\t{body}\n}}",
        "void run(const struct pt_regs *regs, void *out);\nvoid run(const struct pt_regs *regs, void *out)\n{\n"
        "\tunsigned long value = 0, there = get(regs, &value);\n\n"
        "\tmemcpy(out, &there, 8);\n\tmemcpy((char *)out + 8, &value, 8);\n}\n"], ["-Wdeclaration-after-statement"])
    compiled.fill(bytes(LEFT) + (11).to_bytes(8, "little") + bytes(RIGHT - LEFT - 8) + (22).to_bytes(8, "little"))
    return compiled


def run(compiled: Compiled, **registers: int) -> int | None:
    numbers = {{"ax": AX, "dx": DX, "bx": BX, "si": SI}[name]: value for name, value in registers.items()}
    raw = compiled.call("run", numbers, 16)
    return int.from_bytes(raw[8:], "little") if raw[0] else None


def choice(yes: Expr, no: Expr) -> Expr:
    return Select(Binary(Op.EQ, Reg(AX), Const(1)), yes, no)


def test_a_chain_of_loads_is_followed_until_one_faults() -> None:
    compiled = attempt(Load(fold.add(Load(Reg(BX)), 8)))
    base = compiled.memory_address
    compiled.fill((base + 0x40).to_bytes(8, "little") + bytes(0x40) + (33).to_bytes(8, "little"))
    assert run(compiled, bx=base) == 33
    assert run(compiled, bx=base + 8) is None, "the pointer there is NULL"
    assert run(compiled, bx=0) is None


@pytest.mark.parametrize("more", [0, 5])
def test_only_the_side_that_is_chosen_is_loaded(more: int) -> None:
    """One side's register is a pointer exactly where the other's is not: what callers passed."""
    compiled = attempt(fold.add(choice(Load(Reg(BX)), Load(Reg(SI))), more))
    base = compiled.memory_address
    assert run(compiled, ax=1, bx=base + LEFT, si=1) == 11 + more
    assert run(compiled, ax=0, bx=1, si=base + RIGHT) == 22 + more
    assert compiled.faults == 0
    assert run(compiled, ax=1, bx=1, si=base + RIGHT) is None
    assert run(compiled, ax=0, bx=base + LEFT, si=1) is None


def test_choices_within_choices_and_conditions_that_load() -> None:
    inner = choice(Load(Reg(BX)), Const(44))
    compiled = attempt(Select(Load(Reg(DX)), inner, fold.add(Load(Reg(SI)), 1)))
    base = compiled.memory_address
    assert run(compiled, dx=base + LEFT, ax=1, bx=base + RIGHT, si=1) == 22
    assert run(compiled, dx=base + LEFT, ax=0, bx=1, si=1) == 44
    assert run(compiled, dx=base, ax=1, bx=1, si=base + LEFT) == 12
    assert compiled.faults == 0
    assert run(compiled, dx=1, ax=0, bx=base, si=base) is None


@pytest.mark.parametrize("ctype", ["int", "unsigned char *", "int (*)(int, void *)", "int (*)[3]", "int (*(*)(void))[2]"])
def test_what_holds_the_value_may_be_a_pointer_to_anything(ctype: str) -> None:
    compiled = compile_c([f"void run(const struct pt_regs *regs, void *out);\nvoid run(const struct pt_regs *regs, void *out)\n"
                          f"{{\n\t{named(ctype, 'value')};\n\n\tvalue = (0);\n\tmemcpy(out, &value, sizeof(value));\n}}\n"])
    assert compiled.call("run", {}, 8)[:1] == b"\0"
