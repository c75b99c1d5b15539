# SPDX-License-Identifier: GPL-2.0-or-later
"""The same inputs give the same bytes: in any directory, under any seed of Python's hashes, alone or with other files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.command import gcc_flags, inside, localvar, localvar_process, write_module
from tests.expansion_cases import CASES


@pytest.fixture
def two(tmp_path: Path) -> tuple[Path, Path]:
    """All cases' handlers in two directories; where two cases have a header of one name, it says the same in both."""
    folders = tmp_path / "one", tmp_path / "another" / "much deeper" / "2"
    for folder in folders:
        folder.mkdir(parents=True)
        for case in CASES:
            write_module({f"{case.name}.c" if name == "h.c" else name: text for name, text in case.files.items()}, folder)
    return folders


def test_expansions_are_the_same_in_other_directories_and_with_other_hash_seeds(two: tuple[Path, Path]) -> None:
    names = [f"{case.name}.c" for case in CASES]
    texts = []
    for folder, seed in zip(two, ("1", "2"), strict=True):
        with inside(folder):
            ran = localvar_process("expand", *names, "--vmlinux", "vmlinux", "--", *gcc_flags(folder / "include"),
                                   environ={"PYTHONHASHSEED": seed})
            assert (ran.status, ran.out, ran.err) == (0, "", "")
        texts.append([(folder / f"{case.name}.localvar.c").read_bytes() for case in CASES])
    assert texts[0] == texts[1]
    for text in texts[0]:
        assert str(two[0]).encode() not in text and os.fsencode(Path.cwd()) not in text


def test_expansion_is_the_same_however_files_are_named_on_the_command_line(two: tuple[Path, Path]) -> None:
    folder = two[0]
    flags = gcc_flags(folder / "include")
    texts = []
    for where, name in ((folder, "headers.c"), (folder, "./headers.c"), (folder.parent, "one/headers.c"), (Path("/"), None)):
        with inside(where):
            ran = localvar("expand", name or folder / "headers.c", "--vmlinux", folder / "vmlinux",
                           "-o", folder / "headers.localvar.c", "--", *flags)
            assert (ran.status, ran.err) == (0, "")
        texts.append((folder / "headers.localvar.c").read_bytes())
    assert len(set(texts)) == 1


def test_expansion_does_not_depend_on_the_files_expanded_before_it(two: tuple[Path, Path]) -> None:
    folder = two[0]
    names = [f"{case.name}.c" for case in CASES]
    texts = []
    for order in (names, names[::-1]):
        with inside(folder):
            assert localvar("expand", *order, "--vmlinux", "vmlinux", "--", *gcc_flags(folder / "include")).status == 0
        texts.append([(folder / name).with_suffix(".localvar.c").read_bytes() for name in names])
    assert texts[0] == texts[1]


def test_output_elsewhere_names_the_original_as_seen_from_there(two: tuple[Path, Path]) -> None:
    folder = two[0]
    (folder / "out").mkdir()
    with inside(folder):
        ran = localvar("expand", "entry.c", "-o", "out/entry.localvar.c", "--vmlinux", "vmlinux",
                       "--", *gcc_flags(folder / "include"))
    text = (folder / "out/entry.localvar.c").read_text()
    assert ran.status == 0 and '#line 1 "../entry.c"\n' in text and '"entry.localvar.c"\n' in text
    assert "from ../entry.c for Linux" in text.splitlines()[0]


def test_standard_output_gets_what_the_file_would(two: tuple[Path, Path]) -> None:
    folder = two[0]
    with inside(folder):
        printed = localvar("expand", "lines.c", "-o", "-", "--vmlinux", "vmlinux", "--", *gcc_flags(folder / "include"))
        assert localvar("expand", "lines.c", "--vmlinux", "vmlinux", "--", *gcc_flags(folder / "include")).status == 0
    assert (printed.status, printed.err) == (0, "")
    assert printed.out.encode() == (folder / "lines.localvar.c").read_bytes()


def test_diff_is_from_the_handler_to_its_expansion(two: tuple[Path, Path]) -> None:
    folder = two[0]
    with inside(folder):
        ran = localvar("expand", "kprobe.c", "--diff", "--vmlinux", "vmlinux", "--", *gcc_flags(folder / "include"))
    lines = ran.out.splitlines()
    assert (ran.status, ran.err) == (0, "") and not (folder / "kprobe.localvar.c").exists()
    assert lines[:2] == ["--- kprobe.c", "+++ kprobe.localvar.c"]
    assert '-\tprint("%ld\\n", GET_LOCAL_VAR(count));' in lines
    assert '+\tprint("%ld\\n", localvar_get_0_count(regs));' in lines
