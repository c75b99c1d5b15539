# SPDX-License-Identifier: GPL-2.0-or-later
"""The examples of docs/examples: expanded and built by Kbuild, booted, and what they record held against the workload."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import pytest

from . import oracle, requires
from .build import make
from .kernels import InstalledKernel
from .oracle import Stop, Watch
from .trace import TraceRecord
from .vm import Module, VirtualMachine, VmResult

pytestmark = pytest.mark.vm

EXAMPLES = Path(__file__).resolve().parents[2] / "docs" / "examples"
BYTES = 7


def build(kernel: InstalledKernel, example: str, name: str, script: Path, folder: Path) -> Module:
    """Build one example as its README says."""
    project = folder / example
    shutil.copytree(EXAMPLES / example, project)
    path = f"{script.parent}{os.pathsep}{os.environ['PATH']}"
    make(kernel, project, "localvar=1", env={"PATH": path})
    return Module(project / f"{name}.ko")


def run(kernel: InstalledKernel, example: str, name: str, workload: str, script: Path, folder: Path) -> VmResult:
    """Build one example, boot it and run a workload."""
    return VirtualMachine(kernel, [build(kernel, example, name, script, folder)], workload).run()


def observed(machine: VirtualMachine, *watches: tuple[str, str, dict[str, str], int]) -> tuple[VmResult, list[list[Stop]]]:
    """Run a machine under gdb's eyes.  Of each watch: the handler, its site, by word in its records what gdb is asked for
    it, and the most stops; each of these records must say what gdb saw.  Returns the stops of each watch, too.
    """
    requires.program("gdb")
    asked = [Watch(site, list(words.values()), scopes=False, limit=limit) for _, site, words, limit in watches]
    result, stops = oracle.run_with_oracle(machine, asked)
    ((module, *_),) = [machine.modules]
    assert isinstance(module, Module)
    found = []
    for (handler, _, words, _), watch in zip(watches, asked, strict=True):
        mine = [stop for stop in stops if stop.watch is watch]
        records = [record for record in result.records(module.name) if record.text.startswith(f"{handler}: ")]
        pairs = oracle.paired(records, mine)
        said = [{word: str(stop.values[asked].integer) for word, asked in words.items()} for _, stop in pairs]
        assert [{word: value for word, value in _words(record).items() if word in words} for record, _ in pairs] == said
        found.append(mine)
    return result, found


def _words(record: TraceRecord) -> dict[str, str]:
    """The values of a record by name."""
    return dict(word.split("=", 1) for word in record.text.split()[1:])


def texts(records: list[TraceRecord], handler: str) -> list[str]:
    return [record.text.removeprefix(f"{handler}: ") for record in records if record.text.startswith(f"{handler}: ")]


def only(kernel: InstalledKernel, name: str) -> None:
    if kernel.name != name:
        pytest.skip(f"the example is for {name}")


def test_every_example_is_tested_here() -> None:
    assert {folder.name for folder in EXAMPLES.iterdir()} == {
        "vfs_read", "page_fault", "kprobe_location", "scan_control", "sched_rq", "ext4_inode"}


def test_vfs_read_records_inode_request_and_result(kernel: InstalledKernel, localvar_script: Path, tmp_path: Path) -> None:
    workload = f"echo inode $(stat -c %i /proc/version); dd if=/proc/version of=/dev/null bs={BYTES} count=5 2>&-"
    result = run(kernel, "vfs_read", "read", workload, localvar_script, tmp_path)
    found = re.search(r"inode (\d+)", result.step("workload").output)
    assert found is not None
    records = result.records("read")
    assert texts(records, "show_request").count(f"ino={found[1]} count={BYTES}") == 5
    assert texts(records, "show_result").count(f"ino={found[1]} ret={BYTES}") == 5


def test_page_fault_records_the_faulting_address_and_task(kernel: InstalledKernel, localvar_script: Path, tmp_path: Path) -> None:
    only(kernel, "6.1")
    result = run(kernel, "page_fault", "page_fault", "echo shell $$; cat /proc/self/maps", localvar_script, tmp_path)
    faults = [re.fullmatch(r"pid=(\d+) uid=0 address=([0-9a-f]+) (read|write)", text)
              for text in texts(result.records("page_fault"), "fault")]
    assert len(faults) > 100 and all(faults)
    maps = re.findall(r"^([0-9a-f]+)-([0-9a-f]+) ", result.step("workload").output, re.MULTILINE)
    shell = re.search(r"shell (\d+)", result.step("workload").output)
    assert maps and shell is not None
    low, high = int(maps[0][0], 16), int(maps[-1][1], 16)
    of_cat = [int(fault[2], 16) for fault in faults if fault is not None and int(fault[1]) > int(shell[1])]
    assert of_cat and any(low <= address < high for address in of_cat)
    assert "page_fault: watching" in result.dmesg


def test_a_plain_kprobe_stands_at_its_coordinate(kernel: InstalledKernel, localvar_script: Path, tmp_path: Path) -> None:
    result = run(kernel, "kprobe_location", "plain", "cat /proc/version > /tmp/copy", localvar_script, tmp_path)
    flags = {int(found, 16) for found in re.findall(r"plain: dfd=-100 flags=([0-9a-f]+)", result.dmesg)}
    # /tmp/copy is opened with O_WRONLY|O_CREAT|O_TRUNC, and O_LARGEFILE as all are (include/uapi/asm-generic/fcntl.h)
    assert 0o1 | 0o100 | 0o1000 | 0o100000 in flags


SCAN_CONTROL = {word: f"sc.{member}" for word, member in {
    "order": "order", "priority": "priority", "may_unmap": "may_unmap", "gfp": "gfp_mask", "reclaimed": "nr_reclaimed"}.items()}
SHRINK = {word: f"sc->{member}" for word, member in {
    "priority": "priority", "want": "nr_to_reclaim", "reclaimed": "nr_reclaimed", "scanned": "nr_scanned",
    "writepage": "may_writepage", "taken": "nr.file_taken", "slab": "reclaim_state.reclaimed_slab"}.items()}
EXT4 = """
    dd if=/dev/zero of=/tmp/disk bs=1 seek=16M count=0 2>&-
    mke2fs -F /tmp/disk > /dev/null
    mkdir /mnt; mount -t ext4 -o loop /tmp/disk /mnt
