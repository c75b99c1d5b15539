# SPDX-License-Identifier: GPL-2.0-or-later
"""Which sections of modules the addresses in locations, expressions and reads are in."""

from __future__ import annotations

from dataclasses import fields, is_dataclass

from localvar.model.expr import Address, PerCpu
from localvar.model.plan import Read, ReadPlan

Sections = frozenset[tuple[str, str]]
"""(module, section) pairs."""


def sections_in(value: object) -> Sections:
    """The sections of modules that are named somewhere in a Location, an Expr, a Source, or a tuple of such."""
    if isinstance(value, (Address, PerCpu)):
        return frozenset({(value.module, value.section)} if value.module is not None and value.section is not None else ())
    if isinstance(value, tuple):
        return frozenset().union(*map(sections_in, value))
    if is_dataclass(value) and not isinstance(value, type):
        return frozenset().union(*(sections_in(getattr(value, field.name)) for field in fields(value)))
    return frozenset()


def sections_read(read: Read) -> Sections:
    """The sections of modules that code for a read refers to."""
    return sections_in((read.source, read.address, read.frame))


def sections_of(plan: ReadPlan) -> Sections:
    """The sections of modules that an expansion refers to: of its sites, their functions' entries, what they read."""
    found = set[tuple[str, str]]()
    for site in plan.sites:
        if site.module is not None:
            found |= {(site.module, section) for section in (site.section, site.entry_section) if section is not None}
    for use in plan.uses:
        reads = [*use.reads, *((index, read) for index, each in use.lists for read in each)]
        found |= frozenset().union(*(sections_read(read) for _, read in reads))
    return frozenset(found)
