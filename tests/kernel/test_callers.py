# SPDX-License-Identifier: GPL-2.0-or-later
"""What callers passed for parameters that gcc took away: read in a module and in the kernel, held against what was passed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from .build import build_module
from .kernels import InstalledKernel
from .vm import Module, VirtualMachine, VmResult

pytestmark = pytest.mark.vm

SOURCES = Path(__file__).with_name("callers")
TURNS = 3
#: The calls of weigh() in each turn, and those that say what they pass.
CALLS, TOLD = 5, 2
HANDLERS = """
static int on_write(struct pt_regs *regs, void *buf, int bufsize)
{
	return scnprintf(buf, bufsize, "ino=%lu pos=%d", GET_LOCAL_VAR(file->f_inode->i_ino), GET_LOCAL_VAR(oom_adj));
}
LOCALVAR_PROBE(on_write, "kernel.function(\\"__set_oom_adj\\")");
"""
#: The shell's and its child's file; a file keeps its inode's number while it is open.
WRITES = """
    exec 3> /proc/self/oom_score_adj
    echo inode $(stat -L -c %i /proc/$$/fd/3)
    echo 7 >&3
    exec 4> /proc/1/oom_score_adj
    echo inode $(stat -L -c %i /proc/$$/fd/4)
    echo 9 >&4
"""


def build(kernel: InstalledKernel, name: str, text: str, script: Path, folder: Path, flags: str = "") -> Path:
    """Expand and build a module of one file."""
    sources = {f"{name}.c": text, "Kbuild": f"obj-m += {name}.o\ninclude $(shell $(LOCALVAR) kbuild)\n"}
    arguments = ["localvar=1", f"LOCALVAR={script}", f"LOCALVAR_FLAGS={flags}"]
    return build_module(kernel, name, sources, folder / name, make_args=arguments)


def texts(result: VmResult, module: str, handler: str) -> list[str]:
    found = [record.text for record in result.records(module)]
    return [text.removeprefix(f"{handler}: ") for text in found if text.startswith(f"{handler}: ")]


def counters(result: VmResult, probe: str) -> dict[str, int]:
    lines = result.sections[f"debugfs/localvar/watch/{probe}"].splitlines()
    return {name: int(value) for name, value in (line.split() for line in lines)}


def test_a_modules_callers_are_told_apart_and_unknown_ones_are_unproven(
    kernel: InstalledKernel, localvar_script: Path, tmp_path: Path
) -> None:
    """A return probe on the same function puts the kernel's trampoline in the place of the return address meanwhile."""
    source = (SOURCES / "passed.c").read_text()
    lines = {word: next(n for n, text in enumerate(source.splitlines(), 1) if text.strip().endswith(end))
             for word, end in (("WEIGHED", "return load + scale;"), ("FORGOTTEN", "/* forgotten */"))}
    victim = build_module(kernel, "passed", {"passed.c": source}, tmp_path / "passed")
    handlers = (SOURCES / "watch.c").read_text()
    for word, line in lines.items():
        handlers = handlers.replace(word, str(line))
    watch = build(kernel, "watch", handlers, localvar_script, tmp_path, f"--module-debug {victim.parent}")
    result = VirtualMachine(
        kernel, [Module(victim), Module(watch)], f"echo {TURNS} > /sys/module/passed/parameters/run",
        collect={"debugfs/localvar": "/sys/kernel/debug/localvar"},
    ).run()

    expected = [f"key={key} load={turn}" for turn in range(TURNS) for key in (1, 2)]
    for handler in ("at_entry", "at_end"):
        assert texts(result, "watch", handler) == expected
        counted = counters(result, handler)
        assert counted["hits"] == CALLS * TURNS and counted["unproven"] == (CALLS - TOLD) * TURNS
    assert re.findall(r"watch: plain (key=\d)", result.dmesg) == ["key=1", "key=2"] * TURNS
    assert re.findall(r"watch: forgotten (what=\d+)", result.dmesg) == ["what=71", "what=72"] * TURNS

    keys = [(1, 1), (2, 1), (-1, 0), (-1, 0), (-1, 0)]
    assert texts(result, "watch", "perhaps") == [f"key={key} available={there}" for key, there in keys * TURNS]
    assert texts(result, "watch", "may_begin_again") == ["available=0"] * 2 * TURNS
    # `changes` adds 100 to what of_the_file() was called with
    scales = [[2, turn, turn + 100, 4, 5] for turn in range(TURNS)]
    assert texts(result, "watch", "at_return") == [f"scale={scale}" for turn in scales for scale in turn]


def test_a_kernel_functions_file_is_the_one_that_was_written(
    kernel: InstalledKernel, localvar_script: Path, tmp_path: Path
) -> None:
    """__set_oom_adj() uses its file for the inode alone, which gcc passes in its place (fs/proc/base.c)."""
    text = f'#include <linux/fs.h>\n#include <linux/module.h>\n#include <localvar.h>\n{HANDLERS}' \
           'LOCALVAR_MODULE();\nMODULE_LICENSE("GPL");\nMODULE_DESCRIPTION("test of localvar");\n'
    module = build(kernel, "oom", text, localvar_script, tmp_path)
    assert "[caller: " in (module.parent / "oom.localvar.c").read_text()
    result = VirtualMachine(kernel, [Module(module)], WRITES).run()
    inodes = re.findall(r"inode (\d+)", result.step("workload").output)
    assert len(set(inodes)) == 2
    assert texts(result, "oom", "on_write") == [f"ino={inodes[0]} pos=7", f"ino={inodes[1]} pos=9"]
