# SPDX-License-Identifier: GPL-2.0-or-later
"""Debug info with flipped bytes: absent with a reason, or one error that names the file; never a traceback, never without end."""

from __future__ import annotations

import contextlib
import json
import random
import shutil
import signal
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from localvar.kbuild.elf import read_sections
from tests.command import Ran, gcc_flags, localvar, write_headers
from tests.small_kernel import small_kernel, write_small_kernel

PROGRAM = """\
struct list { struct list *next, *prev; };
struct task {
	int pid;
	unsigned int dead:3, flags:5;
	struct task *parent;
	struct list children;
	union { long a; char b[8]; };
	enum { A, B = 5 } state;
};
typedef unsigned long size_type;
struct task init_task;
extern void sink(void *);
extern long get(long);
static inline int helper(struct task *t, int depth)
{
	int q = depth * 3 + t->pid;
	sink(&q);
	return q;
}
long account(struct task *task, long count, unsigned int flags)
{
	long total = get(count) + flags;
	size_type sizes[4] = { total, count };

	sink(sizes);
	if (task->parent) {
		int r = helper(task->parent, flags);
		if (r > 3)
			goto out;
		total += r;
	}
	for (int i = 0; i < count; i++) {
		long k = get(i);
		total += k * flags;
	}
out:
	sink(task);
	return total;
}
long scan(struct task *who, long count) { return account(who, count + 1, 3) + helper(who, 2); }
"""

HANDLER = """\
#include <linux/module.h>
#include <localvar.h>
static int seen(struct pt_regs *regs, void *buf, int bufsize)
{
	return GET_LOCAL_VAR(count) + GET_LOCAL_VAR(task->pid) + LOCAL_VAR_AVAILABLE(flags);
}
LOCALVAR_PROBE(seen, "account");
"""

COORDINATES = ("account", "scan", "helper", 'kernel.function("account").label("out")', "account@*:*")
SECTIONS = (".debug_info", ".debug_abbrev", ".debug_loclists", ".debug_rnglists", ".debug_line", ".debug_line_str", ".debug_str",
            ".debug_aranges", ".debug_frame", ".eh_frame", ".symtab", ".strtab")
BYTES = (0x00, 0x01, 0x7F, 0x80, 0xFF)
LIMIT = 20
"""Seconds for one run, which takes some ten milliseconds."""


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A program of gcc's that looks like a kernel to localvar."""
    if shutil.which("gcc") is None:
        pytest.skip("gcc is not installed")
    folder = tmp_path_factory.mktemp("compiled")
    (folder / "k.c").write_text(PROGRAM)
    subprocess.run(["gcc", "-g", "-O2", "-ffreestanding", "-fno-pic", "-no-pie", "-mcmodel=kernel", "-mno-red-zone", "-nostdlib",
                    "-static", "-Wl,--build-id", "-Wl,-Ttext=0xffffffff81000000", "-Wl,--unresolved-symbols=ignore-all",
                    "-Wl,-e,account", "-o", "k", "k.c"], cwd=folder, check=True, timeout=60)
    return (folder / "k").read_bytes()


