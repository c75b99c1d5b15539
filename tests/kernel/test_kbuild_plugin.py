# SPDX-License-Identifier: GPL-2.0-or-later
"""The makefile fragment (kbuild_plugin/) with real kernels' headers; the localvar it calls is a fake."""

from __future__ import annotations

import json
import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from . import requires
from .build import BuildError, make
from .kernels import InstalledKernel

FRAGMENT = Path(__file__).parents[2] / "kbuild_plugin" / "localvar.mk"
FAKE = Path(__file__).with_name("fake_localvar.py")

LICENSE = """
__asm__(".pushsection .modinfo, \\"a\\"\\n.asciz \\"license=GPL\\"\\n.asciz \\"description=x\\"\\n.popsection");
"""
#: A composite module (one file of it plain, one in a folder), a simple one, and one with a Kbuild file of its own.
PROJECT = {
    "Kbuild": """
include $(shell localvar kbuild)
obj-m += vm.o one.o dir/
vm-objs := a.o
vm-y += plain.o sub/b.o
CFLAGS_one.o := -DONE
""",
    "dir/Kbuild": "obj-m += inner.o\ninclude $(shell localvar kbuild)\n",
    "a.c": f'#include "own.h"\n{LICENSE}',
    "own.h": '#include "deeper.h"\n',
    "deeper.h": "# include <localvar.h>\n",
    "plain.c": '#include "other.h"\nint plain;\n',
    "other.h": "/* #include <localvar.h> */\n",
    "sub/b.c": "#include <localvar.h>\n",
    "one.c": f"#include <localvar.h>\n{LICENSE}",
    "dir/inner.c": f"#include <localvar.h>\n{LICENSE}",
}
WHAT_TO_DO = "not expanded by localvar: run 'make ... localvar=1', or 'localvar expand FILE'"
ALL = ["a", "dir/inner", "one", "sub/b"]


@dataclass(frozen=True)
class Project:
    """A folder of sources, and the make that builds it."""

    kernel: InstalledKernel
    folder: Path

    def make(self, *args: str, localvar: bool = True, **env: str) -> str:
        """Run make; return its output."""
        bin_folder = self.folder.parent / "bin"
        environment = {
            "PATH": f"{bin_folder}:{os.environ['PATH']}",
            "FAKE_FRAGMENT": str(FRAGMENT),
            "FAKE_LOG": str(self.folder.parent / "log"),
            "FAKE_VMLINUX": str(self.folder.parent / "vmlinux"),
        }
        switch = ["localvar=1"] if localvar else []
        return make(self.kernel, self.folder, *switch, *args, env=environment | env)

    def calls(self) -> list[list[str]]:
        """The arguments of each ``localvar expand`` since the last call of this."""
        log = self.folder.parent / "log"
        lines = log.read_text().splitlines() if log.exists() else []
        log.unlink(missing_ok=True)
        return [json.loads(line) for line in lines]

    def expanded(self) -> list[str]:
        """The files expanded since the last call of this or of `calls`: ``sub/b``."""
        files = [os.path.realpath(self.folder / call[0]) for call in self.calls()]
        return sorted(str(Path(file).relative_to(self.folder).with_suffix("")) for file in files)


@pytest.fixture
def project(kernel: InstalledKernel, tmp_path: Path) -> Project:
    folder = (tmp_path / "project").resolve()
    for name, text in PROJECT.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "localvar").symlink_to(FAKE)
    (tmp_path / "vmlinux").touch()
    return Project(kernel, folder)


def symbols(ko: Path) -> set[str]:
    text = subprocess.run(["nm", ko], check=True, capture_output=True, text=True).stdout
    return {line.split()[-1] for line in text.splitlines()}


def test_files_that_reach_localvar_h_are_expanded_and_their_expansion_is_compiled(project: Project) -> None:
    project.make("-j4")
    calls = {Path(call[0]).stem: call for call in project.calls()}
    assert sorted(calls) == ["a", "b", "inner", "one"]
    assert {"expanded_a", "expanded_b", "plain"} <= symbols(project.folder / "vm.ko")
    assert "expanded_one" in symbols(project.folder / "one.ko")
    assert "expanded_inner" in symbols(project.folder / "dir/inner.ko")

    units = [Path(calls["a"][i + 1]).resolve() for i, word in enumerate(calls["a"]) if word == "--unit"]
    assert units == [project.folder / "a.c", project.folder / "sub/b.c"]
    assert "--unit" not in calls["one"]
    build = calls["a"][calls["a"].index("--build") + 1]
    assert Path(build).samefile(project.kernel.build)


def test_flags_are_those_of_the_object(project: Project) -> None:
    project.make("LOCALVAR_VMLINUX=/some/vmlinux", "KCFLAGS=-DFLAG=1")
    calls = {Path(call[0]).stem: call for call in project.calls()}
    flags = {name: call[call.index("--") + 1 :] for name, call in calls.items()}
    common = {"-DMODULE", "-D__KERNEL__", "-DFLAG=1", "-O2"}
    assert common | {'-DKBUILD_MODNAME="vm"', '-DKBUILD_BASENAME="a"'} <= set(flags["a"])
    assert common | {'-DKBUILD_MODNAME="vm"', '-DKBUILD_BASENAME="b"'} <= set(flags["b"])
    assert common | {'-DKBUILD_MODNAME="one"', "-DONE"} <= set(flags["one"])
    assert not [flag for flag in flags["one"] if flag.startswith("-Wp,-M")]
    assert calls["one"][calls["one"].index("--vmlinux") + 1] == "/some/vmlinux"


