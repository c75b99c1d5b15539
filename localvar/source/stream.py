# SPDX-License-Identifier: GPL-2.0-or-later
"""The tokens of the module's files as the compiler sees them, as far as localvar's macros are concerned.

Dead #if branches are left out.  A macro of the module whose body holds one of localvar's macros (a *carrier*)
is expanded in place, as C11 6.10.3 has it; every other macro use stays as written.  Each piece knows where it
is written: in the text of a file, or in the body of a carrier (`copy`).

Why copies: `#define PID() GET_LOCAL_VAR(tsk)->pid` means different code in each function that uses it, so its
body cannot be rewritten, and the expanded text of a use must not replace it: libclang's expansion of the
kernel's macros is not gcc's.  So each use gets a copy of the macro under a name of its own, whose body is
then rewritten like any text; the use is renamed.  Names in a macro's body mean what they mean at the use, so
a copy works wherever it is defined.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from localvar.diagnostics import Log
from localvar.model.source import Macro
from localvar.source.lexer import File, Kind, Token, alive, tokenize

LOCALVAR_MACROS = {macro.value: macro for macro in Macro}
VARIADIC = "__VA_ARGS__"


class Piece(NamedTuple):
    """A token of a stream, written at [start, end) of `path`; copy names the carrier copy it belongs to, or "".

    made: put together by # or ## from other tokens, and so written nowhere in this form.  painted: the name of a macro
    that came up in its own expansion and is never expanded.
    """

    kind: Kind
    text: str
    path: str
    start: int
    end: int
    copy: str = ""
    made: bool = False
    painted: bool = False


@dataclass(frozen=True)
class Definition:
    """A macro of the module.  parameters is None for an object-like one; the variadic one comes last, as its name.

    after_name, end: the bytes of the directive behind the macro's name.
    """

    name: str
    parameters: tuple[str, ...] | None
    variadic: bool
    body: tuple[Token, ...]
    path: str
    after_name: int
    end: int


@dataclass(frozen=True)
class Copy:
    """A use of a carrier: the copy's name, the carrier, where its name stands, and in the body of which copy that is.

    end: where the use ends, in the file or body that its name stands in.
    """

    name: str
    carrier: Definition
    path: str
    start: int
    name_end: int
    end: int
    parent: str


@dataclass
class Stream:
    """The pieces of one file, with its brackets matched.

    partner: of each bracket the index of the other one.  parent: of each piece the index of the bracket
    around it, or -1.  An unmatched bracket has no partner (the compiler complains about it).
    """

    path: str
    pieces: list[Piece]

    def __post_init__(self) -> None:
        self.partner: dict[int, int] = {}
        self.parent: list[int] = []
        opened: list[int] = []
        for index, piece in enumerate(self.pieces):
            if piece.kind is Kind.PUNCTUATOR and piece.text in ")]}":
                if opened and _CLOSING[self.pieces[opened[-1]].text] == piece.text:
                    self.partner[index] = opened[-1]
                    self.partner[opened.pop()] = index
                self.parent.append(opened[-1] if opened else -1)
            else:
                self.parent.append(opened[-1] if opened else -1)
                if piece.kind is Kind.PUNCTUATOR and piece.text in _CLOSING:
                    opened.append(index)

    def text(self, index: int) -> str:
        """The text of a piece, "" behind the last one and before the first."""
        return self.pieces[index].text if 0 <= index < len(self.pieces) else ""


_CLOSING = {"(": ")", "[": "]", "{": "}"}


class Streams:
    """Makes the streams of a module's files, which share their macro definitions in the order of inclusion.

    files: the module's files by path.  dead: the bytes of each that are not compiled.  expanded: in the files
    for which it is known, the offsets of the macro names that the compiler expanded (elsewhere all are taken
    to be). included: what an #include directive at (path, line's offset) brings in, where that is a file of
    the module.  names: what makes a macro a carrier.
    """

    def __init__(self, files: Mapping[str, File], dead: Callable[[str], Sequence[tuple[int, int]]],
                 expanded: Mapping[str, Collection[int]], included: Callable[[str, int, int], str | None],
                 log: Log, names: Collection[str] = frozenset(LOCALVAR_MACROS)) -> None:
        self._files, self._dead, self._included, self._log = files, dead, included, log
        self._names = names
        self.expanded = expanded
        self._macros: dict[str, Definition] = {}
        self._carrying: frozenset[str] | None = None
        self.definitions: dict[str, list[Definition]] = {}
        self.copies: dict[str, Copy] = {}
        self._named: dict[tuple[str, int, str], str] = {}
        self.streams: dict[str, Stream] = {}

    def read(self, path: str) -> Stream:
        """The stream of a file, and through its #include directives those of the module's headers."""
        file = self._files[path]
        self.streams[path] = Stream(path, [])
        pieces: list[Piece] = []
        run: list[Piece] = []
        for token in alive(tokenize(file.text), self._dead(path)):
            if token.kind is Kind.DIRECTIVE:
                pieces += self._flush(run, inside=token, path=path)
                self._directive(token, path)
            else:
                run.append(Piece(token.kind, token.text, path, token.start, token.end))
        pieces += self._flush(run, inside=None, path=path)
        self.streams[path] = Stream(path, pieces)
        return self.streams[path]

    def again(self, names: Collection[str]) -> Streams:
        """The streams of the same files with the macros expanded whose bodies hold one of these names, and no others.

        Macros are expanded wherever they look like a use, and nothing is complained about: to look at, not to rewrite.
        """
        other = Streams(self._files, self._dead, {}, self._included, Log(), names)
        other.read(next(iter(self.streams)))
        return other

    def _flush(self, run: list[Piece], *, inside: Token | None, path: str) -> list[Piece]:
        """Expand what was read up to a directive, unless that stands in the arguments of a carrier."""
        opened = _unclosed(run, {*self._carriers(), *self._names}) if inside is not None else None
        if opened is not None and inside is not None:
            span = self._files[path].span(inside.start, inside.end)
            self._log.error("directive-in-macro", f"a preprocessing directive in the arguments of {opened}",
                            span, fix="move the directive out of the macro's arguments")
        expanded = self._expand(run, frozenset())
        run.clear()
        return expanded

    def _carriers(self) -> frozenset[str]:
        """The macros whose body holds, itself or through other macros, one of localvar's."""
        if self._carrying is None:
            found: set[str] = set()
            before = -1
            while len(found) != before:
                before = len(found)
                found |= {name for name, macro in self._macros.items() if any(
                    t.kind is Kind.NAME and (t.text in self._names or t.text in found) for t in macro.body)}
            self._carrying = frozenset(found)
        return self._carrying

    def _directive(self, token: Token, path: str) -> None:
        inner = tokenize(self._files[path].text, token.start + 1, token.end, directives=False)
        if not inner or inner[0].kind is not Kind.NAME:
            return
        word = inner[0].text
        if word == "define" and len(inner) > 1 and inner[1].kind is Kind.NAME:
            definition = _definition(inner[1], inner[2:], path, token.end)
            self._macros[definition.name] = definition
            self.definitions.setdefault(definition.name, []).append(definition)
            self._carrying = None
        elif word == "undef" and len(inner) > 1:
            self._macros.pop(inner[1].text, None)
            self._carrying = None
        elif word in ("include", "include_next"):
            header = self._included(path, token.start, token.end)
            if header is not None and header not in self.streams:
                self.read(header)

    def _expand(self, pieces: Sequence[Piece], hidden: frozenset[str]) -> list[Piece]:
        """The pieces with carriers expanded; hidden: those whose own expansion this is (C11 6.10.3.4p2)."""
        result: list[Piece] = []
        at = 0
        while at < len(pieces):
            piece, definition = self._meaning(pieces[at], hidden)
            end, arguments = at + 1, []
            if definition is not None and definition.parameters is not None:
                end = _closing(pieces, at + 1)
                arguments = split(pieces[at + 2:end - 1])
            if definition is None or end == 0:
                result.append(self._painted(piece, hidden))
                at += 1
                continue
            copy = self._copy(definition, pieces[at], pieces[end - 1])
            body = self._substituted(definition, arguments, copy, hidden)
            result += self._expand(body, hidden | {definition.name})
            at = end
        return result

    def _meaning(self, piece: Piece, hidden: frozenset[str]) -> tuple[Piece, Definition | None]:
        """The carrier that a name stands for.

        A macro that is but another name (`#define V GET_LOCAL_VAR`) is seen through: the piece then has that name.
        """
        written = self.expanded.get(piece.path)
        if not piece.copy and not piece.made and written is not None and piece.start not in written:
            return piece, None
        while self._may_expand(piece, hidden):
            definition = self._macros[piece.text]
            if definition.parameters is not None or len(definition.body) != 1:
                return piece, definition
            hidden = hidden | {piece.text}
            piece = piece._replace(text=definition.body[0].text)
        return piece, None

    def _may_expand(self, piece: Piece, hidden: frozenset[str]) -> bool:
        carrier = piece.kind is Kind.NAME and not piece.painted and piece.text in self._carriers()
        return carrier and piece.text not in hidden

    def _painted(self, piece: Piece, hidden: frozenset[str]) -> Piece:
        """A carrier's name in its own expansion stays as it is for good.  In a copy it would be expanded: an error."""
        if piece.kind is not Kind.NAME or piece.text not in hidden or piece.text not in self._carriers():
            return piece
        if piece.copy:
            self._log.error("recursive-macro", f"the macro {piece.text} comes up in its own expansion",
                            self._files[piece.path].span(piece.start, piece.end),
                            fix="call a function of another name there")
        return piece._replace(painted=True)

    def _copy(self, definition: Definition, first: Piece, last: Piece) -> str:
        """A copy for a use of a carrier that is written from first to last.  A use seen twice has one copy."""
        key = (first.path, first.start, first.copy)
        if key not in self._named:
            name = f"localvar_{definition.name}_{len(self.copies)}"
            end = last.end if (last.path, last.copy) == (first.path, first.copy) else first.end
            self._named[key] = name
            self.copies[name] = Copy(name, definition, first.path, first.start, first.end, end, first.copy)
        return self._named[key]

    def _substituted(self, definition: Definition, arguments: list[list[Piece]], copy: str,
                     hidden: frozenset[str]) -> list[Piece]:
        """The body of a carrier with its parameters replaced (C11 6.10.3.1 to 6.10.3.3, GNU's `, ## __VA_ARGS__`)."""
        raw = _bound(definition, arguments)
        ready: dict[str, list[Piece]] = {}
        body = [Piece(t.kind, t.text, definition.path, t.start, t.end, copy) for t in definition.body]
        result: list[Piece] = []
        at = 0
        while at < len(body):
            piece = body[at]
            following = body[at + 1] if at + 1 < len(body) else None
            if piece.text == "#" and following is not None and following.text in raw:
                result.append(_stringified(raw[following.text], piece))
                at += 1
            elif piece.text == "##" and following is not None and result:
                right = raw.get(following.text, [following])
                if result[-1].text == "," and following.text == _rest(definition):
                    result += right if right else []
                    if not right:
                        result.pop()
                else:
                    result += _pasted(result.pop(), right)
                at += 1
            elif piece.text in raw:
                if following is not None and following.text == "##":
                    result += raw[piece.text] or [piece._replace(kind=Kind.OTHER, text="")]
                else:
                    if piece.text not in ready:
                        ready[piece.text] = self._expand(raw[piece.text], hidden)
                    result += ready[piece.text]
            else:
                result.append(piece)
            at += 1
        return [p for p in result if p.text]


