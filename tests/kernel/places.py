# SPDX-License-Identifier: GPL-2.0-or-later
"""What localvar's run time is told about a kernel, worked out with binutils only: the header ``places.h`` of the tests."""

from __future__ import annotations

import re
import subprocess
from functools import cache
from pathlib import Path

from .kernels import InstalledKernel

#: A function that the kernel itself names as not to be probed (NOKPROBE_SYMBOL).
NOT_PROBEABLE = "kprobe_int3_handler"


@cache
def header(kernel: InstalledKernel) -> str:
    """The text of ``places.h``: ``localvar_kernel``, addresses of functions, and three places inside vfs_read.

    EXPECTED_BUILD_ID may be defined before, for a module that was expanded for another kernel.
    """
    symbols = _symbols(kernel.vmlinux)
    build_id = build_id_of(kernel.vmlinux)
    code = _disassembly(kernel.vmlinux, "vfs_read")
    ioprio_get = f"{kernel.machine.syscall_prefix}ioprio_get"
    return f"""\
#define BUILD_ID {c_string(build_id)}
#ifndef EXPECTED_BUILD_ID
#define EXPECTED_BUILD_ID BUILD_ID
#endif
static const struct localvar_kernel localvar_kernel = {{
	.release = "{kernel.release}",
	.build_id = EXPECTED_BUILD_ID, .build_id_size = {len(build_id)},
	.build_id_address = {_note_address(kernel.vmlinux, build_id):#x},
	.anchor_address = {symbols["init_task"]:#x},
}};
#define IOPRIO_GET {symbols[ioprio_get]:#x}
#define IOPRIO_GET_NAME "{ioprio_get}"
#define NOT_PROBEABLE {symbols[NOT_PROBEABLE]:#x}
#define VFS_READ {symbols["vfs_read"]:#x}
#define VFS_READ_VERIFIES {_calls(code, "rw_verify_area"):#x}
#define VFS_READ_LEAVES {_leaves(code):#x}
#define VFS_READ_FRAME {_frame_size(code):#x}
"""


def victim_header(ko: Path) -> str:
    """The text of ``victim.h``: the build-id of the module and offsets of its symbols in their sections."""
    symbols = _symbols(ko)
    after_nop = 9 if re.search(r"<victim_work>:\n.*endbr64", _disassembly(ko, "victim_work")) else 5
    return f"""\
#define VICTIM_BUILD_ID {c_string(build_id_of(ko))}
#define VICTIM_FIRST {symbols["victim_first"]:#x}
#define VICTIM_WORK {symbols["victim_work"]:#x}
#define VICTIM_WORK_AFTER_NOP {after_nop}
#define VICTIM_SECRET {symbols["secret"]:#x}
"""


def build_id_of(path: Path) -> bytes:
    """The GNU build-id of an ELF file."""
    match = re.search(r"Build ID: ([0-9a-f]+)", _run("readelf", "--notes", path))
    assert match, f"{path} has no build-id"
    return bytes.fromhex(match[1])


def c_string(data: bytes) -> str:
    """`data` as a C string literal."""
    return '"' + "".join(f"\\x{byte:02x}" for byte in data) + '"'


def _run(*command: str | Path) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=120).stdout


def _symbols(path: Path) -> dict[str, int]:
    lines = (line.split() for line in _run("nm", path).splitlines())
    return {words[2]: int(words[0], 16) for words in lines if len(words) == 3}


def _note_address(vmlinux: Path, build_id: bytes) -> int:
    match = re.search(r"\] \.notes +NOTE +(\w+) (\w+) (\w+)", _run("readelf", "-SW", vmlinux))
    assert match, f"{vmlinux} has no section .notes"
    address, offset, size = (int(group, 16) for group in match.groups())
    with vmlinux.open("rb") as file:
        file.seek(offset)
        return address + file.read(size).index(build_id)


def _disassembly(path: Path, function: str) -> str:
    return _run("objdump", "-d", "--no-show-raw-insn", f"--disassemble={function}", path)


def _calls(code: str, callee: str) -> int:
    match = re.search(rf"^(\w+):\s+call\s+\w+ <{callee}>", code, re.MULTILINE)
    assert match, f"no call of {callee}"
    return int(match[1], 16)


def _leaves(code: str) -> int:
    """The first instruction of the (only) epilogue, which gives the frame back."""
    matches = re.findall(r"^(\w+):\s+add\s+\$0x\w+,%rsp$", code, re.MULTILINE)
    assert len(matches) == 1, f"{len(matches)} epilogues"
    return int(matches[0], 16)


def _frame_size(code: str) -> int:
    """From the stack pointer behind the prologue to the CFA: the return address, what was pushed, the frame."""
    prologue, frame = re.split(r"sub\s+\$(0x\w+),%rsp", code, maxsplit=1)[:2]
    return 8 + 8 * len(re.findall(r"\bpush\b", prologue)) + int(frame, 16)
