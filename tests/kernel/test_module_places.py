# SPDX-License-Identifier: GPL-2.0-or-later
"""Places and variables in modules that are loaded after ours: a module of known values, and ext4 at work."""

from __future__ import annotations

import re
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from .build import build_module
from .conftest import Modules
from .kernels import InstalledKernel
from .vm import VirtualMachine, VmResult

pytestmark = pytest.mark.vm

READS_KNOWN = """\
#include <linux/module.h>
#include <linux/sched.h>
#include <localvar.h>

struct known_pair;

static int values(struct pt_regs *regs, char *buf, int bufsize)
{
	int *data = GET_STATIC_VAR(known_pointer, "known.c");

	return scnprintf(buf, bufsize, "%d %d %d %d %d %d %d %d %d %lu %d",
			 GET_STATIC_VAR(known_data, "known.c"), GET_STATIC_VAR(known_bss, "known.c"),
			 GET_STATIC_VAR(known_pair.first, "known.c"), GET_STATIC_VAR(known_pair.second, "known.c"),
			 GET_STATIC_VAR(known_table[2], "known.c"), GET_STATIC_VAR(known_global, "known.c"),
			 GET_STATIC_VAR(known_per_cpu, "known.c"), GET_STATIC_VAR(known_pair_per_cpu.first, "known.c"),
			 GET_STATIC_VAR(known_pair_per_cpu.second, "known.c") + (int)raw_smp_processor_id(),
			 GET_STATIC_VAR(calls, "known.c"), data ? *data : 0);
}

/* As locals see them: statics of the unit, and of the function itself. */
static int by_name(struct pt_regs *regs, void *buf, int bufsize)
{
	return scnprintf(buf, bufsize, "%d: %d %d %lu %d", GET_LOCAL_VAR(depth), GET_LOCAL_VAR(known_data),
			 GET_LOCAL_VAR(known_pair.second), GET_LOCAL_VAR(calls), *LOCAL_VAR_ADDR(known_global));
}
LOCALVAR_PROBE(by_name, "module(\\"known\\").function(\\"known_down\\")");

static int in_module(struct pt_regs *regs, void *buf, int bufsize)
{
	return values(regs, buf, bufsize);
}
LOCALVAR_PROBE(in_module, "known:known_down");

/* A place in the kernel: the module may not be there. */
static int in_kernel(struct pt_regs *regs, void *buf, int bufsize)
{
	return values(regs, buf, bufsize);
}
LOCALVAR_PROBE(in_kernel, "__x64_sys_ioprio_get");

static int returns(struct pt_regs *regs, void *buf, int bufsize)
{
	return scnprintf(buf, bufsize, "%d %d", GET_ENTRY_VAR(depth), GET_RETURN_VALUE(int));
}
LOCALVAR_PROBE(returns, "known:known_down%return");

LOCALVAR_MODULE();
MODULE_LICENSE("GPL");
"""
WORK = "/sys/module/known/parameters/work"


@pytest.fixture(scope="module")
def known_run(kernel: InstalledKernel, modules: Modules, localvar_script: Path,
              tmp_path_factory: pytest.TempPathFactory) -> VmResult:
    known = modules.build(kernel, "known")
    sources = {"reads_known.c": READS_KNOWN, "Kbuild": "obj-m += reads_known.o\ninclude $(shell $(LOCALVAR) kbuild)\n"}
    arguments = ["localvar=1", f"LOCALVAR={localvar_script}", f"LOCALVAR_FLAGS=--module-debug {known.parent}"]
    module = build_module(kernel, "reads_known", sources, tmp_path_factory.mktemp("reads_known"), make_args=arguments)
    workload = f"""
        ionice -p 70001 2>/dev/null
        insmod /known.ko
        echo 3 > {WORK}
        ionice -p 70001 2>/dev/null
        rmmod known
        ionice -p 70001 2>/dev/null
        insmod /known.ko
        echo 1 > {WORK}
        rmmod known
    """
    return VirtualMachine(kernel, modules=[module], workload=workload, files={"known.ko": known}, smp=2).run()


def texts(result: VmResult, module: str, handler: str) -> list[str]:
    return [r.text.removeprefix(f"{handler}: ") for r in result.records(module) if r.text.startswith(f"{handler}: ")]


def values(depth: int, set_depth: int, calls: int) -> str:
    return f"4711 {set_depth} 3 -4 33 99 {100 + set_depth if set_depth else 0} 5 -6 {calls} 4711"