def split(pieces: Sequence[Piece]) -> list[list[Piece]]:
    """The arguments of a macro, from the pieces between its parentheses; none where there are no pieces."""
    arguments: list[list[Piece]] = [[]]
    depth = 0
    for piece in pieces:
        if piece.kind is Kind.PUNCTUATOR:
            depth += (piece.text == "(") - (piece.text == ")")
            if piece.text == "," and depth == 0:
                arguments.append([])
                continue
        arguments[-1].append(piece)
    return arguments if pieces else []


def _closing(pieces: Sequence[Piece], opening: int) -> int:
    """The index behind the parenthesis that closes the one at `opening`; 0 where none opens or closes."""
    depth = 0
    for index in range(opening, len(pieces)):
        if pieces[index].kind is Kind.PUNCTUATOR:
            depth += (pieces[index].text == "(") - (pieces[index].text == ")")
        if depth == 0:
            return index + 1 if index > opening else 0
    return 0


def _rest(definition: Definition) -> str | None:
    """The name of the parameter that takes the remaining arguments."""
    return definition.parameters[-1] if definition.parameters and definition.variadic else None


def _bound(definition: Definition, arguments: list[list[Piece]]) -> dict[str, list[Piece]]:
    """The arguments of a carrier by the names of its parameters; the variadic one takes what is left over."""
    names = definition.parameters or ()
    bound = {name: arguments[i] if i < len(arguments) else [] for i, name in enumerate(names)}
    if definition.variadic:
        rest: list[Piece] = []
        at = definition.after_name
        for number, argument in enumerate(arguments[len(names) - 1:]):
            comma = [Piece(Kind.PUNCTUATOR, ",", definition.path, at, at, made=True)] if number else []
            rest += comma + argument
        bound[names[-1]] = rest
    return bound


