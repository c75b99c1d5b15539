# SPDX-License-Identifier: GPL-2.0-or-later
"""What perf and stap print is read as the names that they list, and a peer that fails lists nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from localvar import peers
from tests.command import localvar
from tests.small_kernel import write_small_kernel

PERF = """Available variables at vfs_read+168
\\t@<vfs_read+168>
\\t\\tchar*\\tbuf
\\t\\tstruct file*\\tfile
"""
STAP = "kernel.statement(0xffffffff8134ccf8) $file:struct file* $buf:char* $ret:ssize_t\\n"


def program(folder: Path, name: str, script: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return tmp_path


def test_names_that_perf_lists(path: Path) -> None:
    program(path, "perf", f'[ "$*" = "probe -k V -V vfs_read+168" ] && printf \'{PERF}\'')
    assert peers.perf_names("V", "vfs_read+168") == {"buf", "file"}
    assert peers.perf_names("V", "vfs_read+1") == frozenset()


def test_names_that_stap_lists(path: Path) -> None:
    program(path, "stap", f'[ "$*" = "-r R -L kernel.statement(0x10)" ] && printf \'{STAP}\'')
    assert peers.stap_names("R", 0x10) == {"file", "buf", "ret"}
    assert peers.stap_names("R", 0x11) == frozenset()


def test_coverage_counts_the_same_statements_for_all(path: Path, tmp_path: Path) -> None:
    """A perf that lists one name everywhere; SystemTap cannot be pointed at a vmlinux that is not installed."""
    vmlinux = write_small_kernel(tmp_path)
    program(path, "perf", "printf '\\t\\tlong\\tcount\\n'")
    program(path, "stap", "exit 0")
    ran = localvar("coverage", "--vmlinux", vmlinux, "--jobs", "1", "--json", "--peers", "5")
    assert ran.status == 0, ran.err
    document = json.loads(ran.out)
    beside = document["peers"]
    assert [peer["program"] for peer in beside["listed"]] == ["localvar", "perf"]
    ours, perf = beside["listed"]
    assert perf["answered"] == beside["statements"] == 2 and perf["parameters"] == 2
    assert 0 < ours["parameters"] <= beside["parameters"]
    assert localvar("coverage", "--vmlinux", vmlinux, "--jobs", "1", "--peers", "0", "--json").out != ran.out
