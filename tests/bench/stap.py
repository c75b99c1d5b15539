# SPDX-License-Identifier: GPL-2.0-or-later
"""The places that SystemTap finds for coordinates: `stap -p2`, one run for all of them, read from what it says as it goes."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field

_SECTION = re.compile(r"^derive-probes \(location #0\): (.*)\? of keyword at .*$", re.MULTILINE)
_PROBE = re.compile(r"^probe (\S+)@\S+:(\d+) kernel .*pc=0x([0-9a-f]+)( - blocklisted)?", re.MULTILINE)
_PART = re.compile(r"^skipping partially-inlined instance \S+ at 0x([0-9a-f]+)", re.MULTILINE)
_ROW = re.compile(r"^(\d+) = ([0-9a-f]+)$", re.MULTILINE)


@dataclass
class Answer:
    """Of one coordinate.  places: (function, line) by address.  refused: addresses on SystemTap's own list of what not to probe.
    parts: where .part functions begin, which it passes over."""

    places: dict[int, set[tuple[str, int]]] = field(default_factory=dict)
    refused: set[int] = field(default_factory=set)
    parts: set[int] = field(default_factory=set)


@dataclass(frozen=True)
class Answers:
    """By coordinate; and the (line, address) of all rows of line tables that it looked at."""

    of: dict[str, Answer]
    rows: frozenset[tuple[int, int]]


def ask(release: str, coordinates: Sequence[str]) -> Answers:
    """What SystemTap says of coordinates of an installed kernel; one that it does not answer has no places."""
    script = "\n".join(f"probe {coordinate}? {{}}" for coordinate in coordinates)
    command = ["stap", "-v", "--vp", "05", "-p2", "-r", release, "-e", script]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900, check=False)
    sections = _SECTION.split(done.stderr)[1:]
    found = {coordinate: _answer(text) for coordinate, text in zip(sections[::2], sections[1::2], strict=True)}
    missing = [coordinate for coordinate in coordinates if coordinate not in found]
    assert not missing, f"stap stopped before {missing[0]}: {done.stderr[-2000:]}"
    return Answers(found, frozenset((int(line), int(address, 16)) for line, address in _ROW.findall(done.stdout)))


def _answer(text: str) -> Answer:
    found = Answer(parts={int(address, 16) for address in _PART.findall(text)})
    for name, line, address, refused in _PROBE.findall(text):
        if refused:
            found.refused.add(int(address, 16))
        else:
            found.places.setdefault(int(address, 16), set()).add((name, int(line)))
    return found
