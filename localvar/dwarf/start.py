# SPDX-License-Identifier: GPL-2.0-or-later
"""Where a DIE begins, from the place of one of its attributes: without a walk from the top of its unit."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from localvar.dwarf import constants as c
from localvar.dwarf.leb128 import uleb

if TYPE_CHECKING:
    from localvar.dwarf.unit import Unit

Starts = tuple[tuple[bytes, int], ...]
_VARYING: Starts = ((b"", 0),)


def start_before(unit: Unit, position: int, tags: Collection[int], wanted: int, skip_declarations: bool = False) -> int | None:
    """Where the DIE would begin, if the bytes in front of position are one's code and what precedes the attribute `wanted`:
    a cheap test that most chance matches fail (None), before the unit is walked.  -1 where that is not certain: attributes
    of varying size stand in front, or the code can be read in two ways."""
    key = (frozenset(tags), wanted, skip_declarations)
    known = unit.starts.get(key)
    if known is None:
        known = unit.starts[key] = _starts(unit, *key)
    if known is _VARYING:
        return -1
    found = {position - before for prefix, before in known if unit.data.startswith(prefix, max(position - before, 0))}
    if not found:
        return None
    start = found.pop()
    return -1 if found or start < 0 or _is_longer(unit, start) else start


def _starts(unit: Unit, tags: frozenset[int], wanted: int, skip_declarations: bool) -> Starts:
    """(code as ULEB128, bytes from its start to the attribute) of each abbreviation that can hold the attribute."""
    found = []
    for code, abbreviation in unit.abbreviations.items():
        if abbreviation.tag not in tags:
            continue
        before = abbreviation.fronts.get(wanted)
        if before is None or (skip_declarations and c.DW_AT_declaration in abbreviation.fronts):
            continue
        if before < 0:
            return _VARYING
        prefix = _code_bytes(code)
        found.append((prefix, len(prefix) + before))
    return tuple(found)


def _is_longer(unit: Unit, start: int) -> bool:
    """Whether the byte in front of a code can belong to it."""
    return unit.data[start - 1] >= 0x80 and uleb(unit.data, start - 1)[0] in unit.abbreviations


def _code_bytes(code: int) -> bytes:
    """An abbreviation code as ULEB128."""
    out = bytearray()
    while code >= 0x80:
        out.append(code & 0x7F | 0x80)
        code >>= 7
    out.append(code)
    return bytes(out)
