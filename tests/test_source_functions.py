# SPDX-License-Identifier: GPL-2.0-or-later
"""Functions of the module: where they stand, and whom they refer to."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.source_program import handler, scanned

HELPER = "static int helper(struct pt_regs *regs) { return GET_LOCAL_VAR(x); }\n"


def calls(tmp_path: Path, text: str, **headers: str) -> dict[str, frozenset[str]]:
    result = scanned(tmp_path, text, headers={f"{name}.h": contents for name, contents in headers.items()})
    assert not result.messages
    return {function.name: function.calls for function in result.source.functions}


@pytest.mark.parametrize("reference", [
    "return helper(regs);",
    "return (&helper)(regs);",
    "int (*f)(struct pt_regs *) = helper; return f(regs);",
    "return table[0](regs);",
    "return second->f(regs);",
    "return CALL(regs);",
    "pr_info(\"%d\", helper(regs)); return 0;",
    "return GET_LOCAL_VAR_OR(y, helper(regs));",
    "return GET_LOCAL_VAR(y) + helper(regs)->unknown;",
])
def test_function_is_called_or_has_its_address_taken(tmp_path: Path, reference: str) -> None:
    text = HELPER + """
struct ops { int (*f)(struct pt_regs *); };
static int (*const table[])(struct pt_regs *) = { helper };
static struct ops first = { .f = helper }, *second = &first;
#define CALL(r) INNER(r)
#define INNER(r) helper(r)
"""
    assert calls(tmp_path, text + handler(f"\t{reference}"))["h"] >= {"helper"}


@pytest.mark.parametrize("other", [
    "struct named s = { .helper = 1 }, *p = &s; return s.helper + p->helper;",
    "pr_info(\"helper(regs)\"); /* helper(regs) */ return 0;",
    "#if 0\nreturn helper(regs);\n#endif\n\treturn 0;",
])
def test_members_strings_and_comments_are_no_calls(tmp_path: Path, other: str) -> None:
    assert calls(tmp_path, "struct named { int helper; };\n" + HELPER
                 + handler(f"\t{other}"))["h"] == frozenset()


def test_recursion_and_functions_of_headers(tmp_path: Path) -> None:
    text = """#include "own.h"
int odd(struct pt_regs *regs, int n);
int even(struct pt_regs *regs, int n) { return n ? odd(regs, n - 1) : inner(regs); }
int odd(struct pt_regs *regs, int n) { return n ? even(regs, n - 1) : odd(regs, 3); }
"""
    own = "static inline int leaf(void) { return 0; }\n" \
          "static inline int inner(struct pt_regs *regs) { return GET_LOCAL_VAR(x) + leaf(); }\n"
    assert calls(tmp_path, text, own=own) == {
        "even": {"odd", "inner"}, "odd": {"even", "odd"}, "inner": {"leaf"}, "leaf": frozenset()}


def test_functions_of_headers_without_uses_are_known_too(tmp_path: Path) -> None:
    text = '#include "own.h"\n' + handler("\treturn outer(regs);")
    own = "static inline int outer(struct pt_regs *regs) { return leaf(); }\n"
    assert calls(tmp_path, text, own='#include "sub/leaf.h"\n' + own,
                 **{"sub/leaf": "static inline int leaf(void)\n{ return 0; }\n"}) \
        == {"h": {"outer"}, "outer": {"leaf"}, "leaf": frozenset()}


def test_span_covers_the_declaration_with_attributes(tmp_path: Path) -> None:
    result = scanned(tmp_path, """
