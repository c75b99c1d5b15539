# SPDX-License-Identifier: GPL-2.0-or-later
"""The run time (include/localvar) on real kernels, in modules as the expansion writes them, but by hand."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from . import places
from .build import build_module
from .kernels import InstalledKernel
from .vm import Module, VirtualMachine, VmResult

pytestmark = pytest.mark.vm

SOURCES = Path(__file__).parent / "runtime"
INCLUDE = Path(__file__).parents[2] / "include"

SIZES = [1409, 77777, 13]
#: Each call of ioprio_get the workload makes asks for one of these, none of them a process.
WHO = range(70001, 70041)


class TwoCpus(VirtualMachine):
    """A machine whose two CPUs take turns.

    qemu's CPUs in threads of their own (its default) do not keep to what x86 promises about code that another CPU
    changes: the kernel's own kprobe events, armed and disarmed under load, crash it with int3s nobody knows.
    """

    def command(self, folder: Path) -> list[str]:
        words = super().command(folder)
        return [f"{word},thread=single" if word == "tcg" else word for word in words]


class Builder:
    """The modules of ``runtime/``, each variant built once per kernel and session."""

    def __init__(self, factory: pytest.TempPathFactory) -> None:
        self._factory = factory
        self._built: dict[tuple[str, ...], Path] = {}

    def build(
        self, kernel: InstalledKernel, *parts: str, name: str = "", flags: str = "", victim: str = ""
    ) -> Path:
        """The .ko of ``PART.c …``; the first part has the run time. `victim` is the text of ``victim.h``."""
        key = (kernel.name, *parts, name, flags, victim)
        if key not in self._built:
            name = name or parts[0]
            sources = {f"{part}.c": (SOURCES / f"{part}.c").read_text() for part in parts}
            sources["places.h"] = places.header(kernel)
            sources["module.h"] = (SOURCES / "module.h").read_text()
            sources["victim.h"] = victim
            objects = " ".join(f"{part}.o" for part in parts)
            sources["Kbuild"] = (
                f"obj-m := {name}.o\n"
                + (f"{name}-y := {objects}\n" if name != parts[0] else "")
                + f"ccflags-y := -I{INCLUDE} -DLOCALVAR_EXPANDED=1 -Wall -Werror {flags}\n"
                + f"CFLAGS_{parts[0]}.o := -DLOCALVAR_RUNTIME=1\n"
            )
            self._built[key] = build_module(kernel, name, sources, self._factory.mktemp(name))
        return self._built[key]


@pytest.fixture(scope="session")
def builder(tmp_path_factory: pytest.TempPathFactory) -> Builder:
    return Builder(tmp_path_factory)


def counters(result: VmResult, module: str, probe: str) -> dict[str, int]:
    lines = result.sections[f"debugfs/localvar/{module}/{probe}"].splitlines()
    return {name: int(value) for name, value in (line.split() for line in lines)}


def records(result: VmResult, module: str, probe: str) -> list[str]:
    prefix = f"{probe}: "
    texts = [record.text for record in result.records(module)]
    return [text.removeprefix(prefix) for text in texts if text.startswith(prefix)]


def complaints(result: VmResult) -> list[str]:
    """What the run time wrote to the log; a line that came again is left out: busybox' insmod tries twice."""
    return list(dict.fromkeys(re.findall(r"localvar: .*", result.sections["dmesg"])))


# Everything that works, in one boot: six modules at once, on two CPUs.

IONICE = f"""
    for half in 0 1; do
        (for who in $(seq {WHO.start} {WHO.stop - 1}); do
            [ $((who % 2)) = $half ] && ionice -p $who 2>/dev/null
        done) &
    done
    wait
"""
READS = "\n".join(f"dd if=/bin/busybox of=/dev/null bs={size} count=1 2>/dev/null" for size in SIZES)


