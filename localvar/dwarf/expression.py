# SPDX-License-Identifier: GPL-2.0-or-later
"""What a DWARF expression means (DWARF 5 sections 2.5, 2.6): a Location over symbolic expressions.

The machine runs the operations (of operands, arithmetic, typed, described) on a stack of trees instead of numbers.  It
never fetches: loads, registers and entry values become nodes.  What it cannot read makes the whole location Absent, with
the operation's name.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from localvar.dwarf import arithmetic, described, operands, typed
from localvar.dwarf import constants as c
from localvar.dwarf.described import finish, finish_value, in_register, join
from localvar.dwarf.errors import DwarfError, Unreadable
from localvar.dwarf.op import Operation, decode
from localvar.dwarf.operands import const, register
from localvar.dwarf.stack import Context, Handler, State, Typed, pop, push
from localvar.model import fold
from localvar.model.expr import Const, Entry, Expr, Parameter, Reg, children, contains
from localvar.model.location import Absent, EntryValue, Location, Memory, Pieces, Register, Value, absent

STEP_LIMIT = 4096
"""Operations run for one location, over all branches, before it is refused as too complex."""
NODE_LIMIT, DEPTH_LIMIT = 2000, 60
"""Nodes and levels of a tree before it is refused: DW_OP_dup makes trees of 2**n nodes out of n bytes."""
BRANCH_LIMIT = 32
"""Conditional branches on one way through an expression, and calls within calls."""

Finish = Callable[[Context, State], Location]


def evaluate(data: bytes, context: Context) -> Location:
    """The location that an expression describes; Absent (never an exception) where it cannot be read."""
    if not data:
        return absent("optimized-out", "debug info says that it is optimized out here (empty location)")
    try:
        return _Machine(data, context).location()
    except Unreadable as problem:
        return Absent(problem.reason)
    except DwarfError as problem:
        return absent("damaged", f"damaged location expression: {problem}")


def evaluate_value(data: bytes, context: Context, initial: tuple[Expr, ...] = ()) -> Expr:
    """The value on top of the stack when an expression ends: for CFI rules, call-site values, array bounds.

    Raises Unreadable, DwarfError.
    """
    return _Machine(data, context, initial).value()


@dataclass
class _Machine:
    data: bytes
    context: Context
    initial: tuple[Expr, ...] = ()
    steps: int = 0
    branches: int = 0
    calls: int = 0
    measured: dict[int, tuple[Expr, int, int]] = field(default_factory=dict)
    operations: tuple[Operation, ...] = field(init=False)
    index: dict[int, int] = field(init=False)

    def __post_init__(self) -> None:
        address_size, offset_size, _ = self.context.unit.sizes
        self.operations = decode(self.data, address_size, offset_size)
        self.index = {operation.at: n for n, operation in enumerate(self.operations)}
        self.index[len(self.data)] = len(self.operations)

    def location(self) -> Location:
        found = self._run(0, State(tuple(map(Typed, self.initial))), finish)
        for expr in _expressions(found):
            self._measure(expr)
        return found

    def value(self) -> Expr:
        found = self._run(0, State(tuple(map(Typed, self.initial))), finish_value)
        if not isinstance(found, Value):
            raise Unreadable("not-a-value", "the expression describes a location where a value is wanted")
        self._measure(found.expr)
        return found.expr

    def _run(self, index: int, state: State, finish: Finish) -> Location:
        """Run from an operation to the end; a branch runs both ways and joins the results."""
        while index < len(self.operations):
            self.steps += 1
            if self.steps > STEP_LIMIT:
                raise Unreadable("too-complex", f"the location expression takes more than {STEP_LIMIT} operations")
            operation = self.operations[index]
            if operation.code == c.DW_OP_skip:
                index = self._target(operation)
            elif operation.code == c.DW_OP_bra:
                condition, state = pop(state)
                if not isinstance(condition.expr, Const):
                    return self._fork(condition.expr, (self._target(operation), index + 1), state, finish)
                index = self._target(operation) if condition.expr.value else index + 1
            else:
                try:
                    state = self._step(operation, state)
                except Unreadable as problem:
                    index, state = self._without_piece(index, state, problem)
                    continue
                if state.stack:
                    self._measure(state.stack[-1].expr)
                index += 1
        return finish(self.context, state)

    def _without_piece(self, index: int, state: State, problem: Unreadable) -> tuple[int, State]:
        """Go on at the operation that ends the piece of which the one at index cannot be read: the other pieces can."""
        for following in range(index + 1, len(self.operations)):
            code = self.operations[following].code
            if code in (c.DW_OP_piece, c.DW_OP_bit_piece):
                return following, replace(state, stack=(), described=Absent(problem.reason))
            if code in (c.DW_OP_bra, c.DW_OP_skip):
                break
        raise problem

    def _fork(self, condition: Expr, ways: tuple[int, int], state: State, finish: Finish) -> Location:
        self.branches += 1
        if self.branches > BRANCH_LIMIT:
            raise Unreadable("too-complex", f"the location expression has more than {BRANCH_LIMIT} branches in one another")
        yes, no = (self._run(way, state, finish) for way in ways)
        self.branches -= 1
        return join(condition, yes, no)

    def _measure(self, expr: Expr) -> tuple[int, int]:
        """Nodes and depth of a tree, each of its nodes counted once however often they are asked for."""
        known = self.measured.get(id(expr))
        if known is None:
            parts = [self._measure(child) for child in children(expr)]
            size, depth = 1 + sum(part[0] for part in parts), 1 + max((part[1] for part in parts), default=0)
            if size > NODE_LIMIT or depth > DEPTH_LIMIT:
                raise Unreadable("too-complex", f"the location expression is a tree of {size} nodes, {depth} deep")
            known = self.measured[id(expr)] = (expr, size, depth)  # the expression is kept, so that its id is its own
        return known[1], known[2]

    def _target(self, operation: Operation) -> int:
        target = operation.next + operation.number()
        if operation.number() < 0:
            raise Unreadable("backward-branch", f"{operation.name} goes backward: a loop in the location expression")
        if target not in self.index:
            raise DwarfError(f"{operation.name} at {operation.at:#x} goes to {target:#x}, where no operation begins")
        return self.index[target]

    # -- one operation --------------------------------------------------------------------------------------------

    def _step(self, operation: Operation, state: State) -> State:
        code = operation.code
        if state.described is not None and code not in (c.DW_OP_piece, c.DW_OP_bit_piece, c.DW_OP_GNU_uninit):
            raise DwarfError(f"{operation.name} follows a complete location description")
        if c.DW_OP_lit0 <= code <= c.DW_OP_lit31:
            return push(state, const(self.context, code - c.DW_OP_lit0))
        if c.DW_OP_breg0 <= code <= c.DW_OP_breg31:
            return push(state, fold.add(register(self.context, code - c.DW_OP_breg0), operation.number()))
        if c.DW_OP_reg0 <= code <= c.DW_OP_reg31:
            return in_register(self.context, state, code - c.DW_OP_reg0)
        if code in _OF_MACHINE:
            return _OF_MACHINE[code](self, operation, state)
        handler = _HANDLERS.get(code)
        if handler is None:
            raise Unreadable("operation", f"{operation.name} cannot be read in a kernel probe")
        return handler(self.context, operation, state)

    # -- operations that run others -------------------------------------------------------------------------------

    def _call(self, operation: Operation, state: State) -> State:
        """The operations of another DIE's location, on this stack (section 2.5.1.5); nothing where it has none."""
        unit = self.context.unit
        whole = operation.code == c.DW_OP_call_ref
        die = unit.info.die(operation.number()) if whole else unit.die(operation.number())
        block = die.block(c.DW_AT_location)
        if block is None and c.DW_AT_location in die:
            raise Unreadable("operation", f"{operation.name} of a location list")
        self.calls += 1
        if self.calls > BRANCH_LIMIT:
            raise DwarfError(f"{operation.name} calls itself")
        for called in decode(block or b"", *unit.sizes[:2]):
            if called.code in (c.DW_OP_bra, c.DW_OP_skip):
                raise Unreadable("operation", f"{operation.name} of an expression with branches")
            state = self._step(called, state)
        self.calls -= 1
        return state

    def _entry_value(self, operation: Operation, state: State) -> State:
        context = replace(self.context, frame_base=_not_on_entry, cfa=_not_on_entry, variable=_no_variable_on_entry)
        inner = _Machine(operation.block(), context)
        single = inner.operations[0] if len(inner.operations) == 1 else None
        place = inner._step(single, State()).described if single else None
        expr = Reg(place.number, self.context.bits) if isinstance(place, Register) else inner.value()
        if contains(expr, (Entry, Parameter)):
            raise DwarfError(f"{operation.name} within {operation.name}")
        return push(state, Entry(expr, expr.bits))


def _expressions(location: Location) -> list[Expr]:
    """The trees in a location (that of an implicit pointer's target was measured when it was made)."""
    if isinstance(location, Memory):
        return [location.address]
    if isinstance(location, (Value, EntryValue)):
        return [location.expr if isinstance(location, Value) else location.inner]
    if isinstance(location, Pieces):
        return [expr for piece in location.pieces for expr in _expressions(piece.location)]
    return []


def _not_on_entry() -> Expr:
    raise Unreadable("entry-frame", "it depends on what the frame was on entry to the function")


def _no_variable_on_entry(_: int) -> Location:
    return absent("entry-frame", "it depends on what a variable was on entry to the function")


_HANDLERS: dict[int, Handler] = {**operands.HANDLERS, **arithmetic.HANDLERS, **typed.HANDLERS, **described.HANDLERS}

_OF_MACHINE: dict[int, Callable[[_Machine, Operation, State], State]] = {
    c.DW_OP_call2: _Machine._call, c.DW_OP_call4: _Machine._call, c.DW_OP_call_ref: _Machine._call,
    c.DW_OP_entry_value: _Machine._entry_value, c.DW_OP_GNU_entry_value: _Machine._entry_value,
}
