# SPDX-License-Identifier: GPL-2.0-or-later
"""A machine that stands still: gdb's word for the variables at any pc, without running anything.

It speaks gdb's remote protocol (gdb manual, appendix E). Its registers are made up from the pc, its memory from the
address; gdb sets the pc, and what it makes of each variable then is what DWARF says of it there: thousands of places in
a minute, those too that no workload comes to.
"""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from . import processes
from .kernels import InstalledKernel
from .oracle import OracleError, Stop, Watch, stop_of

#: gdb's order of the general registers of x86-64, and DWARF's (System V psABI, figure 3.36).
GDB_REGISTERS = "rax rbx rcx rdx rsi rdi rbp rsp r8 r9 r10 r11 r12 r13 r14 r15".split()
DWARF_REGISTERS = "rax rdx rcx rbx rsi rdi rbp rsp r8 r9 r10 r11 r12 r13 r14 r15".split()
_PC = len(GDB_REGISTERS)
#: eflags and the segment registers, 4 bytes each.
_REST = bytes(28)


def registers(pc: int) -> dict[int, int]:
    """What the general registers hold at `pc`, by DWARF number: small numbers, negative ones, any ones; a stack."""
    found = {}
    for number in range(len(DWARF_REGISTERS)):
        mixed = _mix(pc * 16 + number)
        small = mixed >> 8 & 0xF
        found[number] = (small, -1 - small, mixed, mixed)[mixed & 3] % 2**64
    found[DWARF_REGISTERS.index("rsp")] = 0xFFFFC90000000000 + (_mix(pc) % 2**20) * 8
    return found


def memory(address: int, size: int) -> bytes:
    """What memory holds, everywhere."""
    first = address & ~7
    words = (_mix(first + at) for at in range(0, size + 15, 8))
    return b"".join(word.to_bytes(8, "little") for word in words)[address - first : address - first + size]


def _mix(number: int) -> int:
    """splitmix64: 64 bits that look random."""
    number = (number + 0x9E3779B97F4A7C15) % 2**64
    number = (number ^ number >> 30) * 0xBF58476D1CE4E5B9 % 2**64
    number = (number ^ number >> 27) * 0x94D049BB133111EB % 2**64
    return number ^ number >> 31


def stops_at(kernel: InstalledKernel, pcs: Sequence[int], statics: int = 0, timeout: float = 300) -> list[Stop]:
    """What gdb makes of each variable in scope at each of `pcs`, and of `statics` of the unit's, as gdb_still.py names them."""
    with TemporaryDirectory(prefix="still-", dir="/tmp") as name, socket.socket(socket.AF_UNIX) as listening:
        folder = Path(name)
        (folder / "config").write_text(json.dumps({"folder": name, "pcs": list(pcs), "statics": statics}))
        listening.bind(f"{folder}/socket")
        listening.listen()
        threading.Thread(target=_serve, args=(listening,), daemon=True).start()
        script = f"python from {__package__} import gdb_still; gdb_still.main({f'{folder}/config'!r})"
        root = Path(__file__).parents[(__package__ or "").count(".") + 1]
        gdb: list[str | Path] = ["gdb", "-batch", "-nx", "-q", kernel.vmlinux, "-ex", script]
        done = processes.run(gdb, timeout=timeout, cwd=folder, env=os.environ | {"PYTHONPATH": str(root)})
        output = folder / "output"
        lines = output.read_text().splitlines() if output.exists() else []
        if len(lines) != len(pcs):
            raise OracleError(f"gdb told of {len(lines)} of {len(pcs)} places; exit status {done.status}\n{done.output}")
        return [stop_of(json.loads(line), Watch(pc)) for line, pc in zip(lines, pcs, strict=True)]


def _serve(listening: socket.socket) -> None:
    connection, _ = listening.accept()
    with connection, connection.makefile("rwb") as stream:
        pc = 0
        while byte := stream.read(1):
            if byte != b"$":
                continue  # acknowledgements
            packet = b""
            while (byte := stream.read(1)) not in (b"#", b""):
                packet += byte
            stream.read(2)
            said, pc = _answer(packet.decode(), pc)
            stream.write(f"+${said}#{sum(said.encode()) % 256:02x}".encode())
            stream.flush()


def _answer(packet: str, pc: int) -> tuple[str, int]:
    """The answer to a packet, and the pc from there on."""
    if packet == "?":
        return "S05", pc
    if packet == "g":
        return _registers(pc).hex(), pc
    if packet.startswith(f"P{_PC:x}="):
        return "OK", int.from_bytes(bytes.fromhex(packet.partition("=")[2]), "little")
    if packet.startswith("G"):
        at = 1 + 16 * _PC
        return "OK", int.from_bytes(bytes.fromhex(packet[at : at + 16]), "little")
    if packet.startswith("m"):
        address, size = (int(word, 16) for word in packet[1:].split(","))
        return memory(address, size).hex(), pc
    return ("OK" if packet[0] in "HD" else ""), pc


def _registers(pc: int) -> bytes:
    values = registers(pc)
    ours = [values[DWARF_REGISTERS.index(name)] for name in GDB_REGISTERS]
    return b"".join(value.to_bytes(8, "little") for value in (*ours, pc)) + _REST
