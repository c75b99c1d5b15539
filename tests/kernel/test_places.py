# SPDX-License-Identifier: GPL-2.0-or-later
"""Places on real kernels: the kernel takes a probe where localvar says that one can be, and refuses where it says not."""

from __future__ import annotations

import random
import re
from bisect import bisect_right
from pathlib import Path

import pytest

from localvar.code.instructions import instruction_starts
from localvar.dwarf.elf import STT_FUNC, Elf, Symbol
from localvar.dwarf.ranges import die_ranges
from localvar.dwarf.types import line_table
from localvar.kernel import Kernel
from localvar.probe.probeable import Probeable

from .build import build_module
from .kernels import InstalledKernel
from .vm import VirtualMachine

pytestmark = pytest.mark.vm

MODULES = Path(__file__).parent / "modules"

TABLES = (("__start___jump_table", "__stop___jump_table", 16), ("__start_static_call_sites", "__stop_static_call_sites", 8),
          ("__start___bug_table", "__stop___bug_table", 12), ("__start_kprobe_blacklist", "__stop_kprobe_blacklist", 8))

CARRIER = """\
#include <linux/module.h>
#include <linux/netdevice.h>
#include <localvar.h>

static int carrier(struct pt_regs *regs, void *buf, int bufsize)
{
	return scnprintf(buf, bufsize, "%s %d", GET_LOCAL_VAR(dev->name), GET_LOCAL_VAR(new_carrier));
}
LOCALVAR_PROBE(carrier, "module(\\"dummy\\").function(\\"dummy_change_carrier\\")");

static int done(struct pt_regs *regs, void *buf, int bufsize)
{
	return scnprintf(buf, bufsize, "%d", GET_RETURN_VALUE(int));
}
LOCALVAR_PROBE(done, "dummy:dummy_change_carrier%return");

LOCALVAR_MODULE();
MODULE_LICENSE("GPL");
"""


class Places:
    """Random places of a vmlinux, with what localvar says of each."""

    def __init__(self, vmlinux: Path) -> None:
        self.elf = Elf.open(vmlinux)
        self._probeable = Probeable(self.elf)
        functions = {s.value: s for s in self.elf.symbols if s.type == STT_FUNC and s.size and s.value >> 63
                     and not s.name.startswith(("__pfx_", "__SCT__"))}  # padding, trampolines: not in debug info
        self._starts = sorted(functions)
        self._functions = functions
        self._random = random.Random(20260101)

    def _function(self, pc: int) -> Symbol | None:
        index = bisect_right(self._starts, pc) - 1
        found = self._functions[self._starts[index]] if index >= 0 else None
        return found if found is not None and pc < found.value + found.size else None

    def name(self, pc: int) -> str:
        """symbol+0xoffset and the bytes there."""
        function = self._function(pc)
        assert function is not None
        code = self.elf.memory(pc, 8)
        return f"{function.name}+{pc - function.value:#x} {code.hex() if code else ''}"

    def can_be_probed(self, pc: int) -> bool | None:
        """What localvar says; None where no function with a size holds the place."""
        function = self._function(pc)
        code = self.elf.memory(function.value, function.size) if function is not None else None
        if function is None or code is None:
            return None
        starts = instruction_starts(code, function.value, self.elf.machine)
        return pc in starts and self._probeable.why_not(pc, function.value) is None

    def sample(self) -> list[int]:
        """Entries and instructions of random functions, bytes inside instructions, places of the kernel's tables."""
        found = set(self._random.sample(self._starts, 80))
        for start in self._random.sample(self._starts, 120):
            function = self._functions[start]
            found.add(start + self._random.randrange(function.size))
            code = self.elf.memory(start, function.size)
            if code is not None:
                found.add(self._random.choice(sorted(instruction_starts(code, start, self.elf.machine)) or [start]))
        for first, last, size in TABLES:
            found |= set(self._random.sample(self._targets(first, last, size), 15))
        for name in ("__kprobes_text_start", "__noinstr_text_start", "__entry_text_start"):
            low, high = (self.elf.symbols_named(n)[0].value for n in (name, name.replace("start", "end")))
            inside = [start for start in self._starts if low <= start < high]
            found |= set(self._random.sample(inside, min(10, len(inside))))
        return sorted(found)

    def _targets(self, first: str, last: str, size: int) -> list[int]:
        low, high = (self.elf.symbols_named(name)[0].value for name in (first, last))
        table = self.elf.memory(low, high - low)
        assert table, f"{first} is empty"
        if first == "__start_kprobe_blacklist":
            return [int.from_bytes(table[at : at + 8], "little") for at in range(0, len(table), 8)]
        return [(low + at + int.from_bytes(table[at : at + 4], "little", signed=True)) % 2**64
                for at in range(0, len(table), size)]


