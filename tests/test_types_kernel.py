# SPDX-License-Identifier: GPL-2.0-or-later
"""Types of an installed kernel: written out and included, compiled, held against its debug info.

LOCALVAR_ALL=1 takes every definition of the kernel (some minutes) where the normal run takes a sample.
"""

from __future__ import annotations

import os
import random
import re
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from localvar.diagnostics import Failure, Log
from localvar.dwarf import constants as c
from localvar.dwarf.elf import Elf
from localvar.dwarf.info import DebugInfo
from localvar.dwarf.lookup import TypeLookup
from localvar.dwarf.types import type_at
from localvar.dwarf.unit import Die
from localvar.kbuild.environment import Host, Request, find_build_directory, find_vmlinux
from localvar.kbuild.flags import kernel_flags
from localvar.kernel import Kernel
from localvar.model.ctype import Enumeration, Record
from localvar.paths import include_directory
from localvar.pipeline import Job, expand
from localvar.source.parse import open_unit
from localvar.types.asserts import MACROS, assertions
from localvar.types.closure import Closure, Forward, spelling
from localvar.types.define import define, origin
from localvar.types.headers import DEPTH, Chooser, IncludePath, complete, include_path
from localvar.types.layout import Layouts
from localvar.types.listing import headers_for, type_definition, type_definitions
from localvar.types.trial import Trial
from tests.c_compilers import clang_errors, gcc_errors
from tests.dwarf_support import VMLINUX
from tests.kernel.requires import missing

EVERYTHING = os.environ.get("LOCALVAR_ALL") == "1"
DEFINITIONS = 1 << 30 if EVERYTHING else 500
HEADERS = 1 << 30 if EVERYTHING else 30
MODULES = 50 if EVERYTHING else 12
BATCH = 300
TAGS = {c.DW_TAG_structure_type, c.DW_TAG_union_type, c.DW_TAG_enumeration_type}


@dataclass(frozen=True)
class Setting:
    """A kernel with its flags for modules."""

    kernel: Kernel
    flags: tuple[str, ...]
    directory: str

    @property
    def path(self) -> IncludePath:
        """Where the compiler looks for headers."""
        return include_path(self.flags, self.directory)


def setting(release: str) -> Setting:
    """The installed kernel of that release; a skip where it is not complete."""
    host, request = Host(), Request(kernel=release)
    try:
        vmlinux = find_vmlinux(request, host)
        build = find_build_directory(request, host, release)
        flags = kernel_flags(build, host).for_file(Path("types.c"))
        return Setting(Kernel(vmlinux.path, vmlinux.release), (*flags, f"-I{include_directory()}"), str(build.path))
    except Failure as failure:
        missing(str(failure))


@pytest.fixture(scope="module")
def installed() -> Setting:
    if not VMLINUX:
        missing("no vmlinux of a 6.1 kernel with debug info; run tools/setup-debian.sh test")
    return setting(VMLINUX[0].name.removeprefix("vmlinux-"))


def definitions(info: DebugInfo, number: int, seed: int) -> list[Record | Enumeration]:
    """Named struct, union and enum definitions, from units in random order; all of them where number is above what there is."""
    choice = random.Random(seed)
    offsets = list(info.unit_offsets)
    choice.shuffle(offsets)
    found: dict[tuple[object, ...], Record | Enumeration] = {}
    for offset in offsets:
        unit = info.unit(offset)
        dies = [die for entry in unit.top_level if entry[1].tag in TAGS and (die := Die(unit, entry)).string(c.DW_AT_name)]
        dies = [die for die in dies if not die.flag(c.DW_AT_declaration)]
        for die in dies if EVERYTHING else choice.sample(dies, min(8, len(dies))):
            ctype = type_at(die)
            if isinstance(ctype, (Record, Enumeration)):
                found.setdefault((die.tag, ctype.name, ctype.declared, ctype.size), ctype)
        if len(found) >= number:
            break
    return list(found.values())[:number]


def in_a_function(number: int, ctype: Record | Enumeration, layouts: Layouts) -> str:
    """A type and what it needs, with their sizes and offsets asserted, in a scope of its own: names repeat in a kernel."""
    closure = Closure(lambda other: False)
    closure.add(ctype)
    lines = [f"void f{number}(void)", "{"]
    for item in closure.items:
        text = f"{item.kind} {item.name};" if isinstance(item, Forward) else f"/* {origin(item)} */\n{define(item, layouts)}"
        lines.append(text)
    for item in closure.items:
        if isinstance(item, (Record, Enumeration)):
            lines += [str(assertion) for assertion in assertions(item, spelling(item))]
    return "\n".join([*lines, "}\n"])


