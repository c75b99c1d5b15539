# SPDX-License-Identifier: GPL-2.0-or-later
"""Every variable that can be read at sites of functions that a small workload runs, against gdb at the same hits.

The sites are chosen by a seed: the entry of each function and some of its statements. LOCALVAR_ALL=1 takes more of
them, of other seeds, in several boots. What was compared is printed (pytest -s shows it).
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from localvar.model.plan import How

from . import oracle, requires
from .comparison import Comparison, Hit, parse
from .handlers import GATE, MODULE, Handler, Writer, between_marks, build_observer
from .kernels import InstalledKernel
from .oracle import Stop, Watch
from .vm import Module, VirtualMachine, VmResult

pytestmark = pytest.mark.vm

#: By kernel: functions that WORKLOAD runs.
FUNCTIONS = {
    "6.1": """
        vfs_read vfs_write path_openat do_sys_openat2 vfs_statx filp_close dput __d_lookup_rcu iterate_dir seq_read_iter
        handle_mm_fault do_mmap vm_mmap_pgoff __vma_adjust do_brk_flags __fput do_notify_parent
        copy_process kernel_clone wake_up_new_task do_exit do_wait wait_consider_task begin_new_exec
        try_to_wake_up enqueue_task_fair dequeue_task_fair hrtimer_start_range_ns do_nanosleep
        do_sigaction get_signal send_signal_locked pipe_read pipe_write do_sys_poll
        tcp_sendmsg_locked tcp_recvmsg __ip_queue_xmit tcp_v4_rcv __tcp_transmit_skb
        mmap_base can_vma_merge_before tcp_small_queue_check
    """.split(),
    "6.12": """
        vfs_read vfs_write path_openat do_sys_openat2 vfs_statx dput handle_mm_fault do_mmap copy_process do_exit
        try_to_wake_up get_signal pipe_read pipe_write tcp_sendmsg_locked __tcp_transmit_skb
    """.split(),
}
#: Statements of each function, in the normal run.
STATEMENTS = {"6.1": 3, "6.12": 2}
SEED = 2005
ALL = os.environ.get("LOCALVAR_ALL") == "1"
#: Records of each handler at each of its sites.
LIMIT = 4
#: Stops at the entry of a function whose registers there are needed further in.
ENTRIES = 30

#: Functions that the workload alone calls, and numbers in them that depend neither on addresses nor on the time.
STEADY_FUNCTIONS = {"vfs_read", "vfs_write", "vfs_statx", "do_sys_openat2", "tcp_sendmsg_locked", "tcp_recvmsg"}
STEADY = {"count", "flags", "dfd", "request_mask", "size", "len"}

#: Classes and ways of reading that are met and that gdb can tell of; on 6.1 these are all there are.
OFTEN = {
    ("register", "direct"), ("memory", "direct"), ("value", "direct"), ("pieces", "direct"),
    ("entry_value", "entry_capture"), ("entry_value", "same_place"),
}  # fmt: skip
WAYS = {
    "6.1": OFTEN | {("constant", "direct"), ("implicit_pointer", "direct"), ("entry_value", "caller")},
    "6.12": OFTEN,
}

#: Nothing else reads or writes by these sizes.
READ, WRITTEN = 7, 1409
WORKLOAD = f"""
    dd if=/proc/version of=/dev/null bs={READ} count=20 2>&-
    dd if=/dev/zero of=/tmp/zeros bs={WRITTEN} count=5 2>&-
    cat /tmp/zeros | wc -c
    ls -l /bin > /dev/null
    sleep 0.05
    sleep 10 & kill -TERM $!
    wait $! 2>&-
    ip link set lo up
    nc -l -p 5000 > /tmp/received < /dev/null &
    for try in $(seq 100); do grep -q :1388 /proc/net/tcp /proc/net/tcp6 2>&- && break; usleep 50000; done
    echo hello | nc -w 2 127.0.0.1 5000
    wait
    cat /tmp/received
