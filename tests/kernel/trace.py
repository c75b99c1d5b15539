# SPDX-License-Identifier: GPL-2.0-or-later
"""Reads a tracefs ``trace`` file."""

from __future__ import annotations

import re
from dataclasses import dataclass

_TRACE_RECORD = re.compile(
    r"^ *(?P<comm>.*?)-(?P<pid>\d+) +\[(?P<cpu>\d+)\] +(?P<flags>\S+) +"
    r"(?P<time>\d+\.\d+): (?P<where>[^:]*): ?(?P<text>.*)$"
)
_TRACE_TOTALS = re.compile(r"entries-in-buffer/entries-written: (\d+)/(\d+)")


class LostRecords(AssertionError):
    """The ring buffer was too small for what was recorded."""


@dataclass(frozen=True)
class TraceRecord:
    """One line of a trace instance: `time` in seconds, `where` the function that recorded it."""

    comm: str
    pid: int
    cpu: int
    time: float
    where: str
    text: str


def parse(text: str, *, all_kept: bool = True) -> list[TraceRecord]:
    """Parse a tracefs ``trace`` file. `comm` is ``<...>`` where the kernel did not note it: compare pids.

    LostRecords where the ring buffer overwrote some, unless `all_kept` is false; ValueError where the lines
    are not one for each entry (a record printed without its newline).
    """
    totals = [(int(kept), int(written)) for kept, written in _TRACE_TOTALS.findall(text)]
    if all_kept and any(kept != written for kept, written in totals):
        raise LostRecords(f"kept, written: {totals}")
    matches = (_TRACE_RECORD.match(line) for line in text.splitlines() if not line.startswith("#"))
    records = [
        TraceRecord(m["comm"], int(m["pid"]), int(m["cpu"]), float(m["time"]), m["where"], m["text"])
        for m in matches
        if m
    ]
    if totals and len(records) != sum(kept for kept, _ in totals):
        raise ValueError(f"{len(records)} lines for {totals} entries: does each record end with a newline?")
    return records
