# SPDX-License-Identifier: GPL-2.0-or-later
"""pycparser's CGenerator, writing definitions as the kernel does: tabs, braces on the line, attributes behind.

Imports pycparser; import this module where text is made.
"""

from __future__ import annotations

from typing import Any

from pycparser import c_ast, c_generator


class MemberDecl(c_ast.Decl):  # type: ignore[misc]
    """A member with attributes (without `__attribute__`) and a comment behind it."""

    def __init__(self, name: str | None, node: Any, bitsize: Any = None, attributes: tuple[str, ...] = (),
                 note: str = "") -> None:
        super().__init__(name, [], [], [], [], node, None, bitsize)
        self.behind = attributes
        self.note = note


class StructBody(c_ast.Node):  # type: ignore[misc]
    """A struct or union with its members, attributes and a comment at its end."""

    def __init__(self, kind: str, name: str | None, decls: list[Any], attributes: tuple[str, ...] = (), note: str = "") -> None:
        self.kind = kind
        self.name = name
        self.decls = decls
        self.behind = attributes
        self.note = note

    def children(self) -> tuple[tuple[str, Any], ...]:
        """The members, as pycparser's visitors ask for them."""
        return tuple((f"decls[{number}]", decl) for number, decl in enumerate(self.decls))


class EnumBody(c_ast.Node):  # type: ignore[misc]
    """An enum with its values (name, C text) and attributes."""

    def __init__(self, name: str | None, values: list[tuple[str, str]], attributes: tuple[str, ...] = ()) -> None:
        self.name = name
        self.values = values
        self.behind = attributes

    def children(self) -> tuple[tuple[str, Any], ...]:
        """Nothing: values are text."""
        return ()


class Generator(c_generator.CGenerator):  # type: ignore[misc]
    """Writes the nodes above, and all of pycparser's own."""

    depth = 0

    def visit_MemberDecl(self, node: MemberDecl) -> str:
        """`type name[n] : bits __attribute__((...))`."""
        text: str = self.visit(c_ast.Decl(node.name, [], [], [], [], node.type, None, None)).rstrip()
        bits = f" : {node.bitsize.value}" if node.bitsize is not None else ""
        return f"{text}{bits}{attributes(node.behind)}"

    def visit_StructBody(self, node: StructBody) -> str:
        """`struct name { members }`."""
        head = f"{node.kind} {node.name} {{" if node.name else f"{node.kind} {{"
        self.depth += 1
        tabs = "\t" * self.depth
        lines = [f"{tabs}{self.visit(decl)};{_comment(getattr(decl, 'note', ''))}\n" for decl in node.decls]
        self.depth -= 1
        note = f"{tabs}/* {node.note} */\n" if node.note else ""
        return f"{head}\n{''.join(lines)}{note}{tabs[1:]}}}{attributes(node.behind)}"

    def visit_EnumBody(self, node: EnumBody) -> str:
        """`enum name { values }`."""
        head = f"enum {node.name} {{" if node.name else "enum {"
        tabs = "\t" * (self.depth + 1)
        lines = [f"{tabs}{name} = {value},\n" for name, value in node.values]
        return f"{head}\n{''.join(lines)}{tabs[1:]}}}{attributes(node.behind)}"


def attributes(words: tuple[str, ...]) -> str:
    """` __attribute__((…))`, or nothing."""
    return f" __attribute__(({', '.join(words)}))" if words else ""


def _comment(note: str) -> str:
    return f"\t/* {note} */" if note else ""
