# SPDX-License-Identifier: GPL-2.0-or-later
"""Which record belongs to which stop, where the probe missed hits that gdb saw and gdb left before the probe did."""

from __future__ import annotations

import pytest

from .comparison import _REGISTERS, Comparison, Hit, fingerprint
from .oracle import Stop, Watch

LIMIT = 4


def stop(number: int) -> Stop:
    """The stop at a hit, whose registers hold its number."""
    return Stop(Watch(0, limit=LIMIT), number, 0, 0, dict.fromkeys(_REGISTERS, number), {}, ())


def aligned(recorded: list[int], stopped: list[int]) -> tuple[list[int], Comparison]:
    """The hits that were paired, and what was counted."""
    found = Comparison()
    hits = [Hit("h", "f+0x0", fingerprint(stop(number)), {}) for number in recorded]
    return [one.hit for _, one in found._aligned(hits, [stop(number) for number in stopped])], found


@pytest.mark.parametrize(("recorded", "stopped", "pairs", "missed", "unmatched"), [
    ([1, 2, 3, 4], [1, 2, 3, 4], [1, 2, 3, 4], 0, 0),
    ([1, 3, 4, 5], [1, 2, 3, 4], [1, 3, 4], 1, 0),     # hit 2 missed: hit 5 recorded when gdb had left
    ([1, 3, 4, 5, 6], [1, 2, 3, 4], [1, 3, 4], 1, 1),  # for one hit missed only one more
    ([1, 3, 5], [1, 2, 3], [1, 3], 1, 1),              # gdb was still there
    ([9, 1, 2, 3], [1, 2, 3, 4], [], 4, 4),            # a record without a stop among hits that gdb saw
])  # fmt: skip
def test_records_without_a_stop_are_only_those_that_came_when_gdb_had_left(
    recorded: list[int], stopped: list[int], pairs: list[int], missed: int, unmatched: int
) -> None:
    found, comparison = aligned(recorded, stopped)
    assert (found, comparison.missed, len(comparison.unmatched)) == (pairs, missed, unmatched)
