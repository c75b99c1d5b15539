# SPDX-License-Identifier: GPL-2.0-or-later
"""Output files are written whole or not at all, and never over the user's."""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from localvar.diagnostics import Exit, Failure
from localvar.kbuild.output import MARK, write_atomic, write_generated
from tests.kbuild_files import write

TEXT = f"/* {MARK} from oom.c. */\nint x;\n"


def refusal(action: Callable[[], None]) -> str:
    with pytest.raises(Failure) as caught:
        action()
    assert caught.value.status is Exit.ENVIRONMENT
    return caught.value.diagnostics[0].slug


def test_generated_text_is_written_and_written_over(tmp_path: Path) -> None:
    path = tmp_path / "oom.localvar.c"
    write_generated(path, TEXT)
    write_generated(path, TEXT + "int y;\n")
    assert path.read_text() == TEXT + "int y;\n"
    assert os.listdir(tmp_path) == ["oom.localvar.c"]


def test_text_without_the_mark_in_its_first_line_is_a_programming_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="first line"):
        write_generated(tmp_path / "a.c", "int x;\n" + TEXT)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize("how", ["name", "symlink", "hardlink", "other spelling"])
def test_input_is_never_written_over(tmp_path: Path, how: str, force: bool) -> None:
    source = write(tmp_path / "oom.c", TEXT)
    path = tmp_path / "out.c"
    if how == "symlink":
        path.symlink_to(source)
    elif how == "hardlink":
        os.link(source, path)
    else:
        path = source if how == "name" else tmp_path / "." / ".." / tmp_path.name / "oom.c"
    assert refusal(lambda: write_generated(path, TEXT + "x", [tmp_path / "other.c", source],
                                           force=force)) == "output-is-input"
    assert source.read_text() == TEXT


@pytest.mark.parametrize("content", ["int mine;\n", "\n" + TEXT, "x" * 5000 + MARK])
def test_file_of_the_users_is_written_over_only_by_force(tmp_path: Path, content: str) -> None:
    path = write(tmp_path / "mine.c", content)
    assert refusal(lambda: write_generated(path, TEXT)) == "not-generated"
    assert path.read_text() == content
    write_generated(path, TEXT, force=True)
    assert path.read_text() == TEXT


def test_empty_file_may_be_written_over(tmp_path: Path) -> None:
    path = write(tmp_path / "empty.c")
    write_generated(path, TEXT)
    assert path.read_text() == TEXT


def test_same_content_is_written_anew_so_that_make_sees_it(tmp_path: Path) -> None:
    path = write(tmp_path / "a.c", TEXT)
    os.utime(path, (1000, 1000))
    write_generated(path, TEXT)
    assert path.stat().st_mtime > 1000


def test_mode_is_kept_and_a_new_file_has_what_the_umask_leaves(tmp_path: Path) -> None:
    old = os.umask(0o027)
    try:
        write_atomic(tmp_path / "new", b"x")
        kept = write(tmp_path / "kept", b"x")
        kept.chmod(0o604)
        write_atomic(kept, b"y")
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o640
    assert stat.S_IMODE(kept.stat().st_mode) == 0o604


def test_symlink_stays_and_its_target_is_replaced(tmp_path: Path) -> None:
    target = write(tmp_path / "there/target", b"old")
    link = tmp_path / "link"
    link.symlink_to(target)
    write_atomic(link, b"new")
    assert link.is_symlink()
    assert target.read_bytes() == b"new"


def test_device_and_pipe_are_written_to_and_not_replaced(tmp_path: Path) -> None:
    write_generated(Path("/dev/null"), TEXT)
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
    reader.start()
    write_generated(pipe, TEXT)
    reader.join(timeout=10)
    assert read == [TEXT.encode()]
    assert stat.S_ISFIFO(pipe.stat().st_mode)


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_failure_keeps_the_old_file_and_leaves_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                                        step: str) -> None:
    path = write(tmp_path / "a.c", TEXT)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, step, full)
    assert refusal(lambda: write_generated(path, TEXT + "int y;\n")) == "cannot-write"
    assert path.read_text() == TEXT
    assert os.listdir(tmp_path) == ["a.c"]


def test_interrupt_leaves_no_temporary_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_atomic(tmp_path / "a", b"x")
    assert os.listdir(tmp_path) == []


def test_place_that_cannot_be_written_is_an_error_that_names_it(tmp_path: Path) -> None:
    assert refusal(lambda: write_generated(tmp_path / "none/a.c", TEXT)) == "cannot-write"
    assert refusal(lambda: write_atomic(tmp_path, b"x")) == "cannot-write"
    with pytest.raises(Failure, match=r"none/a\.c: No such file"):
        write_generated(tmp_path / "none/a.c", TEXT)
