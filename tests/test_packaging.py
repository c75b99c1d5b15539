# SPDX-License-Identifier: GPL-2.0-or-later
"""Wheel and sdist: what is in them, and that a fresh environment expands and builds a handler with nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from email import message_from_bytes
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import localvar
from tests.kernel import kernels, requires
from tests.kernel.build import make
from tests.kernel.kernels import InstalledKernel, MissingKernel

ROOT = Path(__file__).resolve().parents[1]

HANDLER = """\
// SPDX-License-Identifier: GPL-2.0-only
#include <linux/fs.h>
#include <linux/module.h>
#include <localvar.h>

static int show(struct pt_regs *regs, void *buf, int bufsize)
{
	return scnprintf(buf, bufsize, "%zu", GET_LOCAL_VAR(count, size_t));
}
LOCALVAR_PROBE(show, "vfs_read");

LOCALVAR_MODULE();
MODULE_LICENSE("GPL");
"""


def run(*command: str | Path, cwd: Path) -> str:
    """Standard output of a command that must succeed; it finds no localvar but the one it runs in."""
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "VIRTUAL_ENV")}
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


def build(source: Path, folder: Path) -> dict[str, Path]:
    """Build wheel and sdist of the tree at source into folder; the files by their suffix."""
    run(sys.executable, "-m", "hatchling", "build", "-d", folder, cwd=source)
    return {file.suffix: file for file in folder.iterdir()}


@dataclass(frozen=True)
class Environment:
    """An installation: a virtual environment and a folder to work in."""

    bin: Path
    work: Path

    def localvar(self, *arguments: str | Path) -> str:
        """What a localvar command prints; it must succeed."""
        return run(self.bin / "localvar", *arguments, cwd=self.work)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return build(ROOT, tmp_path_factory.mktemp("dist"))


@pytest.fixture(scope="module")
def environment(built: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """An environment with the wheel and the distributions that it says it needs, no other."""
    folder = tmp_path_factory.mktemp("environment")
    run(sys.executable, "-m", "venv", "--without-pip", folder, cwd=folder)
    (site,) = folder.glob("lib/python*/site-packages")
    for name in declared_dependencies(built[".whl"]):
        link_distribution(name, site)
    # Without an index pip succeeds only where every requirement is met by what was linked.
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", folder / "bin/python")
    run(*pip, "install", "--quiet", "--no-index", built[".whl"], cwd=folder)
    return Environment(folder / "bin", tmp_path_factory.mktemp("work"))


def declared_dependencies(wheel: Path) -> list[str]:
    """The distributions that a wheel needs, those that these need included."""
    needed = [requirement.name for requirement in requirements(wheel_requires(wheel))]
    for name in needed:
        needed += [further.name for further in requirements(metadata.requires(name)) if further.name not in needed]
    return needed


def wheel_requires(wheel: Path) -> list[str]:
    """The requirement lines of a wheel."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return message_from_bytes(archive.read(name)).get_all("Requires-Dist") or []


def requirements(lines: list[str] | None) -> Iterator[Requirement]:
    """What requirement lines ask for on this system."""
    for line in lines or ():
        requirement = Requirement(line)
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            yield requirement


def link_distribution(name: str, site: Path) -> None:
    """Put an installed distribution into the site-packages of another environment."""
    distribution = metadata.distribution(name)
    for top in {file.parts[0] for file in distribution.files or ()} - {"..", "__pycache__"}:
        (site / top).symlink_to(Path(str(distribution.locate_file(top))).resolve())


def names_in(wheel: Path) -> set[str]:
    return set(zipfile.ZipFile(wheel).namelist())


def test_wheel_holds_the_headers_and_the_kbuild_files_of_the_tree(built: dict[str, Path]) -> None:
    files = {
        f"localvar/data/{file.relative_to(ROOT)}"
        for folder in ("include", "kbuild_plugin")
        for file in (ROOT / folder).rglob("*")
        if file.is_file()
    }
    assert "localvar/data/include/localvar.h" in files
    assert {name for name in names_in(built[".whl"]) if name.startswith("localvar/data/")} == files


