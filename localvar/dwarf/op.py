# SPDX-License-Identifier: GPL-2.0-or-later
"""Decoding DWARF expressions into operations (DWARF 5 section 7.7.1).  What they mean is expression.py's."""

from __future__ import annotations

from dataclasses import dataclass

from localvar.dwarf import constants as c
from localvar.dwarf.errors import DwarfError, Truncated
from localvar.dwarf.leb128 import sleb, uleb

Operand = int | bytes


@dataclass(frozen=True)
class Operation:
    """One operation: where it begins in the expression, its code and operands, where the next one begins."""

    at: int
    code: int
    operands: tuple[Operand, ...]
    next: int

    @property
    def name(self) -> str:
        """The operation's name in the standard."""
        return op_name(self.code)

    def number(self, index: int = 0) -> int:
        """An operand that is a number."""
        value = self.operands[index]
        if not isinstance(value, int):
            raise DwarfError(f"operand {index} of {self.name} is a block")
        return value

    def block(self, index: int = 0) -> bytes:
        """An operand that is a block."""
        value = self.operands[index]
        if isinstance(value, int):
            raise DwarfError(f"operand {index} of {self.name} is a number")
        return value


_NAMES = {value: name for name, value in vars(c).items() if name.startswith("DW_OP_")}


def op_name(code: int) -> str:
    """The name of an operation, or its number where it has none."""
    return _NAMES.get(code, f"DW_OP_{code:#x}")


# Operands: u/s LEB128, digits an unsigned of so many bytes, -digits a signed one, A an address, O an offset of
# .debug_info, B a block with a LEB128 length, b one with a 1-byte length.
_OPERANDS: dict[int, str] = {
    c.DW_OP_addr: "A", c.DW_OP_const1u: "1", c.DW_OP_const1s: "-1", c.DW_OP_const2u: "2", c.DW_OP_const2s: "-2",
    c.DW_OP_const4u: "4", c.DW_OP_const4s: "-4", c.DW_OP_const8u: "8", c.DW_OP_const8s: "-8", c.DW_OP_constu: "u",
    c.DW_OP_consts: "s", c.DW_OP_pick: "1", c.DW_OP_plus_uconst: "u", c.DW_OP_skip: "-2", c.DW_OP_bra: "-2",
    c.DW_OP_regx: "u", c.DW_OP_fbreg: "s", c.DW_OP_bregx: "u s", c.DW_OP_piece: "u", c.DW_OP_deref_size: "1",
    c.DW_OP_xderef_size: "1", c.DW_OP_call2: "2", c.DW_OP_call4: "4", c.DW_OP_call_ref: "O", c.DW_OP_bit_piece: "u u",
    c.DW_OP_implicit_value: "B", c.DW_OP_implicit_pointer: "O s", c.DW_OP_addrx: "u", c.DW_OP_constx: "u",
    c.DW_OP_entry_value: "B", c.DW_OP_const_type: "u b", c.DW_OP_regval_type: "u u", c.DW_OP_deref_type: "1 u",
    c.DW_OP_xderef_type: "1 u", c.DW_OP_convert: "u", c.DW_OP_reinterpret: "u", c.DW_OP_GNU_implicit_pointer: "O s",
    c.DW_OP_GNU_entry_value: "B", c.DW_OP_GNU_const_type: "u b", c.DW_OP_GNU_regval_type: "u u",
    c.DW_OP_GNU_deref_type: "1 u", c.DW_OP_GNU_convert: "u", c.DW_OP_GNU_reinterpret: "u", c.DW_OP_GNU_parameter_ref: "4",
    c.DW_OP_GNU_addr_index: "u", c.DW_OP_GNU_const_index: "u", c.DW_OP_GNU_variable_value: "O",
    **{c.DW_OP_breg0 + n: "s" for n in range(32)},
}
_PLAIN = frozenset(_NAMES) - _OPERANDS.keys()


def decode(data: bytes, address_size: int, offset_size: int) -> tuple[Operation, ...]:
    """The operations of an expression.  Raises DwarfError for a code that is not known or data that ends early."""
    operations, at = [], 0
    while at < len(data):
        start, code = at, data[at]
        at += 1
        operands: list[Operand] = []
        kinds = _OPERANDS.get(code)
        if kinds is None and code not in _PLAIN:
            raise DwarfError(f"operation {code:#x} is not known")
        try:
            for kind in (kinds or "").split():
                value, at = _operand(data, at, kind, address_size, offset_size)
                operands.append(value)
        except Truncated as problem:
            raise DwarfError(f"{op_name(code)} ends beyond its expression") from problem
        operations.append(Operation(start, code, tuple(operands), at))
    return tuple(operations)


def _operand(data: bytes, at: int, kind: str, address_size: int, offset_size: int) -> tuple[Operand, int]:
    if kind == "u":
        return uleb(data, at)
    if kind == "s":
        return sleb(data, at)
    if kind in "Bb":
        size, at = uleb(data, at) if kind == "B" else (_take(data, at, 1)[0], at + 1)
        return _take(data, at, size), at + size
    size = {"A": address_size, "O": offset_size}.get(kind) or abs(int(kind))
    return int.from_bytes(_take(data, at, size), "little", signed=kind.startswith("-")), at + size


def _take(data: bytes, at: int, size: int) -> bytes:
    if at + size > len(data):
        raise Truncated("operand ends beyond the expression")
    return data[at : at + size]
