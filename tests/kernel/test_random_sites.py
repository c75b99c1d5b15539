# SPDX-License-Identifier: GPL-2.0-or-later
"""Random coordinates of every kind, in random functions that a workload runs: what handlers record against gdb at the same hits.

What a workload runs differs a little from boot to boot, and with it what is chosen: this is for searching, not for every run.
LOCALVAR_SEEDS="1 2" (of 6.12: add -k 6.12) runs those seeds, LOCALVAR_ALL=1 three of them with more coordinates.
What was compared is printed (pytest -s shows it).
"""

from __future__ import annotations

import os
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

from localvar.kernel import Kernel
from localvar.model.ctype import size_of
from localvar.model.plan import How
from localvar.model.site import Site

from . import oracle, requires
from . import test_counts as counts
from .build import build_module
from .campaign import KINDS, Campaign, Executed, explore
from .comparison import Comparison
from .handlers import GATE, MODULE, Handler, between_marks, build_observer
from .kernels import InstalledKernel
from .oracle import Watch
from .test_against_gdb import WORKLOAD
from .vm import Module, VirtualMachine, VmResult

pytestmark = pytest.mark.vm

ALL = os.environ.get("LOCALVAR_ALL") == "1"
SEEDS = [int(seed) for seed in os.environ.get("LOCALVAR_SEEDS", "1 2 3" if ALL else "1").split()]
#: Coordinates of one boot, sites of one coordinate.
COORDINATES, MOST = (120, 50) if ALL else (30, 12)
LIMIT = 3
ENTRIES = 20


@dataclass(frozen=True)
class Campaigns:
    """Everything of one kernel."""

    comparison: Comparison
    kinds: Counter[str]
    results: list[VmResult]


@pytest.fixture(scope="module", autouse=True)
def _gdb() -> None:
    requires.program("gdb")


@pytest.fixture(scope="module")
def executed(kernel: InstalledKernel) -> Executed:
    if not ALL and "LOCALVAR_SEEDS" not in os.environ:
        pytest.skip("chooses anew in each run; for a search: LOCALVAR_ALL=1 or LOCALVAR_SEEDS=1")
    return explore(kernel, WORKLOAD)


@pytest.fixture(scope="module")
def campaigns(kernel: InstalledKernel, executed: Executed, localvar_script: Path,
              tmp_path_factory: pytest.TempPathFactory) -> Campaigns:
    found = Campaigns(Comparison(), Counter(), [])
    for seed in SEEDS:
        campaign = Campaign(kernel, seed, executed, MOST)
        handlers = campaign.observers(COORDINATES)
        found.kinds.update(campaign.kinds)
        ko = build_observer(kernel, handlers, localvar_script, tmp_path_factory.mktemp(MODULE))
        machine = VirtualMachine(kernel, [Module(ko, f"limit={LIMIT}")], between_marks(WORKLOAD), timeout=500)
        result, stops = oracle.run_with_oracle(machine, watches(handlers), GATE)
        found.comparison.add(handlers, result.records(MODULE), stops)
        found.results.append(result)
    return found


def watches(handlers: list[Handler]) -> list[Watch]:
    """One for each site, and for each entry whose registers are needed further in."""
    sites = {site.site.pc: site for handler in handlers for site in handler.sites}
    needed = {How.ENTRY_CAPTURE, How.SAME_PLACE}
    entries = {site.site.entry for handler in handlers for site in handler.sites
               if any(one.read.how in needed for one in handler.recorded(site))}
    members = {pc: [one.name for one in site.recorded if one.read.path.steps] for pc, site in sites.items()}
    return [Watch(pc, members.get(pc, []), limit=ENTRIES if pc in entries else LIMIT) for pc in sorted(sites.keys() | entries)]


@dataclass(frozen=True)
class Counted:
    """A run of dd: what handlers at random coordinates recorded, what the kernel's own events did; sites by handler."""

    sites: dict[str, list[Site]]
    coordinates: dict[str, str]
    result: VmResult

    def values(self, instance: str, name: str, pattern: str, size: int) -> list[int]:
        """What each record in a trace instance says was returned, as far as the type goes."""
        mask = (1 << 8 * size) - 1
        return [int(match[1], 16) & mask for record in self.result.records(instance)
                if name in (record.where, record.text.split(":")[0]) and (match := re.search(pattern, record.text))]


