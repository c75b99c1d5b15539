# SPDX-License-Identifier: GPL-2.0-or-later
"""Macro uses: found exactly where they are written, with their arguments, and nowhere else."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from localvar.model.source import Macro
from tests.source_program import handler, scanned


@pytest.mark.parametrize("written", [
    "GET_LOCAL_VAR(tsk)",
    "GET_LOCAL_VAR (tsk)",
    "GET_LOCAL_VAR\n(\n\ttsk\n)",
    "GET_LOCAL_VAR( /* which, (one) */ tsk // here\n)",
    "GET_LOCAL_VAR(\\\n\ttsk \\\n)",
    "GET_LOCAL_VAR(\\\r\n\ttsk)",
    "GET_LOCAL_\\\nVAR(tsk)",
    "GET_LOCAL_VAR(ts\\\nk)",
])
def test_span_is_what_is_written(tmp_path: Path, written: str) -> None:
    for newline in ("\n", "\r\n"):
        text = handler(f"\tint n = {written} + 1;\n\treturn n;").replace("\r\n", "\n").replace("\n", newline)
        result = scanned(tmp_path, text)
        [use] = result.source.uses
        assert not result.messages
        assert result.written(use.span) == written.replace("\r\n", "\n").replace("\n", newline)
        assert use.arguments[0].text == "tsk"
        assert use.function == "h"
        assert use.regs == "regs"


def test_line_and_column_count_bytes_behind_tabs_and_utf8(tmp_path: Path) -> None:
    result = scanned(tmp_path, 'static const char *s = "äöü€";\n'
                     + handler('\tpr_info("ß→", GET_LOCAL_VAR(tsk));'),
                     head="/* naïve */\n#include <kernel.h>\n#include <localvar.h>\n")
    [use] = result.source.uses
    assert (use.span.line, use.span.column) == (7, 1 + len("\tpr_info(\"ß→\", ".encode()))
    assert result.written(use.span) == "GET_LOCAL_VAR(tsk)"


@pytest.mark.parametrize("text", [
    handler('\tpr_info("GET_LOCAL_VAR(tsk)");\n\treturn 0;'),
    handler("\t/* GET_LOCAL_VAR(tsk) */ // GET_LOCAL_VAR(tsk)\n\treturn 0;"),
    handler("\treturn 'G'; // \\\n GET_LOCAL_VAR(tsk)"),
    handler("#if 0\n\tGET_LOCAL_VAR(tsk);\n\tit isn't C\n#elif 1\n#else\n\tGET_LOCAL_VAR(tsk);\n#endif\n"),
    handler("#ifdef NOT_DEFINED\n\treturn GET_LOCAL_VAR(tsk);\n#else\n\treturn 0;\n#endif"),
    "#if 0\nGET_LOCAL_VAR(tsk)\n#endif\n" + handler("\treturn 0;"),
    "#define UNUSED GET_LOCAL_VAR(tsk)\n" + handler("\treturn 0;"),
    handler("\treturn sizeof(TEXT_ONLY(GET_LOCAL_VAR(tsk)));"),
    handler("\tIGNORE(GET_LOCAL_VAR(tsk));\n\treturn 0;"),
])
def test_what_is_not_compiled_is_no_use(tmp_path: Path, text: str) -> None:
    result = scanned(tmp_path, text)
    assert not result.messages
    assert not result.source.uses


@pytest.mark.parametrize(("statement", "paths"), [
    ("pr_info(\"%d\", GET_LOCAL_VAR(a)->pid);", ["a"]),
    ("return TWICE(GET_LOCAL_VAR(a));", ["a"]),
    ("return max(GET_LOCAL_VAR(a), GET_LOCAL_VAR(b));", ["a", "b"]),
    ("return READ_ONCE(GET_LOCAL_VAR(a)->pid);", ["a"]),
    ("return container_of(GET_LOCAL_VAR(a), struct task_struct, tasks)->pid;", ["a"]),
    ("pr_info(\"%d\", TWICE(max(1, GET_LOCAL_VAR(a))));", ["a"]),
    ("pr_info(\"%d\", LOCAL_VAR_AVAILABLE(a));", ["a"]),
    ("if (likely(GET_LOCAL_VAR(a) > 3)) return 1;", ["a"]),
    ("struct list_head *p; list_for_each(p, &GET_LOCAL_VAR(a).list) print(\"x\");", ["a"]),
])
def test_arguments_of_other_macros_hold_uses(tmp_path: Path, statement: str, paths: list[str]) -> None:
    result = scanned(tmp_path, handler(f"\t{statement}\n\treturn 0;"))
    assert not result.messages
    assert [use.arguments[0].text for use in result.source.uses] == paths
    assert all(result.written(use.span).endswith(f"({path})") for use,
               path in zip(result.source.uses, paths, strict=True))


@pytest.mark.parametrize("expression", [
    "GET_LOCAL_VAR(x) > 3", "!GET_LOCAL_VAR(x)", "*GET_LOCAL_VAR(x)", "GET_LOCAL_VAR(x)->pid",
    "GET_LOCAL_VAR(x).member",
    "GET_LOCAL_VAR(x)[3]", "(int)GET_LOCAL_VAR(x)", "GET_LOCAL_VAR(x)(1, 2)", "sizeof(GET_LOCAL_VAR(x))",
    "GET_LOCAL_VAR(x) ? 1 : 2", "1 ? GET_LOCAL_VAR(x) : 2", "({ typeof(GET_LOCAL_VAR(x)) y = 0; y; })",
    "({ __auto_type y = GET_LOCAL_VAR(x); y->pid; })", "_Generic(GET_LOCAL_VAR(x), int: 1, default: 2)",
    "__builtin_choose_expr(1, GET_LOCAL_VAR(x), 2)", "({ switch (GET_LOCAL_VAR(x)) { case 1: break; } 1; })",
    "({ int a[2] = { GET_LOCAL_VAR(x), 1 }; a[0]; })",
    "({ struct { int q; } w = { .q = GET_LOCAL_VAR(x) }; w.q; })",
    "({ struct task_struct *t = GET_LOCAL_VAR(x); t->pid; })", "({ for (; GET_LOCAL_VAR(x); ) ; 0; })",
    "({ while (GET_LOCAL_VAR(x)) break; 0; })", "print(\"%d\", GET_LOCAL_VAR(x), GET_LOCAL_VAR(x)->pid)",
    "LOCAL_VAR_ADDR(x)->pid", "GET_ENTRY_VAR(x)->pid", "GET_LOCAL_VAR_OR(x, NULL)->pid",
    "({ SET_LOCAL_VAR(x, 1); 0; })",
    "GET_STATIC_VAR(x, \"mm/vmscan.c\").member",
    "PRINT_LOCAL_VARS(buf, bufsize) + PRINT_PARAMETERS(buf, bufsize - 1)",
    "GET_RETURN_VALUE()->pid + GET_RETURN_VALUE(int)",
])
def test_use_parses_whatever_its_type(tmp_path: Path, expression: str) -> None:
    result = scanned(tmp_path, handler(f"\treturn {expression};"))
    assert not result.messages
    assert len(result.source.uses) == len(re.findall(r"\(x[,)]|\(buf,|RETURN", expression))


def test_nested_uses_are_both_found_inner_inside_the_outers_argument(tmp_path: Path) -> None:
    result = scanned(tmp_path,
                     handler("\treturn GET_LOCAL_VAR_OR(a, 1 + GET_LOCAL_VAR_OR(b, GET_LOCAL_VAR(c)));"))
    outer, middle, inner = result.source.uses
    assert outer.arguments[1].text == "1 + GET_LOCAL_VAR_OR(b, GET_LOCAL_VAR(c))"
    assert outer.arguments[1].span.start < middle.span.start < middle.span.end == outer.arguments[1].span.end
    assert (middle.arguments[1].span.start, middle.arguments[1].span.end) == (inner.span.start,
                                                                              inner.span.end)


def test_expression_arguments_keep_their_text_and_paths_lose_blanks(tmp_path: Path) -> None:
    result = scanned(tmp_path,
                     handler("\tSET_LOCAL_VAR( sc . nr [ 0x10u ] -> x , (bufsize /* , */ , 2) );"))
    [use] = result.source.uses
    assert [a.text for a in use.arguments] == ["sc.nr[16]->x", "(bufsize /* , */ , 2)"]
    assert [result.written(a.span) for a in use.arguments] == ["sc . nr [ 0x10u ] -> x",
                                                               "(bufsize /* , */ , 2)"]


@pytest.mark.parametrize(("use", "where", "slug"), [
    ("GET_LOCAL_VAR()", "GET_LOCAL_VAR()", "wrong-arguments"),
    ("GET_LOCAL_VAR(a, int, 3)", "GET_LOCAL_VAR(a, int, 3)", "wrong-arguments"),
    ("GET_LOCAL_VAR(a,)", "GET_LOCAL_VAR(a,)", "wrong-arguments"),
    ("GET_LOCAL_VAR_OR(a)", "GET_LOCAL_VAR_OR(a)", "wrong-arguments"),
    ("LOCAL_VAR_AVAILABLE(a, b)", "LOCAL_VAR_AVAILABLE(a, b)", "wrong-arguments"),
    ("PRINT_LOCAL_VARS(buf)", "PRINT_LOCAL_VARS(buf)", "wrong-arguments"),
    ("GET_RETURN_VALUE(int, 2)", "GET_RETURN_VALUE(int, 2)", "wrong-arguments"),
    ("GET_LOCAL_VAR(a + 1)", "+ 1)", "not-a-path"),
    ("GET_LOCAL_VAR(*p)", "*p", "not-a-path"),
    ("GET_LOCAL_VAR(&p)", "&p", "not-a-path"),
    ("GET_LOCAL_VAR(a[i])", "[i]", "not-a-path"),
    ("GET_LOCAL_VAR(a[1 + 2])", "[1 +", "not-a-path"),
    ("GET_LOCAL_VAR(a[08])", "[08]", "not-a-path"),
    ("GET_LOCAL_VAR(a.)", ".)", "not-a-path"),
    ("GET_LOCAL_VAR(a->)", "->)", "not-a-path"),
    ("GET_LOCAL_VAR(a b)", "b)", "not-a-path"),
    ("GET_LOCAL_VAR(a.3)", ".3)", "not-a-path"),
    ("GET_LOCAL_VAR(\"a\")", "\"a\"", "not-a-path"),
    ("GET_LOCAL_VAR(f(x))", "(x)", "not-a-path"),
])
def test_malformed_use_is_an_error_at_what_is_wrong(tmp_path: Path, use: str, where: str, slug: str) -> None:
    result = scanned(tmp_path, handler(f"\treturn {use};"))
    [diagnostic] = result.log.diagnostics
    assert diagnostic.slug == slug
    assert diagnostic.span is not None
    assert result.text[diagnostic.span.start:].startswith(where.encode())
    assert diagnostic.fix


def test_directive_among_the_arguments_is_an_error(tmp_path: Path) -> None:
    result = scanned(tmp_path, handler("\treturn GET_LOCAL_VAR(\n#ifdef X\n\ta\n#else\n\tb\n#endif\n\t);"))
    assert [m for m in result.messages if "directive-in-macro" in m] == [
        "10:1: directive-in-macro: a preprocessing directive in the arguments of GET_LOCAL_VAR"]


def test_use_outside_functions_and_without_registers_are_errors(tmp_path: Path) -> None:
    result = scanned(tmp_path, "\n".join((
        "static int n = GET_LOCAL_VAR(a);",
        "static int none(void) { return GET_LOCAL_VAR(b); }",
        "static int unnamed(struct pt_regs *) { return GET_LOCAL_VAR(c); }",
        "static int any(void) { return GET_STATIC_VAR(d, \"mm/vmscan.c\"); }",
    )))
    assert [m for m in result.messages if "compiler" not in m] == [
        "3:16: outside-function: GET_LOCAL_VAR outside a function",
        "4:32: no-registers: GET_LOCAL_VAR in none(): it has no struct pt_regs * parameter",
        "5:47: no-registers: GET_LOCAL_VAR in unnamed(): its struct pt_regs * parameter has no name",
    ]
    assert [use.macro for use in result.source.uses] == [Macro.GET_STATIC_VAR]


@pytest.mark.parametrize("parameter", [
    "struct pt_regs *ctx", "const struct pt_regs *ctx", "struct pt_regs *const ctx", "regs_t *ctx",
    "regs_p ctx",
    "struct pt_regs *restrict ctx",
])
def test_registers_parameter_is_found_through_typedefs_and_qualifiers(tmp_path: Path, parameter: str) -> None:
    types = "typedef struct pt_regs regs_t;\ntypedef const regs_t *regs_p;\n"
    function = f"static int f(int a, {parameter}, int b) {{ return GET_LOCAL_VAR(x) + a + b; }}\n"
    result = scanned(tmp_path, types + function)
    assert not result.messages
    assert result.use("x").regs == "ctx"
