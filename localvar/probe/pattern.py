# SPDX-License-Identifier: GPL-2.0-or-later
"""The part of a coordinate that names code: `f@file:line` as SystemTap writes it, and perf's short forms."""

from __future__ import annotations

import re

from localvar.probe.lexeme import Lexeme, check_file, check_function, check_name, check_number
from localvar.probe.target import (
    AbsoluteAddress,
    AllLines,
    ByteOffset,
    Function,
    Lines,
    LineSpec,
    RelativeLine,
    Statement,
    Target,
    Variant,
    Where,
)

MAX_LINE = 2**31 - 1
MAX_OFFSET = 2**32 - 1
MAX_ADDRESS = 2**64 - 1

ONE_COORDINATE = "one string holds one coordinate"
SEVERAL_ARGUMENTS = "give several coordinates as several arguments of the macro"

_SUFFIX = re.compile(r"\.(call|inline|return|exported|nearest)$")
_LINE = re.compile(r"[0-9+]|\*$")
_EXTENSION = re.compile(r"\.[A-Za-z]{1,3}$")


def parse_pattern(lexeme: Lexeme) -> tuple[str, str | None, Where | None]:
    """SystemTap's `f`, `f@file`, `f@file:line` and our `f+0xoffset`: name, file, where (None: not said)."""
    name, at, rest = _cut(lexeme, "@")
    if not at:
        return _without_file(lexeme)
    match = re.search(r"[:+]", rest.text)
    if match is None:
        return check_function(name), check_file(rest), None
    file, tail = rest.part(0, match.start()), rest.part(match.end())
    if match.group() == ":":
        where: Where = parse_line(tail)
    elif tail.text[:2].lower() == "0x":
        where = _byte_offset(tail)
    else:
        where = _relative(tail)
    return check_function(name), check_file(file), where


def parse_line(lexeme: Lexeme) -> LineSpec:
    """What follows `file:`: `450`, `10-20`, `10,15-17`, `+12` or `*`."""
    if lexeme.text == "*":
        return AllLines()
    if lexeme.text.startswith("+"):
        return _relative(lexeme.part(1))
    return Lines(tuple(_range(part) for part in lexeme.split(",")))


def parse_short(lexeme: Lexeme) -> tuple[str | None, Target]:
    """perf's `f`, `f+0x1c`, `f:12`, `f%return`, `file.c:450`, `mod:f`, and `f@file…`, `0xaddress`.

    Gives the module (None: the kernel) and the target.
    """
    if lexeme.text[:2].lower() == "0x":
        return None, AbsoluteAddress(check_number(lexeme, "an address", 0, MAX_ADDRESS, hexadecimal=True))
    _refuse_foreign(lexeme)
    module, code = _cut_module(lexeme)
    name = None if module is None else check_name(module, "module")
    body, percent, suffix = _cut(code, "%")
    if percent:
        return name, _returns(body, suffix)
    return name, _short_target(code)


def _cut(lexeme: Lexeme, separator: str) -> tuple[Lexeme, bool, Lexeme]:
    """Before the first separator, is there one, after it."""
    index = lexeme.text.find(separator)
    if index < 0:
        return lexeme, False, lexeme.part(len(lexeme.text))
    return lexeme.part(0, index), True, lexeme.part(index + 1)


def _without_file(lexeme: Lexeme) -> tuple[str, None, Where | None]:
    name, plus, offset = _cut(lexeme, "+")
    if plus:
        return check_function(name), None, _byte_offset(offset)
    name, colon, line = _cut(lexeme, ":")
    if colon:
        raise lexeme.error(f"`{lexeme.text}` names no file",
                           f"write {name.text}@file:{line.text} for a line of the file, "
                           f"{name.text}@*:+{line.text.lstrip('+')} for lines from the function's first")
    return check_function(lexeme), None, None


def _byte_offset(lexeme: Lexeme) -> ByteOffset:
    return ByteOffset(check_number(lexeme, "an offset in bytes", 0, MAX_OFFSET, hexadecimal=True))


def _relative(lexeme: Lexeme) -> RelativeLine:
    return RelativeLine(check_number(lexeme, "a number of lines", 0, MAX_LINE))


