# SPDX-License-Identifier: GPL-2.0-or-later
"""Call frame information (DWARF 5 section 6.4): the rules for the CFA and the caller's registers at one pc.

.debug_frame, and .eh_frame (LSB core, "Exception Frames") where that says nothing.
"""

from __future__ import annotations

import struct
from bisect import bisect_right
from dataclasses import dataclass, field
from functools import cached_property

from localvar.dwarf.elf import Elf
from localvar.dwarf.errors import DwarfError
from localvar.dwarf.leb128 import sleb, uleb


@dataclass(frozen=True)
class RegisterOffset:
    """A value: the register plus offset (rule for the CFA)."""

    register: int
    offset: int


@dataclass(frozen=True)
class Expression:
    """A DWARF expression; for a register rule its result is an address (or the value itself where is_value)."""

    data: bytes
    is_value: bool = False


@dataclass(frozen=True)
class SavedAt:
    """The caller's register is saved at CFA + offset (or is that number itself where is_value)."""

    offset: int
    is_value: bool = False


@dataclass(frozen=True)
class InRegister:
    """The caller's register is in another register."""

    register: int


@dataclass(frozen=True)
class SameValue:
    """The caller's register has not been changed."""


@dataclass(frozen=True)
class Undefined:
    """The caller's register is lost."""


CfaRule = RegisterOffset | Expression
RegisterRule = SavedAt | InRegister | Expression | SameValue | Undefined


@dataclass(frozen=True)
class Row:
    """The rules at a pc; low and high bound the addresses where they hold.  Registers without a rule: see the ABI."""

    low: int
    high: int
    cfa: CfaRule | None
    registers: dict[int, RegisterRule]


@dataclass(frozen=True)
class CommonInformation:
    """A CIE: factors, the return address column, the instructions that every FDE starts with."""

    code_alignment: int
    data_alignment: int
    return_address: int
    instructions: bytes
    encoding: int
    has_augmentation: bool
    address_size: int


@dataclass(frozen=True)
class FrameDescription:
    """An FDE: the addresses it describes and its instructions."""

    cie: CommonInformation
    low: int
    high: int
    instructions: bytes


class CallFrames:
    """The call frame information of a file.  Parsing is put off until a pc is asked for."""

    def __init__(self, elf: Elf) -> None:
        self._sections = tuple(_Section(elf, name) for name in (".debug_frame", ".eh_frame"))

    def description(self, pc: int) -> FrameDescription | None:
        """The FDE whose addresses hold pc.  Raises DwarfError on damage."""
        for section in self._sections:
            found = section.description(pc)
            if found is not None:
                return found
        return None

    def row(self, pc: int) -> Row | None:
        """The rules at pc; None where no FDE holds it.  Raises DwarfError on damage."""
        fde = self.description(pc)
        return None if fde is None else _Interpreter(fde).row(pc)


@dataclass(frozen=True)
class _Entry:
    """The frame of a CIE or FDE: its id field (CIE pointer), where that stands and what follows, where it ends."""

    pointer: int
    pointer_at: int
    body: int
    end: int


