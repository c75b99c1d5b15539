# SPDX-License-Identifier: GPL-2.0-or-later
"""Handler files for the tests of localvar.source: scanned against a few lines of C that stand in for the
kernel's
headers, or against an installed kernel's."""

from __future__ import annotations

import functools
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from localvar.diagnostics import Log, Span
from localvar.model.source import MacroUse, ProbeSource
from localvar.source.parse import Unit
from localvar.source.scan import scan_unit

KERNEL = """\
#ifndef KERNEL_H
#define KERNEL_H
#define NULL ((void *)0)
#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)
#define WARN_ON_ONCE(x) ({ int _w = !!(x); _w; })
#define READ_ONCE(x) (*(const volatile typeof(x) *)&(x))
#define __stringify_1(x...) #x
#define TEXT_ONLY(x) #x
#define IGNORE(x)
#define TWICE(x) ((x) + (x))
#define max(a, b) ({ typeof(a) _a = (a); typeof(b) _b = (b); _a > _b ? _a : _b; })
#define container_of(p, t, m) ({ void *_p = (void *)(p); (t *)(_p - __builtin_offsetof(t, m)); })
#define printk(fmt, ...) print(fmt, ##__VA_ARGS__)
#define pr_info(fmt, ...) printk(fmt, ##__VA_ARGS__)
#define list_for_each(pos, head) for (pos = (head)->next; pos != (head); pos = pos->next)
#define __init __attribute__((section(".init.text")))
int print(const char *fmt, ...);
struct list_head { struct list_head *next, *prev; };
struct pt_regs { unsigned long di, si, ax; };
struct task_struct { int pid; struct list_head tasks; struct task_struct *parent; };
struct kprobe;
struct kretprobe_instance;
typedef int (*pre_t)(struct kprobe *, struct pt_regs *);
typedef void (*post_t)(struct kprobe *, struct pt_regs *, unsigned long);
typedef int (*ret_t)(struct kretprobe_instance *, struct pt_regs *);
struct kprobe { const char *symbol_name; unsigned int offset; pre_t pre_handler; post_t post_handler; };
struct kretprobe { struct kprobe kp; ret_t handler; ret_t entry_handler; int maxactive; };
int register_kprobe(struct kprobe *kp);
#endif
"""

HEAD = "#include <kernel.h>\n#include <localvar.h>\n"
HANDLER = "static int h(struct pt_regs *regs, void *buf, int bufsize)"


@dataclass(frozen=True)
class Scanned:
    """A scanned file, with what was complained about."""

    source: ProbeSource
    log: Log
    unit: Unit
    text: bytes

    @property
    def messages(self) -> list[str]:
        """`line:column: slug: message` of each diagnostic; the file's name in front where it is not the main file."""
        return [f"{self.where(d.span)}{d.slug}: {d.message}" for d in self.log.diagnostics]

    def where(self, span: Span | None) -> str:
        """A span as `line:column: `."""
        if span is None:
            return ""
        name = "" if span.file == self.source.path else f"{Path(span.file).name}:"
        return f"{name}{span.line}:{span.column}: "

    def written(self, span: Span) -> str:
        """The bytes of a span."""
        texts = {self.source.path: self.text} | {h.path: h.text for h in self.source.headers}
        return texts[span.file][span.start:span.end].decode()

    def use(self, path: str) -> MacroUse:
        """The one use whose first argument is this path."""
        [found] = [use for use in self.source.uses if use.arguments and use.arguments[0].text == path]
        return found


def scanned(folder: Path, text: str | bytes, *, headers: dict[str, str] | None = None, head: str = HEAD,
            name: str = "oom.c", flags: Sequence[str] = ()) -> Scanned:
    """Scan a file of `head` and `text`, with headers of the module beside it."""
    kernel = folder / "kernel"
    kernel.mkdir(exist_ok=True)
    (kernel / "kernel.h").write_text(KERNEL)
    module = folder / "module"
    module.mkdir(exist_ok=True)
    for header, contents in (headers or {}).items():
        (module / header).parent.mkdir(exist_ok=True)
        (module / header).write_text(contents)
    data = head.encode() + (text if isinstance(text, bytes) else text.encode())
    (module / name).write_bytes(data)
    log = Log()
    source, unit = scan_unit(str(module / name), ["-nostdinc", "-I../kernel", "-std=gnu11", *flags],
                             directory=str(module), log=log)
    return Scanned(source, log, unit, data)


