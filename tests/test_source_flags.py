# SPDX-License-Identifier: GPL-2.0-or-later
"""gcc's options to libclang's: what changes the meaning of the text stays, the rest goes."""

from __future__ import annotations

from pathlib import Path

import pytest

from localvar.source.flags import clang_flags, include_directories
from tests.source_program import handler, scanned


def kept(*flags: str) -> list[str]:
    added = clang_flags([], "/build")
    return [flag for flag in clang_flags(flags, "/build") if flag not in added]


@pytest.mark.parametrize(("flags", "wanted"), [
    (["-I./include", "-I", "../common", "-isystem", "/usr/inc"],
     ["-I/build/include", "-I/common", "-isystem/usr/inc"]),
    (["-DA", "-D", "B=1", "-UC", '-DKBUILD_MODNAME="oom"'],
     ["-DA", "-DB=1", "-UC", '-DKBUILD_MODNAME="oom"']),
    (["-include", "linux/kconfig.h"], ["-include", "linux/kconfig.h"]),
    (["-nostdinc", "-std=gnu11", "-m64", "-fshort-wchar", "-O2"],
     ["-nostdinc", "-std=gnu11", "-m64", "-fshort-wchar", "-O2"]),
    (["-Wall", "-Werror=designated-init", "-Wp,-MMD,x.d", "-fconserve-stack", "-mrecord-mcount", "-pg", "-g",
      "-fmacro-prefix-map=a=b", "-falign-jumps=1", "-mindirect-branch=thunk-extern", "-fplugin=./x.so"], []),
    (["-c", "-o", "oom.o", "oom.c", "--param", "allow-store-data-races=0", "-MF", "x.d", "-x", "c"], []),
    (["-fno-of-the-future=3", "-munheard-of"], []),
])
def test_options(flags: list[str], wanted: list[str]) -> None:
    assert kept(*flags) == wanted


def test_included_file_is_taken_from_the_working_directory_where_it_is_there(tmp_path: Path) -> None:
    (tmp_path / "first.h").touch()
    flags = clang_flags(["-include", "./first.h", "-include", "second.h"], str(tmp_path))
    assert flags[flags.index("-include"):][:4] == ["-include", str(tmp_path / "first.h"), "-include",
                                                   "second.h"]


@pytest.mark.parametrize(("flags", "triple"), [
    (["-I/k/arch/x86/include"], "--target=x86_64-linux-gnu"),
    (["-I/k/arch/x86/include", "-m32"], "--target=i386-linux-gnu"),
    (["-I./arch/arm64/include/generated"], "--target=aarch64-linux-gnu"),
])
def test_target_is_that_of_the_kernels_headers(flags: list[str], triple: str) -> None:
    assert triple in clang_flags(flags, "/build")
    assert f"{triple}-other" in clang_flags(flags, "/build",
                                            target=f"{triple.removeprefix('--target=')}-other")


def test_include_directories_are_listed_in_order() -> None:
    assert include_directories(clang_flags(["-I/a", "-DX", "-isystem", "/b"], "/")) == ["/a", "/b"]


@pytest.mark.parametrize(("configuration", "branch"), [
    ("#define CONFIG_CC_IS_GCC 1\n#define CONFIG_GCC_VERSION 130201\n", "gcc_13_2_1"),
    ("#define CONFIG_CC_IS_CLANG 1\n#define CONFIG_GCC_VERSION 0\n", "clang"),
    (None, "gcc_12_2_0"),
])
def test_branches_are_those_of_the_kernels_compiler(tmp_path: Path, configuration: str | None,
                                                    branch: str) -> None:
    generated = tmp_path / "build" / "generated"
    generated.mkdir(parents=True)
    if configuration is not None:
        (generated / "autoconf.h").write_text(configuration)
    result = scanned(tmp_path, handler("""\
#ifdef __clang__
	return GET_LOCAL_VAR(clang);
#else
#if __GNUC__ == 13 && __GNUC_MINOR__ == 2 && __GNUC_PATCHLEVEL__ == 1
	return GET_LOCAL_VAR(gcc_13_2_1);
#elif __GNUC__ == 12 && __GNUC_MINOR__ == 2 && __GNUC_PATCHLEVEL__ == 0
	return GET_LOCAL_VAR(gcc_12_2_0);
#endif
#endif"""), flags=["-I../build"])
    assert [u.arguments[0].text for u in result.source.uses] == [branch]