int before;
/* what h does */
static __init
__attribute__((noinline)) int h(struct pt_regs *regs)
{
	struct { int a; } s = { 1 };
	return s.a;
}
int after(void) { return 0; }
""")
    first, second = result.source.functions
    assert result.written(first.span).startswith("static __init\n")
    assert result.written(first.span).endswith("return s.a;\n}")
    assert result.written(second.span) == "int after(void) { return 0; }"
    assert (first.regs, second.regs) == ("regs", None)


def test_uses_of_a_header_are_found_and_its_directives_named(tmp_path: Path) -> None:
    inner = "static inline int inner(struct pt_regs *r) { return GET_LOCAL_VAR(x); }\n"
    result = scanned(tmp_path, '#include "outer.h"\n#include "plain.h"\n' + handler("\treturn inner(regs);"),
                     headers={
        "outer.h": "#pragma once\n#\tinclude \"dir/inner.h\" /* why */\n", "dir/inner.h": inner,
        "plain.h": "int plain;\n"})
    assert not result.messages
    [use] = result.source.uses
    assert (use.function, use.regs, result.written(use.span)) == ("inner", "r", "GET_LOCAL_VAR(x)")
    assert {Path(h.path).name: [result.written(s) for s in h.included] for h in result.source.headers} == {
        "outer.h": ['#include "outer.h"'], "inner.h": ['#\tinclude "dir/inner.h" /* why */']}


def test_header_included_from_elsewhere_is_the_modules_where_it_uses_macros(tmp_path: Path) -> None:
    elsewhere = tmp_path / "tapsets"
    elsewhere.mkdir()
    (elsewhere / "vm.h").write_text('PROBE_ALIAS("vm.oom", "f");\n')
    (elsewhere / "other.h").write_text("static inline int other(void) { return 0; }\n")
    result = scanned(tmp_path, "#include <vm.h>\n#include <other.h>\n", flags=["-I../tapsets"])
    assert not result.messages
    assert [(alias.name, alias.span.file)
            for alias in result.source.aliases] == [("vm.oom", str(elsewhere / "vm.h"))]
    assert not result.source.functions


def test_include_at_is_behind_the_line_that_includes_localvar_h(tmp_path: Path) -> None:
    result = scanned(tmp_path, "int x;\n", head="#include <kernel.h>\n#include <localvar.h> /* first */\n\n")
    assert result.text[:result.source.include_at].endswith(b"/* first */\n")
    assert result.source.has_localvar_h


def test_include_at_is_behind_a_header_that_brings_localvar_h_and_in_front_of_one_that_is_rewritten(tmp_path: Path) -> None:
    """What is put there can use the run time, and what reads variables in the header can use that."""
    head = '#define pr_fmt(f) f\n#include "own.h"\n'
    result = scanned(tmp_path, "int x;\n", head=head, headers={"own.h": "#include <localvar.h>\n"})
    assert result.text[:result.source.include_at] == head.encode() and result.source.has_localvar_h
    bringing = {"own.h": '#include "two.h"\n', "two.h": '#include <localvar.h>\nPROBE_ALIAS("a", "b");\n'}
    result = scanned(tmp_path, "int x;\n#include <localvar.h>\n", head=head, headers=bringing)
    assert result.text[:result.source.include_at] == b"#define pr_fmt(f) f\n" and not result.source.has_localvar_h


@pytest.mark.parametrize("guards", [("#pragma once\n", ""), ("#ifndef A\n#define A\n", "#endif\n")])
def test_directives_that_the_compiler_passes_over_are_of_a_rewritten_header_too(tmp_path: Path, guards: tuple[str, str]) -> None:
    """What is put in place of the first one leaves no file read: the next would bring it as it is."""
    alias = guards[0] + 'PROBE_ALIAS("a", "b");\n' + guards[1]
    result = scanned(tmp_path, '#include "a.h"\n#include "b.h"\n#include "a.h"\n#if 0\n#include "a.h"\n#endif\n',
                     headers={"a.h": alias, "b.h": '#include <a.h>\nint b;\n'}, flags=["-I."])
    lines = {Path(header.path).name: sorted((Path(span.file).name, span.line) for span in header.included)
             for header in result.source.headers}
    first = min(line for name, line in lines["a.h"] if name == "oom.c")
    assert lines == {"a.h": [("b.h", 1), ("oom.c", first), ("oom.c", first + 2)], "b.h": [("oom.c", first + 1)]}


def test_dependencies_are_all_files_that_were_read_the_main_file_first(tmp_path: Path) -> None:
    result = scanned(tmp_path, '#include "own.h"\n', headers={"own.h": "int own;\n"})
    names = [Path(name).name for name in result.source.dependencies]
    assert names[0] == "oom.c"
    assert {"own.h", "kernel.h", "localvar.h", "scan.h"} <= set(names)
    assert all(Path(name).is_absolute() and Path(name).exists() for name in result.source.dependencies)
    assert len(names) == len(set(result.source.dependencies))


def test_includes_behind_declarations_are_dependencies_and_headers_too(tmp_path: Path) -> None:
    result = scanned(tmp_path, "int first;\n#include \"one.h\"\nint last;\n", headers={
        "one.h": "#include \"two.h\"\n",
        "two.h": "static int f(struct pt_regs *r) { return GET_LOCAL_VAR(x); }\n"})
    assert not result.messages
    assert {"oom.c", "one.h", "two.h", "kernel.h", "localvar.h"} <= {Path(d).name
                                                                     for d in result.source.dependencies}
    assert [(Path(h.path).name, [result.written(s) for s in h.included]) for h in result.source.headers] == [
        ("two.h", ['#include "two.h"']), ("one.h", ['#include "one.h"'])]
