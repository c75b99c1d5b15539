# SPDX-License-Identifier: GPL-2.0-or-later
"""What location lists and range lists have in common: entries, their operands, the v5 section around them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from .buffer import Buffer
from .context import Lists, UnitContext
from .values import AddrLike

Kinds = Mapping[str, tuple[int, str]]


@dataclass(frozen=True)
class Entry:
    """A list entry: its DWARF name without ``DW_LLE_``/``DW_RLE_``, and its operands."""

    name: str
    operands: tuple[object, ...] = ()


@dataclass(frozen=True)
class Absolute:
    """A range of addresses, written as the unit's version has it; ``rest`` is a location or nothing."""

    start: AddrLike
    end: AddrLike
    rest: tuple[object, ...] = ()


def make_entry(kinds: Kinds, prefix: str, name: str) -> Callable[..., Entry]:
    """The function that builds one kind of entry, with its operands counted."""
    if name not in kinds:
        raise AttributeError(f"no list entry {prefix}{name}")
    wanted = len(kinds[name][1].split())

    def make(*operands: object) -> Entry:
        if len(operands) != wanted:
            raise TypeError(f"{prefix}{name} takes {wanted} operands, not {len(operands)}")
        return Entry(name, operands)

    return make


def write_operand(kind: str, value: Any, buffer: Buffer, context: UnitContext) -> None:
    """One operand that is a number: ``addr``, ``addrx`` (an index, or an ``Addr``) or ``uleb``."""
    if kind == "addr":
        buffer.addr(value)
    elif kind == "addrx":
        buffer.uleb(value if isinstance(value, int) else context.address_index(value))
    else:
        buffer.uleb(value)


def write_v5_section(
    section: str, lists: Lists, context: UnitContext, write: Callable[[Any, Buffer, UnitContext], None]
) -> None:
    """The unit's contribution to .debug_loclists or .debug_rnglists (DWARF 5, 7.28 and 7.29)."""
    buffer = context.assembly.section(section)
    with buffer.initial_length(context.offset_size):
        buffer.number(2, context.version)
        buffer.number(1, buffer.target.address_size)
        buffer.number(1, 0)
        buffer.number(4, len(lists.indexed))
        if lists.indexed:
            context.mark(len(buffer), section)
        for key in lists.indexed:
            # Both places are zero in the first pass, and neither is after it.
            buffer.number(context.offset_size, context.place("list", key) - context.place(section))
        for entries in lists.used.values():
            write(entries, buffer, context)


def write_lists(
    names: tuple[str, str],
    lists: Lists,
    context: UnitContext,
    write: Callable[[Any, Buffer, UnitContext], None],
) -> None:
    """All of a unit's lists into the section of its version: ``names`` are the v4 and the v5 section."""
    if not lists.used:
        return
    if context.version >= 5:
        write_v5_section(names[1], lists, context, write)
    else:
        for entries in lists.used.values():
            write(entries, context.assembly.section(names[0]), context)
