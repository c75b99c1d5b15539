# SPDX-License-Identifier: GPL-2.0-or-later
"""Places of lines whose rows say more than one thing, and of inlined copies that are entered outside their own code."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from localvar.arch import X86_64
from localvar.diagnostics import Failure
from localvar.kernel import Kernel
from localvar.listing import list_variables
from localvar.plan.write import unwritable
from tests.dwarfgen import Cie, Die, Fde, File, Image, LineTable, Ref, Row, Symbol, Unit, cfa, ctype, loclist, op
from tests.dwarfgen import Sequence as Rows

TEXT = 0xFFFF_FFFF_8100_0000
SIZE = 0x40
#: nop; je to 4; nop; nop; … : what is at 4 is come to in two ways.
CODE = bytes.fromhex("90740190") + b"\x90" * (SIZE - 5) + b"\xc3"


def kernel(folder: Path, rows: Sequence[Row], *dies: Die, others: Sequence[Die] = ()) -> Kernel:
    """A kernel of one function, f, which is declared in line 10 of a.c; dies: what is in it, others: what is beside it."""
    function = Die("subprogram", name="f", decl_file=1, decl_line=10, low_pc=TEXT, high_pc=SIZE,
                   frame_base=op.call_frame_cfa(), children=dies)
    lines = LineTable(("/src",), (File("a.c"), File("b.h")), (Rows(list(rows), TEXT + SIZE),))
    root = Die("compile_unit", name="a.c", comp_dir="/src", language=12, low_pc=TEXT, high_pc=SIZE,
               children=[ctype.base("int", 4, "signed"), *others, function])
    frames = [Fde(Cie([cfa.def_cfa(7, 8), cfa.offset(16, 1)]), TEXT, SIZE)]
    image = Image(units=[Unit(root, line=lines, aranges=[(TEXT, SIZE)])], text=CODE, text_address=TEXT,
                  symbols=[Symbol("f", TEXT, SIZE)], debug_frame=frames)
    return Kernel(image.write(folder / "vmlinux"), "6.1.0-lines")


def found(kernel: Kernel, coordinate: str) -> list[tuple[int, str | None]]:
    """(offset in f, slug of why not) of each site."""
    return [(site.pc - TEXT, site.why_not.slug if site.why_not else None) for site in kernel.sites(coordinate)]


def inlined(name: str, line: int, **attributes: Any) -> tuple[Die, Die]:
    """The abstract instance of a function that is declared in that line, and a copy of it."""
    abstract = Die("subprogram", label=name, name=name, decl_file=1, decl_line=line, inline=1)
    return abstract, Die("inlined_subroutine", abstract_origin=Ref(name), **attributes)


def test_statement_and_its_instructions_in_two_rows_are_one_statement(tmp_path: Path) -> None:
    """As gcc writes them: one row that recommends a breakpoint, one with the instructions that does not."""
    rows = [Row(TEXT, 10), Row(TEXT + 8, 12), Row(TEXT + 8, 12, is_stmt=False), Row(TEXT + 12, 14), Row(TEXT + 20, 12),
            Row(TEXT + 24, 14)]
    assert found(kernel(tmp_path, rows), "a.c:12") == [(8, None), (20, None)]


def test_instructions_without_a_statement_are_no_place_beside_those_with_one(tmp_path: Path) -> None:
    rows = [Row(TEXT, 10), Row(TEXT + 8, 12, is_stmt=False), Row(TEXT + 12, 14), Row(TEXT + 20, 12), Row(TEXT + 24, 14)]
    assert found(kernel(tmp_path, rows), "a.c:12") == [(20, None)]
    assert found(kernel(tmp_path, rows[:3]), "a.c:12") == [(8, None)]


def test_statements_that_follow_each_other_in_one_line_are_one_place(tmp_path: Path) -> None:
    """As gcc -O0 writes them, one row for each expression."""
    rows = [Row(TEXT, 10), Row(TEXT + 8, 12), Row(TEXT + 12, 12), Row(TEXT + 16, 12, is_stmt=False), Row(TEXT + 18, 12),
            Row(TEXT + 20, 14)]
    assert found(kernel(tmp_path, rows), "a.c:12") == [(8, None)]


def test_line_that_begins_behind_the_last_instruction_of_a_sequence_is_nowhere(tmp_path: Path) -> None:
    rows = [Row(TEXT, 10), Row(TEXT + 8, 14), Row(TEXT + SIZE, 12)]
    with pytest.raises(Failure, match="no code at line 12"):
        found(kernel(tmp_path, rows), "a.c:12")


def test_line_that_begins_in_front_of_its_own_statement_has_one_place(tmp_path: Path) -> None:
    rows = [Row(TEXT, 10), Row(TEXT + 8, 12), Row(TEXT + 8, 14), Row(TEXT + 20, 12), Row(TEXT + 24, 14)]
    assert found(kernel(tmp_path, rows), "a.c:12") == [(20, None)]


def test_line_that_ends_behind_its_statement_has_one_place(tmp_path: Path) -> None:
    """WRITE_ONCE(): the end of its do … while (0) has a row of its own."""
    rows = [Row(TEXT, 10), Row(TEXT + 8, 12), Row(TEXT + 12, 12), Row(TEXT + 12, 14), Row(TEXT + 16, 12), Row(TEXT + 16, 14)]
    assert found(kernel(tmp_path, rows), "a.c:12") == [(8, None)]


def test_line_that_only_begins_has_the_first_place_of_straight_code(tmp_path: Path) -> None:
    rows = [Row(TEXT, 10), Row(TEXT + 8, 12), Row(TEXT + 8, 14), Row(TEXT + 12, 12), Row(TEXT + 12, 14)]
    assert found(kernel(tmp_path, rows), "a.c:12") == [(8, None)]


def test_line_that_begins_elsewhere_than_its_statement_has_both_places(tmp_path: Path) -> None:
    """Straight code does not lead from the first to the second: a branch is between them."""
    rows = [Row(TEXT, 12), Row(TEXT + 1, 14), Row(TEXT + 8, 12), Row(TEXT + 8, 14)]
    assert found(kernel(tmp_path, rows), "a.c:12") == [(0, None), (8, None)]


def test_line_that_begins_where_other_code_jumps_to_is_no_place_and_says_so(tmp_path: Path) -> None:
    rows = [Row(TEXT, 10), Row(TEXT + 4, 12), Row(TEXT + 4, 14)]
    assert found(kernel(tmp_path, rows), "a.c:12") == [(4, "joined")]
    beside = [Row(TEXT, 10), Row(TEXT + 3, 12), Row(TEXT + 3, 14)]
    assert found(kernel(tmp_path, beside), "a.c:12") == [(3, None)]


def test_function_that_is_declared_within_another_does_not_end_its_lines(tmp_path: Path) -> None:
    """What compiletime_assert() makes: extern void __compiletime_assert_12(void) in the middle of f."""
    rows = [Row(TEXT, 10), Row(TEXT + 8, 14, is_stmt=False), Row(TEXT + 12, 16)]
    declared = Die("subprogram", name="__compiletime_assert_12", decl_file=1, decl_line=12, declaration=True, external=True)
    defined = Die("subprogram", name="g", decl_file=1, decl_line=12, inline=1)
    assert found(kernel(tmp_path, rows, others=[declared]), "a.c:14") == [(8, None)]
    with pytest.raises(Failure, match="no code at line 14"):
        found(kernel(tmp_path, rows, others=[defined]), "a.c:14")


def test_line_of_a_function_belongs_to_it_where_another_is_inlined(tmp_path: Path) -> None:
    abstract, copy = inlined("g", 2, low_pc=TEXT + 8, high_pc=8, call_file=1, call_line=11)
    rows = [Row(TEXT, 10), Row(TEXT + 8, 3), Row(TEXT + 12, 12), Row(TEXT + 16, 14)]
    lines = kernel(tmp_path, rows, copy, others=[abstract])
    assert [site.function for site in lines.sites("a.c:12")] == ["f"]
    assert [site.function for site in lines.sites("a.c:3")] == ["g"]
    assert found(lines, 'kernel.statement("f@a.c:12")') == [(12, None)]


def test_line_of_a_copy_without_code_is_where_it_begins(tmp_path: Path) -> None:
    abstract, copy = inlined("g", 2, entry_pc=TEXT + 8, call_file=1, call_line=11)
    rows = [Row(TEXT, 10), Row(TEXT + 8, 3), Row(TEXT + 8, 12), Row(TEXT + 16, 14)]
    sites = kernel(tmp_path, rows, copy, others=[abstract]).sites("a.c:3")
    assert [(site.pc - TEXT, site.function, site.inlined) for site in sites] == [(8, "g", ("g",))]


@pytest.mark.parametrize(("attributes", "expected"), [
    pytest.param({"low_pc": TEXT + 8, "high_pc": 8, "entry_pc": TEXT + 12}, (12, None), id="entered within its code"),
    pytest.param({"low_pc": TEXT + 8, "high_pc": 8, "entry_pc": TEXT + 20}, (20, None), id="entered behind its first code"),
    pytest.param({"low_pc": TEXT + 8, "high_pc": 8, "entry_pc": TEXT + 2}, (2, None), id="entered in front of its code"),
    pytest.param({"entry_pc": TEXT + 20}, (20, None), id="without code"),
    pytest.param({"low_pc": TEXT + 8, "high_pc": 8}, (8, None), id="without an entry"),
    pytest.param({"low_pc": TEXT + 8, "high_pc": 8, "entry_pc": TEXT + SIZE}, (8, None), id="an entry outside the function"),
    pytest.param({"entry_pc": TEXT + 4}, (4, "joined"), id="without code, where other code jumps to"),
    pytest.param({"low_pc": TEXT + 8, "high_pc": 8, "entry_pc": TEXT + 4}, (4, "joined"), id="in front of it, jumped to"),
    pytest.param({"low_pc": TEXT + 3, "high_pc": 1, "entry_pc": TEXT + 4}, (3, None), id="behind its code, jumped to"),
])
def test_inlined_copy_is_entered_where_debug_info_says(tmp_path: Path, attributes: dict[str, int],
                                                       expected: tuple[int, str | None]) -> None:
    abstract, copy = inlined("g", 2, call_file=1, call_line=11, **attributes)
    rows = [Row(TEXT, 10), Row(TEXT + 16, 14)]
    lines = kernel(tmp_path, rows, copy, others=[abstract])
    assert found(lines, 'kernel.function("g").inline') == [expected]
    assert found(lines, 'kernel.function("f").callee("g")') == [expected]


def test_copy_that_begins_nowhere_is_no_code(tmp_path: Path) -> None:
    abstract, copy = inlined("g", 2, call_file=1, call_line=11)
    with pytest.raises(Failure, match="no code"):
        kernel(tmp_path, [Row(TEXT, 10)], copy, others=[abstract]).sites("g")


def test_frame_slot_of_a_copy_is_not_read_where_it_is_entered_outside_its_code(tmp_path: Path) -> None:
    """What holds in all of a scope does not hold beside it; a location list says itself where it holds."""
    slot = Die("variable", name="slot", type=Ref("int"), location=op.fbreg(16))
    listed = Die("variable", name="listed", type=Ref("int"), location=loclist((TEXT + 18, TEXT + 24, op.reg0())))
    fixed = Die("variable", name="fixed", type=Ref("int"), const_value=7)
    abstract, outside = inlined("g", 2, low_pc=TEXT + 8, high_pc=8, entry_pc=TEXT + 20, children=[slot, listed, fixed])
    lines = kernel(tmp_path, [Row(TEXT, 10), Row(TEXT + 16, 14)], outside, others=[abstract])
    assert reasons(lines, 'kernel.function("g").inline') == {"slot": "no-range", "listed": None, "fixed": None}
    assert reasons(lines, "f+0xa") == {"slot": None, "listed": "no-range", "fixed": None}


def reasons(kernel: Kernel, coordinate: str) -> dict[str, str | None]:
    """Why each variable at a coordinate's one site is absent."""
    (_, reads), = list_variables(coordinate, kernel)
    return {read.variable.name: read.reason.slug if read.reason else None for read in reads if read.variable is not None}


