# SPDX-License-Identifier: GPL-2.0-or-later
"""Parser of probe coordinates: SystemTap's probe points and perf's short forms, read by one grammar.

    coordinate := ( 'kernel' | 'module' '(' name ')' ) '.' target suffix* presence | short presence
    target     := 'function' '(' pattern ')' | 'statement' '(' ( pattern | address ) ')'
    suffix     := '.' ( 'call' | 'inline' | 'exported' | 'return' | 'nearest' | 'absolute'
                      | 'label' '(' name ')' | 'callee' '(' name ')' | 'maxactive' '(' number ')' )
    presence   := [ '?' | '!' ]

pattern.py has the grammar of pattern and short; docs/coordinates.md says what each form means.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

from localvar.probe.lexeme import BLANKS, CoordinateError, Cursor, Lexeme, check_name, check_number
from localvar.probe.pattern import MAX_ADDRESS, ONE_COORDINATE, SEVERAL_ARGUMENTS, parse_pattern, parse_short
from localvar.probe.target import (
    AbsoluteAddress,
    AllLines,
    ByteOffset,
    Coordinate,
    Function,
    Lines,
    LineSpec,
    Presence,
    RelativeLine,
    Statement,
    Target,
    Variant,
    Where,
)

__all__ = [
    "AbsoluteAddress", "AllLines", "ByteOffset", "Coordinate", "CoordinateError", "Function", "LineSpec",
    "Lines", "Presence", "RelativeLine", "Statement", "Target", "Variant", "Where",
    "alias_reference", "parse",
]

MAX_MAXACTIVE = 65535
"""SystemTap's limit of .maxactive."""

_LONG = re.compile(r"(kernel\s*\.|module\s*\()", re.ASCII)
_FAMILY = re.compile(r"(function|statement|process|timer|syscall|perf|procfs|netfilter|java|python[23]?)\b")
_FOREIGN = re.compile(r"(syscall|nd_syscall|process|timer|perf|procfs|netfilter|java)\.(?!(?:isra|constprop|part|cold|llvm)\b)")
_START = 'a coordinate starts with kernel. or module("name"), or is a short form'
_LONG_FORM = 'write kernel.function("f") and its suffixes'
_EXAMPLE = 'write for example kernel.function("vfs_read")'
_ALIAS = re.compile(r"([A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*)[ \t]*([?!]?)")


def parse(text: str) -> Coordinate:
    """The coordinate that text says (C escapes already undone); CoordinateError where it says none."""
    start = _check_characters(text)
    if _LONG.match(text, start):
        cursor = Cursor(text)
        coordinate = _parse_long(cursor)
        _expect_end(cursor)
        return coordinate
    return _parse_short(text, start)


def alias_reference(text: str) -> tuple[str, Presence] | None:
    """The name and presence where text can be the use of a PROBE_ALIAS ("vm.oom", "vm.oom ?"), else None.

    A function's bare name has this form too: look the name up among the aliases first.
    """
    match = _ALIAS.fullmatch(text.strip(BLANKS))
    return (match.group(1), Presence(match.group(2))) if match else None


def _check_characters(text: str) -> int:
    """Refuse what no coordinate has; where the first character that is not blank stands."""
    for index, character in enumerate(text):
        if character not in BLANKS and not " " < character < "\x7f":
            raise CoordinateError(f"{character!a} cannot be in a coordinate", index, 1)
    start = len(text) - len(text.lstrip(BLANKS))
    if start == len(text):
        raise CoordinateError("the coordinate is empty", 0, len(text), _EXAMPLE)
    return start


def _parse_short(text: str, start: int) -> Coordinate:
    end = len(text.rstrip(BLANKS))
    presence = Presence(text[end - 1]) if text[end - 1] in "?!" else Presence.REQUIRED
    if presence is not Presence.REQUIRED:
        end = len(text[:end - 1].rstrip(BLANKS))
    lexeme = Lexeme(text[start:end], start)
    _refuse_family(lexeme)
    module, target = parse_short(lexeme)
    return Coordinate(target, module, presence)


def _refuse_family(lexeme: Lexeme) -> None:
    """Probe points of SystemTap that are not in the kernel, and suffixes on a short form."""
    foreign = _FOREIGN.match(lexeme.text)
    if foreign:
        raise lexeme.part(0, foreign.end(1)).error(f"`{foreign[1]}` is no place that localvar can probe", _START)
    index = lexeme.text.find("(")
    if index < 0:
        return
    word = _FAMILY.match(lexeme.text)
    if word is None:
        raise lexeme.part(index, index + 1).error("`(` in a short form", _LONG_FORM)
    family = lexeme.part(0, word.end())
    if family.text in ("function", "statement"):
        raise family.error(f"`{family.text}` of what?", f"write kernel.{lexeme.text}")
    raise family.error(f"`{family.text}` is no place that localvar can probe", _START)


def _parse_long(cursor: Cursor) -> Coordinate:
    word = cursor.word()
    module = None
    if word.text == "module":
        module = check_name(cursor.argument("module")[0], "module")
    cursor.expect(".", word.text if module is None else "module(…)")
    target = _parse_target(cursor, module)
    while cursor.accept("."):
        target = _add_suffix(target, cursor, cursor.word())
    return Coordinate(target, module, _parse_presence(cursor))


def _parse_target(cursor: Cursor, module: str | None) -> Target:
    word = cursor.word()
    if word.text == "function":
        return _function(cursor.argument("function")[0])
    if word.text == "statement":
        argument, quoted = cursor.argument("statement")
        if not quoted and argument.text[:1].isdigit():
            return _address(argument, module)
        return Statement(*parse_pattern(argument))
    raise (word if word.text else cursor.here(1)).error("`function` or `statement` expected",
                                                        _EXAMPLE)


