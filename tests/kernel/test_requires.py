# SPDX-License-Identifier: GPL-2.0-or-later
"""Tests that need a kernel, qemu or gdb are skipped by name without it, and fail where CI demands it."""

from __future__ import annotations

from pathlib import Path

import pytest

from . import kernels, requires
from .kernels import Kernel, MissingKernel

Failed = pytest.fail.Exception
Skipped = pytest.skip.Exception


@pytest.fixture
def none_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = Kernel("6.1", "x86_64", (), "6.1.*")
    monkeypatch.setattr(kernels, "find", lambda name: MissingKernel(spec, f"kernel {name}: nowhere"))


@pytest.fixture
def empty_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))


@requires.requires_kernel("6.1")
def _needs_kernel(ran: list[str]) -> None:
    ran.append("kernel")


@requires.requires_gdb
def _needs_gdb(ran: list[str]) -> None:
    ran.append("gdb")


@pytest.mark.usefixtures("none_installed")
def test_without_the_kernel_a_test_is_skipped_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LOCALVAR_REQUIRE_VM", raising=False)
    ran: list[str] = []
    with pytest.raises(Skipped, match=r"kernel 6\.1: nowhere"):
        _needs_kernel(ran)
    assert ran == []


@pytest.mark.usefixtures("none_installed")
def test_without_the_kernel_a_test_fails_where_machines_are_required(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCALVAR_REQUIRE_VM", "1")
    with pytest.raises(Failed, match=r"LOCALVAR_REQUIRE_VM=1: kernel 6\.1: nowhere"):
        _needs_kernel([])


@pytest.mark.usefixtures("empty_path")
def test_without_gdb_a_test_is_skipped_or_fails_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LOCALVAR_REQUIRE_VM", raising=False)
    with pytest.raises(Skipped, match=r"gdb is not installed; run tools/setup-debian\.sh"):
        _needs_gdb([])
    monkeypatch.setenv("LOCALVAR_REQUIRE_VM", "1")
    with pytest.raises(Failed, match="gdb is not installed"):
        _needs_gdb([])


def test_with_what_it_needs_a_test_runs_and_is_marked_vm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requires, "program", lambda _: None)
    ran: list[str] = []
    _needs_gdb(ran)
    assert ran == ["gdb"]
    assert [mark.name for mark in getattr(_needs_gdb, "pytestmark", [])] == ["vm"]


def test_kernel_that_is_not_in_the_list_is_a_mistake() -> None:
    with pytest.raises(KeyError, match=r"0\.99"):
        kernels.find("0.99")
