# SPDX-License-Identifier: GPL-2.0-or-later
"""Random places all over a kernel, those too that no workload comes to, against readers that share nothing with localvar:
functions and lines against llvm-symbolizer's, variables and their values against gdb's, on a machine that stands still.

LOCALVAR_ALL=1 takes thousands more (LOCALVAR_SEED=4: others). What was compared is printed (pytest -s shows it).
"""

from __future__ import annotations

import json
import os
import posixpath
import random
import subprocess
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from localvar.code.instructions import instruction_starts
from localvar.diagnostics import Failure
from localvar.dwarf import constants as c
from localvar.dwarf.elf import STT_FUNC
from localvar.dwarf.scope import holds, name_of
from localvar.dwarf.unit import Unit
from localvar.kernel import Kernel
from localvar.model.ctype import is_signed, size_of
from localvar.model.expr import Address, Expr, PerCpu
from localvar.model.path import parse_path
from localvar.model.plan import How, Read, Scalar
from localvar.model.rewrite import rewrite
from localvar.model.site import Site
from localvar.plan.read import with_expressions
from tests.expr_value import World, source_bytes
from tests.expr_value import value as value_of

from . import requires, still
from .comparison import agree, is_bool, visible
from .handlers import Form, Recorded, nowhere
from .kernels import InstalledKernel
from .oracle import Stop, Value

pytestmark = pytest.mark.vm

ALL = os.environ.get("LOCALVAR_ALL") == "1"
SEED = int(os.environ.get("LOCALVAR_SEED", "1"))
#: Places whose functions and lines are compared; places and coordinates whose variables are.
PLACES, VALUES, COORDINATES = (20000, 4000, 200) if ALL else (2500, 120, 10)
#: Variables outside of functions for one place in ten.
STATICS = 2

#: Why localvar reads nothing where gdb does: slug, and what gdb does there.
ONLY_GDB = {
    "implicit-pointer": "gdb makes the pointer 0",
    "no-frame": "gdb reads below the stack pointer: an interrupt may have written there",
    "not-tracked": "gdb believes a register that an asm statement had",
    "uninitialized": "gdb ignores DW_OP_GNU_uninit",
    "width": "gdb shifts 64 bits, whatever it was in the source",
    "backward-branch": "gdb runs loops in expressions",
    "division": "gdb divides by what may be 0",
    "discarded": "gdb reads at an address that the linker resolved to 0",
    "init-data": "gdb reads what the kernel has freed",
    "array": "gdb makes an array of a constant: ours are read element by element",
    "optimized-out": "it has no bytes",
    "no-range": "gdb takes an empty entry of a list for one that holds at the entry of the function, for locals, too",
    "type": "a floating-point number, or a type without a size",
}


#: Functions, innermost first, file and line.
Symbolized = tuple[tuple[str, ...], str, int]


class Places:
    """Random instructions of a kernel, and random coordinates at some of them."""

    def __init__(self, opened: Kernel) -> None:
        self.opened = opened
        self._random = random.Random(SEED)
        self._functions = [s for s in sorted(opened.elf.symbols, key=lambda s: (s.value, s.name))
                           if s.type == STT_FUNC and s.size and s.value >> 63 and not s.name.startswith(("__pfx_", "__SCT__"))]

    def addresses(self, number: int) -> list[int]:
        found: dict[int, None] = {}
        while len(found) < number:
            symbol = self._random.choice(self._functions)
            code = self.opened.elf.memory(symbol.value, symbol.size)
            starts = sorted(instruction_starts(code, symbol.value, self.opened.elf.machine)) if code else []
            found |= dict.fromkeys(self._random.sample(starts, min(4, len(starts))))
        return list(found)

    def sites(self, number: int, coordinates: int) -> list[Site]:
        """Sites at addresses, and some of those of coordinates of other kinds there; but for copies that are entered outside
        their own code, whose names gdb does not know there."""
        found = [site for pc in self.addresses(number) if (site := self.at(pc)) is not None]
        texts = {text for site in found for text in _coordinates(site)}
        for text in self._random.sample(sorted(texts), min(coordinates, len(texts))):
            try:
                sites = self.opened.sites(text)
            except Failure:
                continue
            found += self._random.sample(sites, min(4, len(sites)))
        return [site for site in dict.fromkeys(found) if holds(self.opened.info.die(site.scope.dies[0]), site.pc)]

    def at(self, pc: int) -> Site | None:
        """The site at an address; None where debug info has no function there."""
        try:
            [site] = self.opened.sites(f"{pc:#x}")
        except Failure as failure:
            assert [one.slug for one in failure.diagnostics] == ["no-debug-info"]
            return None
        return site


def _coordinates(site: Site) -> Iterator[str]:
    if site.inlined:
        yield f'kernel.function("{site.function}").inline'
    elif site.file:
        yield f'kernel.function("{site.function}").label("*")'
        yield f'kernel.function("{site.function}").callee("*").inline'
        yield f'kernel.statement("{site.function}@{site.file}:*")'
    if site.file:
        yield f'kernel.statement("{site.function}@{site.file}:{site.line}")'


