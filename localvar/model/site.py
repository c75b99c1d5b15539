# SPDX-License-Identifier: GPL-2.0-or-later
"""Places to probe: what resolve makes of a coordinate."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from localvar.model.location import Reason


class SiteKind(enum.Enum):
    """What is probed at a site: an instruction, or the return of the function that begins there."""

    INSTRUCTION = "instruction"
    RETURN = "return"


@dataclass(frozen=True)
class ScopeRef:
    """The chain of DIEs whose code holds a site, innermost first, down to the concrete function: section offsets."""

    dies: tuple[int, ...]


@dataclass(frozen=True)
class Site:
    """One place.

    pc: link-time address (of an ET_REL module: made up, see section and section_offset).  symbol + offset name it.
    function: the source function whose scope names are resolved in; inlined: the functions whose inlined copies hold
    the pc, innermost first.  entry: address of the containing concrete function's entry; entry_why_not: why that cannot be
    probed.  file, line: of the source.
    outer: the place was given as an offset or an address in the concrete function, so names that the innermost inlined
    function does not know are looked up in the functions it was inlined into.  why_not: why it cannot be probed, None where
    it can.  callers: link-time return addresses that a hit at the function's entry must have to count; none: any.
    """

    kind: SiteKind
    pc: int
    symbol: str
    offset: int
    module: str | None
    section: str | None
    section_offset: int
    function: str
    file: str | None
    line: int
    inlined: tuple[str, ...]
    scope: ScopeRef
    entry: int
    entry_section: str | None = None
    entry_offset: int = 0
    entry_why_not: Reason | None = None
    outer: bool = False
    why_not: Reason | None = None
    callers: tuple[int, ...] = ()

    @property
    def place(self) -> tuple[object, ...]:
        """What tells two sites apart: not the line that each was asked for by."""
        return self.module, self.section, self.pc, self.kind, self.scope, self.outer, self.callers

    @property
    def name(self) -> str:
        """symbol+0xoffset, with the module's name in front where there is one."""
        place = f"{self.symbol}+{self.offset:#x}"
        return f"{self.module}:{place}" if self.module else place


@dataclass(frozen=True)
class Places:
    """What the coordinates of one probe name: the sites, each once; the largest .maxactive of them, 0 where none says it.

    named_by: for each site which of the coordinates named it first.
    """

    sites: tuple[Site, ...]
    maxactive: int = 0
    named_by: tuple[int, ...] = ()


NOWHERE = Site(SiteKind.INSTRUCTION, 0, "", 0, None, None, 0, "", None, 0, (), ScopeRef(()), 0)
"""The site of reads that are the same everywhere: of static variables."""
