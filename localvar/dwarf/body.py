# SPDX-License-Identifier: GPL-2.0-or-later
"""Where the stack pointer is in a function's body.

A location that holds for all of a function (no location list) and is given relative to the stack pointer itself, not to
the frame, is true only there: compilers write it where they align the stack (gcc) or have no frame pointer (clang).  In
the function's first and last instructions it names memory of other functions, or none at all.
"""

from __future__ import annotations

from localvar.arch import Architecture
from localvar.dwarf import constants as c
from localvar.dwarf.cfi import CallFrames, CfaRule, RegisterOffset
from localvar.dwarf.op import Operation


def uses_stack_pointer(operations: tuple[Operation, ...], arch: Architecture) -> bool:
    """Whether an expression is made from the stack pointer itself."""
    number = arch.stack_pointer
    direct = {c.DW_OP_breg0 + number, c.DW_OP_reg0 + number}
    by_number = (c.DW_OP_bregx, c.DW_OP_regx)
    return any(o.code in direct or (o.code in by_number and o.number() == number) for o in operations)


def is_body(frames: CallFrames, pc: int, arch: Architecture) -> bool:
    """Whether call frame information proves that the stack pointer is, at pc, where it is in the function's body.

    The body's rule for the CFA is the one that holds for most of the code.  Where that is not made from the stack pointer,
    as in a function that aligns its stack, nothing is proven.  Raises DwarfError on damage.
    """
    description = frames.description(pc)
    if description is None:
        return False
    sizes: dict[CfaRule | None, int] = {}
    at = description.low
    while at < description.high and (row := frames.row(at)) is not None:
        sizes[row.cfa] = sizes.get(row.cfa, 0) + row.high - at
        at = max(row.high, at + 1)
    body = max(sizes, key=lambda rule: sizes[rule], default=None)
    here = frames.row(pc)
    by_stack_pointer = isinstance(body, RegisterOffset) and body.register == arch.stack_pointer
    return by_stack_pointer and here is not None and here.cfa == body
