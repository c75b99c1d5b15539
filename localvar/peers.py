# SPDX-License-Identifier: GPL-2.0-or-later
"""What perf and SystemTap list at statements, beside what the judge reads there.

Counted are parameters of the function itself, by name: one counts for a peer where its listing at that address has the name.
That is in the peers' favour: a name of an inlined function counts too, and so does what is listed with a wrong value.
"""

from __future__ import annotations

import random
import re
import shutil
import subprocess
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from localvar.census import parameters_at, statement_addresses
from localvar.dwarf.scope import function_at
from localvar.kernel import Kernel

TIMEOUT = 120
_STAP_LIST = re.compile(r"\$(\w+):")


@dataclass(frozen=True)
class Statement:
    """A statement of a function whose symbol no other has; of its parameters the names of all and of the readable ones."""

    pc: int
    place: str
    parameters: frozenset[str]
    readable: frozenset[str]


@dataclass(frozen=True)
class Listed:
    """What one program lists of the same statements' parameters; answered: at how many statements it lists anything."""

    program: str
    command: str
    answered: int
    parameters: int


def choose(kernel: Kernel, entries: Sequence[int], number: int, seed: int) -> list[Statement]:
    """One random statement of each of up to `number` of the functions, of those that have parameters there."""
    chance = random.Random(seed)
    found: list[Statement] = []
    for entry in chance.sample(list(entries), len(entries)):
        if len(found) == number:
            break
        unit = kernel.info.unit_of_pc(entry)
        function = function_at(unit, entry) if unit else None
        addresses = statement_addresses(function) if function else []
        if function is None or not addresses:
            continue
        pc = chance.choice(addresses)
        site, reads = parameters_at(kernel, function, pc)
        names = {read.variable.name: read.readable for read in reads if read.variable and read.variable.name}
        if names and len(kernel.elf.symbols_named(site.symbol)) == 1:
            readable = frozenset(name for name, is_readable in names.items() if is_readable)
            found.append(Statement(pc, f"{site.symbol}+{site.offset}", frozenset(names), readable))
    return found


def compare(kernel: Kernel, statements: Sequence[Statement], jobs: int) -> list[Listed]:
    """localvar and the peers that are installed and can be pointed at this vmlinux."""
    ours = Listed("localvar", "localvar vars", len(statements), sum(len(s.readable) for s in statements))
    found = [ours]
    if shutil.which("perf"):
        found.append(_listed("perf", "perf probe -V", statements, lambda s: perf_names(kernel.path, s.place), jobs))
    if shutil.which("stap") and _is_installed(kernel):
        found.append(_listed("stap", "stap -L", statements, lambda s: stap_names(kernel.release, s.pc), jobs))
    return found


def _listed(program: str, command: str, statements: Sequence[Statement], names: Callable[[Statement], frozenset[str]],
            jobs: int) -> Listed:
    with ThreadPoolExecutor(jobs) as pool:
        answers = list(pool.map(names, statements))
    return Listed(program, command, sum(map(bool, answers)),
                  sum(len(statement.parameters & names) for statement, names in zip(statements, answers, strict=True)))


def _is_installed(kernel: Kernel) -> bool:
    """Whether the vmlinux is where SystemTap looks for that release's."""
    places = (f"/usr/lib/debug/boot/vmlinux-{kernel.release}", f"/usr/lib/debug/lib/modules/{kernel.release}/vmlinux")
    return any(Path(place).exists() and Path(place).samefile(kernel.path) for place in places)


def perf_names(vmlinux: str, place: str) -> frozenset[str]:
    """Names that `perf probe -V` lists at function+offset."""
    lines = _output(["perf", "probe", "-k", vmlinux, "-V", place]).splitlines()
    return frozenset(line.rsplit("\t", 1)[1] for line in lines if line.startswith("\t\t"))


def stap_names(release: str, pc: int) -> frozenset[str]:
    """Names that `stap -L` lists at an address."""
    return frozenset(_STAP_LIST.findall(_output(["stap", "-r", release, "-L", f"kernel.statement({pc:#x})"])))


def _output(command: list[str]) -> str:
    """What a command prints; nothing where it fails."""
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=TIMEOUT, check=False)
    except subprocess.TimeoutExpired:
        return ""
    return done.stdout if done.returncode == 0 else ""