def test_functions_and_copies_that_meet_in_one_line_have_a_place_each(tmp_path: Path) -> None:
    """What a macro makes (SYSCALL_DEFINE), and two calls of one instruction each."""
    abstract, first = inlined("g", 2, low_pc=TEXT + 8, high_pc=4, call_file=1, call_line=11)
    second = Die("inlined_subroutine", abstract_origin=Ref("g"), low_pc=TEXT + 12, high_pc=4, call_file=1, call_line=12)
    rows = [Row(TEXT, 10), Row(TEXT + 8, 3), Row(TEXT + 12, 12), Row(TEXT + 12, 3), Row(TEXT + 14, 3), Row(TEXT + 16, 14)]
    assert found(kernel(tmp_path, rows, first, second, others=[abstract]), "a.c:3") == [(8, None), (12, None)]


def test_line_that_a_macro_makes_into_functions_is_of_each_of_them(tmp_path: Path) -> None:
    """SYSCALL_DEFINE: __x64_sys_f() calls __se_sys_f(), which is inlined, in the one line that declares both."""
    abstract, copy = inlined("g", 10, low_pc=TEXT + 5, high_pc=8, call_file=1, call_line=10)
    rows = [Row(TEXT, 10), Row(TEXT + 5, 10), Row(TEXT + 5, 10), Row(TEXT + 13, 10)]
    lines = kernel(tmp_path, rows, copy, others=[abstract])
    assert [(site.pc - TEXT, site.function) for site in lines.sites("a.c:10")] == [(0, "f"), (5, "g")]
    assert found(lines, 'kernel.statement("f@a.c:10")') == [(0, None)]


