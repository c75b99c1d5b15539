# SPDX-License-Identifier: GPL-2.0-or-later
"""The generate stage: one accessor for each path that is read, with a comment that says what it reads and how."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from localvar.arch import Architecture
from localvar.codegen.expr import UNSIGNED, c_expression
from localvar.ctext.declare import declaration, display, type_name
from localvar.ctext.names import Unspeakable
from localvar.diagnostics import Log
from localvar.model.ctype import (
    Array,
    BaseType,
    CType,
    Encoding,
    Enumeration,
    Pointer,
    Qualified,
    size_of,
    strip,
)
from localvar.model.expr import Expr, Extend
from localvar.model.plan import Assembly, Object, PlannedUse, Read, ReadPlan, Scalar
from localvar.model.source import Macro

_OPERATIONS = {Macro.GET_LOCAL_VAR: "get", Macro.LOCAL_VAR_AVAILABLE: "available", Macro.LOCAL_VAR_ADDR: "addr"}


@dataclass(frozen=True)
class Accessor:
    """A generated function: its name and definition (comment included)."""

    name: str
    text: str


@dataclass(frozen=True)
class Accessors:
    """All accessors of a file in order of first use, the one of each use, and the variant number of each site."""

    definitions: tuple[Accessor, ...]
    by_use: dict[int, Accessor]
    variants: dict[int, int]


def make_accessors(plan: ReadPlan, arch: Architecture, log: Log) -> Accessors:
    """Accessors for all uses of a plan.  A type that C cannot name is an error at its use."""
    variants = _variants(plan, arch)
    made: dict[tuple[object, ...], Accessor] = {}
    by_use: dict[int, Accessor] = {}
    for number, use in enumerate(plan.uses):
        if use.path is None:
            continue
        key = (use.use.macro, str(use.path), tuple(index for index, _ in use.reads))
        if key not in made:
            name = f"localvar_{_OPERATIONS[use.use.macro]}_{len(made)}_{_slug(str(use.path))}"
            try:
                made[key] = Accessor(name, _Writer(use, variants, arch).text(name))
            except Unspeakable as problem:
                log.error("type-without-name", f"the type of '{use.path}' cannot be written in C here: {problem}", use.use.span,
                          fix="read its members, or give a type: GET_LOCAL_VAR(var, type)")
                continue
        by_use[number] = made[key]
    return Accessors(tuple(made.values()), by_use, variants)


def _slug(path: str) -> str:
    return re.sub(r"\W+", "_", path).strip("_")


def _variants(plan: ReadPlan, arch: Architecture) -> dict[int, int]:
    """Sites that all accessors read in the same way share a variant."""
    signatures: dict[int, list[object]] = {index: [] for index in range(len(plan.sites))}
    for number, use in enumerate(plan.uses):
        for index, read in use.reads:
            signatures[index].append((number, read.source, read.how))
    numbers: dict[str, int] = {}
    return {index: numbers.setdefault(repr(signature), len(numbers)) for index, signature in signatures.items()}


@dataclass(frozen=True)
class _Writer:
    use: PlannedUse
    variants: dict[int, int]
    arch: Architecture

    def text(self, name: str) -> str:
        """The accessor's definition.  Raises Unspeakable."""
        reads = [read for _, read in self.use.reads]
        ctype = self._result_type(reads)
        signature = f"{name}(const struct pt_regs *regs)"
        head = f"{ctype} {signature}" if isinstance(ctype, str) else declaration(ctype, signature)
        return f"{self._comment(reads)}\nstatic __always_inline {head}\n{{\n{self._body(ctype)}}}\n"

    def _result_type(self, reads: Sequence[Read]) -> CType | str:
        if self.use.use.macro is Macro.LOCAL_VAR_AVAILABLE:
            return "int"
        readable = [read for read in reads if read.readable] or list(reads)
        ctype = readable[0].type
        other = next((r for r in readable if display(r.type) != display(ctype)), None)
        if other is not None:
            raise Unspeakable(f"it is {display(ctype)} at {readable[0].site.name} and {display(other.type)} at {other.site.name}")
        ctype = value_type(ctype)
        if self.use.use.macro is Macro.LOCAL_VAR_ADDR:
            return f"{type_name(ctype)} *"
        type_name(ctype)
        return ctype

    def _comment(self, reads: Sequence[Read]) -> str:
        read = reads[0]
        lines = []
        for read in reads:
            where = f"{read.site.name}" + (f" ({read.site.file}:{read.site.line})" if read.site.file else "")
            absent = f"absent: {read.reason.text if read.reason else ''}"
            what = read.variable.dwarf if read.variable and read.readable else absent
            how = "" if read.how is None or read.how.value == "direct" else f" [{read.how.value}]"
            lines.append(f"{where}: {what}{how}")
        kind = f"{read.variable.kind.value} of {read.variable.scope}" if read.variable else "not in scope"
        title = f"{read.path}: {display(read.type)}, {kind}"
        shown = lines if len(lines) <= 8 else [*lines[:7], f"and {len(lines) - 7} more sites"]
        if len(shown) == 1 and len(title) + len(shown[0]) < 100:
            return _c_comment([f"{title}, at {shown[0]}"])
        return _c_comment([title, *(f"  {line}" for line in shown)])

    def _body(self, ctype: CType | str) -> str:
        groups: dict[str, list[int]] = {}
        for index, read in self.use.reads:
            groups.setdefault(self._statement(read, ctype), []).append(self.variants[index])
        if len(groups) == 1:
            return _indent(next(iter(groups)), 1)
        ordered = sorted(groups.items(), key=lambda group: (len(set(group[1])), min(group[1])))
        text = "\tswitch (localvar_variant(regs)) {\n"
        for statement, numbers in ordered[:-1]:
            text += "".join(f"\tcase {n}:\n" for n in sorted(set(numbers))) + _indent(statement, 2)
        return text + "\tdefault:\n" + _indent(ordered[-1][0], 2) + "\t}\n"

    def _statement(self, read: Read, ctype: CType | str) -> str:
        """The statement that returns the value at one site."""
        if self.use.use.macro is Macro.LOCAL_VAR_AVAILABLE:
            return f"return {int(read.readable)};"
        if not read.readable:
            return f"return ({ctype if isinstance(ctype, str) else type_name(ctype)}){{ 0 }};"
        if self.use.use.macro is Macro.LOCAL_VAR_ADDR:
            if read.address is None:
                raise Unspeakable("it does not live in memory there")
            return f"return ({ctype})({c_expression(read.address, self.arch)});"
        assert not isinstance(ctype, str)
        return value_statement(read, ctype, self.arch)