def _range(lexeme: Lexeme) -> tuple[int, int]:
    first, dash, last = _cut(lexeme, "-")
    low = check_number(first, "a line number", 1, MAX_LINE)
    high = check_number(last, "a line number", 1, MAX_LINE) if dash else low
    if high < low:
        raise lexeme.error(f"the range {low}-{high} ends before it starts", f"write {high}-{low}")
    return low, high


def _refuse_foreign(lexeme: Lexeme) -> None:
    """Name the notations of the peers that have no meaning here."""
    for notation, message, fix in (
        (",(?![0-9])", ONE_COORDINATE, SEVERAL_ARGUMENTS),
        (";", "perf's search for a line by its text is not supported", "write file.c:line"),
        ("=", "perf's event names are not supported", "write the coordinate alone"),
    ):
        match = re.search(notation, lexeme.text)
        if match:
            raise lexeme.part(match.start(), match.end()).error(message, fix)


def _cut_module(lexeme: Lexeme) -> tuple[Lexeme | None, Lexeme]:
    """Decide what `a:b` is: a line of a where b is a number, else module and function."""
    first, colon, rest = _cut(lexeme, ":")
    if not colon or "@" in first.text:
        return None, lexeme
    if rest.text == "*" and not _is_file(first.text):
        a = first.text
        raise lexeme.error(f"`{lexeme.text}` can be read in two ways",
                           f'write kernel.statement("{a}@*:*") for all lines of {a}, '
                           f'module("{a}").function("*") for all functions of module {a}')
    if _LINE.match(rest.text):
        return None, lexeme
    if _is_file(first.text):
        raise lexeme.error(f"a line number expected after `{first.text}:`",
                           f"a function of one file is written {rest.text or 'function'}@{first.text}")
    return first, rest


def _is_file(text: str) -> bool:
    """A path has a slash or an extension of one to three letters; a clone (f.isra.0, f.cold) has neither."""
    return "/" in text or _EXTENSION.search(text) is not None


def _returns(function: Lexeme, suffix: Lexeme) -> Function:
    if suffix.text != "return":
        raise suffix.error("`return` expected after `%`" + (f", not `{suffix.text}`" if suffix.text else ""))
    line = re.search("[:+]", function.text)
    if line:
        raise function.part(line.start()).error("a return probe takes a function, not a place in it")
    name, at, file = _cut(function, "@")
    return Function(check_function(name), check_file(file) if at else None, variant=Variant.RETURN)


def _short_target(code: Lexeme) -> Target:
    if "@" in code.text:
        return _short_with_file(code)
    subject, colon, line = _cut(code, ":")
    if not colon:
        return _short_function(code)
    if not _is_file(subject.text):
        return Statement(check_function(subject), None, _short_line(subject, line))
    where = parse_line(line)
    if isinstance(where, RelativeLine):
        raise line.error("lines are counted from a function's first line, and no function is named",
                         f"write {subject.text}:{where.offset} or f@{subject.text}:{where}")
    return Statement("*", check_file(subject), where)


def _short_line(function: Lexeme, line: Lexeme) -> LineSpec:
    """perf counts `f:12` from the function's first line."""
    if line.text == "*":
        return AllLines()
    if "-" in line.text or "," in line.text:
        raise line.error("several lines are counted from the file's start, and no file is named",
                         f"write {function.text}@file:{line.text}")
    return _relative(line.part(1) if line.text.startswith("+") else line)


def _short_function(code: Lexeme) -> Target:
    match = _SUFFIX.search(code.text)
    if match:
        raise code.error(f"`{code.text}` is not a function's name",
                         f'write kernel.function("{code.text[:match.start()]}"){match.group()}')
    if "/" in code.text:
        raise code.error(f"`{code.text}` names no function and no line", f"write {code.text}:* for all lines of the file")
    name, file, where = parse_pattern(code)
    return Function(name, file) if where is None else Statement(name, file, where)


def _short_with_file(code: Lexeme) -> Target:
    """SystemTap's meaning; `f@file+12` is lines to SystemTap and bytes to perf, so it is refused."""
    name, file, where = parse_pattern(code)
    number = code.text.rpartition("+")[2]
    if isinstance(where, RelativeLine) and not code.text.endswith(":+" + number):
        prefix = code.text[:-len(number) - 1]
        raise code.error(f"`{code.text}` is lines to SystemTap and bytes to perf",
                         f"write {prefix}:+{number} for lines, {prefix}+{int(number):#x} for bytes")
    return Function(name, file) if where is None else Statement(name, file, where)
