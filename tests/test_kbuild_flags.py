# SPDX-License-Identifier: GPL-2.0-or-later
"""Flags that Kbuild compiles a module with: from made-up makefiles, and from the kernels installed here."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from localvar.diagnostics import Exit, Failure
from localvar.kbuild.environment import BuildDirectory, Host
from localvar.kbuild.flags import KernelFlags, kernel_flags, make_environment, make_variables
from tests.kbuild_files import build_directory, on_installed_kernels, program, write

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="the command make is not installed")

NAMES = ("-DKBUILD_BASENAME='\"localvar_flags\"' -DKBUILD_MODNAME='\"localvar_flags\"' "
         "-D__KBUILD_MODNAME=kmod_localvar_flags")



def kbuild(directory: str, target: str, extra: str = "") -> str:
    """A makefile that saves a command as Kbuild does: run in directory, for target."""
    return f"""\
define saved
cmd_{target} := cc -E -Wp,-MMD,x.d -I./include {extra} {NAMES} -o {target} {target[:-2]}.c
endef
export saved
localvar_flags.i:
\t@echo run >> {directory}/runs
\t@printenv saved > $(M)/.$@.cmd
"""


@pytest.fixture
def host(tmp_path: Path) -> Host:
    environ = {"PATH": os.environ["PATH"], "XDG_CACHE_HOME": str(tmp_path / "cache")}
    return Host(tmp_path, environ, "6.1.0", "x86_64")


def tree(path: Path, makefile: str) -> BuildDirectory:
    return BuildDirectory(build_directory(path, makefile=makefile), "6.1.0")


def runs(build: BuildDirectory) -> int:
    """How often make ran."""
    log = build.path / "runs"
    return len(log.read_text().splitlines()) if log.exists() else 0


def old_kbuild(tmp_path: Path, extra: str = "") -> BuildDirectory:
    path = tmp_path / "build"
    return tree(path, kbuild(str(path), "$(M)/localvar_flags.i", extra))


def test_relative_paths_are_from_the_build_directory_up_to_6_12(tmp_path: Path, host: Host) -> None:
    build = old_kbuild(tmp_path, "-DX=1")
    assert kernel_flags(build, host).command.flags == (f"-I{build.path}/include", "-DX=1")


def test_module_directory_of_6_13_leaves_no_path_of_the_scratch_module(tmp_path: Path, host: Host) -> None:
    path = tmp_path / "build"
    build = tree(path, kbuild(str(path), "localvar_flags.i", f"-I{path}/include -I. -DX=1"))
    assert kernel_flags(build, host).command.flags == (f"-I{path}/include", "-DX=1")


def test_link_to_the_build_directory_gives_the_same_flags(tmp_path: Path, host: Host) -> None:
    build = old_kbuild(tmp_path)
    link = tmp_path / "link"
    link.symlink_to(build.path)
    assert kernel_flags(BuildDirectory(link, "6.1.0"), host) == kernel_flags(build, host)
    assert runs(build) == 1


def test_names_are_those_of_the_file_and_its_module(tmp_path: Path, host: Host) -> None:
    flags = kernel_flags(old_kbuild(tmp_path), host)
    assert flags.for_file(Path("/x/my-oom.localvar.c"))[-3:] == (
        '-DKBUILD_BASENAME="my_oom"', '-DKBUILD_MODNAME="my_oom"', "-D__KBUILD_MODNAME=kmod_my_oom")
    assert flags.for_file(Path("/x/oom.c"), "vm-watch")[-3:] == (
        '-DKBUILD_BASENAME="oom"', '-DKBUILD_MODNAME="vm_watch"', "-D__KBUILD_MODNAME=kmod_vm_watch")


def test_answer_is_kept_until_configuration_or_environment_change(tmp_path: Path, host: Host) -> None:
    build = old_kbuild(tmp_path)
    first = kernel_flags(build, host)
    assert kernel_flags(build, host) == first
    assert runs(build) == 1
    os.utime(build.path / "include/config/auto.conf", (1, 1))
    kernel_flags(build, host)
    assert runs(build) == 2
    write(build.path / ".config", "CONFIG_X=y\n")
    kernel_flags(build, host)
    assert runs(build) == 3
    other = Host(tmp_path, {**host.environ, "KCFLAGS": "-DX"}, "6.1.0", "x86_64")
    kernel_flags(build, other)
    assert runs(build) == 4
    kernel_flags(build, Host(tmp_path, {**host.environ, "TMPDIR": str(tmp_path)}, "6.1.0", "x86_64"))
    assert runs(build) == 4


def test_new_compiler_makes_the_kept_answer_stale(tmp_path: Path, host: Host) -> None:
    program(tmp_path / "bin/cc", "exit 0\n")
    environ = {**host.environ, "PATH": f"{tmp_path}/bin:{host.environ['PATH']}"}
    build, on = old_kbuild(tmp_path), Host(tmp_path, environ, "6.1.0", "x86_64")
    kernel_flags(build, on)
    kernel_flags(build, on)
    assert runs(build) == 1
    program(tmp_path / "bin/cc", "exit 0 # newer\n")
    kernel_flags(build, on)
    assert runs(build) == 2


@pytest.mark.parametrize("damage", [
    "", "{", "[]", '{"compiler": []}', '{"compiler": 3, "flags": 3, "names": 3}', "\\",
])
def test_damaged_entry_of_the_cache_is_written_anew(tmp_path: Path, host: Host, damage: str) -> None:
    build = old_kbuild(tmp_path)
    first = kernel_flags(build, host)
    entry, = (tmp_path / "cache/localvar/flags").iterdir()
    entry.write_text(damage)
    assert kernel_flags(build, host) == first
    assert runs(build) == 2
    assert kernel_flags(build, host) == first
    assert runs(build) == 2


def test_cache_that_cannot_be_written_is_no_error(tmp_path: Path, host: Host) -> None:
    write(tmp_path / "cache", "a file where the directory would be")
    build = old_kbuild(tmp_path)
    assert kernel_flags(build, host) == kernel_flags(build, host)
    assert runs(build) == 2
    nowhere = Host(tmp_path, {"PATH": os.environ["PATH"]}, "6.1.0", "x86_64")
    assert kernel_flags(build, nowhere) == kernel_flags(build, host)


def failure_of(build: BuildDirectory, host: Host, timeout: float = 60) -> Failure:
    with pytest.raises(Failure) as caught:
        kernel_flags(build, host, timeout)
    assert caught.value.status is Exit.ENVIRONMENT
    return caught.value


def test_failing_make_is_an_error_with_what_make_said(tmp_path: Path, host: Host) -> None:
    build = tree(tmp_path / "build", "localvar_flags.i:\n\t@echo gcc-99: not found >&2; exit 1\n")
    diagnostic = failure_of(build, host).diagnostics[0]
    assert diagnostic.slug == "kbuild-failed"
    assert "gcc-99: not found" in [note.message for note in diagnostic.notes]
    assert str(build.path) in diagnostic.message


@pytest.mark.parametrize(("recipe", "why"), [
    ("@:", "saved no command"), ("@echo cmd_x := rm y > $(M)/.$@.cmd", "not a compiler's"),
])
def test_makefile_that_is_not_kbuild_is_an_error(tmp_path: Path, host: Host, recipe: str, why: str) -> None:
    build = tree(tmp_path / "build", f"localvar_flags.i:\n\t{recipe}\n")
    assert why in failure_of(build, host).diagnostics[0].message


def test_make_that_does_not_end_is_ended_with_all_it_started(tmp_path: Path, host: Host) -> None:
    build = tree(tmp_path / "build", "localvar_flags.i:\n\t@sh -c 'echo $$$$ > pid; exec sleep 60'\n")
    start = time.monotonic()
    assert failure_of(build, host, 1).diagnostics[0].slug == "kbuild-timeout"
    assert time.monotonic() - start < 30
    pid = int((build.path / "pid").read_text())
    stat = Path(f"/proc/{pid}/stat")
    assert not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] == "Z"


def test_missing_make_is_said(tmp_path: Path, host: Host) -> None:
    build = old_kbuild(tmp_path)
    on = Host(tmp_path, {"PATH": str(tmp_path)}, "6.1.0", "x86_64")
    assert failure_of(build, on).diagnostics[0].slug == "no-make"


def test_environment_of_a_build_around_us_does_not_reach_make() -> None:
    outer = {"MAKEFLAGS": "-n", "sub_make_done": "1", "KBUILD_EXTMOD": "/x", "srctree": "/y"}
    own = {"PATH": "/bin", "LLVM": "1"}
    assert make_environment({**outer, **own}) == {**own, "LC_ALL": "C"}


@pytest.mark.parametrize(("config", "machine", "environ", "variables"), [
    ("CONFIG_X86_64=y\n", "x86_64", {}, ()),
    ("CONFIG_X86_64=y\nCONFIG_CC_IS_CLANG=y\n", "x86_64", {}, ("LLVM=1",)),
    ("CONFIG_X86_64=y\nCONFIG_CC_IS_CLANG=y\n", "x86_64", {"LLVM": "-16"}, ()),
    ("CONFIG_ARM64=y\n", "x86_64", {}, ("ARCH=arm64", "CROSS_COMPILE=aarch64-linux-gnu-")),
    ("CONFIG_ARM64=y\n", "aarch64", {}, ()),
    ("CONFIG_ARM64=y\nCONFIG_CC_IS_CLANG=y\n", "x86_64", {}, ("LLVM=1", "ARCH=arm64")),
    ("CONFIG_X86_64=y\n", "aarch64", {"CROSS_COMPILE": "x86-"}, ("ARCH=x86_64",)),
])
def test_make_is_told_what_the_configuration_says(
        tmp_path: Path, config: str, machine: str, environ: dict[str, str],
        variables: tuple[str, ...]) -> None:
    write(tmp_path / "include/config/auto.conf", config)
    assert make_variables(tmp_path, Host(tmp_path, environ, "6.1.0", machine)) == variables


SOURCE = """\
#include <linux/module.h>
#include <linux/mm.h>
static_assert(sizeof(KBUILD_BASENAME) == sizeof("my_oom"));
bool probe(struct page *page);
bool probe(struct page *page) { return PageLRU(page); }
MODULE_LICENSE("GPL");
"""


def installed_flags(release: str, tmp_path: Path) -> KernelFlags:
    outer = {"MAKEFLAGS": "-n", "sub_make_done": "1"}
    host = Host(environ={**os.environ, **outer, "XDG_CACHE_HOME": str(tmp_path / "cache")})
    return kernel_flags(BuildDirectory(Path("/lib/modules", release, "build"), release), host)


@on_installed_kernels
def test_flags_of_an_installed_kernel_compile_a_file_from_anywhere(tmp_path: Path, release: str) -> None:
    flags = installed_flags(release, tmp_path)
    source = write(tmp_path / "src/my-oom.c", SOURCE)
    done = subprocess.run(
        [*flags.command.compiler, *flags.for_file(source), "-fsyntax-only", source], cwd="/",
        capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    paths = [match.group(1) for flag in flags.command.flags if (match := re.match(r"-I(.+)", flag))]
    assert len(paths) >= 8
    assert all(os.path.isabs(path) and os.path.isdir(path) for path in paths)
    assert "-DMODULE" in flags.command.flags
    assert not [flag for flag in flags.command.flags if "localvar" in flag]


@on_installed_kernels
def test_flags_of_an_installed_kernel_are_those_a_module_is_built_with(tmp_path: Path, release: str) -> None:
    source = write(tmp_path / "m/my-oom.c", SOURCE)
    write(tmp_path / "m/Kbuild", "obj-m += my-oom.o\n")
    build = Path("/lib/modules", release, "build")
    subprocess.run(["make", "-s", "-C", build, f"M={source.parent}", "my-oom.o"], check=True, timeout=120,
                   env=make_environment(os.environ))
    saved = (source.parent / ".my-oom.o.cmd").read_text().partition("\n")[0]
    words = saved.partition(" := ")[2].partition(" ; ")[0].replace("'", "").split()
    directory = os.path.realpath(build)
    expected = [re.sub(r"^-I\./", f"-I{directory}/", word) for word in words
                if not word.startswith(("-Wp,-MMD", str(source.parent))) and word not in ("-c", "-o")]
    flags = installed_flags(release, tmp_path)
    assert [*flags.command.compiler, *flags.for_file(source)] == expected
