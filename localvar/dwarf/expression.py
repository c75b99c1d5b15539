# SPDX-License-Identifier: GPL-2.0-or-later
"""What a DWARF expression means (DWARF 5 sections 2.5, 2.6): a Location over symbolic expressions.

The machine runs the operations on a stack of trees instead of numbers.  It never fetches: loads, registers and
entry values become nodes.  What it cannot read makes the whole location Absent, with the operation's name.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from localvar.arch import Architecture
from localvar.dwarf import constants as c
from localvar.dwarf.addresses import check_address, link_address, pointer_value
from localvar.dwarf.errors import DwarfError, Unreadable
from localvar.dwarf.op import Operation, decode
from localvar.dwarf.scope import attribute_of, origin
from localvar.dwarf.types import type_of
from localvar.dwarf.unit import Unit
from localvar.model import fold
from localvar.model.ctype import is_floating, is_scalar, is_signed, size_of
from localvar.model.expr import (
    Address,
    Const,
    Entry,
    Expr,
    Extend,
    Load,
    Op,
    Parameter,
    Reg,
    Select,
    Unary,
    children,
    contains,
)
from localvar.model.location import (
    Absent,
    Constant,
    EntryValue,
    ImplicitPointer,
    Location,
    Memory,
    Piece,
    Pieces,
    Register,
    Value,
    absent,
)
from localvar.model.memory import is_below_stack, is_safe

STEP_LIMIT = 4096
"""Operations run for one location, over all branches, before it is refused as too complex."""
NODE_LIMIT, DEPTH_LIMIT = 2000, 60
"""Nodes and levels of a tree before it is refused: DW_OP_dup makes trees of 2**n nodes out of n bytes."""
BRANCH_LIMIT = 32
"""Conditional branches on one way through an expression, and calls within calls."""


@dataclass(frozen=True)
class Context:
    """What an expression may ask for: its unit, and the things that depend on the pc.

    frame_base, cfa: expressions for DW_OP_fbreg and DW_OP_call_frame_cfa; they raise Unreadable.  variable: the
    location of another variable at the same pc, by its DIE's section offset (DW_OP_implicit_pointer,
    DW_OP_GNU_variable_value).
    """

    unit: Unit
    arch: Architecture
    frame_base: Callable[[], Expr]
    cfa: Callable[[], Expr]
    variable: Callable[[int], Location]


@dataclass(frozen=True)
class BaseEncoding:
    """An integral base type of the typed operations: its bits and whether it is signed."""

    bits: int
    signed: bool


@dataclass(frozen=True)
class Typed:
    """A stack entry; type None is the generic type (section 2.5.1)."""

    expr: Expr
    type: BaseEncoding | None = None


@dataclass(frozen=True)
class State:
    """The machine between two operations: the stack, the location that was described, the pieces so far."""

    stack: tuple[Typed, ...] = ()
    described: Location | None = None
    pieces: tuple[Piece, ...] = ()


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
        self.bits = self.context.arch.address_bits

    def location(self) -> Location:
        found = self._run(0, State(tuple(map(Typed, self.initial))), self._finish)
        for expr in _expressions(found):
            self._measure(expr)
        return found

    def value(self) -> Expr:
        found = self._run(0, State(tuple(map(Typed, self.initial))), self._finish_value)
        if not isinstance(found, Value):
            raise Unreadable("not-a-value", "the expression describes a location where a value is wanted")
        self._measure(found.expr)
        return found.expr

    def _run(self, index: int, state: State, finish: Callable[[State], Location]) -> Location:
        """Run from an operation to the end; a branch runs both ways and joins the results."""
        while index < len(self.operations):
            self.steps += 1
            if self.steps > STEP_LIMIT:
                raise Unreadable("too-complex", f"the location expression takes more than {STEP_LIMIT} operations")
            operation = self.operations[index]
            if operation.code == c.DW_OP_skip:
                index = self._target(operation)
            elif operation.code == c.DW_OP_bra:
                condition, state = _pop(state)
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
        return finish(state)

    def _without_piece(self, index: int, state: State, problem: Unreadable) -> tuple[int, State]:
        """Go on at the operation that ends the piece of which the one at index cannot be read: the other pieces can."""
        for following in range(index + 1, len(self.operations)):
            code = self.operations[following].code
            if code in (c.DW_OP_piece, c.DW_OP_bit_piece):
                return following, replace(state, stack=(), described=Absent(problem.reason))
            if code in (c.DW_OP_bra, c.DW_OP_skip):
                break
        raise problem

    def _fork(self, condition: Expr, ways: tuple[int, int], state: State, finish: Callable[[State], Location]) -> Location:
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
            return _push(state, self._const(code - c.DW_OP_lit0))
        if c.DW_OP_breg0 <= code <= c.DW_OP_breg31:
            return _push(state, fold.add(self._register(code - c.DW_OP_breg0), operation.number()))
        if c.DW_OP_reg0 <= code <= c.DW_OP_reg31:
            return self._in_register(state, code - c.DW_OP_reg0)
        if code in _BINARY:
            return self._binary(operation, state)
        handler = _HANDLERS.get(code)
        if handler is None:
            raise Unreadable("operation", f"{operation.name} cannot be read in a kernel probe")
        return handler(self, operation, state)

    def _const(self, value: int) -> Const:
        return Const(value & fold.mask(self.bits), self.bits)

    def _register(self, number: int) -> Reg:
        arch = self.context.arch
        if number not in arch.pt_regs:
            raise Unreadable("register", f"{arch.register_name(number)} is not saved at a probe")
        return Reg(number, self.bits)

    def _in_register(self, state: State, number: int) -> State:
        self._register(number)
        return replace(state, described=Register(number))

    def _regx(self, operation: Operation, state: State) -> State:
        return self._in_register(state, operation.number())

    def _bregx(self, operation: Operation, state: State) -> State:
        return _push(state, fold.add(self._register(operation.number(0)), operation.number(1)))

    def _fbreg(self, operation: Operation, state: State) -> State:
        return _push(state, fold.add(self.context.frame_base(), operation.number()))

    def _cfa(self, operation: Operation, state: State) -> State:
        return _push(state, self.context.cfa())

    def _constant(self, operation: Operation, state: State) -> State:
        return _push(state, self._const(operation.number()))

    def _constx(self, operation: Operation, state: State) -> State:
        return _push(state, self._const(self.context.unit.indexed_address(operation.number())))

    def _addr(self, operation: Operation, state: State) -> State:
        return _push(state, self._address(operation.number()))

    def _addrx(self, operation: Operation, state: State) -> State:
        return _push(state, self._address(self.context.unit.indexed_address(operation.number())))

    def _address(self, value: int) -> Expr:
        return link_address(value, self.context.unit.info, self.context.arch)

    # -- the stack ------------------------------------------------------------------------------------------------

    def _dup(self, operation: Operation, state: State) -> State:
        return self._pick_at(state, 0)

    def _over(self, operation: Operation, state: State) -> State:
        return self._pick_at(state, 1)

    def _pick(self, operation: Operation, state: State) -> State:
        return self._pick_at(state, operation.number())

    def _pick_at(self, state: State, depth: int) -> State:
        if depth >= len(state.stack):
            raise DwarfError(f"stack entry {depth} is not there")
        return replace(state, stack=(*state.stack, state.stack[-1 - depth]))

    def _drop(self, operation: Operation, state: State) -> State:
        return _pop(state)[1]

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

    def _swap(self, operation: Operation, state: State) -> State:
        second, state = _pop(state)
        first, state = _pop(state)
        return replace(state, stack=(*state.stack, second, first))

    def _rot(self, operation: Operation, state: State) -> State:
        top, state = _pop(state)
        second, state = _pop(state)
        third, state = _pop(state)
        return replace(state, stack=(*state.stack, top, third, second))

    def _nop(self, operation: Operation, state: State) -> State:
        return state

    # -- arithmetic -----------------------------------------------------------------------------------------------

    def _binary(self, operation: Operation, state: State) -> State:
        right, state = _pop(state)
        left, state = _pop(state)
        unsigned_op, signed_op, generic_signed, relation = _BINARY[operation.code]
        shift = operation.code in (c.DW_OP_shl, c.DW_OP_shr, c.DW_OP_shra)
        if left.type != right.type and not shift:
            left = _generic(operation, left, right)
        self._check_producer(operation, left)
        is_signed = left.type.signed if left.type else generic_signed
        result = fold.binary(signed_op if is_signed else unsigned_op, left.expr, right.expr)
        if relation:
            return _push(state, fold.extend(result, self.bits, False))
        return _push(state, _typed(result, left.type) if operation.code in _OF_WIDTH else result, left.type)

    def _check_producer(self, operation: Operation, left: Typed) -> None:
        """Refuse what clang writes for signed and for unsigned numbers alike (llvm, getDwarfOpForBinOp, getDwarfOpForIcmpPred):
        comparisons of the generic type, which are signed by the standard, and DW_OP_mod, which is not."""
        if operation.code in _OF_SIGN and left.type is None and "clang" in (
                self.context.unit.root.string(c.DW_AT_producer) or ""):
            raise Unreadable("producer", f"clang does not say whether its {operation.name} is of signed numbers")

    def _unary(self, operation: Operation, state: State) -> State:
        value, state = _pop(state)
        if operation.code == c.DW_OP_abs and value.type is not None and not value.type.signed:
            return _push(state, value.expr, value.type)
        op = {c.DW_OP_neg: Op.NEG, c.DW_OP_not: Op.NOT, c.DW_OP_abs: Op.SABS}[operation.code]
        result = Unary(op, value.expr, value.expr.bits)
        return _push(state, _typed(result, value.type) if op is Op.SABS else result, value.type)

    def _plus_uconst(self, operation: Operation, state: State) -> State:
        if not state.stack:
            raise DwarfError(f"{operation.name} takes from an empty stack")
        value = state.stack[-1]
        return _push(replace(state, stack=state.stack[:-1]), fold.add(value.expr, operation.number()), value.type)

    # -- memory, types --------------------------------------------------------------------------------------------

    def _deref(self, operation: Operation, state: State) -> State:
        address, state = self._pop_address(state)
        return _push(state, self._load(address, self.bits))

    def _deref_size(self, operation: Operation, state: State) -> State:
        size = operation.number()
        if not 1 <= size <= self.bits // 8:
            raise DwarfError(f"{operation.name} of {size} bytes")
        if size not in (1, 2, 4, 8):
            raise Unreadable("operation", f"{operation.name} of {size} bytes")
        address, state = self._pop_address(state)
        return _push(state, fold.extend(self._load(address, 8 * size), self.bits, False))

    def _deref_type(self, operation: Operation, state: State) -> State:
        kind = self._base_type(operation.number(1))
        if operation.number(0) * 8 != kind.bits:
            raise DwarfError(f"{operation.name} of {operation.number(0)} bytes with a type of {kind.bits} bits")
        address, state = self._pop_address(state)
        return _push(state, self._load(address, kind.bits), kind)

    def _pop_address(self, state: State) -> tuple[Expr, State]:
        value, state = _pop(state)
        if value.expr.bits != self.bits:
            raise DwarfError(f"address of {value.expr.bits} bits")
        return value.expr, state

    def _load(self, address: Expr, bits: int) -> Load:
        arch = self.context.arch
        if is_below_stack(address, arch):
            raise Unreadable("no-frame", "it depends on a place below the stack pointer, which may be overwritten at any time")
        if isinstance(address, Address):
            check_address(address, self.context.unit.info)
        return Load(address, bits, is_safe(address, arch))

    def _base_type(self, offset: int) -> BaseEncoding:
        die = self.context.unit.die(offset)
        size, encoding = die.constant(c.DW_AT_byte_size), die.constant(c.DW_AT_encoding)
        if die.tag != c.DW_TAG_base_type or size is None:
            raise DwarfError(f"the type at {die.key:#x} of a typed operation is no base type")
        if encoding not in _INTEGRAL or size not in (1, 2, 4, 8, 16):
            raise Unreadable("operation", f"a typed operation on {die.string(c.DW_AT_name)}, which is no integer type")
        return BaseEncoding(8 * size, _INTEGRAL[encoding])

    def _const_type(self, operation: Operation, state: State) -> State:
        kind = self._base_type(operation.number(0))
        if 8 * len(operation.block(1)) != kind.bits:
            raise DwarfError(f"{operation.name} of {len(operation.block(1))} bytes with a type of {kind.bits} bits")
        return _push(state, Const(int.from_bytes(operation.block(1), "little"), kind.bits), kind)

    def _regval_type(self, operation: Operation, state: State) -> State:
        kind = self._base_type(operation.number(1))
        register = self._register(operation.number(0))
        if kind.bits > register.bits:
            raise Unreadable("operation", f"{operation.name} of {kind.bits} bits from a register of {register.bits}")
        return _push(state, fold.extend(register, kind.bits, False), kind)

    def _convert(self, operation: Operation, state: State) -> State:
        value, state = _pop(state)
        kind = self._base_type(operation.number()) if operation.number() else None
        bits = kind.bits if kind else self.bits
        plain = isinstance(value.expr, Const) and not value.expr.value >> (self.bits - 1)  # the same with and without a sign
        if value.type is None and bits > self.bits and not plain:
            raise Unreadable("operation", f"{operation.name} widens a value of the generic type, whose sign is not said")
        sign = value.type.signed if value.type else False
        return _push(state, fold.extend(value.expr, bits, sign), kind)

    def _reinterpret(self, operation: Operation, state: State) -> State:
        value, state = _pop(state)
        kind = self._base_type(operation.number()) if operation.number() else None
        if value.expr.bits != (kind.bits if kind else self.bits):
            raise DwarfError(f"{operation.name} between types of different sizes")
        return _push(state, value.expr, kind)

    # -- entry values, other variables ----------------------------------------------------------------------------

    def _entry_value(self, operation: Operation, state: State) -> State:
        context = replace(self.context, frame_base=_not_on_entry, cfa=_not_on_entry, variable=_no_variable_on_entry)
        inner = _Machine(operation.block(), context)
        single = inner.operations[0] if len(inner.operations) == 1 else None
        described = inner._step(single, State()).described if single else None
        expr = Reg(described.number, self.bits) if isinstance(described, Register) else inner.value()
        if contains(expr, (Entry, Parameter)):
            raise DwarfError(f"{operation.name} within {operation.name}")
        return _push(state, Entry(expr, expr.bits))

    def _parameter_ref(self, operation: Operation, state: State) -> State:
        die = self.context.unit.die(operation.number())
        return _push(state, Parameter(origin(die).key, self.bits))

    def _variable_value(self, operation: Operation, state: State) -> State:
        """The value of a whole variable, of integer or pointer type and no wider than the generic type."""
        offset = operation.number()
        die = self.context.unit.info.die(offset)
        ctype = type_of(attribute_of(die, c.DW_AT_type) or die)
        size = size_of(ctype)
        integral = is_scalar(ctype) and not is_floating(ctype)
        if not integral or size is None or 8 * size not in (8, 16, 32, 64) or 8 * size > self.bits:
            raise Unreadable("operation", f"{operation.name} of a variable that is no integer or pointer")
        found = self._whole(self.context.variable(offset), 8 * size)
        if found is None or found.bits < 8 * size:
            raise Unreadable("operation", f"{operation.name} of a variable that is not in one place")
        return _push(state, fold.extend(fold.extend(found, 8 * size, False), self.bits, is_signed(ctype)))

    def _whole(self, location: Location, bits: int) -> Expr | None:
        if isinstance(location, Register):
            return self._register(location.number)
        if isinstance(location, Memory):
            return self._load(location.address, bits)
        if isinstance(location, Constant):
            return Const(int.from_bytes(location.data, "little"), 8 * len(location.data))
        if isinstance(location, Absent):
            raise Unreadable(location.reason.slug, location.reason.text)
        return _as_value(location)

    def _implicit_pointer(self, operation: Operation, state: State) -> State:
        die = operation.number(0)
        return replace(state, described=ImplicitPointer(die, operation.number(1), self.context.variable(die)))

    # -- location descriptions ------------------------------------------------------------------------------------

    def _stack_value(self, operation: Operation, state: State) -> State:
        value, state = _pop(state)
        return replace(state, described=value_location(value.expr))

    def _implicit_value(self, operation: Operation, state: State) -> State:
        return replace(state, described=Constant(operation.block()))

    def _piece(self, operation: Operation, state: State) -> State:
        return self._add_piece(state, 8 * operation.number(), 0)

    def _bit_piece(self, operation: Operation, state: State) -> State:
        return self._add_piece(state, operation.number(0), operation.number(1))

    def _add_piece(self, state: State, bit_size: int, bit_offset: int) -> State:
        part = self._part(state) or absent("optimized-out", "this part of it is optimized out here")
        return State(pieces=(*state.pieces, Piece(part, bit_size, bit_offset)))

    def _uninit(self, operation: Operation, state: State) -> State:
        raise Unreadable("uninitialized", "debug info says that it has no value yet here")

    # -- the end --------------------------------------------------------------------------------------------------

    def _part(self, state: State) -> Location | None:
        """The location described since the last piece; None where nothing was (an absent piece)."""
        if state.described is not None or not state.stack:
            return state.described
        address = state.stack[-1].expr
        if address.bits != self.bits:
            raise DwarfError(f"address of {address.bits} bits")
        if isinstance(address, Address):
            check_address(address, self.context.unit.info)
        return Memory(address)

    def _finish(self, state: State) -> Location:
        part = self._part(state)
        if state.pieces:
            if part is not None:
                raise DwarfError("operations follow the last piece")
            return Pieces(state.pieces)
        if part is None:
            raise DwarfError("the location expression leaves nothing")
        return part

    def _finish_value(self, state: State) -> Location:
        if state.pieces:
            raise DwarfError("pieces where a value is wanted")
        if isinstance(state.described, Value):
            return state.described
        if isinstance(state.described, EntryValue):
            return Value(Entry(state.described.inner, state.described.inner.bits))
        if state.described is not None or not state.stack:
            raise Unreadable("not-a-value", "the expression describes a location where a value is wanted")
        return Value(_pop(state)[0].expr)


def value_location(expr: Expr) -> Location:
    """Value, or EntryValue where the whole value is one of the function's entry."""
    return EntryValue(expr.operand) if isinstance(expr, Entry) else Value(expr)


