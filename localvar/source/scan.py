# SPDX-License-Identifier: GPL-2.0-or-later
"""The scan stage: what a handler file says, exactly where, and what is wrong with it."""

from __future__ import annotations

import functools
import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from localvar.diagnostics import Diagnostic, Log, Span, environment_failure
from localvar.model.source import READS, Function, Macro, MacroCopy, MacroUse, ProbeSource
from localvar.source.files import ModuleFiles, mentions_reads, quoted_headers
from localvar.source.functions import Body, Declaration, items, outermost, references
from localvar.source.guards import guarded
from localvar.source.inclusions import dependencies, headers, include_at, passed_over
from localvar.source.lexer import alive, tokenize
from localvar.source.macros import Locator, Use, find, written
from localvar.source.parse import Inclusion, Message, Place, Unit, unit_flags
from localvar.source.places import places
from localvar.source.probes import Context, Declared, check_once, declared
from localvar.source.problems import is_syntax, is_use, reported
from localvar.source.registers import check_calls, check_name, readers
from localvar.source.stream import LOCALVAR_MACROS, Stream, Streams

_NEEDS_STRUCTURE = frozenset({
    "outside-function", "no-registers", "no-such-handler", "wrong-signature", "not-at-file-scope", "not-in-kprobe",
    "hidden-use",
})
"""Findings that may be no more than consequences of a syntax error."""


@dataclass(frozen=True)
class _Read:
    """One file of the module after reading: its stream, functions, declarations and macro uses."""

    path: str
    stream: Stream
    bodies: list[Body]
    declarations: list[Declaration]
    uses: list[Use]


def scan(path: str, flags: Sequence[str], *, directory: str, text: bytes | None = None, log: Log,
         target: str | None = None) -> ProbeSource:
    """Read a handler file.

    path: the C file, relative to the caller's directory.  flags: gcc's, as Kbuild passes them.  directory:
    gcc's working directory, for relative paths in flags (Kbuild's objtree).  text: the file's contents, where
    they are not to be read from path.  target: clang's name of the machine, where the flags do not tell.

    Errors in the file go to log, and what could be read is returned; the caller decides (Log.check).  Raises
    Failure where the file or libclang cannot be read.
    """
    return scan_unit(path, flags, directory=directory, text=text, log=log, target=target)[0]


def scan_unit(path: str, flags: Sequence[str], *, directory: str, text: bytes | None = None, log: Log,
              target: str | None = None) -> tuple[ProbeSource, Unit]:
    """scan(), and the Unit it read: a later stage asks that what is complete or declared in the file."""
    data = _contents(path) if text is None else text
    bodies = any(mentions_reads(header) for header in quoted_headers(path, data))
    options = unit_flags(flags, directory=directory, target=target)
    module = ModuleFiles(path, data, options)
    unit = Unit(module.main, data, options, header_bodies=bodies)
    inclusions = unit.inclusions()
    module.add(inclusions)
    if module.headers_read_variables and not bodies:
        unit = Unit(module.main, data, options, header_bodies=True)
    own = Log()
    messages = unit.messages()
    source = _source(module, unit, inclusions, messages, own)
    if not any(m.fatal for m in messages) and _lacks_localvar_h(module, unit, inclusions, log):
        return source, unit
    for diagnostic in _merged(own.diagnostics, messages, module):
        log.add(diagnostic)
    return source, unit


def _lacks_localvar_h(module: ModuleFiles, unit: Unit, inclusions: Iterable[Inclusion], log: Log) -> bool:
    """Whether the main file uses the macros without including them; everything else would be a consequence."""
    if any(os.path.basename(i.path) == "localvar.h" for i in inclusions):
        return False
    file = module.files[module.main]
    for token in alive(tokenize(file.text), unit.skipped(module.main)):
        if token.text in LOCALVAR_MACROS:
            log.error("no-localvar-h", f"{token.text} is used, but localvar.h is not included",
                      file.span(token.start, token.end), fix="#include <localvar.h>")
            return True
    return False


