# SPDX-License-Identifier: GPL-2.0-or-later
"""Which sites each function of a module can be running for: over the call graph, from the handlers of each probe."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from localvar.model.site import Site, SiteKind
from localvar.model.source import Function, ProbeDeclaration, ProbeSource, Role


def reached(functions: Iterable[Function], start: str) -> set[str]:
    """The functions that `start` can call, itself included; recursion is no matter."""
    calls = {function.name: function.calls for function in functions}
    pending, seen = [start], set[str]()
    while pending:
        name = pending.pop()
        if name in calls and name not in seen:
            seen.add(name)
            pending += calls[name]
    return seen


def idle(source: ProbeSource) -> dict[str, Function]:
    """Functions of headers, by name, that neither a function of the file itself nor a probe can call: what a header offers
    to other files."""
    starts = [function.name for function in source.functions if function.span.file == source.path]
    starts += [handler.function for probe in source.probes for handler in probe.handlers]
    starts += [hook.function for hook in source.hooks if hook.function is not None]
    called = set[str]().union(*(reached(source.functions, name) for name in starts))
    return {function.name: function for function in source.functions if function.body is not None
            and function.span.file != source.path and function.name not in called}


def sites_for(role: Role, sites: Sequence[Site]) -> list[Site]:
    """The sites as a handler in that role meets them: a kretprobe's `handler` runs at the return of the function that
    its location names, a post_handler at none (the instruction has run: locations at its address no longer hold)."""
    if role is Role.POST:
        return []
    if role is Role.RETURN:
        return [replace(site, kind=SiteKind.RETURN) for site in sites]
    return list(sites)


def handlers_of(declaration: ProbeDeclaration) -> list[tuple[Role, str]]:
    """The handlers of a probe with their roles."""
    return [(handler.role, handler.function) for handler in declaration.handlers]
