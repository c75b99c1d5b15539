# SPDX-License-Identifier: GPL-2.0-or-later
"""Compile commands as Kbuild saves them."""

from __future__ import annotations

from pathlib import Path

import pytest

from localvar.kbuild.cmdfile import CompileCommand, NoCommand, parse_command, read_cmd_file, saved_target
from tests.kbuild_files import write

# As 6.1 writes it, shortened: run in the build directory, the object's name absolute, objtool behind.
IN_BUILD = (
    "cmd_/m/oom.o :=  gcc-12 -Wp,-MMD,/m/.oom.o.d -nostdinc -I/src/include -I./include "
    "-include /src/kconfig.h -include ./include/own.h -D__KERNEL__ -fmacro-prefix-map=/src/= -O2 -DMODULE "
    "-DKBUILD_BASENAME='\"oom\"' -DKBUILD_MODNAME='\"oom\"' -D__KBUILD_MODNAME=kmod_oom "
    "-c -o /m/oom.o /m/oom.c   ; ./tools/objtool/objtool --orc --module /m/oom.o\n\n"
    "source_/m/oom.o := /m/oom.c\n\ndeps_/m/oom.o := \\\n  /src/kconfig.h \\\n")

# As 6.13 and later write it: run in the module's directory, names relative to it.
IN_MODULE = (
    "savedcmd_sub/oom.o := gcc-12 -Wp,-MMD,sub/.oom.o.d -I/src/include -I/build/include -Iown -O2 -DMODULE "
    "-DKBUILD_BASENAME='\"oom\"' -c -o sub/oom.o sub/oom.c\n")


def test_flags_of_a_command_run_in_the_build_directory_are_absolute(tmp_path: Path) -> None:
    command = read_cmd_file(write(tmp_path / ".oom.o.cmd", IN_BUILD), Path("/build"))
    assert command == CompileCommand(
        ("gcc-12",),
        ("-nostdinc", "-I/src/include", "-I/build/include", "-include", "/src/kconfig.h", "-include",
         "/build/include/own.h", "-D__KERNEL__", "-fmacro-prefix-map=/src/=", "-O2", "-DMODULE"),
        ('-DKBUILD_BASENAME="oom"', '-DKBUILD_MODNAME="oom"', "-D__KBUILD_MODNAME=kmod_oom"))


def test_place_of_a_relative_command_follows_from_the_objects_name(tmp_path: Path) -> None:
    command = read_cmd_file(write(tmp_path / "sub/.oom.o.cmd", IN_MODULE))
    assert command.flags == ("-I/src/include", "-I/build/include", f"-I{tmp_path}/own", "-O2", "-DMODULE")


def test_place_of_an_object_in_the_same_directory_is_that_directory(tmp_path: Path) -> None:
    command = read_cmd_file(write(tmp_path / ".oom.o.cmd", IN_MODULE.replace("sub/", "")))
    assert f"-I{tmp_path}/own" in command.flags


def test_relative_path_without_a_place_is_an_error_and_not_a_guess(tmp_path: Path) -> None:
    with pytest.raises(NoCommand, match=r"\./include .* nothing says to what"):
        read_cmd_file(write(tmp_path / ".oom.o.cmd", IN_BUILD))
    with pytest.raises(NoCommand, match="nothing says to what"):
        read_cmd_file(write(tmp_path / "other/.oom.o.cmd", IN_MODULE))


def test_makes_escapes_are_undone(tmp_path: Path) -> None:
    text = "cmd_/a.o := gcc -DHASH=$(pound)x -DPRICE='$$5 $$(pound)' -DQ='a;b' -c -o /a.o /a.c\n"
    command = read_cmd_file(write(tmp_path / ".a.o.cmd", text))
    assert command.flags == ("-DHASH=#x", "-DPRICE=$5 $(pound)", "-DQ=a;b")


@pytest.mark.parametrize("tail", ["; objtool x", ";objtool -Ix", "&& ld -r -o x", "| cat", ""])
def test_only_the_compilers_part_of_the_command_counts(tail: str) -> None:
    assert parse_command(f"gcc -O2 -c -o a.o a.c {tail}", None) == CompileCommand(("gcc",), ("-O2",), ())


def test_compiler_behind_ccache_keeps_both_words() -> None:
    assert parse_command("ccache clang --target=x -O2 a.c", None).compiler == ("ccache", "clang")


@pytest.mark.parametrize(("words", "flags"), [
    ("-I inc", ("-I", "/b/inc")), ("-I.", ("-I/b",)), ("-I./", ("-I/b",)),
    ("-I../src", ("-I/b/../src",)), ("-I=/sys", ("-I=/sys",)),
    ("-isystem ./x", ("-isystem", "/b/x")), ("-isystem/usr/x", ("-isystem/usr/x",)),
    ("-fplugin=./scripts/p.so", ("-fplugin=/b/scripts/p.so",)),
    ("-frandomize-layout-seed-file=./s", ("-frandomize-layout-seed-file=/b/s",)),
    ("@./include/flags", ("@/b/include/flags",)),
    ("-mllvm -msan-disable-checks=1", ("-mllvm", "-msan-disable-checks=1")),
    ("--param asan=1 -x c", ("--param", "asan=1", "-x", "c")), ("-D X=1", ("-D", "X=1")),
    ("-Wp,-MD,x.d -MF x.d -MTx -MMD -oa.o -E -S -c", ()),
    ("-Wp,-D_FORTIFY_SOURCE=2", ("-Wp,-D_FORTIFY_SOURCE=2",)),
    ("-mfentry -Os -include", ("-mfentry", "-Os", "-include", "/b")),
])
def test_each_kind_of_option_is_kept_moved_or_dropped(words: str, flags: tuple[str, ...]) -> None:
    assert parse_command(f"gcc -O2 a.c {words}", Path("/b")).flags == ("-O2", *flags)


@pytest.mark.parametrize(("text", "why"), [
    ("", "no saved command"), ("source_a.o := a.c\n", "no saved command"),
    ("cmd_a.o := \n", "not a compiler's"),
    ("cmd_a.o := rm x\n", "not a compiler's"), ("cmd_a.o := gcc -DX='open -c a.c\n", "does not end"),
])
def test_file_without_a_compile_command_is_an_error(tmp_path: Path, text: str, why: str) -> None:
    with pytest.raises(NoCommand, match=why):
        read_cmd_file(write(tmp_path / ".a.o.cmd", text))


def test_saved_target_is_the_object_as_kbuild_names_it() -> None:
    assert saved_target(IN_BUILD) == "/m/oom.o"
    assert saved_target(IN_MODULE) == "sub/oom.o"
    assert saved_target("deps_x := y\n") is None
