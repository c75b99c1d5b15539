# SPDX-License-Identifier: GPL-2.0-or-later
"""python -m tests.bench.run [--rounds N] [--only TEXT] [--json FILE]: time and memory of localvar and its peers at the same work.

The programs of a task take turns, round by round, so that whatever else the machine does hits all alike; what counts
is the ratio of the medians of one run.  Files are in the page cache: a round before the first measured one is thrown
away.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from tests.kernel import kernels
from tests.kernel.kernels import InstalledKernel, MissingKernel

KERNEL = "6.1"
TIMEOUT = 300
VMSCAN = 'kernel.statement("*@mm/vmscan.c:*")'
NOWHERE = 'kernel.statement("*@no/such_file.c:12")'
ANY_MODULE = 'module("*").function("nf_nat_setup_info")'

FIFTY = """
    vfs_read vfs_write vfs_open vfs_fsync do_sys_openat2 do_filp_open path_lookupat filename_lookup generic_file_read_iter
    generic_perform_write filemap_read filemap_fault do_user_addr_fault handle_mm_fault do_anonymous_page
    wp_page_copy get_page_from_freelist shrink_node shrink_lruvec balance_pgdat try_to_free_pages kmem_cache_free
    kmem_cache_alloc kfree vmalloc wake_up_process try_to_wake_up schedule_timeout enqueue_task_fair dequeue_task_fair
    select_task_rq_fair update_curr do_exit kernel_clone copy_process do_group_exit tcp_sendmsg tcp_recvmsg tcp_ack tcp_v4_rcv
    ip_rcv ip_queue_xmit dev_queue_xmit netif_receive_skb sock_sendmsg sock_recvmsg udp_sendmsg blk_mq_submit_bio submit_bio
    do_epoll_wait
