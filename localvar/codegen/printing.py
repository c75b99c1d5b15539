# SPDX-License-Identifier: GPL-2.0-or-later
"""PRINT_LOCAL_VARS, PRINT_PARAMETERS: a function that writes `name=value ...` for all variables at a site."""

from __future__ import annotations

from collections.abc import Sequence

from localvar.arch import Architecture
from localvar.codegen.text import c_comment, indent, switch
from localvar.codegen.values import attempt_statements, value_type
from localvar.ctext.declare import declaration, type_name
from localvar.ctext.names import Unspeakable, identifier
from localvar.model.ctype import Array, BaseType, CType, Encoding, Enumeration, Pointer, Record, is_signed, size_of, strip
from localvar.model.plan import Read, VariableKind

BYTES_SHOWN = 64
"""Bytes of a structure that are shown in hex (the limit of printk's %*ph)."""


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


def _line(read: Read, name: str, helpers: dict[str, str], arch: Architecture) -> str:
    try:
        label = identifier(read.path.name)
        ctype = value_type(read.type)
        form, arguments = _format(ctype)
        body = attempt_statements(read, ctype, arch) if read.readable else ""
    except Unspeakable:
        return f'n += scnprintf(buf + n, size - n, "%s=? ", "{_plain(read.path.name)}");'
    if not read.readable:
        return f'n += scnprintf(buf + n, size - n, "{label}=? ");'
    key = f"{label}\n{type_name(ctype)}\n{body}"
    helper = f"{name}_{len(helpers)}_{label}"
    if key not in helpers:
        helpers[key] = (f"static int {helper}(const struct pt_regs *regs, char *buf, int size)\n{{\n"
                        f"\t{declaration(ctype, 'value')};\n\n\tif (!{helper}_get(regs, &value))\n"
                        f'\t\treturn scnprintf(buf, size, "{label}=? ");\n'
                        f'\treturn scnprintf(buf, size, "{label}={form} ", {arguments});\n}}\n\n')
        helpers[key] = (f"static bool {helper}_get(const struct pt_regs *regs, {declaration(ctype, '*value')})\n{{\n"
                        f"{indent(body, 1)}}}\n\n") + helpers[key]
    else:
        helper = helpers[key].split("_get(")[0].split()[-1]
    return f"n += {helper}(regs, buf + n, size - n);"


def _plain(name: str) -> str:
    return "".join(ch if (ch.isalnum() and ch.isascii()) or ch == "_" else "?" for ch in name)


def _format(ctype: CType) -> tuple[str, str]:
    """printk's format for a value of the type, and its arguments.  Raises Unspeakable for types without one."""
    bare = strip(ctype)
    if isinstance(bare, Pointer):
        return "0x%lx", "(unsigned long)value"
    if isinstance(bare, (Record, Array)):
        size = min(size_of(bare) or 0, BYTES_SHOWN)
        return f"{{%*phN{'...' if (size_of(bare) or 0) > BYTES_SHOWN else ''}}}", f"{size}, &value"
    if isinstance(bare, BaseType) and bare.size > 8:
        return "0x%llx%016llx", "(u64)((unsigned __int128)value >> 64), (u64)value"
    if isinstance(bare, BaseType) and bare.encoding in (Encoding.FLOAT, Encoding.OTHER):
        raise Unspeakable("a type that printk does not print")
    if isinstance(bare, (BaseType, Enumeration)):
        return ("%lld", "(long long)value") if is_signed(bare) else ("%llu", "(unsigned long long)value")
    raise Unspeakable("a type that printk does not print")
