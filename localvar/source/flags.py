# SPDX-License-Identifier: GPL-2.0-or-later
"""gcc's options, as Kbuild passes them, to those that libclang needs to read the same file.

Only options that change what the text means are kept: where headers are found, macros, the language.  What
concerns warnings and code generation is dropped, so that nothing need be known about gcc's options of the
future.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

_WITH_PATH = ("-I", "-isystem", "-iquote", "-idirafter", "-include", "-imacros")
_WITH_VALUE = ("-D", "-U")
_DROPPED_VALUE = frozenset({"-o", "-MF", "-MT", "-MQ", "-x", "--param", "-Xassembler", "-Xlinker", "-B", "-L",
                            "-T"})
_KEPT = re.compile(
    r"-nostdinc|-m(?:16|32|64|x32|(?:little|big)-endian|general-regs-only|no-(?:sse|sse2|mmx|avx))"
    r"|-f(?:short-wchar|(?:un)?signed-char|short-enums|ms-extensions|freestanding|no-builtin|PIE|pie|PIC|pic)"
    r"|-O[0-3sgz]?|-std=.*"
)
_TRIPLES = {
    "x86": "x86_64-linux-gnu", "arm64": "aarch64-linux-gnu", "arm": "arm-linux-gnueabi",
    "riscv": "riscv64-linux-gnu",
    "s390": "s390x-linux-gnu", "powerpc": "powerpc64le-linux-gnu", "loongarch": "loongarch64-linux-gnu",
    "mips": "mips64el-linux-gnuabi64",
}
_ARCHITECTURE = re.compile(r"(?:^|/)arch/(\w+)/include(?:/|$)")
_DEFAULT_GCC = "12.2.0"


def clang_flags(flags: Sequence[str], directory: str, *, target: str | None = None) -> list[str]:
    """Options for libclang that read a file as gcc with these flags does.

    directory: gcc's working directory; relative paths in the result are absolute.  target: clang's name of
    the machine; without it, that of the kernel architecture whose headers are searched, or the machine's own.
    """
    kept = list(_relevant(flags, directory))
    target = target or _target(kept)
    return [
        *([f"--target={target}"] if target else []),
        *_identity(kept),
        *kept,
        "-Wno-everything", "-Werror=implicit-function-declaration", "-Werror=implicit-int",
        "-ferror-limit=0", "-fno-spell-checking",
    ]


def include_directories(flags: Sequence[str]) -> list[str]:
    """The directories that -I, -isystem and kin name, in order; flags as clang_flags() returns them."""
    return [f[len(o):] for f in flags for o in ("-I", "-isystem", "-iquote", "-idirafter") if f.startswith(o)]


def _relevant(flags: Sequence[str], directory: str) -> Iterator[str]:
    pending = iter(flags)
    for flag in pending:
        option = next((o for o in (*_WITH_PATH, *_WITH_VALUE) if flag.startswith(o)), None)
        if option is not None:
            value = flag[len(option):] or next(pending, "")
            value = _located(option, value, directory) if option in _WITH_PATH else value
            yield from (option, value) if option in ("-include", "-imacros") else (option + value,)
        elif flag in _DROPPED_VALUE:
            next(pending, None)
        elif _KEPT.fullmatch(flag):
            yield flag


def _located(option: str, path: str, directory: str) -> str:
    """path as seen from directory.  A file of -include that is not there is searched like any header: left alone."""
    absolute = os.path.normpath(os.path.join(directory, path))
    if option in ("-include", "-imacros") and not os.path.exists(absolute):
        return path
    return absolute


def _target(flags: Sequence[str]) -> str | None:
    for path in include_directories(flags):
        match = _ARCHITECTURE.search(path)
        if match is not None and match[1] in _TRIPLES:
            triple = _TRIPLES[match[1]]
            return "i386-linux-gnu" if match[1] == "x86" and "-m32" in flags else triple
    return None


def _identity(flags: Sequence[str]) -> list[str]:
    """Options that make clang say it is the compiler which the kernel was built with.

    The branches of `#ifdef __clang__` and `#if __GNUC__ >= …` that are read must be those that gcc will
    compile. The kernel states its compiler in include/generated/autoconf.h (init/Kconfig: CC_IS_GCC,
    GCC_VERSION).
    """
    version = _DEFAULT_GCC
    for path in include_directories(flags):
        configuration = Path(path, "generated", "autoconf.h")
        if configuration.is_file():
            text = configuration.read_text("utf-8", "replace")
            if re.search(r"^#define CONFIG_CC_IS_CLANG 1$", text, re.M):
                return []
            match = re.search(r"^#define CONFIG_GCC_VERSION (\d+)$", text, re.M)
            number = int(match[1]) if match else 0
            version = f"{number // 10000}.{number // 100 % 100}.{number % 100}" if number else version
            break
    names = ("", "major__", "minor__", "patchlevel__", "version__")
    return [f"-fgnuc-version={version}", *(f"-U__clang_{name or '_'}" for name in names)]