def test_kernel_takes_probes_where_localvar_says_and_nowhere_else(kernel: InstalledKernel, tmp_path: Path) -> None:
    if kernel.arch != "x86_64":
        pytest.skip("the tables are those of x86")
    places = Places(kernel.vmlinux)
    expected = {pc: said for pc in places.sample() if (said := places.can_be_probed(pc)) is not None}
    assert {True, False} == set(expected.values())
    text = ", ".join(f"{pc:#x}UL" for pc in expected)
    sources = {"try_probes.c": (MODULES / "try_probes.c").read_text(), "places.h": f"#define PLACES {text}\n"}
    module = build_module(kernel, "try_probes", sources, tmp_path)
    result = VirtualMachine(kernel, modules=[module], nokaslr=True).run()
    answers = {int(pc, 16): int(err) for pc, err in re.findall(r"place ([0-9a-f]+) (-?\d+)", result.dmesg)}
    assert answers.keys() == expected.keys()
    wrong = {places.name(pc): (expected[pc], err) for pc, err in answers.items() if (err == 0) is not expected[pc]}
    assert not wrong


def test_every_line_that_the_line_table_has_of_a_function_is_found_in_it(kernel: InstalledKernel) -> None:
    """Statements or not, begun by what is inlined there or not: lines behind the first of vfs_read are no other function's."""
    opened = Kernel(kernel.vmlinux, kernel.release)
    [entry] = opened.sites("vfs_read")
    function = opened.info.die(entry.scope.dies[-1])
    table, [(low, high)] = line_table(function.unit), die_ranges(function)
    rows = {(row.line, row.address) for row in table.rows if low <= row.address < high and row.line > entry.line
            and table.files[row.file] == entry.file}
    lines = {line for line, _ in rows}
    assert len(lines) >= 20
    for line in lines:
        for coordinate in (f"vfs_read@fs/read_write.c:{line}", f"fs/read_write.c:{line}"):
            sites = opened.sites(coordinate)
            assert {(site.symbol, site.function, site.line, site.inlined) for site in sites} == {(*["vfs_read"] * 2, line, ())}
            assert {(line, site.pc) for site in sites} <= rows


def test_callees_are_those_that_the_source_calls(kernel: InstalledKernel) -> None:
    """Not the function tracer, whose call in front of each function is a nop as long as nothing is traced."""
    opened = Kernel(kernel.vmlinux, kernel.release)
    found = {site.function for site in opened.sites('kernel.function("ksys_read").callee("*").call')}
    assert "vfs_read" in found and not {name for name in found if name.startswith(("__fentry__", "__x86_indirect"))}


def test_function_of_a_module_is_probed_where_it_was_loaded(
    kernel: InstalledKernel, localvar_script: Path, tmp_path: Path
) -> None:
    sources = {"carrier.c": CARRIER, "Kbuild": "obj-m += carrier.o\ninclude $(shell $(LOCALVAR) kbuild)\n"}
    arguments = ["localvar=1", f"LOCALVAR={localvar_script}"]
    module = build_module(kernel, "carrier", sources, tmp_path, make_args=arguments)
    switch = "echo {} > /sys/class/net/dummy0/carrier"
    workload = "\n".join(["ip link set dummy0 up", *map(switch.format, (0, 1, 0))])
    result = VirtualMachine(kernel, kernel_modules=["dummy"], modules=[module], workload=workload).run()
    records = [record.text for record in result.records("carrier")]
    assert records == [text for on in (0, 1, 0) for text in (f"carrier: dummy0 {on}", "done: 0")]
