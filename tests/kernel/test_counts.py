# SPDX-License-Identifier: GPL-2.0-or-later
"""Each kind of coordinate fires as often as the kernel itself counts at the same places: its own kprobe events at the
addresses, the function tracer for entries; for the tasks of one workload, while much else goes on."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from localvar.dwarf.elf import Elf
from localvar.kernel import Kernel
from localvar.model.site import Site, SiteKind

from .build import build_module
from .kernels import InstalledKernel
from .vm import VirtualMachine, VmResult

pytestmark = pytest.mark.vm

#: Coordinate by handler. `copies` has hundreds of sites, `lines` and `labels` several each.
COORDINATES = {
    "call": 'kernel.function("vfs_read").call',
    "glob": 'kernel.function("ksys_[rw]*")',
    "of_file": 'kernel.function("vfs_write@fs/read_write.c")',
    "perf_form": "vfs_write",
    "bytes": "vfs_write+0x0",
    "copies": 'kernel.function("file_inode").inline',
    "both": 'kernel.function("fdget_pos")',
    "split": 'kernel.function("link_path_walk")',
    "callee": 'kernel.function("vfs_read").callee("*").inline',
    "labels": 'kernel.function("do_dentry_open").label("*")',
    "in_copies": 'kernel.function("do_anonymous_page").label("*")',
    "in_part": 'kernel.function("link_path_walk").label("OK")',
    "lines": 'kernel.statement("vfs_read@fs/read_write.c:*")',
    "line_of_any": 'kernel.statement("*@fs/open.c:900-1000")',
    "line": "do_filp_open:3",
    "returns": "vfs_read%return",
    "all_returns": 'kernel.function("*@fs/read_write.c").return',
    "alias": "__x64_sys_read",
}
#: Calls out of line by one caller: (caller, function called) by handler.
CALLS = {
    "dput_of_fput": ("__fput", "dput"),
    "walk_of_open": ("path_openat", "terminate_walk"),
    "mntput_of_fput": ("__fput", "mntput"),
}
CALL_COORDINATES = {name: f'kernel.function("{caller}").callee("{called}").call' for name, (caller, called) in CALLS.items()}
CALL_COORDINATES["mntput_of_fput_returns"] = 'kernel.function("__fput").callee("mntput").return'
#: Handlers whose sites are entries of functions, which the function tracer counts; it knows a task by its last name, so these
#: are functions that a child of the shell does not call before it becomes dd.
ENTRIES = ("call", "glob", "of_file", "perf_form", "bytes", "alias")

WORKLOAD = """
    echo 0 > /sys/kernel/tracing/instances/counts/tracing_on; echo > /sys/kernel/tracing/instances/counts/trace
    for instance in counts events functions; do echo 1 > /sys/kernel/tracing/instances/$instance/tracing_on; done
    for size in 100 2000 30000; do
        dd if=/bin/busybox of=/tmp/copy bs=$size count=7 2>/dev/null
        cat /proc/version > /dev/null
    done
    mknod /tmp/nothing c 300 0; dd if=/tmp/nothing 2>/dev/null
    for instance in counts events functions; do echo 0 > /sys/kernel/tracing/instances/$instance/tracing_on; done
"""

HANDLER = """
static int {name}(struct pt_regs *regs, void *buf, int bufsize)
{{
	return strcmp(current->comm, "dd") ? 0 : scnprintf(buf, bufsize, "dd");
}}
LOCALVAR_PROBE({name}, "{coordinate}");
"""


def source(coordinates: dict[str, str]) -> str:
    """A module with one handler for each coordinate, which records the hits of dd."""
    handlers = "".join(HANDLER.format(name=name, coordinate=text.replace('"', '\\"')) for name, text in coordinates.items())
    return f"#include <linux/module.h>\n#include <linux/sched.h>\n#include <localvar.h>\n{handlers}\nLOCALVAR_MODULE();\n" \
           'MODULE_LICENSE("GPL");\n'


def symbol_range(kernel: InstalledKernel, name: str) -> range:
    symbol = Elf.open(kernel.vmlinux).symbols_named(name)[0]
    return range(symbol.value, symbol.value + symbol.size)


def sites_of(kernel: InstalledKernel) -> dict[str, list[Site]]:
    opened = Kernel(kernel.vmlinux, kernel.release)
    return {name: [site for site in opened.sites(text) if site.why_not is None] for name, text in COORDINATES.items()}


def event_name(site: Site) -> str:
    return f"{'r' if site.kind is SiteKind.RETURN else 'p'}_{site.pc:x}"


def event_at(site: Site, values: bool = False) -> str:
    """The kernel's own event at a site; with values, of a return, what is returned, which it tells of a function by name only."""
    if values and site.kind is SiteKind.RETURN:
        return f"r:places/{event_name(site)} {site.symbol} ret=$retval:x64"
    return f"{event_name(site)[0]}:places/{event_name(site)} {site.pc:#x}"


