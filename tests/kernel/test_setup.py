# SPDX-License-Identifier: GPL-2.0-or-later
"""tools/setup-debian.sh, with dpkg-query, apt-get, sudo and id of our own."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from .kernels import KERNELS

TOOLS = Path(__file__).parents[2] / "tools"

_PROGRAMS = {
    # Knows the packages in $STATE/installed, one a line; fails if asked for another.
    "dpkg-query": """
        shift 3
        for p; do grep -qx "$p" $STATE/installed && echo "$p installed" || bad=1; done
        exit ${bad:-0}
    """,
    # Notes its call; fails the first $STATE/failures installs; a good one installs.
    "apt-get": """
        echo "$*" >> $STATE/calls
        case "$*" in *install*) ;; *) exit 0 ;; esac
        read left < $STATE/failures
        [ $left = 0 ] || { echo $((left - 1)) > $STATE/failures; exit 100; }
        for p; do echo $p; done >> $STATE/installed
    """,
    "id": "cat $STATE/uid",
    "sudo": 'echo "sudo $*" >> $STATE/calls; exec "$@"',
}


@dataclass(frozen=True)
class Machine:
    """A make-believe Debian."""

    folder: Path

    def setup(self, *args: str) -> subprocess.CompletedProcess[str]:
        env = {"PATH": str(self.folder / "bin"), "STATE": str(self.folder)}
        return subprocess.run(
            ["/bin/sh", TOOLS / "setup-debian.sh", *args],
            check=False,
            env=env,
            capture_output=True,
            text=True,
            timeout=20,
        )

    def installs(self) -> list[set[str]]:
        """The packages of each apt-get install command."""
        calls = (self.folder / "calls").read_text().splitlines()
        words = [call.split() for call in calls if " install " in call and not call.startswith("sudo")]
        return [set(call[call.index("--no-install-recommends") + 1 :]) for call in words]


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, script in _PROGRAMS.items():
        (programs / name).write_text(f"#!/bin/sh\n{script}\n")
        (programs / name).chmod(0o755)
    for name in ("env", "cat", "grep"):
        (programs / name).symlink_to(f"/usr/bin/{name}")
    for name, text in {
        "installed": "",
        "failures": "0\n",
        "uid": "0\n",
        "calls": "",
    }.items():
        (tmp_path / name).write_text(text)
    return Machine(tmp_path)


def _lines(*groups: str) -> list[set[str]]:
    lines = [line.split() for line in (TOOLS / "packages.txt").read_text().splitlines()]
    return [set(packages) for group, *packages in lines if group in groups]


def test_every_kernel_of_the_list_is_one_line_of_the_packages() -> None:
    for kernel in KERNELS:
        assert set(kernel.packages) in _lines("demo", "test")


def test_setup_installs_each_line_by_one_command(machine: Machine) -> None:
    done = machine.setup()
    assert done.returncode == 0, done.stderr
    assert machine.installs() == _lines("demo", "test")


def test_setup_of_the_demo_installs_one_kernel(machine: Machine) -> None:
    assert machine.setup("demo").returncode == 0
    assert machine.installs() == _lines("demo")
    assert set(KERNELS[0].packages) in machine.installs()
    assert not any(set(KERNELS[1].packages) & packages for packages in machine.installs())


def test_setup_does_not_call_apt_where_all_is_installed(machine: Machine) -> None:
    (machine.folder / "installed").write_text("\n".join(set().union(*_lines("demo", "test"))) + "\n")
    done = machine.setup("test")
    assert done.returncode == 0 and "is installed" in done.stderr
    assert (machine.folder / "calls").read_text() == ""


def test_setup_installs_again_a_line_of_which_one_package_is_missing(
    machine: Machine,
) -> None:
    everything = set().union(*_lines("demo", "test"))
    (machine.folder / "installed").write_text("\n".join(everything - {KERNELS[1].packages[2]}) + "\n")
    assert machine.setup("test").returncode == 0
    assert machine.installs() == [set(KERNELS[1].packages)]


def test_setup_tries_once_more_after_a_failure(machine: Machine) -> None:
    (machine.folder / "failures").write_text("1\n")
    assert machine.setup("demo").returncode == 0
    first, *rest = machine.installs()
    assert [first, *_lines("demo")[1:]] == rest


def test_setup_names_what_is_missing_where_installing_fails_twice(
    machine: Machine,
) -> None:
    (machine.folder / "failures").write_text("2\n")
    done = machine.setup("demo")
    assert done.returncode == 4
    last = done.stderr.splitlines()[-1]
    assert "could not install" in last and set().union(*_lines("demo")) <= set(last.split())
    assert len(machine.installs()) == 2


def test_setup_uses_sudo_where_it_is_not_root(machine: Machine) -> None:
    (machine.folder / "uid").write_text("1000\n")
    assert machine.setup("demo").returncode == 0
    calls = (machine.folder / "calls").read_text().splitlines()
    assert [call.startswith("sudo") for call in calls] == [True, False] * (len(calls) // 2)


def test_setup_without_root_and_sudo_names_what_root_must_install(
    machine: Machine,
) -> None:
    (machine.folder / "uid").write_text("1000\n")
    (machine.folder / "bin/sudo").unlink()
    done = machine.setup("demo")
    assert done.returncode == 3 and "qemu-system-x86" in done.stderr
    assert (machine.folder / "calls").read_text() == ""


def test_setup_elsewhere_than_on_debian_points_to_the_list(machine: Machine) -> None:
    (machine.folder / "bin/apt-get").unlink()
    done = machine.setup("demo")
    assert done.returncode == 3 and "packages.txt" in done.stderr


@pytest.mark.parametrize("args", [("nosuch",), ("demo", "test")])
def test_setup_refuses_what_it_does_not_know(machine: Machine, args: tuple[str, ...]) -> None:
    done = machine.setup(*args)
    assert done.returncode == 2 and "usage" in done.stderr