@pytest.fixture(scope="module")
def good_run(kernel: InstalledKernel, builder: Builder) -> VmResult:
    names = ["outcomes", "variants", "returns", "kernel_entry", "plain"]
    modules = [builder.build(kernel, name) for name in names]
    modules.append(builder.build(kernel, "first", "second", name="pair"))
    return TwoCpus(
        kernel,
        modules=modules,
        workload=f"{IONICE}\n{READS}\nls /sys/kernel/tracing/instances > /tmp/instances",
        collect={"debugfs/localvar": "/sys/kernel/debug/localvar", "instances": "/tmp/instances"},
        smp=2,
    ).run()


def test_every_hit_of_the_workload_is_counted_and_recorded_once(good_run: VmResult) -> None:
    texts = [f"who={who}" for who in WHO]
    assert sorted(records(good_run, "outcomes", "record")) == texts
    assert counters(good_run, "outcomes", "record") == {
        "hits": len(WHO), "records": len(WHO), "bytes": sum(map(len, texts)),
        "missed": 0, "unproven": 0, "faults": 0, "errors": 0, "lost": 0,
    }  # fmt: skip


def test_record_stands_at_the_address_that_was_hit(good_run: VmResult) -> None:
    where = {r.where for r in good_run.records("outcomes") if r.text.startswith("record:")}
    assert where == {f"{good_run.kernel.machine.syscall_prefix}ioprio_get"}


def test_handler_that_returns_0_records_nothing(good_run: VmResult) -> None:
    assert records(good_run, "outcomes", "silent") == []
    assert _interesting(counters(good_run, "outcomes", "silent")) == {"hits": len(WHO)}


def test_negative_errno_is_counted_as_an_error(good_run: VmResult) -> None:
    assert records(good_run, "outcomes", "fail") == []
    assert _interesting(counters(good_run, "outcomes", "fail")) == {"hits": len(WHO), "errors": len(WHO)}


def test_more_than_the_buffer_holds_is_cut(good_run: VmResult) -> None:
    assert records(good_run, "outcomes", "oversize") == ["x" * 1024] * len(WHO)
    assert counters(good_run, "outcomes", "oversize")["bytes"] == 1024 * len(WHO)


def test_fault_yields_zero_and_is_counted(good_run: VmResult) -> None:
    assert records(good_run, "outcomes", "fault") == ["0 0"] * len(WHO)
    assert counters(good_run, "outcomes", "fault")["faults"] == 2 * len(WHO)


def test_handler_is_not_called_where_the_hit_is_not_proven(good_run: VmResult) -> None:
    odd = [f"who={who}" for who in WHO if who % 2]
    assert sorted(records(good_run, "outcomes", "only_odd")) == odd
    assert counters(good_run, "outcomes", "only_odd")["unproven"] == len(WHO) - len(odd)


def test_accessor_knows_which_site_was_hit(good_run: VmResult) -> None:
    texts = records(good_run, "variants", "show_count")
    for size in SIZES:
        assert texts.count(f"variant=0 count={size}") == texts.count(f"variant=1 count={size}") == 1


def test_return_probe_sees_the_value_and_the_entry(good_run: VmResult) -> None:
    texts = records(good_run, "returns", "read_returns")
    for size in SIZES:
        assert texts.count(f"count={size} returned={size}") == 1
    assert sorted(records(good_run, "returns", "ioprio_returns")) == [f"who={who} returned=-3" for who in WHO]


def test_entry_is_known_at_the_end_of_a_kernel_function(good_run: VmResult) -> None:
    texts = records(good_run, "kernel_entry", "at_end")
    assert [text for text in texts if text in {f"count={size}" for size in SIZES}] == [
        f"count={size}" for size in SIZES
    ]
    assert records(good_run, "kernel_entry", "whether").count("known") >= len(SIZES)
    assert counters(good_run, "kernel_entry", "whether")["unproven"] == 0


