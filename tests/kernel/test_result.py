# SPDX-License-Identifier: GPL-2.0-or-later
"""Reading what a machine brought back: traces, kernel logs, the guest's stream, verdicts. Boots nothing."""

from __future__ import annotations

import gzip
import io
import tarfile
from pathlib import Path

import pytest

from . import cpio, guest, kernels, problems, processes, trace
from .kernels import InstalledKernel, Kernel, MissingKernel
from .result import StepResult, VmFailure, VmResult
from .trace import LostRecords, TraceRecord

_TRACE = """\
# tracer: nop
#
# entries-in-buffer/entries-written: {kept}/3   #P:1
#
#           TASK-PID     CPU#  |||||  TIMESTAMP  FUNCTION
           <...>-90      [000] ...1.     2.293783: record: count=65536
  kworker/0:1-e-7        [001] d..2.    12.000001: 0xffffffffc0201012: a=1 b: 2-3 [000]
              dd-1234567 [010] .....     3.5: vfs_read+0x1/0x30c:
"""


def test_trace_records_are_parsed_whatever_the_names_of_tasks() -> None:
    assert trace.parse(_TRACE.format(kept=3)) == [
        TraceRecord("<...>", 90, 0, 2.293783, "record", "count=65536"),
        TraceRecord("kworker/0:1-e", 7, 1, 12.000001, "0xffffffffc0201012", "a=1 b: 2-3 [000]"),
        TraceRecord("dd", 1234567, 10, 3.5, "vfs_read+0x1/0x30c", ""),
    ]


def test_trace_that_lost_records_is_refused_unless_asked_for() -> None:
    lost = _TRACE.format(kept=3).replace("/3", "/4")
    with pytest.raises(LostRecords, match="3, 4"):
        trace.parse(lost)
    assert len(trace.parse(lost, all_kept=False)) == 3


def test_trace_of_which_a_record_has_no_newline_is_refused() -> None:
    with pytest.raises(ValueError, match=r"3 lines for .* entries"):
        trace.parse(_TRACE.format(kept=4).replace("/3", "/4"))


@pytest.mark.parametrize(
    "line",
    [
        "[    3.1] BUG: kernel NULL pointer dereference, address: 0000000000000010",
        "[    3.1] WARNING: CPU: 0 PID: 90 at /x/y.c:12 f+0x1/0x2 [m]",
        "[    3.1][  T90] Oops: 0002 [#1] PREEMPT SMP NOPTI",
        "<0>[    3.1] Kernel panic - not syncing: a panic",
        "[    3.1] general protection fault, probably for non-canonical address 0xdead: 0000 [#1]",
        "[   30.1] watchdog: BUG: soft lockup - CPU#0 stuck for 22s!",
        "[   30.1] rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:",
        "[   30.1] INFO: task sh:1 blocked for more than 120 seconds.",
        "[    3.1] BUG: scheduling while atomic: sh/1/0x2",
        "Unable to handle kernel paging request at virtual address ffff",
    ],
)
def test_problem_of_the_kernel_is_found(line: str) -> None:
    (found,) = problems.find(f"[    1.0] fine\n{line}\r\n{line}\n")
    assert found and found in line and not found.startswith("[")


def test_harmless_kernel_messages_are_no_problem() -> None:
    log = """\
[    0.5] Freeing SMP alternatives memory: 36K
[    2.0] count_reads: module verification failed: signature and/or required key missing - tainting kernel
[    0.1] Spectre V2 : WARNING: Unprivileged eBPF is enabled with eIBRS on
[    2.1] localvar: WARNINGS: 0 BUGS: 0
[    2.2] Out of memory: Killed process 12 (eat)
"""
    assert problems.find(log) == ()