def spelled(pieces: Sequence[Piece]) -> str:
    """The text of pieces, with one blank where they are written apart."""
    text = ""
    for before, piece in zip([None, *pieces], pieces, strict=False):
        together = before is None or (before.path == piece.path and before.end == piece.start)
        text += piece.text if together else " " + piece.text
    return text


def _stringified(argument: Sequence[Piece], place: Piece) -> Piece:
    text = "".join("\\" + c if c in '"\\' else c for c in spelled(argument))
    return place._replace(kind=Kind.STRING, text=f'"{text}"', made=True)


def _pasted(left: Piece, right: Sequence[Piece]) -> list[Piece]:
    text = left.text + (right[0].text if right else "")
    tokens = tokenize(text, directives=False)
    kind = tokens[0].kind if len(tokens) == 1 else Kind.OTHER
    return [left._replace(kind=kind, text=text, made=True), *right[1:]]


def _definition(name: Token, rest: Sequence[Token], path: str, end: int) -> Definition:
    """A #define directive, from the name on."""
    parameters: tuple[str, ...] | None = None
    variadic = False
    body = list(rest)
    if rest and rest[0].text == "(" and rest[0].start == name.end:
        close = next((i for i, t in enumerate(rest) if t.text == ")"), len(rest) - 1)
        words = [t.text for t in rest[1:close] if t.text != ","]
        variadic = "..." in words
        if variadic:
            named = len(words) > 1 and rest[close - 2].text != ","
            words = words[:-1] if named else [*words[:-1], VARIADIC]
        parameters, body = tuple(words), list(rest[close + 1:])
    return Definition(name.text, parameters, variadic, tuple(body), path, name.end, end)


def _unclosed(pieces: Sequence[Piece], names: Collection[str]) -> str | None:
    """The first of these macros whose arguments are still open at the end of the pieces."""
    opened: list[str] = []
    for before, piece in zip([None, *pieces], pieces, strict=False):
        if piece.kind is Kind.PUNCTUATOR and piece.text == "(":
            opened.append(before.text if before is not None and before.kind is Kind.NAME else "")
        elif piece.kind is Kind.PUNCTUATOR and piece.text == ")" and opened:
            opened.pop()
    return next((name for name in opened if name in names), None)
