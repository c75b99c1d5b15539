# SPDX-License-Identifier: GPL-2.0-or-later
"""gdb on the same running kernel: what every variable really was each time a probe was hit.

    result, stops = run_module_with_oracle(kernel, ko, workload, [Watch("vfs_read", ["count"])])

The i-th stop at an address and the i-th record of a probe there are the same hit. That holds because

- a hardware breakpoint fires before the instruction at its address, so before the probe's int3, jump or
  ftrace call;
- a stop counts only while a probe is there: gdb compares the code at the address with what it was before
  the module was loaded. Hits before arming and after disarming, which the probe does not see either, are
  passed over. ``Watch(..., probed=False)`` counts every stop from before the module is loaded to the end of
  the workload.

One processor only: with more, the order of records and that of stops are not the same. The kernel runs at its
link-time addresses (``nokaslr``). qemu's TCG has no limit on hardware breakpoints (x86 itself has four).

Many sites that are hit all the time take minutes while the probes are being armed. `Gate` lets gdb stop only
between two marks of the workload; a handler that looks at the same variable records the same hits. The
breakpoints are made before the modules are loaded even so: one that gdb makes where an int3 is already, it
takes for that int3 and goes on *behind* it.

gdb takes about 2 s to load a vmlinux, which it does while the machine boots: the guest, before it loads the
modules, *knocks* (calls ioprio_get, which nothing else does) until gdb, stopped there, makes the call fail.
A second knock after the workload lets gdb go.
"""

from __future__ import annotations

import functools
import json
import os
import subprocess
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from . import processes
from .guest import Step
from .kernels import InstalledKernel
from .trace import TraceRecord
from .vm import VirtualMachine, VmResult

#: By architecture: the register that points to the struct pt_regs of a system call at the entry of its
#: function, and the offset of the first argument in it (arch/*/include/asm/ptrace.h: `di`, `regs[0]`).
_SYSCALL_ARGUMENT = {"x86_64": ("rdi", 112), "aarch64": ("x0", 0)}
#: Where the modules of the kernel itself have been loaded, on the console: gdb reads it there.
_PRINT_SECTIONS = """
for module in {modules}; do
	for file in /sys/module/$module/sections/.*; do
		[ ! -f $file ] || echo "@section $module ${{file##*/}} $(cat $file)"
	done
done > /dev/console
echo "@sections done" > /dev/console
"""
_KNOCK_UNTIL_ANSWERED = """
tries=600
while ionice -p 1 > /dev/null 2>&1; do
	[ $((tries -= 1)) -gt 0 ] || { echo no debugger answered; exit 1; }
	usleep 100000
done
"""
_KNOCK = "ionice -p 1 > /dev/null 2>&1; true"


class OracleError(AssertionError):
    """gdb could not observe the run; the text is what it said."""


@dataclass(frozen=True)
class Watch:
    """An address to stop at and C expressions to evaluate there.

    `location` is an address (link time) or ``symbol`` or ``symbol+0x1c`` with a symbol that is defined once;
    ``module:symbol+0x1c`` in a module that is among the machine's `kernel_modules`.
    """

    location: int | str
    expressions: Sequence[str] = ()
    #: Also read every variable in scope.
    scopes: bool = True
    #: Count only stops while a probe is armed at the address.
    probed: bool = True
    #: Stops after which the address is left alone.
    limit: int = 1000


@dataclass(frozen=True)
class Gate:
    """A variable of the kernel, an int, and the value that it has while stops are wanted."""

    symbol: str
    value: int


@dataclass(frozen=True)
class Value:
    """What gdb made of a variable or expression: an `error`, or `optimized_out`, or bytes."""

    name: str
    type: str | None
    size: int | None
    #: Two digits a byte, in the order of memory; ``??`` where gdb does not know the byte.
    hex: str | None
    #: For integers, pointers, enumerations and booleans.
    integer: int | None
    #: Where it is, if it is in memory.
    address: int | None
    optimized_out: bool
    error: str | None
    parameter: bool = False

    @property
    def raw(self) -> bytes | None:
        """Its bytes, where gdb knows all of them."""
        return None if self.hex is None or "?" in self.hex else bytes.fromhex(self.hex)


