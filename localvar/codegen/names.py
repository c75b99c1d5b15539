# SPDX-License-Identifier: GPL-2.0-or-later
"""C names of what generated code defines for probed modules."""

from __future__ import annotations

import re


def section_name(module: str, section: str) -> str:
    """The C name of a section of a module."""
    return f"localvar_section_{identifier(module)}_{identifier(section)}"


def identifier(text: str) -> str:
    """text as part of a C identifier, different for different texts."""
    return re.sub(r"[^A-Za-z0-9]", lambda match: f"_{ord(match.group()):x}_" if match.group() != "_" else "__", text)
