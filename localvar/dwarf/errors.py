# SPDX-License-Identifier: GPL-2.0-or-later
"""The one error of the readers below the stage's surface: debug info that is damaged or in a form that is not known."""

from __future__ import annotations


class DwarfError(ValueError):
    """Debug info says something that cannot be; the text carries the bad value."""


DAMAGE = (DwarfError, IndexError, ValueError, OverflowError)
"""What a reader may raise on damaged input (struct.error is caught where struct is used on untrusted sizes)."""