def join(condition: Expr, yes: Location, no: Location) -> Location:
    """The location that is `yes` where condition is not zero and `no` elsewhere.  Raises Unreadable where the two are
    of different kinds."""
    if yes == no:
        return yes
    if isinstance(yes, Memory) and isinstance(no, Memory):
        return Memory(Select(condition, yes.address, no.address, yes.address.bits))
    a, b = _as_value(yes), _as_value(no)
    if a is not None and b is not None and a.bits == b.bits:
        return Value(Select(condition, a, b, a.bits))
    raise Unreadable("branches", "the branches of the location expression describe different kinds of location")


def _as_value(location: Location) -> Expr | None:
    if isinstance(location, Value):
        return location.expr
    if isinstance(location, EntryValue):
        return Entry(location.inner, location.inner.bits)
    return None


def _generic(operation: Operation, left: Typed, right: Typed) -> Typed:
    """The left operand where one of the two is of the generic type, the other of one as wide, and the operation comes to the
    same bits whatever their signs: clang mixes them.  Raises DwarfError for other operands of different types."""
    if operation.code in _OF_BITS and None in (left.type, right.type) and left.expr.bits == right.expr.bits:
        return replace(left, type=None)
    raise DwarfError(f"operands of {operation.name} are of different types")


def _typed(expr: Expr, kind: BaseEncoding | None) -> Expr:
    """expr, marked as of just its width where it has a type as wide as the generic one (see plan/width.py)."""
    if kind is None or kind.bits != 64 or isinstance(expr, Const):
        return expr
    return Extend(expr, expr.bits, kind.signed)


