# SPDX-License-Identifier: GPL-2.0-or-later
"""The demo, both ways, and that it would notice a wrong value."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kernel import kernels
from tests.kernel.kernels import KERNELS, MissingKernel
from tests.kernel.requires import requires_kernel

from . import embedded, on_kernel
from .__main__ import main
from .values import compare

pytestmark = pytest.mark.skipif(embedded.lacking() is not None, reason=f"no embedded demo: {embedded.lacking()}")

COLUMNS = ("inode", "count")
ROWS = [("19", "1409"), ("19", "13")]


@pytest.mark.parametrize("level", ["-O0", "-O1", "-O2", "-O3", "-Os", "-Og"])
@pytest.mark.parametrize("position", ["-fPIE", "-no-pie"])
def test_values_read_in_a_running_program_are_what_it_prints(level: str, position: str, tmp_path: Path) -> None:
    embedded.build_program(tmp_path, level, position)
    embedded.build_probe(tmp_path)
    outcome = embedded.run_program(tmp_path)
    assert len(outcome.printed) == 6
    assert outcome.recorded == outcome.printed


def test_probe_refuses_another_program_than_it_was_expanded_for(tmp_path: Path) -> None:
    embedded.build_program(tmp_path, "-O2")
    embedded.build_probe(tmp_path)
    embedded.build_program(tmp_path, "-O1")
    with pytest.raises(RuntimeError, match="not the program that the probe was expanded for"):
        embedded.run_program(tmp_path)


def test_embedded_demo_ends_well(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--embedded"]) == 0
    assert "All 36 values of 6 records are right." in capsys.readouterr().out


def test_demo_without_a_kernel_says_what_is_missing_and_runs_embedded(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(kernels, "find", lambda name: MissingKernel(KERNELS[0], f"kernel {name}: install this"))
    assert main([]) == 0
    output = capsys.readouterr().out
    assert "kernel 6.1: install this" in output and "All 36 values" in output


def test_demo_names_programs_that_are_missing(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("PATH", "")
    assert any("qemu-system-x86" in line for line in on_kernel.lacking())
    assert main([]) == 1
    assert "cannot run either: gcc is not installed" in capsys.readouterr().out


def test_demo_refuses_options_it_does_not_know() -> None:
    assert main(["--fast"]) == 2


@requires_kernel("6.1")
def test_demo_on_a_kernel_ends_well(capfd: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    assert "All 9 values of 3 records are right." in capfd.readouterr().out


def test_right_records_are_accepted(capsys: pytest.CaptureFixture[str]) -> None:
    assert compare(COLUMNS, ROWS, ROWS) == 0
    assert "All 4 values of 2 records are right." in capsys.readouterr().out


@pytest.mark.parametrize(
    "recorded",
    [[], ROWS[:1], [*ROWS, ROWS[0]], ROWS[::-1], [ROWS[0], ("19", "14")]],
    ids=["none", "one missing", "one too many", "out of order", "wrong value"],
)
def test_wrong_records_are_refused(recorded: list[tuple[str, str]], capsys: pytest.CaptureFixture[str]) -> None:
    assert compare(COLUMNS, ROWS, recorded) == 1
    assert "WRONG" in capsys.readouterr().out