def set_up(sites: dict[str, list[Site]], called: Sequence[str] = ("dput", "terminate_walk"), values: bool = False) -> str:
    """Shell that makes the kernel's own events at the sites, and its function tracer count the functions of ENTRIES."""
    events = {event_at(site, values) for each in sites.values() for site in each}
    events |= {f"p:places/{name}_called {name} ret=$stack0:x64" for name in called}
    lines = "\n".join(sorted(events))
    functions = "\n".join(sorted({site.symbol for name in ENTRIES for site in sites.get(name, ())}))
    return f"""
        cd /sys/kernel/tracing
        mkdir instances/events instances/functions
        for instance in events functions; do
            echo 0 > instances/$instance/tracing_on
            echo 8192 > instances/$instance/buffer_size_kb
        done
        while read event; do
            echo $event >> kprobe_events 2>/dev/null || echo refused $event
        done <<'END'
{lines}
END
        echo 'comm == "dd"' > instances/events/events/places/filter || exit
        echo 1 > instances/events/events/places/enable || exit
        cat > instances/functions/set_ftrace_filter <<'END' || exit
{functions}
END
        echo function > instances/functions/current_tracer
    """


@pytest.fixture(scope="module")
def run(kernel: InstalledKernel, localvar_script: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[
        dict[str, list[Site]], VmResult]:
    sites = sites_of(kernel)
    text = source(COORDINATES | CALL_COORDINATES)
    sources = {"counts.c": text, "Kbuild": "obj-m += counts.o\ninclude $(shell $(LOCALVAR) kbuild)\n"}
    folder = tmp_path_factory.mktemp("counts")
    module = build_module(kernel, "counts", sources, folder, make_args=["localvar=1", f"LOCALVAR={localvar_script}"])
    collect = {f"trace/{name}": f"/sys/kernel/tracing/instances/{name}/trace" for name in ("events", "functions")}
    machine = VirtualMachine(kernel, modules=[module], setup=set_up(sites), workload=WORKLOAD, collect=collect, nokaslr=True)
    return sites, machine.run()


def hits(sites: dict[str, list[Site]], result: VmResult) -> tuple[dict[str, int], dict[str, int]]:
    """By handler: its records of dd, and the kernel's events at its sites; but for functions where the kernel makes no events
    (though it takes probes there): those without a place for the function tracer (within_notrace_func() in trace_kprobe.c)."""
    refused = {int(pc, 16) for pc in re.findall(r"refused \w:places/\w_(\w+)", result.step("setup").output)}
    without = {site.symbol for each in sites.values() for site in each if site.pc in refused}
    ours = Counter(record.text.split(":")[0] for record in result.records("counts")
                   if record.comm == "dd" and record.where not in without)
    events = Counter(record.where for record in result.records("events"))
    expected = {name: sum(events[event_name(site)] for site in each if site.symbol not in without)
                for name, each in sites.items()}
    return {name: ours[name] for name in sites}, expected


def test_handlers_are_called_as_often_as_the_kernels_own_events_fire(run: tuple[dict[str, list[Site]], VmResult]) -> None:
    ours, expected = hits(*run)
    assert ours == expected
    assert all(expected.values())


def test_entries_are_hit_as_often_as_the_function_tracer_says(run: tuple[dict[str, list[Site]], VmResult]) -> None:
    sites, result = run
    traced = Counter(re.findall(r"^ *dd-\d+ .*: (\S+) <-", result.sections["trace/functions"], re.MULTILINE))
    hits = Counter((record.text.split(":")[0], record.where) for record in result.records("counts"))
    entries = [(name, site.symbol) for name in ENTRIES for site in sites[name]]
    assert {entry: hits[entry] for entry in entries} == {entry: traced[entry[1]] for entry in entries}


def test_callees_are_hit_when_that_caller_calls_them_and_only_then(run: tuple[dict[str, list[Site]], VmResult]) -> None:
    _, result = run
    ours = Counter(record.text.split(":")[0] for record in result.records("counts"))
    for name, called, only in (("dput_of_fput", "dput", False), ("walk_of_open", "terminate_walk", True)):
        events = [event.text for event in result.records("events") if event.where == f"{called}_called"]
        returns = [int(text.split("ret=")[1], 16) for text in events]
        from_caller = [address for address in returns if address in symbol_range(result.kernel, CALLS[name][0])]
        assert 0 < ours[name] == len(from_caller)
        assert only or len(from_caller) < len(returns)
    assert 0 < ours["mntput_of_fput"] == ours["mntput_of_fput_returns"]
