# SPDX-License-Identifier: GPL-2.0-or-later
"""What a file declares: probes, kprobes with PROBE_LOCATION, aliases, set-up and clean-up functions."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from localvar.diagnostics import Log, Note
from localvar.model.source import Alias, Argument, Handler, Hook, Macro, ProbeDeclaration, ProbeKind, Role
from localvar.source.functions import Body, Declaration
from localvar.source.lexer import Kind, decode
from localvar.source.macros import Locator, Use
from localvar.source.parse import Initialised, Signature
from localvar.source.stream import Definition, Piece, Stream, spelled

_SIGNATURES = {
    Macro.LOCALVAR_PROBE: ("int", ("struct pt_regs *", "void *", "int"),
                           "int {0}(struct pt_regs *regs, void *buf, int bufsize)"),
    Macro.LOCALVAR_BEGIN: ("int", (), "int {0}(void)"),
    Macro.LOCALVAR_END: ("void", (), "void {0}(void)"),
}
_KPROBE_HANDLERS = {"pre_handler": Role.PRE, "post_handler": Role.POST}
_KRETPROBE_HANDLERS = {"handler": Role.RETURN, "entry_handler": Role.ENTRY}
_KPROBE = 'write struct kprobe kp = { PROBE_LOCATION("…"), .pre_handler = handler };'
_KRETPROBE = 'write struct kretprobe rp = { .kp = { PROBE_LOCATION("…") }, .handler = handler };'
_ALIAS = re.compile(r"(?!(?:kernel|module)\.)[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*", re.ASCII)
_ESCAPES = {"n": 10, "t": 9, "r": 13, "a": 7, "b": 8, "f": 12, "v": 11, "e": 27, "E": 27}
_ESCAPE = re.compile(r"\\(?:([0-7]{1,3})|x([0-9a-fA-F]+)|(.))", re.S)


@dataclass
class Declared:
    """What a file declares."""

    probes: list[ProbeDeclaration]
    aliases: list[Alias]
    hooks: list[Hook]


@dataclass(frozen=True)
class Context:
    """What the declarations of one file are read against.

    functions: those of the whole module by name.  initialised_at: what a brace begins an initialiser of.
    evaluate: the value of a string expression with macros in it, as seen at a declaration.
    """

    stream: Stream
    functions: Mapping[str, Body]
    bodies: Sequence[Body]
    declarations: Sequence[Declaration]
    macros: Mapping[str, Sequence[Definition]]
    initialised_at: Callable[[Piece], Initialised | None]
    evaluate: Callable[[int, str], bytes | None]
    locator: Locator
    log: Log


def declared(uses: Sequence[Use], context: Context) -> Declared:
    """The declarations among the uses of a stream; what is wrong with them is reported, and they are left out."""
    result = Declared([], [], [])
    readers: Mapping[Macro, Callable[[Use, Context, Declared], None]] = {
        Macro.LOCALVAR_PROBE: _probe, Macro.PROBE_LOCATION: _location, Macro.PROBE_ALIAS: _alias,
        Macro.LOCALVAR_BEGIN: _hook, Macro.LOCALVAR_END: _hook, Macro.LOCALVAR_MODULE: _hook,
    }
    for use in uses:
        reader = readers.get(use.macro)
        if reader is not None and (use.macro is Macro.PROBE_LOCATION or _at_file_scope(use, context)):
            reader(use, context, result)
    return result


def check_once(found: Declared, locator: Locator, log: Log) -> None:
    """Complain of what a module can have only once: each hook, each alias, and for each handler a LOCALVAR_PROBE."""
    probes = [probe for probe in found.probes if probe.kind is ProbeKind.PROBE]
    for number, probe in enumerate(probes):
        name = probe.handlers[0].function
        before = next((other for other in probes[:number] if other.handlers[0].function == name), None)
        if before is not None:
            log.error("second-probe", f"LOCALVAR_PROBE of {name}() a second time", probe.span,
                      notes=(Note("it is here already", before.span), *locator.notes(probe.copy or "")),
                      fix="give one LOCALVAR_PROBE all the coordinates")
    for number, alias in enumerate(found.aliases):
        earlier = next((other for other in found.aliases[:number] if other.name == alias.name), None)
        if earlier is not None:
            log.error("second-alias", f"PROBE_ALIAS \"{alias.name}\" a second time", alias.span,
                      notes=(Note("it is here already", earlier.span), *locator.notes(alias.copy or "")),
                      fix="give one PROBE_ALIAS all the coordinates")
    for number, hook in enumerate(found.hooks):
        first = next((other for other in found.hooks[:number] if other.macro is hook.macro), None)
        if first is not None:
            slug = "second-module" if hook.macro is Macro.LOCALVAR_MODULE else "second-hook"
            log.error(slug, f"{hook.macro.value}() a second time", hook.span,
                      notes=(Note("it is here already", first.span), *locator.notes(hook.copy or "")),
                      fix="leave one of them out")


def literal(text: str) -> bytes | None:
    """The bytes of a C string literal without prefix (C11 6.4.5), given as Latin-1; None for any other token."""
    if len(text) < 2 or text[0] != '"':
        return None
    result = bytearray()
    at = 1
    for match in _ESCAPE.finditer(text, 1, len(text) - 1):
        result += text[at:match.start()].encode("latin-1")
        octal, hexadecimal, other = match.groups()
        if other is None:
            result.append(int(octal, 8) & 0xff if octal else int(hexadecimal, 16) & 0xff)
        elif other in "uUx":
            return None
        else:
            result += bytes([_ESCAPES[other]]) if other in _ESCAPES else other.encode("latin-1")
        at = match.end()
    return bytes(result + text[at:-1].encode("latin-1"))


def _at_file_scope(use: Use, context: Context) -> bool:
    inside = next((b for b in context.bodies if b.brace < use.first < b.last), None)
    if inside is None and context.stream.parent[use.first] < 0:
        return True
    place = f"in {inside.name}()" if inside is not None else "in another declaration"
    context.log.error("not-at-file-scope", f"{use.macro.value} {place}", use.span,
                      notes=context.locator.notes(use.copy), fix=f"move {use.macro.value} out, to file scope")
    return False


def _probe(use: Use, context: Context, result: Declared) -> None:
    function = _function(use, context)
    coordinates = _strings(use, 1, context)
    if function is not None and coordinates is not None:
        handler = Handler(Role.PROBE, function, use.arguments[0].span)
        result.probes.append(
            ProbeDeclaration(ProbeKind.PROBE, use.span, (handler,), coordinates, use.copy or None))


def _alias(use: Use, context: Context, result: Declared) -> None:
    strings = _strings(use, 0, context)
    if strings is not None and not _ALIAS.fullmatch(strings[0].text):
        context.log.error("alias-name", f"\"{strings[0].text}\" cannot be the name of an alias", strings[0].span,
                          notes=context.locator.notes(use.copy),
                          fix="write words of letters, digits and _ with dots between them")
    elif strings is not None:
        result.aliases.append(Alias(strings[0].text, strings[1:], use.span, use.copy or None))


def _hook(use: Use, context: Context, result: Declared) -> None:
    function = _function(use, context) if use.arguments else None
    if function is None and use.arguments:
        return
    result.hooks.append(Hook(use.macro, function, use.span, use.copy or None))


def _function(use: Use, context: Context) -> str | None:
    """The function that the first argument names, where it is one of the module's and fits the macro."""
    name, log = use.arguments[0].text, context.log
    notes = context.locator.notes(use.copy)
    body = context.functions.get(name)
    if body is None:
        log.error("no-such-handler", f"{use.macro.value}: no function {name}() is defined here",
                  use.arguments[0].span, notes=notes + _close_names(name, context), fix=f"define {_form(use.macro, name)}")
        return None
    if body.signature is not None and not _fits(body.signature, use.macro):
        log.error("wrong-signature", f"{use.macro.value}: {name}() is declared {_shown(body.signature)}",
                  use.arguments[0].span, notes=(Note(f"{name}() is defined here", body.span), *notes),
                  fix=f"declare it {_form(use.macro, name)}")
        return None
    return name


