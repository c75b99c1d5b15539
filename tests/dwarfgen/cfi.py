# SPDX-License-Identifier: GPL-2.0-or-later
"""Call frame information: .debug_frame (DWARF 5, 6.4.1) and .eh_frame (Linux Standard Base Core, 10.6.1)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from . import op
from .buffer import Buffer
from .cfa import OPCODES
from .elf import MACHINES
from .opcodes import Instruction
from .values import AddrLike, DieRef, Raw

PCREL_SDATA4 = 0x1B
# DW_EH_PE_* formats: size of the value.
ENCODED_SIZES = {0x02: 2, 0x03: 4, 0x04: 8, 0x0A: 2, 0x0B: 4, 0x0C: 8}

# Machine: code and data alignment factors, return address register, as gcc has them; x86-64's for others.
CONVENTIONS = {
    MACHINES["x86_64"]: (1, -8, 16),
    MACHINES["aarch64"]: (4, -8, 30),
    MACHINES["i386"]: (1, -4, 8),
}

Step: TypeAlias = "Instruction | Raw"


@dataclass(frozen=True, eq=False)
class Cie:
    """A common information entry; alignments and return register are the machine's where they are None.

    ``augmentation`` and ``encoding`` (of addresses, DW_EH_PE_*) matter to .eh_frame; ``augmentation_data``
    replaces what follows from them. ``version`` is 1 in .eh_frame and 3 in .debug_frame unless given.
    """

    instructions: Sequence[Step] = ()
    code_alignment: int | None = None
    data_alignment: int | None = None
    return_register: int | None = None
    version: int | None = None
    augmentation: str | None = None
    augmentation_data: bytes | None = None
    encoding: int = PCREL_SDATA4
    offset_size: Literal[4, 8] = 4


@dataclass(frozen=True, eq=False)
class Fde:
    """A frame description entry: ``length`` bytes of code at ``start``. Its CIE is written before it."""

    cie: Cie
    start: AddrLike
    length: int
    instructions: Sequence[Step] = ()
    augmentation_data: bytes = b""


FrameEntry: TypeAlias = "Cie | Fde | Raw"


class NoUnit:
    """The scope of expressions in frames: no unit, so no DIE (DWARF 5, 6.4.2)."""

    version = 5
    offset_size = 4

    def unit_offset(self, target: DieRef) -> int:
        raise ValueError("a call frame expression refers to a DIE")

    def section_offset(self, target: DieRef) -> tuple[str, int]:
        raise ValueError("a call frame expression refers to a DIE")

    def address_index(self, addr: AddrLike) -> int:
        raise ValueError("a call frame expression refers to .debug_addr")


def write_frames(entries: Iterable[FrameEntry], buffer: Buffer, *, eh_frame: bool) -> None:
    """Write frame entries, each CIE once; .eh_frame ends with a zero length."""
    written: dict[int, int] = {}
    for entry in entries:
        if isinstance(entry, Raw):
            buffer.raw(entry.data)
            continue
        cie = entry if isinstance(entry, Cie) else entry.cie
        if id(cie) not in written:
            written[id(cie)] = len(buffer)
            _write_cie(cie, buffer, eh_frame)
        if isinstance(entry, Fde):
            _write_fde(entry, written[id(cie)], buffer, eh_frame)
    if eh_frame:
        buffer.number(4, 0)


def _augmentation(cie: Cie, eh_frame: bool) -> str:
    if cie.augmentation is not None:
        return cie.augmentation
    return "zR" if eh_frame else ""


def _augmentation_data(cie: Cie, augmentation: str) -> bytes:
    """R is the encoding of addresses; what L and P want is for the test to give."""
    if cie.augmentation_data is not None:
        return cie.augmentation_data
    return bytes((cie.encoding,)) if "R" in augmentation else b""


def _conventions(cie: Cie, buffer: Buffer) -> tuple[int, int, int]:
    code, data, register = CONVENTIONS.get(buffer.target.machine, (1, -8, 16))
    return (
        code if cie.code_alignment is None else cie.code_alignment,
        data if cie.data_alignment is None else cie.data_alignment,
        register if cie.return_register is None else cie.return_register,
    )


def _write_cie(cie: Cie, buffer: Buffer, eh_frame: bool) -> None:
    version = cie.version or (1 if eh_frame else 3)
    augmentation = _augmentation(cie, eh_frame)
    with buffer.initial_length(cie.offset_size):
        # The id in .eh_frame has four bytes whatever the length has.
        buffer.raw(bytes(4) if eh_frame else b"\xff" * cie.offset_size)
        buffer.number(1, version)
        buffer.cstring(augmentation)
        if version >= 4:
            buffer.number(1, buffer.target.address_size)
            buffer.number(1, 0)
        code, data, register = _conventions(cie, buffer)
        buffer.uleb(code)
        buffer.sleb(data)
        buffer.number(1, register) if version == 1 else buffer.uleb(register)
        if augmentation.startswith("z"):
            _write_counted(_augmentation_data(cie, augmentation), buffer)
        _write_instructions(cie.instructions, cie, buffer, eh_frame)


def _write_fde(fde: Fde, cie_offset: int, buffer: Buffer, eh_frame: bool) -> None:
    cie = fde.cie
    augmentation = _augmentation(cie, eh_frame)
    with buffer.initial_length(cie.offset_size):
        if eh_frame:
            buffer.number(4, len(buffer) - cie_offset)
        else:
            buffer.offset(".debug_frame", cie_offset, cie.offset_size)
        if "R" in augmentation:
            _write_encoded(fde.start, cie.encoding, buffer)
            buffer.number(ENCODED_SIZES.get(cie.encoding & 0xF, buffer.target.address_size), fde.length)
        else:
            buffer.addr(fde.start)
            buffer.number(buffer.target.address_size, fde.length)
        if augmentation.startswith("z"):
            _write_counted(fde.augmentation_data, buffer)
        _write_instructions(fde.instructions, cie, buffer, eh_frame)


def _write_encoded(addr: AddrLike, encoding: int, buffer: Buffer) -> None:
    size = ENCODED_SIZES.get(encoding & 0xF, buffer.target.address_size)
    if encoding & 0x70 == 0x10:
        buffer.addr_relative(addr, size)
    else:
        buffer.addr(addr, size)


def _write_counted(data: bytes, buffer: Buffer) -> None:
    buffer.uleb(len(data))
    buffer.raw(data)


def _write_instructions(steps: Sequence[Step], cie: Cie, buffer: Buffer, eh_frame: bool) -> None:
    """The instructions, padded with DW_CFA_nop to the size of an address (DWARF 5, 6.4.1)."""
    for step in steps:
        if isinstance(step, Raw):
            buffer.raw(step.data)
            continue
        code, kinds = OPCODES[step.name]
        operands = list(step.operands)
        if kinds.startswith("low"):
            low: Any = operands.pop(0)
            if not 0 <= low < 0x40:
                raise OverflowError(f"DW_CFA_{step.name} has six bits, {low} does not fit")
            code, kinds = code | low, kinds.removeprefix("low").strip()
        buffer.number(1, code)
        for kind, operand in zip(kinds.split(), operands, strict=True):
            _write_operand(kind, operand, cie, buffer, eh_frame)
    buffer.align(4 if eh_frame else buffer.target.address_size)


def _write_operand(kind: str, value: Any, cie: Cie, buffer: Buffer, eh_frame: bool) -> None:
    if kind == "addr":
        _write_encoded(value, cie.encoding, buffer) if eh_frame else buffer.addr(value)
    elif kind == "uleb":
        buffer.uleb(value)
    elif kind == "sleb":
        buffer.sleb(value)
    elif kind == "expr":
        part = buffer.part()
        op.write(op.as_expr(value), part, NoUnit())
        buffer.counted(part)
    else:
        buffer.number(int(kind[1:]), value)