def _function(argument: Lexeme) -> Function:
    if argument.text[:2].lower() == "0x":
        raise argument.error("a function is written by its name", f"write kernel.statement({argument.text})")
    name, file, where = parse_pattern(argument)
    if isinstance(where, ByteOffset):
        raise argument.error(f"`{argument.text}` is an instruction, not a function",
                             f'write statement("{argument.text}")')
    return Function(name, file, where)


def _address(argument: Lexeme, module: str | None) -> AbsoluteAddress:
    if module is not None:
        raise argument.error("a module has no link-time address", "write statement(\"function+0xoffset\")")
    return AbsoluteAddress(check_number(argument, "an address", 0, MAX_ADDRESS, hexadecimal=True))


def _add_suffix(target: Target, cursor: Cursor, word: Lexeme) -> Target:
    """The target with one more suffix; an error where it has none such or it contradicts an earlier one."""
    if word.text == "callees":
        raise word.error("`.callees` is not supported", 'write .callee("*")')
    table = _SUFFIXES.get(type(target), {})
    if word.text in table:
        return table[word.text](target, cursor, word)
    if any(word.text in other for other in _SUFFIXES.values()):
        raise word.error(f"`.{word.text}` does not follow {_kind(target)}")
    fix = "one of " + ", ".join(f".{suffix}" for suffix in table)
    if not word.text:
        raise cursor.here(1).error("a suffix expected after `.`", fix)
    raise word.error(f"no suffix `.{word.text}`", fix)


def _kind(target: Target) -> str:
    if isinstance(target, AbsoluteAddress):
        return "statement(address)"
    return "function(…)" if isinstance(target, Function) else "statement(…)"


def _variant(variant: Variant) -> Callable[[Target, Cursor, Lexeme], Target]:
    def add(target: Target, cursor: Cursor, word: Lexeme) -> Target:
        assert isinstance(target, Function)
        _contradiction(word, target.variant is not Variant.ANY, f".{target.variant.value}")
        _contradiction(word, target.label is not None, ".label")
        _contradiction(word, target.exported and variant is Variant.INLINE, ".exported")
        return replace(target, variant=variant)
    return add


def _exported(target: Target, cursor: Cursor, word: Lexeme) -> Target:
    assert isinstance(target, Function)
    _contradiction(word, target.exported, ".exported")
    _contradiction(word, target.label is not None, ".label")
    _contradiction(word, target.callee is not None, ".callee")
    _contradiction(word, target.variant is Variant.INLINE, ".inline")
    return replace(target, exported=True)


def _label(target: Target, cursor: Cursor, word: Lexeme) -> Target:
    assert isinstance(target, Function)
    _contradiction(word, target.label is not None, ".label")
    _contradiction(word, target.callee is not None, ".callee")
    _contradiction(word, target.exported, ".exported")
    _contradiction(word, target.variant is not Variant.ANY, f".{target.variant.value}")
    return replace(target, label=check_name(cursor.argument("label")[0], "label"))


def _callee(target: Target, cursor: Cursor, word: Lexeme) -> Target:
    assert isinstance(target, Function)
    _contradiction(word, target.callee is not None, ".callee")
    _contradiction(word, target.label is not None, ".label")
    _contradiction(word, target.exported, ".exported")
    return replace(target, callee=check_name(cursor.argument("callee")[0], "callee"))


def _maxactive(target: Target, cursor: Cursor, word: Lexeme) -> Target:
    assert isinstance(target, Function)
    _contradiction(word, target.maxactive is not None, ".maxactive")
    if target.variant is not Variant.RETURN:
        raise word.error("`.maxactive` belongs to a return probe", "write .return.maxactive(n)")
    number = check_number(cursor.argument("maxactive")[0], "a count of instances", 1, MAX_MAXACTIVE)
    return replace(target, maxactive=number)


def _nearest(target: Target, cursor: Cursor, word: Lexeme) -> Target:
    assert isinstance(target, Statement)
    _contradiction(word, target.nearest, ".nearest")
    if not isinstance(target.where, (Lines, RelativeLine)):
        raise word.error("`.nearest` needs a line", 'write statement("f@file:line").nearest')
    return replace(target, nearest=True)


def _absolute(target: Target, cursor: Cursor, word: Lexeme) -> Target:
    """SystemTap's spelling of what statement(address) means already."""
    return target


_Suffix = Callable[[Target, Cursor, Lexeme], Target]
_SUFFIXES: dict[type[Target], dict[str, _Suffix]] = {
    Function: {
        "call": _variant(Variant.CALL),
        "inline": _variant(Variant.INLINE),
        "return": _variant(Variant.RETURN),
        "exported": _exported,
        "label": _label,
        "callee": _callee,
        "maxactive": _maxactive,
    },
    Statement: {"nearest": _nearest},
    AbsoluteAddress: {"absolute": _absolute},
}


def _contradiction(word: Lexeme, present: bool, other: str) -> None:
    if present:
        raise word.error(f"`.{word.text}` cannot follow `{other}`")


def _parse_presence(cursor: Cursor) -> Presence:
    for presence in (Presence.OPTIONAL, Presence.SUFFICIENT):
        if cursor.accept(presence.value):
            return presence
    return Presence.REQUIRED


def _expect_end(cursor: Cursor) -> None:
    rest = cursor.here()
    if rest.text.startswith(","):
        raise rest.part(0, 1).error(ONE_COORDINATE, SEVERAL_ARGUMENTS)
    if rest.text:
        raise rest.error(f"`{rest.text}` follows the end of the coordinate")