def test_statics_of_a_module_are_read_at_its_own_places(known_run: VmResult) -> None:
    down = [(3, 0), (2, 3), (1, 2), (0, 1)]
    assert texts(known_run, "reads_known", "by_name") == [
        f"{depth}: 4711 -4 {1000 + n} 99" for n, (depth, _) in enumerate(down)] + ["1: 4711 -4 1000 99", "0: 4711 -4 1001 99"]
    assert texts(known_run, "reads_known", "in_module") == [
        values(depth, before, 1000 + n) for n, (depth, before) in enumerate(down)] + [values(1, 0, 1000), values(0, 1, 1001)]


def test_statics_of_a_module_that_is_not_there_make_the_hit_unproven(known_run: VmResult) -> None:
    text = texts(known_run, "reads_known", "in_kernel")
    assert [re.sub(r" 99 \d+ ", " 99 - ", one) for one in text] == ["4711 0 3 -4 33 99 - 5 -6 1004 4711"]
    counters = known_run.counters("reads_known")["in_kernel"].splitlines()
    assert {"hits 3", "unproven 2", "records 1", "faults 0"} <= set(counters)


def test_every_return_of_a_recursion_has_its_own_entry(known_run: VmResult) -> None:
    assert texts(known_run, "reads_known", "returns") == ["0 0", "1 1", "2 3", "3 6", "0 0", "1 1"]


EXT4 = """\
#include <linux/module.h>
#include <linux/fs.h>
#include <linux/sched.h>
#include <localvar.h>

static int reads(struct pt_regs *regs, void *buf, int bufsize)
{
	return scnprintf(buf, bufsize, "%lu %s", GET_LOCAL_VAR(to->count), current->comm);
}
LOCALVAR_PROBE(reads, "module(\\"ext4\\").function(\\"ext4_file_read_iter\\").call");

static int written(struct pt_regs *regs, void *buf, int bufsize)
{
	return scnprintf(buf, bufsize, "%ld", GET_RETURN_VALUE(long));
}
LOCALVAR_PROBE(written, "ext4:ext4_file_write_iter%return");

static int inlined(struct pt_regs *regs, void *buf, int bufsize)
{
	return scnprintf(buf, bufsize, "%d", LOCAL_VAR_AVAILABLE(inode));
}
LOCALVAR_PROBE(inlined, "module(\\"ext4\\").function(\\"EXT4_I\\").inline");

LOCALVAR_MODULE();
MODULE_LICENSE("GPL");
"""


def test_ext4_that_comes_later_is_probed_at_work(kernel: InstalledKernel, localvar_script: Path, tmp_path: Path) -> None:
    image = tmp_path / "image"
    image.write_bytes(bytes(4 << 20))
    subprocess.run(["mke2fs", "-q", "-t", "ext4", str(image)], check=True, timeout=60)
    sources = {"late.c": EXT4, "Kbuild": "obj-m += late.o\ninclude $(shell $(LOCALVAR) kbuild)\n"}
    module = build_module(kernel, "late", sources, tmp_path / "late", make_args=["localvar=1", f"LOCALVAR={localvar_script}"])
    late = [ko for name in ("ext4", "loop") for ko in kernel.module_files(name)]
    loads = "\n".join(f"[ -e /sys/module/{ko.name.split('.ko')[0].replace('-', '_')} ] || insmod /{ko.name} || exit"
                      for ko in late)
    workload = f"""
        mkdir /mnt
        grep -c ext4 /sys/kernel/debug/kprobes/list
        {loads}
        grep -c ext4 /sys/kernel/debug/kprobes/list
        mount -t ext4 -o loop /image /mnt || exit
        cd /sys/kernel/tracing
        mkdir instances/functions
        echo ext4_file_read_iter ext4_file_write_iter > instances/functions/set_ftrace_filter || exit
        echo function > instances/functions/current_tracer
        for size in 17 1234 5000; do
            dd if=/bin/busybox of=/mnt/copy bs=$size count=5 2>/dev/null
            dd if=/mnt/copy of=/dev/null bs=$size 2>/dev/null
        done
        echo 0 > instances/functions/tracing_on
        umount /mnt
    """
    files = {ko.name: ko for ko in late} | {"image": image}
    machine = VirtualMachine(kernel, modules=[module], workload=workload, files=files,
                             collect={"functions": "/sys/kernel/tracing/instances/functions/trace"})
    result = machine.run()
    before, after = result.step("workload").output.split()[:2]
    assert before == "0" and int(after) > 20
    traced = Counter(re.findall(r": (\S+) <-", result.sections["functions"]))
    reads, written = (texts(result, "late", name) for name in ("reads", "written"))
    assert (len(reads), len(written)) == (traced["ext4_file_read_iter"], traced["ext4_file_write_iter"]) == (3 * 6, 3 * 5)
    assert reads == [f"{size} dd" for size in (17, 1234, 5000) for _ in range(6)]
    assert written == [f"{size}" for size in (17, 1234, 5000) for _ in range(5)]
    assert set(texts(result, "late", "inlined")) == {"1"}
