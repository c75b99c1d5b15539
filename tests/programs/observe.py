# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs inside gdb, started by run.py: stops a program at addresses, reads with gdb and with localvar's plans, compares."""

from __future__ import annotations

import pickle
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gdb  # type: ignore[import-untyped,import-not-found,unused-ignore]

from localvar.model.path import IndexStep
from localvar.model.path import Path as VariablePath
from localvar.model.plan import Object
from tests.kernel.gdb_values import Bits, is_variable, value_of
from tests.programs import evaluate as ours
from tests.programs.asked import Ask, Session, Stop
from tests.programs.outcome import Finding, Outcome

#: By DWARF number (System V psABI, figure 3.36).
_REGISTERS = "rax rdx rcx rbx rsi rdi rbp rsp r8 r9 r10 r11 r12 r13 r14 r15".split()
_STACK_POINTER = 7
_ARGUMENTS = (5, 4, 1)
_MAX_BYTES = 1 << 16
_SETTINGS = ("pagination off", "confirm off", "print frame-arguments none", "breakpoint always-inserted on",
             "startup-with-shell off", "debuginfod enabled off", "disable-randomization on", "print frame-info location")


class NoValue(Exception):
    """gdb has no value, or not all of it; the text says why."""


def main(session_file: str) -> None:
    """Run the session that is pickled in the file; write its outcome."""
    session: Session = pickle.loads(Path(session_file).read_bytes())
    for setting in _SETTINGS:
        gdb.execute(f"set {setting}", to_string=True)
    observer = Observer(session)
    try:
        observer.run()
    except gdb.error as problem:
        observer.outcome.end = f"error: {problem}"
    observer.outcome.write(Path(session.result))


@dataclass(frozen=True)
class Entry:
    """A function's entry: the registers, and what the program had told."""

    registers: dict[int, int]
    told: dict[tuple[str, str], int]