@pytest.fixture(scope="module")
def opened(kernel: InstalledKernel) -> Kernel:
    return Kernel(kernel.vmlinux, kernel.release)


def test_functions_of_every_unit_are_found_behind_its_types(opened: Kernel) -> None:
    """The short way to them is the end of the long one."""
    short, wrong = 0, []

    def check(unit: Unit) -> bool:
        nonlocal short
        code, top = unit.code, unit.top_level
        if code and code != top[-len(code) :]:
            wrong.append(f"{unit.offset:#x} {unit.root.string(c.DW_AT_name)}")
        short += bool(code)
        return False

    opened.info.units_where(check)
    assert not wrong
    assert short > 1500


# -- functions and lines ----------------------------------------------------------------------------------------------


def test_functions_and_lines_at_random_places_are_those_of_llvm(opened: Kernel) -> None:
    requires.program("llvm-symbolizer")
    places = Places(opened)
    pcs = places.addresses(PLACES)
    wrong, depths = [], Counter[int]()
    for pc, (theirs, known) in zip(pcs, symbolized(Path(opened.path), pcs), strict=True):
        site = places.at(pc)
        ours = None if site is None else ((*site.inlined, _outermost(opened, site, theirs)), site.file, site.line)
        if (ours is not None or known) and ours != theirs:
            wrong.append((hex(pc), ours, theirs))
        depths[len(site.inlined) if site is not None else -1] += 1
    print(opened.release, "places by depth of inlining", dict(sorted(depths.items())))
    assert not wrong, wrong[:5]
    assert depths[-1] < PLACES // 10 and depths[3] > PLACES // 100


def _outermost(opened: Kernel, site: Site, theirs: Symbolized) -> str:
    """The name of the function out of line; or theirs, if it is of a symbol at its beginning, or of one that asm put in it."""
    start = site.pc - site.offset
    symbols = {symbol.name.partition(".")[0] for symbol in opened.elf.symbols_at(start)}
    inside = any(start < symbol.value <= site.pc for symbol in opened.elf.symbols_named(theirs[0][-1]))
    return theirs[0][-1] if inside or theirs[0][-1] in symbols else name_of(opened.info.die(site.scope.dies[-1])) or "?"


def symbolized(vmlinux: Path, pcs: list[int]) -> Iterator[tuple[Symbolized, bool]]:
    """What is at each address, and whether it surely knows that from debug info, not from symbols and lines alone."""
    command = ["llvm-symbolizer", f"--obj={vmlinux}", "--inlining", "--no-demangle", "--output-style=JSON"]
    lines = "".join(f"{pc:#x}\n" for pc in pcs)
    answer = subprocess.run(command, input=lines, capture_output=True, text=True, check=True, timeout=300).stdout
    for frames in (json.loads(line)["Symbol"] for line in answer.splitlines()):
        # What it calls the outermost function is the symbol's name.
        names = (*(frame["FunctionName"] for frame in frames[:-1]), frames[-1]["FunctionName"].partition(".")[0])
        path = posixpath.normpath(frames[0]["FileName"])
        # A relative name in the folder that the compiler was run in, as the kernel's package has it.
        path = path.partition("build_amd64_none_cloud-amd64/")[2] or path
        # It knows no first line of code that gcc folded into another function's, nor of assembler code.
        yield (names, path, frames[0]["Line"]), frames[-1]["StartLine"] != 0


# -- variables --------------------------------------------------------------------------------------------------------


