# SPDX-License-Identifier: GPL-2.0-or-later
"""Modules that have to be there for a hit to be proven: those whose variables its handler reads, other than the site's own."""

from __future__ import annotations

from dataclasses import dataclass

from localvar.codegen.names import section_name
from localvar.model.linked import sections_read
from localvar.model.plan import ReadPlan


@dataclass(frozen=True)
class Needs:
    """Definitions of the lists of sections, and the list's name for each site that has one."""

    text: str
    by_site: dict[int, str]


def make_needs(plan: ReadPlan) -> Needs:
    """The sections of other modules that the uses of GET_STATIC_VAR which a site reaches read."""
    needed: dict[int, set[str]] = {}
    for use in plan.uses:
        sections = frozenset().union(*(sections_read(read) for _, read in use.reads))
        for index in use.sites:
            names = {section_name(*section) for section in sections if section[0] != plan.sites[index].module}
            if names:
                needed.setdefault(index, set()).update(names)
    lists: dict[tuple[str, ...], str] = {}
    by_site = {index: lists.setdefault(tuple(sorted(names)), f"localvar_needs_{len(lists)}") for index, names in needed.items()}
    text = "".join(f"static const struct localvar_section *const {name}[] = {{ {', '.join(f'&{n}' for n in names)}, NULL }};\n"
                   for names, name in lists.items())
    return Needs(text, by_site)
