# SPDX-License-Identifier: GPL-2.0-or-later
"""Bits out of a location: the expression that yields any run of bits of a variable, or why there is none.

Little endian, as struct pt_regs and memory are on the architectures here.
"""

from __future__ import annotations

from dataclasses import dataclass

from localvar.arch import Architecture
from localvar.model import fold
from localvar.model.expr import Const, Entry, Expr, Load, Op, Reg
from localvar.model.location import (
    Absent,
    Constant,
    EntryValue,
    ImplicitPointer,
    Location,
    Memory,
    Piece,
    Pieces,
    Reason,
    Register,
    Value,
)
from localvar.model.memory import is_below_stack, is_safe

MACHINE_BITS = (8, 16, 32, 64, 128)


class Unproven(Exception):
    """These bits cannot be had; carries the Reason."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.text)
        self.reason = reason


def extract(location: Location, bit_offset: int, bit_size: int, arch: Architecture, trusted: bool = True) -> Expr:
    """bit_size bits of a variable from bit_offset on (both counted from the least significant bit of its first byte),
    as an expression of the next machine width, upper bits zero.  trusted: the bits are known to be the variable's own,
    so that memory of a safe place is read without protection.  Raises Unproven."""
    if isinstance(location, Absent):
        raise Unproven(location.reason)
    if bit_size <= 0:
        raise Unproven(Reason("damaged", "damaged debug info: its type has no size"))
    if isinstance(location, Memory):
        return _from_memory(location.address, bit_offset, bit_size, _Loads(arch, trusted))
    if bit_offset < 0:
        raise Unproven(Reason("too-small", "it lies in front of what debug info gives"))
    if not width_for(bit_size):
        raise Unproven(Reason("too-large", f"{bit_size} bits are no scalar"))
    if isinstance(location, Constant):
        return _from_constant(location.data, bit_offset, bit_size)
    if isinstance(location, Pieces):
        return _from_pieces(location.pieces, bit_offset, bit_size, arch)
    if isinstance(location, ImplicitPointer):
        raise Unproven(Reason("implicit-pointer", "the pointer itself was optimized out; a path through it "
                              "(p->member) reads what it points to where that is known"))
    return _cut(_whole(location, arch), bit_offset, bit_size)


def _whole(location: Register | Value | EntryValue, arch: Architecture) -> Expr:
    if isinstance(location, Register):
        return Reg(location.number, arch.address_bits)
    return location.expr if isinstance(location, Value) else Entry(location.inner, location.inner.bits)


def width_for(bits: int) -> int:
    """The narrowest machine width that holds so many bits."""
    return next((width for width in MACHINE_BITS if width >= bits), 0)


def _cut(whole: Expr, bit_offset: int, bit_size: int) -> Expr:
    if bit_offset + bit_size > whole.bits:
        raise Unproven(Reason("too-small", f"debug info gives {whole.bits} bits for an object that needs "
                              f"{bit_offset + bit_size}"))
    width = width_for(bit_size)
    value = whole if not bit_offset else fold.binary(Op.SHR, whole, Const(bit_offset, whole.bits))
    value = fold.extend(value, width, False)
    return value if bit_size == width else fold.binary(Op.AND, value, Const(fold.mask(bit_size), width))


@dataclass(frozen=True)
class _Loads:
    """How memory is read."""

    arch: Architecture
    trusted: bool

    def load(self, address: Expr, offset: int, bits: int) -> Expr:
        """bits of memory at address plus offset bytes."""
        place = fold.add(address, offset)
        check_frame(place, self.arch)
        return Load(place, bits, self.trusted and is_safe(place, self.arch))


def within(location: Location, bit_offset: int, bit_size: int) -> tuple[Location, int]:
    """The one piece that holds a run of bits, and their offset in it; location and bit_offset where none does."""
    at = 0
    for piece in location.pieces if isinstance(location, Pieces) else ():
        if at <= bit_offset and bit_offset + bit_size <= at + piece.bit_size:
            return within(piece.location, piece.bit_offset + bit_offset - at, bit_size)
        at += piece.bit_size
    return location, bit_offset


def _from_memory(address: Expr, bit_offset: int, bit_size: int, loads: _Loads) -> Expr:
    first = bit_offset // 8
    shift = bit_offset % 8
    if not width_for(shift + bit_size):
        raise Unproven(Reason("too-large", f"{bit_size} bits are no scalar"))
    return _cut(_gather(address, first, -(-(shift + bit_size) // 8), loads), shift, bit_size)


def check_frame(address: Expr, arch: Architecture) -> None:
    """Refuse memory below the stack pointer.  Raises Unproven."""
    if is_below_stack(address, arch):
        raise Unproven(Reason("no-frame", "its place in the frame is not set up at this address (it is below the stack pointer)"))


def _gather(address: Expr, first: int, size: int, loads: _Loads) -> Expr:
    """size bytes of memory as one value, by loads that touch no byte outside them."""
    width = width_for(8 * size)
    if width == 8 * size:
        return loads.load(address, first, width)
    value: Expr | None = None
    done = 0
    while done < size:
        step = next(n for n in (8, 4, 2, 1) if n <= size - done)
        part = fold.extend(loads.load(address, first + done, 8 * step), width, False)
        if done:
            part = fold.binary(Op.SHL, part, Const(8 * done, width))
        value = part if value is None else fold.binary(Op.OR, value, part)
        done += step
    assert value is not None
    return value


def _from_constant(data: bytes, bit_offset: int, bit_size: int) -> Expr:
    if bit_offset + bit_size > 8 * len(data):
        raise Unproven(Reason("too-small", f"debug info gives {len(data)} bytes for an object that needs more"))
    value = int.from_bytes(data, "little") >> bit_offset & fold.mask(bit_size)
    return Const(value, width_for(bit_size))


def _from_pieces(pieces: tuple[Piece, ...], bit_offset: int, bit_size: int, arch: Architecture) -> Expr:
    """Bits of a composite, from every piece they touch (DWARF 5 section 2.6.1.2)."""
    width = width_for(bit_size)
    value: Expr | None = None
    at, end = 0, bit_offset + bit_size
    for piece in pieces:
        low, high = max(at, bit_offset), min(at + piece.bit_size, end)
        if low < high:
            part = extract(piece.location, piece.bit_offset + low - at, high - low, arch)
            part = fold.extend(part, width, False)
            if low > bit_offset:
                part = fold.binary(Op.SHL, part, Const(low - bit_offset, width))
            value = part if value is None else fold.binary(Op.OR, value, part)
        at += piece.bit_size
    if at < end or value is None:
        raise Unproven(Reason("too-small", "debug info has no piece for this part of it"))
    return value
