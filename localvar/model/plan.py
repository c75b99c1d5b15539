# SPDX-License-Identifier: GPL-2.0-or-later
"""Read plans: how each variable a handler reads is read at each site, or why it is not.

Listings, diagnostics and generated code all come from these objects.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator
from dataclasses import dataclass

from localvar.model.ctype import CType, Declared
from localvar.model.expr import Expr, ReturnsTo
from localvar.model.location import Location, Reason
from localvar.model.path import Path
from localvar.model.site import Site
from localvar.model.source import Function, MacroUse, ProbeDeclaration


class VariableKind(enum.Enum):
    """What a variable is in the source."""

    PARAMETER = "parameter"
    LOCAL = "local"
    STATIC = "static"


@dataclass(frozen=True)
class Variable:
    """A variable in scope at a site.  scope: name of the function (or file) that declares it; die: section offset;
    dwarf: the location in words, for listings and comments."""

    name: str
    kind: VariableKind
    type: CType
    scope: str
    location: Location
    dwarf: str
    die: int
    declared: Declared


class LocationClass(enum.Enum):
    """The class of a location, as listings name it."""

    REGISTER = "register"
    MEMORY = "memory"
    VALUE = "value"
    CONSTANT = "constant"
    PIECES = "pieces"
    IMPLICIT_POINTER = "implicit_pointer"
    ENTRY_VALUE = "entry_value"
    ABSENT = "absent"


class How(enum.Enum):
    """The way a value is obtained (section 4 of the design)."""

    DIRECT = "direct"
    SAME_PLACE = "same_place"
    CALLER = "caller"
    ENTRY_CAPTURE = "entry_capture"


@dataclass(frozen=True)
class Scalar:
    """The value is the bit pattern of expr, to be cast to the read's type."""

    expr: Expr


@dataclass(frozen=True)
class Object:
    """The value is the object of the read's type in memory at address; safe as in expr.Load."""

    address: Expr
    safe: bool


@dataclass(frozen=True)
class Chunk:
    """`expr.bits` bits of an object that is put together, from byte `offset` of it on."""

    offset: int
    expr: Expr


@dataclass(frozen=True)
class Assembly:
    """The value is an object put together from parts that are in different places."""

    chunks: tuple[Chunk, ...]


Source = Scalar | Object | Assembly


@dataclass(frozen=True)
class RegisterBits:
    """The bits [offset, offset + size) of a register, by DWARF number; whole: they are all that is of a variable there."""

    number: int
    offset: int
    size: int
    whole: bool


@dataclass(frozen=True)
class Callers:
    """The calls that say what is read: (link-time address that they return to, its name), and how an activation tells
    which of them it was called by.  At any other hit the value is not proven."""

    returns_to: ReturnsTo
    calls: tuple[tuple[int, str], ...]


@dataclass(frozen=True)
class Read:
    """How one path is read at one site.

    source and how are None where it is absent, with the reason then; bits: width of the value where it is a bit-field.
    address, register: where it lives, for LOCAL_VAR_ADDR and writes, else None.  frame: with How.ENTRY_CAPTURE at an
    instruction, the canonical frame address there: the key under which the registers at entry were stored.  callers: with
    How.CALLER.
    """

    site: Site
    path: Path
    variable: Variable | None
    type: CType
    location_class: LocationClass
    how: How | None
    source: Source | None
    reason: Reason | None
    address: Expr | None = None
    frame: Expr | None = None
    bit_field: tuple[int, int] | None = None
    callers: Callers | None = None
    register: RegisterBits | None = None

    @property
    def readable(self) -> bool:
        """True where the value is proven and can be computed."""
        return self.source is not None


@dataclass(frozen=True)
class SitePlan:
    """Everything read at one site, in the order of the plan's paths."""

    site: Site
    reads: tuple[Read, ...]


@dataclass(frozen=True)
class PlannedUse:
    """One macro use: what it reads at each of the sites that reach it (in the order of ReadPlan.sites).

    as_type: the C type the user asked for, None where they asked for none.  lists: of PRINT_LOCAL_VARS and
    PRINT_PARAMETERS, all variables at each site.  sites: of GET_STATIC_VAR, whose read belongs to no site, those that reach it.
    """

    use: MacroUse
    path: Path | None
    reads: tuple[tuple[int, Read], ...]
    as_type: str | None = None
    lists: tuple[tuple[int, tuple[Read, ...]], ...] = ()
    sites: tuple[int, ...] = ()


@dataclass(frozen=True)
class PlannedProbe:
    """A probe declaration with the sites that are left, as indices into ReadPlan.sites, and the uses that its handlers
    reach, as indices into ReadPlan.uses."""

    declaration: ProbeDeclaration
    sites: tuple[int, ...]
    uses: tuple[int, ...]
    maxactive: int = 0


@dataclass(frozen=True)
class ReadPlan:
    """Everything that an expansion compiles: sites, probes on them, uses reading there; idle: functions of headers that read
    variables and that nothing in the file reaches."""

    sites: tuple[Site, ...]
    probes: tuple[PlannedProbe, ...]
    uses: tuple[PlannedUse, ...]
    idle: tuple[Function, ...] = ()

    def reads(self) -> Iterator[tuple[PlannedUse, int, Read, tuple[int, ...]]]:
        """Every read with its use, its site and the probes whose handlers do it there, both as indices."""
        for number, use in enumerate(self.uses):
            probes = [i for i, probe in enumerate(self.probes) if number in probe.uses]
            for index, read in (*use.reads, *((index, read) for index, reads in use.lists for read in reads)):
                yield use, index, read, tuple(i for i in probes if index in self.probes[i].sites)
