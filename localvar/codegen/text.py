# SPDX-License-Identifier: GPL-2.0-or-later
"""Small pieces of C text: comments, indentation, dispatch over variants."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


def c_comment(lines: Sequence[str]) -> str:
    """A comment of these lines; nothing in them can end it or reach beyond ASCII."""
    safe = [line.replace("*/", "* /").replace("/*", "/ *") for line in lines]
    safe = ["".join(ch if " " <= ch < "\x7f" else "?" for ch in line) for line in safe]
    if len(safe) == 1:
        return f"/* {safe[0]} */"
    return "/*\n" + "".join(f" * {line}".rstrip() + "\n" for line in safe) + " */"


def indent(text: str, depth: int) -> str:
    """text with tabs in front of each line, and a line break at its end."""
    return "".join("\t" * depth + line + "\n" if line else "\n" for line in text.split("\n"))


def switch(groups: Mapping[str, Sequence[int]], ends: str = "") -> str:
    """Statements to run, each with the variants it is for: a switch on the variant of the hit where there are several.

    The commonest comes last, as the default.  ends: what ends a case whose statements do not return.
    """
    if len(groups) == 1:
        return indent(next(iter(groups)), 1)
    ordered = sorted(groups.items(), key=lambda group: (len(set(group[1])), min(group[1])))
    text = "\tswitch (localvar_variant(regs)) {\n"
    for number, (statements, variants) in enumerate(ordered):
        last = number == len(ordered) - 1
        text += "\tdefault:\n" if last else "".join(f"\tcase {n}:\n" for n in sorted(set(variants)))
        text += _block(statements)
    return text + "\t}\n" + ends


def _block(statements: str) -> str:
    """The body of a case: in braces where it can declare something, with a break where it does not return."""
    body = indent(statements, 2) + ("" if _returns(statements) else "\t\tbreak;\n")
    return f"\t{{\n{body}\t}}\n" if "\n" in statements else body


def _returns(statements: str) -> bool:
    return statements.rstrip().split("\n")[-1].lstrip().startswith("return ")


def named(type_text: str, name: str) -> str:
    """`name` declared with a type that is written without one: within the type, where it points to a function or an array."""
    return f"__typeof__({type_text}) {name}" if "(" in type_text else f"{type_text} {name}"
