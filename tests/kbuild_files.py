# SPDX-License-Identifier: GPL-2.0-or-later
"""Small files that look like a kernel's to kbuild/: ELF images, build directories, programs."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from localvar.kbuild.elf import SHF_ALLOC, SHT_NOBITS, SHT_NOTE, SHT_PROGBITS

INSTALLED = sorted(path.parent.parent.name for path in Path("/lib/modules").glob("*/build/Makefile"))
"""Releases whose build directory is installed here."""

_NONE = pytest.param("", marks=pytest.mark.skip(reason="no kernel build directory installed"))
on_installed_kernels = pytest.mark.parametrize("release", INSTALLED or [_NONE])


def elf(sections: list[tuple[str, int, int, bytes]], order: str = "<") -> bytes:
    """A 64-bit ELF file of (name, type, flags, content) sections; NOBITS content takes no place."""
    names = b"\0" + b"".join(name.encode() + b"\0" for name, *_ in sections) + b".shstrtab\0"
    body, headers, at = b"", bytes(64), 64
    for name, kind, flags, content in [*sections, (".shstrtab", 3, 0, names)]:
        stored = b"" if kind == SHT_NOBITS else content
        start = names.index(b"\0" + name.encode() + b"\0") + 1
        headers += struct.pack(order + "IIQQQQIIQQ", start, kind, flags, 0, at, len(content), 0, 0, 1, 0)
        body += stored
        at += len(stored)
    identity = b"\x7fELF\x02" + (b"\x01" if order == "<" else b"\x02") + b"\x01" + bytes(9)
    count = len(sections) + 2
    header = struct.pack(order + "HHIQQQIHHHHHH", 2, 62, 1, 0, 0, at, 0, 64, 0, 0, 64, count, count - 1)
    return identity + header + body + headers


def note(build_id: str, order: str = "<") -> bytes:
    """ELF notes: one of another owner, then the GNU build-id."""
    data = bytes.fromhex(build_id)
    other = struct.pack(order + "III", 6, 5, 3) + b"Linux\0\0\0" + b"salty\0\0\0"
    return other + struct.pack(order + "III", 4, len(data), 3) + b"GNU\0" + data


def vmlinux(release: str | None = "6.1.0", build_id: str | None = "ab" * 20, *, debug: bool = True,
            order: str = "<") -> bytes:
    """A vmlinux: with a banner, a build-id, debug info, or without (None, False)."""
    sections = [(".text", SHT_PROGBITS, SHF_ALLOC, b"\x90" * 8)]
    if release is None:
        sections.append((".rodata", SHT_NOBITS, SHF_ALLOC, bytes(64)))
    else:
        banner = f"Linux version {release} (you@there) (gcc) #1\n\0"
        sections.append((".rodata", SHT_PROGBITS, SHF_ALLOC, b"Linux version \0" + banner.encode()))
    if build_id is not None:
        sections.append((".notes", SHT_NOTE, SHF_ALLOC, note(build_id, order)))
    sections.append((".debug_info", SHT_PROGBITS if debug else SHT_NOBITS, 0, b"\x01" * 16))
    return elf(sections, order)


def write(path: Path, content: bytes | str = b"") -> Path:
    """Write a file and the directories above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def build_directory(path: Path, release: str = "6.1.0", makefile: str = "all:\n") -> Path:
    """A directory prepared for external modules of release."""
    write(path / "Makefile", makefile)
    write(path / "include/generated/utsrelease.h", f'#define UTS_RELEASE "{release}"\n')
    write(path / "include/config/auto.conf", "CONFIG_X86_64=y\n")
    return path


def program(path: Path, script: str) -> Path:
    """An executable shell script."""
    write(path, "#!/bin/sh\n" + script)
    path.chmod(0o755)
    return path
