# SPDX-License-Identifier: GPL-2.0-or-later
"""Places and variables in modules that are loaded after ours: a module of known values, virtio_net under traffic."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from .build import build_module
from .conftest import Modules
from .kernels import InstalledKernel
from .test_runtime import TwoCpus
from .vm import VirtualMachine, VmResult

pytestmark = pytest.mark.vm

WORK = "/sys/module/known/parameters/work"


@pytest.fixture(scope="module")
def known_run(kernel: InstalledKernel, modules: Modules, localvar_script: Path,
              tmp_path_factory: pytest.TempPathFactory) -> VmResult:
    known = modules.build(kernel, "known")
    text = (Path(__file__).parent / "modules" / "reads_known.c").read_text()
    sources = {"reads_known.c": text, "Kbuild": "obj-m += reads_known.o\ninclude $(shell $(LOCALVAR) kbuild)\n"}
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
    return TwoCpus(kernel, modules=[module], workload=workload, files={"known.ko": known}, smp=2).run()


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


def test_a_static_of_a_module_is_written_where_it_is(known_run: VmResult) -> None:
    assert texts(known_run, "reads_known", "writes") == ["1", "31", "21", "11", "1", "11"]


def test_what_a_register_still_holds_is_the_value_on_entry_in_a_module_too(known_run: VmResult) -> None:
    assert texts(known_run, "reads_known", "inside") == ["3", "2", "1", "0", "1", "0"]


def test_every_return_of_a_recursion_has_its_own_entry(known_run: VmResult) -> None:
    assert texts(known_run, "reads_known", "returns") == ["0 0", "1 1", "2 3", "3 6", "0 0", "1 1"]


NET = """\
#include <linux/module.h>
#include <linux/skbuff.h>
#include <localvar.h>

static int sends(struct pt_regs *regs, void *buf, int bufsize)
{
	return scnprintf(buf, bufsize, "%u %s", GET_LOCAL_VAR(skb->len), GET_LOCAL_VAR(dev->name));
}
LOCALVAR_PROBE(sends, "module(\\"virtio_net\\").function(\\"start_xmit\\").call");

static int polled(struct pt_regs *regs, void *buf, int bufsize)
{
	return scnprintf(buf, bufsize, "%d", GET_RETURN_VALUE(int) <= GET_ENTRY_VAR(budget));
}
LOCALVAR_PROBE(polled, "virtio_net:virtnet_poll%return");

static int inlined(struct pt_regs *regs, void *buf, int bufsize)
{
	return scnprintf(buf, bufsize, "%d", GET_LOCAL_VAR_OR(len, 0) < 65536);
}
LOCALVAR_PROBE(inlined, "module(\\"virtio_net\\").function(\\"receive_mergeable\\")");

/* One of its lines is a static branch, which the kernel does not let be probed: that one is left out, the rest is armed. */
static int merging(struct pt_regs *regs, void *buf, int bufsize)
{
	return 0;
}
LOCALVAR_PROBE(merging, "module(\\"virtio_net\\").statement(\\"receive_mergeable@drivers/net/virtio_net.c:*\\")");

LOCALVAR_MODULE();
MODULE_LICENSE("GPL");
"""


class WithNetwork(VirtualMachine):
    """A machine whose virtio network has qemu itself at 10.0.2.2."""

    def command(self, folder: Path) -> list[str]:
        return [*super().command(folder), "-netdev", "user,id=net", "-device", "virtio-net-pci,netdev=net,romfile="]


def test_virtio_net_that_comes_later_is_probed_under_traffic(
    kernel: InstalledKernel, localvar_script: Path, tmp_path: Path
) -> None:
    sources = {"late.c": NET, "Kbuild": "obj-m += late.o\ninclude $(shell $(LOCALVAR) kbuild)\n"}
    module = build_module(kernel, "late", sources, tmp_path, make_args=["localvar=1", f"LOCALVAR={localvar_script}"])
    names = ("virtio_pci", "virtio_net") if kernel.name == "6.1" else ("virtio_net",)  # the other one is built in
    late = list(dict.fromkeys(ko for name in names for ko in kernel.module_files(name)))
    loads = "\n".join(f"[ -e /sys/module/{ko.name.split('.ko')[0].replace('-', '_')} ] || insmod /{ko.name} || exit"
                      for ko in late)
    workload = f"""
        grep -c virtio_net /sys/kernel/debug/kprobes/list
        {loads}
        grep -c virtio_net /sys/kernel/debug/kprobes/list
        cd /sys/kernel/tracing
        mkdir instances/functions
        echo start_xmit virtnet_poll > instances/functions/set_ftrace_filter || exit
        echo function > instances/functions/current_tracer
        device=$(ls /sys/class/net | grep -v lo)
        ip address add 10.0.2.15/24 dev $device && ip link set $device up || exit
        for size in 33 444; do ping -c 2 -i 0.2 -W 5 -s $size 10.0.2.2; done
        echo 0 > instances/functions/tracing_on
        echo 0 > instances/late/tracing_on
    """
    files = {ko.name: ko for ko in late}
    machine = WithNetwork(kernel, modules=[module], workload=workload, files=files,
                          collect={"functions": "/sys/kernel/tracing/instances/functions/trace"})
    result = machine.run()
    before, after = result.step("workload").output.split()[:2]
    assert before == "0" and int(after) >= 3
    traced = Counter(re.findall(r": (\S+) <-", result.sections["functions"]))
    sends, polled, inlined = (texts(result, "late", name) for name in ("sends", "polled", "inlined"))
    assert (len(sends), len(polled)) == (traced["start_xmit"], traced["virtnet_poll"])
    lengths = Counter(text.split()[0] for text in sends)
    assert lengths[str(33 + 42)] == lengths[str(444 + 42)] == 2  # with the headers of ICMP, IP and Ethernet
    hits = re.search(r"^hits (\d+)$", result.counters("late")["merging"], re.MULTILINE)
    assert hits is not None and int(hits[1]) > len(inlined)
    assert set(polled) == set(inlined) == {"1"} and len(inlined) >= 4
