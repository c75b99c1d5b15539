# SPDX-License-Identifier: GPL-2.0-or-later
"""What came of reading a program with both, as the script inside gdb writes it and tests read it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Finding:
    """Something about one path at one address; ours, theirs: of the first time, in hexadecimal."""

    pc: int
    function: str
    path: str
    location_class: str
    how: str
    ours: str = ""
    theirs: str = ""
    why: str = ""

    def __str__(self) -> str:
        return (f"{self.pc:#x} {self.function}: {self.path} ({self.location_class}, {self.how}): ours {self.ours or '-'}, "
                f"gdb {self.theirs or '-'}{': ' if self.why else ''}{self.why}")


@dataclass
class Outcome:
    """Counters are by class and way, "register, direct"; of gdb_only by our reason.

    told: values that are what the program told; lies: those that are not, with what it told as theirs.  ours_only: of
    values that gdb does not read, those that the program did not tell.  scopes: (address, name of a variable or "",
    what differs).
    """

    stops: int = 0
    hits: int = 0
    equal: Counter[str] = field(default_factory=Counter)
    told: Counter[str] = field(default_factory=Counter)
    ours_only: Counter[str] = field(default_factory=Counter)
    gdb_only: Counter[str] = field(default_factory=Counter)
    neither: Counter[str] = field(default_factory=Counter)
    skipped: Counter[str] = field(default_factory=Counter)
    mismatches: list[Finding] = field(default_factory=list)
    lies: list[Finding] = field(default_factory=list)
    only_gdbs: list[Finding] = field(default_factory=list)
    only_ours: list[Finding] = field(default_factory=list)
    scopes: list[tuple[int, str, str]] = field(default_factory=list)
    end: str = ""

    def write(self, file: Path) -> None:
        """Save it as JSON."""
        file.write_text(json.dumps(vars(self), default=vars))

    @classmethod
    def read(cls, file: Path) -> Outcome:
        """What write() saved."""
        saved = json.loads(file.read_text())
        for name, value in saved.items():
            if isinstance(value, dict):
                saved[name] = Counter(value)
            elif name in ("mismatches", "lies", "only_gdbs", "only_ours"):
                saved[name] = [Finding(**one) for one in value]
        return cls(**saved)

    def __str__(self) -> str:
        lines = [f"{sum(self.equal.values())} values equal, {len(self.mismatches)} different, at {self.stops} addresses, "
                 f"{self.hits} hits"]
        for name in ("equal", "told", "ours_only", "gdb_only", "skipped"):
            lines += [f"  {count:7} {name.replace('_', ' ')}: {what}" for what, count in sorted(getattr(self, name).items())]
        return "\n".join(lines)


def total(outcomes: Iterable[Outcome]) -> Outcome:
    """All of them as one."""
    whole = Outcome()
    for one in outcomes:
        whole.stops += one.stops
        whole.hits += one.hits
        for name in ("equal", "told", "ours_only", "gdb_only", "neither", "skipped"):
            getattr(whole, name).update(getattr(one, name))
        for name in ("mismatches", "lies", "only_gdbs", "only_ours", "scopes"):
            getattr(whole, name).extend(getattr(one, name))
    return whole
