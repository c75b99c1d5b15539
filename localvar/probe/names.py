# SPDX-License-Identifier: GPL-2.0-or-later
"""Globs in the names and files of coordinates."""

from __future__ import annotations


def is_glob(text: str) -> bool:
    """Whether text has a character that matches more than itself."""
    return any(character in text for character in "*?[")
