# SPDX-License-Identifier: GPL-2.0-or-later
"""The units that many functions' names are in, without walking all units.

A linker keeps strings in the order in which it comes to them, so names that a glob matches, those of one subsystem, lie close
together in .debug_str: hundreds of offsets have few different upper halves.  One search of .debug_info for each upper half
finds the references to all of them.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Collection, Iterator
from itertools import accumulate
from typing import TYPE_CHECKING

from localvar.dwarf import constants as c
from localvar.dwarf.names import ends_of_strings
from localvar.dwarf.start import start_before

if TYPE_CHECKING:
    from localvar.dwarf.info import DebugInfo

MOST = 20
"""Upper halves; to walk the top level of all units takes as long as 30 searches."""

_FUNCTION = frozenset({c.DW_TAG_subprogram})
_OTHER_FORM = re.compile(rb"\x2e[\x00\x01](?!(?:\x3f\x19|\x3c\x19|\x6e\x0e)*\x03\x0e|\x31\x13|\x47\x13)")
"""A DW_TAG_subprogram's declaration in .debug_abbrev that is not: flags and a linkage name, then DW_AT_name as DW_FORM_strp; nor
begins with an origin or a specification, which has the name."""


def name_offsets(info: DebugInfo, names: Collection[str]) -> set[int]:
    """Where .debug_str can have the names: of most of them there is one whole string."""
    contents = info.elf.contents(".debug_str")
    strings = bytes(contents.bytes(0, contents.size)).split(b"\0")
    starts = accumulate((len(string) + 1 for string in strings), initial=0)
    wanted = {name.encode() for name in names}
    whole: dict[bytes, list[int]] = {}
    for string, start in zip(strings, starts, strict=False):
        if string in wanted:
            whole.setdefault(string, []).append(start)
    ends = ends_of_strings(info, wanted - whole.keys())
    return {offset for offsets in whole.values() for offset in offsets} | ends


def units_naming(info: DebugInfo, offsets: Collection[int]) -> list[int]:
    """Offsets of the units where a definition of a function may have one of the names at these offsets, or has its name
    elsewhere; all units where that takes no longer."""
    upper_halves = {offset >> 16 for offset in offsets}
    if len(upper_halves) > MOST or max(upper_halves, default=0) >> 16:
        return info.unit_offsets
    found = set(_with_other_forms(info))
    for upper_half in sorted(upper_halves):
        found.update(_referring(info, {offset for offset in offsets if offset >> 16 == upper_half}, found))
    return sorted(found)


def _referring(info: DebugInfo, offsets: set[int], known: Collection[int]) -> Iterator[int]:
    """Offsets of units, known ones left out, in which a function's name is at one of these offsets, which have the upper half in
    common."""
    starts, done = info.unit_offsets, set[int]()
    raw = {offset.to_bytes(4, "little") for offset in offsets}
    first = next(iter(raw))
    upper = re.escape(first[2:])
    # what is searched for is the upper half; what stands in front of it is looked at where that is found
    lower = b"".join(b"[%b]" % b"".join(re.escape(bytes([byte])) for byte in {one[at] for one in raw}) for at in (0, 1))
    pattern, behind = (re.escape(first), 0) if len(raw) == 1 else (upper + b"(?<=" + lower + upper + b")", 2)
    for found in info.search(re.compile(pattern)):
        position = found - behind
        if info.raw(position, 4) not in raw:
            continue
        begin = starts[bisect_right(starts, position) - 1]
        if begin in done or begin in known:
            continue
        unit = info.unit(begin)
        if start_before(unit, position - begin, _FUNCTION, c.DW_AT_name, True) is not None:
            done.add(begin)
            yield begin


def _with_other_forms(info: DebugInfo) -> list[int]:
    """Offsets of units that can have a function's name elsewhere than in .debug_str, by what their abbreviations declare."""
    contents = info.elf.contents(".debug_abbrev")
    places = [match.start() for match in _OTHER_FORM.finditer(bytes(contents.bytes(0, contents.size)))]
    tables: dict[int, list[int]] = {}
    for offset in info.unit_offsets:
        tables.setdefault(info.unit(offset).header.abbrev_offset, []).append(offset)
    begins = sorted(tables)
    return [offset for begin in {begins[max(bisect_right(begins, place) - 1, 0)] for place in places} for offset in tables[begin]]
