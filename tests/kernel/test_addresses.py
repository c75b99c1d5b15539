# SPDX-License-Identifier: GPL-2.0-or-later
"""Never a probe at a wrong address: the functions that localvar gives a place (a quarter; all with LOCALVAR_ALL=1), against
the address table of the running kernel, which was moved; and more than a thousand sites armed and disarmed at once."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from localvar.dwarf import constants as c
from localvar.dwarf.ranges import die_ranges
from localvar.dwarf.scope import name_of
from localvar.dwarf.unit import Die
from localvar.kernel import Kernel
from localvar.probe.sites import make_site

from .build import build_module
from .kernels import InstalledKernel
from .vm import VirtualMachine, VmResult

pytestmark = pytest.mark.vm

#: Arming takes most of its time in waiting for the kernel's optimizer of kprobes, under emulation the more: only then.
ALL = os.environ.get("LOCALVAR_ALL") == "1"
#: By kernel: a function that is inlined in more than a thousand places.
MANY = {"6.1": "kmalloc" if ALL else "kzalloc", "6.12": "kmalloc_noprof" if ALL else "kzalloc_noprof"}
#: By kernel: whether the optimizer is on, in each turn.
TURNS = {"6.1": "01" if ALL else "0", "6.12": "01" if ALL else ""}
MODULE = """\
#include <linux/module.h>
#include <localvar.h>

static int many(struct pt_regs *regs, void *buf, int bufsize)
{{
	return GET_LOCAL_VAR_OR(size, 1) ? 0 : -EINVAL;
}}
LOCALVAR_PROBE(many, "kernel.function(\\"{name}\\").inline");

LOCALVAR_MODULE();
MODULE_LICENSE("GPL");
"""


@pytest.fixture(scope="module")
def run(kernel: InstalledKernel, localvar_script: Path, tmp_path_factory: pytest.TempPathFactory) -> VmResult:
    """A machine at addresses of its own choice, in which many sites are armed and disarmed; and its address table."""
    text = MODULE.format(name=MANY[kernel.name])
    sources = {"many.c": text, "Kbuild": "obj-m += many.o\ninclude $(shell $(LOCALVAR) kbuild)\n"}
    arguments = ["localvar=1", f"LOCALVAR={localvar_script}"]
    module = build_module(kernel, "many", sources, tmp_path_factory.mktemp("many"), make_args=arguments)
    workload = """
        grep -i ' [tw] ' /proc/kallsyms > /tmp/kallsyms; grep ' init_task$' /proc/kallsyms >> /tmp/kallsyms
        for optimization in TURNS; do
            echo $optimization > /proc/sys/debug/kprobes-optimization
            cut -d' ' -f1 /proc/uptime; insmod /many.ko || exit; cut -d' ' -f1 /proc/uptime
            wc -l < /sys/kernel/debug/kprobes/list
            for n in 1 2 3; do cat /proc/version; ls -l /proc/self/fd; mount -t tmpfs none /tmp/x; done > /dev/null 2>&1
            grep -E 'hits|errors' /sys/kernel/debug/localvar/many/many
            cut -d' ' -f1 /proc/uptime; rmmod many || exit; cut -d' ' -f1 /proc/uptime
            wc -l < /sys/kernel/debug/kprobes/list
        done
    """.replace("TURNS", " ".join(TURNS[kernel.name]))
    collect = {"kallsyms": "/tmp/kallsyms"}
    return VirtualMachine(kernel, workload=workload, files={"many.ko": module}, collect=collect, timeout=300).run()


def test_a_thousand_sites_are_armed_at_once_and_gone_again(run: VmResult) -> None:
    if not TURNS[run.kernel.name]:
        pytest.skip("takes long: LOCALVAR_ALL=1 has it")
    words = run.step("workload").output.split()
    assert len(words) == 10 * len(TURNS[run.kernel.name])
    for start, armed, sites, _, hits, _, errors, stop, gone, left in zip(*[iter(words)] * 10, strict=True):
        assert int(sites) > 1000
        assert int(hits) > 0 and errors == "0"
        assert left == "0"
        took = f"armed in {float(armed) - float(start):.2f} s, disarmed in {float(gone) - float(stop):.2f} s"
        print(f"{run.kernel.name}: {sites} sites {took}")


class Running:
    """The address table of a running kernel, at link-time addresses."""

    def __init__(self, text: str, kernel: Kernel) -> None:
        table = re.findall(r"^([0-9a-f]+) (\S) (\S+)$", text, re.MULTILINE)
        init_task = next(int(address, 16) for address, _, name in table if name == "init_task")
        self.slide = init_task - kernel.anchor_address
        self.symbols = {(int(address, 16) - self.slide, name) for address, _, name in table}


def functions(opened: Kernel) -> Iterator[Die]:
    """The functions with code of their own in a kernel's debug info: of each unit, or of each fourth one."""
    for offset in opened.info.unit_offsets[:: 1 if ALL else 4]:
        unit = opened.info.unit(offset)
        for entry in unit.top_level:
            if entry[1].tag == c.DW_TAG_subprogram:
                yield Die(unit, entry)


def test_every_function_is_where_the_running_kernel_has_it(run: VmResult) -> None:
    opened = Kernel(run.kernel.vmlinux, run.kernel.release)
    running = Running(run.sections["kallsyms"], opened)
    assert running.slide, "the kernel was not moved: nothing is shown"
    wrong, reasons = [], Counter[str]()
    for function in functions(opened):
        for low, _ in die_ranges(function):
            site = make_site(opened.info, (function,), low, opened.resolver.probeable)
            reasons[slug := site.why_not.slug if site.why_not else "probed"] += 1
            known = (low - site.offset, site.symbol) in running.symbols
            if slug != "init-text" and known is (slug == "overridden"):
                wrong.append((site.name, slug, name_of(function)))
    print(run.kernel.name, dict(reasons), "slide", hex(running.slide))
    assert not wrong
    assert reasons["probed"] > (40000 if ALL else 8000) and reasons["overridden"] > (100 if ALL else 10)