def test_line_of_a_call_is_of_the_caller_where_nothing_else_is_known(tmp_path: Path) -> None:
    """Where the callee is of another file, and other code jumps to its first instruction, which is the line's as well."""
    abstract, copy = inlined("g", 2, low_pc=TEXT + 4, high_pc=8, call_file=1, call_line=12)
    rows = [Row(TEXT, 10), Row(TEXT + 4, 12), Row(TEXT + 4, 3), Row(TEXT + 12, 14)]
    lines = kernel(tmp_path, rows, copy, others=[abstract])
    assert [(site.pc - TEXT, site.function, site.why_not) for site in lines.sites("a.c:12")] == [(4, "f", None)]


def test_variables_of_a_copy_that_is_entered_outside_its_code_count_for_a_write(tmp_path: Path) -> None:
    """Two of them in one register: a write of the one would change the other."""
    one, other = (Die("variable", name=name, type=Ref("int"), location=loclist((TEXT + 18, TEXT + 24, op.reg0())))
                  for name in ("one", "other"))
    alone = Die("variable", name="alone", type=Ref("int"), location=loclist((TEXT + 18, TEXT + 24, op.reg1())))
    abstract, copy = inlined("g", 2, low_pc=TEXT + 8, high_pc=8, entry_pc=TEXT + 20, children=[one, other, alone])
    lines = kernel(tmp_path, [Row(TEXT, 10), Row(TEXT + 16, 14)], copy, others=[abstract])
    (_, reads), = list_variables('kernel.function("g").inline', lines)
    refused = {read.variable.name: unwritable(read, lines.images, X86_64) for read in reads if read.variable is not None}
    assert refused["alone"] is None
    assert refused["one"] is not None and "could change 'other' of g() too" in refused["one"].text
