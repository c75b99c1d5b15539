# SPDX-License-Identifier: GPL-2.0-or-later
"""What a test writes for a unit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from .values import AddrLike, Die, DieRef

if TYPE_CHECKING:
    from .line import LineTable

UnitKind = Literal["compile", "type", "partial", "skeleton", "split_compile", "split_type"]


@dataclass(frozen=True, eq=False)
class Unit:
    """A unit of .debug_info, or of .debug_types for a type unit before DWARF 5.

    ``kind`` follows from the root's tag where it is None. ``offset_size`` 8 is the 64-bit format. ``line``
    adds DW_AT_stmt_list and is written once however many units name it. ``aranges`` are (address, length)
    pairs. ``siblings`` gives DIEs DW_AT_sibling as gcc does. ``padding`` is the number of zero bytes after
    the DIEs. The ``*_base`` attributes of the tables that indexed forms use are added to the root unless it
    has them.
    """

    root: Die
    version: int = 5
    kind: UnitKind | None = None
    offset_size: Literal[4, 8] = 4
    line: LineTable | None = None
    aranges: Sequence[tuple[AddrLike, int]] | None = None
    signature: int = 0
    type_die: DieRef | None = None
    dwo_id: int = 0
    siblings: bool = False
    padding: int = 0

    @property
    def unit_kind(self) -> str:
        """The unit's kind, from DW_UT_*."""
        if self.kind is not None:
            return self.kind
        tag = str(self.root.tag).removesuffix("_unit")
        return tag if tag in ("type", "partial", "skeleton") else "compile"

    @property
    def section(self) -> str:
        """The section the unit stands in."""
        return ".debug_types" if self.version < 5 and self.unit_kind == "type" else ".debug_info"


@dataclass(frozen=True)
class RawUnit:
    """Bytes among the units of .debug_info."""

    data: bytes
    section: ClassVar[str] = ".debug_info"
