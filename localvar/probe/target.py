# SPDX-License-Identifier: GPL-2.0-or-later
"""What a probe coordinate says, as frozen values; str() gives the canonical form, which parses to the same.

Only names and numbers are here: which functions and addresses they mean in one kernel is found by resolve.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Presence(enum.Enum):
    """What follows a coordinate: nothing, `?` (may be absent) or `!` (the first that resolves wins)."""

    REQUIRED = ""
    OPTIONAL = "?"
    SUFFICIENT = "!"


class Variant(enum.Enum):
    """Which of a function's places: all entries, only concrete ones, only inlined ones, or returns."""

    ANY = ""
    CALL = "call"
    INLINE = "inline"
    RETURN = "return"


@dataclass(frozen=True)
class Lines:
    """Absolute line numbers of the file: inclusive (first, last) pairs, in the order written."""

    ranges: tuple[tuple[int, int], ...]

    def __str__(self) -> str:
        return ",".join(str(a) if a == b else f"{a}-{b}" for a, b in self.ranges)


@dataclass(frozen=True)
class RelativeLine:
    """The line that many lines after the function's first one (DW_AT_decl_line of the function)."""

    offset: int

    def __str__(self) -> str:
        return f"+{self.offset}"


@dataclass(frozen=True)
class AllLines:
    """Every line that has code."""

    def __str__(self) -> str:
        return "*"


@dataclass(frozen=True)
class ByteOffset:
    """The instruction that many bytes after the function's entry."""

    offset: int

    def __str__(self) -> str:
        return f"+{self.offset:#x}"


LineSpec = Lines | RelativeLine | AllLines
Where = Lines | RelativeLine | AllLines | ByteOffset


@dataclass(frozen=True)
class Function:
    """Functions whose name matches the glob name, in files that match the glob file, at lines (None: any).

    label and callee are globs; at most one of them is set, and label stands alone.  maxactive belongs to
    Variant.RETURN.
    """

    name: str
    file: str | None = None
    lines: LineSpec | None = None
    variant: Variant = Variant.ANY
    exported: bool = False
    label: str | None = None
    callee: str | None = None
    maxactive: int | None = None

    def __str__(self) -> str:
        parts = [f'function("{_pattern(self.name, self.file, self.lines)}")']
        if self.label is not None:
            parts.append(f'label("{self.label}")')
        if self.callee is not None:
            parts.append(f'callee("{self.callee}")')
        if self.exported:
            parts.append("exported")
        if self.variant is not Variant.ANY:
            parts.append(self.variant.value)
        if self.maxactive is not None:
            parts.append(f"maxactive({self.maxactive})")
        return ".".join(parts)


@dataclass(frozen=True)
class Statement:
    """The statements at where (None: at the function's entry) of functions and files as in Function.

    nearest: where no code is at the line, the nearest line of the function that has code.
    """

    name: str
    file: str | None = None
    where: Where | None = None
    nearest: bool = False

    def __str__(self) -> str:
        pattern = _pattern(self.name, self.file, self.where)
        return f'statement("{pattern}")' + (".nearest" if self.nearest else "")


@dataclass(frozen=True)
class AbsoluteAddress:
    """One link-time address of the kernel, as its vmlinux and System.map number it."""

    address: int

    def __str__(self) -> str:
        return f"statement({self.address:#x})"


Target = Function | Statement | AbsoluteAddress


@dataclass(frozen=True)
class Coordinate:
    """One probe coordinate: the target, a glob of the modules it is in (None: the kernel), its presence."""

    target: Target
    module: str | None = None
    presence: Presence = Presence.REQUIRED

    def __str__(self) -> str:
        where = "kernel" if self.module is None else f'module("{self.module}")'
        return f"{where}.{self.target}{self.presence.value}"


def _pattern(name: str, file: str | None, where: Where | None) -> str:
    """name[@file][:line] or name[@file]+0xoffset; a line of any file is written `name@*:line`."""
    if isinstance(where, ByteOffset):
        return name + ("" if file is None else f"@{file}") + str(where)
    if where is None:
        return name if file is None else f"{name}@{file}"
    return f"{name}@{file or '*'}:{where}"
