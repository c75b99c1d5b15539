# SPDX-License-Identifier: GPL-2.0-or-later
"""Companion probes at functions' entries, for sites that read registers as they were there."""

from __future__ import annotations

from dataclasses import dataclass

from localvar.arch import Architecture
from localvar.codegen.expr import c_expression
from localvar.codegen.tables import EntryUse, c_string, place_fields
from localvar.model.plan import How, Read, ReadPlan
from localvar.model.site import SiteKind
from localvar.model.source import is_optional


@dataclass(frozen=True)
class Entries:
    """Definitions of descriptors and frame functions, and the EntryUse of each (probe, site) that has one, by their
    indices in the plan."""

    text: str
    uses: dict[tuple[int, int], EntryUse]


def make_entries(plan: ReadPlan, arch: Architecture) -> Entries:
    """The companion probes of a plan.  A return site needs none: its own probe sees the entry."""
    needed: dict[tuple[int, int], tuple[Read, bool]] = {}
    for use, index, read, probes in plan.reads():
        if read.how is How.ENTRY_CAPTURE and read.frame is not None and plan.sites[index].kind is SiteKind.INSTRUCTION:
            for probe in probes:
                optional = is_optional(use.use) and needed.get((probe, index), (read, True))[1]
                needed[probe, index] = (read, optional)
    entries: dict[tuple[str | None, int], str] = {}
    frames: dict[str, str] = {}
    parts: list[str] = []
    used = {}
    for place, (read, optional) in needed.items():
        site = read.site
        key = site.module, site.entry
        if key not in entries:
            name = entries[key] = f"localvar_entry_{len(entries)}"
            function = site.symbol if not site.offset else site.symbol.split(".cold")[0]
            fields = place_fields(site.module, site.entry_section, site.entry_offset, site.entry)
            fields = f"{fields}, .name = {c_string(function)}"
            parts.append(f"static struct localvar_entry {name} = {{ {fields} }};\n")
        assert read.frame is not None
        text = c_expression(read.frame, arch)
        if text not in frames:
            name = frames[text] = f"localvar_cfa_{len(frames)}"
            parts.append(f"static unsigned long {name}(const struct pt_regs *regs)\n{{\n\treturn {text};\n}}\n")
        used[place] = EntryUse(entries[key], frames[text], optional)
    return Entries("\n".join(parts), used)