def _push(state: State, expr: Expr, kind: BaseEncoding | None = None) -> State:
    return replace(state, stack=(*state.stack, Typed(expr, kind)))


def _pop(state: State) -> tuple[Typed, State]:
    if not state.stack:
        raise DwarfError("the location expression takes from an empty stack")
    top = state.stack[-1]
    return replace(top, expr=pointer_value(top.expr)), replace(state, stack=state.stack[:-1])


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


_INTEGRAL = {
    c.DW_ATE_boolean: False, c.DW_ATE_signed: True, c.DW_ATE_signed_char: True, c.DW_ATE_unsigned: False,
    c.DW_ATE_unsigned_char: False, c.DW_ATE_UTF: False, c.DW_ATE_address: False,
}

# code -> operator for unsigned types, for signed types, whether the generic type counts as signed, whether the
# result is a truth value of the generic type (sections 2.5.1.4, 2.5.1.5)
_BINARY: dict[int, tuple[Op, Op, bool, bool]] = {
    c.DW_OP_and: (Op.AND, Op.AND, False, False), c.DW_OP_or: (Op.OR, Op.OR, False, False),
    c.DW_OP_xor: (Op.XOR, Op.XOR, False, False), c.DW_OP_plus: (Op.ADD, Op.ADD, False, False),
    c.DW_OP_minus: (Op.SUB, Op.SUB, False, False), c.DW_OP_mul: (Op.MUL, Op.MUL, False, False),
    c.DW_OP_div: (Op.UDIV, Op.SDIV, True, False), c.DW_OP_mod: (Op.UMOD, Op.SMOD, False, False),
    c.DW_OP_shl: (Op.SHL, Op.SHL, False, False), c.DW_OP_shr: (Op.SHR, Op.SHR, False, False),
    c.DW_OP_shra: (Op.SAR, Op.SAR, True, False), c.DW_OP_eq: (Op.EQ, Op.EQ, True, True),
    c.DW_OP_ne: (Op.NE, Op.NE, True, True), c.DW_OP_lt: (Op.ULT, Op.SLT, True, True),
    c.DW_OP_le: (Op.ULE, Op.SLE, True, True), c.DW_OP_gt: (Op.UGT, Op.SGT, True, True),
    c.DW_OP_ge: (Op.UGE, Op.SGE, True, True),
}

