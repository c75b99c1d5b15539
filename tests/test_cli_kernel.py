# SPDX-License-Identifier: GPL-2.0-or-later
"""Mistakes against a real kernel: what a developer sees from `localvar expand`, and from make."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.command import ROOT, Ran, localvar
from tests.kbuild_files import program
from tests.kernel import kernels, requires
from tests.kernel.kernels import InstalledKernel

HEAD = "#include <linux/fs.h>\n#include <linux/module.h>\n#include <localvar.h>\n\n"
HANDLER = ("static int {0}(struct pt_regs *regs, void *buf, int bufsize)\n{{\n\treturn {1} != 0;\n}}\n"
           'LOCALVAR_PROBE({0}, "{2}");\n\n')


def installed(name: str = "6.1") -> InstalledKernel:
    """A kernel with debug file and headers; the test is skipped, visibly, without."""
    found = kernels.find(name)
    if not isinstance(found, InstalledKernel):
        requires.missing(found.reason)
    return found


def mistakes(folder: Path, *handlers: tuple[str, str]) -> Ran:
    """Expand a file of handlers for 6.1, each a value (in line 7, 13, …) and a coordinate (two lines below)."""
    text = HEAD + "".join(HANDLER.format(f"h{n}", value, where) for n, (value, where) in enumerate(handlers))
    (folder / "h.c").write_text(text)
    return localvar("expand", "h.c", "--kernel", installed().release)


def test_places_that_a_real_kernel_does_not_have(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    ran = mistakes(
        tmp_path, ("1", "vfs_raed"), ("1", r"kernel.function(\"vfs_read@mm/vmscan.c\")"),
        ("1", r"kernel.function(\"do_exit\").label(\"out_of_memory\")"),
        ("1", r"kernel.statement(\"vfs_read@fs/read_write.c:1\")"), ("1", "vfs_read+0x1"), ("1", "asm_exc_page_fault"))
    assert (ran.status, ran.out) == (1, "")
    assert [re.sub(r"^h.c:(\d+):.*\[(.*)\]$", r"\1 \2", line) for line in ran.errors] == [
        "9 no-such-function", "15 no-such-function", "21 no-such-label", "27 no-such-line", "33 not-an-instruction",
        "39 no-debug-info"]
    assert re.search(r"h.c:9:\d+: note: close names: .*\bvfs_read\b", ran.err)
    assert "note: it is in fs/read_write.c\n" in ran.err
    assert re.search(r"note: nearest lines with code: 45\d, ", ran.err)
    assert not Path("h.localvar.c").exists()


def test_values_that_a_real_kernel_does_not_give(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    ran = mistakes(
        tmp_path, ("GET_LOCAL_VAR(flie)", "vfs_read"), ("GET_LOCAL_VAR(ret)", "vfs_read"),
        ("GET_LOCAL_VAR(file->f_inoed)", "vfs_read"), ("GET_LOCAL_VAR(count, int)", "vfs_read"),
        ("GET_LOCAL_VAR(file, long)", "vfs_read"), ("GET_LOCAL_VAR(address)", "do_user_addr_fault"),
        ("GET_LOCAL_VAR(command_line)", "start_kernel"))
    assert (ran.status, ran.out) == (1, "")
    assert [re.sub(r"^h.c:(\d+):.*\[(.*)\]$", r"\1 \2", line) for line in ran.errors] == [
        "7 no-such-variable", "13 no-range", "19 no-such-member", "25 type-mismatch", "31 type-mismatch", "39 blacklisted",
        "45 init-text"]
    assert re.search(r"note: close names: .*\bfile\b", ran.err) and re.search(r"note: close names: .*\bf_inode\b", ran.err)
    assert re.search(r"h.c:13:\d+: note: ret: readable at vfs_read\+0x[0-9a-f]+ \(fs/read_write.c:4\d\d\)", ran.err)
    assert not Path("h.localvar.c").exists()


def test_files_of_a_real_kernel_that_are_no_vmlinux_with_debug_info(tmp_path: Path) -> None:
    kernel = installed()
    ran = localvar("vars", "vfs_read", "--vmlinux", kernel.vmlinuz)
    assert (ran.status, ran.out) == (2, "") and f"{kernel.vmlinuz}: a boot image, not an uncompressed vmlinux" in ran.err
    assert f"linux-image-{kernel.release}-dbg" in ran.err
    system_map = Path(f"/boot/System.map-{kernel.release}")
    ran = localvar("vars", "vfs_read", "--vmlinux", system_map if system_map.exists() else kernel.build / "Makefile")
    assert ran.status == 2 and ": not an ELF file [bad-vmlinux]" in ran.err


def test_real_build_directory_of_another_release_is_refused(tmp_path: Path) -> None:
    kernel, other = installed("6.1"), installed("6.12")
    (tmp_path / "h.c").write_text(HEAD)
    ran = localvar("expand", tmp_path / "h.c", "--vmlinux", kernel.vmlinux, "--build", other.build)
    assert (ran.status, ran.out) == (2, "") and ran.errors[0].endswith("[release-mismatch]")
    assert f"is of release {kernel.release}, but" in ran.err and f"builds for {other.release}" in ran.err


def make(folder: Path, kernel: InstalledKernel) -> tuple[int, str]:
    """Build the module of folder as README.md says, with this localvar; exit status and all output."""
    program(folder / "bin/localvar", f'PYTHONPATH="{ROOT}" exec "{sys.executable}" -m localvar "$@"\n')
    done = subprocess.run(
        ["make", "-C", str(kernel.build), f"M={folder}", "localvar=1", *kernel.machine.make_args], text=True, timeout=300,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
        env={**os.environ, "PATH": f"{folder / 'bin'}:{os.environ['PATH']}", "LC_ALL": "C"})
    return done.returncode, done.stdout


@pytest.mark.parametrize("name", ["6.1", "6.12"])
def test_make_shows_localvars_and_gccs_errors_at_the_handlers_lines(name: str, tmp_path: Path) -> None:
    kernel = installed(name)
    (tmp_path / "Kbuild").write_text("obj-m += h.o\ninclude $(shell localvar kbuild)\n")
    good = HEAD + HANDLER.format("h0", "GET_LOCAL_VAR(count)", "vfs_read") + "LOCALVAR_MODULE();\nMODULE_LICENSE(\"GPL\");\n"

    (tmp_path / "h.c").write_text(good.replace("(count)", "(cuont)"))
    status, output = make(tmp_path, kernel)
    assert status != 0, output
    assert re.search(r"^\S*h\.c:7:\d+: error: no variable 'cuont' in scope at vfs_read\+0x0", output, re.M), output
    assert "Traceback" not in output and not list(tmp_path.glob("*.localvar.c")) and not list(tmp_path.glob("*.ko"))

    (tmp_path / "h.c").write_text(good.replace("LOCALVAR_MODULE", "static char *wrong = 1.5;\nLOCALVAR_MODULE"))
    status, output = make(tmp_path, kernel)
    assert status != 0 and re.search(r"^\S*\bh\.c:11:22: error: incompatible types", output, re.M), output

    (tmp_path / "h.c").write_text(good)
    status, output = make(tmp_path, kernel)
    assert status == 0 and (tmp_path / "h.ko").is_file(), output
    assert "warning" not in output.lower().replace("warning: the compiler differs", "")
