# SPDX-License-Identifier: GPL-2.0-or-later
"""Sites at coordinates that nobody chose: random functions that a workload runs, random kinds of coordinates in them.

One boot under qemu's log of translated code and the kernel's function tracer says what the workload runs.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from localvar.ctext.declare import display
from localvar.diagnostics import Failure
from localvar.dwarf.scope import holds
from localvar.model.ctype import BaseType, Encoding, Enumeration, Pointer, size_of, strip
from localvar.model.plan import Read
from localvar.model.site import Site, SiteKind

from .handlers import Form, Handler, ObservedSite, Recorded, Writer, nowhere
from .kernels import InstalledKernel
from .vm import VirtualMachine

_TRACED = """
    cd /sys/kernel/tracing; echo 40960 > buffer_size_kb; echo function > current_tracer
    cd /tmp
{workload}
    cd /sys/kernel/tracing; echo 0 > tracing_on
    awk '!/^#/ {{ print $1, $(NF-1) }}' trace | sort -u > /tmp/executed
"""

#: Kinds of coordinates: of a function, or of the innermost inlined one at a place ({own}).
KINDS = {
    "entry": 'kernel.function("{function}").call',
    "offset": "{function}+{offset:#x}",
    "address": "{pc:#x}",
    "line": 'kernel.statement("{own}@{file}:{line}")',
    "inline": 'kernel.function("{own}").inline',
    "any": 'kernel.function("{own}")',
    "label": 'kernel.function("{function}").label("*")',
    "callee": 'kernel.function("{function}").callee("*").inline',
    "lines": 'kernel.statement("{own}@{file}:{line}-{last}")',
    "perf line": "{own}:{relative}",
}


@dataclass(frozen=True)
class Executed:
    """What a workload runs: functions, by the task that runs them, and addresses of instructions, in order."""

    functions: dict[str, frozenset[str]]
    pcs: tuple[int, ...]

    def within(self, low: int, high: int) -> tuple[int, ...]:
        """The addresses in [low, high)."""
        return self.pcs[bisect_left(self.pcs, low) : bisect_left(self.pcs, high)]


def explore(kernel: InstalledKernel, workload: str) -> Executed:
    """What `workload` (shell) runs. Which instructions were run qemu says, since the machine was switched on."""
    with TemporaryDirectory(prefix="executed-") as name:
        log = Path(name) / "log"
        machine = VirtualMachine(kernel, workload=_TRACED.format(workload=workload), collect={"executed": "/tmp/executed"},
                                 nokaslr=True, qemu_words=("-d", "in_asm", "-D", str(log)), timeout=200)
        lines = machine.run().sections["executed"].splitlines()
        pcs = {int(address, 16) for address in re.findall(r"^0x(ffffffff\w+):", log.read_text(errors="replace"), re.MULTILINE)}
    functions: defaultdict[str, set[str]] = defaultdict(set)
    for line in lines:
        task, _, function = line.partition(" ")
        functions[task.rpartition("-")[0]].add(function)
    return Executed({task: frozenset(names) for task, names in functions.items()}, tuple(sorted(pcs)))


class Campaign(Writer):
    """Chooses at random, the same for one seed and one Executed."""

    def __init__(self, kernel: InstalledKernel, seed: int, executed: Executed, most: int) -> None:
        """most: sites of one coordinate."""
        super().__init__(kernel, seed)
        self.executed = executed
        self.most = most
        #: Handlers by kind of coordinate.
        self.kinds: Counter[str] = Counter()

    def coordinates(self, number: int, task: str | None = None, inside: bool = False) -> Iterator[tuple[str, list[Site]]]:
        """So many coordinates, of all kinds in turn, with their sites that can be probed; of functions that a task runs.
        inside: none with a copy that is entered outside its own code, in whose scope gdb is not there."""
        tasks = self.executed.functions
        functions = sorted(frozenset().union(*tasks.values()) if task is None else tasks[task])
        kinds, seen = list(KINDS), set[str]()
        tries = 0
        while len(seen) < number:
            tries += 1
            assert tries < 60 * number, f"{len(seen)} coordinates found"
            kind = kinds[len(seen) % len(kinds)]
            text = self._coordinate(kind, self.random.choice(functions))
            sites = self._sites(text) if text is not None and text not in seen else []
            if text is not None and sites and not (inside and any(map(self._is_outside, sites))):
                seen.add(text)
                self.kinds[kind] += 1
                yield text, sites

    def returns(self, number: int, task: str) -> dict[str, Site]:
        """Coordinates of returns of random functions that a task runs, which return a number."""
        found: dict[str, Site] = {}
        functions = sorted(self.executed.functions[task])
        for function in self.random.sample(functions, len(functions)):
            text = f'kernel.function("{function}").return'
            sites = self._sites(text)
            alone = len(sites) == 1 == len(self.debug.elf.symbols_named(sites[0].symbol))
            if alone and _is_number(self.debug.judge.all(sites[0])[0]):
                found[text] = sites[0]
            if len(found) == number:
                break
        return found

    def observers(self, number: int) -> list[Handler]:
        """Handlers, each of one coordinate, that record every variable at its sites."""
        return [self._observer(text, sites) for text, sites in self.coordinates(number, inside=True)]

    def _is_outside(self, site: Site) -> bool:
        return not holds(self.debug.info.die(site.scope.dies[0]), site.pc)

    def _coordinate(self, kind: str, function: str) -> str | None:
        """A coordinate of a kind at a random instruction of a function that was run; None where there is no such."""
        symbols = [symbol for symbol in self.debug.elf.symbols_named(function) if symbol.size]
        if not symbols:
            return None
        symbol = self.random.choice(symbols)
        pcs = self.executed.within(symbol.value, symbol.value + symbol.size)
        if not pcs:
            return None
        pc = self.random.choice(pcs)
        try:
            [site] = self.debug.sites(f"{pc:#x}")
        except Failure:
            return None
        if "." in site.symbol and kind in ("entry", "offset", "label", "callee"):
            function = site.symbol.partition(".")[0]
        if (kind in ("inline", "any") and not site.inlined) or site.file is None:
            return None
        return KINDS[kind].format(function=function, offset=pc - symbol.value, pc=pc, own=site.function, file=site.file,
                                  line=site.line, last=site.line + 3, relative=self.random.randrange(1, 12))

    def _sites(self, coordinate: str) -> list[Site]:
        """The sites of a coordinate that can be probed, if they are few and one of them is of what was run."""
        try:
            sites = [site for site in self.debug.sites(coordinate) if site.why_not is None]
        except Failure:
            return []
        pcs = {site.pc for site in sites}
        run = any(self.executed.within(pc, pc + 1) for pc in pcs)
        return sites if run and len(pcs) == len(sites) <= self.most else []

    def _observer(self, coordinate: str, sites: Sequence[Site]) -> Handler:
        if len(sites) == 1 and sites[0].kind is SiteKind.INSTRUCTION:
            site = self._observed(coordinate, sites[0])
            return Handler(f"site_{site.number}", (site,), tuple(one.name for one in site.recorded))
        observed = tuple(self._numbers(coordinate, site) for site in sites)
        types: defaultdict[str, set[str]] = defaultdict(set)
        for site in observed:
            for read in site.reads:
                types[read.path.name].add(display(read.type))
        names = {one.name for site in observed for one in site.recorded if len(types[one.name]) == 1}
        return Handler(f"sites_{observed[0].number}", observed, tuple(sorted(names)[:60]), coordinate, asks=True)

    def _numbers(self, coordinate: str, site: Site) -> ObservedSite:
        """A site, of which variables are recorded that are numbers."""
        self._count += 1
        reads = tuple(self.debug.judge.all(site))
        recorded = tuple(Recorded(read, Form.NUMBER) for read in reads if _is_number(read))
        left_out = {read.path.name: "no number" for read in reads if read.readable and not _is_number(read)}
        return ObservedSite(self._count - 1, coordinate, site, reads, recorded, left_out, nowhere(self.debug, site))


def _is_number(read: Read) -> bool:
    if not read.readable:
        return False
    bare = strip(read.type)
    floating = isinstance(bare, BaseType) and bare.encoding is Encoding.FLOAT
    return isinstance(bare, (Pointer, Enumeration, BaseType)) and (size_of(bare) or 16) <= 8 and not floating
