# SPDX-License-Identifier: GPL-2.0-or-later
"""Where instructions begin."""

from __future__ import annotations


def instruction_starts(code: bytes, base: int, machine: int) -> set[int]:
    """Addresses where instructions begin in code that is at base.  Needs capstone; stops where it cannot decode."""
    import capstone

    modes = {62: (capstone.CS_ARCH_X86, capstone.CS_MODE_64), 183: (capstone.CS_ARCH_ARM64, capstone.CS_MODE_LITTLE_ENDIAN)}
    decoder = capstone.Cs(*modes[machine])
    return {instruction[0] for instruction in decoder.disasm_lite(code, base)}
