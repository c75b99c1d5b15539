# SPDX-License-Identifier: GPL-2.0-or-later
"""Depfiles, as make itself reads them."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from localvar.diagnostics import Exit, Failure
from localvar.kbuild.depfile import depfile_text, escape
from tests.kbuild_files import write

NAMES = ["plain.h", "with blank.h", "dollar$sign.h", "two$$.h", "hash#.h", "colon:.h", "star*.h",
         "question?.h", "brackets[ab].h", "percent%.h", "pipe|.h", "back\\slash.h", "back\\ blank.h",
         "back\\\\ blank.h",
         "back\\#hash.h", "tilde~", "quote'.h", 'double".h', "comma,.h", "plus+.h", "é.h",
         "tab\there.h", " first.h", "@at.h", "${x}.h"]

needs_make = pytest.mark.skipif(shutil.which("make") is None, reason="the command make is not installed")


def make(folder: Path, dependencies: list[str], target: str = "out") -> str:
    """What make says about target, whose recipe makes it."""
    rules = f"all: {escape(target)}\n{escape(target, pattern=True)}:\n\t@echo MADE; touch '$@'\n"
    write(folder / "Makefile", rules + depfile_text(target, dependencies))
    done = subprocess.run(["make", "--no-print-directory", "-rR", "all"], cwd=folder, capture_output=True,
                          text=True, timeout=30, check=False)
    return done.stdout + done.stderr


@needs_make
@pytest.mark.parametrize("name", NAMES)
def test_make_makes_the_target_again_exactly_when_that_file_is_newer(tmp_path: Path, name: str) -> None:
    decoys = ["starx.h", "questionx.h", "bracketsa.h", "percentx.h"]
    for file in ["source.c", name, *decoys]:
        write(tmp_path / file)
        os.utime(tmp_path / file, (1000, 1000))
    assert "MADE" in make(tmp_path, ["source.c", name])
    for decoy in decoys:
        os.utime(tmp_path / decoy, (2**31, 2**31))
    assert "MADE" not in make(tmp_path, ["source.c", name])
    os.utime(tmp_path / name, (2**31, 2**31))
    assert "MADE" in make(tmp_path, ["source.c", name])


@needs_make
@pytest.mark.parametrize("target", ["out", "o ut", "o$ut", "o%t", "o:ut", "o#ut"])
def test_make_finds_the_rule_of_a_target_of_any_name(tmp_path: Path, target: str) -> None:
    write(tmp_path / "source.c")
    os.utime(tmp_path / "source.c", (1000, 1000))
    assert "MADE" in make(tmp_path, ["source.c"], target)
    assert (tmp_path / target).exists()
    os.utime(tmp_path / "source.c", (2**31, 2**31))
    assert "MADE" in make(tmp_path, ["source.c"], target)


@needs_make
def test_build_goes_on_after_a_header_was_removed_but_not_after_the_source_was(tmp_path: Path) -> None:
    for file in ("source.c", "a%.h", "b c.h"):
        write(tmp_path / file)
    dependencies = ["source.c", "a%.h", "b c.h"]
    make(tmp_path, dependencies)
    (tmp_path / "a%.h").unlink()
    (tmp_path / "b c.h").unlink()
    assert make(tmp_path, dependencies) == "MADE\n"
    text = depfile_text("out", dependencies)
    assert "\nsource.c:" not in text


@pytest.mark.parametrize("name", [
    "", "new\nline", "a=b", "a;b", "archive(member)", "a&b", "end\\", "a\\*b", "nul\0", "~", "./~/x.h"])
def test_name_that_make_cannot_read_is_refused(name: str) -> None:
    with pytest.raises(Failure) as caught:
        depfile_text("out", ["source.c", name])
    assert caught.value.status is Exit.ENVIRONMENT
    with pytest.raises(Failure):
        depfile_text(name, ["source.c"])


def test_target_with_a_wildcard_is_refused() -> None:
    with pytest.raises(Failure, match="o\\*t"):
        depfile_text("o*t", ["source.c"])


def test_each_dependency_is_written_once_and_only_headers_are_phony() -> None:
    assert depfile_text("out", ["a.c", "b.h", "c.h", "b.h", "a.c"]) == """\
out: \\
  a.c \\
  b.h \\
  c.h

b.h:

c.h:
"""
