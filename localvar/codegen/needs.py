# SPDX-License-Identifier: GPL-2.0-or-later
"""What a hit is held against: the callers that count, and the modules that have to be there because the handler reads their
variables, other than the site's own."""

from __future__ import annotations

from dataclasses import dataclass, field

from localvar.codegen.names import section_name
from localvar.model.linked import sections_read
from localvar.model.plan import ReadPlan


@dataclass(frozen=True)
class Needs:
    """Definitions of the lists, and for each site that has some the initialisers that name them."""

    text: str
    by_site: dict[int, str]


def make_needs(plan: ReadPlan) -> Needs:
    """The lists of a plan's sites."""
    sections, callers = _Lists("needs", "const struct localvar_section *const"), _Lists("callers", "const unsigned long")
    by_site: dict[int, str] = {}
    for index, names in _needed(plan).items():
        by_site[index] = f".needs = {sections.name((*(f'&{name}' for name in sorted(names)), 'NULL'))}"
    for index, site in enumerate(plan.sites):
        if site.callers:
            listed = callers.name(tuple(f"{address:#x}" for address in site.callers))
            fields = f".callers = {listed}, .nr_callers = {len(site.callers)}"
            by_site[index] = f"{by_site[index]}, {fields}" if index in by_site else fields
    return Needs(sections.text() + callers.text(), by_site)


@dataclass
class _Lists:
    """Arrays of one kind, each defined once."""

    kind: str
    type: str
    _names: dict[tuple[str, ...], str] = field(default_factory=dict)

    def name(self, items: tuple[str, ...]) -> str:
        return self._names.setdefault(items, f"localvar_{self.kind}_{len(self._names)}")

    def text(self) -> str:
        return "".join(f"static {self.type} {name}[] = {{ {', '.join(items)} }};\n" for items, name in self._names.items())


def _needed(plan: ReadPlan) -> dict[int, set[str]]:
    """The sections of other modules that the uses of GET_STATIC_VAR which a site reaches read."""
    needed: dict[int, set[str]] = {}
    for use in plan.uses:
        sections = frozenset().union(*(sections_read(read) for _, read in use.reads))
        for index in use.sites:
            names = {section_name(*section) for section in sections if section[0] != plan.sites[index].module}
            if names:
                needed.setdefault(index, set()).update(names)
    return needed
