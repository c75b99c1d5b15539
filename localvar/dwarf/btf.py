# SPDX-License-Identifier: GPL-2.0-or-later
"""Names of types from .BTF, which a kernel has made of its DWARF: each type once (Documentation/bpf/btf.rst, 2)."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from localvar.dwarf.elf import Elf

_MAGIC = 0xEB9F
_KINDS = {4: "struct", 5: "union", 6: "enum", 8: "typedef", 19: "enum"}
_FIXED = {1: 4, 3: 12, 14: 4, 17: 4}
"""Bytes behind a type's 12: INT, ARRAY, VAR, DECL_TAG."""
_EACH = {4: 12, 5: 12, 6: 8, 13: 8, 15: 12, 19: 12}
"""Bytes behind them for each member, value or parameter: STRUCT, UNION, ENUM, FUNC_PROTO, DATASEC, ENUM64."""


def type_names(elf: Elf) -> Iterator[tuple[str, str]]:
    """Kind (`struct`, `union`, `enum`, `typedef`) and name of each named type; nothing where there is no .BTF."""
    contents = elf.contents(".BTF")
    data = contents.bytes(0, contents.size)
    if len(data) < 24:
        return
    magic, _, _, header, types, size, strings, _ = struct.unpack_from("<HBBIIIII", data)
    at, end, text = header + types, header + types + size, header + strings
    if magic != _MAGIC or end > len(data):
        return
    while at + 12 <= end:
        name, info, _ = struct.unpack_from("<III", data, at)
        kind, count = info >> 24 & 0x1F, info & 0xFFFF
        if kind in _KINDS and name:
            yield _KINDS[kind], data[text + name : max(data.find(b"\0", text + name), 0)].decode("latin-1")
        at += 12 + _FIXED.get(kind, 0) + _EACH.get(kind, 0) * count
