# SPDX-License-Identifier: GPL-2.0-or-later
"""Location expressions in words, for listings and the comments of generated code."""

from __future__ import annotations

from localvar.arch import Architecture
from localvar.dwarf import constants as c
from localvar.dwarf.errors import DwarfError
from localvar.dwarf.op import Operation, decode

_LIMIT = 12


def describe(data: bytes, arch: Architecture, address_size: int, offset_size: int) -> str:
    """The operations of an expression, as `DW_OP_reg3 (rbx)` or `DW_OP_fbreg -24`, joined by commas."""
    if not data:
        return "empty"
    try:
        operations = decode(data, address_size, offset_size)
    except DwarfError as problem:
        return f"damaged ({problem})"
    words = [_operation(operation, arch, 0) for operation in operations[:_LIMIT]]
    return ", ".join(words + ["..."] * (len(operations) > _LIMIT))


def _operation(operation: Operation, arch: Architecture, depth: int) -> str:
    code = operation.code
    for first in (c.DW_OP_reg0, c.DW_OP_breg0):
        if first <= code <= first + 31:
            offset = f" {operation.number()}" if first == c.DW_OP_breg0 else ""
            return f"{operation.name} ({arch.register_name(code - first)}){offset}"
    words = [operation.name]
    for value in operation.operands:
        words.append(value.hex() or "empty" if isinstance(value, bytes) else f"{value:#x}" if value > 0xFFFF else str(value))
    if code in (c.DW_OP_entry_value, c.DW_OP_GNU_entry_value):
        try:
            inner = decode(operation.block(), 8, 4) if depth < 2 else ()
        except DwarfError as problem:
            return f"{operation.name}(damaged: {problem})"
        return f"{operation.name}({', '.join(_operation(o, arch, depth + 1) for o in inner[:_LIMIT])})"
    return " ".join(words)
