# SPDX-License-Identifier: GPL-2.0-or-later
"""Generated accessors compiled and run: registers and memory of the test's choice behind the macros of the run time."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from localvar.arch import X86_64

INCLUDE = Path(__file__).parent.parent / "include"
HEADER = Path(__file__).with_suffix(".h")
FIELDS = [X86_64.pt_regs[number] for number in sorted(X86_64.pt_regs)]
MEMORY_SIZE = 1 << 16

# as the kernel compiles (Makefile of 6.1), with all of its warnings as errors but those that tell a random expression
# to be always true
FLAGS = (
    "-O2 -std=gnu11 -Wall -Werror -Wno-tautological-compare -Wno-bool-compare -Wno-array-bounds -Wno-unused-function -Wundef "
    "-fno-strict-aliasing -fno-common -fno-strict-overflow -mno-sse -mno-mmx -mno-red-zone -fPIC -shared"
).split()


class Registers(ctypes.Structure):
    """struct pt_regs of compiled.h."""

    _fields_ = [(name, ctypes.c_uint64) for name in FIELDS]


@dataclass(frozen=True)
class Compiled:
    """A shared object of compiled.h and of functions `void name(const struct pt_regs *regs, void *out)`."""

    library: ctypes.CDLL

    @property
    def memory_address(self) -> int:
        """Where the memory is that a load does not fault on."""
        return ctypes.addressof(ctypes.c_ubyte.in_dll(self.library, "localvar_test_memory"))

    @property
    def faults(self) -> int:
        """How many loads have faulted."""
        return ctypes.c_uint64.in_dll(self.library, "localvar_test_faults").value

    def fill(self, data: bytes) -> None:
        """Give the memory its contents."""
        assert len(data) <= MEMORY_SIZE
        ctypes.memmove(self.memory_address, data, len(data))

    def slide(self, slide: int) -> None:
        """Set the load slide."""
        ctypes.c_uint64.in_dll(self.library, "localvar_test_slide").value = slide & (1 << 64) - 1

    def entry(self, registers: Mapping[int, int]) -> None:
        """Set the registers on entry to the function, by DWARF number."""
        ctypes.memmove(ctypes.addressof(Registers.in_dll(self.library, "localvar_test_entry")),
                       ctypes.addressof(_filled(registers)), ctypes.sizeof(Registers))

    def call(self, name: str, registers: Mapping[int, int], size: int) -> bytes:
        """What a function writes to its `out`, with registers by DWARF number."""
        out = ctypes.create_string_buffer(size)
        regs = _filled(registers)
        getattr(self.library, name)(ctypes.byref(regs), out)
        return out.raw


def _filled(registers: Mapping[int, int]) -> Registers:
    regs = Registers()
    for number, value in registers.items():
        setattr(regs, X86_64.pt_regs[number], value)
    return regs


def function(name: str, ctype: str, expression: str) -> str:
    """A C function that writes an expression of a type to `out`."""
    body = f"\t{ctype} value = {expression};\n\n\tmemcpy(out, &value, sizeof(value));\n"
    head = f"void {name}(const struct pt_regs *regs, void *out)"
    return f"{head};\n{head}\n{{\n{body}}}\n"


def compile_c(parts: Sequence[str], flags: Sequence[str] = ()) -> Compiled:
    """Compile C text behind compiled.h.  A warning is a failure of the test, with the text that gave it."""
    if shutil.which("gcc") is None:
        pytest.skip("gcc is not installed; run tools/setup-debian.sh test")
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "accessors.c"), Path(folder, "accessors.so")
        source.write_text(f'#include "{HEADER}"\n' + "\n".join(parts))
        command = ["gcc", *FLAGS, *flags, f"-I{INCLUDE}", "-o", str(target), str(source)]
        run = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        assert run.returncode == 0, run.stderr + "\n" + "\n".join(parts)[:4000]
        return Compiled(ctypes.CDLL(str(target)))