@contextlib.contextmanager
def limited(seconds: float) -> Iterator[None]:
    """Raise TimeoutError where the block takes longer."""
    def stop(*_: object) -> None:
        raise TimeoutError(f"more than {seconds} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def assert_in_order(ran: Ran, what: str) -> None:
    """A run with --json on a damaged file ended as runs do: with its object, or with an error that names the file."""
    assert ran.err == "", f"{what}: {ran}"
    document = json.loads(ran.out)
    errors = document.get("diagnostics", [])
    assert ran.status in (0, 1, 2) and bool(ran.status) == bool(errors), f"{what}: {ran}"
    assert not [e for e in errors if e["slug"] == "internal"], f"{what}: {ran}"
    if ran.status == 2:
        assert errors[-1]["message"].startswith("vmlinux: ") and "coordinates" not in document, f"{what}: {ran}"


def flips(data: bytes, section: str, count: int, seed: int) -> Iterator[tuple[str, bytes]]:
    """Copies of an ELF file with some bytes of a section changed, each with words that say which."""
    place = next((s for s in read_sections(data) if s.name == section), None)
    if place is None or not place.size:
        return
    chance = random.Random(f"{section} {seed}")
    for _ in range(count):
        changed = bytearray(data)
        at = [chance.randrange(place.size) for _ in range(chance.choice((1, 1, 1, 2, 6)))]
        for offset in at:
            changed[place.offset + offset] = chance.choice((*BYTES, chance.randrange(256)))
        yield f"{section}+{at}", bytes(changed)


@pytest.mark.parametrize("section", SECTIONS)
def test_flipped_bytes_end_in_order(section: str, compiled: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    statuses: Counter[int] = Counter()
    for image in (compiled, small_kernel().elf()):
        for what, changed in flips(image, section, 40, 1):
            Path("vmlinux").write_bytes(changed)
            with limited(LIMIT):
                ran = localvar("vars", *COORDINATES, "--vmlinux", "vmlinux", "--json")
            assert_in_order(ran, what)
            statuses[ran.status] += 1
    assert statuses.total() in (40, 80) and statuses[0], "every run was refused: nothing was tested"


@pytest.mark.parametrize("section", [".debug_info", ".debug_abbrev", ".debug_loclists", ".debug_line"])
def test_flipped_bytes_end_an_expansion_in_order(section: str, compiled: bytes, tmp_path: Path,
                                                 monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    headers = write_headers(tmp_path)
    Path("h.c").write_text(HANDLER)
    for what, changed in flips(compiled, section, 25, 2):
        Path("vmlinux").write_bytes(changed)
        with limited(LIMIT):
            ran = localvar("expand", "h.c", "--vmlinux", "vmlinux", "--json", "--", *gcc_flags(headers))
        assert_in_order(ran, what)
        assert Path("h.localvar.c").exists() == (ran.status == 0), f"{what}: {ran}"
        Path("h.localvar.c").unlink(missing_ok=True)


@pytest.mark.parametrize("section", [".debug_info", ".debug_abbrev", ".debug_loclists", ".debug_str", ".debug_line",
                                     ".debug_aranges", ".debug_frame"])
def test_emptied_and_shortened_sections_end_in_order(section: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    size = len(small_kernel().assemble().sections[section])
    for keep in (0, 1, size // 2, size - 1):
        small_kernel(damage={section: lambda data, keep=keep: data[:keep]}).write(tmp_path / "vmlinux")  # type: ignore[misc]
        with limited(LIMIT):
            assert_in_order(localvar("vars", "account", "--vmlinux", "vmlinux", "--json"), f"{section} cut to {keep} of {size}")


def test_damage_that_is_found_is_an_error_that_names_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    small_kernel(damage={".debug_info": lambda data: data[:-3]}).write(tmp_path / "vmlinux")
    ran = localvar("vars", "account", "--vmlinux", "vmlinux")
    assert (ran.status, ran.out) == (2, "")
    assert ran.errors[0].startswith("localvar: error: vmlinux: damaged debug info: ")
    assert ran.errors[0].endswith("[damaged-debug-info]") and "note: fix: " in ran.err


def test_what_a_reader_lets_through_is_damage_and_what_others_raise_is_not(tmp_path: Path) -> None:
    import localvar.dwarf.leb128 as reader
    import localvar.kernel as kernel
    from localvar.diagnostics import Failure

    write_small_kernel(tmp_path)
    opened = kernel.Kernel(tmp_path / "vmlinux", None)
    with pytest.raises(Failure, match="damaged debug info"), opened.reading():
        reader.uleb(b"\x80", 0)
    with pytest.raises(Failure, match="refers to itself in circles"), opened.reading():
        raise RecursionError
    with pytest.raises(IndexError), opened.reading():
        raise IndexError("not a reader's")