def _contents(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as problem:
        raise environment_failure("unreadable", f"{path}: {problem.strerror}") from None


def _source(module: ModuleFiles, unit: Unit, inclusions: Sequence[Inclusion], messages: Sequence[Message],
            log: Log) -> ProbeSource:
    streams = _streams(module, unit, inclusions, messages, log)
    locator = Locator(module.files, streams.copies)
    read = [_read(path, streams, unit, locator, log) for path in streams.streams]
    bodies = {body.name: body for r in read for body in r.bodies}
    declarations = [d for r in read for d in r.declarations]
    uses = _in_functions(read, streams, locator, log)
    found = Declared([], [], [])
    for r in read:
        context = Context(r.stream, bodies, r.bodies, declarations, streams.definitions,
                          lambda piece: unit.initialised_at(piece.path, piece.start),
                          functools.partial(_evaluated, unit, r.path), locator, log)
        part = declared(r.uses, context)
        found.probes += part.probes
        found.aliases += part.aliases
        found.hooks += part.hooks
    check_once(found, locator, log)
    _check_covered(messages, read, streams, locator, log)
    calls = references(list(bodies.values()), declarations, streams.definitions)
    _check_registers(read, module, unit, streams, calls, log)
    copies = tuple(_copy(name, locator) for name in streams.copies)
    spans = [u.span for u in uses] + [p.span for p in found.probes] + [a.span for a in found.aliases]
    spans += [h.span for h in found.hooks] + [c.span for c in copies]
    every = (*inclusions, *passed_over(module, inclusions, unit.skipped))
    rewritten = headers(module, every, frozenset(span.file for span in spans))
    at, has_localvar_h = include_at(module, inclusions, rewritten)
    return ProbeSource(
        path=module.files[module.main].path, text=module.files[module.main].data,
        functions=tuple(Function(b.name, b.span, b.regs or None, calls[b.name], _between_braces(b, locator))
                        for b in bodies.values()),
        uses=tuple(uses), probes=tuple(found.probes), aliases=tuple(found.aliases), hooks=tuple(found.hooks),
        include_at=at, has_localvar_h=has_localvar_h, dependencies=dependencies(module, inclusions), copies=copies,
        headers=rewritten, places=_places(module, unit, read[0], locator))


def _places(module: ModuleFiles, unit: Unit, main: _Read, locator: Locator) -> tuple[int, ...]:
    """Where text at file scope can be put into the main file."""
    text = module.files[module.main].text
    firsts = [body.first for body in main.bodies] + [declaration.first for declaration in main.declarations]
    starts = [outermost(main.stream.pieces[first], locator)[0] for first in firsts]
    return places(text, tuple(alive(tokenize(text), unit.skipped(module.main))), starts)


def _streams(module: ModuleFiles, unit: Unit, inclusions: Sequence[Inclusion], messages: Iterable[Message],
             log: Log) -> Streams:
    brought = [(i.place.path, i.place.offset, i.path) for i in inclusions if i.place and i.path in module.files]

    def included(path: str, start: int, end: int) -> str | None:
        return next((header for at, offset, header in brought if at == path and start <= offset < end), None)

    uses = {m.place.offset for m in messages if is_use(m) and m.place and m.place.path == module.main}
    streams = Streams(module.files, unit.skipped, {module.main: unit.expansions() | uses}, included, log)
    streams.read(module.main)
    return streams


def _read(path: str, streams: Streams, unit: Unit, locator: Locator, log: Log) -> _Read:
    stream = streams.streams[path]
    bodies, declarations = _items(stream, unit, locator)
    uses = find(stream, streams.expanded.get(path), locator, log)
    return _Read(path, stream, bodies, declarations, uses)


def _items(stream: Stream, unit: Unit, locator: Locator) -> tuple[list[Body], list[Declaration]]:
    return items(stream, lambda piece: unit.function_at(piece.path, piece.start),
                 lambda piece: unit.initialised_at(piece.path, piece.start), locator)


def _in_functions(read: Iterable[_Read], streams: Streams, locator: Locator, log: Log) -> list[MacroUse]:
    """The uses of macros that stand in functions, each once for each place that its text is compiled in."""
    found: dict[tuple[Span, str | None], MacroUse] = {}
    for r in read:
        reads = {use.first: use for use in r.uses if use.macro in READS}
        for body in r.bodies:
            inside = [reads.pop(first) for first in sorted(reads) if body.brace < first < body.last]
            available = {use.first: (use.last, use.arguments[0].text) for use in inside
                         if use.macro is Macro.LOCAL_VAR_AVAILABLE}
            known = guarded(r.stream, body.brace, body.last, available, streams.definitions) if available else {}
            for use in inside:
                if _has_registers(use, body, locator, log):
                    guards = known.get(use.first, frozenset())
                    made = MacroUse(use.macro, use.span, use.arguments, body.name, body.regs or "", guards, use.copy or None)
                    before = found.get((made.span, made.copy), made)
                    found[made.span, made.copy] = replace(made, guarded_by=guards & before.guarded_by)
        for use in reads.values():
            log.error("outside-function", f"{use.macro.value} outside a function", use.span,
                      notes=locator.notes(use.copy), fix="use it in a handler, or in a function that handlers call")
    return list(found.values())


def _check_registers(read: Sequence[_Read], module: ModuleFiles, unit: Unit, streams: Streams,
                     calls: Mapping[str, Collection[str]], log: Log) -> None:
    """Complain where a use would read through other registers than the probe's."""
    locator = Locator(module.files, streams.copies)
    using: dict[str, list[Use]] = {}
    for r in read:
        through = [use for use in r.uses if use.macro in READS and use.macro is not Macro.GET_STATIC_VAR]
        for body in r.bodies:
            using[body.name] = [use for use in through if body.brace < use.first < body.last]
    bodies = {body.name: body for r in read for body in r.bodies}
    called = readers(bodies.values(), {name for name, uses in using.items() if uses}, calls)
    for name in called:
        check_name(bodies[name], using[name], locator, log)
    if not called:
        return
    # Calls that the module's macros make are seen where those are expanded.
    expanded = streams.again(called)
    locator = Locator(module.files, expanded.copies)
    for stream in expanded.streams.values():
        found, _ = _items(stream, unit, locator)
        check_calls(stream, found, {name: bodies[name] for name in called}, locator, log)


def _has_registers(use: Use, body: Body, locator: Locator, log: Log) -> bool:
    if body.regs or use.macro is Macro.GET_STATIC_VAR:
        return True
    lack = "its struct pt_regs * parameter has no name" if body.regs == "" else "it has no struct pt_regs * parameter"
    log.error("no-registers", f"{use.macro.value} in {body.name}(): {lack}", use.span, notes=locator.notes(use.copy),
              fix=f"give {body.name}() a parameter `struct pt_regs *regs`, and hand it on from the handler")
    return False


def _evaluated(unit: Unit, path: str, offset: int, text: str) -> bytes | None:
    return unit.strings([(offset, text)])[0] if path == unit.path else None


def _check_covered(messages: Iterable[Message], read: Sequence[_Read], streams: Streams, locator: Locator,
                   log: Log) -> None:
    """Complain where the compiler saw a macro use that was not found in the text: it would stay unexpanded."""
    covered = [(use.path, use.start, use.end) for use in streams.copies.values() if not use.parent]
    for r in read:
        pieces = r.stream.pieces
        covered += [(r.path, pieces[first].start, pieces[last].end) for _, first, last in written(r.stream)]
    for message in messages:
        place = message.place
        if not is_use(message) or place is None or place.path not in locator.files:
            continue
        if not any(path == place.path and start <= place.offset < end for path, start, end in covered):
            log.error("hidden-use", "a macro makes a use of localvar's macros here that cannot be rewritten",
                      _word(place, locator), fix="write the use out, or put it into the macro's body as a whole")


def _between_braces(body: Body, locator: Locator) -> Span | None:
    """A function's body as written; None where a macro makes it."""
    first, last = body.stream.pieces[body.brace], body.stream.pieces[body.last]
    return None if first.copy or last.copy else locator.files[body.stream.path].span(first.start, last.end)


def _word(place: Place, locator: Locator) -> Span:
    """The word at a place."""
    file = locator.files[place.path]
    end = place.offset
    while end < len(file.text) and (file.text[end].isalnum() or file.text[end] == "_"):
        end += 1
    return file.span(place.offset, max(end, place.offset + 1))


def _copy(name: str, locator: Locator) -> MacroCopy:
    copy = locator.copies[name]
    carrier = copy.carrier
    file = locator.files[carrier.path]
    return MacroCopy(name, carrier.name, locator.files[copy.path].span(copy.start, copy.name_end),
                     file.span(carrier.after_name, carrier.end), file.data[carrier.after_name:carrier.end],
                     copy.parent or None)


def _merged(own: Sequence[Diagnostic], messages: Sequence[Message], module: ModuleFiles) -> list[Diagnostic]:
    """Our findings and the compiler's, in the order of the text; no consequences of others."""
    def span(place: Place) -> Span | None:
        if place.path not in module.files:
            return None
        return module.files[place.path].span(place.offset, place.offset + 1)

    spans = [d.span for d in own if d.span is not None]
    fresh = [m for m in messages if m.place is None or not any(
        s.file == module.shown(m.place.path) and s.start <= m.place.offset < s.end for s in spans)]
    theirs = reported(fresh, span)
    if any(is_syntax(m) for m in fresh):
        own = [d for d in own if d.slug not in _NEEDS_STRUCTURE]
    main = module.files[module.main].path
    return sorted([*own, *theirs], key=lambda d: (d.span is not None and d.span.file != main, d.span.start if d.span else -1))