def test_second_make_does_nothing(project: Project) -> None:
    project.make()
    assert project.expanded() == ALL
    before = {path: path.stat().st_mtime_ns for path in project.folder.rglob("*.o")}
    project.make()
    assert project.expanded() == []
    assert {path: path.stat().st_mtime_ns for path in project.folder.rglob("*.o")} == before


def test_what_changed_is_expanded_again_and_only_that(project: Project) -> None:
    vmlinux = project.folder.parent / "vmlinux"
    project.make()
    project.calls()

    (project.folder / "deeper.h").touch()
    project.make()
    assert project.expanded() == ["a"]

    (project.folder / "sub/b.c").touch()
    project.make()
    assert project.expanded() == ["sub/b"]

    vmlinux.touch()
    project.make()
    assert project.expanded() == ALL

    # As a package's files come: new in their place, their date in the past.
    vmlinux.unlink()
    vmlinux.touch()
    os.utime(vmlinux, (1e9, 1e9))
    project.make()
    assert project.expanded() == ALL

    project.make("KCFLAGS=-DOTHER")
    assert project.expanded() == ALL
    project.make("KCFLAGS=-DOTHER")
    assert project.expanded() == []


def test_header_that_is_gone_stops_no_build(project: Project) -> None:
    project.make()
    project.calls()
    (project.folder / "own.h").unlink()
    (project.folder / "a.c").write_text(f"#include <localvar.h>\n{LICENSE}")
    project.make()
    assert project.expanded() == ["a"]
    project.make()
    assert project.expanded() == []


def test_localvar_that_fails_fails_the_build_until_it_is_mended(project: Project) -> None:
    with pytest.raises(BuildError, match="failed on purpose"):
        project.make(FAKE_FAILS="1")
    project.calls()
    project.make()
    assert project.expanded() == ALL
    (project.folder / "one.c").touch()
    with pytest.raises(BuildError, match="failed on purpose"):
        project.make(FAKE_FAILS="1")
    project.calls()
    project.make()
    assert project.expanded() == ["one"]


def test_clean_leaves_only_sources(project: Project) -> None:
    project.make()
    assert (project.folder / "sub/b.localvar.c").exists()
    project.make("clean", localvar=False)
    left = {str(path.relative_to(project.folder)) for path in project.folder.rglob("*") if path.is_file()}
    assert left == set(PROJECT)


def test_checker_sees_the_expansion(project: Project) -> None:
    checker = project.folder.parent / "bin" / "checker"
    checker.write_text('#!/bin/sh\nfor file; do :; done\necho "checked $file"\n')
    checker.chmod(0o755)
    output = project.make("C=2", f"CHECK={checker}", "V=1")
    checked = {Path(file).name for file in re.findall(r"^checked (\S+)$", output, re.MULTILINE)}
    assert {"a.localvar.c", "b.localvar.c", "one.localvar.c", "inner.localvar.c"} <= checked


def test_without_localvar_1_the_build_stops_at_the_line_that_says_what_to_do(project: Project) -> None:
    with pytest.raises(BuildError) as caught:
        project.make("-k", localvar=False)
    errors = re.findall(r"error: .*", str(caught.value))
    assert len(errors) == len(ALL) and all(WHAT_TO_DO in error for error in errors)
    assert project.expanded() == []


HANDLER = """
#include <localvar.h>
struct pt_regs;
static int handler(struct pt_regs *regs, void *buf, int bufsize)
{
    char *task = GET_LOCAL_VAR(tsk);
    unsigned long address = GET_LOCAL_VAR(address, unsigned long);

    if (LOCAL_VAR_AVAILABLE(sc.nr))
        SET_LOCAL_VAR(nr[2], 0);
    return task && address ? PRINT_LOCAL_VARS(buf, bufsize) : GET_LOCAL_VAR_OR(n, -1);
}
LOCALVAR_PROBE(handler, "f");
PROBE_ALIAS("vm.oom", "f");
LOCALVAR_BEGIN(handler);
LOCALVAR_MODULE();
"""


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_handler_file_compiled_as_it_is_gives_one_error(compiler: str, tmp_path: Path) -> None:
    file = tmp_path / "handler.c"
    file.write_text(HANDLER)
    include = f"-I{FRAGMENT.parents[1] / 'include'}"
    command = [_program(compiler), "-w", include, "-fsyntax-only", str(file)]
    done = subprocess.run(command, capture_output=True, text=True)
    errors = re.findall(r"error: .*", done.stderr)
    assert len(errors) == 1 and WHAT_TO_DO in errors[0]


def _program(name: str) -> str:
    """The program `name`, or one of that name with a version: clang-16."""
    folders = map(Path, os.environ["PATH"].split(":"))
    found = [path for folder in folders for path in sorted(folder.glob(f"{name}*"))]
    programs = [str(path) for path in found if re.fullmatch(rf"{name}(-\d+)?", path.name)]
    if not programs:
        requires.missing(f"no {name}")
    return programs[0]