"""
"""Functions of memory, files, scheduler and network, each by its own search for all of the programs."""


@dataclass(frozen=True)
class Program:
    """One way to do a task; the output must mention `proof` and the exit status must be `status`, or it was not done."""

    name: str
    command: tuple[str, ...]
    proof: str
    status: int = 0


@dataclass(frozen=True)
class Task:
    """The same work for several programs, ours first."""

    name: str
    programs: tuple[Program, ...]


@dataclass(frozen=True)
class Run:
    """One run of a program, its children included: wall-clock and processor seconds, and the peak of its memory."""

    seconds: float
    processor: float
    mebibytes: float


@dataclass(frozen=True)
class Result:
    """The runs of one program at one task."""

    task: str
    program: str
    runs: tuple[Run, ...]

    @property
    def seconds(self) -> float:
        """The median of the wall-clock times."""
        return median(run.seconds for run in self.runs)

    @property
    def processor(self) -> float:
        """The median of the processor times: steadier on a busy machine."""
        return median(run.processor for run in self.runs)

    @property
    def mebibytes(self) -> float:
        """The median of the peaks."""
        return median(run.mebibytes for run in self.runs)


def tasks(kernel: InstalledKernel) -> list[Task]:
    """What is measured."""
    vmlinux = str(kernel.vmlinux)
    localvar = (sys.executable, "-m", "localvar")
    perf = ("perf", "probe", "-k", vmlinux, "--max-probes", "4096")
    stap = ("stap", "-r", kernel.release)
    fifty = FIFTY.split()
    each = [word for name in fifty for word in ("-V", name)]
    return [
        Task("variables at vfs_read", (
            Program("localvar vars", (*localvar, "vars", "vfs_read", "--vmlinux", vmlinux), "count"),
            Program("perf probe -V", (*perf, "-V", "vfs_read"), "count"),
            Program("stap -L", (*stap, "-L", 'kernel.function("vfs_read")'), "count"),
        )),
        Task("variables inside vfs_read", (
            Program("localvar vars", (*localvar, "vars", "vfs_read+0xa8", "--vmlinux", vmlinux), "ret"),
            Program("perf probe -V", (*perf, "-V", "vfs_read+0xa8"), "ret"),
        )),
        Task("variables at do_sys_openat2", (
            Program("localvar vars", (*localvar, "vars", "do_sys_openat2", "--vmlinux", vmlinux), "how"),
            Program("perf probe -V", (*perf, "-V", "do_sys_openat2"), "how"),
            Program("stap -L", (*stap, "-L", 'kernel.function("do_sys_openat2")'), "how"),
        )),
        Task("variables at 50 functions", (
            Program("localvar vars", (*localvar, "vars", *fifty, "--vmlinux", vmlinux), "page"),
            Program("perf probe -V", (*perf, *each), "page"),
        )),
        Task("1,810 copies of kmalloc", (
            Program("localvar vars", (*localvar, "vars", "kmalloc", "--vmlinux", vmlinux), "size"),
            Program("perf probe -V", (*perf, "-V", "kmalloc"), "kmalloc"),
        )),
        Task("functions tcp_*", (
            Program("localvar probes", (*localvar, "probes", 'kernel.function("tcp_*")', "--vmlinux", vmlinux), "tcp_ack"),
            Program("stap -l", (*stap, "-l", 'kernel.function("tcp_*")'), "tcp_ack"),
        )),
        Task("lines of mm/vmscan.c", (
            Program("localvar probes", (*localvar, "probes", VMSCAN, "--vmlinux", vmlinux), "vmscan"),
            Program("stap -l", (*stap, "-l", VMSCAN), "vmscan"),
        )),
        Task("a line of include/linux/fs.h", (  # perf refuses it, stap finds nothing
            Program("localvar probes", (*localvar, "probes", "include/linux/fs.h:1361", "--vmlinux", vmlinux), "fs.h:1361"),
        )),
        Task("a line of no file", (
            Program("localvar probes", (*localvar, "probes", NOWHERE, "--vmlinux", vmlinux), "no source file", 1),
            Program("stap -l", (*stap, "-l", NOWHERE), "", 1),
        )),
        Task("a function of any module", (
            Program("localvar probes", (*localvar, "probes", ANY_MODULE, "--vmlinux", vmlinux), "nf_nat"),
            Program("stap -l", (*stap, "-l", ANY_MODULE), "nf_nat"),
        )),
        Task("struct scan_control", (
            Program("localvar type", (*localvar, "type", "scan_control", "--vmlinux", vmlinux), "nr_to_reclaim;"),
            Program("pahole", ("pahole", "-F", "dwarf", "-C", "scan_control", vmlinux), "nr_to_reclaim;"),
            Program("gdb ptype", ("gdb", "-batch", "-nx", "-ex", "ptype struct scan_control", vmlinux), "nr_to_reclaim;"),
        )),
    ]


def measure(program: Program) -> Run:
    """Run a program once.  RuntimeError where it fails or does not do the task."""
    started = time.perf_counter()
    process = subprocess.Popen(["timeout", str(TIMEOUT), *program.command], stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert process.stdout is not None
    with process.stdout as stdout:
        output = stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != program.status or program.proof not in output:
        raise RuntimeError(f"{' '.join(program.command)}: exit status {process.returncode}\n{output}")
    return Run(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def compete(task: Task, rounds: int) -> list[Result]:
    """The programs of a task in turns; those that are not installed are left out."""
    present = [program for program in task.programs if shutil.which(program.command[0])]
    for program in present:
        measure(program)
    runs: dict[str, list[Run]] = {program.name: [] for program in present}
    for _ in range(rounds):
        for program in present:
            runs[program.name].append(measure(program))
    return [Result(task.name, name, tuple(measured)) for name, measured in runs.items()]


def report(results: Sequence[Result]) -> str:
    """A line for each program: median times (wall-clock with the range, processor), memory, our share of a peer's time."""
    lines = []
    for result in results:
        seconds = sorted(run.seconds for run in result.runs)
        ours = next(r for r in results if r.task == result.task)
        ratio = ""
        if result is not ours:
            wall, cpu = ours.seconds / result.seconds, ours.processor / result.processor
            ratio = f"   localvar takes {wall:.2f} of its time, {cpu:.2f} of its cpu"
        lines.append(f"{result.task:30} {result.program:15} {result.seconds:6.2f} s ({seconds[0]:.2f}-{seconds[-1]:.2f})"
                     f" cpu {result.processor:5.2f} s {result.mebibytes:5.0f} MiB{ratio}")
    return "\n".join(lines)


def main() -> int:
    """Exit status 2 where there is nothing to measure on."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.run", description=(__doc__ or "").partition("\n")[2].strip())
    parser.add_argument("--rounds", type=int, default=7, help="measured runs of each program (default: 7)")
    parser.add_argument("--only", default="", metavar="TEXT", help="only tasks whose name has TEXT in it")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every run to FILE too")
    options = parser.parse_args()
    kernel = kernels.find(KERNEL)
    if isinstance(kernel, MissingKernel):
        print(kernel.reason, file=sys.stderr)
        return 2
    machine = f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}"
    print(f"Linux {kernel.release}, {options.rounds} rounds, {machine}", flush=True)
    everything = []
    for task in (task for task in tasks(kernel) if options.only in task.name):
        results = compete(task, options.rounds)
        print(report(results), flush=True)
        everything += results
    if options.json:
        options.json.write_text(json.dumps([asdict(result) for result in everything], indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