@dataclass(frozen=True)
class Scope:
    """A block around the pc: its function (concrete, or inlined there) and the block's variables."""

    function: str
    #: A block inside the function's body, not the function's own block with its parameters.
    lexical: bool
    variables: tuple[Value, ...]


@dataclass(frozen=True)
class Stop:
    """One hit of a watched address."""

    watch: Watch
    #: 0 for the first of this watch.
    hit: int
    pc: int
    cpu: int
    registers: dict[str, int] = field(repr=False)
    #: Values of the watch's expressions, by expression.
    values: dict[str, Value]
    #: Innermost first.
    scopes: tuple[Scope, ...] = field(repr=False)

    def variable(self, name: str) -> Value:
        """The variable that `name` means at the pc: the innermost one; LookupError without any."""
        for scope in self.scopes:
            for value in scope.variables:
                if value.name == name:
                    return value
        raise LookupError(f"no variable {name} in scope at {self.pc:#x}")


def run_module_with_oracle(
    kernel: InstalledKernel, module: Path, workload: str, watch: Sequence[Watch], *, timeout: float = 180
) -> tuple[VmResult, list[Stop]]:
    """Load `module`, run `workload` (shell) under gdb's eyes; return its result and the stops."""
    return run_with_oracle(VirtualMachine(kernel, [module], workload, timeout=timeout), watch)


def run_with_oracle(
    machine: VirtualMachine, watch: Sequence[Watch], gate: Gate | None = None
) -> tuple[VmResult, list[Stop]]:
    """Run `machine`, observed; return its result, checked, and the stops in the order in which they came.

    OracleError where gdb could not do it, VmFailure where the machine failed, ValueError for a symbol that
    is not defined exactly once or for a machine with several processors.
    """
    if machine.smp != 1:
        raise ValueError(f"the oracle needs a machine with one processor, not {machine.smp}")
    # A Unix socket's name must be short, so a folder of our own in /tmp.
    with TemporaryDirectory(prefix="gdb-", dir="/tmp") as name, ThreadPoolExecutor(1) as pool:
        folder = Path(name)
        (folder / "config").write_text(json.dumps(_config(machine, folder, watch, gate)))
        sections = _PRINT_SECTIONS.format(modules=" ".join(machine.kernel_modules))
        before = [Step("sections", sections), Step("knock", _KNOCK_UNTIL_ANSWERED)]
        observed = machine.with_gdb(folder, before, [Step("knock again", _KNOCK)])
        gdb = pool.submit(_run_gdb, machine.kernel, folder, machine.timeout)
        result = observed.run(check=False)
        said = gdb.result()
        lines = (folder / "output").read_text().splitlines() if (folder / "output").exists() else []
    return _checked(result, lines, said, watch)


def paired(records: Sequence[TraceRecord], stops: Sequence[Stop]) -> list[tuple[TraceRecord, Stop]]:
    """Records and stops of one address, hit by hit: a few records more come from after the workload.

    AssertionError where there is no stop or where a stop has no record.
    """
    assert stops, "gdb saw no hit"
    assert len(records) >= len(stops), f"{len(stops)} hits, but {len(records)} records"
    return list(zip(records, stops, strict=False))


@dataclass(frozen=True)
class Place:
    """An address: in vmlinux (`module` is None), or in a section of a kernel module."""

    address: int
    module: str | None = None
    section: str | None = None


def resolve(kernel: InstalledKernel, location: int | str) -> Place:
    """Where ``symbol+0x1c`` or ``module:symbol+0x1c`` is; ValueError unless there is just one."""
    if isinstance(location, int):
        return Place(location)
    before, colon, after = location.rpartition(":")
    symbol, _, offset = after.partition("+")
    elf = kernel.module_debug_file(before) if colon else kernel.vmlinux
    found = _symbols(elf).get(symbol, [])
    if len(found) != 1:
        raise ValueError(f"{symbol} is defined {len(found)} times in {elf}: {found}")
    section, address = found[0]
    address += int(offset or "0", 0)
    return Place(address, before, section) if colon else Place(address)