def value_type(ctype: CType) -> CType:
    """The type a value of ctype has: no qualifiers at the top, arrays as pointers to their first element."""
    while isinstance(ctype, Qualified):
        ctype = ctype.target()
    bare = strip(ctype)
    if isinstance(bare, Array):
        return Pointer(bare.key, 8, bare.element)
    if isinstance(bare, Enumeration) and bare.name is None and ctype is bare:
        words = {1: "char", 2: "short int", 4: "int", 8: "long int"}[bare.size]
        return BaseType(bare.key, words if bare.signed else f"unsigned {words}", bare.size,
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


def value_statement(read: Read, ctype: CType, arch: Architecture) -> str:
    """`return …;` for a read whose result has type ctype."""
    source = read.source
    if isinstance(source, Scalar):
        return f"return {scalar(source, read, ctype, arch)};"
    if isinstance(source, Object):
        address = c_expression(source.address, arch)
        if isinstance(strip(read.type), Array):
            return f"return ({type_name(ctype)})({address});"
        name = type_name(ctype)
        if source.safe:
            return f"return *(const {name} *)({address});"
        return f"return localvar_load({name}, {address});"
    assert isinstance(source, Assembly)
    return _assembly(source, ctype, arch)


def scalar(source: Scalar, read: Read, ctype: CType, arch: Architecture) -> str:
    """The expression for a scalar, cast to its type; bit-fields that are signed get their sign."""
    bare = strip(ctype)
    name = type_name(ctype)
    text = c_expression(_without_narrowing(source.expr, ctype), arch)
    if read.bit_field is not None and _is_signed_integer(bare):
        unused = source.expr.bits - read.bit_field[1]
        signed = {8: "s8", 16: "s16", 32: "s32", 64: "s64"}[source.expr.bits]
        return f"({name})(({signed})(({UNSIGNED[source.expr.bits]})({text}) << {unused}) >> {unused})"
    if isinstance(bare, Pointer):
        return f"({name})({text})" if not text.replace("->", "").replace("_", "").isalnum() else f"({name}){text}"
    is_word = isinstance(bare, BaseType) and bare.size == 8 and name in ("unsigned long", "long unsigned int")
    if source.expr.bits == 64 and is_word:
        return text
    simple = text.replace("->", "").replace("_", "").isalnum()
    return f"({name}){text}" if simple else f"({name})({text})"


def _without_narrowing(expr: Expr, ctype: CType) -> Expr:
    """expr without a last step that drops upper bits, where the cast to ctype drops the same."""
    integer = isinstance(strip(ctype), (BaseType, Enumeration)) and not _is_bool(ctype)
    if integer and isinstance(expr, Extend) and expr.bits < expr.operand.bits and size_of(ctype) == expr.bits // 8:
        return expr.operand
    return expr


def _is_bool(ctype: CType) -> bool:
    bare = strip(ctype)
    return isinstance(bare, BaseType) and bare.encoding is Encoding.BOOLEAN


def _is_signed_integer(bare: CType) -> bool:
    if isinstance(bare, BaseType):
        return bare.encoding in (Encoding.SIGNED, Encoding.SIGNED_CHAR)
    return isinstance(bare, Enumeration) and bare.signed


def _assembly(source: Assembly, ctype: CType, arch: Architecture) -> str:
    lines = [f"{declaration(ctype, 'value')};", ""]
    for chunk in source.chunks:
        kind = UNSIGNED[chunk.expr.bits]
        lines.append(f"*({kind} *)((char *)&value + {chunk.offset}) = {c_expression(chunk.expr, arch)};")
    return "\n".join([*lines, "return value;"])


def _c_comment(lines: Sequence[str]) -> str:
    safe = [line.replace("*/", "* /").replace("/*", "/ *") for line in lines]
    safe = ["".join(ch if " " <= ch < "\x7f" else "?" for ch in line) for line in safe]
    if len(safe) == 1:
        return f"/* {safe[0]} */"
    return "/*\n" + "".join(f" * {line}".rstrip() + "\n" for line in safe) + " */"


def _indent(text: str, depth: int) -> str:
    return "".join("\t" * depth + line + "\n" if line else "\n" for line in text.split("\n"))

