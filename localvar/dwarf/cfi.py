# SPDX-License-Identifier: GPL-2.0-or-later
"""Call frame information (DWARF 5 section 6.4): the rules for the CFA and the caller's registers at one pc.

.debug_frame, or .eh_frame (LSB core, "Exception Frames") where there is no other.
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
        self._elf = elf
        self._eh = not elf.contents(".debug_frame").size
        self._section = ".eh_frame" if self._eh else ".debug_frame"
        contents = elf.contents(self._section)
        section = elf.section(self._section)
        self._data = bytes(contents.bytes(0, contents.size))
        self._address = section.address if section else 0
        self._cies: dict[int, CommonInformation] = {}

    @cached_property
    def _index(self) -> tuple[list[int], list[int]]:
        """Start addresses of FDEs, ascending, and their offsets in the section."""
        rows: list[tuple[int, int]] = []
        at, data, end = 0, self._data, len(self._data)
        word, quad = struct.Struct("<I").unpack_from, struct.Struct("<Q").unpack_from
        while at + 4 <= end:
            length = word(data, at)[0]
            if length == 0:
                at += 4
                continue
            if length == 0xFFFFFFFF:
                raise DwarfError(f"64-bit entry at {at:#x} of {self._section} is not supported")
            if at + 4 + length > end:
                raise DwarfError(f"the entry at {at:#x} of {self._section} ends beyond the section")
            pointer = word(data, at + 4)[0]
            if self._eh and pointer:
                rows.append((self._fde(at).low, at))
            elif not self._eh and pointer != 0xFFFFFFFF:
                rows.append((quad(data, at + 8)[0], at))
            at += 4 + length
        rows.sort()
        return [row[0] for row in rows], [row[1] for row in rows]

    def description(self, pc: int) -> FrameDescription | None:
        """The FDE whose addresses hold pc."""
        starts, offsets = self._index
        index = bisect_right(starts, pc) - 1
        while index >= 0 and starts[index] + (1 << 20) > pc:
            found = self._fde(offsets[index])
            if found.low <= pc < found.high:
                return found
            index -= 1
        return None

    def row(self, pc: int) -> Row | None:
        """The rules at pc; None where no FDE holds it.  Raises DwarfError on damage."""
        fde = self.description(pc)
        if fde is None:
            return None
        try:
            return _Interpreter(fde).row(pc)
        except IndexError as problem:
            raise DwarfError(f"the instructions of the FDE at {fde.low:#x} end early") from problem

    def _fde(self, at: int) -> FrameDescription:
        data = self._data
        end = at + 4 + int.from_bytes(data[at : at + 4], "little")
        pointer = int.from_bytes(data[at + 4 : at + 8], "little")
        cie = self._cie(at + 4 - pointer if self._eh else pointer)
        place = at + 8
        low, place = self._pointer(place, cie.encoding if self._eh else 0)
        size, place = self._pointer(place, cie.encoding & 0x0F if self._eh else 0)
        if cie.has_augmentation:
            skip, place = uleb(data, place)
            place += skip
        return FrameDescription(cie, low, low + size, data[place:end])

    def _pointer(self, at: int, encoding: int) -> tuple[int, int]:
        """A pointer by its DW_EH_PE encoding: the absolute and pc-relative ones of 4 and 8 bytes."""
        formats = {0x00: (8, False), 0x02: (2, False), 0x03: (4, False), 0x04: (8, False), 0x0A: (2, True),
                   0x0B: (4, True), 0x0C: (8, True)}
        if encoding & 0x0F not in formats or encoding & 0xF0 not in (0x00, 0x10):
            raise DwarfError(f"pointer encoding {encoding:#x} in {self._section} is not supported")
        size, sign = formats[encoding & 0x0F]
        if at + size > len(self._data):
            raise DwarfError(f"pointer at {at:#x} ends beyond {self._section}")
        value = int.from_bytes(self._data[at : at + size], "little", signed=sign)
        if encoding & 0xF0 == 0x10:
            value += self._address + at
        return value & 0xFFFFFFFFFFFFFFFF, at + size

    def _cie(self, at: int) -> CommonInformation:
        found = self._cies.get(at)
        if found is None:
            try:
                found = self._cies[at] = self._parse_cie(at)
            except IndexError as problem:
                raise DwarfError(f"the CIE at {at:#x} of {self._section} ends early") from problem
        return found

    def _parse_cie(self, at: int) -> CommonInformation:
        data = self._data
        if not 0 <= at <= len(data) - 9 or data[at + 4 : at + 8] != (b"\0\0\0\0" if self._eh else b"\xff\xff\xff\xff"):
            raise DwarfError(f"no CIE at {at:#x} of {self._section}")
        end = at + 4 + int.from_bytes(data[at : at + 4], "little")
        version, place = data[at + 8], at + 9
        stop = data.index(b"\0", place)
        augmentation, place = data[place:stop].decode("latin-1"), stop + 1
        address_size = 8
        if version >= 4 and not self._eh:
            address_size, place = data[place], place + 2
        if address_size != 8:
            raise DwarfError(f"the CIE at {at:#x} of {self._section} has address size {address_size}")
        code, place = uleb(data, place)
        factor, place = sleb(data, place)
        column, place = (data[place], place + 1) if version == 1 else uleb(data, place)
        encoding, body = 0, place
        if augmentation.startswith("z"):
            size, place = uleb(data, place)
            body = place + size
            encoding = self._augmentation(augmentation, place)
        elif augmentation:
            raise DwarfError(f"augmentation {augmentation!r} of the CIE at {at:#x} is not known")
        return CommonInformation(code, factor, column, data[body:end], encoding, augmentation.startswith("z"), address_size)

    def _augmentation(self, text: str, at: int) -> int:
        """The encoding of addresses in the FDEs ('R') out of augmentation data."""
        encoding = 0
        for letter in text[1:]:
            if letter == "R":
                encoding, at = self._data[at], at + 1
            elif letter == "L":
                at += 1
            elif letter == "P":
                _, at = self._pointer(at + 1, self._data[at] & 0x7F)
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
            return self.location + int.from_bytes(data[at : at + size], "little") * unit, at + size
        if code == 0x01:  # DW_CFA_set_loc
            return int.from_bytes(data[at : at + 8], "little"), at + 8
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
        if code == 0x00:  # DW_CFA_nop
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
            self.cfa = Expression(data[at : at + size])
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
            self.registers[register] = Expression(data[at : at + size], code == 0x16)
            at += size
        else:
            raise DwarfError(f"call frame instruction {code:#x} is not known")
        return at
