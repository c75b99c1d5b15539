# SPDX-License-Identifier: GPL-2.0-or-later
"""The places of coordinates beside SystemTap's, as installed: the same, or a reason that is checked for each difference.

More files, both kernels: LOCALVAR_ALL=1.
"""

from __future__ import annotations

import os

import pytest

from tests.bench.places import Comparison, compare_all
from tests.kernel import requires

ALL = os.environ.get("LOCALVAR_ALL") == "1"
FILES = 50 if ALL else 12


@pytest.fixture(scope="module", params=["6.1", "6.12"] if ALL else ["6.1"])
def compared(request: pytest.FixtureRequest) -> dict[str, Comparison]:
    requires.program("stap")
    found = compare_all(requires.kernel(request.param), functions=200, inlined=50, files=FILES)
    print(*found, sep="\n")
    return {comparison.kind: comparison for comparison in found}


def test_each_difference_has_a_reason(compared: dict[str, Comparison]) -> None:
    assert [place for comparison in compared.values() for place in comparison.unexplained] == []
    assert set(compared) == {"functions", "inlined", "files"}


def test_most_functions_have_the_same_places(compared: dict[str, Comparison]) -> None:
    assert compared["functions"].coordinates == 200 and compared["functions"].equal >= 170
    assert compared["inlined"].coordinates == 50 and compared["inlined"].equal >= 35


def test_lines_have_places_in_common_and_further_ones(compared: dict[str, Comparison]) -> None:
    files = compared["files"]
    further = sum(count for reason, count in files.reasons.items() if reason.startswith("a further place"))
    assert files.coordinates == FILES and files.places > 50 * FILES and further > 10 * FILES