"""
# Holes fill the page cache with nothing to be written: 1 GiB of them, in a machine of half of that.
PRESSURE = """
    echo 60000 > /proc/sys/vm/min_free_kbytes
    dd if=/dev/zero of=/mnt/holes bs=1 seek=1024M count=0 2>&-
    dd if=/mnt/holes of=/dev/null bs=1M; grep pageoutrun /proc/vmstat
"""


def test_scan_control_at_each_run_of_kswapd_is_what_gdb_sees(
    kernel: InstalledKernel, localvar_script: Path, tmp_path: Path
) -> None:
    only(kernel, "6.1")
    module = build(kernel, "scan_control", "reclaim", localvar_script, tmp_path)
    result, (restarts, shrinks) = observed(
        VirtualMachine(kernel, [module], PRESSURE, setup=EXT4, kernel_modules=["loop"]),
        ("on_restart", "balance_pgdat+0x144", {"node": "pgdat->node_id", **SCAN_CONTROL}, 1000),
        ("on_shrink", "shrink_node", SHRINK, 40))
    found = re.search(r"pageoutrun (\d+)", result.step("workload").output)
    assert found is not None and 0 < int(found[1]) == len(restarts)
    # what balance_pgdat() initialises sc with (mm/vmscan.c): may_unmap is set, nothing is reclaimed yet
    assert {(stop.values["sc.may_unmap"].integer, stop.values["sc.nr_reclaimed"].integer) for stop in restarts} == {(1, 0)}
    assert len({stop.values["sc->nr_reclaimed"].integer for stop in shrinks}) > 3, "nothing was reclaimed"


# Not the pids: gdb takes 10 s to look into a struct task_struct.
RQ = {"cpu": "rq->cpu", "running": "rq->nr_running", "fair": "rq->cfs.nr_running", "switches": "rq->nr_switches",
      "weight": "rq->cfs.load.weight"}


def test_the_run_queue_at_each_wakeup_is_what_gdb_sees(
    kernel: InstalledKernel, localvar_script: Path, tmp_path: Path
) -> None:
    module = build(kernel, "sched_rq", "wakeups", localvar_script, tmp_path)
    workload = "for i in 1 2 3 4 5; do sleep 0.01 & echo child $!; done; wait"
    result, (stops,) = observed(VirtualMachine(kernel, [module], workload), ("on_enqueue", "enqueue_task_fair", RQ, 20))
    assert len(stops) > 10 and "faults 0" in result.counters("wakeups")["on_enqueue"].splitlines()
    assert len({stop.values["rq->nr_running"].integer for stop in stops}) > 1
    records = [_words(record) for record in result.records("wakeups")]
    children = set(re.findall(r"child (\d+)", result.step("workload").output))
    assert len(children) == 5 and children <= {record["woken"] for record in records}


INODE = {"ino": "ei->vfs_inode.i_ino", "size": "ei->vfs_inode.i_size", "disksize": "ei->i_disksize",
         "group": "ei->i_block_group", "reserved": "ei->i_reserved_data_blocks", "old": "raw_inode->i_size_lo"}


def test_private_inodes_of_ext4_are_what_gdb_sees(kernel: InstalledKernel, localvar_script: Path, tmp_path: Path) -> None:
    module = build(kernel, "ext4_inode", "inodes", localvar_script, tmp_path)
    workload = "for size in 1409 77777; do dd if=/dev/zero of=/mnt/$size bs=$size count=1 2>&-; sync; ls -i /mnt/$size; done"
    machine = VirtualMachine(kernel, [module], workload, setup=EXT4, kernel_modules=["loop"])
    site = {"6.1": "ext4_mark_iloc_dirty+0x83", "6.12": "ext4_mark_iloc_dirty+0x87"}[kernel.name]
    result, (stops,) = observed(machine, ("on_write", site, INODE, 60))
    records = texts(result.records("inodes"), "on_write")
    for ino, size in re.findall(r"(\d+) /mnt/(\d+)", result.step("workload").output):
        assert any(text.startswith(f"ino={ino} size={size} disksize={size} ") for text in records)
    assert len(stops) > 4