@dataclass
class Values:
    """What came of comparing."""

    counts: Counter[str] = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)

    def note(self, kind: str, example: str) -> None:
        self.counts[kind] += 1
        self.examples.setdefault(kind, example)

    def add(self, opened: Kernel, site: Site, stop: Stop) -> None:
        """Compare all variables of a site with gdb's there."""
        theirs = visible(stop, site)
        without_code = nowhere(opened, site)
        reads = opened.judge.all(site)
        for read in reads:
            name = f"{site.name} ({site.pc:#x}) {read.path.name}"
            value = theirs.get(read.path.name)
            if value is None and read.reason is not None and read.reason.slug == "declaration":
                self.note("declared in the block (extern), which gdb does not count to it", name)
            elif value is None:
                self.wrong.append(f"{name}: gdb has none in scope")
            elif not read.readable:
                self._absent(read, value, name)
            elif value.hex is None or value.optimized_out:
                self.note(f"only ours: {read.location_class.value}, {_how(read)}", name)
            elif read.how is not How.DIRECT:
                self.note(f"not compared: {read.location_class.value}, {_how(read)}", name)
            else:
                self._compare(read, value, name)
        for name, value in stop.values.items():
            if not name.startswith("::") and name.partition(".")[0] in theirs.keys() - without_code:
                self._expression(opened, site, name, value)
        for missing in theirs.keys() - {read.path.name for read in reads}:
            if missing in without_code:
                self.note("in a block without code, which gdb counts to the one around", f"{site.name} {missing}")
            elif theirs[missing].raw is not None:
                self.wrong.append(f"{site.name} {missing}: in scope for gdb only")

    def add_statics(self, opened: Kernel, site: Site, stop: Stop) -> None:
        """Compare variables outside of functions, of the unit of a site."""
        for name, value in stop.values.items():
            if name.startswith("::"):
                self._expression(opened, site, name, value)

    def _expression(self, opened: Kernel, site: Site, name: str, value: Value) -> None:
        """A member, or a variable outside of functions: its number, or its bytes."""
        if value.hex is None or value.optimized_out or "?" in value.hex:
            self.note("member or static: gdb has none", f"{site.name} {name}")
            return
        path = parse_path(name.removeprefix("::"))
        static = name.startswith("::")
        unit = opened.info.die(site.scope.dies[-1]).unit.root.string(c.DW_AT_name)
        read = opened.judge.static(path, unit) if static else opened.judge.local(site, path)
        kind = f"{'static' if static else 'member'}{', bit-field' if read.bit_field else ''}"
        example = f"{site.name} ({site.pc:#x}) {name}"
        if not read.readable:
            assert read.reason is not None
            self.note(f"{kind}, only gdb's: {read.reason.slug}", example)
            if read.reason.slug not in ONLY_GDB:
                self.wrong.append(f"{example}: {read.reason}; gdb has {value.hex}")
            return
        if read.how is not How.DIRECT:
            self.note(f"not compared: {kind}, {_how(read)}", example)
            return
        form = Form.BYTES if value.integer is None else Form.NUMBER
        ours = (_number if form is Form.NUMBER else _bytes)(_as_linked(read))
        if agree(Recorded(read, form), ours, value):
            self.note(f"equal: {kind}", example)
        else:
            self.wrong.append(f"{example}: {ours} for us, {value.hex} ({value.integer}) for gdb; {kind}")

    def _absent(self, read: Read, value: Value, name: str) -> None:
        assert read.reason is not None
        known = value.raw is not None
        self.note(f"only gdb's: {read.reason.slug}" if known else "absent for both", name)
        if known and read.reason.slug not in ONLY_GDB:
            self.wrong.append(f"{name}: {read.reason}; gdb has {value.hex}")

    def _compare(self, read: Read, value: Value, name: str) -> None:
        assert read.source is not None
        ours = _bytes(read)
        if agree(Recorded(read, Form.BYTES), ours, value):
            self.note(f"equal: {read.location_class.value}", name)
        else:
            dwarf = read.variable.dwarf if read.variable else "?"
            self.wrong.append(f"{name}: {ours} for us, {value.hex} for gdb; {read.location_class.value}, {dwarf}")

    def __str__(self) -> str:
        return "\n".join(f"  {n:6} {kind} (as {self.examples[kind]})" for kind, n in sorted(self.counts.items()))


def _bytes(read: Read) -> str:
    """What a read gives, in hexadecimal."""
    assert read.source is not None
    return source_bytes(read.source, size_of(read.type) or 0, _world(read)).hex()


def _number(read: Read) -> str:
    """What a read of a number gives, converted to unsigned long."""
    assert isinstance(read.source, Scalar)
    bits = read.bit_field[1] if read.bit_field else read.source.expr.bits
    pattern = value_of(read.source.expr, _world(read)) & (1 << bits) - 1
    if is_bool(read.type):
        return f"{bool(pattern):x}"
    negative = is_signed(read.type) and pattern >> bits - 1
    return f"{(pattern - (1 << bits) if negative else pattern) % 2**64:x}"


def _world(read: Read) -> World:
    return World(still.registers(read.site.pc), still.memory)


def _as_linked(read: Read) -> Read:
    """read, at the address in the file where it is a per-CPU variable's: gdb knows no other."""
    def address(expr: Expr) -> Expr:
        return Address(expr.value) if isinstance(expr, PerCpu) else expr

    return with_expressions(read, lambda expr: rewrite(expr, address))


def _how(read: Read) -> str:
    return read.how.value if read.how else "?"


def test_variables_at_random_places_have_the_values_that_gdb_gives_them(
    kernel: InstalledKernel, opened: Kernel, capsys: pytest.CaptureFixture[str]
) -> None:
    requires.program("gdb")
    sites = Places(opened).sites(VALUES, COORDINATES)
    found = Values()
    stops = still.stops_at(kernel, [site.pc for site in sites], STATICS, timeout=900)
    for number, (site, stop) in enumerate(zip(sites, stops, strict=True)):
        found.add(opened, site, stop)
        if number % 10 == 0:
            found.add_statics(opened, site, stop)
    with capsys.disabled():
        print(f"\n{kernel.release}: variables at {len(sites)} places\n{found}")
    assert not found.wrong, "\n".join(found.wrong[:20])
    classes = {kind.partition(": ")[2] for kind in found.counts if kind.startswith("equal")}
    assert classes >= {"register", "memory", "value", "constant"}
    more = {"equal: member", "equal: member, bit-field", "equal: static, bit-field", "equal: pieces"} if ALL else set[str]()
    assert {"equal: static", *more} <= found.counts.keys()
    assert sum(n for kind, n in found.counts.items() if kind.startswith("equal")) > 2 * len(sites)
