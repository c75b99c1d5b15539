# SPDX-License-Identifier: GPL-2.0-or-later
"""Entries of range lists, one function for each, named without ``DW_RLE_`` (DWARF 5, 7.25)."""

from __future__ import annotations

from collections.abc import Callable

from .lists import Entry, make_entry

KINDS: dict[str, tuple[int, str]] = {
    "end_of_list": (0x00, ""),
    "base_addressx": (0x01, "addrx"),
    "startx_endx": (0x02, "addrx addrx"),
    "startx_length": (0x03, "addrx uleb"),
    "offset_pair": (0x04, "uleb uleb"),
    "base_address": (0x05, "addr"),
    "start_end": (0x06, "addr addr"),
    "start_length": (0x07, "addr uleb"),
}


def __getattr__(name: str) -> Callable[..., Entry]:
    return make_entry(KINDS, "DW_RLE_", name)
