# SPDX-License-Identifier: GPL-2.0-or-later
"""One step of unwinding: what the caller's registers held, by call frame information (DWARF 5 section 6.4)."""

from __future__ import annotations

from localvar.dwarf import constants as c
from localvar.dwarf.cfi import Expression, RegisterRule, SameValue, SavedAt
from localvar.dwarf.errors import Unreadable
from localvar.dwarf.expression import evaluate_value
from localvar.dwarf.locate import Locator
from localvar.dwarf.scope import attribute_of
from localvar.dwarf.stack import rule_context
from localvar.dwarf.unit import Die
from localvar.model import fold
from localvar.model.calls import Activation
from localvar.model.expr import Entry, Expr, Load, Reg, contains
from localvar.model.memory import is_below_stack, is_safe


def activation(locator: Locator, function: Die, pc: int) -> Activation:
    """The activation of a concrete function at pc.  Raises Unreadable where its frame is not known, DwarfError."""
    arch = locator.arch
    frame = locator.cfa(function, pc)
    row = locator.frames.row(pc)
    if row is None or contains(frame, Entry):
        raise Unreadable("no-cfi", "its frame is not known at this address")
    word = arch.address_bits // 8
    if row.registers.get(arch.return_address) != SavedAt(-word):
        raise Unreadable("no-cfi", "debug info gives no place in the frame where its function's return address is")
    registers = {arch.stack_pointer: frame}
    # what never returns need not keep the caller's registers, and says nothing of them
    kept = attribute_of(function, c.DW_AT_noreturn) is None
    for number in arch.preserved - {arch.stack_pointer}:
        rule = row.registers.get(number, SameValue() if kept else None)
        value = None if rule is None else _before(locator, function, number, rule, frame)
        if value is not None:
            registers[number] = value
    return Activation(frame, registers)


def _before(locator: Locator, function: Die, number: int, rule: RegisterRule, frame: Expr) -> Expr | None:
    """What a register held in the caller; None where it is lost."""
    bits = locator.arch.address_bits
    if isinstance(rule, SameValue):
        return Reg(number, bits)
    if isinstance(rule, SavedAt):
        place = fold.add(frame, rule.offset)
        return place if rule.is_value else _saved(locator, place)
    if isinstance(rule, Expression):
        place = evaluate_value(rule.data, rule_context(function.unit, locator.arch), (frame,))
        return place if rule.is_value else _saved(locator, place)
    return None


def _saved(locator: Locator, place: Expr) -> Expr | None:
    """The contents of a place in the frame.  One that the stack pointer has passed already may have been overwritten."""
    if is_below_stack(place, locator.arch):
        return None
    return Load(place, locator.arch.address_bits, is_safe(place, locator.arch))