def test_files_of_a_composite_module_share_one_run_time(good_run: VmResult) -> None:
    assert counters(good_run, "pair", "in_first")["records"] == len(WHO)
    assert counters(good_run, "pair", "in_second")["records"] == len(WHO)
    assert records(good_run, "pair", "in_second") == ["second"] * len(WHO)


def test_begin_runs_in_order_and_end_in_reverse(good_run: VmResult) -> None:
    assert re.findall(r"(?:first|second): (?:BEGIN|END)", good_run.dmesg) == [
        "first: BEGIN", "second: BEGIN", "second: END", "first: END",
    ]  # fmt: skip


def test_plain_kprobes_know_their_place_and_can_be_registered_again(good_run: VmResult) -> None:
    line = re.search(r"plain: (.*)", good_run.dmesg)
    assert line
    n = len(WHO)
    assert line[1] == f"by_name={n} by_place={n} return={n} read_known=1 wrong=0"


def test_each_module_has_a_trace_instance_until_it_is_unloaded(good_run: VmResult) -> None:
    instances = good_run.sections["instances"].split()
    assert {"outcomes", "variants", "returns", "kernel_entry", "pair"} <= set(instances)


def test_good_run_leaves_no_complaint_in_the_log(good_run: VmResult) -> None:
    assert complaints(good_run) == []


def _interesting(values: dict[str, int]) -> dict[str, int]:
    return {name: value for name, value in values.items() if value}


# Everything that is refused: what it leaves behind.

LEFT = """
    echo "instances: $(ls /sys/kernel/tracing/instances)"
    echo "counters: $(ls /sys/kernel/debug/localvar 2>/dev/null)"
    echo "kprobes: $(cat /sys/kernel/debug/kprobes/list)"
"""


def refused(kernel: InstalledKernel, ko: Path, parameters: str = "") -> VmResult:
    """A run in which insmod of `ko` has to fail and leave nothing behind."""
    workload = f"insmod /{ko.name} {parameters} && exit 9\nionice -p 70001 2>/dev/null\n{LEFT}"
    result = TwoCpus(kernel, workload=workload, files={ko.name: ko}, smp=2).run()
    output = result.step("workload").output
    assert "instances: \n" in output and "counters: \n" in output and "kprobes: \n" in output
    return result


def test_module_for_another_kernel_does_not_load(kernel: InstalledKernel, builder: Builder) -> None:
    flags = "-DEXPECTED_BUILD_ID='\"0123456789abcdefghij\"'"
    result = refused(kernel, builder.build(kernel, "variants", flags=flags))
    assert "invalid module format" in result.step("workload").output
    assert complaints(result) == [
        f"localvar: variants: expanded for Linux {kernel.release} with build-id {b'0123456789abcdefghij'.hex()},"
        f" this is {kernel.release} with {places.build_id_of(kernel.vmlinux).hex()} there"
    ]
    assert "BEGIN" not in result.dmesg


def test_plain_kprobe_for_another_kernel_is_not_armed(kernel: InstalledKernel, builder: Builder) -> None:
    flags = "-DEXPECTED_BUILD_ID='\"0123456789abcdefghij\"'"
    result = refused(kernel, builder.build(kernel, "plain", flags=flags))
    assert [line.partition(" with ")[0] for line in complaints(result)] == [
        f"localvar: plain: expanded for Linux {kernel.release}"
    ]


