# SPDX-License-Identifier: GPL-2.0-or-later
"""localvar doctor, and the commands that say where files are: what is found, what is missing, how it is brought."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from localvar import __version__
from tests.command import Ran, localvar
from tests.kbuild_files import build_directory, program
from tests.kernel import kernels, requires
from tests.kernel.kernels import InstalledKernel
from tests.small_kernel import BUILD_ID, RELEASE, write_small_kernel


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a vmlinux, its build directory `build` and programs in `bin`, the only ones in PATH."""
    write_small_kernel(tmp_path)
    build_directory(tmp_path / "build", RELEASE)
    for name in ("make", "gcc-testing"):
        program(tmp_path / "bin" / name, 'm=; for a; do case $a in M=*) m=${a#M=};; esac; done\n'
                'echo "cmd_$m/localvar_flags.i := gcc-testing -nostdinc -DMODULE -E -o $m/localvar_flags.i $m/localvar_flags.c" '
                '> "$m/.localvar_flags.i.cmd"\n')
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("DEBUGINFOD_URLS", raising=False)
    return tmp_path


def doctor(*options: str | Path) -> Ran:
    """Run it for the made-up kernel."""
    return localvar("doctor", "--vmlinux", "vmlinux", "--build", "build", *options)


def findings(*options: str | Path) -> dict[str, dict[str, Any]]:
    """What --json prints, by what was looked for."""
    ran = doctor(*options, "--json")
    return {finding["what"]: finding for finding in json.loads(ran.out)["findings"]}


def test_complete_machine_is_all_ok_and_exits_with_0(machine: Path) -> None:
    ran = doctor()
    assert (ran.status, ran.err) == (0, ""), ran.out
    heads = [line for line in ran.out.splitlines() if not line.startswith(" ")]
    assert [head.split(":")[0] for head in heads] == [
        "ok       debug vmlinux", "ok       kernel build directory", "ok       make", "ok       compiler",
        "ok       libclang", "ok       localvar.h"]
    assert f"           Linux {RELEASE}, x86_64, build-id {BUILD_ID.hex()}\n" in ran.out
    assert f"           builds modules for Linux {RELEASE}\n" in ran.out
    assert f"ok       compiler: {machine}/bin/gcc-testing\n" in ran.out


def test_every_finding_is_a_line_and_its_details_are_indented(machine: Path) -> None:
    (machine / "bin/make").unlink()
    ran = localvar("doctor", "--kernel", "9.9.9-none")
    assert (ran.status, ran.err) == (2, "")
    for line in ran.out.splitlines():
        assert line.startswith(("ok       ", "MISSING  ", "           ")), line
    assert "MISSING  debug vmlinux: no vmlinux with debug info for kernel 9.9.9-none\n" in ran.out
    assert "           /usr/lib/debug/boot/vmlinux-9.9.9-none: no such file\n" in ran.out
    assert "MISSING  kernel build directory: no build directory for kernel 9.9.9-none" in ran.out
    assert "MISSING  make: not in PATH\n           fix: apt install make\n" in ran.out
    assert "ok       libclang: " in ran.out


def test_json_has_the_same_findings(machine: Path) -> None:
    found = findings()
    assert list(found) == ["debug vmlinux", "kernel build directory", "make", "compiler", "libclang", "localvar.h"]
    assert all(list(finding) == ["what", "found", "missing", "details", "fix"] for finding in found.values())
    assert found["debug vmlinux"]["found"] == "vmlinux" and found["debug vmlinux"]["missing"] is None
    (machine / "bin/gcc-testing").unlink()
    lacking = findings()["compiler"]
    assert (lacking["found"], lacking["missing"]) == (None, "Kbuild compiles with gcc-testing, which is not in PATH")
    assert lacking["fix"] == "apt install gcc-testing"


def test_build_directory_of_another_kernel_is_missing(machine: Path) -> None:
    build_directory(machine / "build", "6.2.0")
    ran = doctor()
    assert ran.status == 2 and f"MISSING  kernel build directory: vmlinux is of release {RELEASE}" in ran.out


def test_bad_vmlinux_does_not_hide_what_else_is_there(machine: Path) -> None:
    (machine / "vmlinux").write_bytes(b"x")
    ran = doctor()
    assert ran.status == 2
    assert "MISSING  debug vmlinux: vmlinux: not an ELF file\n" in ran.out
    assert "ok       kernel build directory: build\n" in ran.out and "ok       compiler: " in ran.out


@pytest.mark.parametrize("name", ["6.1", "6.12"])
def test_installed_kernel_is_found_whole(name: str) -> None:
    kernel = kernels.find(name)
    if not isinstance(kernel, InstalledKernel):
        requires.missing(kernel.reason)
    ran = localvar("doctor", "--kernel", kernel.release)
    assert (ran.status, ran.err) == (0, ""), ran.out
    assert f"ok       debug vmlinux: {kernel.vmlinux}\n" in ran.out and "MISSING" not in ran.out


def test_places_of_installed_files_are_printed_alone() -> None:
    include, kbuild = localvar("include"), localvar("kbuild")
    assert (include.status, include.err, kbuild.status, kbuild.err) == (0, "", 0, "")
    assert (Path(include.out.rstrip("\n")) / "localvar.h").is_file() and include.out.count("\n") == 1
    assert Path(kbuild.out.rstrip("\n")).is_file() and kbuild.out.endswith("localvar.mk\n")


def test_version_is_the_packages() -> None:
    assert localvar("--version") == Ran(0, f"localvar {__version__}\n", "")


def test_help_names_every_command_and_each_has_its_own() -> None:
    ran = localvar("--help")
    assert ran.status == 0 and ran.err == ""
    for command in ("expand", "vars", "doctor", "kbuild", "include"):
        assert f"\n  {command} " in ran.out
        help_ = localvar(command, "--help")
        assert (help_.status, help_.err) == (0, "") and help_.out.startswith(f"Usage: localvar {command} ")