def test_wheel_holds_the_package_and_its_metadata_alone(built: dict[str, Path]) -> None:
    tops = {name.split("/")[0] for name in names_in(built[".whl"])}
    assert tops == {"localvar", f"localvar-{localvar.__version__}.dist-info"}


def test_pinned_versions_are_in_the_ranges_that_the_wheel_asks_for(built: dict[str, Path]) -> None:
    lines = (ROOT / "tools/requirements.txt").read_text().splitlines()
    pins = {pin.name: pin.specifier for pin in requirements([line for line in lines if line and not line.startswith("#")])}
    assert all([single.operator for single in pin] == ["=="] for pin in pins.values())
    for requirement in requirements(wheel_requires(built[".whl"])):
        (pin,) = pins[requirement.name]
        assert requirement.specifier.contains(pin.version), f"{requirement} and {pin}"


def test_sdist_gives_the_same_wheel(built: dict[str, Path], tmp_path: Path) -> None:
    run("tar", "-xf", built[".gz"], cwd=tmp_path)
    (tree,) = tmp_path.iterdir()
    assert (tree / "Makefile").is_file() and (tree / "tests/test_packaging.py").is_file()
    again = build(tree, tmp_path / "dist")[".whl"]
    with zipfile.ZipFile(built[".whl"]) as one, zipfile.ZipFile(again) as two:
        assert {name: one.read(name) for name in one.namelist()} == {name: two.read(name) for name in two.namelist()}


def test_installed_localvar_says_its_version(environment: Environment) -> None:
    assert localvar.__version__ in environment.localvar("--version")


def test_every_module_loads_with_the_declared_dependencies_alone(environment: Environment) -> None:
    script = (
        "import importlib, pkgutil, localvar\n"
        "names = [m.name for m in pkgutil.walk_packages(localvar.__path__, 'localvar.') if m.name != 'localvar.__main__']\n"
        "for name in names: importlib.import_module(name)\n"
        "print(len(names))"
    )
    assert int(run(environment.bin / "python", "-c", script, cwd=environment.work)) > 50


def test_installed_headers_and_kbuild_fragment_are_siblings_in_the_environment(environment: Environment) -> None:
    include = Path(environment.localvar("include").strip())
    fragment = Path(environment.localvar("kbuild").strip())
    assert (include / "localvar.h").is_file() and fragment.is_file()
    assert include == fragment.parent.parent / "include"
    assert environment.bin.parent in include.parents


@pytest.fixture
def kernel() -> InstalledKernel:
    """Linux 6.1 with its debug info and headers; the test is skipped where they are not installed."""
    found = kernels.find("6.1")
    if isinstance(found, MissingKernel):
        requires.missing(found.reason)
    return found


def test_installed_localvar_expands_a_handler(environment: Environment, kernel: InstalledKernel) -> None:
    (environment.work / "handler.c").write_text(HANDLER)
    environment.localvar("expand", "handler.c", "--kernel", kernel.release)
    text = (environment.work / "handler.localvar.c").read_text()
    assert "return (size_t)regs->dx;" in text and "GET_LOCAL_VAR" not in text


def test_installed_fragment_builds_a_module(environment: Environment, kernel: InstalledKernel, tmp_path: Path) -> None:
    (tmp_path / "handler.c").write_text(HANDLER)
    (tmp_path / "Kbuild").write_text("obj-m += handler.o\ninclude $(shell localvar kbuild)\n")
    output = make(kernel, tmp_path, "localvar=1", env={"PATH": f"{environment.bin}:{os.environ['PATH']}", "PYTHONPATH": ""})
    assert (tmp_path / "handler.ko").is_file()
    assert "LOCALVAR" in output and "warning" not in output.lower()
    assert str(environment.bin.parent) in (tmp_path / ".handler.o.cmd").read_text()
