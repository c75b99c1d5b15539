# SPDX-License-Identifier: GPL-2.0-or-later
"""What came of a run of a virtual machine."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from . import guest, trace
from .kernels import InstalledKernel
from .trace import TraceRecord


class VmFailure(AssertionError):
    """The machine did not do all it was asked to; the text says what failed and ends with the console."""


@dataclass(frozen=True)
class StepResult:
    """One step that ran in the guest, or did not: then `status` is None."""

    name: str
    status: int | None
    output: str


@dataclass(frozen=True)
class VmResult:
    """What came of a run."""

    kernel: InstalledKernel
    console: str = field(repr=False)
    steps: tuple[StepResult, ...]
    #: Text by name: ``dmesg``, ``trace/<module>``, ``debugfs/<module>/<file>``, and what `collect` named.
    sections: Mapping[str, str] = field(repr=False)
    #: Kernel warnings, oopses and the like, one line each.
    problems: tuple[str, ...]
    #: The guest came to the end of its script and switched itself off.
    finished: bool
    timed_out: bool
    duration: float
    #: Why what the guest sent could not all be read, or None.
    damage: str | None = None

    def step(self, name: str) -> StepResult:
        """The step `name`: ``setup``, ``insmod NAME``, ``workload``, ``rmmod NAME``."""
        for step in self.steps:
            if step.name == name:
                return step
        raise LookupError(f"no step {name!r}; there are {[step.name for step in self.steps]}")

    @property
    def dmesg(self) -> str:
        return self.sections["dmesg"]

    def records(self, instance: str, *, all_kept: bool = True) -> list[TraceRecord]:
        """The records in the trace instance of module `instance`, oldest first.

        VmFailure where the ring buffer lost some (unless `all_kept` is false) or the instance does not exist.
        """
        section = f"trace/{instance}"
        if section not in self.sections:
            raise VmFailure(f"no trace instance {instance}; sections: {sorted(self.sections)}\n{self.tail()}")
        return trace.parse(self.sections[section], all_kept=all_kept)

    def counters(self, module: str) -> dict[str, str]:
        """The files of `module` in debugfs (also in localvar's folder there): path, stripped text."""
        prefix = f"debugfs/{module}/"
        return {k.removeprefix(prefix): v.strip() for k, v in self.sections.items() if k.startswith(prefix)}

    def failures(self) -> list[str]:
        """Everything that went wrong, one line each; empty for a good run."""
        found = [
            f"{s.name}: exit status {s.status}: {s.output.strip()[-800:]}" for s in self.steps if s.status
        ]
        if self.timed_out:
            found.append(f"not finished after {self.duration:.0f} s, killed; last step: {self._last_step()}")
        elif not self.finished:
            found.append(f"the machine ended before its work was done; last step: {self._last_step()}")
        if self.damage:
            found.append(self.damage)
        return found + [f"kernel: {line}" for line in self.problems]

    def check(self) -> VmResult:
        """Return the result itself; VmFailure unless `failures` is empty."""
        if failures := self.failures():
            raise VmFailure(f"{self.kernel.name}: " + "\n".join(failures) + "\n" + self.tail())
        return self

    def tail(self, lines: int = 60) -> str:
        """The end of the console, for messages."""
        return "--- end of the console:\n" + "\n".join(self.console.splitlines()[-lines:])

    def _last_step(self) -> str:
        begun = re.findall(rf"^{guest.MARK} begin (.*?)\r?$", self.console, re.MULTILINE)
        return begun[-1] if begun else "none (booting)"