@functools.cache
def _symbols(elf: Path) -> dict[str, list[tuple[str, int]]]:
    """Section and value of the symbols that `elf` defines, by name."""
    listing = subprocess.run(
        ["objdump", "-t", elf], check=True, capture_output=True, text=True, timeout=60
    ).stdout
    symbols: dict[str, list[tuple[str, int]]] = {}
    for line in listing.splitlines():
        # "ffffffff8134cc50 g     F .text<TAB>000000000000030c vfs_read"
        left, tab, right = line.partition("\t")
        words = left.split()
        if tab and words[-1] != "*UND*":
            symbols.setdefault(right.split()[-1], []).append((words[-1], int(words[0], 16)))
    return symbols


def _config(machine: VirtualMachine, folder: Path, watch: Sequence[Watch], gate: Gate | None) -> dict[str, Any]:
    """What gdb_script.py is to do."""
    kernel = machine.kernel
    places = [resolve(kernel, one.location) for one in watch]
    if len(set(places)) != len(places):
        raise ValueError("two watches of one address")
    modules = {place.module for place in places if place.module}
    if unknown := modules.difference(machine.kernel_modules):
        raise ValueError(f"{', '.join(unknown)}: watched, but not among the machine's kernel_modules")
    register, offset = _SYSCALL_ARGUMENT[kernel.arch]
    return {
        "folder": str(folder),
        "knock": resolve(kernel, f"{kernel.machine.syscall_prefix}ioprio_get").address,
        "pt_regs": register,
        "first_argument": offset,
        "gate": gate and {"address": resolve(kernel, gate.symbol).address, "value": gate.value},
        "modules": {module: str(kernel.module_debug_file(module)) for module in sorted(modules)},
        "watch": [
            asdict(place) | asdict(one) | {"index": index}
            for index, (one, place) in enumerate(zip(watch, places, strict=True))
        ],
    }


def _run_gdb(kernel: InstalledKernel, folder: Path, timeout: float) -> str:
    script = f"python from {__package__} import gdb_script; gdb_script.main({str(folder / 'config')!r})"
    # gdb has a Python of its own, in which these modules are to be found as in this one.
    root = Path(__file__).parents[(__package__ or "").count(".") + 1]
    gdb: list[str | Path] = ["gdb", "-batch", "-nx", "-q", kernel.vmlinux, "-ex", script]
    done = processes.run(gdb, timeout=timeout, cwd=folder, env=os.environ | {"PYTHONPATH": str(root)})
    return done.output + ("\ngdb was killed at its time limit" if done.timed_out else "")


def _checked(
    result: VmResult, lines: Sequence[str], said: str, watch: Sequence[Watch]
) -> tuple[VmResult, list[Stop]]:
    records = [json.loads(line) for line in lines]
    end = records.pop().get("end") if records and "end" in records[-1] else "gdb did not finish"
    if end not in ("workload done", "limits reached"):
        raise OracleError(f"{end}\n{said}\n" + "\n".join(result.failures()) + "\n" + result.tail())
    return result.check(), [stop_of(record, watch[record["watch"]]) for record in records]


def stop_of(record: dict[str, Any], watch: Watch) -> Stop:
    """The stop that gdb_script.py wrote down."""
    return Stop(
        watch=watch,
        hit=record["hit"],
        pc=record["pc"],
        cpu=record["cpu"],
        registers=record["registers"],
        values={name: _value({"name": name} | value) for name, value in record["values"].items()},
        scopes=tuple(
            Scope(scope["function"], scope["lexical"], tuple(_value(value) for value in scope["variables"]))
            for scope in record["scopes"]
        ),
    )


def _value(record: dict[str, Any]) -> Value:
    return Value(**({"type": None, "size": None} | record))