def test_probe_that_cannot_be_armed_takes_the_others_with_it(
    kernel: InstalledKernel, builder: Builder
) -> None:
    result = refused(kernel, builder.build(kernel, "unwind"))
    assert complaints(result) == [
        "localvar: unwind: probe bad cannot be armed at not_probeable+0x0: error -22"
    ]
    log = re.findall(r"unwind: (BEGIN|probe bad|END)", result.dmesg)
    assert log == ["BEGIN", "probe bad", "END"] * (len(log) // 3)
    assert "a handler ran" not in result.dmesg


def test_begin_that_fails_ends_what_had_begun(kernel: InstalledKernel, builder: Builder) -> None:
    ko = builder.build(kernel, "first", "second", name="pair")
    result = refused(kernel, ko, "fail=1")
    assert complaints(result) == ["localvar: pair: LOCALVAR_BEGIN function failed: error 1"]
    log = re.findall(r"(?:first|second): (?:BEGIN|END)", result.dmesg)
    assert log == ["first: BEGIN", "second: BEGIN", "first: END"] * (len(log) // 3)


# Unloading.


def test_unloading_while_probes_fire_on_all_cpus_is_safe(kernel: InstalledKernel, builder: Builder) -> None:
    names = ["variants", "returns", "kernel_entry"]
    modules = [builder.build(kernel, name) for name in names]
    result = TwoCpus(
        kernel,
        files={ko.name: ko for ko in modules},
        workload=f"""
            for job in 1 2 3; do
                while :; do dd if=/dev/zero of=/dev/null bs=1 count=1000 2>/dev/null; done &
            done
            for round in 1 2; do
                for name in {" ".join(names)}; do insmod /$name.ko || exit; done
                cat /sys/kernel/debug/localvar/*/*
                for name in {" ".join(names)}; do rmmod $name || exit; done
            done
            kill $(jobs -p)
            {LEFT}
        """,
        smp=2,
    ).run()
    hits = [int(n) for n in re.findall(r"^hits (\d+)$", result.step("workload").output, re.MULTILINE)]
    # Of the five probes in each round only one sees nothing: that of ioprio_get.
    assert len(hits) == 5 * 2 and hits.count(0) == 2
    assert "kprobes: \n" in result.step("workload").output
    assert complaints(result) == []


# Entry capture, against what each activation knows of itself.

ENTRY = "/sys/kernel/debug/entry_test"
BUSY = f"""
    for job in 1 2 3 4; do
        (for turn in 1 2; do echo recurse 40 > {ENTRY}/run; echo hop 60 > {ENTRY}/run; done) &
    done
"""


def entry_run(kernel: InstalledKernel, builder: Builder, workload: str, maxactive: int = 1024) -> VmResult:
    """A run of ``entry.c``; its probe records only what is wrong."""
    result = TwoCpus(
        kernel,
        modules=[Module(builder.build(kernel, "entry"), f"maxactive={maxactive}")],
        workload=workload,
        collect={"debugfs/localvar": "/sys/kernel/debug/localvar", "passes": f"{ENTRY}/passes"},
        smp=2,
    ).run()
    assert result.records("entry") == []
    return result


def test_entry_is_exact_under_recursion_tail_calls_sleep_and_migration(
    kernel: InstalledKernel, builder: Builder
) -> None:
    result = entry_run(kernel, builder, f"echo 1 > {ENTRY}/armed\n{BUSY}\nwait")
    values = counters(result, "entry", "check")
    assert values["hits"] == int(result.sections["passes"]) == 4 * 2 * (41 + 61)
    assert values["unproven"] == 0


def test_entry_that_could_not_be_kept_is_unproven_never_that_of_another_activation(
    kernel: InstalledKernel, builder: Builder
) -> None:
    result = entry_run(kernel, builder, f"echo 1 > {ENTRY}/armed\n{BUSY}\nwait", maxactive=2)
    values = counters(result, "entry", "check")
    assert values["hits"] == int(result.sections["passes"])
    assert 0 < values["unproven"] < values["hits"]


def test_frame_entered_before_arming_is_unproven(kernel: InstalledKernel, builder: Builder) -> None:
    workload = f"""
        (echo hold 2500 > {ENTRY}/run) & usleep 200000
        echo 1 > {ENTRY}/armed; wait
        (echo hold 4000 > {ENTRY}/run) & usleep 200000
        echo 0 > {ENTRY}/armed; echo 1 > {ENTRY}/armed; wait
        cat /sys/kernel/debug/localvar/entry/check
        echo hold 1 > {ENTRY}/run
    """
    result = entry_run(kernel, builder, workload)
    assert "hits 1\n" in result.step("workload").output and "unproven 1\n" in result.step("workload").output
    values = counters(result, "entry", "check")
    assert (values["hits"], values["unproven"]) == (2, 1)


def test_switches_that_silence_kprobes_make_entries_unproven(
    kernel: InstalledKernel, builder: Builder
) -> None:
    workload = f"""
        echo 1 > {ENTRY}/armed
        echo 0 > /proc/sys/kernel/ftrace_enabled && exit 9
        {BUSY}
        for turn in 1 2 3 4; do
            echo 0 > /sys/kernel/debug/kprobes/enabled; usleep 20000
            echo 1 > /sys/kernel/debug/kprobes/enabled; usleep 20000
        done
        wait
        cp /sys/kernel/debug/localvar/entry/check /tmp/before
        echo hold 1 > {ENTRY}/run
        grep -v bytes /tmp/before; cat /sys/kernel/debug/localvar/entry/check
        echo 0 > {ENTRY}/armed; echo 1 > {ENTRY}/armed
        echo hold 1 > {ENTRY}/run
        echo 0 > {ENTRY}/armed
        echo 0 > /proc/sys/kernel/ftrace_enabled && echo 1 > /proc/sys/kernel/ftrace_enabled
        echo 1 > {ENTRY}/armed
        echo hold 1 > {ENTRY}/run
    """
    result = entry_run(kernel, builder, workload)
    before, after = (
        int(n) for n in re.findall(r"^unproven (\d+)$", result.step("workload").output, re.MULTILINE)
    )
    assert after == before + 1
    values = counters(result, "entry", "check")
    assert (values["hits"], values["unproven"]) == (1, 0)


# Modules that are probed.

WORK = "/sys/module/victim/parameters/work"


def test_probed_module_is_armed_when_it_comes_and_disarmed_when_it_goes(
    kernel: InstalledKernel, builder: Builder
) -> None:
    victim = builder.build(kernel, "victim", flags="-DVICTIM=1")
    other = builder.build(kernel, "victim", flags="-DVICTIM=2")
    comes = builder.build(kernel, "comes", victim=places.victim_header(victim))
    workload = f"""
        insmod /victim.ko
        insmod /comes.ko
        echo 10 > {WORK}; ionice -p 70001 2>/dev/null
        rmmod victim
        ionice -p 70001 2>/dev/null
        insmod /victim.ko
        echo 20 > {WORK}; ionice -p 70001 2>/dev/null
        rmmod victim
        insmod /other.ko
        echo 30 > {WORK}; ionice -p 70001 2>/dev/null
        cat /sys/kernel/tracing/instances/comes/trace > /tmp/trace
        rmmod comes
        insmod /comes.ko && exit 9
        rmmod victim
        {LEFT}
    """
    result = TwoCpus(
        kernel,
        workload=workload,
        files={"victim.ko": victim, "other.ko": other, "comes.ko": comes},
        collect={"trace/comes": "/tmp/trace"},
        smp=2,
    ).run()
    assert records(result, "comes", "at_work") == ["n=10 secret=1001", "n=1 secret=1001", "n=20 secret=1001"]
    assert records(result, "comes", "work_returns") == [
        f"n={n} returned={(n ^ 1001) + 1}" for n in (10, 1, 20)
    ]
    assert records(result, "comes", "with_entry") == ["n=10", "n=1", "n=20"]
    assert records(result, "comes", "in_kernel") == ["secret=1001", "not there", "secret=1001", "not there"]
    line = f"localvar: comes: expanded for module victim with build-id {places.build_id_of(victim).hex()}, this is another one"
    assert complaints(result) == [line]
    assert "kprobes: \n" in result.step("workload").output
