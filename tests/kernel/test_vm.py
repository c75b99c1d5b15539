# SPDX-License-Identifier: GPL-2.0-or-later
"""The harness itself, on real kernels."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import pytest

from .build import BuildError, build_module
from .conftest import Modules
from .kernels import InstalledKernel
from .vm import Module, VirtualMachine, VmFailure, VmResult

pytestmark = pytest.mark.vm

LINES = 100_000
#: Of reads that nothing else does.
SIZES = [1409, 77777, 13]
SIZES_TEXT = [f"count={size}" for size in SIZES]


@pytest.fixture(scope="module")
def good_run(kernel: InstalledKernel, modules: Modules) -> VmResult:
    """A run in which everything works; the workload reads a file by SIZES."""
    return VirtualMachine(
        kernel,
        modules=[modules.build(kernel, "count_reads")],
        kernel_modules=["dummy"],
        setup=f"cp /copied /tmp/copied; seq {LINES} > /tmp/numbers",
        workload=f"""
            uname -r; /bin/script
            for size in {" ".join(map(str, SIZES))}; do dd if=/copied of=/dev/null bs=$size count=1 2>&-; done
            ls /sys/module
        """,
        files={"copied": b"x" * 4096, "bin/script": b"#!/bin/sh\necho script was run\n"},
        collect={"numbers": "/tmp/numbers", "limits": "/proc/1/limits"},
    ).run()


def test_vm_runs_the_kernel_that_was_asked_for(good_run: VmResult) -> None:
    assert good_run.step("workload").output.splitlines()[0] == good_run.kernel.release
    assert good_run.finished and not good_run.timed_out and not good_run.problems


def test_vm_copies_files_and_makes_programs_executable(good_run: VmResult) -> None:
    assert "script was run" in good_run.step("workload").output


def test_vm_brings_back_100_000_lines_unchanged(good_run: VmResult) -> None:
    assert good_run.sections["numbers"] == "".join(f"{n}\n" for n in range(1, LINES + 1))


def test_vm_collects_files_of_proc(good_run: VmResult) -> None:
    assert "Max open files" in good_run.sections["limits"]


def test_vm_loads_modules_of_the_kernel_before_those_under_test(good_run: VmResult) -> None:
    names = [step.name for step in good_run.steps]
    assert names == ["modprobe dummy", "setup", "insmod count_reads", "workload", "rmmod count_reads"]
    assert {"dummy", "count_reads"} <= set(good_run.step("workload").output.split())


def test_vm_brings_back_the_records_of_the_module(good_run: VmResult) -> None:
    records = [record for record in good_run.records("count_reads") if record.text in SIZES_TEXT]
    assert [record.text for record in records] == SIZES_TEXT
    assert len({record.pid for record in records}) == len(SIZES)
    assert [record.time for record in records] == sorted(record.time for record in records)


def test_vm_brings_back_the_counters_of_the_module(good_run: VmResult) -> None:
    assert int(good_run.counters("count_reads")["hits"]) >= len(good_run.records("count_reads")) > len(SIZES)


def test_vm_unloads_the_module_and_reads_dmesg_afterwards(good_run: VmResult) -> None:
    assert good_run.step("rmmod count_reads").status == 0
    assert "count_reads: loading out-of-tree module" in good_run.dmesg


def test_missing_trace_instance_is_a_failure_that_names_it(good_run: VmResult) -> None:
    with pytest.raises(VmFailure, match="no trace instance nosuch"):
        good_run.records("nosuch")


def test_failed_step_ends_the_steps_but_not_the_collecting(kernel: InstalledKernel, modules: Modules) -> None:
    machine = VirtualMachine(
        kernel,
        modules=[modules.build(kernel, "count_reads")],
        setup="echo before; exit 3",
        workload="echo never",
        collect={
            "limits": "/proc/1/limits",
            "cmdline": "/proc/cmdline",
            "cpus": "/sys/devices/system/cpu/online",
        },
        smp=2,
        nokaslr=True,
        append="word=of-ours",
    )
    result = machine.run(check=False)
    assert [step.status for step in result.steps] == [3, None, None, None]
    assert result.step("setup").output == "before\n"
    assert result.finished and "Max open files" in result.sections["limits"]
    assert result.sections["cpus"] == "0-1\n"
    assert {"nokaslr", "word=of-ours"} <= set(result.sections["cmdline"].split())
    with pytest.raises(VmFailure, match="setup: exit status 3: before"):
        result.check()


@pytest.mark.parametrize(
    ("how", "finished", "problem"),
    [
        ("warn", True, "WARNING: CPU"),
        ("oops", True, "BUG: kernel NULL pointer dereference"),
        ("panic", False, "Kernel panic - not syncing: a panic on purpose"),
    ],
)
def test_kernel_problem_is_a_failure(
    kernel: InstalledKernel, modules: Modules, how: str, finished: bool, problem: str
) -> None:
    module = Module(modules.build(kernel, "misbehave"), f"how={how}")
    machine = VirtualMachine(kernel, modules=[module], setup="echo sent before", workload="true")
    result = machine.run(check=False)
    assert result.finished is finished
    assert any(problem in line for line in result.problems), result.tail()
    assert result.step("setup").output == "sent before\n"
    assert finished or "last step: insmod misbehave" in "\n".join(result.failures())
    with pytest.raises(VmFailure, match=problem):
        result.check()


def test_time_limit_kills_a_machine_that_hangs(kernel: InstalledKernel, modules: Modules) -> None:
    tag = f"tag={time.monotonic_ns()}"
    module = Module(modules.build(kernel, "misbehave"), "how=hang")
    machine = VirtualMachine(kernel, modules=[module], append=tag, timeout=5)
    started = time.monotonic()
    with pytest.raises(VmFailure, match=r"not finished after \d+ s, killed"):
        machine.run()
    assert time.monotonic() - started < 20
    assert tag not in _command_lines()


def _command_lines() -> str:
    lines = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            lines.append(file.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
        except OSError:
            continue  # it ended meanwhile
    return "\n".join(lines)


def test_build_error_carries_what_the_compiler_said(kernel: InstalledKernel, tmp_path: Path) -> None:
    with pytest.raises(BuildError, match=r"broken\.c:1:.*error: .*nosuch"):
        build_module(kernel, "broken", {"broken.c": "int x = nosuch;\n"}, tmp_path)


def test_build_links_several_files_into_one_module(kernel: InstalledKernel, tmp_path: Path) -> None:
    sources = {
        "one.c": "#include <linux/module.h>\nint two(void);\nint one(void) { return two(); }\n"
        'MODULE_LICENSE("GPL");\n',
        "two.c": "int two(void);\nint two(void) { return VALUE; }\n",
    }
    ko = build_module(
        kernel, "both", sources, tmp_path, make_args=["KCFLAGS=-DVALUE=2 -Wno-missing-prototypes"]
    )
    names = subprocess.run(["nm", ko], check=True, capture_output=True, text=True).stdout
    assert " T one" in names and " T two" in names
