# SPDX-License-Identifier: GPL-2.0-or-later
"""What the #include directives say: dependencies, where localvar.h is included, headers that have to be rewritten."""

from __future__ import annotations

import os
from collections.abc import Iterable

from localvar.diagnostics import Span
from localvar.model.source import Header
from localvar.source.files import ModuleFiles
from localvar.source.lexer import directive_end
from localvar.source.parse import Inclusion, Place


def include_at(module: ModuleFiles, inclusions: Iterable[Inclusion]) -> int:
    """The offset behind the line of the main file that includes localvar.h; 0 where none does."""
    text = module.files[module.main].text
    for inclusion in inclusions:
        place = inclusion.place
        named = os.path.basename(inclusion.path) == "localvar.h"
        if named and place is not None and place.path == module.main:
            return text.find("\n", place.offset) + 1 or len(text)
    return 0


def dependencies(module: ModuleFiles, inclusions: Iterable[Inclusion]) -> tuple[str, ...]:
    """The absolute names of every file that was read, the main file first."""
    names = (os.path.abspath(inclusion.path) for inclusion in inclusions)
    return tuple(dict.fromkeys((module.main, *sorted(names))))


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
