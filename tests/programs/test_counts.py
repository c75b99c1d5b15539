# SPDX-License-Identifier: GPL-2.0-or-later
"""Where lines and inlined copies begin, held against a program that counts how often it comes there: a breakpoint at each
place is hit as often, and no place is hit when the program did not come there.
"""

from __future__ import annotations

import functools
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from localvar.diagnostics import Failure
from localvar.kernel import Kernel
from localvar.model.site import Site
from tests.kernel.requires import missing
from tests.programs.build import FLAGS, compilers

SOURCE = Path(__file__).with_name("counts.c")
OFTEN = 10_000_000
#: Line of each TELL(), to the function that the next line calls.
TOLD = {number: found[1] for number, text in enumerate(SOURCE.read_text().splitlines(), 1)
        if (found := re.match(r"\s+TELL\((\w+)\);", text))}
NAMES = sorted(set(TOLD.values()))
LEVELS = "123s"
AS_IN_A_KERNEL = ("-fno-jump-tables",)

each_level = pytest.mark.parametrize("level", LEVELS)


@dataclass(frozen=True)
class Counted:
    """What came of one run.  told: by line of a TELL(); lines: its next line's places; copies: by function, where its
    inlined copies are entered; hits: by address."""

    told: dict[int, int]
    lines: dict[int, list[Site]]
    copies: dict[str, list[Site]]
    hits: dict[int, int]

    def hit(self, sites: list[Site]) -> list[int]:
        """Hits of those sites that can be probed."""
        return [self.hits[site.pc] for site in sites if site.why_not is None]

    def told_of(self, name: str) -> int:
        """How often the program called a function."""
        return sum(self.told.get(line, 0) for line, called in TOLD.items() if called == name)


def sites(kernel: Kernel, coordinate: str) -> list[Site]:
    try:
        return kernel.sites(coordinate)
    except Failure:
        return []


@functools.cache
def counted(compiler: str, level: str) -> Counted:
    """The program compiled, run under gdb with a breakpoint at each place."""
    if shutil.which("gdb") is None or compiler not in compilers():
        missing(f"gdb or {compiler} is not installed; run tools/setup-debian.sh test")
    with tempfile.TemporaryDirectory() as folder:
        executable = Path(folder) / "counts"
        command = [compiler, *FLAGS, *AS_IN_A_KERNEL, f"-O{level}", "-g", "-no-pie", str(SOURCE), "-o", str(executable)]
        subprocess.run(command, check=True, timeout=120)
        kernel = Kernel(executable, None)
        lines = {line: sites(kernel, f'kernel.statement("*@counts.c:{line + 1}")') for line in TOLD}
        copies = {name: sites(kernel, f'kernel.function("{name}").inline') for name in NAMES}
        found = {site.pc for each in (*lines.values(), *copies.values()) for site in each}
        output = run(executable, sorted(found), Path(folder) / "script")
    told = {int(line): int(count) for line, count in re.findall(r"^told (\d+) (\d+)$", output, re.MULTILINE)}
    assert "total " in output, output
    hits = dict.fromkeys(found, 0)
    for address, count in re.findall(r"keep y +0x([0-9a-f]+).*\n\s+breakpoint already hit (\d+) times?", output):
        hits[int(address, 16)] = int(count)
    return Counted(told, lines, copies, hits)


def run(executable: Path, addresses: list[int], script: Path) -> str:
    """gdb's output: the program's, and how often each address was come to."""
    breakpoints = "".join(f"break *{address:#x}\nignore {number} {OFTEN}\n" for number, address in enumerate(addresses, 1))
    script.write_text(f"set pagination off\nset debuginfod enabled off\n{breakpoints}run\ninfo breakpoints\n")
    command = ["gdb", "-nx", "-batch", "-x", str(script), str(executable)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout


@each_level
def test_no_arrival_at_a_line_is_missed(level: str) -> None:
    """A line whose code was split has several places, and some arrivals come by more than one of them."""
    found = counted("gcc", level)
    fewer = {line: found.hit(places) for line, places in found.lines.items() if sum(found.hit(places)) < found.told[line]}
    assert fewer == {}
    one = [line for line, places in found.lines.items() if found.hit(places) == [found.told[line]]]
    assert level == "3" or len(one) >= len(TOLD) - 2


@pytest.mark.parametrize("compiler", ["gcc", "clang-19"])
@each_level
def test_no_place_of_a_line_is_come_to_more_often_than_the_line(compiler: str, level: str) -> None:
    found = counted(compiler, level)
    more = {line: hits for line, places in found.lines.items() if max(hits := found.hit(places), default=0) > found.told[line]}
    assert more == {}
    assert sum(bool(places) for places in found.lines.values()) >= len(TOLD) / 2


@each_level
def test_no_inlined_copy_is_entered_more_often_than_its_function_is_called(level: str) -> None:
    """Of gcc's: clang does not say where a copy is entered."""
    found = counted("gcc", level)
    more = {name for name in NAMES if sum(found.hit(found.copies[name])) > found.told_of(name)}
    assert more == set()


@pytest.mark.parametrize("level", "12s")
def test_inlined_copies_are_entered_as_often_as_the_function_is_called(level: str) -> None:
    """But for what cannot be told (joined), and where gcc duplicated a copy's beginning and gives one of the two (clamp_to)."""
    found = counted("gcc", level)
    told = {name for name in NAMES if all(site.why_not is None for site in found.copies[name])} - {"clamp_to"}
    assert {name: sum(found.hit(found.copies[name])) for name in told} == {name: found.told_of(name) for name in told}
    assert len(told) >= len(NAMES) - 3


def test_addresses_that_other_code_jumps_to_are_met_and_told() -> None:
    """What this file would not see if the compiler made none: copies that would be counted more often than they are entered."""
    found = counted("gcc", "2")
    joined = [site for each in found.copies.values() for site in each if site.why_not is not None]
    assert {site.why_not.slug for site in joined if site.why_not is not None} == {"joined"}
    wrong = {name for name, each in found.copies.items() if sum(found.hits[site.pc] for site in each) > found.told_of(name)}
    assert wrong