def _form(macro: Macro, name: str) -> str:
    return _SIGNATURES[macro][2].format(name)


def _fits(signature: Signature, macro: Macro) -> bool:
    result, parameters, _ = _SIGNATURES[macro]
    return (signature.result, tuple(kind for _, kind in signature.parameters)) == (result, parameters)


def _shown(signature: Signature) -> str:
    parameters = ", ".join(kind for _, kind in signature.parameters) or "void"
    return f"{signature.result} {signature.name}({parameters})"


def _close_names(name: str, context: Context) -> tuple[Note, ...]:
    import difflib

    close = difflib.get_close_matches(name, context.functions, n=3)
    return (Note(f"close names: {', '.join(close)}"),) if close else ()


def _strings(use: Use, first: int, context: Context) -> tuple[Argument, ...] | None:
    """The arguments from the first on as strings; None where one is no string (reported)."""
    found = []
    for number in range(first, len(use.pieces)):
        value = _value(use.pieces[number], use, context)
        span = use.arguments[number].span
        if value is None:
            context.log.error("not-a-string", f"{use.macro.value}: argument {number + 1} is no string literal", span,
                              notes=context.locator.notes(use.copy), fix='write it as "…"')
            return None
        found.append(Argument(value.decode("utf-8", "replace"), span))
    return tuple(found)


def _value(pieces: Sequence[Piece], use: Use, context: Context) -> bytes | None:
    parts = [literal(p.text) if p.kind is Kind.STRING else None for p in pieces]
    if all(part is not None for part in parts):
        return b"".join(part for part in parts if part is not None)
    if any(p.kind is not Kind.NAME and not (p.kind is Kind.STRING and p.text.startswith(('"', 'u8"'))) for p in pieces):
        return None
    return context.evaluate(_declaration_start(use, context), spelled(pieces))