class _Section:
    """One of the two sections.  They differ in how an entry names its CIE and in how addresses are encoded."""

    def __init__(self, elf: Elf, name: str) -> None:
        contents, section = elf.contents(name), elf.section(name)
        self._name = name
        self._eh = name == ".eh_frame"
        self._data = bytes(contents.bytes(0, contents.size))
        self._address = section.address if section else 0
        self._cies: dict[int, CommonInformation] = {}

    def description(self, pc: int) -> FrameDescription | None:
        """The FDE of this section whose addresses hold pc."""
        starts, offsets = self._index
        index = bisect_right(starts, pc) - 1
        while index >= 0 and starts[index] + (1 << 20) > pc:
            found = self._fde(offsets[index])
            if found.low <= pc < found.high:
                return found
            index -= 1
        return None

    @cached_property
    def _index(self) -> tuple[list[int], list[int]]:
        """Start addresses of FDEs, ascending, and their offsets in the section."""
        rows: list[tuple[int, int]] = []
        at, data, end = 0, self._data, len(self._data)
        word, head = struct.Struct("<I").unpack_from, struct.Struct("<IQ").unpack_from
        while at + 4 <= end:
            length = word(data, at)[0]
            if not self._eh and 12 <= length < 0xFFFFFFF0 and at + 4 + length <= end:  # the 70,000 of a kernel
                pointer, low = head(data, at + 4)
                if pointer != 0xFFFFFFFF:
                    rows.append((low, at))
                at += 4 + length
                continue
            entry = self._entry(at)
            if entry is not None and not self._is_cie(entry):
                rows.append((self._fde(at).low, at))
            at = at + 4 if entry is None else entry.end
        rows.sort()
        return [row[0] for row in rows], [row[1] for row in rows]

    def _number(self, at: int, size: int) -> int:
        if at + size > len(self._data):
            raise DwarfError(f"{self._name} ends at {len(self._data):#x}, inside an entry")
        return int.from_bytes(self._data[at : at + size], "little")

    def _entry(self, at: int) -> _Entry | None:
        """The entry at an offset; None for a length of zero, which ends .eh_frame."""
        length, size, start = self._number(at, 4), 4, at + 4
        if length == 0:
            return None
        if length == 0xFFFFFFFF:
            length, size, start = self._number(at + 4, 8), 8, at + 12
        if self._eh:
            size = 4  # the id has four bytes whatever the length has
        if start + length > len(self._data) or length < size:
            raise DwarfError(f"the entry at {at:#x} of {self._name} has the length {length:#x}, beyond the section or too short")
        return _Entry(self._number(start, size), start, start + size, start + length)

    def _is_cie(self, entry: _Entry) -> bool:
        if self._eh:
            return entry.pointer == 0
        return entry.pointer == (1 << 8 * (entry.body - entry.pointer_at)) - 1

    def _fde(self, at: int) -> FrameDescription:
        entry = self._entry(at)
        if entry is None or self._is_cie(entry):
            raise DwarfError(f"no FDE at {at:#x} of {self._name}")
        cie = self._cie(entry.pointer_at - entry.pointer if self._eh else entry.pointer)
        low, place = self._pointer(entry.body, cie.encoding)
        size, place = self._pointer(place, cie.encoding & 0x0F)
        if cie.has_augmentation:
            skip, place = uleb(self._data, place)
            place += skip
        return FrameDescription(cie, low, low + size, self._data[place : entry.end])

    def _pointer(self, at: int, encoding: int) -> tuple[int, int]:
        """A pointer by its DW_EH_PE encoding: the absolute and pc-relative ones of 2, 4 and 8 bytes."""
        formats = {0x00: (8, False), 0x02: (2, False), 0x03: (4, False), 0x04: (8, False), 0x0A: (2, True),
                   0x0B: (4, True), 0x0C: (8, True)}
        if encoding & 0x0F not in formats or encoding & 0xF0 not in (0x00, 0x10):
            raise DwarfError(f"pointer encoding {encoding:#x} in {self._name} is not supported")
        size, sign = formats[encoding & 0x0F]
        value = self._number(at, size)
        if sign and value >> (8 * size - 1):
            value -= 1 << 8 * size
        if encoding & 0xF0 == 0x10:
            value += self._address + at
        return value & 0xFFFFFFFFFFFFFFFF, at + size

    def _cie(self, at: int) -> CommonInformation:
        found = self._cies.get(at)
        if found is None:
            found = self._cies[at] = self._parse_cie(at)
        return found

    def _parse_cie(self, at: int) -> CommonInformation:
        entry = self._entry(at) if 0 <= at < len(self._data) else None
        if entry is None or not self._is_cie(entry):
            raise DwarfError(f"no CIE at {at:#x} of {self._name}")
        version, place = self._number(entry.body, 1), entry.body + 1
        stop = self._data.find(b"\0", place, entry.end)
        if stop < 0:
            raise DwarfError(f"the augmentation of the CIE at {at:#x} of {self._name} has no end")
        augmentation, place = self._data[place:stop].decode("latin-1"), stop + 1
        address_size = 8
        if version >= 4 and not self._eh:
            address_size, place = self._number(place, 1), place + 2
        if address_size != 8:
            raise DwarfError(f"the CIE at {at:#x} of {self._name} has address size {address_size}")
        code, place = uleb(self._data, place)
        factor, place = sleb(self._data, place)
        column, place = (self._number(place, 1), place + 1) if version == 1 else uleb(self._data, place)
        encoding, body = 0, place
        if augmentation.startswith("z"):
            size, place = uleb(self._data, place)
            body = place + size
            encoding = self._augmentation(augmentation, place)
        elif augmentation:
            raise DwarfError(f"augmentation {augmentation!r} of the CIE at {at:#x} is not known")
        return CommonInformation(code, factor, column, self._data[body : entry.end], encoding,
                                 augmentation.startswith("z"), address_size)

    def _augmentation(self, text: str, at: int) -> int:
        """The encoding of addresses in the FDEs ('R') out of augmentation data."""
        encoding = 0
        for letter in text[1:]:
            if letter == "R":
                encoding, at = self._number(at, 1), at + 1
            elif letter == "L":
                at += 1
            elif letter == "P":
                _, at = self._pointer(at + 1, self._number(at, 1) & 0x7F)
            elif letter not in "SB":
                raise DwarfError(f"augmentation letter {letter!r} is not known")
        return encoding


