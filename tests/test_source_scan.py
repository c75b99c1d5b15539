# SPDX-License-Identifier: GPL-2.0-or-later
"""scan as a whole: against real kernels' headers, and on texts that nobody would write."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from localvar.diagnostics import Log
from localvar.model.source import Macro, ProbeKind, Role
from localvar.source.scan import scan
from tests.source_program import handler, kernel_flags, kernels, rewritten, scanned

OOM = """\
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/cred.h>
#include <linux/uidgid.h>
#include <localvar.h>

static int dopgflt_outofmem_handler(struct pt_regs *regs, void *buf, int bufsize)
{
	struct task_struct *task = GET_LOCAL_VAR(tsk);
	unsigned long addr = GET_LOCAL_VAR(address, unsigned long);

	if (!uid_eq(task_uid(task), GLOBAL_ROOT_UID))
		return scnprintf(buf, bufsize, "pid=%d addr=%lx", task->pid, addr);
	return 0;
}
LOCALVAR_PROBE(dopgflt_outofmem_handler, "kernel.function(\\"do_page_fault\\").label(\\"out_of_memory\\")");

static int reclaim(struct kprobe *p, struct pt_regs *regs)
{
	struct list_head *at;
	int nr = max(GET_LOCAL_VAR(sc.nr_to_reclaim, int), 1);

	if (uid_eq(current_uid(), GET_LOCAL_VAR(cred)->uid))
		pr_info("%s %d\\n", GET_LOCAL_VAR(tsk)->comm, READ_ONCE(GET_LOCAL_VAR(sc)->order));
	if (LOCAL_VAR_AVAILABLE(pgdat) && GET_LOCAL_VAR(pgdat)->node_id)
		WARN_ON_ONCE(GET_LOCAL_VAR(x) > nr);
	list_for_each(at, &GET_LOCAL_VAR(lruvec)->lists[0])
		nr += container_of(at, struct page, lru) == LOCAL_VAR_ADDR(page);
	pr_debug("%p", GET_LOCAL_VAR(sc)->unknown);
	trace_printk("%d\\n", GET_LOCAL_VAR(order));
	return min_t(int, nr, GET_LOCAL_VAR(sc)->priority) ?: IS_ERR(GET_LOCAL_VAR(file));
}

static struct kprobe kp = {
	PROBE_LOCATION("kernel.function(\\"shrink_node\\")"),
	.pre_handler = reclaim,
};

static int returns(struct kretprobe_instance *ri, struct pt_regs *regs)
{
	return GET_RETURN_VALUE(long) < 0 && GET_ENTRY_VAR(count) > PAGE_SIZE;
}

static struct kretprobe rp = {
	.kp = { PROBE_LOCATION("vfs_read%return") },
	.handler = returns,
	.maxactive = 64,
};

static int __init start(void)
{
	int err = register_kprobe(&kp) ?: register_kretprobe(&rp);

	return err ?: localvar_register_probe(&dopgflt_outofmem_handler_probe);
}
module_init(start);
MODULE_LICENSE("GPL");
"""


@pytest.mark.skipif(not kernels(), reason="no kernel headers are installed")
@pytest.mark.parametrize("release", kernels())
def test_handlers_behind_real_headers_scan_without_a_complaint(tmp_path: Path, release: str) -> None:
    flags, build = kernel_flags(release, "oom")
    log = Log()
    source = scan("oom.c", flags, directory=build, text=OOM.encode(), log=log)
    assert not log.diagnostics
    written = [OOM[use.span.start:use.span.end] for use in source.uses]
    assert written == [w for w in written if w.split("(")[0] in Macro.__members__]
    assert len(written) == sum(OOM.count(f"{macro.value}(") for macro in (
        Macro.GET_LOCAL_VAR, Macro.LOCAL_VAR_AVAILABLE, Macro.LOCAL_VAR_ADDR, Macro.GET_RETURN_VALUE,
        Macro.GET_ENTRY_VAR))
    assert [use.arguments[0].text for use in source.uses if use.guarded_by] == ["pgdat", "x"]
    assert [(p.kind, [(h.role, h.function) for h in p.handlers]) for p in source.probes] == [
        (ProbeKind.PROBE, [(Role.PROBE, "dopgflt_outofmem_handler")]),
        (ProbeKind.KPROBE, [(Role.PRE, "reclaim")]), (ProbeKind.KRETPROBE, [(Role.RETURN, "returns")])]
    assert any(name.endswith("/include/linux/sched.h") for name in source.dependencies)


@pytest.mark.skipif(not kernels(), reason="no kernel headers are installed")
@pytest.mark.parametrize(("old", "new", "message"), [
    ("return 0;\n}", "return 0\n}", "expected ';' after return statement"),
    ("task_uid(task)", "task_uid(tsk)", "use of undeclared identifier 'tsk'"),
    ("scnprintf(buf", "snprintff(buf", "call to undeclared function 'snprintff'"),
    ("GLOBAL_ROOT_UID", "GLOBAL_ROOT", "use of undeclared identifier 'GLOBAL_ROOT'"),
    ("task->pid", "task->pidd", "no member named 'pidd' in 'struct task_struct'"),
])
def test_mistake_behind_real_headers_is_one_error_where_it_stands(
        tmp_path: Path, old: str, new: str, message: str) -> None:
    flags, build = kernel_flags(kernels()[0], "oom")
    log = Log()
    text = OOM.replace(old, new, 1)
    scan("oom.c", flags, directory=build, text=text.encode(), log=log)
    [diagnostic] = log.diagnostics
    assert diagnostic.message == message
    assert diagnostic.span is not None
    assert diagnostic.span.line == OOM[:OOM.index(old)].count("\n") + 1


def test_paths_in_spans_are_those_of_the_command_line(tmp_path: Path,
                                                      monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "own.h").write_text("static inline int f(struct pt_regs *r) { return GET_LOCAL_VAR(x); }\n")
    (tmp_path / "sub" / "a.c").write_text('#include <localvar.h>\nstruct pt_regs;\n#include "own.h"\nint b = c;\n')
    monkeypatch.chdir(tmp_path)
    log = Log()
    source = scan("sub/a.c", ["-nostdinc"], directory="/", log=log)
    assert [use.span.file for use in source.uses] == ["sub/own.h"]
    assert [d.span.file for d in log.diagnostics if d.span] == ["sub/a.c"]


@pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is not installed")
def test_rewritten_uses_and_copies_compile(tmp_path: Path) -> None:
    """The file with each use replaced by a call and each copy defined, as a later stage does it, is accepted by gcc."""
    result = scanned(tmp_path, """
