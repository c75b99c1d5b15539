# SPDX-License-Identifier: GPL-2.0-or-later
"""Entries of location lists, one function for each, named without ``DW_LLE_`` (DWARF 5, 7.7.3).

Locations are ``op`` expressions, or ``Raw`` for a length and bytes of one's own. ``addrx`` operands take an
index or an ``Addr``. ``lle.view_pair`` is GNU's entry that carries the views of the one behind it.
"""

from __future__ import annotations

from collections.abc import Callable

from .lists import Entry, make_entry

KINDS: dict[str, tuple[int, str]] = {
    "end_of_list": (0x00, ""),
    "base_addressx": (0x01, "addrx"),
    "startx_endx": (0x02, "addrx addrx location"),
    "startx_length": (0x03, "addrx uleb location"),
    "offset_pair": (0x04, "uleb uleb location"),
    "default_location": (0x05, "location"),
    "base_address": (0x06, "addr"),
    "start_end": (0x07, "addr addr location"),
    "start_length": (0x08, "addr uleb location"),
    "view_pair": (0x09, "uleb uleb"),
}


def __getattr__(name: str) -> Callable[..., Entry]:
    return make_entry(KINDS, "DW_LLE_", name)
