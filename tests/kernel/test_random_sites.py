# SPDX-License-Identifier: GPL-2.0-or-later
"""Random coordinates of every kind, in random functions that a workload runs: what handlers record against gdb at the same hits.

LOCALVAR_ALL=1 takes more of them, of several seeds. What was compared is printed (pytest -s shows it).
"""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

from localvar.model.plan import How

from . import oracle, requires
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
COORDINATES, MOST = (120, 50) if ALL else (40, 12)
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
