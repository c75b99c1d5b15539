# SPDX-License-Identifier: GPL-2.0-or-later
"""The command line, called as a user calls it, with what it printed; and a folder to call it in."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from localvar.cli import COMMANDS
from localvar.cli.group import LazyGroup, run
from localvar.cli.report import Reporter

ROOT = Path(__file__).resolve().parents[1]

HEADERS = {
    "linux/types.h": """\
#pragma once
#define NULL ((void *)0)
#define CONFIG_X86_64 1
#define __percpu
#define READ_ONCE(x) (*(const volatile __typeof__(x) *)&(x))
#define __init
#define __exit
#define __always_inline inline __attribute__((always_inline))
#define __force
#define __noreturn __attribute__((__noreturn__))
#define __compiletime_error(text) __attribute__((__error__(text)))
#define static_assert(e, ...) _Static_assert(e, #e)
typedef _Bool bool;
enum { false, true };
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef signed char s8;
typedef short s16;
typedef int s32;
typedef long long s64;
typedef unsigned long size_t;
""",
    "linux/list.h": "#pragma once\nstruct list_head { struct list_head *next, *prev; };\n",
    "linux/ptrace.h": """\
#pragma once
struct pt_regs {
	unsigned long r15, r14, r13, r12, bp, bx, r11, r10, r9, r8, ax, cx, dx, si, di, orig_ax, ip, cs, flags, sp, ss;
};
""",
    "linux/percpu.h": "#pragma once\n#define DECLARE_PER_CPU(type, name) extern __typeof__(type) name\n"
                      "#define this_cpu_read(name) (name)\n#define this_cpu_ptr(pointer) (pointer)\n",
    "linux/sched/task.h": "#pragma once\nextern struct task init_task;\n",
    "linux/kprobes.h": """\
#pragma once
#include <linux/list.h>
#include <linux/ptrace.h>
#include <linux/types.h>
typedef unsigned char kprobe_opcode_t;
struct kprobe;
struct kretprobe_instance;
typedef int (*kprobe_pre_handler_t)(struct kprobe *, struct pt_regs *);
typedef int (*kretprobe_handler_t)(struct kretprobe_instance *, struct pt_regs *);
struct kprobe {
	kprobe_opcode_t *addr;
	const char *symbol_name;
	unsigned int offset;
	kprobe_pre_handler_t pre_handler;
	void (*post_handler)(struct kprobe *, struct pt_regs *, unsigned long);
};
struct kretprobe { struct kprobe kp; kretprobe_handler_t handler, entry_handler; int maxactive; };
int register_kprobe(struct kprobe *kp);
void unregister_kprobe(struct kprobe *kp);
""",
    "linux/module.h": """\
#pragma once
#include <linux/types.h>
#define module_init(f) int init_module(void) __attribute__((alias(#f)))
#define module_exit(f) void cleanup_module(void) __attribute__((alias(#f)))
#define MODULE_LICENSE(text) extern const char localvar_test_license[]
int print(const char *text, ...) __attribute__((format(printf, 1, 2)));
int scnprintf(char *buf, size_t size, const char *text, ...) __attribute__((format(printf, 3, 4)));
""",
    "linux/task.h": """\
#pragma once
#include <linux/types.h>
struct task { int pid; unsigned int dead:3; struct task *parent; size_t size; };
""",
}
"""As much of a kernel's headers as handlers of tests.small_kernel and localvar's run time need."""


@dataclass(frozen=True)
class Ran:
    """What a command left: exit status, standard output, standard error."""

    status: int
    out: str
    err: str

    @property
    def diagnostics(self) -> list[dict[str, Any]]:
        """The diagnostics that --json printed."""
        found: list[dict[str, Any]] = []
        for line in self.out.splitlines():
            found += json.loads(line).get("diagnostics", [])
        return found

    @property
    def errors(self) -> list[str]:
        """The `… error: …` lines."""
        return [line for line in self.err.splitlines() if ": error: " in line]


def localvar(*arguments: str | Path) -> Ran:
    """Run `localvar arguments…` in this process."""
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True) for _ in range(2))
    Reporter.current = Reporter()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = run(LazyGroup(COMMANDS), [str(argument) for argument in arguments])
    return Ran(status, _text(out), _text(err))


def localvar_process(*arguments: str | Path, environ: Mapping[str, str] | None = None, stdout: int = subprocess.PIPE,
                     timeout: float = 60) -> Ran:
    """Run `localvar arguments…` in a process of its own; environ is added to the environment, stdout a file descriptor."""
    done = subprocess.run([sys.executable, "-m", "localvar", *map(str, arguments)], stdin=subprocess.DEVNULL, stdout=stdout,
                          stderr=subprocess.PIPE, text=True, timeout=timeout, check=False,
                          env={**os.environ, "PYTHONPATH": str(ROOT), **(environ or {})})
    return Ran(done.returncode, done.stdout or "", done.stderr)


def write_headers(folder: Path) -> Path:
    """The headers of HEADERS in folder/include; returns that directory."""
    for name, text in HEADERS.items():
        path = folder / "include" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="ascii")
    return folder / "include"


def gcc_flags(headers: Path) -> list[str]:
    """Compiler flags for a handler file, to follow `--`."""
    return ["-nostdinc", f"-I{headers}", "-std=gnu11", "-D__KERNEL__"]


@contextlib.contextmanager
def inside(folder: Path) -> Iterator[None]:
    """Run the block with folder as working directory."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def leftovers(folder: Path, known: Sequence[str]) -> list[str]:
    """Files in folder that are not known: outputs that should not be there, temporary files."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*")
                  if path.is_file() and str(path.relative_to(folder)) not in known)


def _text(stream: io.TextIOWrapper) -> str:
    stream.flush()
    buffer = stream.buffer
    assert isinstance(buffer, io.BytesIO)
    return buffer.getvalue().decode()


def write_module(files: Mapping[str, str | bytes], folder: Path) -> Path:
    """A folder to expand in: the files, a small kernel as `vmlinux`, headers in include/.  Returns the headers' directory."""
    from tests.small_kernel import write_small_kernel

    write_small_kernel(folder)
    for name, text in files.items():
        (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return write_headers(folder)


def localvar_expansion(files: Mapping[str, str | bytes], folder: Path, name: str = "h.c") -> str:
    """What a handler file becomes beside other files of the module, in a folder that is empty so far."""
    headers = write_module(files, folder)
    with inside(folder):
        ran = localvar("expand", name, "--vmlinux", "vmlinux", "--", *gcc_flags(headers))
    assert (ran.status, ran.out, ran.errors) == (0, "", []), ran.err
    return (folder / name).with_suffix(".localvar.c").read_bytes().decode()
