# SPDX-License-Identifier: GPL-2.0-or-later
"""The demo on a kernel: docs/examples/vfs_read is expanded, built and loaded into Linux 6.1, which reads a file."""

from __future__ import annotations

import os
import re
import shutil
import sys
import time
from itertools import zip_longest
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.kernel import kernels
from tests.kernel.build import make
from tests.kernel.kernels import InstalledKernel, MissingKernel
from tests.kernel.vm import VirtualMachine, VmResult

from .values import compare, say, show_accessors, show_source

EXAMPLE = Path(__file__).parents[2] / "docs/examples/vfs_read"
KERNEL = "6.1"
FILE_SIZE = 4096
#: What the workload asks read(2) for, one call each.
SIZES = (1409, 77777, 13)
_WORKLOAD = f"""
    stat -c 'inode %i' /tmp/file
    for size in {" ".join(map(str, SIZES))}; do
        dd if=/tmp/file of=/dev/null bs=$size count=1 2> /dev/null
    done
"""
_COLUMNS = ("inode", "count", "ret")


def lacking() -> list[str]:
    """What this machine lacks for it, a line each."""
    found = kernels.find(KERNEL)
    programs = [f"{name} (apt-get install {package})" for name, package in
                (("qemu-system-x86_64", "qemu-system-x86"), ("gcc", "gcc libc6-dev"), ("make", "make")) if not shutil.which(name)]
    if isinstance(found, MissingKernel):
        return [found.reason, *programs]
    return programs if found.busybox.is_file() else [*programs, "static busybox (apt-get install busybox-static)"]


def run() -> int:
    """Show the whole way; the exit status."""
    kernel = kernels.find(KERNEL)
    assert isinstance(kernel, InstalledKernel)
    started = time.monotonic()
    say("A handler, docs/examples/vfs_read/read.c")
    show_source(EXAMPLE / "read.c")
    with TemporaryDirectory(prefix="localvar-demo-") as name:
        folder = Path(name)
        say(f"make -C /lib/modules/{kernel.release}/build M=docs/examples/vfs_read localvar=1")
        module, output = build(kernel, folder)
        print(re.sub(rf"{folder}/", "", "\n".join(line for line in output.splitlines() if line.startswith("  "))))
        say(f"What the macros became, for Linux {kernel.release}")
        show_accessors(folder / "read.localvar.c")
        say(f"Linux {kernel.release} boots in qemu, loads read.ko and reads a file of {FILE_SIZE} bytes, {len(SIZES)} times")
        result = boot(kernel, module)
    print(f"    {result.duration:.1f} s; all records of the module: {len(result.records('read'))}. Those of that file,")
    print("    its inode as stat(1) says it, the sizes asked for, and how much of them there is, against what was recorded:")
    status = compare(_COLUMNS, expected(result), recorded(result))
    print(f"Expanded, built, booted and read in {time.monotonic() - started:.0f} s.")
    return status


def build(kernel: InstalledKernel, folder: Path) -> tuple[Path, str]:
    """Build the example in folder; its module, and what make said."""
    shutil.copytree(EXAMPLE, folder, dirs_exist_ok=True)
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return folder / "read.ko", make(kernel, folder, "localvar=1", env={"PATH": path})


def boot(kernel: InstalledKernel, module: Path) -> VmResult:
    """Load the module, run the workload, unload; VmFailure where anything goes wrong."""
    return VirtualMachine(kernel, modules=[module], files={"tmp/file": b"x" * FILE_SIZE}, workload=_WORKLOAD).run()


def expected(result: VmResult) -> list[tuple[str, str, str]]:
    """(inode, size asked for, size read) of each call of the workload."""
    inode = re.findall(r"inode (\d+)", result.step("workload").output)[0]
    return [(inode, str(size), str(min(size, FILE_SIZE))) for size in SIZES]


def recorded(result: VmResult) -> list[tuple[str, str, str]]:
    """The same as the module recorded it: of dd's reads of the file, at vfs_read()'s entry and behind its middle."""
    file = expected(result)[0][0]
    text = [record.text for record in result.records("read")]
    counts = [found[1] for line in text if (found := re.search(rf"\bino={file} count=(\d+)", line))]
    results = [found[1] for line in text if (found := re.search(rf"\bino={file} ret=(-?\d+)", line))]
    return [(file, count, ret) for count, ret in zip_longest(counts, results, fillvalue="-")]
