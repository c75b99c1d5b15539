# SPDX-License-Identifier: GPL-2.0-or-later
"""Which registers each x86-64 instruction can change, told only for instructions that are known by name.

Anything that is not on the lists counts as changing every register: nothing here relies on a disassembler's knowledge
of implicit operands (Intel SDM, volume 2).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

EVERYTHING = frozenset(range(16))
MASK = (1 << 64) - 1
CALLEE_SAVED = frozenset({3, 6, 7, 12, 13, 14, 15})
"""DWARF numbers that a call preserves (psABI figure 3.4)."""

_NAMES = ("ax", "dx", "cx", "bx", "si", "di", "bp", "sp")
_NUMBERS: dict[str, int] = {}
for _number, _name in enumerate(_NAMES):
    _NUMBERS.update({f"r{_name}": _number, f"e{_name}": _number, _name: _number})
    _NUMBERS[f"{_name[0]}l" if _name.endswith("x") else f"{_name}l"] = _number
    if _name.endswith("x"):
        _NUMBERS[f"{_name[0]}h"] = _number
for _number in range(8, 16):
    _NUMBERS.update({f"r{_number}{suffix}": _number for suffix in ("", "d", "w", "b")})

_FIRST = frozenset(
    "mov movabs movzx movsx movsxd lea add sub and or xor shl shr sar sal rol ror inc dec neg not adc sbb bts btr btc bswap "
    "shld shrd xadd bsf bsr tzcnt lzcnt popcnt pop".split()
)
"""Instructions whose only register result is their first operand (the stack pointer aside)."""

_ACCUMULATOR = {"cdqe": frozenset({0}), "cwde": frozenset({0}), "cdq": frozenset({1}), "cqo": frozenset({1})}
"""Instructions without operands that change the accumulator or its upper half."""

_NONE = frozenset("cmp test push nop endbr64 endbr32 bt prefetchnta prefetcht0 prefetcht1 prefetcht2 prefetchw pause lfence "
                  "mfence sfence ud2 cld std clac stac int3".split())
"""Instructions that change no general register but the stack pointer."""


_ELSEWHERE = ("loop", "xbegin")
"""Instructions that go where they are not followed to: compilers do not write them."""


@dataclass(frozen=True)
class Instruction:
    """What flow needs: where it is and ends, the registers it can change, where it can go (None: behind it)."""

    address: int
    end: int
    changes: frozenset[int]
    targets: tuple[int, ...]
    falls_through: bool
    known: bool
    is_call: bool = False


def decode(code: bytes, base: int, tracer: int | None) -> Iterator[Instruction]:
    """The instructions of code that is at base, up to where it cannot be decoded.

    tracer: address of __fentry__: a call of it is a nop at run time, or one of ftrace's trampolines, which preserve
    every register (arch/x86/kernel/ftrace_64.S).
    """
    import capstone
    from capstone import x86_const

    decoder = capstone.Cs(capstone.CS_ARCH_X86, capstone.CS_MODE_64)
    decoder.detail = True
    for instruction in decoder.disasm(code, base):
        yield _classified(instruction, x86_const, tracer)


_COMPARES = frozenset({"test", "cmp"})
_MOVES = frozenset("mov movsx movsxd movzx".split())


def takes_result(code: bytes, base: int) -> bool:
    """Whether code at base, behind a call, certainly uses the rax that it finds, before it goes anywhere else."""
    import capstone
    from capstone import x86_const

    decoder = capstone.Cs(capstone.CS_ARCH_X86, capstone.CS_MODE_64)
    decoder.detail = True
    for instruction in decoder.disasm(code, base):
        name = str(instruction.mnemonic)
        operands = instruction.operands
        sources = operands if name in _COMPARES else operands[1:] if name in _MOVES else []
        through = [operand for operand in operands if name in _COMPARES | _MOVES and operand.type == x86_const.X86_OP_MEM]
        if name in ("cdqe", "cwde") or any(_is_rax(instruction, operand.reg) for operand in sources
                                           if operand.type == x86_const.X86_OP_REG):
            return True
        if any(_is_rax(instruction, number) for operand in through for number in (operand.mem.base, operand.mem.index)):
            return True
        following = _classified(instruction, x86_const, None)
        if 0 in following.changes or not following.falls_through or following.targets:
            return False
    return False


def _is_rax(instruction: Any, register: int) -> bool:
    """Whether capstone's number of a register (0: none) is rax or a part of it."""
    return _NUMBERS.get(str(instruction.reg_name(register))) == 0


def _classified(instruction: Any, const: Any, tracer: int | None) -> Instruction:
    name = str(instruction.mnemonic).removeprefix("lock ").removeprefix("notrack ").removeprefix("bnd ")
    at, end = instruction.address, instruction.address + instruction.size
    operands = instruction.operands
    if name.startswith("j"):
        target = operands[0]
        known = target.type == const.X86_OP_IMM
        return Instruction(at, end, frozenset(), (target.imm & MASK,) if known else (), name != "jmp", known)
    if name.startswith(_ELSEWHERE):
        return Instruction(at, end, EVERYTHING, (), True, False)
    if name in ("ret", "retq", "iretq", "hlt"):
        return Instruction(at, end, frozenset(), (), False, True)
    if name == "call":
        traced = tracer is not None and operands[0].type == const.X86_OP_IMM and operands[0].imm & MASK == tracer
        return Instruction(at, end, frozenset() if traced else EVERYTHING - CALLEE_SAVED, (), True, True, True)
    return Instruction(at, end, _changes(instruction, name, operands, const), (), True, True)


def _changes(instruction: Any, name: str, operands: Any, const: Any) -> frozenset[int]:
    if name in _NONE:
        return frozenset({7}) if name == "push" else frozenset()
    if name in _ACCUMULATOR:
        return _ACCUMULATOR[name]
    if name == "xchg":
        return frozenset(n for operand in operands for n in _register(instruction, operand, const))
    two = name == "imul" and len(operands) >= 2
    if name in _FIRST or two or name.startswith(("cmov", "set")):
        changed = set(_register(instruction, operands[0], const))
        if name == "xadd":
            changed |= _register(instruction, operands[1], const)
        return frozenset(changed | ({7} if name == "pop" else set()))
    return EVERYTHING


def _register(instruction: Any, operand: Any, const: Any) -> frozenset[int]:
    """The DWARF number of a register operand; empty for memory; everything for a register that is not known."""
    if operand.type != const.X86_OP_REG:
        return frozenset()
    number = _NUMBERS.get(str(instruction.reg_name(operand.reg)))
    return EVERYTHING if number is None else frozenset({number})
