# SPDX-License-Identifier: GPL-2.0-or-later
"""The oracle against probes written by hand: what gdb sees at the i-th stop is what the i-th record says."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass

import pytest

from . import oracle, requires
from .conftest import Modules
from .kernels import InstalledKernel
from .oracle import Gate, Stop, Watch, paired
from .vm import Module, VirtualMachine, VmResult

pytestmark = pytest.mark.vm

#: More than the four hardware breakpoints of an x86.
SITES = 7
_READS = "dd if=/proc/version of=/dev/null bs=7 count=20 2>&-"


@pytest.fixture(scope="session", autouse=True)
def _gdb() -> None:
    requires.program("gdb")


def test_kprobe_records_the_parameter_that_gdb_sees(kernel: InstalledKernel, modules: Modules) -> None:
    ko = modules.build(kernel, "count_reads")
    result, stops = oracle.run_module_with_oracle(
        kernel, ko, _READS, [Watch("vfs_read", ["count", "count + 1", "*file", "nosuch"])]
    )
    pairs = paired(result.records("count_reads"), stops)
    assert len(pairs) >= 20
    assert [record.text for record, _ in pairs] == [
        f"count={stop.values['count'].integer}" for _, stop in pairs
    ]
    assert "count=7" in {record.text for record, _ in pairs}
    _check_values(stops)


def _check_values(stops: list[Stop]) -> None:
    for stop in stops:
        count, more, file, nosuch = (stop.values[e] for e in ("count", "count + 1", "*file", "nosuch"))
        assert count.integer is not None and count.raw == count.integer.to_bytes(8, "little")
        assert more.integer == count.integer + 1
        assert file.type == "struct file" and file.raw is not None and len(file.raw) == file.size
        assert file.address == stop.variable("file").integer
        assert nosuch.error == 'No symbol "nosuch" in current context.' and nosuch.raw is None
        assert [v.name for v in stop.scopes[-1].variables if v.parameter] == ["file", "buf", "count", "pos"]


@dataclass(frozen=True)
class Observed:
    """A run with kprobes at `sites`, each watched too."""

    sites: list[int]
    result: VmResult
    stops: list[Stop]


@pytest.fixture(scope="module")
def observed(kernel: InstalledKernel, modules: Modules) -> Observed:
    """Kprobes on instructions spread over vfs_read."""
    sites = _instructions(kernel, "vfs_read", SITES)
    parameter = "sites=" + ",".join(map(hex, sites))
    machine = VirtualMachine(
        kernel, [Module(modules.build(kernel, "record_registers"), parameter)], _READS, timeout=240
    )
    result, stops = oracle.run_with_oracle(machine, [Watch(site) for site in sites])
    return Observed(sites, result, stops)


def _instructions(kernel: InstalledKernel, function: str, number: int) -> list[int]:
    """Addresses of `number` instructions of `function`, from its first on."""
    start = oracle.resolve(kernel, function).address
    listing = subprocess.run(
        ["objdump", "-d", f"--start-address={start}", f"--stop-address={start + 200}", kernel.vmlinux],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    lines = [line.partition(":\t") for line in listing.splitlines()]
    addresses = [int(address, 16) for address, tab, code in lines if tab and "\t" in code]
    return addresses[:: len(addresses) // number][:number]


def test_stops_at_more_than_four_addresses_have_the_registers_of_the_records(observed: Observed) -> None:
    passed = 0
    for index, site in enumerate(observed.sites):
        stops = [stop for stop in observed.stops if stop.pc == site]
        records = [
            r for r in observed.result.records("record_registers") if r.text.startswith(f"site={index} ")
        ]
        if not stops and not records:
            continue  # on a path that no read takes
        passed += 1
        for number, (record, stop) in enumerate(paired(records, stops)):
            assert stop.hit == number
            recorded = {name: int(value, 16) for name, value in _words(record.text) if name != "site"}
            assert len(recorded) == 16
            assert recorded == {name: stop.registers[name] for name in recorded}
    assert passed > 4


def _words(text: str) -> list[tuple[str, str]]:
    return [(name, value) for name, _, value in (word.partition("=") for word in text.split())]


def test_stops_of_all_addresses_come_in_the_order_of_the_records(observed: Observed) -> None:
    recorded = [
        int(record.text.split()[0].removeprefix("site="))
        for record in observed.result.records("record_registers")
    ]
    stopped = [observed.sites.index(stop.pc) for stop in observed.stops]
    assert stopped == recorded[: len(stopped)]
    assert len(set(stopped)) > 4


def test_scopes_are_the_inlined_functions_that_addr2line_names(observed: Observed) -> None:
    kernel = observed.result.kernel
    stops = {stop.pc: stop for stop in observed.stops}
    inlined = 0
    for pc, stop in stops.items():
        command = ["addr2line", "-i", "-f", "-e", str(kernel.vmlinux), hex(pc)]
        printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        names = [scope.function for scope in stop.scopes if not scope.lexical]
        assert names == printed.splitlines()[::2]
        inlined += len(names) > 1
    assert inlined


def test_variable_without_a_value_is_optimized_out_and_has_no_bytes(observed: Observed) -> None:
    ret = observed.stops[0].variable("ret")
    assert ret.optimized_out and ret.raw is None and ret.size == 8


def test_watch_is_left_alone_after_its_limit(kernel: InstalledKernel) -> None:
    machine = VirtualMachine(kernel, workload=_READS)
    result, stops = oracle.run_with_oracle(
        machine, [Watch("vfs_read", ["count"], probed=False, scopes=False, limit=3)]
    )
    assert [stop.hit for stop in stops] == [0, 1, 2]
    assert all(stop.scopes == () and stop.values["count"].integer for stop in stops)
    assert result.step("workload").status == 0


def test_function_of_a_module_of_the_kernel_is_watched_where_it_was_loaded(
    kernel: InstalledKernel, modules: Modules
) -> None:
    found = "sites=0x$(grep ' dummy_change_carrier' /proc/kallsyms | cut -c-16)"
    machine = VirtualMachine(
        kernel,
        modules=[Module(modules.build(kernel, "record_registers"), found)],
        kernel_modules=["dummy"],
        setup="ip link set dummy0 up",
        workload="for on in 0 1 1 0; do echo $on > /sys/class/net/dummy0/carrier; done",
    )
    watch = Watch("dummy:dummy_change_carrier", ["new_carrier", "dev->name"])
    result, stops = oracle.run_with_oracle(machine, [watch])
    assert [stop.values["new_carrier"].integer for stop in stops] == [0, 1, 1, 0]
    for record, stop in paired(result.records("record_registers"), stops):
        assert dict(_words(record.text))["rdi"] == f"{stop.variable('dev').integer:x}"
        assert stop.values["dev->name"].hex == b"dummy0".ljust(16, b"\0").hex()


def test_watch_in_a_module_that_is_not_loaded_is_refused(kernel: InstalledKernel) -> None:
    with pytest.raises(ValueError, match="dummy: watched, but not among"):
        oracle.run_with_oracle(VirtualMachine(kernel), [Watch("dummy:dummy_change_carrier")])


def test_machine_with_two_processors_is_refused(kernel: InstalledKernel) -> None:
    with pytest.raises(ValueError, match="one processor, not 2"):
        oracle.run_with_oracle(VirtualMachine(kernel, smp=2), [Watch("vfs_read")])


def test_symbol_that_is_not_defined_once_is_refused(kernel: InstalledKernel) -> None:
    with pytest.raises(ValueError, match="no_such_function is defined 0 times"):
        oracle.resolve(kernel, "no_such_function+0x4")
    with pytest.raises(ValueError, match=r"is defined \d\d+ times"):
        oracle.resolve(kernel, "__func__.0")


def test_stops_are_those_between_the_marks_of_a_gate(kernel: InstalledKernel, modules: Modules) -> None:
    """And the instructions under the probes are executed, though the breakpoints are made again each time."""
    mark = "echo {} > /proc/sys/kernel/panic"
    read = "dd if=/proc/version of=/dev/null bs={} count=4 2>&-"
    marked = [(13, -1), (7, -7), (14, -2), (8, -7), (15, -1)]
    workload = "\n".join(f"{mark.format(value)}\n{read.format(size)}" for size, value in marked)
    ko = modules.build(kernel, "count_reads")
    machine = VirtualMachine(kernel, [ko], workload + "\necho done")
    result, stops = oracle.run_with_oracle(machine, [Watch("vfs_read", ["count"])], Gate("panic_timeout", -7))
    counts = [stop.values["count"].integer for stop in stops]
    assert [count for count in counts if count in range(20)] == [7] * 4 + [8] * 4
    assert result.step("workload").output == "done\n"
    assert f"count={15}" in {record.text for record in result.records("count_reads")}
