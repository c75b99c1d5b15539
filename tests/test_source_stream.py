# SPDX-License-Identifier: GPL-2.0-or-later
"""Uses in the bodies of the module's own macros: each use of such a macro gets a copy, and the copies compile
to what
the macros meant."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from localvar.model.source import Macro
from localvar.source.lexer import tokenize
from tests.source_program import Scanned, handler, rewritten, scanned


def expanded(result: Scanned) -> str:
    """The file rewritten with `<function:arguments>` for each use."""
    return rewritten(result, lambda use, _: f"<{use.function}:{','.join(a.text for a in use.arguments)}>")


@pytest.mark.parametrize(("macros", "body", "wanted"), [
    ("#define PID() GET_LOCAL_VAR(tsk)->pid", "return PID() + PID();",
     ["#define localvar_PID_0() <h:tsk>->pid", "#define localvar_PID_1() <h:tsk>->pid",
      "return localvar_PID_0() + localvar_PID_1();"]),
    ("#define TASK GET_LOCAL_VAR(tsk)", "return TASK->pid;",
     ["#define localvar_TASK_0 <h:tsk>", "return localvar_TASK_0->pid;"]),
    ("#define GET(v) GET_LOCAL_VAR(v)", "return GET(a.b) + GET( c );",
     ["#define localvar_GET_0(v) <h:a.b>", "#define localvar_GET_1(v) <h:c>",
      "return localvar_GET_0(a.b) + localvar_GET_1( c );"]),
    ("#define SHOW(v) pr_info(#v \"=%d\\n\", GET_LOCAL_VAR(v))", "SHOW(tsk->pid);",
     ["#define localvar_SHOW_0(v) pr_info(#v \"=%d\\n\", <h:tsk->pid>)", "localvar_SHOW_0(tsk->pid);"]),
    ("#define IN(a) GET(a)\n#define GET(v) GET_LOCAL_VAR(v)", "return IN(x);",
     ["#define localvar_IN_0(a) localvar_GET_1(a)", "#define localvar_GET_1(v) <h:x>",
      "return localvar_IN_0(x);"]),
    ("#define GET(v, ...) GET_LOCAL_VAR(v, ##__VA_ARGS__)", "return GET(x) + GET(y, int);",
     ["#define localvar_GET_0(v, ...) <h:x>", "#define localvar_GET_1(v, ...) <h:y,int>"]),
    ("#define GET(args...) GET_LOCAL_VAR(args)", "return GET(y, int);",
     ["#define localvar_GET_0(args...) <h:y,int>"]),
    ("#define COUNT(v) GET_LOCAL_VAR(v ## _count)", "return COUNT(page);",
     ["#define localvar_COUNT_0(v) <h:page_count>"]),
    ("#define OR(v, d) GET_LOCAL_VAR_OR(v, (d) + 1)", "return OR(x, GET_LOCAL_VAR(y));",
     ["#define localvar_OR_0(v, d) <h:x,(d) + 1>", "return localvar_OR_0(x, <h:y>);"]),
    ("#define LONG(v) \\\n\tGET_LOCAL_VAR( \\\n\t\tv) /* why */", "return LONG(x);",
     ["#define localvar_LONG_0(v) \\\n\t<h:x> /* why */"]),
    ("#define V GET_LOCAL_VAR", "return V(x) + V (y, int);", ["return <h:x> + <h:y,int>;"]),
    ("#define P PID\n#define PID() GET_LOCAL_VAR(tsk)->pid", "return P();",
     ["#define localvar_PID_0() <h:tsk>->pid", "return localvar_PID_0();"]),
    ("#define PID() GET_LOCAL_VAR(old)\n#undef PID\n#define PID() GET_LOCAL_VAR(new)", "return PID();",
     ["#define localvar_PID_0() <h:new>"]),
    ("#if 0\n#define PID() GET_LOCAL_VAR(dead)\n#else\n#define PID() GET_LOCAL_VAR(alive)\n#endif",
     "return PID();",
     ["#define localvar_PID_0() <h:alive>"]),
    ("#define PID() GET_LOCAL_VAR(tsk)->pid", "pr_info(\"%d %d\", PID(), TWICE(PID()));",
     ["pr_info(\"%d %d\", localvar_PID_0(), TWICE(localvar_PID_1()));"]),
    ("#define PID() GET_LOCAL_VAR(tsk)->pid", "int PID = 3; return PID + (int)sizeof(\"PID()\");",
     ["int PID = 3; return PID + (int)sizeof(\"PID()\");"]),
    ("#define BOTH(x) (x + x + GET_LOCAL_VAR(z))", "return BOTH(GET_LOCAL_VAR(y));",
     ["#define localvar_BOTH_0(x) (x + x + <h:z>)", "return localvar_BOTH_0(<h:y>);"]),
])
def test_own_macro_gets_a_copy_for_each_use(tmp_path: Path, macros: str, body: str,
                                            wanted: list[str]) -> None:
    result = scanned(tmp_path, f"{macros}\n" + handler(f"\t{body}\n\treturn 0;"))
    assert not result.messages
    text = expanded(result)
    for part in wanted:
        assert part in text


def test_copies_of_one_macro_belong_to_the_functions_that_use_it(tmp_path: Path) -> None:
    result = scanned(tmp_path, "\n".join((
        "#define PID() GET_LOCAL_VAR(tsk)->pid",
        "static int one(struct pt_regs *a) { return PID(); }",
        "static int two(struct pt_regs *b) { return PID(); }",
    )))
    assert not result.messages
    assert [(u.function, u.regs, u.copy) for u in result.source.uses] == [
        ("one", "a", "localvar_PID_0"), ("two", "b", "localvar_PID_1")]
    assert result.source.uses[0].span == result.source.uses[1].span


def test_macro_of_a_header_is_copied_and_its_header_stays(tmp_path: Path) -> None:
    result = scanned(tmp_path, "#include \"own.h\"\n" + handler("\treturn GET(x);"),
                     headers={"own.h": "#define GET(v) \\\n\tGET_LOCAL_VAR(v)\n"})
    assert not result.messages
    [copy] = result.source.copies
    assert copy.definition.file.endswith("module/own.h")
    assert copy.span.file.endswith("module/oom.c")
    assert [(u.arguments[0].text, u.function, u.copy) for u in result.source.uses] == [("x", "h", copy.name)]


@pytest.mark.parametrize(("macros", "body", "message"), [
    ("#define G(n) GET_##n(tsk)", "return G(LOCAL_VAR);", "hidden-use"),
    ("#define APPLY(m) m(tsk)", "return APPLY(GET_LOCAL_VAR);", "hidden-use"),
    ("#define G(n) (GET_LOCAL_VAR(q) + GET_ ## n(tsk))", "return G(LOCAL_VAR);", "scattered-use"),
    ("#define OPEN GET_LOCAL_VAR(", "return OPEN tsk);", "scattered-use"),
    ("int F(int);\n#define F(x) F(GET_LOCAL_VAR(x))", "return F(y);", "recursive-macro"),
    ("int F(int);\n#define F(x) (G(x) + GET_LOCAL_VAR(x))\n#define G(x) F(x)", "return F(y);",
     "recursive-macro"),
    ("#define OR(...) GET_LOCAL_VAR_OR(__VA_ARGS__)", "return OR(x, 3);", "scattered-use"),
    ("#define GET(regs) GET_LOCAL_VAR(regs)", "return GET(x);", "regs-hidden"),
    ("#define PID() GET_LOCAL_VAR(tsk + 1)", "return PID();", "not-a-path"),
    ("#define GET(v) GET_LOCAL_VAR(v)", "return GET(x + 1);", "not-a-path"),
    ("#define GET(v) ({ struct pt_regs *regs = 0; (void)regs; GET_LOCAL_VAR(v); })", "return GET(x);",
     "regs-changed"),
])
def test_macro_that_cannot_be_rewritten_soundly_is_an_error(
        tmp_path: Path, macros: str, body: str, message: str) -> None:
    result = scanned(tmp_path, f"{macros}\n" + handler(f"\t{body}"))
    assert message in [d.slug for d in result.log.diagnostics]


def test_error_in_a_macros_body_says_where_the_macro_is_used(tmp_path: Path) -> None:
    result = scanned(tmp_path, "#define IN() OUT()\n#define OUT() GET_LOCAL_VAR(1)\n"
                     + handler("\treturn IN();"))
    [diagnostic] = result.log.diagnostics
    assert result.where(diagnostic.span) == "4:29: "
    assert [(n.message, n.span.line if n.span else 0) for n in diagnostic.notes] == [
        ("in this use of OUT", 3), ("in this use of IN", 7)]


def test_function_made_by_a_macro_may_use_variables(tmp_path: Path) -> None:
    result = scanned(tmp_path, "\n".join((
        "#define HANDLER(n) static int n(struct pt_regs *ctx, void *b, int s)",
        "#define WHOLE(n, v) static int n(struct pt_regs *r) { return GET_LOCAL_VAR(v); }",
        "HANDLER(one) { return GET_LOCAL_VAR(x); }",
        "WHOLE(two, y)",
        "WHOLE(three, z)",
    )))
    assert not result.messages
    assert [(u.arguments[0].text, u.function, u.regs) for u in result.source.uses] == [
        ("x", "one", "ctx"), ("y", "two", "r"), ("z", "three", "r")]


def preprocessed(folder: Path, text: str) -> list[str]:
    """The tokens that gcc -E makes of a text."""
    (folder / "text.c").write_text(text)
    done = subprocess.run(["gcc", "-E", "-P", "-nostdinc", "-I", str(folder / "kernel"), str(folder / "text.c")],
                          capture_output=True, text=True, timeout=60, check=True)
    return [token.text for token in tokenize(done.stdout)]


OPERANDS = ["GET_LOCAL_VAR(x)", "GET_LOCAL_VAR(a)", "GET_LOCAL_VAR_OR(x, b)", "GET_LOCAL_VAR_OR(a, GET_LOCAL_VAR(b))",
            "a", "b", "(a)", "V(a)", "PLAIN(a)", "TWICE(a)", "TWICE(M3(y))", "q", "M1(y, a)", "M1(b, M2)", "M2",
            "M3(GET_LOCAL_VAR(y))", "M3 (b)", "print(\"x\", M3(a), b)", "max(M2, b)", "PLAIN(M2)"]
STATEMENTS = ["M0(x)", "M1(y, 2)", "M1(x, M2)", "M2", "M3(x)", "M0(GET_LOCAL_VAR(t))", "V(t)", "TWICE(M2)", "max(M0(a), M2)",
              "pr_info(\"%d\", M0(a), M3(GET_LOCAL_VAR_OR(b, M2)))", "M1(z, (1, M3(2)))", "M3 (\n x )", "PLAIN(M0(x))", "q"]


@st.composite
def programs(draw: st.DrawFn) -> str:
    """Macros that use one another (each those behind it) and statements that use them."""
    def body(number: int) -> str:
        behind = [o for o in OPERANDS if not any(f"M{n}" in o for n in range(number + 1))]
        return " + ".join(draw(st.lists(st.sampled_from(behind), min_size=1, max_size=3)))

    macros = [f"#define M{n}{parameters} {body(n)}" for n, parameters in enumerate(("(a)", "(a, b)", "", "(a)"))]
    statements = "; ".join(draw(st.lists(st.sampled_from(STATEMENTS), min_size=1, max_size=4)))
    return "\n".join(("int a, b, q, t, x, y, z;", *macros, "#define V GET_LOCAL_VAR", "#define PLAIN(x) (x)",
                      handler(f"\t{statements};")))


@pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is not installed")
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(programs())
def test_rewritten_text_preprocesses_to_what_the_macros_meant(tmp_path: Path, program: str) -> None:
    result = scanned(tmp_path, program)
    if result.messages:
        assert {d.slug for d in result.log.diagnostics} == {"not-a-path"}
        return
    macros = "#define GET_LOCAL_VAR(...) VALUE\n#define GET_LOCAL_VAR_OR(path, ...) OR(__VA_ARGS__)\n"
    meant = preprocessed(tmp_path, result.text.decode().replace("#include <localvar.h>\n", macros))
    got = rewritten(result, lambda use, last: "VALUE" if use.macro is Macro.GET_LOCAL_VAR else f"OR({last})")
    assert preprocessed(tmp_path, got.replace("#include <localvar.h>\n", "")) == meant
