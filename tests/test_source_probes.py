# SPDX-License-Identifier: GPL-2.0-or-later
"""Declarations: probes and their coordinates, kprobes with PROBE_LOCATION and their handlers, aliases, hooks."""

from __future__ import annotations

from pathlib import Path

import pytest

from localvar.model.source import Macro, ProbeDeclaration, ProbeKind, Role
from localvar.source.probes import literal
from tests.source_program import HEAD, Scanned, handler, scanned

PRE = "static int pre(struct kprobe *p, struct pt_regs *regs) { return GET_LOCAL_VAR(x); }\n"
RET = "static int ret(struct kretprobe_instance *r, struct pt_regs *regs) { return GET_RETURN_VALUE(); }\n"


def coordinates(result: Scanned) -> list[list[str]]:
    return [[c.text for c in probe.coordinates] for probe in result.source.probes]


def bound(probe: ProbeDeclaration) -> list[tuple[Role, str]]:
    return [(h.role, h.function) for h in probe.handlers]


@pytest.mark.parametrize(("written", "text"), [
    (r'"kernel.function(\"f\")"', 'kernel.function("f")'),
    (r'"a" "b"' "\n\t\"c\" /* and */ \"d\"", "abcd"),
    (r'"\x66\x2a" "\157\12\0x"', "f*o\n\0x"),
    (r'"\t\\\?\'"', "\t\\?'"),
    ('"one \\\n two"', "one  two"),
    ('"größe"', "größe"),
])
def test_coordinate_is_what_the_literal_says(tmp_path: Path, written: str, text: str) -> None:
    result = scanned(tmp_path, handler("\treturn 0;") + f"LOCALVAR_PROBE(h, {written});\n")
    assert not result.messages
    assert coordinates(result) == [[text]]
    assert result.written(result.source.probes[0].coordinates[0].span) == written


@pytest.mark.parametrize("written", ['L"vfs_read"', 'U"vfs_read"', '"vfs" u"_read"'])
def test_wide_string_is_no_coordinate(tmp_path: Path, written: str) -> None:
    result = scanned(tmp_path, handler("\treturn 0;") + f"LOCALVAR_PROBE(h, {written});\n")
    assert [(d.slug, result.written(d.span)) for d in result.log.diagnostics if d.span] == [("not-a-string", written)]


@pytest.mark.parametrize("text", ['L"x"', 'u8"x"', "'x'", "x", '"', r'"\u00e9"'])
def test_other_tokens_are_no_string_literals(text: str) -> None:
    assert literal(text) is None


def test_probe_names_its_handler_and_takes_several_coordinates(tmp_path: Path) -> None:
    result = scanned(tmp_path, handler("\treturn 0;") + 'LOCALVAR_PROBE(h, "a", "b"\n"c");\n')
    assert not result.messages
    [probe] = result.source.probes
    assert probe.kind is ProbeKind.PROBE
    assert bound(probe) == [(Role.PROBE, "h")]
    assert coordinates(result) == [["a", "bc"]]
    assert result.written(probe.span) == 'LOCALVAR_PROBE(h, "a", "b"\n"c")'
    assert result.written(probe.handlers[0].span) == "h"


def test_coordinate_may_come_from_macros_as_they_are_defined_there(tmp_path: Path) -> None:
    result = scanned(tmp_path, "\n".join((
        '#define FILE_NAME "mm/vmscan.c"', '#define AT(line) "f@" FILE_NAME line', handler("\treturn 0;"),
        'LOCALVAR_PROBE(h, "kernel.function(\\"f@" FILE_NAME "\\")", NAME);', "#undef FILE_NAME",
        '#define FILE_NAME "other.c"', "static struct kprobe kp = { PROBE_LOCATION(FILE_NAME) };",
    )), flags=['-DNAME="vfs_read"'])
    assert not result.messages
    assert coordinates(result) == [['kernel.function("f@mm/vmscan.c")', "vfs_read"], ["other.c"]]


