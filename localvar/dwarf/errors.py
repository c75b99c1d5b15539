# SPDX-License-Identifier: GPL-2.0-or-later
"""The one error that leaves the readers: debug info that is damaged or in a form that is not known."""

from __future__ import annotations


class DwarfError(ValueError):
    """Debug info says something that cannot be; the text carries the bad value."""


class Truncated(DwarfError):
    """The data ends where more must come."""