class Observer:
    """One run of a program."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.stops = {stop.pc: stop for stop in session.stops}
        self.breakpoints = {pc: gdb.Breakpoint(f"*{pc:#x}", internal=True) for pc in (*self.stops, session.tell)}
        self.hits: Counter[int] = Counter()
        self.entries: dict[int, Entry] = {}
        self.told: dict[tuple[str, str], int] = {}
        self.seen: dict[tuple[str, int, str], int] = defaultdict(int)
        self.outcome = Outcome(stops=len(self.stops))

    def run(self) -> None:
        """Until the program ends."""
        output = self.session.program_output
        with open(output, "w"):
            pass
        gdb.execute(f"set inferior-tty {output}", to_string=True)
        gdb.execute("run", to_string=True)
        while gdb.selected_inferior().pid:
            self.stopped()
            gdb.execute("continue", to_string=True)
        self.outcome.end = "exited"

    def stopped(self) -> None:
        """Look at where the program stands."""
        frame = physical_frame()
        pc = frame.pc()
        registers = {n: int(frame.read_register(name)) % 2**64 for n, name in enumerate(_REGISTERS)}
        if pc == self.session.tell:
            function, variable, value = (registers[n] for n in _ARGUMENTS)
            self.told[text(function), text(variable)] = value
            return
        stop = self.stops[pc]
        if stop.entry:
            self.entries[registers[_STACK_POINTER] + 8] = Entry(registers, dict(self.told))
        if self.hits[pc] < self.session.limit:
            self.hits[pc] += 1
            self.outcome.hits += 1
            Look(self, stop, frame, registers).compare()
        elif not stop.entry:
            self.breakpoints.pop(pc).delete()

    def found(self, kind: str, finding: Finding) -> None:
        """Keep the first of each kind at each address."""
        key = (kind, finding.pc, f"{finding.function}:{finding.path}")
        self.seen[key] += 1
        if self.seen[key] == 1:
            getattr(self.outcome, kind).append(finding)


def physical_frame() -> Any:
    """The newest frame that is no inlined copy's, selected: for those gdb 13 evaluates what a caller passed with the
    registers of the wrong frame (value_of_dwarf_reg_entry takes the frame before an inline frame for the caller's)."""
    frame = gdb.newest_frame()
    while frame.type() == gdb.INLINE_FRAME:
        frame = frame.older()
    frame.select()
    return frame


def memory(address: int, size: int) -> bytes:
    """Memory of the program.  Raises Fault."""
    try:
        return bytes(gdb.selected_inferior().read_memory(address, size)) if size else b""
    except (gdb.MemoryError, OverflowError) as problem:
        raise ours.Fault(str(problem)) from None


def text(address: int) -> str:
    """The C string at an address."""
    return str(gdb.Value(address).cast(gdb.lookup_type("char").pointer()).string())


class Look:
    """What is compared at one stop."""

    def __init__(self, observer: Observer, stop: Stop, frame: Any, registers: dict[int, int]) -> None:
        self.observer = observer
        self.outcome = observer.outcome
        self.stop = stop
        self.frame = frame
        self.registers = registers
        address = None if stop.cfa is None else ours.evaluate(stop.cfa, ours.Machine(registers, memory))
        self.entry = observer.entries.get(address) if address is not None else None

    def compare(self) -> None:
        """Every ask of the stop, then which names are in scope for whom."""
        frames = frames_at(self.stop.pc)
        if tuple(name for name, _ in frames) != self.stop.frames:
            self.scope("", f"frames {self.stop.frames}, gdb {[name for name, _ in frames]}")
            return
        for ask in self.stop.asks:
            self.one(ask, frames[ask.frame][1])
        for number, (name, symbols) in enumerate(frames):
            known = {ask.path.name for ask in self.stop.asks if ask.frame == number}
            for missing in sorted(name for name in symbols.keys() - known if self.has_value(symbols[name][0])):
                self.scope(missing, f"{missing} of {name} only in scope for gdb")

    def has_value(self, symbol: Any) -> bool:
        """Whether gdb reads any of a variable (it also lists those of blocks of which no code is left)."""
        try:
            value = value_of(symbol, self.frame)
            value.fetch_lazy()
            return not value.is_optimized_out
        except gdb.error:
            return False

    def scope(self, name: str, what: str) -> None:
        if (found := (self.stop.pc, name, what)) not in self.outcome.scopes:
            self.outcome.scopes.append(found)

    def one(self, ask: Ask, symbols: Symbols) -> None:
        """Compare one path's value."""
        way = f"{ask.location_class}, {ask.how}"
        theirs: bytes | None
        known: bytes | str
        try:
            theirs, known, place = self.gdbs(ask, symbols)
        except NoValue as problem:
            theirs, known, place = None, str(problem), None
        if ask.source is None:
            if theirs is None:
                self.outcome.neither[str(ask.reason)] += 1
            else:
                self.outcome.gdb_only[str(ask.reason)] += 1
                self.observer.found("only_gdbs", self.finding(ask, b"", theirs, str(ask.reason)))
            return
        try:
            value = self.value(ask, theirs)
        except ours.NotCaptured:
            self.outcome.skipped[f"{way}: no entry was seen"] += 1
            return
        except ours.UnknownCaller:
            self.outcome.skipped[f"{way}: its caller does not say"] += 1
            return
        except ours.Fault:
            if theirs is None:
                self.outcome.skipped[f"{way}: a fault for both"] += 1
            else:
                self.observer.found("mismatches", self.finding(ask, b"", theirs, "a fault"))
            return
        self.judge(ask, value, theirs, known, way)
        if theirs is not None and place is not None and isinstance(ask.source, Object):
            address = ours.evaluate(ask.source.address, self.machine(ask))
            if address != place:
                self.observer.found("mismatches", self.finding(ask, value, theirs, f"address {address:#x}, {place:#x}"))

    def judge(self, ask: Ask, value: bytes, theirs: bytes | None, known: bytes | str, way: str) -> None:
        """Count our value beside gdb's, or beside what the program told."""
        told = self.told(ask)
        if theirs is not None:
            assert isinstance(known, bytes)
            same = all(a & k == b & k for a, b, k in zip(value, theirs, known, strict=True))
            if not same:
                self.observer.found("mismatches", self.finding(ask, value, theirs))
            else:
                self.outcome.equal[way] += 1
        elif ask.size is None:
            self.outcome.skipped[f"{way}: its size is known to gdb alone, which has none"] += 1
        elif told is None:
            self.outcome.ours_only[f"{way}: gdb says {known!s}"] += 1
            self.observer.found("only_ours", self.finding(ask, value, None, str(known)))
        if told is not None and (theirs is None or ask.location_class != "memory"):
            if told == value:
                self.outcome.told[way + ("" if theirs is not None else ": gdb has none")] += 1
            else:
                self.observer.found("lies", self.finding(ask, value, told))

    def told(self, ask: Ask) -> bytes | None:
        """What the program told: before it called this function, where that is no inlined copy."""
        last = len(self.stop.frames) - 1
        if ask.frame < last and ask.function == self.stop.frames[last]:
            return None  # a function inlined into itself
        whose = self.entry.told if self.entry and ask.frame == last else self.observer.told
        value = whose.get((ask.function, str(ask.path)))
        return None if value is None or ask.size is None else (value & (1 << 8 * ask.size) - 1).to_bytes(ask.size, "little")

    def finding(self, ask: Ask, value: bytes, theirs: bytes | None, why: str = "") -> Finding:
        return Finding(self.stop.pc, ask.function, str(ask.path), ask.location_class, ask.how or "-", value[:64][::-1].hex(),
                       (theirs or b"")[:64][::-1].hex(), why)

    # -- localvar -------------------------------------------------------------------------------------------------

    def machine(self, ask: Ask) -> ours.Machine:
        machine = ours.Machine(self.registers, memory)
        if ask.key is None:
            return machine
        entry = self.observer.entries.get(ours.evaluate(ask.key, machine))
        return ours.Machine(self.registers, memory, entry.registers if entry else None)

    def value(self, ask: Ask, theirs: bytes | None) -> bytes:
        """Our value; of an object of unknown size as many bytes as gdb has."""
        assert ask.source is not None
        size = ask.size if ask.size is not None else len(theirs or b"")
        if ask.callers is not None:
            caller = ours.evaluate(ask.callers.returns_to, self.machine(ask))
            if caller not in {address for address, _ in ask.callers.calls}:
                raise ours.UnknownCaller
        return ours.value_of(ask.source, size, self.machine(ask))

    # -- gdb ------------------------------------------------------------------------------------------------------

    def gdbs(self, ask: Ask, symbols: Symbols) -> tuple[bytes, bytes, int | None]:
        """gdb's value, which of its bits are known, and its address.  Raises NoValue."""
        if ask.path.name not in symbols:
            raise NoValue("not in scope")
        try:
            value = follow(value_of(meant(symbols[ask.path.name], ask.line), self.frame), ask.path)
            if ask.bits is not None:
                return field(value, ask)
            kind = value.type.strip_typedefs().code
            size = value.type.sizeof
            if size > _MAX_BYTES:
                raise NoValue("too large")
            if value.address is not None:
                place = int(value.address) % 2**64
                return memory(place, size), b"\xff" * size, place
            if kind == gdb.TYPE_CODE_PTR and ask.location_class == "implicit_pointer":
                raise NoValue("a synthetic pointer")
            if kind == gdb.TYPE_CODE_INT and size == 16 and not value.is_optimized_out:
                return int(value.format_string(format="x"), 16).to_bytes(size, "little"), b"\xff" * size, None
            bits = Bits()
            bits.add(value, 0, 8 * size)
        except (gdb.error, ValueError, OverflowError, TypeError, RuntimeError, ours.Fault) as problem:
            raise NoValue(reworded(str(problem))) from None
        if not bits.known:
            raise NoValue("optimized out")
        if ask.source is None and bits.known != (1 << 8 * size) - 1:
            raise NoValue("a part is optimized out")
        return bits.value.to_bytes(size, "little"), bits.known.to_bytes(size, "little"), None


def reworded(problem: str) -> str:
    """gdb's message without what differs from stop to stop."""
    return "cannot access memory" if "memory at" in problem or "read memory" in problem else problem[:80]


def field(value: Any, ask: Ask) -> tuple[bytes, bytes, None]:
    """A bit-field's bits."""
    if value.is_optimized_out:
        raise NoValue("optimized out")
    assert ask.bits is not None and ask.size is not None
    mask = (1 << 8 * ask.size) - 1
    return (int(value) & mask & (1 << ask.bits) - 1).to_bytes(ask.size, "little"), mask.to_bytes(ask.size, "little"), None


def follow(value: Any, path: VariablePath) -> Any:
    """The value that a path leads to."""
    for step in path.steps:
        pointer = value.type.strip_typedefs().code == gdb.TYPE_CODE_PTR
        if isinstance(step, IndexStep):
            value = value.dereference() if pointer and step.index == 0 else value[step.index]
        else:
            value = (value.dereference() if pointer else value)[step.name]
    return value


#: The symbols of each name in the innermost block that has it.
Symbols = dict[str, list[Any]]


def meant(symbols: list[Any], line: int) -> Any:
    """Of the symbols of one name, that of a line.  There are several where a block has no code left: gdb 13 adds its
    variables to the block around it (read_lexical_block_scope), beside another of the same name."""
    return next((symbol for symbol in symbols if symbol.line == line), symbols[0])


def frames_at(pc: int) -> list[tuple[str, Symbols]]:
    """The functions around pc, innermost first, each with its variables."""
    frames: list[tuple[str, Symbols]] = []
    known: Symbols = {}
    block = gdb.block_for_pc(pc)
    while block is not None and not block.is_static and not block.is_global:
        own: Symbols = {}
        for symbol in filter(is_variable, block):
            own.setdefault(symbol.name, []).append(symbol)
        known = own | known
        if block.function is not None:
            frames.append((str(block.function.name), known))
            known = {}
        block = block.superblock
    return frames
