# SPDX-License-Identifier: GPL-2.0-or-later
"""The examples of docs/examples: expanded and built by Kbuild, booted, and what they record held against the workload."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import pytest

from .build import make
from .kernels import InstalledKernel
from .trace import TraceRecord
from .vm import Module, VirtualMachine, VmResult

pytestmark = pytest.mark.vm

EXAMPLES = Path(__file__).resolve().parents[2] / "docs" / "examples"
BYTES = 7


def run(kernel: InstalledKernel, example: str, name: str, workload: str, script: Path, folder: Path) -> VmResult:
    """Build one example as its README says, boot it and run a workload."""
    project = folder / example
    shutil.copytree(EXAMPLES / example, project)
    path = f"{script.parent}{os.pathsep}{os.environ['PATH']}"
    make(kernel, project, "localvar=1", env={"PATH": path})
    return VirtualMachine(kernel, [Module(project / f"{name}.ko")], workload).run()


def texts(records: list[TraceRecord], handler: str) -> list[str]:
    return [record.text.removeprefix(f"{handler}: ") for record in records if record.text.startswith(f"{handler}: ")]


def only(kernel: InstalledKernel, name: str) -> None:
    if kernel.name != name:
        pytest.skip(f"the example is for {name}")


def test_every_example_is_tested_here() -> None:
    assert {folder.name for folder in EXAMPLES.iterdir()} == {"vfs_read", "page_fault", "kprobe_location", "scan_control"}


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


def test_scan_control_is_recorded_at_each_run_of_kswapd(kernel: InstalledKernel, localvar_script: Path, tmp_path: Path) -> None:
    only(kernel, "6.1")
    workload = ("mkdir -p /big; mount -t tmpfs -o size=900m t /big; echo 120000 > /proc/sys/vm/min_free_kbytes; "
                "dd if=/dev/zero of=/big/x bs=1M count=300; rm /big/x; sleep 1; grep pageoutrun /proc/vmstat")
    result = run(kernel, "scan_control", "reclaim", workload, localvar_script, tmp_path)
    found = re.search(r"pageoutrun (\d+)", result.step("workload").output)
    records = texts(result.records("reclaim"), "on_restart")
    assert found is not None and int(found[1]) > 0
    # what balance_pgdat() initialises sc with (mm/vmscan.c): may_unmap is set, nothing is reclaimed yet
    assert len(records) == int(found[1])
    assert all(re.fullmatch(r"node=0 order=\d+ priority=\d+ may_unmap=1 reclaimed=0", text) for text in records)