#define PID() GET_LOCAL_VAR(tsk)->pid
#define GET(v) GET_LOCAL_VAR(v)
#define SHOW(v) pr_info(#v "%p", GET(v))
#define OR(v, d) GET_LOCAL_VAR_OR(v, \\
	(d) + 1)
""" + handler("""\
	SHOW(a->b); pr_info("%d %d", PID(), TWICE(GET(c)->pid));
	return PID() + max(1, OR(d, GET_LOCAL_VAR(e)->pid)) + GET_LOCAL_VAR(
		f)->pid;"""))
    assert not result.messages

    text = rewritten(result, lambda use, last: f"got({use.regs})" if use.macro is Macro.GET_LOCAL_VAR else f"({last})")
    text = text.replace("#include <localvar.h>\n", "struct task_struct *got();\n")
    (tmp_path / "rewritten.c").write_text(text)
    done = subprocess.run(["gcc", "-fsyntax-only", "-Wall", "-Werror", "-Wno-unused", "-I",
                           str(tmp_path / "kernel"),
                           str(tmp_path / "rewritten.c")], capture_output=True, text=True, timeout=60)
    assert done.stderr == ""


def test_libclang_is_loaded_only_when_a_file_is_read() -> None:
    code = "import sys, localvar.source.scan, localvar.source.parse; sys.exit('clang' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0


def test_missing_libclang_is_a_failure_of_the_environment(tmp_path: Path) -> None:
    code = ("import sys; sys.modules['clang'] = None\n"
            "from localvar.diagnostics import Failure\nfrom localvar.source.parse import Unit\n"
            "try: Unit('/x.c', b'', [])\n"
            "except Failure as failure: print(failure.status, failure.diagnostics[0].slug)")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout == "2 no-libclang\n"


WORDS = ["GET_LOCAL_VAR", "LOCAL_VAR_AVAILABLE", "LOCALVAR_PROBE", "PROBE_LOCATION", "(", ")", "(x)", "{",
         "}", ",", ";", '"a"',
         "\n#define A", "\n#define B(x)", "\n#if 0\n", "\n#endif\n", "A", "B", "x", "->", ".", "[", "]", "=",
         "if", "else",
         "case", ":", "?", "&&", "!", "static struct kprobe k", "int f(struct pt_regs *regs)", ".pre_handler",
         "#", "##",
         "return", "'", '"', "/*", "*/", "\\\n", "\n", "switch (1)", "for (;;)", "do", "while",
         "\n#undef A\n", "__VA_ARGS__"]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(WORDS), max_size=40))
def test_no_text_makes_scan_fail(tmp_path: Path, words: list[str]) -> None:
    result = scanned(tmp_path, " ".join(words))
    for use in result.source.uses:
        assert result.written(use.span).endswith(")")
    for diagnostic in result.log.diagnostics:
        assert diagnostic.span is None or diagnostic.span.end <= len(result.text) + 1
