# SPDX-License-Identifier: GPL-2.0-or-later
"""Replacing spans of a text, the rest kept byte for byte; spans may nest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Replacement:
    """What stands in place of the bytes [start, end): text, in which `keep` ranges of the old text may stand.

    parts: text and (start, end) ranges of the old text, in order; ranges are themselves subject to replacements.
    """

    start: int
    end: int
    parts: tuple[bytes | tuple[int, int], ...]


def splice(text: bytes, replacements: Sequence[Replacement], start: int = 0, end: int | None = None) -> bytes:
    """text[start:end] with all replacements in it made, outermost first."""
    end = len(text) if end is None else end
    inside = sorted((r for r in replacements if start <= r.start and r.end <= end), key=lambda r: (r.start, -r.end))
    out, at = bytearray(), start
    for replacement in inside:
        if replacement.start < at:
            continue  # within one that was replaced
        out += text[at : replacement.start]
        inner = [r for r in replacements if r is not replacement]
        for part in replacement.parts:
            out += part if isinstance(part, bytes) else splice(text, inner, *part)
        at = replacement.end
    return bytes(out + text[at:end])


def padded(new: bytes, old: bytes) -> bytes:
    """new with as many line breaks behind it as old has more, so that the lines below keep their numbers."""
    return new + b"\n" * max(0, old.count(b"\n") - new.count(b"\n"))
