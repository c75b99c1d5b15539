# SPDX-License-Identifier: GPL-2.0-or-later
"""localvar: local variables of the kernel in probe handlers written in ordinary C."""

__version__ = "0.1.0"
