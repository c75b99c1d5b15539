# SPDX-License-Identifier: GPL-2.0-or-later
"""The pipeline as a function: what goes in, what comes out, what it collects; and the examples through all of it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from localvar.diagnostics import Failure, Log
from localvar.kbuild.environment import Host, Request, find_build_directory
from localvar.kbuild.flags import kernel_flags
from localvar.kernel import Kernel
from localvar.model.location import Reason
from localvar.model.plan import How
from localvar.paths import include_directory
from localvar.pipeline import Expansion, Job, expand
from tests.command import ROOT, gcc_flags, write_module
from tests.kernel import kernels, requires
from tests.kernel.kernels import InstalledKernel
from tests.small_kernel import ACCOUNT, OOM_HELPER, SCAN

HEAD = "#include <linux/module.h>\n#include <linux/task.h>\n#include <localvar.h>\n"
HANDLER = "static int {}(struct pt_regs *regs, void *buf, int bufsize)\n{{\n\treturn {};\n}}\nLOCALVAR_PROBE({}, {});\n"


def handler(name: str, value: str, *coordinates: str) -> str:
    """A handler that returns value."""
    return HANDLER.format(name, value, name, ", ".join('"' + c.replace('"', '\\"') + '"' for c in coordinates))


def expanded(folder: Path, text: str, log: Log | None = None, **headers: str) -> Expansion:
    """Expand h.c, with headers of the module (by name without .h), in folder."""
    include = write_module({"h.c": HEAD + text, **{f"{name}.h": content for name, content in headers.items()}}, folder)
    job = Job(str(folder / "h.c"), tuple(gcc_flags(include)), str(folder), "h.c", "h", ("h",))
    return expand(job, Kernel(folder / "vmlinux", "6.1.0-small"), log or Log())


def test_plan_holds_a_read_for_each_use_at_each_site(tmp_path: Path) -> None:
    plan = expanded(tmp_path, handler("a", "GET_LOCAL_VAR(count) + LOCAL_VAR_AVAILABLE(task)", "account", "scan")).plan
    assert [site.pc for site in plan.sites] == [ACCOUNT, SCAN]
    [probe] = plan.probes
    assert probe.sites == (0, 1)
    count, available = plan.uses
    assert [(index, read.how) for index, read in count.reads] == [(0, How.DIRECT), (1, How.DIRECT)]
    assert [read.readable for _, read in available.reads] == [True, False]
    assert available.reads[1][1].reason == Reason("no-such-variable", "no variable 'task' in scope at scan+0x0 (fs/scan.c:9)")


def test_use_in_a_helper_is_read_at_the_sites_of_all_handlers_that_reach_it(tmp_path: Path) -> None:
    helper = "static long both(struct pt_regs *regs)\n{\n\treturn GET_LOCAL_VAR(count);\n}\n"
    text = helper + handler("a", "both(regs)", "account") + handler("b", "both(regs) > 1", "scan")
    text += handler("c", "0", "account+0x10")
    plan = expanded(tmp_path, text).plan
    [use] = plan.uses
    assert [plan.sites[index].name for index, _ in use.reads] == ["account+0x0", "scan+0x0"]
    assert [site.name for site in plan.sites] == ["account+0x0", "scan+0x0", "account+0x10"]
    assert [probe.uses for probe in plan.probes] == [(0,), (0,), ()]
    assert [(site, probes) for _, site, _, probes in plan.reads()] == [(0, (0,)), (1, (1,))]


def test_two_handlers_of_one_place_share_its_site(tmp_path: Path) -> None:
    text = handler("a", "GET_LOCAL_VAR(count) > 1", "account") + handler("b", "GET_LOCAL_VAR(count) > 2", "account")
    expansion = expanded(tmp_path, text)
    assert len(expansion.plan.sites) == 1 and [probe.sites for probe in expansion.plan.probes] == [(0,), (0,)]
    assert expansion.text.count(b"static __always_inline long int localvar_get_") == 1


def test_alias_stands_for_all_its_coordinates_also_from_a_header(tmp_path: Path) -> None:
    tapset = 'PROBE_ALIAS("vm.task", "account", "kernel.function(\\"helper@mm/oom.c\\")");\n'
    tapset += 'PROBE_ALIAS("vm.all", "vm.task", "scan");\n'
    text = '#include "tapset.h"\n' + handler("a", "LOCAL_VAR_AVAILABLE(task)", "vm.all")
    plan = expanded(tmp_path, text, tapset=tapset).plan
    assert sorted(site.pc for site in plan.sites) == [ACCOUNT, OOM_HELPER, SCAN]


def test_site_named_twice_is_probed_once(tmp_path: Path) -> None:
    coordinates = "account", "account+0x0", 'kernel.function("account")', "account@mm/oom.c:10"
    plan = expanded(tmp_path, handler("a", "GET_LOCAL_VAR(count) > 1", *coordinates)).plan
    assert [len(probe.sites) for probe in plan.probes] == [1]


def test_all_bad_coordinates_are_reported_in_one_run(tmp_path: Path) -> None:
    with pytest.raises(Failure) as failure:
        expanded(tmp_path, handler("a", "0", "acount", "account", "skan") + handler("b", "0", "kernel.fuction(x)"))
    assert [d.slug for d in failure.value.diagnostics] == ["no-such-function", "no-such-function", "coordinate"]
    assert failure.value.status == 1


def test_warnings_of_a_run_that_succeeds_stay_in_the_log(tmp_path: Path) -> None:
    log = Log()
    expansion = expanded(tmp_path, handler("a", "GET_LOCAL_VAR(task) != (void *)0", "helper"), log)
    assert [d.slug for d in log.diagnostics] == ["sites-left-out"] and not log.failed
    [probe] = expansion.plan.probes
    assert [expansion.plan.sites[index].pc for index in probe.sites] == [OOM_HELPER]


def test_expansion_depends_on_all_that_was_read(tmp_path: Path) -> None:
    text = '#include "own.h"\n' + handler("a", "GET_LOCAL_VAR(count) > OWN", "account")
    names = expanded(tmp_path, text, own="#define OWN 3\n").dependencies
    wanted = [tmp_path / "h.c", tmp_path / "own.h", tmp_path / "vmlinux", tmp_path / "include/linux/task.h",
              include_directory() / "localvar.h"]
    assert {str(path) for path in wanted} <= set(names) and len(set(names)) == len(names)
    assert names[0] == str(tmp_path / "h.c")


def test_file_without_a_probe_is_only_marked(tmp_path: Path) -> None:
    text = expanded(tmp_path, "int a;\n").text
    assert text.startswith(b"/* Generated by localvar ") and text.endswith(b'int a;\n') and b"localvar_get_" not in text


EXAMPLES = sorted((ROOT / "docs/examples").glob("*/*.c"))


@pytest.mark.parametrize("name", ["6.1", "6.12"])
@pytest.mark.parametrize("example", [pytest.param(path, id=path.parent.name) for path in EXAMPLES])
def test_examples_expansion_compiles_with_kbuilds_flags(example: Path, name: str, tmp_path: Path) -> None:
    if name != "6.1" and example.parent.name == "page_fault":
        pytest.skip("page_fault.c names a line of 6.1's source")
    kernel = kernels.find(name)
    if not isinstance(kernel, InstalledKernel):
        requires.missing(kernel.reason)
    build = find_build_directory(Request(kernel=kernel.release), Host(), kernel.release)
    command = kernel_flags(build, Host())
    flags = (*command.for_file(example), f"-I{include_directory()}")
    log = Log()
    try:
        expansion = expand(Job(str(example), flags, str(build.path), example.name, example.stem, (example.stem,)),
                           Kernel(kernel.vmlinux, kernel.release), log)
    except Failure as failure:
        if name != "6.1" and all(d.slug in ("no-such-line", "no-code") for d in failure.diagnostics):
            pytest.skip(f"{example.name} is for another kernel: {failure}")
        raise
    assert not log.diagnostics
    output = tmp_path / f"{example.stem}.localvar.c"
    output.write_bytes(expansion.text)
    done = subprocess.run([*command.command.compiler, *flags, "-Werror", "-fsyntax-only", str(output)], cwd=build.path,
                          capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (0, "")