def batches(texts: list[str]) -> Iterator[str]:
    for start in range(0, len(texts), BATCH):
        yield "\n".join([MACROS, *texts[start : start + BATCH]])


def test_definitions_of_a_kernel_have_the_layout_that_debug_info_says(installed: Setting, tmp_path: Path) -> None:
    layouts = Layouts()
    types = definitions(installed.kernel.info, DEFINITIONS, 1)
    assert len(types) >= min(DEFINITIONS, 8000)
    texts = [in_a_function(number, ctype, layouts) for number, ctype in enumerate(types)]
    assert sum(text.count("LOCALVAR_MEMBER(") for text in texts) > 5 * len(types)
    for text in batches(texts):
        assert gcc_errors(text, tmp_path) + clang_errors(text) == []


def test_definitions_of_modules_have_the_layout_that_debug_info_says(installed: Setting, tmp_path: Path) -> None:
    files = sorted(Path("/usr/lib/debug/lib/modules", installed.kernel.release, "kernel").rglob("*.ko"))
    if len(files) < MODULES:
        missing("no debug files of modules; run tools/setup-debian.sh test")
    texts: dict[str, None] = {}
    seen = set()
    for file in random.Random(3).sample(files, MODULES):
        layouts = Layouts()
        for ctype in definitions(DebugInfo(Elf.open(file), file.stem), DEFINITIONS, 4):
            same = (spelling(ctype), ctype.declared, ctype.size)  # modules have thousands of types of headers in common
            if same not in seen:
                seen.add(same)
                texts[in_a_function(0, ctype, layouts)] = None
    assert len(texts) > 5 * MODULES
    for text in batches([text.replace("f0(", f"f{number}(", 1) for number, text in enumerate(texts)]):
        assert gcc_errors(text, tmp_path) + clang_errors(text) == []


def test_the_chosen_includes_make_types_of_shipped_headers_complete(
    installed: Setting, capsys: pytest.CaptureFixture[str]
) -> None:
    path = installed.path
    types = [ctype for ctype in definitions(installed.kernel.info, 4 * HEADERS, 2) if path.bring(ctype)][:HEADERS]
    # of the 5,712 in shipped headers of 6.1, TRACE_EVENT() makes 916, which no include brings (IncludePath.bring)
    assert len(types) >= min(HEADERS, 4700)
    of_file: dict[str | None, list[Record | Enumeration]] = {}
    for ctype in types:
        of_file.setdefault(ctype.declared.file, []).append(ctype)
    trial = Trial(open_unit("/nowhere/types.c", b"", installed.flags, directory=installed.directory), b"")
    chooser = Chooser(path, installed.kernel.names, trial)
    failed = [problem for several in of_file.values() for problem in without_header(chooser, several)]
    if EVERYTHING:
        with capsys.disabled():
            print(f"\n{len(types) - len(failed)} of {len(types)} types of {len(of_file)} headers are complete behind includes")
            print("\n".join(failed))
    assert len(failed) <= len(types) // 100, failed


def without_header(chooser: Chooser, types: Sequence[Record | Enumeration]) -> list[str]:
    """Those of the types of one header, with the reason, that no includes make complete with the layout of debug info.

    All at once where one set serves all: most headers are tried once.
    """
    def asserted(ctype: Record | Enumeration) -> list[str]:
        return [*map(str, assertions(ctype, spelling(ctype)))]

    checks = [complete(spelling(ctype)) for ctype in types]
    everything = [*checks, MACROS, *(line for ctype in types for line in asserted(ctype))]
    if chooser.choose(types[0].declared, everything, depth=DEPTH):
        return []
    found = []
    for ctype, check in zip(types, checks, strict=True):
        includes = chooser.choose(ctype.declared, [check])
        outcome = chooser.run(includes or chooser.path.spellings(ctype.declared.file)[:1], [MACROS, check, *asserted(ctype)])
        if includes is None or not outcome.ok:
            problem = next((text for text in (*outcome.elsewhere, *outcome.lines) if text), "")
            found.append(f"{spelling(ctype)} ({origin(ctype)}): {' '.join(includes or ('no includes',))}: {problem}")
    return found


