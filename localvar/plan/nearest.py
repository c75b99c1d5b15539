# SPDX-License-Identifier: GPL-2.0-or-later
"""Where else a handler's variables are readable: the lines nearest to a site at which every one of them is proven."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from localvar.diagnostics import Note
from localvar.model.path import Path
from localvar.model.site import Site
from localvar.plan.judge import Judge
from localvar.plan.read import NoSuchMember

LIMIT = 400
"""Statement addresses of a function that are looked at."""


class Statements(Protocol):
    """What is asked of the resolve stage."""

    def statements(self, site: Site) -> list[Site]:
        """Sites at the statement addresses of the function instance that holds a site."""


def nearest(site: Site, paths: Sequence[Path], judge: Judge, statements: Statements) -> tuple[Note, ...]:
    """One note that names the nearest places where all paths are readable, or says that there is none."""
    names = ", ".join(dict.fromkeys(str(path) for path in paths))
    good = [other for other in statements.statements(site)[:LIMIT] if other.why_not is None
            and all(_readable(other, path, judge) for path in paths)]
    if not good:
        return (Note(f"{names}: readable nowhere in {site.function} as it is compiled"),)
    good.sort(key=lambda other: (abs(other.pc - site.pc), other.pc))
    shown = list(dict.fromkeys(f"{other.name} ({other.file}:{other.line})" for other in good))[:4]
    return (Note(f"{names}: readable at {', '.join(shown)}"),)


def _readable(site: Site, path: Path, judge: Judge) -> bool:
    try:
        return judge.local(site, path).readable
    except NoSuchMember:
        return False
