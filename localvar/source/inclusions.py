# SPDX-License-Identifier: GPL-2.0-or-later
"""What the #include directives say: dependencies, where localvar.h is included, headers that have to be rewritten."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable

from localvar.diagnostics import Span
from localvar.model.source import Header
from localvar.source.files import ModuleFiles
from localvar.source.lexer import Kind, alive, directive_end, tokenize
from localvar.source.parse import Inclusion, Place

_INCLUDE = re.compile(r"#[ \t]*include[ \t]*[\"<]([^\"<>\n]+)[\">]")


def include_at(module: ModuleFiles, inclusions: Iterable[Inclusion], rewritten: Iterable[Header]) -> tuple[int, bool]:
    """An offset of the main file in front of which nothing of localvar is used, and whether localvar.h is included there.

    It is behind the line that brings localvar.h; in front of it where a header brings it that is rewritten, and so uses what
    is to be put there; 0 where nothing does.
    """
    brought = [(inclusion.path, inclusion.place) for inclusion in inclusions if inclusion.place is not None]
    bringing, offsets = {path for path, _ in brought if os.path.basename(path) == "localvar.h"}, set[int]()
    pending = list(bringing)
    while pending:
        path = pending.pop()
        places = [place for name, place in brought if name == path]
        offsets |= {place.offset for place in places if place.path == module.main}
        more = {place.path for place in places} - bringing - {module.main}
        bringing |= more
        pending += more
    if not offsets:
        return 0, False
    main, first = module.files[module.main], min(offsets)
    text = main.text
    line = next((span for header in rewritten for span in header.included
                 if span.file == main.path and span.start <= first < span.end), None)
    if line is not None:
        return text.rfind("\n", 0, line.start) + 1, False
    return text.find("\n", first) + 1 or len(text), True


def dependencies(module: ModuleFiles, inclusions: Iterable[Inclusion]) -> tuple[str, ...]:
    """The absolute names of every file that was read, the main file first."""
    names = (os.path.abspath(inclusion.path) for inclusion in inclusions)
    return tuple(dict.fromkeys((module.main, *sorted(names))))


def passed_over(module: ModuleFiles, inclusions: Iterable[Inclusion], skipped: Callable[[str], Iterable[tuple[int, int]]],
                ) -> tuple[Inclusion, ...]:
    """Directives of the module's files that include one of its headers which the compiler did not read again, for its guard
    or `#pragma once`: in the expansion it may be the first to be read from its file.

    skipped: the ranges of a file that are not compiled.
    """
    known = {(place.path, _directive(place, module).start) for inclusion in inclusions
             if (place := inclusion.place) is not None and place.path in module.files}
    found = []
    for path, file in module.files.items():
        for token in alive(tokenize(file.text), skipped(path)):
            named = _INCLUDE.match(token.text) if token.kind is Kind.DIRECTIVE else None
            header = _named(module, path, named[1]) if named and (path, token.start) not in known else None
            if header is not None:
                found.append(Inclusion(header, Place(path, token.start)))
    return tuple(found)


def _named(module: ModuleFiles, includer: str, name: str) -> str | None:
    """The header of the module that a directive in a file of it means by a name."""
    beside = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(includer)), name))
    headers = [path for path in module.files if path != module.main]
    exact = [path for path in headers if os.path.abspath(path) == beside]
    ending = [path for path in headers if os.path.abspath(path).endswith("/" + os.path.normpath(name))]
    return next(iter(exact or ending), None)


def headers(module: ModuleFiles, inclusions: Iterable[Inclusion], changed: frozenset[str]) -> tuple[Header, ...]:
    """The headers of the module among the files `changed` (named as in spans), and those that include such a one."""
    brought: dict[str, list[Place]] = {}
    for inclusion in inclusions:
        place = inclusion.place
        if place is not None and inclusion.path in module.files and place.path in module.files:
            brought.setdefault(inclusion.path, []).append(place)
    wanted = {path for path in brought if module.files[path].path in changed}
    pending = list(wanted)
    while pending:
        more = {place.path for place in brought.get(pending.pop(), ()) if place.path != module.main} - wanted
        wanted |= more
        pending += more
    return tuple(_header(path, places, module) for path, places in brought.items() if path in wanted)


def _header(path: str, places: Iterable[Place], module: ModuleFiles) -> Header:
    file = module.files[path]
    return Header(file.path, file.data, tuple(dict.fromkeys(_directive(place, module) for place in places)))


def _directive(place: Place, module: ModuleFiles) -> Span:
    """The #include directive at a place, from `#` to its newline."""
    file = module.files[place.path]
    start = file.text.rfind("#", 0, place.offset + 1)
    return file.span(start, directive_end(file.text, start))