"""
OUTPUT = f"{5 * WRITTEN}\nhello\n"


@dataclass(frozen=True)
class Run:
    """One module, observed by gdb."""

    handlers: list[Handler]
    ko: Path
    result: VmResult
    stops: list[Stop]

    @property
    def hits(self) -> list[Hit]:
        return [parse(record) for record in self.result.records(MODULE)]


@dataclass(frozen=True)
class Observation:
    """Everything of one kernel."""

    runs: list[Run]
    comparison: Comparison


@pytest.fixture(scope="session", autouse=True)
def _gdb() -> None:
    requires.program("gdb")


@pytest.fixture(scope="session")
def observation(kernel: InstalledKernel, localvar_script: Path, tmp_path_factory: pytest.TempPathFactory) -> Observation:
    """The sites of one kernel, recorded and compared."""
    runs, comparison = [], Comparison()
    for handlers in _modules(kernel):
        ko = build_observer(kernel, handlers, localvar_script, tmp_path_factory.mktemp(MODULE))
        run = _observe(kernel, handlers, ko)
        comparison.add(handlers, run.result.records(MODULE), run.stops)
        runs.append(run)
    return Observation(runs, comparison)


def _modules(kernel: InstalledKernel) -> Iterator[list[Handler]]:
    """The handlers of each module, for one boot each."""
    functions = FUNCTIONS[kernel.name]
    if not ALL:
        writer = Writer(kernel, SEED)
        yield [handler for name in functions for handler in writer.handlers(name, STATEMENTS[kernel.name])]
        return
    for seed in range(SEED, SEED + 2):
        writer = Writer(kernel, seed)
        for start in range(0, len(functions), 10):
            yield [handler for name in functions[start : start + 10] for handler in writer.handlers(name, 8)]


def _observe(kernel: InstalledKernel, handlers: Sequence[Handler], ko: Path) -> Run:
    machine = VirtualMachine(kernel, [Module(ko, f"limit={LIMIT}")], between_marks(WORKLOAD), timeout=400)
    result, stops = oracle.run_with_oracle(machine, list(_watches(handlers)), GATE)
    assert result.step("workload").output == OUTPUT
    return Run(list(handlers), ko, result, stops)


def _watches(handlers: Sequence[Handler]) -> Iterator[Watch]:
    """One for each site; at entries whose registers are needed further in, more stops."""
    sites = {site.site.pc: site for handler in handlers for site in handler.sites}.values()
    needed = {How.ENTRY_CAPTURE, How.SAME_PLACE}
    captured = {s.site.entry for s in sites if any(r.read.how in needed for r in s.recorded)}
    for site in sites:
        members = [one.name for one in site.recorded if one.read.path.steps]
        yield Watch(site.site.pc, members, limit=ENTRIES if site.site.pc in captured else LIMIT)


def _numbers(run: Run) -> list[tuple[str, str, str, str]]:
    """Every recorded number that is the same whenever the workload runs: handler, site, name, value."""
    return [
        (hit.handler, hit.site, name, value)
        for hit in run.hits
        for name, value in hit.values.items()
        if name in STEADY and hit.site.partition("+")[0] in STEADY_FUNCTIONS
    ]


# Tests, all of them of the same observation.


def test_every_value_that_gdb_can_read_too_is_the_same(
    observation: Observation, capsys: pytest.CaptureFixture[str]
) -> None:
    with capsys.disabled():
        print(f"\n{observation.runs[0].result.kernel.release}: {observation.comparison}")
    assert not observation.comparison.mismatches, "\n".join(map(str, observation.comparison.mismatches))


def test_many_functions_sites_and_kinds_of_values_were_compared(
    kernel: InstalledKernel, observation: Observation
) -> None:
    found = observation.comparison
    assert found.equal.keys() | found.equal_at_entry.keys() >= WAYS[kernel.name]
    functions, sites, values = {"6.1": (32, 85, 2500), "6.12": (13, 30, 600)}[kernel.name]
    assert len(found.functions) >= functions
    assert len(found.sites) >= sites
    assert sum(found.equal.values()) >= values


def test_every_record_belongs_to_a_stop_and_every_stop_without_one_was_counted(observation: Observation) -> None:
    assert observation.comparison.unmatched == []
    counted = sum(_counters(run, "missed") + _counters(run, "unproven") for run in observation.runs)
    assert observation.comparison.missed <= counted


def test_no_read_faulted_and_no_record_was_lost(observation: Observation) -> None:
    for run in observation.runs:
        assert [_counters(run, name) for name in ("faults", "errors", "lost")] == [0, 0, 0]
        assert _counters(run, "records") == len(run.hits)


def _counters(run: Run, name: str) -> int:
    """The sum of a counter over all probes."""
    texts = [text.split() for text in run.result.counters(MODULE).values()]
    return sum(int(words[words.index(name) + 1]) for words in texts if name in words)


def test_what_is_in_scope_is_what_gdb_finds_in_scope(observation: Observation) -> None:
    assert observation.comparison.unknown == set()
    assert "not in our scope" not in observation.comparison.gdb_only


def test_same_module_records_the_same_where_the_kernel_is_moved(kernel: InstalledKernel, observation: Observation) -> None:
    run = observation.runs[0]
    text = f"{oracle.resolve(kernel, '_text').address:x} T _text\n"
    workload = f"{between_marks(WORKLOAD)}\ngrep ' _text$' /proc/kallsyms"
    result = VirtualMachine(kernel, [Module(run.ko, f"limit={LIMIT}")], workload, timeout=200).run()
    output = result.step("workload").output
    assert output.startswith(OUTPUT) and output != OUTPUT + text, "the kernel is where it was linked to be"
    expected = sorted(_numbers(run))
    assert len(expected) >= 20 and ("vfs_read+0x0", "count", f"{READ:x}") in {number[1:] for number in expected}
    assert sorted(_numbers(Run(run.handlers, run.ko, result, []))) == expected