@pytest.fixture(scope="module")
def counted(kernel: InstalledKernel, executed: Executed, localvar_script: Path,
            tmp_path_factory: pytest.TempPathFactory) -> Counted:
    campaign = Campaign(kernel, SEEDS[0], executed, MOST)
    inside = dict(campaign.coordinates(COORDINATES, "dd"))
    returns = campaign.returns(COORDINATES // 4, "dd")
    coordinates = {f"inside_{number}": text for number, text in enumerate(inside)}
    coordinates |= {f"return_{number}": text for number, text in enumerate(returns)}
    sites = {name: inside.get(text) or [returns[text]] for name, text in coordinates.items()}
    text = counts.source({name: text for name, text in coordinates.items() if text in inside})
    text = text.replace("\nLOCALVAR_MODULE();", "".join(_return_handler(n, t) for n, t in coordinates.items() if t in returns)
                        + "\nLOCALVAR_MODULE();")
    sources = {"counts.c": text, "Kbuild": "obj-m += counts.o\ninclude $(shell $(LOCALVAR) kbuild)\n"}
    module = build_module(kernel, "counts", sources, tmp_path_factory.mktemp("counts"),
                          make_args=["localvar=1", f"LOCALVAR={localvar_script}"])
    machine = VirtualMachine(kernel, modules=[module], setup=counts.set_up(sites, (), values=True), workload=counts.WORKLOAD,
                             collect={"trace/events": "/sys/kernel/tracing/instances/events/trace"}, nokaslr=True, timeout=200)
    result = machine.run()
    return Counted(sites, coordinates, result)


def _return_handler(name: str, coordinate: str) -> str:
    text = counts.HANDLER.format(name=name, coordinate=coordinate.replace('"', '\\"'))
    return text.replace('"dd");\n}', '"returned=%lx", (unsigned long)GET_RETURN_VALUE());\n}')


def test_random_coordinates_are_hit_as_often_as_the_kernels_own_events(counted: Counted) -> None:
    ours, expected = counts.hits(counted.sites, counted.result)
    print(counted.result.kernel.release, "hits", sum(ours.values()), "of", sum(n > 0 for n in expected.values()), "coordinates")
    wrong = {counted.coordinates[name]: (ours[name], n) for name, n in expected.items() if ours[name] != n}
    assert not wrong
    assert sum(n > 0 for n in expected.values()) > COORDINATES // 2


def test_returned_values_are_those_that_the_kernels_own_events_see(kernel: InstalledKernel, counted: Counted) -> None:
    opened, compared = Kernel(kernel.vmlinux, kernel.release), 0
    for name, [site] in ((name, sites) for name, sites in counted.sites.items() if name.startswith("return")):
        size = size_of(opened.judge.returned(site).type) or 8
        ours = counted.values("counts", name, r"returned=(\w+)", size)
        assert ours == counted.values("events", counts.event_name(site), r"ret=0x(\w+)", size), counted.coordinates[name]
        compared += len(ours)
    print(kernel.release, "returned values", compared)
    assert compared > 20


def test_every_value_at_random_coordinates_is_the_one_that_gdb_sees(
    campaigns: Campaigns, capsys: pytest.CaptureFixture[str]
) -> None:
    found = campaigns.comparison
    with capsys.disabled():
        print(f"\n{campaigns.results[0].kernel.release}: {found}\n  coordinates: {dict(campaigns.kinds)}; asked for what is not "
              f"readable: {found.asked_in_vain}; not at that hit: {found.not_then}; missed {found.missed}")
    assert not found.mismatches, "\n".join(map(str, found.mismatches))
    assert campaigns.kinds.keys() == KINDS.keys()


def test_nothing_is_recorded_of_what_cannot_be_read_at_a_site(campaigns: Campaigns) -> None:
    assert campaigns.comparison.invented == []
    assert campaigns.comparison.asked_in_vain > 0


def test_every_record_belongs_to_a_stop(campaigns: Campaigns) -> None:
    assert campaigns.comparison.unmatched == []


def test_what_is_in_scope_at_random_coordinates_is_what_gdb_finds_there(campaigns: Campaigns) -> None:
    assert campaigns.comparison.unknown == set()
    assert "not in our scope" not in campaigns.comparison.gdb_only, campaigns.comparison.examples
