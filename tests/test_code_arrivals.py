# SPDX-License-Identifier: GPL-2.0-or-later
"""Whether control comes to an address in one way, and whether code runs straight from one place to another."""

from __future__ import annotations

import pytest

from localvar.code.arrivals import Arrivals
from localvar.code.flow import Flow
from localvar.dwarf.scope import function_at
from localvar.dwarf.unit import Die as Function
from tests.dwarf_support import debug_info
from tests.dwarfgen import Die, Image, Symbol, Unit

TEXT = 0x1000
NOP, RET, INT3, STAC = "90", "c3", "cc", "0f01cb"
NOP2 = "6690"
JE_OVER_2, JMP_OVER_2, CALL_OVER_2 = "7402", "eb02", "e802000000"


def analysed(code: str, *labels: str, machine: str = "x86_64", thunk: int | None = None) -> tuple[Arrivals, Function]:
    """A function of that machine code (hexadecimal) at TEXT; thunk: where __x86_indirect_thunk_rax is."""
    data = bytes.fromhex(code)
    dies = [Die("label", name=name, low_pc=TEXT) for name in labels]
    function = Die("subprogram", name="f", low_pc=TEXT, high_pc=len(data), children=dies)
    symbols = [Symbol("f", TEXT, len(data))]
    if thunk is not None:
        symbols.append(Symbol("__x86_indirect_thunk_rax", thunk, 1))
    root = Die("compile_unit", name="f.c", low_pc=TEXT, high_pc=len(data), children=[function])
    info = debug_info(Image(units=[Unit(root)], text=data + bytes.fromhex(RET * 64), text_address=TEXT, machine=machine,
                            symbols=symbols))
    unit = info.unit_of_pc(TEXT)
    assert unit is not None
    found = function_at(unit, TEXT)
    assert found is not None
    return Arrivals(Flow(info.elf)), found


@pytest.mark.parametrize(("code", "at", "mixed"), [
    pytest.param(JE_OVER_2 + NOP + NOP + RET, 4, True, id="behind a nop, and where the branch goes"),
    pytest.param(JE_OVER_2 + NOP + NOP + RET, 3, False, id="behind a nop only"),
    pytest.param(JE_OVER_2 + NOP + NOP + RET, 2, False, id="behind the branch itself"),
    pytest.param(JE_OVER_2 + "eb01" + NOP + RET, 4, False, id="behind a jump, so by the branch only"),
    pytest.param(JE_OVER_2 + NOP + RET + RET, 4, False, id="behind a return, so by the branch only"),
    pytest.param(JE_OVER_2 + "0f0b" + RET, 4, False, id="behind a trap, so by the branch only"),
    pytest.param(NOP + NOP + "75fd" + RET, 1, True, id="the head of a loop that is fallen into"),
    pytest.param(NOP + NOP + "75fc" + RET, 0, False, id="the beginning that a loop comes back to: nothing is in front of it"),
    pytest.param("0f8402000000" + NOP + NOP + RET, 8, True, id="a long branch"),
    pytest.param("e202" + NOP + NOP + RET, 4, True, id="a loop instruction"),
    pytest.param("ffe0" + NOP + RET, 3, True, id="a jump to where a register says can go anywhere"),
])
def test_ways_that_lead_to_an_address(code: str, at: int, mixed: bool) -> None:
    arrivals, function = analysed(code)
    assert arrivals.are_mixed(function, TEXT + at) is mixed


def test_a_jump_through_a_thunk_leaves_a_function_without_labels() -> None:
    code = "e90a000000" + NOP + NOP + RET
    thunk = TEXT + 15
    assert arrivals_mixed(code, thunk) is False
    assert arrivals_mixed(code, thunk, "again") is True
    assert arrivals_mixed(code, None, "again") is False


def arrivals_mixed(code: str, thunk: int | None, *labels: str) -> bool:
    arrivals, function = analysed(code, *labels, thunk=thunk)
    return arrivals.are_mixed(function, TEXT + 6)


def test_nothing_is_known_of_other_machines() -> None:
    arrivals, function = analysed(NOP * 8, machine="aarch64")
    assert arrivals.are_mixed(function, TEXT + 4)
    assert not arrivals.runs_into(TEXT, (TEXT + 4,))


@pytest.mark.parametrize(("between", "straight"), [
    pytest.param(NOP, True, id="a nop of one byte"),
    pytest.param("4889f8", True, id="a move"),
    pytest.param(NOP2, False, id="a nop of two bytes: a jump label"),
    pytest.param(CALL_OVER_2, False, id="a call, which may not return"),
    pytest.param("7400", False, id="a branch"),
    pytest.param("eb00", False, id="a jump"),
    pytest.param(RET, False, id="a return"),
    pytest.param(INT3, False, id="a breakpoint"),
    pytest.param(STAC, False, id="an access that may fault on purpose"),
    pytest.param("0f05", False, id="a system call"),
])
def test_what_may_stand_between_two_places(between: str, straight: bool) -> None:
    arrivals, function = analysed(NOP + between + RET)
    end = TEXT + 1 + len(between) // 2
    assert arrivals.runs_into(TEXT, (end,)) is straight
    assert arrivals.lead_only(function, TEXT, end) is straight


def test_straight_code_ends_at_an_instruction_that_is_near_and_behind() -> None:
    arrivals, _ = analysed("4889f8" + NOP * 300 + RET)
    assert not arrivals.runs_into(TEXT, (TEXT + 1,))
    assert not arrivals.runs_into(TEXT + 3, (TEXT,))
    assert not arrivals.runs_into(TEXT, (TEXT,))
    assert arrivals.runs_into(TEXT, (TEXT + 256,))
    assert not arrivals.runs_into(TEXT, (TEXT + 257,))
    assert arrivals.runs_into(TEXT, (TEXT + 257, TEXT + 4))


def test_code_that_is_jumped_into_leads_to_more_than_its_beginning() -> None:
    arrivals, function = analysed("7401" + NOP + NOP + NOP + RET)
    assert arrivals.runs_into(TEXT + 2, (TEXT + 5,))
    assert not arrivals.lead_only(function, TEXT + 2, TEXT + 5)
    assert arrivals.lead_only(function, TEXT + 3, TEXT + 5)