_OF_BITS = frozenset({c.DW_OP_and, c.DW_OP_or, c.DW_OP_xor, c.DW_OP_plus, c.DW_OP_minus, c.DW_OP_mul, c.DW_OP_eq, c.DW_OP_ne})
"""Operations that come to the same bits for signed and for unsigned operands."""

_OF_SIGN = frozenset({c.DW_OP_mod, c.DW_OP_lt, c.DW_OP_le, c.DW_OP_gt, c.DW_OP_ge})
"""Operations of which compilers do not agree whether their generic operands are signed."""

_OF_WIDTH = frozenset({c.DW_OP_div, c.DW_OP_mod, c.DW_OP_shr, c.DW_OP_shra})
"""Operations whose low bits depend on how wide they are."""

_HANDLERS: dict[int, Callable[[_Machine, Operation, State], State]] = {
    c.DW_OP_addr: _Machine._addr, c.DW_OP_addrx: _Machine._addrx, c.DW_OP_GNU_addr_index: _Machine._addrx,
    c.DW_OP_constx: _Machine._constx, c.DW_OP_GNU_const_index: _Machine._constx,
    **dict.fromkeys(
        (c.DW_OP_const1u, c.DW_OP_const1s, c.DW_OP_const2u, c.DW_OP_const2s, c.DW_OP_const4u, c.DW_OP_const4s,
         c.DW_OP_const8u, c.DW_OP_const8s, c.DW_OP_constu, c.DW_OP_consts), _Machine._constant),
    c.DW_OP_regx: _Machine._regx, c.DW_OP_bregx: _Machine._bregx, c.DW_OP_fbreg: _Machine._fbreg,
    c.DW_OP_call_frame_cfa: _Machine._cfa,
    c.DW_OP_dup: _Machine._dup, c.DW_OP_drop: _Machine._drop, c.DW_OP_over: _Machine._over, c.DW_OP_pick: _Machine._pick,
    c.DW_OP_swap: _Machine._swap, c.DW_OP_rot: _Machine._rot, c.DW_OP_nop: _Machine._nop,
    c.DW_OP_abs: _Machine._unary, c.DW_OP_neg: _Machine._unary, c.DW_OP_not: _Machine._unary,
    c.DW_OP_plus_uconst: _Machine._plus_uconst,
    c.DW_OP_deref: _Machine._deref, c.DW_OP_deref_size: _Machine._deref_size,
    c.DW_OP_deref_type: _Machine._deref_type, c.DW_OP_GNU_deref_type: _Machine._deref_type,
    c.DW_OP_const_type: _Machine._const_type, c.DW_OP_GNU_const_type: _Machine._const_type,
    c.DW_OP_regval_type: _Machine._regval_type, c.DW_OP_GNU_regval_type: _Machine._regval_type,
    c.DW_OP_convert: _Machine._convert, c.DW_OP_GNU_convert: _Machine._convert, c.DW_OP_reinterpret: _Machine._reinterpret,
    c.DW_OP_GNU_reinterpret: _Machine._reinterpret, c.DW_OP_GNU_uninit: _Machine._uninit,
    c.DW_OP_call2: _Machine._call, c.DW_OP_call4: _Machine._call, c.DW_OP_call_ref: _Machine._call,
    c.DW_OP_entry_value: _Machine._entry_value, c.DW_OP_GNU_entry_value: _Machine._entry_value,
    c.DW_OP_GNU_parameter_ref: _Machine._parameter_ref, c.DW_OP_GNU_variable_value: _Machine._variable_value,
    c.DW_OP_implicit_pointer: _Machine._implicit_pointer, c.DW_OP_GNU_implicit_pointer: _Machine._implicit_pointer,
    c.DW_OP_stack_value: _Machine._stack_value, c.DW_OP_implicit_value: _Machine._implicit_value,
    c.DW_OP_piece: _Machine._piece, c.DW_OP_bit_piece: _Machine._bit_piece,
}