def rewritten(result: Scanned, accessor: Callable[[MacroUse, str], str]) -> str:
    """The main file as a later stage rewrites it: copies defined behind localvar.h's line, uses and names replaced.

    accessor: the text for a use, given the text of its last argument with the uses in it replaced.
    """
    source = result.source

    def spliced(text: bytes, base: int, start: int, end: int, copy: str | None) -> str:
        uses = [use for use in source.uses if use.copy == copy and use.span.file == source.path]
        names = {c.span: c.name for c in source.copies if c.parent == copy}
        spans = [use.span for use in uses] + list(names)
        parts, at = [], start
        for span in sorted(spans, key=lambda s: (s.start, -s.end)):
            if at <= span.start and span.end <= end:
                parts.append(text[at - base:span.start - base].decode("latin-1"))
                use = next((use for use in uses if use.span == span), None)
                last = use.arguments[-1].span if use is not None and use.arguments else span
                inside = use is not None and span.start < last.start
                nested = spliced(text, base, last.start, last.end, copy) if inside else ""
                parts.append(names[span] if use is None else accessor(use, nested))
                at = span.end
        return "".join(parts) + text[at - base:end - base].decode("latin-1")

    defined = "".join(f"#define {c.name}{spliced(c.text, c.definition.start, c.definition.start, c.definition.end, c.name)}\n"
                      for c in source.copies)
    whole = len(result.text)
    before = spliced(result.text, 0, 0, source.include_at, None)
    return before + defined + spliced(result.text, 0, source.include_at, whole, None)


def handler(body: str) -> str:
    """A handler with this body, alone in its file."""
    return f"{HANDLER}\n{{\n{body}\n}}\n"


@functools.cache
def kernels() -> tuple[str, ...]:
    """The releases of the kernels whose headers are installed for building modules."""
    return tuple(sorted(p.parent.name for p in Path("/lib/modules").glob("*/build")
                        if (p / "Makefile").exists()))


def kernel_flags(release: str, module: str) -> tuple[list[str], str]:
    """The flags that Kbuild passes to gcc for a file of a module on this kernel, and gcc's working directory."""
    build = Path("/lib/modules", release, "build").resolve()
    common = next((p for p in _sources(build)), build)
    include = shlex.split(f"""
        -I{common}/arch/x86/include -I./arch/x86/include/generated -I{common}/include -I./include
        -I{common}/arch/x86/include/uapi -I./arch/x86/include/generated/uapi -I{common}/include/uapi
        -I./include/generated/uapi -include {common}/include/linux/compiler-version.h
        -include {common}/include/linux/kconfig.h -include {common}/include/linux/compiler_types.h""")
    return ["-Wp,-MMD,./.oom.o.d", "-nostdinc", *include, "-D__KERNEL__", f"-fmacro-prefix-map={common}/=",
            "-Wall",
            "-Wundef", "-fno-strict-aliasing", "-fno-common", "-fshort-wchar", "-std=gnu11", "-mno-sse",
            "-m64",
            "-falign-jumps=1", "-mno-80387", "-mpreferred-stack-boundary=3", "-mcmodel=kernel",
            "-fconserve-stack",
            "-mindirect-branch=thunk-extern", "-O2", "--param", "allow-store-data-races=0", "-pg", "-mfentry",
            "-DCC_USING_FENTRY", "-g", "-DMODULE", f'-DKBUILD_BASENAME="{module}"',
            f'-DKBUILD_MODNAME="{module}"',
            f"-D__KBUILD_MODNAME=kmod_{module}", "-c", "-o", f"{module}.o", f"{module}.c"], str(build)


def _sources(build: Path) -> list[Path]:
    """The source tree that a build tree apart from it includes the Makefile of."""
    words = (build / "Makefile").read_text().split()
    trees = [Path(word).parent for word in words if word.endswith("/Makefile")]
    return [tree for tree in trees if (tree / "include" / "linux" / "kconfig.h").exists()]
