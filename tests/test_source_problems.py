# SPDX-License-Identifier: GPL-2.0-or-later
"""What of the compiler's complaints is reported, and what is left to the final compile."""

from __future__ import annotations

from pathlib import Path

import pytest

from localvar.diagnostics import Failure, Log
from localvar.source.scan import scan
from tests.source_program import HANDLER, handler, scanned


@pytest.mark.parametrize(("body", "message"), [
    ("return 0", "5:10: compiler: expected ';' after return statement"),
    ("return missing;", "5:9: compiler: use of undeclared identifier 'missing'"),
    ("return missing(1);", "5:9: compiler: call to undeclared function 'missing'"),
    ("return 0; } static missing_t x; void f(void) {", "5:21: compiler: unknown type name 'missing_t'"),
    ("missing_t x; return 0;", "5:2: compiler: use of undeclared identifier 'missing_t'"),
    ("return 0; } static f(void) { return 0;", "5:21: compiler: type specifier missing, defaults to 'int'"),
    ("goto missing;", "5:7: compiler: use of undeclared label 'missing'"),
    ("return MISSING(GET_LOCAL_VAR(x));", "5:9: compiler: call to undeclared function 'MISSING'"),
    ("struct task_struct t; return t.missing;",
     "5:33: compiler: no member named 'missing' in 'struct task_struct'"),
    ("pr_info(\"%d\", missing);", "5:16: compiler: use of undeclared identifier 'missing'"),
    ("return TWICE(missing);", "5:15: compiler: use of undeclared identifier 'missing'"),
    ("return GET_LOCAL_VAR_OR(x, missing);", "5:29: compiler: use of undeclared identifier 'missing'"),
    ("SET_LOCAL_VAR(x, (1 + ));", "5:24: compiler: expected expression"),
    ("return GET_LOCAL_VAR(x) +;", "5:27: compiler: expected expression"),
    ("return GET_LOCAL_VAR(x;", "5:9: compiler: unterminated function-like macro invocation"),
    ("return GET_LOCAL_VAR;", "5:9: compiler: use of undeclared identifier 'GET_LOCAL_VAR'"),
    ("int a; int a; return 0;", None),
    ("if (bufsize {", "5:14: compiler: expected ')'"),
    ("#error \"no\"", "5:3: compiler: #error \"no\""),
])
def test_syntax_and_unknown_names_are_reported_where_they_stand(
        tmp_path: Path, body: str, message: str | None) -> None:
    result = scanned(tmp_path, f"{HANDLER}\n{{\n\t{body}\n}}\n".replace("\n{\n", "{\n", 0))
    if message is None:
        assert [d.message for d in result.log.diagnostics] == ["redefinition of 'a'"]
        assert [n.message for n in result.log.diagnostics[0].notes] == ["previous definition is here"]
    else:
        assert message in result.messages


@pytest.mark.parametrize("body", [
    "struct unknown *u = GET_LOCAL_VAR(x); return u->member;",
    "struct unknown *u = GET_LOCAL_VAR(x); return sizeof(*u) + u[1].a;",
    "struct unknown u = GET_LOCAL_VAR(x); return u.a;",
    "return ((struct unknown *)buf)->a;",
    "struct list_head *p; list_for_each(p, &GET_LOCAL_VAR(x)->list) print(\"x\"); return 0;",
    "struct task_struct *t = container_of(GET_LOCAL_VAR(x), struct task_struct, tasks); return t->pid;",
    "char *s = GET_LOCAL_VAR(x, int); return *s;",
    "int *p = bufsize; return p - buf;",
    "return localvar_something(&localvar_other);",
])
def test_what_depends_on_types_is_left_to_the_final_compile(tmp_path: Path, body: str) -> None:
    assert not scanned(tmp_path, handler(f"\t{body}")).messages


@pytest.mark.parametrize("standard", ["gnu89", "gnu11", "gnu2x"])
def test_every_standard_finds_the_same_mistakes(tmp_path: Path, standard: str) -> None:
    body = "\tPRINT_LOCAL_VARS(buf, bufsize);\n\tSET_LOCAL_VAR(x, GET_LOCAL_VAR_OR(y, bufsize));\n\treturn missing(1);"
    words = {"gnu89": "implicit declaration of function", "gnu2x": "use of undeclared identifier"}
    assert scanned(tmp_path, handler(body), flags=[f"-std={standard}"]).messages == [
        f"7:9: compiler: {words.get(standard, 'call to undeclared function')} 'missing'"]


def test_unknown_name_that_may_be_a_variable_of_the_probed_code_comes_with_a_fix(tmp_path: Path) -> None:
    result = scanned(tmp_path, handler("\tTASK;\n\treturn tsk->pid;"))
    assert [d.fix for d in result.log.diagnostics] == [
        None, "to read a variable of the probed code, write GET_LOCAL_VAR(tsk)"]


def test_missing_header_is_reported_alone(tmp_path: Path) -> None:
    result = scanned(tmp_path, "#include \"nothere.h\"\n" + handler("\treturn GET_LOCAL_VAR(x) + other;"))
    assert result.messages == ["3:10: compiler: 'nothere.h' file not found"]


def test_headers_missing_header_names_that_header(tmp_path: Path) -> None:
    result = scanned(tmp_path, "#include \"own.h\"\n", headers={"own.h": "\n#include <nothere.h>\n"})
    assert result.messages == ["own.h:2:10: compiler: 'nothere.h' file not found"]


def test_mistake_in_a_header_of_the_module_is_reported_there(tmp_path: Path) -> None:
    result = scanned(tmp_path, "#include \"own.h\"\n",
                     headers={"own.h": f"{HANDLER}\n{{ return GET_LOCAL_VAR(x) + missing; }}\n"})
    assert result.messages == ["own.h:2:29: compiler: use of undeclared identifier 'missing'"]


def test_findings_come_in_the_order_of_the_text(tmp_path: Path) -> None:
    result = scanned(tmp_path,
                     handler("\tint a = missing1;\n\tint b = GET_LOCAL_VAR(1);\n\tint c = missing2;"))
    assert [d.span.line for d in result.log.diagnostics if d.span] == [5, 6, 7]


def test_syntax_error_brings_no_findings_that_may_be_its_consequences(tmp_path: Path) -> None:
    result = scanned(tmp_path, "static int f( { return GET_LOCAL_VAR(x); }\nLOCALVAR_PROBE(f, \"a\");\n")
    assert result.messages
    assert {d.slug for d in result.log.diagnostics} == {"compiler"}


def test_macros_without_localvar_h_are_one_error_that_says_so(tmp_path: Path) -> None:
    result = scanned(tmp_path, handler("\treturn GET_LOCAL_VAR(x) + LOCAL_VAR_AVAILABLE(y);")
                     + 'LOCALVAR_PROBE(h, "a");\n',
                     head="#include <kernel.h>\n")
    assert result.messages == ["4:9: no-localvar-h: GET_LOCAL_VAR is used, but localvar.h is not included"]
    assert result.log.diagnostics[0].fix == "#include <localvar.h>"


def test_unreadable_file_is_a_failure_of_the_environment(tmp_path: Path) -> None:
    with pytest.raises(Failure, match="No such file") as failure:
        scan(str(tmp_path / "none.c"), [], directory=str(tmp_path), log=Log())
    assert failure.value.status == 2