def _declaration_start(use: Use, context: Context) -> int:
    """The offset, in the stream's file, of the declaration or function in which a use stands."""
    places = [(d.first, d.last) for d in context.declarations if d.stream is context.stream]
    places += [(b.first, b.last) for b in context.bodies]
    first = next((first for first, last in places if first <= use.first <= last), use.first)
    piece = context.stream.pieces[first]
    start, copy = piece.start, piece.copy
    while copy:
        start, copy = context.locator.copies[copy].start, context.locator.copies[copy].parent
    return start


def _location(use: Use, context: Context, result: Declared) -> None:
    """PROBE_LOCATION: the initialiser around it says which handlers it is for."""
    stream = context.stream
    brace = stream.parent[use.first]
    coordinates = _strings(use, 0, context)
    if coordinates is None:
        return
    kind = _initialised_type(brace, context)
    if stream.text(brace) != "{" or (kind is not None and kind != "struct kprobe") \
            or any(b.brace == brace for b in context.bodies):
        what = f"the initialiser of a {kind}" if kind else "no initialiser"
        context.log.error("not-in-kprobe", f"PROBE_LOCATION in {what}", use.span,
                          notes=context.locator.notes(use.copy), fix=_KRETPROBE if kind == "struct kretprobe" else _KPROBE)
        return
    outer = stream.parent[brace]
    handlers = _handlers(brace, _KPROBE_HANDLERS, context)
    returns = [stream.text(i) for i in range(max(brace - 3, 0), brace)] == [".", "kp", "="] \
        or (stream.text(outer) == "{" and _initialised_type(outer, context) == "struct kretprobe")
    if returns:
        handlers += _handlers(outer, _KRETPROBE_HANDLERS, context)
    handlers += _assigned(use, context, returns)
    result.probes.append(ProbeDeclaration(
        ProbeKind.KRETPROBE if returns else ProbeKind.KPROBE, use.span, tuple(handlers), coordinates,
        use.copy or None))


def _initialised_type(brace: int, context: Context) -> str | None:
    if brace < 0 or context.stream.text(brace) != "{" or context.stream.pieces[brace].copy:
        return None
    found = context.initialised_at(context.stream.pieces[brace])
    return found.type.removeprefix("const ") if found is not None else None


def _handlers(brace: int, roles: Mapping[str, Role], context: Context) -> list[Handler]:
    """The functions that `.member = function` names directly inside a brace."""
    stream = context.stream
    found = []
    for at in range(brace + 1, stream.partner.get(brace, brace)):
        role = roles.get(stream.text(at))
        designator = (stream.text(at - 1), stream.text(at + 1)) == (".", "=") and stream.parent[at] == brace
        if role is not None and designator:
            end = at + 2
            while stream.text(end) != "," and end < stream.partner[brace]:
                end = stream.partner.get(end, end) + 1
            found += _named(role, at + 2, end, context)
    return found


def _assigned(use: Use, context: Context, returns: bool) -> list[Handler]:
    """Handlers that are assigned in code to the variable whose initialiser the use stands in: `kp.pre_handler = f;`."""
    stream = context.stream
    variables = next((d.variables for d in context.declarations
                      if d.stream is stream and d.first <= use.first <= d.last), ())
    roles = _KRETPROBE_HANDLERS if returns else _KPROBE_HANDLERS
    found = []
    for at in (i for b in context.bodies for i in range(b.brace, b.last) if stream.text(i) in variables):
        member = at + 1
        while stream.text(member) == "[":
            member = stream.partner.get(member, member) + 1
        role = roles.get(stream.text(member + 1))
        if stream.text(at - 1) in (".", "->") or stream.text(member) != "." or role is None \
                or stream.text(member + 2) != "=":
            continue
        end = member + 3
        while end < len(stream.pieces) and stream.text(end) not in (";", ","):
            end = stream.partner.get(end, end) + 1
        found += _named(role, member + 3, end, context)
    return found


def _named(role: Role, first: int, end: int, context: Context) -> list[Handler]:
    """The function named by the pieces [first, end): `f`, `&f`, `(type)f`, or a macro that is one of these."""
    stream = context.stream
    pieces = list(stream.pieces[first:end])
    while pieces and pieces[0].text in ("&", "("):
        close = stream.partner.get(first)
        whole = pieces[0].text == "(" and close == end - 1
        skip = 1 if whole or pieces[0].text == "&" else (close or first) - first + 1
        first, end = first + skip, end - whole
        pieces = list(stream.pieces[first:end])
    if len(pieces) == 1 and pieces[0].kind is Kind.NAME:
        return _handler(role, pieces[0], context)
    if [p.text for p in pieces] != ["0"]:
        place = pieces[0] if pieces else stream.pieces[first - 1]
        context.log.error("unclear-handler", "the handler is not named here", context.locator.span(place),
                          fix="write the function's name")
    return []


def _handler(role: Role, piece: Piece, context: Context) -> list[Handler]:
    name = piece.text
    while name not in context.functions and name in context.macros:
        body = context.macros[name][-1].body
        if len(body) != 1 or body[0].text == name:
            break
        name = body[0].text
    if name == "NULL":
        return []
    return [Handler(role, decode(name), context.locator.span(piece))]