@pytest.mark.parametrize(("declaration", "slug", "where"), [
    ('LOCALVAR_PROBE(h);', "wrong-arguments", "LOCALVAR_PROBE(h)"),
    ('LOCALVAR_PROBE(h, h);', "not-a-string", "h);"),
    ('LOCALVAR_PROBE(h, 3);', "not-a-string", "3);"),
    ('LOCALVAR_PROBE(h, "a" + 1);', "not-a-string", '"a" + 1'),
    ('LOCALVAR_PROBE(hh, "a");', "no-such-handler", "hh,"),
    ('LOCALVAR_PROBE(begin, "a");', "wrong-signature", "begin,"),
    ('LOCALVAR_PROBE(wrong, "a");', "wrong-signature", "wrong,"),
    ('LOCALVAR_BEGIN(h);', "wrong-signature", "h);"),
    ('LOCALVAR_END(begin);', "wrong-signature", "begin);"),
    ('LOCALVAR_BEGIN(nothing);', "no-such-handler", "nothing);"),
    ('LOCALVAR_MODULE(3);', "wrong-arguments", "LOCALVAR_MODULE(3)"),
    ('LOCALVAR_MODULE();\nLOCALVAR_MODULE() ;', "second-module", "LOCALVAR_MODULE() ;"),
    ('PROBE_ALIAS("a");', "wrong-arguments", "PROBE_ALIAS"),
    ('PROBE_ALIAS(a, "b");', "not-a-string", "a, "),
    ('static void f(void) { LOCALVAR_PROBE(h, "a"); }', "not-at-file-scope", "LOCALVAR_PROBE"),
    ('static struct task_struct t = { PROBE_LOCATION("a") };', "not-in-kprobe", "PROBE_LOCATION"),
    ('static void f(void) { PROBE_LOCATION("a"); }', "not-in-kprobe", "PROBE_LOCATION"),
    ('static struct kprobe kp = { PROBE_LOCATION() };', "wrong-arguments", "PROBE_LOCATION"),
    ('static struct kprobe kp = { PROBE_LOCATION(3) };', "not-a-string", "3)"),
    ('static struct kprobe kp = { PROBE_LOCATION("a"), .pre_handler = 1 ? pre : pre };', "unclear-handler",
     "1 ?"),
])
def test_wrong_declaration_is_an_error_at_what_is_wrong(
        tmp_path: Path, declaration: str, slug: str, where: str) -> None:
    text = "static int begin(void) { return 0; }\nstatic int wrong(struct pt_regs *r, void *b, long n) { return 0; }\n"
    result = scanned(tmp_path, PRE + text + handler("\treturn 0;") + declaration)
    [diagnostic] = [d for d in result.log.diagnostics if d.slug == slug]
    assert diagnostic.span is not None
    assert result.text[diagnostic.span.start:].startswith(where.encode())
    assert diagnostic.fix


def test_unknown_handler_comes_with_close_names(tmp_path: Path) -> None:
    text = handler("\treturn 0;").replace(" h(", " oom_handler(") + 'LOCALVAR_PROBE(oom_handle, "a");'
    [diagnostic] = scanned(tmp_path, text).log.diagnostics
    assert [note.message for note in diagnostic.notes] == ["close names: oom_handler"]


@pytest.mark.parametrize(("declaration", "handlers"), [
    ("{ PROBE_LOCATION(\"a\"), .pre_handler = pre }", [(Role.PRE, "pre")]),
    ("{ .pre_handler = &pre, PROBE_LOCATION(\"a\"), .post_handler = (post_t)post }",
     [(Role.PRE, "pre"), (Role.POST, "post")]),
    ("{ PROBE_LOCATION(\"a\"), .pre_handler = (pre_t)&pre }", [(Role.PRE, "pre")]),
    ("{ PROBE_LOCATION(\"a\"), .pre_handler = ((pre)), .post_handler = NULL }", [(Role.PRE, "pre")]),
    ("{ PROBE_LOCATION(\"a\"), .pre_handler = CHOSEN, .post_handler = 0 }", [(Role.PRE, "pre")]),
    ("{ PROBE_LOCATION(\"a\") }", []),
])
def test_kprobe_has_the_handlers_of_its_initialiser(
        tmp_path: Path, declaration: str, handlers: list[tuple[Role, str]]) -> None:
    post = "static void post(struct kprobe *p, struct pt_regs *regs, unsigned long f) { }\n#define CHOSEN pre\n"
    result = scanned(tmp_path, f"{PRE}{post}static struct kprobe kp = {declaration};\n")
    assert not result.messages
    [probe] = result.source.probes
    assert probe.kind is ProbeKind.KPROBE
    assert bound(probe) == handlers
    assert result.written(probe.span) == 'PROBE_LOCATION("a")'


@pytest.mark.parametrize("declaration", [
    "{ .kp = { PROBE_LOCATION(\"a\") }, .handler = ret, .maxactive = 20 }",
    "{ .handler = ret, .kp = { PROBE_LOCATION(\"a\") } }",
    "{ { PROBE_LOCATION(\"a\") }, .handler = ret }",
])
def test_kretprobe_has_the_handlers_around_its_kp(tmp_path: Path, declaration: str) -> None:
    result = scanned(tmp_path, f"{RET}static struct kretprobe rp = {declaration};\n")
    assert not result.messages
    [probe] = result.source.probes
    assert probe.kind is ProbeKind.KRETPROBE
    assert bound(probe) == [(Role.RETURN, "ret")]