def _sent(path: str, data: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        info = tarfile.TarInfo(path)
        info.size = len(data)
        tar.addfile(info, io.BytesIO(data))
    return gzip.compress(buffer.getvalue())


def test_truncated_stream_keeps_what_came_whole_and_says_so() -> None:
    whole, cut = _sent("./section/a", b"1"), _sent("./section/b", b"2")
    assert guest.unpack(whole + cut) == ({"section/a": b"1", "section/b": b"2"}, None)
    files, damage = guest.unpack(whole + cut[:-5])
    assert files == {"section/a": b"1"}
    assert damage == f"the last {len(cut) - 5} bytes sent are not complete"


def test_damaged_stream_keeps_what_came_before() -> None:
    whole, bad = _sent("./section/a", b"1"), bytearray(_sent("./section/b", b"2" * 5000))
    bad[len(bad) // 2] ^= 0xFF
    files, damage = guest.unpack(whole + bytes(bad))
    assert files == {"section/a": b"1"}
    assert damage is not None and damage.startswith("the data sent is damaged: ")


def _result(**changes: object) -> VmResult:
    spec = Kernel("0.1", "x86_64", (), "0.1*")
    kernel = InstalledKernel(spec, "0.1", Path(), Path(), Path(), Path(), Path())
    fields: dict[str, object] = {
        "kernel": kernel,
        "console": "@@vm begin insmod m\n@@vm end insmod m: 0\n@@vm begin workload\nlast words\n",
        "steps": (StepResult("insmod m", 0, ""), StepResult("workload", 0, "out")),
        "sections": {"debugfs/m/hits": "3\n", "debugfs/m/sub/missed": "0\n", "debugfs/mm/hits": "9\n"},
        "problems": (),
        "finished": True,
        "timed_out": False,
        "duration": 3.0,
    }
    return VmResult(**(fields | changes))  # type: ignore[arg-type]


def test_good_result_passes_its_check() -> None:
    result = _result()
    assert result.check() is result and result.failures() == []
    assert result.counters("m") == {"hits": "3", "sub/missed": "0"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"steps": (StepResult("workload", 2, "went wrong\n"),)}, "workload: exit status 2: went wrong"),
        ({"finished": False}, "the machine ended before its work was done; last step: workload"),
        ({"finished": False, "timed_out": True}, "not finished after 3 s, killed; last step: workload"),
        ({"problems": ("BUG: bad",)}, "kernel: BUG: bad"),
        ({"damage": "the last 3 bytes"}, "the last 3 bytes"),
    ],
)
def test_bad_result_fails_its_check_with_the_console(changes: dict[str, object], message: str) -> None:
    with pytest.raises(VmFailure) as error:
        _result(**changes).check()
    assert message in str(error.value) and "last words" in str(error.value)


def test_kernel_that_is_not_installed_is_missing_with_its_packages(tmp_path: Path) -> None:
    spec = Kernel("9.9", "x86_64", ("linux-image-9.9",), "9.9.*", root=tmp_path)
    found = kernels.locate(spec)
    assert isinstance(found, MissingKernel)
    assert "kernel 9.9: no " in found.reason and "install linux-image-9.9" in found.reason


def _install(root: Path, release: str, *, headers: bool) -> None:
    """A kernel below `root`, its build folder linked by an absolute name, as in unpacked packages."""
    for file in (f"usr/lib/debug/boot/vmlinux-{release}", f"boot/vmlinuz-{release}"):
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).touch()
    if headers:
        (root / f"usr/src/{release}").mkdir(parents=True)
        (root / f"usr/src/{release}/Makefile").touch()
    (root / f"lib/modules/{release}").mkdir(parents=True)
    (root / f"lib/modules/{release}/build").symlink_to(f"/usr/src/{release}")


def test_newest_complete_release_is_found_below_a_root_of_its_own(tmp_path: Path) -> None:
    spec = Kernel("9.9", "x86_64", ("linux-image-9.9",), "9.9.*", root=tmp_path)
    _install(tmp_path, "9.9.10", headers=False)
    assert "9.9.10 lacks" in getattr(kernels.locate(spec), "reason", "")
    _install(tmp_path, "9.9.2", headers=True)
    _install(tmp_path, "9.9.9", headers=True)
    found = kernels.locate(spec)
    assert isinstance(found, InstalledKernel)
    assert (found.release, found.build) == ("9.9.9", tmp_path / "usr/src/9.9.9")


def test_program_is_killed_with_all_its_children_at_its_time_limit(tmp_path: Path) -> None:
    script = f"sleep 1000 & echo $! > {tmp_path}/child; echo said; wait"
    done = processes.run(["sh", "-c", script], timeout=3)
    assert done.timed_out and done.output == "said\n"
    child = int((tmp_path / "child").read_text())
    state = Path(f"/proc/{child}/stat")
    assert not state.exists() or state.read_text().split()[2] == "Z"


def test_status_and_output_of_a_program_come_back() -> None:
    done = processes.run(["sh", "-c", "echo out; echo err >&2; exit 7"], timeout=20)
    assert (done.status, done.timed_out, done.output) == (7, False, "out\nerr\n")


def test_archive_is_what_cpio_reads(tmp_path: Path) -> None:
    archive = cpio.Archive()
    archive.file("a/b/file", b"text\n", 0o755)
    archive.symlink("a/link", "b/file")
    archive.folder("a/empty")
    (tmp_path / "archive").write_bytes(archive.finish())
    script = f"cd {tmp_path} && cpio -idm --quiet < archive && cat a/link && ls -l a/b/file && ls -d a/empty"
    done = processes.run(["sh", "-c", script], timeout=20)
    assert done.status == 0, done.output
    text, listing, empty = done.output.splitlines()
    assert (text, listing[:10], empty) == ("text", "-rwxr-xr-x", "a/empty")
