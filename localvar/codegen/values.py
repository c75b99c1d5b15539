# SPDX-License-Identifier: GPL-2.0-or-later
"""Reads to C values: the expression with its cast, by-value objects, objects put together, attempts that may fault."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from localvar.arch import Architecture
from localvar.codegen.callers import called_name
from localvar.codegen.expr import UNSIGNED, c_expression
from localvar.ctext.declare import declaration, display, type_name
from localvar.model import fold
from localvar.model.ctype import Array, BaseType, CType, Encoding, Enumeration, Pointer, Qualified, is_signed, size_of, strip
from localvar.model.expr import Expr, Extend, Load, Named, Select, children
from localvar.model.plan import Assembly, Chunk, How, Object, Read, RegisterBits, Scalar
from localvar.model.rewrite import with_children

SIGNED_WORDS = {8: "s8", 16: "s16", 32: "s32", 64: "s64"}


def value_type(ctype: CType) -> CType:
    """The type a value of ctype has: no qualifiers at the top, arrays as pointers to their first element, an enum
    without a name as the integer it is."""
    while isinstance(ctype, Qualified):
        ctype = ctype.target()
    bare = strip(ctype)
    if isinstance(bare, Array):
        return Pointer(bare.key, 8, bare.element)
    if isinstance(bare, Enumeration) and bare.name is None and ctype is bare:
        words = {1: "char", 2: "short int", 4: "int", 8: "long int"}[bare.size]
        return BaseType(bare.key, f"signed {words}" if bare.signed else f"unsigned {words}", bare.size,
                        Encoding.SIGNED if bare.signed else Encoding.UNSIGNED)
    return ctype


def expression_text(read: Read, arch: Architecture) -> str | None:
    """The C expression over `regs` that an expansion evaluates for a read, before its cast; None where it is absent."""
    if isinstance(read.source, Scalar):
        return c_expression(read.source.expr, arch)
    if isinstance(read.source, Object):
        return f"*({display(read.type)} *)({c_expression(read.source.address, arch)})"
    if isinstance(read.source, Assembly):
        return ", ".join(f"[{chunk.offset}] = {c_expression(chunk.expr, arch)}" for chunk in read.source.chunks)
    return None


def return_statement(read: Read, ctype: CType, arch: Architecture) -> str:
    """`return ...;` for a readable read whose result has type ctype (see value_type).  Raises Unspeakable."""
    source = read.source
    if isinstance(source, Assembly):
        return "\n".join([f"{declaration(ctype, 'value')};", "", *_stores(source, "&value", arch), "return value;"])
    return f"return {value(read, ctype, arch)};"


def value(read: Read, ctype: CType, arch: Architecture) -> str:
    """The value of a Scalar or Object read as an expression of type ctype.  Raises Unspeakable."""
    source = read.source
    if isinstance(source, Scalar):
        return _scalar(source.expr, read, ctype, arch)
    assert isinstance(source, Object)
    address = c_expression(source.address, arch)
    if isinstance(strip(read.type), Array):
        return f"({type_name(ctype)})({address})"
    if source.safe:
        return f"*(const {type_name(ctype)} *)({address})"
    return f"localvar_load({type_name(ctype)}, {address})"


def _stores(source: Assembly, target: str, arch: Architecture) -> list[str]:
    return [f"*({UNSIGNED[chunk.expr.bits]} *)((char *){target} + {chunk.offset}) = {c_expression(chunk.expr, arch)};"
            for chunk in source.chunks]


def _scalar(expr: Expr, read: Read, ctype: CType, arch: Architecture) -> str:
    """expr cast to ctype; a signed bit-field gets its sign."""
    name = type_name(ctype)
    text = c_expression(_without_narrowing(expr, ctype), arch)
    if read.bit_field is not None and is_signed(ctype):
        unused = expr.bits - read.bit_field[1]
        return f"({name})(({SIGNED_WORDS[expr.bits]})(({UNSIGNED[expr.bits]})({text}) << {unused}) >> {unused})"
    if name in ("unsigned long", "long unsigned int") and expr.bits == 64:
        return text
    return f"({name}){text}" if text.replace("->", "").replace("_", "").isalnum() else f"({name})({text})"


def _without_narrowing(expr: Expr, ctype: CType) -> Expr:
    """expr without a last step that drops upper bits, where the cast to ctype drops the same."""
    bare = strip(ctype)
    integer = isinstance(bare, Enumeration) or (isinstance(bare, BaseType) and bare.encoding is not Encoding.BOOLEAN)
    if integer and isinstance(expr, Extend) and expr.bits < expr.operand.bits and size_of(ctype) == expr.bits // 8:
        return expr.operand
    return expr


# -- attempts -----------------------------------------------------------------------------------------------------


@dataclass
class _Attempt:
    """Loads that may fault, taken out of expressions: each becomes a variable that is read first, where the expression
    comes to it."""

    arch: Architecture
    declared: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)

    def guard(self, expr: Expr) -> Expr:
        """expr with its unsafe loads done before, innermost first; lines has the statements."""
        if isinstance(expr, Select) and any(_may_fault(side) for side in (expr.yes, expr.no)):
            return self._choice(expr)
        expr = with_children(expr, self.guard)
        if not isinstance(expr, Load) or expr.safe:
            return expr
        name = self._variable(expr.bits)
        self.lines += _try_read(f"&{name}", c_expression(expr.address, self.arch), f"sizeof({name})")
        return Named(name, expr.bits)

    def guarded(self, source: Assembly) -> Assembly:
        """An assembly of guarded parts."""
        return Assembly(tuple(Chunk(chunk.offset, self.guard(chunk.expr)) for chunk in source.chunks))

    def _choice(self, expr: Select) -> Expr:
        """Only the side that is chosen is read."""
        condition = c_expression(self.guard(expr.condition), self.arch)
        name = self._variable(expr.bits)
        sides = []
        for side in (expr.yes, expr.no):
            inner = _Attempt(self.arch, self.declared)
            value = c_expression(inner.guard(side), self.arch)
            sides.append([f"\t{line}" for line in (*inner.lines, f"{name} = {value};")])
        self.lines += [f"if ({condition}) {{", *sides[0], "} else {", *sides[1], "}"]
        return Named(name, expr.bits)

    def _variable(self, bits: int) -> str:
        name = f"step{len(self.declared)}"
        self.declared.append(f"{UNSIGNED[bits]} {name};")
        return name


def _may_fault(expr: Expr) -> bool:
    return (isinstance(expr, Load) and not expr.safe) or any(map(_may_fault, children(expr)))


def _try_read(to: str, address: str, size: str) -> list[str]:
    return [f"if (!localvar_try_read({to}, (const void *)({address}), {size}))", "\treturn false;"]


def attempt_statements(read: Read, ctype: CType, arch: Architecture) -> str:
    """Statements that put the value in *value and return true, or return false where it is not to be had now."""
    attempt = _Attempt(arch)
    source = read.source
    if source is None:
        return "return false;"
    if isinstance(source, Scalar):
        guarded = replace(read, source=Scalar(attempt.guard(source.expr)))
        body = [f"*value = {value(guarded, ctype, arch)};"]
    elif isinstance(source, Object):
        address = attempt.guard(source.address)
        guarded = replace(read, source=Object(address, source.safe))
        if source.safe or isinstance(strip(read.type), Array):
            body = [f"*value = {value(guarded, ctype, arch)};"]
        else:
            body = _try_read("value", c_expression(address, arch), "sizeof(*value)")
    else:
        body = _stores(attempt.guarded(source), "value", arch)
    return _tried(read, attempt, body)


def attempt_bytes(read: Read, size: int, arch: Architecture) -> str:
    """As attempt_statements(), but the first `size` bytes of the value go to value[], whatever its type is called."""
    attempt = _Attempt(arch)
    source = read.source
    if source is None:
        return "return false;"
    if isinstance(source, Scalar):
        expr = attempt.guard(source.expr)
        body = [f"{UNSIGNED[expr.bits]} whole = {c_expression(expr, arch)};", "", f"memcpy(value, &whole, {size});"]
        body = ["{", *("\t" * bool(line) + line for line in body), "}"]
    elif isinstance(source, Object):
        address = c_expression(attempt.guard(source.address), arch)
        body = _try_read("value", address, str(size))
        if source.safe:
            body = [f"memcpy(value, (const void *)({address}), {size});"]
    else:
        body = _stores(attempt.guarded(source), "value", arch)
    return _tried(read, attempt, body)


def _tried(read: Read, attempt: _Attempt, body: list[str]) -> str:
    head = ["if (!localvar_entry_regs())", "\treturn false;"] if read.how is How.ENTRY_CAPTURE else []
    if read.callers is not None:
        head = [f"if (!{called_name(read.callers, attempt.arch)}(regs))", "\treturn false;"]
    declared = [*attempt.declared, *([""] if attempt.declared else [])]
    return "\n".join([*declared, *head, *attempt.lines, *body, "return true;"])


def write_statement(read: Read, ctype: CType, arch: Architecture) -> str:
    """The statement that stores `value` where the variable lives."""
    if read.address is None:
        assert read.register is not None
        return _into_register(read.register, f"regs->{arch.pt_regs[read.register.number]}")
    address = c_expression(read.address, arch)
    if read.bit_field is None:
        return f"*({type_name(ctype)} *)({address}) = value;"
    shift, bits = read.bit_field
    size = -(-(shift + bits) // 8)
    kind = UNSIGNED[next(width for width in (8, 16, 32, 64) if width >= 8 * size)]
    mask = f"(({kind}){(1 << bits) - 1:#x} << {shift})"

    def changed(storage: str) -> str:
        return f"{storage} = ({storage} & ({kind})~{mask}) | (({kind})value << {shift} & {mask});"

    if size in (1, 2, 4, 8):
        return f"{kind} *storage = ({kind} *)({address});\n\n{changed('*storage')}"
    return (f"{kind} storage = 0;\n\nmemcpy(&storage, (void *)({address}), {size});\n{changed('storage')}\n"
            f"memcpy((void *)({address}), &storage, {size});")


def _into_register(bits: RegisterBits, field: str) -> str:
    """The bits that are not the variable's stay as they are, where any may be of use."""
    if bits.whole:  # extended by its type, as code that goes on with the whole register has it
        return f"{field} = (unsigned long)value;"
    mask = fold.mask(bits.size) << bits.offset
    shift = f" << {bits.offset}" if bits.offset else ""
    return f"{field} = ({field} & {~mask & fold.mask(64):#x}ul) | ((unsigned long)value{shift} & {mask:#x}ul);"
