# SPDX-License-Identifier: GPL-2.0-or-later
"""python -m tests.bench.places [--functions N] [--inlined N] [--files N] [--seed N] [--kernel 6.1|6.12]: the places that localvar
and SystemTap find for the same coordinates: random functions, inlined functions, all lines of random files.

Each address that only one of them has is put to a reason, which is checked; those without one are listed.
"""

from __future__ import annotations

import argparse
import random
import re
import shutil
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from localvar.diagnostics import Failure
from localvar.dwarf import constants as c
from localvar.dwarf.elf import STT_FUNC
from localvar.dwarf.types import line_table
from localvar.dwarf.unit import Die
from localvar.kernel import Kernel
from localvar.model.site import Site
from tests.bench.stap import Answer, Answers, ask
from tests.kernel import kernels
from tests.kernel.kernels import InstalledKernel

KERNEL = "6.1"
SEED = 4


@dataclass
class Comparison:
    """What came of one kind of coordinates."""

    kind: str
    coordinates: int = 0
    equal: int = 0
    places: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    unexplained: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        reasons = "".join(f"\n    {count:6} {reason}" for reason, count in self.reasons.most_common())
        rest = "".join(f"\n    unexplained: {line}" for line in self.unexplained)
        return f"{self.kind}: {self.equal} of {self.coordinates} equal, {self.places} places in both{reasons}{rest}"


class Choice:
    """Random coordinates of one kernel."""

    def __init__(self, kernel: Kernel, seed: int) -> None:
        self._kernel = kernel
        self._random = random.Random(seed)

    def functions(self, number: int) -> list[str]:
        """Functions with a symbol."""
        names = sorted({s.name for s in self._kernel.elf.symbols if s.type == STT_FUNC and re.fullmatch(r"\w+", s.name)})
        return [f'kernel.function("{name}")' for name in self._random.sample(names, number)]

    def inlined(self, number: int) -> list[str]:
        """Functions that random units inline."""
        units = self._kernel.info.unit_offsets
        names = {name for offset in self._random.sample(units, min(60, len(units))) for die in self._functions(offset)
                 if die.constant(c.DW_AT_inline) in (1, 3) and (name := die.string(c.DW_AT_name))}
        return [f'kernel.function("{name}").inline' for name in self._random.sample(sorted(names), number)]

    def _functions(self, offset: int) -> Iterator[Die]:
        unit = self._kernel.info.unit(offset)
        return (Die(unit, entry) for entry in unit.top_level if entry[1].tag == c.DW_TAG_subprogram)

    def files(self, number: int) -> list[str]:
        """All lines of files."""
        info = self._kernel.info
        names = sorted({name for offset in info.unit_offsets
                        if (name := line_table(info.unit(offset)).name) and re.fullmatch(r"[\w/-]+\.c", name)})
        return [f'kernel.statement("*@{name}:*")' for name in self._random.sample(names, number)]