def test_a_header_that_does_not_stand_alone_gets_what_it_misses_in_front(installed: Setting) -> None:
    parser = open_unit("/nowhere/types.c", b"", installed.flags, directory=installed.directory)
    advice = headers_for(installed.kernel.names, "struct shrinker", installed.path, parser)
    assert advice.includes[-1] == "linux/shrinker.h" and len(advice.includes) > 1
    trial = Trial(parser, b"")
    assert not trial.run(["#include <linux/shrinker.h>", complete("struct shrinker")]).ok
    assert trial.run([*(f"#include <{name}>" for name in advice.includes), complete("struct shrinker")]).ok


def test_private_types_have_no_header_and_say_why(installed: Setting) -> None:
    parser = open_unit("/nowhere/types.c", b"", installed.flags, directory=installed.directory)
    names = installed.kernel.names
    assert headers_for(names, "struct scan_control", installed.path, parser).reason == "private to mm/vmscan.c"
    reason = headers_for(names, "struct mount", installed.path, parser).reason
    assert reason == "fs/mount.h is not shipped with the kernel's headers"


def test_a_definition_by_name_includes_what_headers_have(installed: Setting) -> None:
    shown = type_definition(installed.kernel.names, "scan_control", path=installed.path)
    assert (shown.name, shown.file, shown.size) == ("struct scan_control", "mm/vmscan.c", 128)
    assert "linux/types.h" in shown.includes
    assert "struct scan_control {" in shown.text and "gfp_t gfp_mask;" in shown.text
    assert "typedef unsigned int gfp_t" not in shown.text
    assert "typedef unsigned int gfp_t" in type_definition(installed.kernel.names, "scan_control").text


def test_an_unknown_type_is_an_error_with_close_names(installed: Setting) -> None:
    with pytest.raises(Failure) as failure:
        type_definition(installed.kernel.names, "scan_contrl")
    assert [note.message for note in failure.value.diagnostics[0].notes] == ["close names: struct scan_control"]


def test_a_module_s_own_types_are_found_by_name_and_by_glob(installed: Setting) -> None:
    file = next(Path("/usr/lib/debug/lib/modules", installed.kernel.release).rglob("loop.ko"), None)
    if file is None:
        missing("no debug files of modules; run tools/setup-debian.sh test")
    names = TypeLookup(DebugInfo(Elf.open(file), "loop"))
    assert "struct gendisk *lo_disk;" in type_definition(names, "loop_device").text
    found = [one.name for one in type_definitions(names, "struct loop_*")]
    assert {"struct loop_cmd", "struct loop_device"} <= set(found)


HANDLER = """#include <linux/module.h>
%s
#include <localvar.h>
%s
static int handler(struct pt_regs *regs, void *buf, int bufsize)
{
	%s
}
LOCALVAR_PROBE(handler, "%s");
LOCALVAR_MODULE();
MODULE_LICENSE("GPL");
"""
RESTART = r"kernel.function(\"balance_pgdat@mm/vmscan.c\").label(\"restart\")"
SCAN_CONTROL = """struct scan_control sc = GET_LOCAL_VAR(sc);
	struct task_struct *task = GET_LOCAL_VAR(pgdat)->kswapd;
	return scnprintf(buf, bufsize, "%d %lu %d", sc.priority, sc.nr.dirty + sc.nr_reclaimed, task->pid);"""


def expanded(where: Setting, folder: Path, body: str, coordinate: str, front: str = "", behind: str = "") -> str:
    """The text of a handler's expansion.  Raises Failure."""
    return expanded_text(where, folder, HANDLER % (front, behind, body, coordinate))


def expanded_text(where: Setting, folder: Path, source: str) -> str:
    """The text of a handler file's expansion.  Raises Failure."""
    file = folder / "handler.c"
    file.write_text(source)
    log = Log()
    result = expand(Job(str(file), where.flags, where.directory, "handler.c", "handler", ("handler",)), where.kernel, log)
    assert [d.message for d in log.diagnostics if d.slug != "sites-left-out"] == []
    return result.text.decode()


def compiled(where: Setting, folder: Path, text: str) -> str:
    """What gcc says of a text under the kernel's flags."""
    file = folder / "handler.localvar.c"
    file.write_text(text)
    command = ["gcc", *where.flags, "-c", "-o", str(folder / "handler.o"), str(file)]
    return subprocess.run(command, cwd=where.directory, capture_output=True, text=True, timeout=120, check=False).stderr


def test_a_private_struct_by_value_expands_and_compiles(installed: Setting, tmp_path: Path) -> None:
    text = expanded(installed, tmp_path, SCAN_CONTROL, RESTART)
    assert text.count("struct scan_control {") == 1
    assert "/* mm/vmscan.c:" in text and "#include <linux/sched.h>" not in text
    assert compiled(installed, tmp_path, text) == ""


