# SPDX-License-Identifier: GPL-2.0-or-later
"""Architectures: what the ABIs say about registers, as values that travel (never a global)."""

from __future__ import annotations

from localvar.arch.base import Architecture
from localvar.arch.x86_64 import X86_64

ARCHITECTURES: dict[int, Architecture] = {X86_64.elf_machine: X86_64}
"""By e_machine of the ELF header."""

__all__ = ["ARCHITECTURES", "X86_64", "Architecture"]
