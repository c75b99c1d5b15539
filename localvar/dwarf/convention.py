# SPDX-License-Identifier: GPL-2.0-or-later
"""What the calling convention says where debug info does not: where a result is at a function's return, and what is known of
its parameters' places on entry later on (System V psABI, section 3.2.3)."""

from __future__ import annotations

from dataclasses import replace

from localvar.arch import Architecture
from localvar.model.ctype import NESTING_LIMIT, Array, BaseType, CType, Encoding, Record, is_scalar, size_of, strip
from localvar.model.expr import Entry, Load, Reg
from localvar.model.location import EntryValue, Location, Memory, Piece, Pieces, Register, Value, absent
from localvar.model.memory import passed_on_stack


def returned(ctype: CType, arch: Architecture) -> Location:
    """Where a result of a type is when its function returns; Absent where the rules for it are not supported."""
    size = size_of(ctype)
    first, second = arch.return_registers
    bits = arch.address_bits
    if size is None:
        return absent("void", "its function returns nothing")
    if not is_integer_class(ctype):
        return absent("abi", "its function returns a structure by rules that are not supported")
    if 8 * size <= bits:
        return Register(first)
    if 8 * size <= 2 * bits:
        return Pieces((Piece(Register(first), bits), Piece(Register(second), 8 * size - bits)))
    return Memory(Reg(first, bits))


def is_integer_class(ctype: CType, offset: int = 0, depth: int = 0) -> bool:
    """Whether all parts of a type are integers or pointers in their natural places (psABI 3.2.3: class INTEGER, or
    MEMORY for its size alone)."""
    bare = strip(ctype)
    if depth > NESTING_LIMIT:
        return False
    if isinstance(bare, Record):
        return not bare.declaration and all(
            member.bit_size is not None or is_integer_class(member.type(), offset + member.offset, depth + 1)
            for member in bare.members())
    if isinstance(bare, Array):
        return is_integer_class(bare.element(), offset, depth + 1)
    if isinstance(bare, BaseType) and bare.encoding in (Encoding.FLOAT, Encoding.OTHER):
        return False
    size = size_of(bare)
    return size is not None and offset % size == 0


def on_entry(location: Location, ctype: CType, arch: Architecture) -> Location:
    """A location at a function's entry, as later code sees it: what registers held there.

    Memory is not kept, what was on the stack may have changed since; of a scalar there a caller may tell.
    """
    if isinstance(location, Register):
        return EntryValue(Reg(location.number))
    if isinstance(location, Value):
        return Value(Entry(location.expr, location.expr.bits))
    if isinstance(location, Pieces):
        return Pieces(tuple(replace(piece, location=on_entry(piece.location, ctype, arch)) for piece in location.pieces))
    if isinstance(location, Memory):
        size = size_of(ctype)
        if is_scalar(ctype) and size in (1, 2, 4, 8) and passed_on_stack(location.address, arch) is not None:
            return Value(Entry(Load(location.address, 8 * size, True), 8 * size))
        return absent("entry-memory", "it was passed in memory, which may have changed since the function's entry")
    return location
