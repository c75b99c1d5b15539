# SPDX-License-Identifier: GPL-2.0-or-later
"""PRINT_LOCAL_VARS, PRINT_PARAMETERS: a function that writes `name=value ...` for all variables at a site."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from localvar.arch import Architecture
from localvar.codegen.text import c_comment, indent, switch
from localvar.codegen.values import attempt_bytes, attempt_statements
from localvar.model.ctype import Array, BaseType, CType, Encoding, Enumeration, Pointer, is_floating, is_signed, size_of, strip
from localvar.model.plan import Assembly, Read, VariableKind

BYTES_SHOWN = 64
"""Bytes of an object that are shown (the limit of printk's %*ph)."""

_CHARACTERS = frozenset({Encoding.SIGNED_CHAR, Encoding.UNSIGNED_CHAR})


def print_function(name: str, lists: Sequence[tuple[int, tuple[Read, ...]]], variants: dict[int, int], parameters: bool,
                   arch: Architecture) -> str:
    """The function `name`, with the functions it calls in front; parameters: leave everything else out."""
    helpers: dict[str, str] = {}
    groups: dict[str, list[int]] = {}
    for index, reads in lists:
        shown = [read for read in reads if not parameters or (read.variable and read.variable.kind is VariableKind.PARAMETER)]
        lines = [_line(read, name, helpers, arch) for read in shown
                 if read.variable and read.variable.kind is not VariableKind.STATIC]
        groups.setdefault("\n".join(lines) or ";", []).append(variants[index])
    text = "".join(helpers.values())
    text += c_comment([f"{'parameters' if parameters else 'all variables'} in scope, as name=value"]) + "\n"
    text += f"static int {name}(const struct pt_regs *regs, char *buf, int size)\n{{\n\tint n = 0;\n\n"
    return text + switch(groups) + "\treturn n;\n}\n"


@dataclass(frozen=True)
class _Shown:
    """How a value is shown: the declaration of `value` and of a parameter that is filled with it, how it is passed, the
    statements that fill it, printk's format and arguments."""

    declared: str
    parameter: str
    passed: str
    statements: str
    form: str
    arguments: str


def _line(read: Read, name: str, helpers: dict[str, str], arch: Architecture) -> str:
    label = _plain(read.path.name)
    shown = _shown(read, arch) if read.readable else None
    if shown is None:
        return f'n += scnprintf(buf + n, size - n, "{label}=? ");'
    helper = f"{name}_{len(helpers)}_{label}"
    key = f"{label}\n{shown.declared}\n{shown.form}\n{shown.statements}"
    if key not in helpers:
        helpers[key] = (
            f"static bool {helper}_get(const struct pt_regs *regs, {shown.parameter})\n{{\n{indent(shown.statements, 1)}}}\n\n"
            f"static int {helper}(const struct pt_regs *regs, char *buf, int size)\n{{\n"
            f"\t{shown.declared};\n\n\tif (!{helper}_get(regs, {shown.passed}))\n"
            f'\t\treturn scnprintf(buf, size, "{label}=? ");\n'
            f'\treturn scnprintf(buf, size, "{label}={shown.form} ", {shown.arguments});\n}}\n\n')
    else:
        helper = helpers[key].split("_get(")[0].split()[-1]
    return f"n += {helper}(regs, buf + n, size - n);"


def _plain(name: str) -> str:
    return "".join(ch if (ch.isalnum() and ch.isascii()) or ch == "_" else "_" for ch in name)


def _shown(read: Read, arch: Architecture) -> _Shown | None:
    """How a readable value is shown; None for one without a size."""
    bare = strip(read.type)
    size = size_of(bare)
    if not size:
        return None
    number = _number(bare)
    if number is not None:
        ctype, form, arguments = number
        statements = attempt_statements(replace(read, type=ctype), ctype, arch)
        return _Shown(f"{ctype.name} value", f"{ctype.name} *value", "&value", statements, form, arguments)
    shown = min(size, BYTES_SHOWN)
    form, arguments = f"{{%*phN{'...' * (size > shown)}}}", f"{shown}, value"
    if isinstance(bare, Array) and isinstance(element := strip(bare.element()), BaseType) and element.encoding in _CHARACTERS:
        form, arguments = '\\"%*pE\\"', f"(int)strnlen((const char *)value, {shown}), value"
    filled = size if isinstance(read.source, Assembly) else shown
    return _Shown(f"u8 value[{filled}]", "u8 *value", "value", attempt_bytes(read, shown, arch), form, arguments)


def _number(bare: CType) -> tuple[BaseType, str, str] | None:
    """The arithmetic type that a value is shown as, printk's format and its arguments; None for what is shown as bytes."""
    if isinstance(bare, Pointer):
        return BaseType(bare.key, "unsigned long", bare.size, Encoding.UNSIGNED), "0x%lx", "value"
    if not isinstance(bare, (BaseType, Enumeration)) or is_floating(bare):
        return None
    if isinstance(bare, BaseType) and bare.encoding is Encoding.BOOLEAN:
        return bare, "%d", "value"
    words = {1: "char", 2: "short", 4: "int", 8: "long", 16: "__int128"}
    if bare.size not in words:
        return None
    sign = is_signed(bare)
    ctype = BaseType(bare.key, f"{'signed' if sign else 'unsigned'} {words[bare.size]}", bare.size,
                     Encoding.SIGNED if sign else Encoding.UNSIGNED)
    if bare.size > 8:
        return ctype, "0x%llx%016llx", "(u64)((unsigned __int128)value >> 64), (u64)value"
    return ctype, *(("%lld", "(long long)value") if sign else ("%llu", "(unsigned long long)value"))