def test_a_private_struct_behind_a_pointer_can_be_looked_into(installed: Setting, tmp_path: Path) -> None:
    body = 'struct rq *rq = GET_LOCAL_VAR(rq);\n\treturn scnprintf(buf, bufsize, "%u %d", rq->nr_running, rq->curr->pid);'
    text = expanded(installed, tmp_path, body, r"kernel.function(\"update_rq_clock@kernel/sched/core.c\")")
    assert "struct rq {" in text and "LOCALVAR_MEMBER(struct rq, nr_running," in text
    assert compiled(installed, tmp_path, text) == ""


@pytest.mark.parametrize("body", [
    'struct scan_control *sc = GET_LOCAL_VAR(sc);\n\treturn scnprintf(buf, bufsize, "%u", sc->may_unmap);',
    'return scnprintf(buf, bufsize, "%u", (GET_LOCAL_VAR(sc)) -> may_unmap);'])
def test_a_private_struct_of_which_only_a_bit_field_is_used_is_written_out(
    installed: Setting, tmp_path: Path, body: str
) -> None:
    text = expanded(installed, tmp_path, body, r"kernel.function(\"shrink_node\").call")
    assert "struct scan_control {" in text
    assert compiled(installed, tmp_path, text) == ""


def test_a_private_struct_that_is_not_looked_into_is_only_declared(installed: Setting, tmp_path: Path) -> None:
    body = 'return scnprintf(buf, bufsize, "%px", GET_LOCAL_VAR(rq));'
    text = expanded(installed, tmp_path, body, r"kernel.function(\"update_rq_clock@kernel/sched/core.c\")")
    assert "struct rq;" in text and "struct rq {" not in text
    assert compiled(installed, tmp_path, text) == ""


def test_a_header_that_the_handler_has_is_not_included_again(installed: Setting, tmp_path: Path) -> None:
    with_it = expanded(installed, tmp_path, SCAN_CONTROL, RESTART, front="#include <linux/swap.h>")
    assert with_it.count("#include <linux/swap.h>") == 1
    assert compiled(installed, tmp_path, with_it) == ""


def test_the_handlers_own_definition_of_the_same_layout_is_used(installed: Setting, tmp_path: Path) -> None:
    own = define(definition(installed, "struct", "map_info"), Layouts())
    body = 'struct map_info *info = GET_LOCAL_VAR(info);\n\treturn scnprintf(buf, bufsize, "%lx", info->vaddr);'
    for front, behind in (("#include <linux/mm_types.h>\n" + own, ""), ("#include <linux/mm_types.h>", own)):
        text = expanded(installed, tmp_path, body, "free_map_info", front, behind)
        assert text.count("struct map_info {") == 1
        assert compiled(installed, tmp_path, text) == ""


TWO = """#include <linux/module.h>
#include <linux/spinlock.h>
#include <linux/sched.h>
#include <localvar.h>
%s
static int of_serial(struct pt_regs *regs, void *buf, int bufsize)
{
	return scnprintf(buf, bufsize, "%%d", GET_LOCAL_VAR(i)->irq);
}
LOCALVAR_PROBE(of_serial, "kernel.function(\\"serial_do_unlink\\").call");

static int of_xen(struct pt_regs *regs, void *buf, int bufsize)
{
	__auto_type info = GET_LOCAL_VAR(info);

	return scnprintf(buf, bufsize, "%%u %%d", info->irq, info->u.virq);
}
LOCALVAR_PROBE(of_xen, "kernel.function(\\"xen_irq_info_cleanup\\").call");
LOCALVAR_MODULE();
MODULE_LICENSE("GPL");
"""


def test_a_private_name_of_two_files_is_two_types(installed: Setting, tmp_path: Path) -> None:
    text = expanded_text(installed, tmp_path, TWO % "")
    sizes = {name: definition_in(installed, file) for name, file in {
        "struct irq_info": "drivers/tty/serial/8250/8250_core.c",
        "struct irq_info__events_base": "drivers/xen/events/events_base.c"}.items()}
    for name, size in sizes.items():
        assert text.count(f"{name} {{") == 1
        assert f"LOCALVAR_SIZE({name}, {size});" in text
    assert compiled(installed, tmp_path, text) == ""


def definition_in(where: Setting, file: str) -> int | None:
    return type_definition(where.kernel.names, "struct irq_info", file).size


