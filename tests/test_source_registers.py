# SPDX-License-Identifier: GPL-2.0-or-later
"""The registers that uses read through are those of the probe that fired, or there is an error."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.source_program import handler, scanned

HELPERS = """\
static int reads(struct pt_regs *r, int n) { return GET_LOCAL_VAR(x) + n; }
static int passes(int n, struct pt_regs *r) { return reads(r, n); }
static int plain(struct pt_regs *r) { return r->di; }
static struct pt_regs saved;
#define READS(r) reads(r, 1)
#define OTHER() READS(&saved)
"""


@pytest.mark.parametrize("statement", [
    "regs = NULL;", "regs++;", "--regs;", "change(&regs);", "{ struct pt_regs *regs = 0; (void)regs; }",
    "{ int regs; (void)regs; }", "{ char *regs; (void)regs; }", "for (struct pt_regs *regs = 0; regs;) ;",
])
def test_registers_parameter_that_changes_is_an_error(tmp_path: Path, statement: str) -> None:
    result = scanned(tmp_path, "void change(struct pt_regs **);\n"
                     + handler(f"\t{statement}\n\treturn GET_LOCAL_VAR(x);"))
    assert [d.slug for d in result.log.diagnostics] == ["regs-changed"]


@pytest.mark.parametrize("statement", [
    "print(\"%lx\", regs->di);", "struct { int regs; } s = { .regs = 1 }; s.regs = 2;",
    "use(regs, *regs, 1 & regs->di);",
    "int (*f)(struct pt_regs *regs) = 0; (void)f;", "if (regs == NULL) return 0;", "return *regs, regs->ax;",
])
def test_registers_parameter_may_be_read(tmp_path: Path, statement: str) -> None:
    result = scanned(tmp_path, "void use();\n" + handler(f"\t{statement}\n\treturn GET_LOCAL_VAR(x);"))
    assert not result.messages


@pytest.mark.parametrize(("statement", "where"), [
    ("return reads(&saved, 1);", "&saved, 1"),
    ("struct pt_regs *other = regs; return reads(other, 1);", "other, 1"),
    ("return reads(regs + 1, 1);", "regs + 1, 1"),
    ("return reads(NULL, 1);", "NULL, 1"),
    ("return passes(2, &saved);", "&saved);"),
    ("pr_info(\"%d\", reads(&saved, 1)); return 0;", "&saved, 1"),
    ("return READS(&saved);", "&saved);"),
    ("return OTHER();", "&saved)\n"),
])
def test_call_with_other_registers_is_an_error_at_the_argument(tmp_path: Path, statement: str, where: str) -> None:
    result = scanned(tmp_path, HELPERS + handler(f"\t{statement}"))
    [diagnostic] = result.log.diagnostics
    assert diagnostic.slug == "other-registers"
    assert diagnostic.span is not None
    assert result.text[diagnostic.span.start:].startswith(where.encode())


@pytest.mark.parametrize("statement", [
    "return reads(regs, 1) + passes(reads(regs, 2), regs);",
    "return reads((regs), 1) + reads((struct pt_regs *)regs, 1) + READS(regs);",
    "return plain(&saved) + ops.reads(&saved);",
    "int (*f)(struct pt_regs *, int) = reads; return f(regs, 1);",
])
def test_call_with_the_callers_own_registers_is_none(tmp_path: Path, statement: str) -> None:
    text = HELPERS + "static struct { int (*reads)(struct pt_regs *r); } ops;\n"
    assert not scanned(tmp_path, text + handler(f"\t{statement}")).messages


def test_caller_without_registers_is_told_to_take_them(tmp_path: Path) -> None:
    result = scanned(tmp_path, HELPERS + "static int f(void) { return reads(&saved, 1); }\n")
    assert [(d.slug, d.fix) for d in result.log.diagnostics] == [
        ("other-registers", "give f() a parameter `struct pt_regs *regs`, and pass that")]


def test_function_that_only_hands_registers_on_must_not_change_them_either(tmp_path: Path) -> None:
    result = scanned(tmp_path, HELPERS + "static int f(struct pt_regs *r) { r = &saved; return reads(r, 1); }\n")
    assert [d.slug for d in result.log.diagnostics] == ["regs-changed"]
