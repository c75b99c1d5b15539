# SPDX-License-Identifier: GPL-2.0-or-later
"""The errors of the readers: debug info that is damaged, and locations that are sound and cannot be read."""

from __future__ import annotations

from localvar.model.location import Reason


class DwarfError(ValueError):
    """Debug info says something that cannot be; the text carries the bad value."""


class Truncated(DwarfError):
    """The data ends where more must come."""


class Unreadable(Exception):
    """This location cannot be read; carries the Reason."""

    def __init__(self, slug: str, text: str) -> None:
        super().__init__(text)
        self.reason = Reason(slug, text)
