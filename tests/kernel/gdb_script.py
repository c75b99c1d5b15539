# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs inside gdb, started by oracle.py: stops a running kernel at addresses and notes every variable there.

One JSON object a line is written to ``output`` for each stop that counts, then ``{"end": reason}``.
"""

from __future__ import annotations

import json
import struct
import subprocess
import time
from pathlib import Path
from typing import Any, TextIO

import gdb  # type: ignore[import-untyped,import-not-found,unused-ignore]

from .gdb_values import registers, snapshot

#: By module: section name and where it was loaded.
Sections = dict[str, dict[str, int]]

#: `which` of ioprio_get(2) that no kernel knows: the guest's knock fails, which tells it that we are here.
_ANSWER = 99
#: endbr64, and what the kernel writes over those that nothing jumps to (arch/x86/include/asm/ibt.h,
#: gen_endbr_poison).
_ENDBR = tuple(map(bytes.fromhex, ("f30f1efa", "660f1f00", "0f1f40d6")))


def main(config_path: str) -> None:
    """Answer the guest's first knock, observe until its second, then let it run alone.

    The file `config_path` is JSON: see `oracle._config`.
    """
    with open(config_path) as file:
        config = json.load(file)
    # Always inserted: else gdb tells qemu of every breakpoint twice at each stop.
    settings = ("pagination off", "confirm off", "print frame-arguments none", "remotetimeout 60")
    for setting in (*settings, "breakpoint always-inserted on"):
        gdb.execute(f"set {setting}")
    folder = Path(config["folder"])
    with open(folder / "output", "w") as output:
        try:
            connect(folder / "socket")
            hardware_breakpoint(config["knock"])
            places = sections(folder / "console")
            for module, debug_file in config["modules"].items():
                add_symbols(debug_file, places[module], folder / module)
            watched = [Watched(one, address(one, places)) for one in config["watch"]]
            answer(config["pt_regs"], config["first_argument"])
            gate = Gate(config["gate"], watched) if config["gate"] else None
            reason = observe(watched, config["knock"], gate, output)
            for breakpoint in gdb.breakpoints():
                breakpoint.delete()
            gdb.execute("detach", to_string=True)
        except gdb.error as error:
            reason = f"error: {error}"
        write(output, {"end": reason})


def connect(socket: Path) -> None:
    """Connect to qemu, which may not listen yet."""
    deadline = time.monotonic() + 30
    while True:
        try:
            gdb.execute(f"target remote {socket}", to_string=True)
            return
        except gdb.error:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def sections(console: Path) -> Sections:
    """Let the guest knock until it has said on the console where the sections of its modules are."""
    while True:
        gdb.execute("continue", to_string=True)
        lines = [line.split() for line in console.read_text(errors="replace").splitlines()]
        if ["@sections", "done"] in lines:
            break
    places: Sections = {}
    for line in lines:
        match line:
            case ["@section", module, section, start]:
                places.setdefault(module, {})[section] = int(start, 16)
    return places


def add_symbols(debug_file: str, places: dict[str, int], copy: Path) -> None:
    """Load the symbols of a module of which the sections are at `places`, from a copy that says so itself.

    With "add-symbol-file -s" gdb 13 puts the functions of every section, in DWARF, behind the start of .text.
    """
    addresses = [f"--change-section-address={section}={start:#x}" for section, start in places.items()]
    subprocess.run(["objcopy", *addresses, debug_file, copy], check=True, stderr=subprocess.DEVNULL)
    gdb.execute(f"add-symbol-file {copy}", to_string=True)


def address(watch: dict[str, Any], places: Sections) -> int:
    """The running kernel's address of a watch."""
    start = places[watch["module"]][watch["section"]] if watch["module"] else 0
    return start + int(watch["address"])


def hardware_breakpoint(address: int) -> Any:
    return gdb.Breakpoint(f"*{address:#x}", type=gdb.BP_HARDWARE_BREAKPOINT)


def answer(register: str, offset: int) -> None:
    """At the entry of a system call: change its first argument, in the pt_regs that `register` points to."""
    where = int(gdb.newest_frame().read_register(register)) % 2**64 + offset
    gdb.selected_inferior().write_memory(where, struct.pack("<Q", _ANSWER))


class Watched:
    """One address being watched."""

    def __init__(self, config: dict[str, Any], address: int) -> None:
        self.config = config
        self.address = address
        self.hits = 0
        self.patched = patched_address(address)
        self.code = memory(self.patched, 1)
        self.breakpoint = hardware_breakpoint(address)

    def counts(self) -> bool:
        """Whether the stop here counts: changed code has a probe in it."""
        return not self.config["probed"] or memory(self.patched, 1) != self.code


class Gate:
    """A variable of the kernel that says when the breakpoints are to be there."""

    def __init__(self, config: dict[str, int], watched: list[Watched]) -> None:
        self.config = config
        self.watched = watched
        gdb.Breakpoint(f"*(int *){config['address']:#x}", type=gdb.BP_WATCHPOINT, wp_class=gdb.WP_WRITE)
        self.move()

    def move(self) -> None:
        """Do what the variable says."""
        raw = memory(self.config["address"], 4)
        self.open = int.from_bytes(raw, "little", signed=True) == self.config["value"]
        for watch in self.watched:
            if watch.breakpoint.is_valid():
                watch.breakpoint.enabled = self.open


def patched_address(address: int) -> int:
    """Where the kernel puts the int3, jump or call of a probe at `address`.

    A kernel with CONFIG_X86_KERNEL_IBT moves it behind the function's endbr64 (arch_adjust_kprobe_addr).
    """
    return address + 4 if memory(address, 4) in _ENDBR else address


def memory(address: int, size: int) -> bytes:
    return bytes(gdb.selected_inferior().read_memory(address, size))


def observe(watched: list[Watched], knock: int, gate: Gate | None, output: TextIO) -> str:
    """Write the stops at `watched` down until the guest knocks or every limit is reached; return which."""
    by_address = {w.address: w for w in watched}
    left = set(by_address)
    while left:
        go_on(left if gate is None or gate.open else set())
        pc = gdb.newest_frame().pc()
        if pc == knock:
            return "workload done"
        if pc not in left:
            assert gate is not None, f"a stop at {pc:#x}"
            gate.move()
        elif by_address[pc].counts():
            note(by_address[pc], output)
            if not by_address[pc].breakpoint.is_valid():
                left.remove(pc)
    return "limits reached"


def note(watch: Watched, output: TextIO) -> None:
    """Write this stop down; leave the address alone when it was the last one wanted."""
    config = watch.config
    where = {"watch": config["index"], "hit": watch.hits, "cpu": gdb.selected_thread().num - 1}
    write(output, where | snapshot(config["expressions"], scopes=config["scopes"]))
    watch.hits += 1
    if watch.hits == config["limit"]:
        watch.breakpoint.delete()


def go_on(stops: set[int]) -> None:
    """Execute the instruction at the pc, then run to the next stop, which may be the very next instruction.

    Not with "continue" alone: about one in 300 times qemu (7.2) ends a single step without having executed
    anything, and gdb then reports the breakpoint that it meant to step over once more.
    """
    before = registers(gdb.newest_frame())
    while registers(gdb.newest_frame()) == before:
        gdb.execute("stepi", to_string=True)
    if gdb.newest_frame().pc() not in stops:
        gdb.execute("continue", to_string=True)


def write(output: TextIO, record: dict[str, Any]) -> None:
    output.write(json.dumps(record) + "\n")
    output.flush()
