# SPDX-License-Identifier: GPL-2.0-or-later
"""Declarations of C types: DWARF's graph to pycparser's AST, written by its CGenerator (C11 6.7.6, 6.7.7)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from localvar.ctext.names import Unspeakable, arithmetic, identifier
from localvar.model.ctype import (
    Array,
    BaseType,
    CType,
    Enumeration,
    FunctionType,
    Pointer,
    Qualified,
    Record,
    Typedef,
    UnknownType,
    Void,
)

MAX_DEPTH = 64


def declaration(ctype: CType, name: str) -> str:
    """`name` declared with a type, without the semicolon.  Raises Unspeakable."""
    plain = _plain(ctype, name)
    if plain is not None:
        return plain
    from pycparser import c_ast, c_generator

    node = c_ast.Decl(name, [], [], [], [], declarator(ctype, name), None, None)
    text: str = c_generator.CGenerator().visit(node)
    return text


def type_name(ctype: CType) -> str:
    """The type as in a cast.  Raises Unspeakable."""
    plain = _plain(ctype, "")
    if plain is not None:
        return plain
    from pycparser import c_ast, c_generator

    node = c_ast.Typename(None, [], None, declarator(ctype, None))
    text: str = c_generator.CGenerator().visit(node)
    return " ".join(text.split())


def display(ctype: CType) -> str:
    """The type for listings: as type_name, and in words where C cannot say it."""
    try:
        return type_name(ctype)
    except Unspeakable as problem:
        bare = ctype
        if isinstance(bare, (Record, Enumeration)) and bare.name is None:
            return f"{bare.kind if isinstance(bare, Record) else 'enum'} {{...}}"
        if isinstance(bare, Pointer):
            return f"{display(bare.target())} *"
        if isinstance(bare, Qualified):
            return f"{bare.qualifier.value} {display(bare.target())}"
        if isinstance(bare, Array):
            return f"{display(bare.element())}[{'' if bare.count is None else bare.count}]"
        return f"({problem})"


def _plain(ctype: CType, name: str) -> str | None:
    """What pycparser would write of pointers to a type with a name, and of such a type: importing it takes longer than all
    else that a listing does with types.  None for other types."""
    text, quals = name, list[str]()
    for _ in range(MAX_DEPTH):
        if isinstance(ctype, Qualified):
            if ctype.qualifier.value not in quals:
                quals.append(ctype.qualifier.value)
            ctype = ctype.target()
        elif isinstance(ctype, Pointer):
            text = " ".join(filter(None, ("*", *quals, text))) if quals else f"*{text}"
            ctype, quals = ctype.target(), []
        elif isinstance(ctype, (Array, FunctionType)):
            return None
        else:
            return " ".join(filter(None, (*quals, *_words(ctype), text)))
    return None


Specify = Callable[[CType], Any]
"""Makes the node of a type that is no pointer, array, function or qualified type.  Raises Unspeakable."""


def declarator(ctype: CType, name: str | None, quals: tuple[str, ...] = (), depth: int = 0,
               specify: Specify | None = None) -> Any:
    """pycparser's nodes for `name` of a type; specify: for types that are written otherwise than by their names.

    Raises Unspeakable.
    """
    from pycparser import c_ast

    if depth > MAX_DEPTH:
        raise Unspeakable("a type that is too deep")
    if isinstance(ctype, Qualified):
        word = ctype.qualifier.value
        return declarator(ctype.target(), name, quals if word in quals else (*quals, word), depth + 1, specify)
    if isinstance(ctype, Pointer):
        return _wrap(c_ast.PtrDecl(list(quals), None), declarator(ctype.target(), name, (), depth + 1, specify))
    if isinstance(ctype, Array):
        if ctype.vector or ctype.variable:
            raise Unspeakable("a vector" if ctype.vector else "an array of variable length")
        size = None if ctype.count is None else c_ast.Constant("int", str(ctype.count))
        # an array's qualifiers are its elements' (C11 6.7.3 paragraph 9)
        return _wrap(c_ast.ArrayDecl(None, size, []), declarator(ctype.element(), name, quals, depth + 1, specify))
    if isinstance(ctype, FunctionType):  # C has none that are qualified
        return _wrap(c_ast.FuncDecl(_parameters(ctype, depth, specify), None),
                     declarator(ctype.result(), name, (), depth + 1, specify))
    return c_ast.TypeDecl(name, list(quals), None, (specify or specifier)(ctype))


def _wrap(node: Any, inner: Any) -> Any:
    """node, of what inner declares: C declarators are read from the name outwards, and so is pycparser's chain."""
    node.type = inner
    return node


def _parameters(ctype: FunctionType, depth: int, specify: Specify | None) -> Any:
    from pycparser import c_ast

    params: list[Any] = [c_ast.Typename(None, [], None, declarator(p, None, (), depth + 1, specify)) for p in ctype.parameters()]
    if ctype.variadic:
        if not params:
            return None
        params.append(c_ast.EllipsisParam())
    if not params and ctype.prototyped:
        void = c_ast.TypeDecl(None, [], None, c_ast.IdentifierType(["void"]))
        params = [c_ast.Typename(None, [], None, void)]
    return c_ast.ParamList(params) if params else None


def specifier(ctype: CType) -> Any:
    """The node of a type by its name.  Raises Unspeakable."""
    from pycparser import c_ast

    words = _words(ctype)
    if isinstance(ctype, Record):
        node = c_ast.Struct if ctype.kind == "struct" else c_ast.Union
        return node(words[1], None)
    return c_ast.IdentifierType(words)  # of an enum too: Enum's parameters differ between releases


def _words(ctype: CType) -> list[str]:
    """A type by its name.  Raises Unspeakable."""
    if isinstance(ctype, Void):
        return ["void"]
    if isinstance(ctype, BaseType):
        return arithmetic(ctype.name).split()
    if isinstance(ctype, Typedef):
        return [identifier(ctype.name)]
    if isinstance(ctype, Record):
        return ["struct" if ctype.kind == "struct" else "union", identifier(ctype.name)]
    if isinstance(ctype, Enumeration):
        return ["enum", identifier(ctype.name)]
    raise Unspeakable(ctype.text if isinstance(ctype, UnknownType) else f"a type of kind {type(ctype).__name__}")
