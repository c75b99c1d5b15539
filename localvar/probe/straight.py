# SPDX-License-Identifier: GPL-2.0-or-later
"""Whether who passes one address surely passes another: straight code between them, no jump and no call."""

from __future__ import annotations

from collections.abc import Collection

from localvar.dwarf.elf import Elf

EM_X86_64 = 62
DISTANCE = 256
"""Bytes of code that are looked at: what belongs to one line is near."""

_LEAVES = frozenset({"hlt", "int3", "ud0", "ud1", "ud2", "stac", "syscall", "sysenter", "sysexit"})
"""Instructions that go elsewhere, or (stac) are before one that may fault on purpose and go on at its fixup; besides all whose
names begin as below."""
_LEAVES_BY_NAME = ("j", "call", "ret", "iret", "loop", "sysret", "xbegin", "lcall", "ljmp", "int")


def runs_into(elf: Elf, start: int, ends: Collection[int]) -> bool:
    """Whether code from the instruction at start on runs straight into one of the addresses.  False where that is not proven: on
    other architectures, behind DISTANCE bytes, past what the kernel may turn into a jump (a nop of two bytes and more)."""
    import capstone

    last = max((end for end in ends if start < end <= start + DISTANCE), default=None)
    code = elf.memory(start, last - start) if last is not None and elf.machine == EM_X86_64 else None
    if code is None:
        return False
    decoder = capstone.Cs(capstone.CS_ARCH_X86, capstone.CS_MODE_64)
    for address, size, name, _ in decoder.disasm_lite(code, start):
        if name in _LEAVES or name.startswith(_LEAVES_BY_NAME) or (name == "nop" and size > 1):
            return False
        if address + size in ends:
            return True
    return False