def test_a_private_type_that_only_accessors_use_gives_way_to_the_files_own(installed: Setting, tmp_path: Path) -> None:
    text = expanded_text(installed, tmp_path, TWO % "#include <asm/pci_x86.h>")  # which has a third struct irq_info
    assert "struct irq_info__8250_core {" in text and "struct irq_info__events_base {" in text
    assert "struct irq_info {" not in text
    assert compiled(installed, tmp_path, text) == ""


def test_two_types_of_a_name_that_the_handlers_say_are_an_error_that_shows_both(installed: Setting, tmp_path: Path) -> None:
    with pytest.raises(Failure) as failure:
        expanded_text(installed, tmp_path, TWO.replace("__auto_type info", "struct irq_info *info") % "")
    (diagnostic,) = failure.value.diagnostics
    assert diagnostic.slug == "type-collides" and diagnostic.span is not None
    notes = [note.message for note in diagnostic.notes]
    assert notes[0].startswith("drivers/tty/serial/8250/8250_core.c:83: struct irq_info { struct hlist_node node;")
    assert notes[1].startswith("drivers/xen/events/events_base.c:97: struct irq_info { struct list_head list;")


def definition(where: Setting, kind: str, name: str) -> Record:
    found = where.kernel.names.tagged(kind, name)
    assert isinstance(found, Record)
    return found


def test_the_handlers_own_definition_of_another_layout_is_an_error_that_shows_both(installed: Setting, tmp_path: Path) -> None:
    body = "struct scan_control sc = GET_LOCAL_VAR(sc);\n\treturn sc.priority;"
    with pytest.raises(Failure) as failure:
        expanded(installed, tmp_path, body, RESTART, behind="struct scan_control { int priority; };")
    diagnostic = failure.value.diagnostics[0]
    assert diagnostic.slug == "type-collides" and diagnostic.span is not None
    notes = [note.message for note in diagnostic.notes]
    assert notes[0].startswith("vmlinux has: struct scan_control { long unsigned int nr_to_reclaim;")
    assert notes[1] == "here: vmlinux has struct scan_control with 128 bytes, the compiler 4"


def test_headers_of_another_kernel_stop_the_build_at_the_assertion(installed: Setting, tmp_path: Path) -> None:
    others = sorted(Path("/usr/lib/debug/boot").glob("vmlinux-6.12.*"))
    if not others:
        missing("no second kernel; run tools/setup-debian.sh test")
    other = setting(others[0].name.removeprefix("vmlinux-"))
    text = expanded(installed, tmp_path, SCAN_CONTROL, RESTART)
    problems = compiled(other, tmp_path, text)
    assert "vmlinux has struct pglist_data with " in problems


def test_headers_with_another_member_stop_the_build_and_both_sizes_are_named(installed: Setting, tmp_path: Path) -> None:
    original = next(Path(file) for file in installed.path.files("linux/mmzone.h"))
    text = original.read_text()
    head = "typedef struct pglist_data {\n"
    assert text.count(head) == 1
    changed = tmp_path / "include" / "linux" / "mmzone.h"
    changed.parent.mkdir(parents=True)
    changed.write_text(text.replace(head, head + "\tchar added[64];\n"))
    expansion = expanded(installed, tmp_path, SCAN_CONTROL, RESTART)
    assert compiled(installed, tmp_path, expansion) == ""
    other = Setting(installed.kernel, (f"-I{tmp_path}/include", *installed.flags), installed.directory)
    stopped_at(compiled(other, tmp_path, expansion), "struct pglist_data", 64)


def test_headers_of_another_config_stop_the_build_and_both_sizes_are_named(installed: Setting, tmp_path: Path) -> None:
    expansion = expanded(installed, tmp_path, SCAN_CONTROL, RESTART)
    other = Setting(installed.kernel, (*installed.flags, "-DCONFIG_LATENCYTOP=1"), installed.directory)
    stopped_at(compiled(other, tmp_path, expansion), "struct task_struct", None)


def stopped_at(problems: str, name: str, more: int | None) -> None:
    """Checks that gcc failed at the assertion on a type's size, and says the type, vmlinux's size and the headers'."""
    ours = re.search(rf'error: static assertion failed: "vmlinux has {name} with (\d+) bytes, these headers do not', problems)
    assert ours is not None, problems
    line = re.search(rf"error: conflicting types for .localvar_size_\d+.; have .*.char\[(\d+)\].*\n(?:.*\n)*?"
                     rf".*note: .*type .*.char\[{ours[1]}\]", problems[ours.start() :])
    assert line is not None, problems
    assert int(line[1]) - int(ours[1]) == more if more is not None else line[1] != ours[1]
