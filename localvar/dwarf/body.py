# SPDX-License-Identifier: GPL-2.0-or-later
"""Where a place that debug info gives for all of a function (no location list) is really the variable's.

Relative to the stack pointer itself, not to the frame, it is true only in the function's body: compilers write it where
they align the stack (gcc) or have no frame pointer (clang).  In the function's first and last instructions it names memory
of other functions, or none at all.  Relative to another register it is true only while that register is the frame's:
where gcc aligns the stack it writes %rbp for locals, which is the caller's at the entry, and %r10 for arguments in memory,
which is anything after a call.  And gcc does not track what takes two registers as one number (__int128): it names those
that the number is kept in some of the time.  Nor does it track `register … asm("rax")`, which C promises only to the asm
statements that name it; any other local variable of gcc's in a register has a list.
"""

from __future__ import annotations

from collections.abc import Iterator

from localvar.arch import Architecture
from localvar.dwarf import constants as c
from localvar.dwarf.cfi import CallFrames, CfaRule, RegisterOffset, Row
from localvar.dwarf.op import Operation, decode
from localvar.model.location import Reason

Operations = tuple[Operation, ...]


def not_there(frames: CallFrames, pc: int, arch: Architecture, own: Operations, base: Operations, number: bool) -> Reason | None:
    """Why a place that is the same in all of a function is not proven at pc.  own: the location's operations; base: those of
    the frame base where it is made from that; number: whether the variable is one number.  Raises DwarfError on damage."""
    if uses_stack_pointer(own + base, arch) and not is_body(frames, pc, arch):
        return Reason("no-frame", "debug info gives its place relative to the stack pointer in the body of the function, "
                      "and this address is not proven to be there")
    for register in sorted(_base_registers(own, base) & arch.pt_regs.keys() - {arch.stack_pointer}):
        if not _is_frame_register(frames, pc, register):
            name = arch.register_name(register)
            return Reason("not-tracked", f"debug info gives its place relative to {name} in all of the function, and {name} is "
                          "not proven to be the frame's at this address")
    if number and _registers_in_parts(own) > 1:
        return Reason("not-tracked", "debug info names two registers for all of the function, and the compiler does not "
                      "keep it in them all the time")
    return None


def is_bound_register(own: Operations, tag: int, producer: str) -> bool:
    """Whether a place that is the same in all of a scope is the register of an asm statement: a local variable's, by gcc (of 105
    such in 150 units of Linux 6.1, 104 are).  LLVM writes it for what never leaves its register (validThroughout())."""
    registers = [c.DW_OP_reg0 <= o.code <= c.DW_OP_reg0 + 31 or o.code == c.DW_OP_regx for o in own]
    return tag == c.DW_TAG_variable and producer.startswith("GNU") and any(registers)


def behind_frame(frames: CallFrames, pc: int, arch: Architecture, own: Operations) -> int | None:
    """How far behind the CFA an argument in memory is that gcc gives relative to the register in which it keeps the CFA for a
    few instructions (the DRAP, where it aligns the stack): the CFA does not move.  Raises DwarfError on damage."""
    if len(own) != 1 or not (c.DW_OP_breg0 <= own[0].code <= c.DW_OP_breg0 + 31):
        return None
    register = own[0].code - c.DW_OP_breg0
    if register in arch.preserved:
        return None
    kept = {row.cfa.offset for row in _rows(frames, pc) if isinstance(row.cfa, RegisterOffset) and row.cfa.register == register}
    return own[0].number() - kept.pop() if len(kept) == 1 else None


def _rows(frames: CallFrames, pc: int) -> Iterator[Row]:
    """All rows of the description that holds pc."""
    description = frames.description(pc)
    at = description.low if description is not None else pc
    while description is not None and at < description.high and (row := frames.row(at)) is not None:
        yield row
        at = max(row.high, at + 1)


def uses_stack_pointer(operations: Operations, arch: Architecture) -> bool:
    """Whether an expression is made from the stack pointer itself."""
    number = arch.stack_pointer
    direct = {c.DW_OP_breg0 + number, c.DW_OP_reg0 + number}
    by_number = (c.DW_OP_bregx, c.DW_OP_regx)
    return any(o.code in direct or (o.code in by_number and o.number() == number) for o in operations)


def uses_registers(operations: Operations) -> bool:
    """Whether an expression is made from registers or the frame, and so depends on where the program is."""
    numbered = ((c.DW_OP_reg0, c.DW_OP_reg0 + 31), (c.DW_OP_breg0, c.DW_OP_breg0 + 31))
    others = (c.DW_OP_regx, c.DW_OP_bregx, c.DW_OP_fbreg, c.DW_OP_call_frame_cfa, c.DW_OP_regval_type, c.DW_OP_GNU_regval_type)
    return any(o.code in others or any(low <= o.code <= high for low, high in numbered) for o in operations)


def _base_registers(own: Operations, base: Operations) -> frozenset[int]:
    """The registers that the address of a variable in memory is made from."""
    if any(o.code == c.DW_OP_stack_value for o in own):
        return frozenset()
    found = {o.code - c.DW_OP_breg0 for o in own if c.DW_OP_breg0 <= o.code <= c.DW_OP_breg0 + 31}
    found |= {o.number() for o in own if o.code == c.DW_OP_bregx}
    found |= {o.code - c.DW_OP_reg0 for o in base if c.DW_OP_reg0 <= o.code <= c.DW_OP_reg0 + 31}
    return frozenset(found | {o.number() for o in base if o.code == c.DW_OP_regx})


def _registers_in_parts(own: Operations) -> int:
    """How many registers hold a part of a variable each."""
    parts = sum(o.code == c.DW_OP_piece for o in own)
    return min(parts, sum(c.DW_OP_reg0 <= o.code <= c.DW_OP_reg0 + 31 or o.code == c.DW_OP_regx for o in own))


def _is_frame_register(frames: CallFrames, pc: int, register: int) -> bool:
    """Whether the CFA at pc is made from that register: it is the one that the function finds its frame by."""
    description, row = frames.description(pc), frames.row(pc)
    if description is None or row is None or row.cfa is None:
        return False
    if isinstance(row.cfa, RegisterOffset):
        return row.cfa.register == register
    size = description.cie.address_size
    return any(o.code == c.DW_OP_breg0 + register or (o.code == c.DW_OP_bregx and o.number() == register)
               for o in decode(row.cfa.data, size, size))


def is_body(frames: CallFrames, pc: int, arch: Architecture) -> bool:
    """Whether call frame information proves that the stack pointer is, at pc, where it is in the function's body.

    The body's rule for the CFA is the one that holds for most of the code.  Where that is not made from the stack pointer,
    as in a function that aligns its stack, nothing is proven.  Raises DwarfError on damage.
    """
    sizes: dict[CfaRule | None, int] = {}
    for row in _rows(frames, pc):
        sizes[row.cfa] = sizes.get(row.cfa, 0) + row.high - row.low
    body = max(sizes, key=lambda rule: sizes[rule], default=None)
    here = frames.row(pc)
    by_stack_pointer = isinstance(body, RegisterOffset) and body.register == arch.stack_pointer
    return by_stack_pointer and here is not None and here.cfa == body
