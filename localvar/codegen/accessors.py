# SPDX-License-Identifier: GPL-2.0-or-later
"""The generate stage: one accessor for each path that is read, with a comment that says what it reads and how."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from localvar.arch import Architecture
from localvar.codegen.callers import called_name
from localvar.codegen.printing import print_function
from localvar.codegen.text import c_comment, switch
from localvar.codegen.values import attempt_statements, return_statement, value_type, write_statement
from localvar.ctext.declare import declaration, display, type_name
from localvar.ctext.names import Unspeakable
from localvar.diagnostics import Log
from localvar.model.ctype import CType
from localvar.model.plan import How, PlannedUse, Read, ReadPlan
from localvar.model.site import NOWHERE
from localvar.model.source import Macro

_OPERATIONS = {
    Macro.GET_LOCAL_VAR: "get", Macro.GET_LOCAL_VAR_OR: "try", Macro.LOCAL_VAR_AVAILABLE: "available",
    Macro.LOCAL_VAR_ADDR: "addr", Macro.SET_LOCAL_VAR: "set", Macro.GET_RETURN_VALUE: "get", Macro.GET_ENTRY_VAR: "entry",
    Macro.GET_STATIC_VAR: "static",
    Macro.PRINT_LOCAL_VARS: "print", Macro.PRINT_PARAMETERS: "print",
}


@dataclass(frozen=True)
class Accessor:
    """A generated function: its name and definition (comment included), the C type of its value."""

    name: str
    text: str
    type: str = ""


@dataclass(frozen=True)
class Accessors:
    """All accessors of a file in order of first use, the one of each use, and the variant number of each site."""

    definitions: tuple[Accessor, ...]
    by_use: dict[int, Accessor]
    variants: dict[int, int]


def make_accessors(plan: ReadPlan, arch: Architecture, log: Log) -> Accessors:
    """Accessors for all uses of a plan.  A type that C cannot name is an error at its use."""
    variants = _variants(plan)
    made: dict[tuple[object, ...], Accessor] = {}
    by_use: dict[int, Accessor] = {}
    for number, use in enumerate(plan.uses):
        if not use.lists and not any(read.variable for _, read in use.reads):
            continue  # never more than a constant: see render
        key = (use.use.macro, str(use.path), tuple(index for index, _ in use.reads or use.lists))
        if key not in made:
            name = f"localvar_{_OPERATIONS[use.use.macro]}_{len(made)}" + (f"_{_slug(str(use.path))}" if use.path else "")
            try:
                made[key] = _accessor(name, use, variants, arch)
            except Unspeakable as problem:
                log.error("type-without-name", f"the type of '{use.path}' cannot be written in C here: {problem}", use.use.span,
                          fix="read its members")
                continue
        by_use[number] = made[key]
    return Accessors(tuple(made.values()), by_use, variants)


def _accessor(name: str, use: PlannedUse, variants: dict[int, int], arch: Architecture) -> Accessor:
    if use.lists:
        parameters = use.use.macro is Macro.PRINT_PARAMETERS
        return Accessor(name, print_function(name, use.lists, variants, parameters, arch))
    return _Writer(use, variants, arch).accessor(name)


def _slug(path: str) -> str:
    return re.sub(r"\W+", "_", path).strip("_")


def _variants(plan: ReadPlan) -> dict[int, int]:
    """Sites that all accessors read in the same way share a variant."""
    signatures: dict[int, list[object]] = {index: [] for index in range(len(plan.sites))}
    for number, use in enumerate(plan.uses):
        for index, read in use.reads if use.use.macro is not Macro.GET_STATIC_VAR else ():
            signatures[index].append((number, read.source, read.how))
        for index, reads in use.lists:
            signatures[index].append((number, tuple((str(read.path), read.source, read.how) for read in reads)))
    numbers: dict[str, int] = {}
    return {index: numbers.setdefault(repr(signature), len(numbers)) for index, signature in signatures.items()}


@dataclass(frozen=True)
class _Writer:
    """Writes the accessor of one use."""

    use: PlannedUse
    variants: dict[int, int]
    arch: Architecture

    def accessor(self, name: str) -> Accessor:
        """Raises Unspeakable."""
        ctype = self._type()
        make = {"get": self._get, "entry": self._get, "static": self._static, "try": self._try,
                "available": self._available, "addr": self._addr,
                "set": self._set}[_OPERATIONS[self.use.use.macro]]
        head, statement = make(name, ctype)
        groups: dict[str, list[int]] = {}
        for index, read in self.use.reads:
            groups.setdefault(statement(read), []).append(self.variants.get(index, 0))
        return Accessor(name, f"{self._comment()}\nstatic __always_inline {head}\n{{\n{switch(groups)}}}\n", type_name(ctype))

    def _type(self) -> CType:
        """The type of the value, the same at all sites.  Raises Unspeakable."""
        reads = [read for _, read in self.use.reads]
        readable = [read for read in reads if read.readable] or [read for read in reads if read.variable] or reads
        first = readable[0]
        other = next((r for r in readable if display(r.type) != display(first.type)), None)
        if other is not None:
            raise Unspeakable(f"it is {display(first.type)} at {first.site.name} and {display(other.type)} at {other.site.name}")
        return value_type(first.type)

    def _get(self, name: str, ctype: CType) -> tuple[str, Callable[[Read], str]]:
        head = declaration(ctype, f"{name}(const struct pt_regs *regs)")
        zero = f"return ({type_name(ctype)}){{ 0 }};"
        return head, lambda read: return_statement(read, ctype, self.arch) if read.readable else zero

    def _static(self, name: str, ctype: CType) -> tuple[str, Callable[[Read], str]]:
        return declaration(ctype, f"{name}(void)"), self._get(name, ctype)[1]

    def _try(self, name: str, ctype: CType) -> tuple[str, Callable[[Read], str]]:
        head = f"bool {name}(const struct pt_regs *regs, {declaration(ctype, '*value')})"
        return head, lambda read: attempt_statements(read, ctype, self.arch)

    def _available(self, name: str, ctype: CType) -> tuple[str, Callable[[Read], str]]:
        def statement(read: Read) -> str:
            if read.callers is not None:
                return f"return {called_name(read.callers, self.arch)}(regs);"
            return "return localvar_entry_regs() != NULL;" if read.how is How.ENTRY_CAPTURE else f"return {int(read.readable)};"

        return f"int {name}(const struct pt_regs *regs)", statement

    def _addr(self, name: str, ctype: CType) -> tuple[str, Callable[[Read], str]]:
        from localvar.codegen.expr import c_expression

        kind = f"{type_name(ctype)} *"

        def statement(read: Read) -> str:
            return "return NULL;" if read.address is None else f"return ({kind})({c_expression(read.address, self.arch)});"

        return f"{kind}{name}(const struct pt_regs *regs)", statement

    def _set(self, name: str, ctype: CType) -> tuple[str, Callable[[Read], str]]:
        def statement(read: Read) -> str:
            return write_statement(read, ctype, self.arch) if read.readable else ";"

        return f"void {name}(struct pt_regs *regs, {declaration(ctype, 'value')})", statement

    def _comment(self) -> str:
        reads: Sequence[Read] = [read for _, read in self.use.reads]
        lines = [_at_site(read) for read in reads]
        read = next((read for read in reads if read.variable), reads[0])
        kind = f"{read.variable.kind.value} of {read.variable.scope}" if read.variable else "not in scope"
        title = f"{read.path}: {display(read.type)}, {kind}"
        shown = lines if len(lines) <= 8 else [*lines[:7], f"and {len(lines) - 7} more sites"]
        if len(shown) == 1 and len(title) + len(shown[0]) < 100:
            return c_comment([f"{title}, at {shown[0]}"])
        return c_comment([title, *(f"  {line}" for line in shown)])


def _at_site(read: Read) -> str:
    if read.site is NOWHERE:
        return read.variable.dwarf if read.variable else "nowhere"
    where = read.site.name + (f" ({read.site.file}:{read.site.line})" if read.site.file else "")
    what = read.variable.dwarf if read.variable and read.readable else f"absent: {read.reason.text if read.reason else ''}"
    how = "" if read.how is None or read.how is How.DIRECT else f" [{read.how.value}]"
    if read.callers is not None:
        names = [name for _, name in read.callers.calls]
        how = f" [{read.how.value if read.how else ''}: {', '.join(names[:2])}{f' and {len(names) - 2} more' * (len(names) > 2)}]"
    return f"{where}: {what}{how}"
