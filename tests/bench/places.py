# SPDX-License-Identifier: GPL-2.0-or-later
"""python -m tests.bench.places [--functions N] [--inlined N] [--files N]: the places that localvar and SystemTap (stap
-p2) find for the same coordinates: random functions, inlined functions, all lines of files.

Each address that only one of them has is put to a reason; those without one are listed.
"""

from __future__ import annotations

import argparse
import random
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from localvar.diagnostics import Failure
from localvar.dwarf import constants as c
from localvar.dwarf.elf import STT_FUNC
from localvar.dwarf.names import references_to
from localvar.dwarf.ranges import die_ranges
from localvar.dwarf.types import line_table
from localvar.dwarf.unit import Die
from localvar.kernel import Kernel
from localvar.model.site import Site
from tests.kernel import kernels
from tests.kernel.kernels import InstalledKernel

KERNEL = "6.1"
SEED = 4
_PROBE = re.compile(r"^probe (\S+)@(\S+):(\d+) kernel .*pc=0x([0-9a-f]+)", re.MULTILINE)


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


class Peer:
    """SystemTap on one kernel."""

    def __init__(self, release: str) -> None:
        self._release = release

    def places(self, coordinate: str) -> dict[int, set[tuple[str, int]]]:
        """(function, line) by address."""
        command = ["stap", "--vp", "05", "-p2", "-r", self._release, "-e", f"probe {coordinate}? {{}}"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
        found: dict[int, set[tuple[str, int]]] = {}
        for name, _, line, pc in _PROBE.findall(done.stdout + done.stderr):
            found.setdefault(int(pc, 16), set()).add((name, int(line)))
        return found


class Places:
    """Coordinates of one kernel, and why its places can differ."""

    def __init__(self, installed: InstalledKernel) -> None:
        self.kernel = Kernel(installed.vmlinux, installed.release)
        self._random = random.Random(SEED)
        self._starts = {symbol.value for symbol in self.kernel.elf.symbols}

    def functions(self, number: int) -> list[str]:
        """Random functions with a symbol."""
        names = sorted({s.name for s in self.kernel.elf.symbols if s.type == STT_FUNC and re.fullmatch(r"\w+", s.name)})
        return [f'kernel.function("{name}")' for name in self._random.sample(names, number)]

    def inlined(self, number: int) -> list[str]:
        """Random functions that random units inline."""
        offsets = self._random.sample(self.kernel.info.unit_offsets, min(60, len(self.kernel.info.unit_offsets)))
        names = {name for offset in offsets for die in self._functions(offset)
                 if die.constant(c.DW_AT_inline) in (1, 3) and (name := die.string(c.DW_AT_name))}
        return [f'kernel.function("{name}").inline' for name in self._random.sample(sorted(names), number)]

    def _functions(self, offset: int) -> Iterator[Die]:
        unit = self.kernel.info.unit(offset)
        return (Die(unit, entry) for entry in unit.top_level if entry[1].tag == c.DW_TAG_subprogram)

    def files(self, number: int) -> list[str]:
        """All lines of random files."""
        names = sorted({name for offset in self.kernel.info.unit_offsets
                        if (name := line_table(self.kernel.info.unit(offset)).name) and re.fullmatch(r"[\w/-]+\.c", name)})
        return [f'kernel.statement("*@{name}:*")' for name in self._random.sample(names, number)]

    def ours(self, coordinate: str) -> dict[int, Site]:
        try:
            return {site.pc: site for site in self.kernel.sites(coordinate)}
        except Failure:
            return {}

    def only_theirs(self, coordinate: str, pc: int, where: set[tuple[str, int]]) -> str | None:
        """Why SystemTap has an address that localvar has not."""
        site = self._site(pc)
        if site is not None and site.why_not is not None:
            return f"theirs cannot be probed or never runs ({site.why_not.slug})"
        if "statement" not in coordinate:
            return self._entry_without_code(coordinate, pc)
        file = coordinate.partition("@")[2].rpartition(":")[0]
        for name, line in where:
            at_line = self.ours(f'kernel.statement("{name}@{file}:{line}")')
            if pc not in at_line and at_line:
                return "theirs is where the line's first row is, ours where its statement begins"
            if not at_line and self.ours(f'kernel.statement("*@{file}:{line}")'):
                return "theirs counts the line of a function inlined there to the function around it"
        return None

    def _entry_without_code(self, coordinate: str, pc: int) -> str | None:
        name = coordinate.split('"')[1]
        for die in self.kernel.resolver._functions(name, None, None):
            for chain in references_to(die, c.DW_AT_abstract_origin, {c.DW_TAG_inlined_subroutine}):
                ranges = die_ranges(chain[0])
                if chain[0].address(c.DW_AT_entry_pc) == pc and not any(low <= pc < high for low, high in ranges):
                    return ("theirs is DW_AT_entry_pc, outside the code of the copy" if any(low < high for low, high in ranges)
                            else "a copy without an instruction of its own")
        return None

    def only_ours(self, coordinate: str, site: Site, theirs: dict[int, set[tuple[str, int]]]) -> str | None:
        """Why localvar has an address that SystemTap has not."""
        if site.why_not is not None:
            return f"ours is listed with why it cannot be probed ({site.why_not.slug})"
        if "statement" in coordinate:
            return "a further range of a line, or the line in another copy"
        die = self.kernel.info.die(site.scope.dies[0])
        entry = die.address(c.DW_AT_entry_pc)
        return "ours is in the code of the copy, theirs its DW_AT_entry_pc outside" if entry in theirs else None

    def _site(self, pc: int) -> Site | None:
        try:
            return self.kernel.sites(f"kernel.statement({pc:#x})")[0]
        except Failure:
            return None


def compare(kind: str, coordinates: Sequence[str], places: Places, peer: Peer) -> Comparison:
    """Put all coordinates of a kind to both."""
    found = Comparison(kind)
    for coordinate in coordinates:
        ours, theirs = places.ours(coordinate), peer.places(coordinate)
        found.coordinates += 1
        found.equal += ours.keys() == theirs.keys()
        found.places += len(ours.keys() & theirs.keys())
        reasons = [(f"{coordinate} {pc:#x}", places.only_theirs(coordinate, pc, theirs[pc]))
                   for pc in theirs.keys() - ours.keys()]
        reasons += [(f"{coordinate} {site.name}", places.only_ours(coordinate, site, theirs))
                    for pc, site in ours.items() if pc not in theirs]
        found.reasons.update(reason for _, reason in reasons if reason is not None)
        found.unexplained += [place for place, reason in reasons if reason is None]
    return found


def main() -> int:
    """Compare as many as the command line says; 1 where a difference has no reason."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name, number in (("functions", 200), ("inlined", 50), ("files", 50)):
        parser.add_argument(f"--{name}", type=int, default=number)
    arguments = parser.parse_args()
    installed = kernels.find(KERNEL)
    if shutil.which("stap") is None or not isinstance(installed, InstalledKernel):
        print("stap (Debian: systemtap) and the 6.1 kernel with its debug info are needed", file=sys.stderr)
        return 2
    places, peer = Places(installed), Peer(installed.release)
    found = []
    for kind, make in (("functions", places.functions), ("inlined", places.inlined), ("files", places.files)):
        found.append(compare(kind, make(getattr(arguments, kind)), places, peer))
        print(found[-1], flush=True)
    return int(any(comparison.unexplained for comparison in found))


if __name__ == "__main__":
    sys.exit(main())