@dataclass
class _Interpreter:
    """Runs the instructions of a CIE and an FDE up to a pc (section 6.4.2)."""

    fde: FrameDescription
    cfa: CfaRule | None = None
    registers: dict[int, RegisterRule] = field(default_factory=dict)
    location: int = 0
    stack: list[tuple[CfaRule | None, dict[int, RegisterRule]]] = field(default_factory=list)
    initial: dict[int, RegisterRule] = field(default_factory=dict)

    def row(self, pc: int) -> Row:
        self.location = self.fde.low
        self._run(self.fde.cie.instructions, None)
        self.initial = dict(self.registers)
        self.location = low = self.fde.low
        high = self._run(self.fde.instructions, pc)
        low = self.location
        return Row(low, self.fde.high if high is None else high, self.cfa, self.registers)

    def _run(self, data: bytes, pc: int | None) -> int | None:
        """Run until an advance beyond pc; gives where that advance goes, None where the instructions end first."""
        at = 0
        while at < len(data):
            code, at = data[at], at + 1
            advance, at = self._advance(data, code, at)
            if advance is not None:
                if pc is not None and advance > pc:
                    return advance
                self.location = advance
                continue
            at = self._instruction(data, code, at)
        return None

    def _advance(self, data: bytes, code: int, at: int) -> tuple[int | None, int]:
        unit = self.fde.cie.code_alignment
        if code >> 6 == 1:  # DW_CFA_advance_loc
            return self.location + (code & 0x3F) * unit, at
        if code in (0x02, 0x03, 0x04):  # DW_CFA_advance_loc1, 2, 4
            size = 1 << (code - 2)
            return self.location + int.from_bytes(_take(data, at, size), "little") * unit, at + size
        if code == 0x01:  # DW_CFA_set_loc
            if self.fde.cie.encoding & 0x7F:
                raise DwarfError("DW_CFA_set_loc with an encoded address is not supported")
            return int.from_bytes(_take(data, at, 8), "little"), at + 8
        return None, at

    def _instruction(self, data: bytes, code: int, at: int) -> int:
        factor = self.fde.cie.data_alignment
        if code >> 6 == 2:  # DW_CFA_offset
            offset, at = uleb(data, at)
            self.registers[code & 0x3F] = SavedAt(offset * factor)
            return at
        if code >> 6 == 3:  # DW_CFA_restore
            self._restore(code & 0x3F)
            return at
        if code in (0x0C, 0x0D, 0x0E, 0x0F, 0x12, 0x13):
            return self._define_cfa(data, code, at)
        if code == 0x0A:  # DW_CFA_remember_state
            self.stack.append((self.cfa, dict(self.registers)))
            return at
        if code == 0x0B:  # DW_CFA_restore_state
            if not self.stack:
                raise DwarfError("DW_CFA_restore_state without DW_CFA_remember_state")
            self.cfa, self.registers = self.stack.pop()
            return at
        if code in (0x00, 0x2D):  # DW_CFA_nop, DW_CFA_AARCH64_negate_ra_state: says nothing of where a register is
            return at
        if code == 0x2E:  # DW_CFA_GNU_args_size
            return uleb(data, at)[1]
        return self._register_rule(data, code, at)

    def _restore(self, register: int) -> None:
        if register in self.initial:
            self.registers[register] = self.initial[register]
        else:
            self.registers.pop(register, None)

    def _define_cfa(self, data: bytes, code: int, at: int) -> int:
        factor = self.fde.cie.data_alignment
        if code == 0x0F:  # DW_CFA_def_cfa_expression
            size, at = uleb(data, at)
            self.cfa = Expression(_take(data, at, size))
            return at + size
        if code in (0x0C, 0x12):  # DW_CFA_def_cfa, _sf
            register, at = uleb(data, at)
            offset, at = uleb(data, at) if code == 0x0C else sleb(data, at)
            self.cfa = RegisterOffset(register, offset * (factor if code == 0x12 else 1))
            return at
        if not isinstance(self.cfa, RegisterOffset):
            raise DwarfError("a part of the CFA rule is changed that is not a register and an offset")
        if code == 0x0D:  # DW_CFA_def_cfa_register
            register, at = uleb(data, at)
            self.cfa = RegisterOffset(register, self.cfa.offset)
        else:  # DW_CFA_def_cfa_offset, _sf
            offset, at = uleb(data, at) if code == 0x0E else sleb(data, at)
            self.cfa = RegisterOffset(self.cfa.register, offset * (factor if code == 0x13 else 1))
        return at

    def _register_rule(self, data: bytes, code: int, at: int) -> int:
        factor = self.fde.cie.data_alignment
        register, at = uleb(data, at)
        if code == 0x06:  # DW_CFA_restore_extended
            self._restore(register)
        elif code == 0x07:  # DW_CFA_undefined
            self.registers[register] = Undefined()
        elif code == 0x08:  # DW_CFA_same_value
            self.registers[register] = SameValue()
        elif code == 0x09:  # DW_CFA_register
            other, at = uleb(data, at)
            self.registers[register] = InRegister(other)
        elif code in (0x05, 0x14):  # DW_CFA_offset_extended, DW_CFA_val_offset
            offset, at = uleb(data, at)
            self.registers[register] = SavedAt(offset * factor, code == 0x14)
        elif code in (0x11, 0x15):  # DW_CFA_offset_extended_sf, DW_CFA_val_offset_sf
            offset, at = sleb(data, at)
            self.registers[register] = SavedAt(offset * factor, code == 0x15)
        elif code in (0x10, 0x16):  # DW_CFA_expression, DW_CFA_val_expression
            size, at = uleb(data, at)
            self.registers[register] = Expression(_take(data, at, size), code == 0x16)
            at += size
        else:
            raise DwarfError(f"call frame instruction {code:#x} is not known")
        return at


def _take(data: bytes, at: int, size: int) -> bytes:
    if at + size > len(data):
        raise DwarfError("a call frame instruction ends beyond its entry")
    return data[at : at + size]
