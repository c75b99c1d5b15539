# SPDX-License-Identifier: GPL-2.0-or-later
"""What is wrong around a handler: kernels, build directories, outputs, usage.  One error each, exit status 2, no file touched."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.command import Ran, gcc_flags, leftovers, localvar, localvar_process, write_headers
from tests.dwarfgen import Image
from tests.kbuild_files import build_directory
from tests.small_kernel import ACCOUNT, RELEASE, small_kernel, without_debug_info, write_small_kernel

HANDLER = """\
#include <linux/module.h>
#include <linux/task.h>
#include <localvar.h>

static int seen(struct pt_regs *regs, void *buf, int bufsize)
{
	return GET_LOCAL_VAR(count) > 0;
}
LOCALVAR_PROBE(seen, "account");
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a good handler, a good vmlinux and headers, as working directory; no debuginfod is asked."""
    write_small_kernel(tmp_path)
    write_headers(tmp_path)
    (tmp_path / "h.c").write_text(HANDLER)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DEBUGINFOD_URLS", raising=False)
    return tmp_path


def expand(*options: str | Path) -> Ran:
    """Expand with flags, so that no build directory is needed."""
    return localvar("expand", *options, "--", *gcc_flags(Path("include").absolute()))


def assert_refused(run: Callable[..., Ran], slug: str, *words: str) -> None:
    """run() ends with one error of the environment, text and JSON alike, and changes no file of the working directory."""
    files = {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()}
    ran = run()
    assert (ran.status, ran.out) == (2, ""), ran
    [line] = ran.errors
    assert line.startswith("localvar: error: ") and line.endswith(f" [{slug}]"), ran.err
    for word in words:
        assert word in ran.err
    as_json = run("--json")
    assert (as_json.status, as_json.err) == (2, "")
    [found] = as_json.diagnostics
    assert (found["severity"], found["slug"], found["file"]) == ("error", slug, None) and found["message"] in line
    assert {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()} == files


# -- vmlinux ------------------------------------------------------------------------------------------------------


def bad_vmlinux(kind: str, folder: Path) -> None:
    """A vmlinux that cannot serve, as folder/bad."""
    path, image = folder / "bad", small_kernel()
    if kind == "directory":
        path.mkdir()
    elif kind == "links in a circle":
        path.symlink_to("bad")
    elif kind == "link to nothing":
        path.symlink_to("nothing")
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind != "no file":
        path.write_bytes({
            "empty": b"", "text": b"hello\n", "boot image": b"MZ" + bytes(999), "gzip": b"\x1f\x8b" + bytes(999),
            "32-bit": b"\x7fELF\x01\x01\x01" + bytes(999), "only a header": image.elf()[:64],
            "big-endian": replace(image, byteorder="big").elf(), "arm64": small_kernel(machine="aarch64").elf(),
            "s390": small_kernel(machine="s390x").elf(), "no debug info": without_debug_info(image).elf(),
        }[kind])


@pytest.mark.parametrize(("kind", "slug", "words"), [
    ("no file", "bad-vmlinux", ["bad: no such file"]),
    ("link to nothing", "bad-vmlinux", ["bad: a link to nothing"]),
    ("links in a circle", "bad-vmlinux", ["bad: Too many levels of symbolic links"]),
    ("directory", "bad-vmlinux", ["bad: Is a directory"]),
    ("pipe", "bad-vmlinux", ["bad: not a regular file"]),
    ("empty", "bad-vmlinux", ["bad: empty file"]),
    ("text", "bad-vmlinux", ["bad: not an ELF file"]),
    ("boot image", "bad-vmlinux", ["bad: a boot image, not an uncompressed vmlinux"]),
    ("gzip", "bad-vmlinux", ["bad: a boot image"]),
    ("32-bit", "bad-vmlinux", ["bad: not a 64-bit ELF file"]),
    ("only a header", "bad-vmlinux", ["bad: damaged section headers"]),
    ("no debug info", "bad-vmlinux", ["bad: has no debug info", f"linux-image-{RELEASE}-dbg"]),
    ("big-endian", "wrong-architecture", ["bad: 64-bit big-endian ELF file"]),
    ("arm64", "wrong-architecture", ["bad: made for arm64; localvar knows x86_64"]),
    ("s390", "wrong-architecture", ["bad: made for s390; localvar knows x86_64"]),
])
def test_vmlinux_that_cannot_serve_is_refused_with_the_reason(module: Path, kind: str, slug: str, words: list[str]) -> None:
    bad_vmlinux(kind, module)
    if kind == "pipe":  # not for the comparison of files
        assert localvar("vars", "account", "--vmlinux", "bad").status == 2
        assert words[0] in localvar("vars", "account", "--vmlinux", "bad").err
        return
    assert_refused(lambda *more: localvar("vars", "account", "--vmlinux", "bad", *more), slug, *words)
    assert_refused(lambda *more: expand("h.c", "--vmlinux", "bad", *more), slug, *words)


def test_unreadable_vmlinux_is_refused_with_the_reason(module: Path) -> None:
    (module / "vmlinux").chmod(0)
    if os.access(module / "vmlinux", os.R_OK):
        pytest.skip("root reads every file")
    ran = localvar("vars", "account", "--vmlinux", "vmlinux")
    assert ran.status == 2 and "vmlinux: Permission denied [bad-vmlinux]" in ran.err


@pytest.mark.parametrize(("image", "slug", "words"), [
    (small_kernel(symtab=False), "no-anchor", "vmlinux: no symbol table: it was stripped"),
    (small_kernel(init_task=False), "no-anchor", "vmlinux: no symbol init_task: not a kernel"),
    (small_kernel(build_id=None), "no-build-id", "vmlinux: no build-id note"),
], ids=["stripped of symbols", "no init_task", "no build-id"])
def test_vmlinux_that_a_module_could_not_check_at_run_time_is_not_expanded_for(
        module: Path, image: Image, slug: str, words: str) -> None:
    image.write(module / "vmlinux")
    assert_refused(lambda *more: expand("h.c", "--vmlinux", "vmlinux", *more), slug, words)
    assert localvar("vars", "account", "--vmlinux", "vmlinux").status == 0


def test_truncated_vmlinux_is_refused_wherever_it_is_cut(module: Path) -> None:
    whole = (module / "vmlinux").read_bytes()
    cuts = [*range(1, 70), len(whole) - 1, *random.Random(7).sample(range(70, len(whole)), 60)]
    for cut in cuts:
        Path("cut").write_bytes(whole[:cut])
        ran = localvar("vars", "account", "--vmlinux", "cut")
        assert (ran.status, ran.out, len(ran.errors)) == (2, "", 1), f"cut at {cut}: {ran}"
        assert ran.errors[0].endswith("[bad-vmlinux]"), f"cut at {cut}: {ran.err}"


def test_vmlinux_with_a_lost_tail_is_never_read_as_a_good_one(module: Path) -> None:
    """A download that was broken off can leave zeros to the full size."""
    whole = (module / "vmlinux").read_bytes()
    complete = localvar("vars", "account", "--vmlinux", "vmlinux").out
    for cut in random.Random(8).sample(range(64, len(whole)), 60):
        Path("cut").write_bytes(whole[:cut] + bytes(len(whole) - cut))
        ran = localvar("vars", "account", "--vmlinux", "cut")
        assert (ran.status, len(ran.errors)) == (2, 1) or ran.out == complete, f"cut at {cut}: {ran}"
        assert "Traceback" not in ran.err and "internal error" not in ran.err


def test_kernel_that_is_not_installed_is_an_error_that_lists_every_place(module: Path) -> None:
    for run in (lambda *more: localvar("vars", "account", "--kernel", "9.9.9-none", *more),
                lambda *more: localvar("expand", "h.c", "--kernel", "9.9.9-none", *more)):
        assert_refused(run, "no-vmlinux", "no vmlinux with debug info for kernel 9.9.9-none",
                       "note: /usr/lib/debug/boot/vmlinux-9.9.9-none: no such file",
                       "note: /usr/lib/debug/lib/modules/9.9.9-none/vmlinux: no such file",
                       "note: /lib/modules/9.9.9-none/build/vmlinux: no such file",
                       "note: debuginfod: DEBUGINFOD_URLS is not set", "fix: ")


# -- build directory ----------------------------------------------------------------------------------------------


def from_build(*options: str | Path) -> Callable[..., Ran]:
    """A run that asks the build directory for flags."""
    return lambda *more: localvar("expand", "h.c", "--vmlinux", "vmlinux", *options, *more)


def test_build_directory_of_the_kernel_that_is_not_there_is_named(module: Path) -> None:
    assert_refused(from_build(), "no-build-directory", f"/lib/modules/{RELEASE}/build is not there", "--build DIR")


def test_build_directory_that_is_none_is_refused_with_the_reason(module: Path) -> None:
    (module / "empty").mkdir()
    assert_refused(from_build("--build", "nothing"), "no-build-directory", "nothing does not exist")
    assert_refused(from_build("--build", "h.c"), "no-build-directory", "h.c is not a directory")
    assert_refused(from_build("--build", "empty"), "no-build-directory", "empty has no Makefile")
    (module / "empty/Makefile").write_text("all:\n")
    assert_refused(from_build("--build", "empty"), "no-build-directory", "empty is not configured and prepared")


def test_build_directory_of_another_release_is_refused(module: Path) -> None:
    build_directory(module / "build", "6.2.0")
    assert_refused(from_build("--build", "build"), "release-mismatch", f"vmlinux is of release {RELEASE}", "builds for 6.2.0")
    assert_refused(lambda *more: expand("h.c", "--vmlinux", "vmlinux", "--build", "build", *more), "release-mismatch")


def test_build_directory_of_another_build_of_the_release_is_refused(module: Path) -> None:
    build_directory(module / "build", RELEASE)
    write_small_kernel(module / "build", build_id=b"another build")
    assert_refused(from_build("--build", "build"), "build-mismatch", "two builds of")


def test_kbuild_that_fails_is_an_error_with_what_make_said(module: Path) -> None:
    build_directory(module / "build", RELEASE, "%.i:\n\t@echo no compiler here; false\n")
    assert_refused(from_build("--build", "build"), "kbuild-failed", "make exited with status 2", "no compiler here")


def test_release_of_kernel_and_vmlinux_must_agree(module: Path) -> None:
    assert_refused(lambda *more: localvar("vars", "account", "--vmlinux", "vmlinux", "--kernel", "6.2.0", *more),
                   "release-mismatch", f"vmlinux is of release {RELEASE}, not 6.2.0")


def test_missing_forced_header_is_an_error_of_the_flags(module: Path) -> None:
    (module / "h.c").write_text("not C\n")
    ran = localvar("expand", "h.c", "--vmlinux", "vmlinux", "--", "-include", "nothere.h")
    assert (ran.status, ran.out) == (1, "")
    assert ran.err == "localvar: error: 'nothere.h' file not found [compiler]\n"


# -- files --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("options", "slug", "words"), [
    (["none.c"], "unreadable", ["none.c: No such file or directory"]),
    (["include"], "unreadable", ["include: Is a directory"]),
    (["h.c", "-o", "h.c"], "output-is-input", ["h.c is the file to expand, it would be lost"]),
    (["h.c", "-o", "link.c"], "output-is-input", ["link.c is the file to expand"]),
    (["h.c", "-o", "./include/../h.c"], "output-is-input", ["is the file to expand"]),
    (["h.c", "-o", "mine.c"], "not-generated", ["mine.c exists and was not written by localvar"]),
    (["h.c", "-o", "none/out.c"], "cannot-write", ["cannot write none/out.c: No such file or directory"]),
    (["h.c", "-o", "h.c/out.c"], "cannot-write", ["cannot write h.c/out.c: Not a directory"]),
    (["h.c", "-o", "include"], "cannot-write", ["cannot write include: Is a directory"]),
    (["h.c", "-o", "none/out.c", "--depfile", "d"], "cannot-write", ["none/out.c"]),
    (["h.c", "-o", "out.c", "--depfile", "none/d"], "cannot-write", ["cannot write none/d"]),
    (["h.c", "--depfile", "h.c"], "depfile-is-file", ["--depfile h.c is the file to expand"]),
    (["h.c", "--depfile", "link.c"], "depfile-is-file", ["--depfile link.c is the file to expand"]),
    (["h.c", "-o", "out.c", "--depfile", "out.c"], "depfile-is-file", ["--depfile out.c is the output"]),
    (["old.localvar.c"], "generated-input", ["old.localvar.c is an expansion already"]),
    (["h.c", "h.c", "-o", "out.c"], "usage", ["-o and --depfile go with one file"]),
    (["h.c", "h.c", "--depfile", "d"], "usage", ["-o and --depfile go with one file"]),
    ([], "usage", ["missing argument"]),
    (["h.c", "--nope"], "usage", ["--nope", "localvar expand --help"]),
    (["h.c", "--color", "purple"], "usage", ["purple"]),
])
def test_files_that_cannot_be_read_or_written_are_refused(module: Path, options: list[str], slug: str, words: list[str]) -> None:
    Path("link.c").symlink_to("h.c")
    Path("mine.c").write_text("int mine;\n")
    Path("old.localvar.c").write_text("/* Generated by localvar */\n")
    assert_refused(lambda *more: expand(*options, "--vmlinux", "vmlinux", *more), slug, *words)


def test_directory_that_cannot_be_written_is_refused(module: Path) -> None:
    (module / "out").mkdir(mode=0o500)
    if os.access(module / "out", os.W_OK):
        pytest.skip("root writes into every directory")
    ran = expand("h.c", "--vmlinux", "vmlinux", "-o", "out/h.c")
    assert ran.status == 2 and "cannot write out/h.c: Permission denied [cannot-write]" in ran.err


@pytest.mark.parametrize(("arguments", "words"), [
    (["expnad"], ["no command 'expnad'", "did you mean expand?"]), (["vars"], ["missing argument"]),
    (["--nope"], ["--nope"]), (["vars", "account", "--vmlinux"], ["--vmlinux"]),
])
def test_wrong_usage_is_a_diagnostic_as_any_other(module: Path, arguments: list[str], words: list[str]) -> None:
    ran = localvar(*arguments)
    assert (ran.status, ran.out, len(ran.errors)) == (2, "", 1) and ran.errors[0].endswith("[usage]")
    assert all(word in ran.err for word in words)


def test_bad_file_among_several_does_not_keep_the_others_from_being_expanded(module: Path) -> None:
    (module / "bad.c").write_text(HANDLER.replace("(count)", "(cuont)"))
    ran = expand("bad.c", "h.c", "none.c", "--vmlinux", "vmlinux")
    assert (ran.status, ran.out) == (2, "")
    assert [line.rpartition("[")[2] for line in ran.errors] == ["no-such-variable]", "unreadable]"]
    assert [name for name in leftovers(module, []) if "localvar" in name] == ["h.localvar.c"]


def test_json_of_several_files_is_one_object(module: Path) -> None:
    (module / "bad.c").write_text(HANDLER.replace("(count)", "(cuont)"))
    ran = expand("bad.c", "h.c", "--vmlinux", "vmlinux", "--json")
    document = json.loads(ran.out)
    assert ran.status == 1 and ran.err == ""
    assert document["files"] == [{"file": "h.c", "sites": 1, "output": "h.localvar.c"}]
    assert [d["slug"] for d in document["diagnostics"]] == ["no-such-variable"]


def test_check_writes_nothing_and_says_nothing_of_a_good_file(module: Path) -> None:
    known = leftovers(module, [])
    assert expand("h.c", "--check", "--vmlinux", "vmlinux") == Ran(0, "", "")
    assert leftovers(module, known) == []


def test_failing_output_leaves_no_depfile_and_a_good_one_both(module: Path) -> None:
    assert expand("h.c", "--vmlinux", "vmlinux", "-o", "none/out.c", "--depfile", "d").status == 2
    assert not Path("d").exists()
    assert expand("h.c", "--vmlinux", "vmlinux", "-o", "out.c", "--depfile", "d").status == 0
    assert Path("d").read_text().startswith("out.c: \\\n") and str(module / "h.c") in Path("d").read_text()


# -- processes ----------------------------------------------------------------------------------------------------


def test_reader_that_goes_away_is_no_error_message(module: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    ran = localvar_process("vars", "account", "--vmlinux", "vmlinux", stdout=writer)
    os.close(writer)
    assert ran == Ran(2, "", "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_full_disk_under_standard_output_is_one_error(module: Path) -> None:
    with open("/dev/full", "w") as full:
        ran = localvar_process("vars", "account", "--vmlinux", "vmlinux", stdout=full.fileno())
    assert (ran.status, ran.out, len(ran.errors)) == (2, "", 1) and "No space left on device" in ran.err


def test_process_exits_with_the_status_of_the_command(module: Path) -> None:
    assert localvar_process("vars", "account", "--vmlinux", "vmlinux").status == 0
    assert localvar_process("vars", "acount", "--vmlinux", "vmlinux").status == 1
    assert localvar_process("vars", "account", "--vmlinux", "none").status == 2


def test_module_that_is_asked_for_an_internal_error_says_how_to_report_it(module: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import localvar.listing as listing

    def broken(*_: object) -> None:
        raise KeyError("oops")

    monkeypatch.setattr(listing, "list_variables", broken)
    monkeypatch.delenv("LOCALVAR_DEBUG", raising=False)
    ran = localvar("vars", "account", "--vmlinux", "vmlinux")
    assert (ran.status, ran.out) == (2, "")
    assert ran.err.startswith("localvar: error: internal error: KeyError: 'oops' [internal]\n") and "LOCALVAR_DEBUG=1" in ran.err
    monkeypatch.setenv("LOCALVAR_DEBUG", "1")
    with pytest.raises(KeyError):
        localvar("vars", "account", "--vmlinux", "vmlinux")


def test_small_kernel_is_one_that_can_be_read(module: Path) -> None:
    ran = localvar("vars", "account", "--vmlinux", "vmlinux")
    assert ran.status == 0 and ran.out.startswith(f"account+0x0 (mm/oom.c:10) {ACCOUNT:#x}\n")