class Reasons:
    """Why the places of one kernel differ."""

    def __init__(self, kernel: Kernel, answers: Answers) -> None:
        self._kernel = kernel
        self._answers = answers
        self._arrivals = kernel.resolver.arrivals

    def ours(self, coordinate: str) -> dict[int, Site]:
        """The sites of a coordinate by address; none where there are none."""
        try:
            return {site.pc: site for site in self._kernel.sites(coordinate)}
        except Failure:
            return {}

    def only_theirs(self, coordinate: str, pc: int, where: set[tuple[str, int]], ours: dict[int, Site]) -> str | None:
        """Why SystemTap has an address that localvar has not."""
        site = self._site(pc)
        if site is None:
            return None
        if site.why_not is not None and site.why_not.slug == "overridden":
            return "theirs never runs: a weak function that the linker replaced"
        if "statement" not in coordinate:
            joined = self._arrivals.are_mixed(self._kernel.info.die(site.scope.dies[-1]), pc)
            before = any(self._arrivals.runs_into(one, (pc,)) for one in ours)
            return "other code jumps to theirs; ours is the copy's own code in front of it" if joined and before else None
        file = coordinate.partition("@")[2].rpartition(":")[0]
        reasons = {self._of_line(pc, line, file) for _, line in where}
        return None if None in reasons else min(reason for reason in reasons if reason is not None)

    def _of_line(self, pc: int, line: int, file: str) -> str | None:
        ours = self.ours(f'kernel.statement("*@{file}:{line}")')
        if self._arrivals.runs_into(pc, ours):
            return "theirs runs straight into ours, where the line's own instructions begin"
        if any(self._arrivals.runs_into(one, (pc,)) for one in ours):
            return "ours runs straight into theirs, where the line goes on"
        unit = self._kernel.info.unit_of_pc(pc)
        rows = [row for row in line_table(unit).rows if (row.line, row.address) == (line, pc)] if unit is not None else []
        if ours and rows and not any(row.is_stmt for row in rows):
            return "theirs is an instruction of the line that is no statement; ours are the statements"
        return None

    def only_ours(self, coordinate: str, site: Site, theirs: Answer) -> str | None:
        """Why localvar has an address that SystemTap has not."""
        if site.pc in theirs.refused:
            return "SystemTap's own list of what not to probe"
        if site.pc in theirs.parts:
            return "SystemTap passes over .part functions"
        if "statement" in coordinate:
            why = f"; ours is listed with why it cannot be probed ({site.why_not.slug})" if site.why_not is not None else ""
            further = (site.line, site.pc) in self._answers.rows
            return f"a further place of the line, which elfutils' line table has too{why}" if further else None
        if any(self._arrivals.runs_into(site.pc, (one,)) for one in theirs.places):
            return "other code jumps to theirs; ours is the copy's own code in front of it"
        return None

    def _site(self, pc: int) -> Site | None:
        try:
            return self._kernel.sites(f"kernel.statement({pc:#x})")[0]
        except Failure:
            return None


def compare(kind: str, coordinates: Sequence[str], kernel: Kernel, answers: Answers) -> Comparison:
    """Hold all coordinates of a kind against SystemTap's answers."""
    found, why = Comparison(kind), Reasons(kernel, answers)
    for coordinate in coordinates:
        ours, theirs = why.ours(coordinate), answers.of[coordinate]
        found.coordinates += 1
        found.equal += ours.keys() == theirs.places.keys()
        found.places += len(ours.keys() & theirs.places.keys())
        reasons = [(f"{coordinate} {pc:#x}", why.only_theirs(coordinate, pc, where, ours))
                   for pc, where in theirs.places.items() if pc not in ours]
        reasons += [(f"{coordinate} {site.name}", why.only_ours(coordinate, site, theirs))
                    for pc, site in ours.items() if pc not in theirs.places]
        found.reasons.update(reason for _, reason in reasons if reason is not None)
        found.unexplained += [place for place, reason in reasons if reason is None]
    return found


def compare_all(installed: InstalledKernel, functions: int, inlined: int, files: int, seed: int = SEED) -> list[Comparison]:
    """Compare that many of each kind, chosen by a seed."""
    kernel = Kernel(installed.vmlinux, installed.release)
    choice = Choice(kernel, seed)
    kinds = {"functions": choice.functions(functions), "inlined": choice.inlined(inlined), "files": choice.files(files)}
    answers = ask(installed.release, [coordinate for each in kinds.values() for coordinate in each])
    return [compare(kind, coordinates, kernel, answers) for kind, coordinates in kinds.items()]


def main() -> int:
    """Compare as many as the command line says; 1 where a difference has no reason."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name, number in (("functions", 200), ("inlined", 50), ("files", 50), ("seed", SEED)):
        parser.add_argument(f"--{name}", type=int, default=number)
    parser.add_argument("--kernel", default=KERNEL)
    arguments = parser.parse_args()
    installed = kernels.find(arguments.kernel)
    if shutil.which("stap") is None or not isinstance(installed, InstalledKernel):
        print("stap (Debian: systemtap) and the kernel with its debug info are needed", file=sys.stderr)
        return 2
    found = compare_all(installed, arguments.functions, arguments.inlined, arguments.files, arguments.seed)
    for comparison in found:
        print(comparison)
    return int(any(comparison.unexplained for comparison in found))


if __name__ == "__main__":
    sys.exit(main())