def test_kretprobe_has_an_entry_handler_too(tmp_path: Path) -> None:
    entry = RET.replace("ret(", "entry(").replace("GET_RETURN_VALUE()", "GET_LOCAL_VAR(x)")
    declaration = 'static struct kretprobe rp = { .kp = { PROBE_LOCATION("a") }, .entry_handler = entry, .handler = ret };'
    result = scanned(tmp_path, RET + entry + declaration)
    assert not result.messages
    assert bound(result.source.probes[0]) == [(Role.ENTRY, "entry"), (Role.RETURN, "ret")]


def test_each_element_of_an_array_has_its_own_handlers(tmp_path: Path) -> None:
    result = scanned(tmp_path, PRE + PRE.replace("pre(", "two(") + """
static struct kprobe kps[] = {
	{ PROBE_LOCATION("a"), .pre_handler = pre },
	[3] = { .pre_handler = two, PROBE_LOCATION("b") },
};
static struct kretprobe rps[2] = { { .kp = { PROBE_LOCATION("c") } } };
""")
    assert not result.messages
    assert [(coordinates(result)[i], bound(p)) for i, p in enumerate(result.source.probes)] == [
        (["a"], [(Role.PRE, "pre")]), (["b"], [(Role.PRE, "two")]), (["c"], [])]


@pytest.mark.parametrize(("declaration", "assignment", "wanted"), [
    ('struct kprobe kp = { PROBE_LOCATION("a") }', "kp.pre_handler = pre;", (Role.PRE, "pre")),
    ('struct kprobe kp __attribute__((aligned(8))) = { PROBE_LOCATION("a") }', "kp.pre_handler = &pre;",
     (Role.PRE, "pre")),
    ('struct kprobe kp[] = { { PROBE_LOCATION("a") } }', "kp[0].pre_handler = pre;", (Role.PRE, "pre")),
    ('struct kretprobe kp = { .kp = { PROBE_LOCATION("a") } }', "kp.handler = ret;", (Role.RETURN, "ret")),
    ('struct kretprobe kp[] = { { .kp = { PROBE_LOCATION("a") } } }', "kp[0].entry_handler = ret;",
     (Role.ENTRY, "ret")),
])
def test_handlers_may_be_assigned_in_code(
        tmp_path: Path, declaration: str, assignment: str, wanted: tuple[Role, str]) -> None:
    result = scanned(tmp_path, f"{PRE}{RET}static {declaration};\nstatic void set(void) {{ {assignment} }}\n")
    assert not result.messages
    assert bound(result.source.probes[0]) == [wanted]


def test_macro_of_the_module_may_make_the_initialiser_or_the_probe(tmp_path: Path) -> None:
    result = scanned(tmp_path, PRE + handler("\treturn 0;") + r"""
#define KP(f, h) { PROBE_LOCATION("kernel.function(\"" f "\")"), .pre_handler = h }
#define PROBE(h, f) LOCALVAR_PROBE(h, #f ".call")
static struct kprobe kps[] = { KP("a", pre), KP("b", &pre) };
PROBE(h, vfs_read);
""")
    assert not result.messages
    assert coordinates(result) == [['kernel.function("a")'], ['kernel.function("b")'], ["vfs_read.call"]]
    assert [bound(p) for p in result.source.probes] == [[(Role.PRE, "pre")], [(Role.PRE, "pre")],
                                                        [(Role.PROBE, "h")]]
    assert [p.copy for p in result.source.probes] == ["localvar_KP_0", "localvar_KP_1", "localvar_PROBE_2"]
    assert [c.name for c in result.source.copies] == ["localvar_KP_0", "localvar_KP_1", "localvar_PROBE_2"]


def test_aliases_and_hooks(tmp_path: Path) -> None:
    result = scanned(tmp_path, "#include \"tapset.h\"\n" + """
static int begin(void) { return 0; }
static void end(void) { }
LOCALVAR_BEGIN(begin);
LOCALVAR_END(end);
LOCALVAR_MODULE();
""", headers={"tapset.h": '#pragma once\nPROBE_ALIAS("vm." "oom", "a", "b");\n'})
    assert not result.messages
    assert [(h.macro, h.function) for h in result.source.hooks] == [
        (Macro.LOCALVAR_BEGIN, "begin"), (Macro.LOCALVAR_END, "end"), (Macro.LOCALVAR_MODULE, None)]
    [alias] = result.source.aliases
    assert (alias.name, [c.text for c in alias.coordinates]) == ("vm.oom", ["a", "b"])
    assert (Path(alias.span.file).name, alias.span.line) == ("tapset.h", 2)
    [header] = result.source.headers
    assert [result.written(span) for span in header.included] == ['#include "tapset.h"']


def test_registering_by_hand_needs_nothing_but_the_probe(tmp_path: Path) -> None:
    result = scanned(tmp_path, handler("\treturn 0;") + """
LOCALVAR_PROBE(h, "a");
static int __init start(void) { return localvar_register_probe(&h_probe); }
""")
    assert not result.messages
    assert HEAD.encode() in result.text
