# SPDX-License-Identifier: GPL-2.0-or-later
"""Keeps what Kbuild answered, so that make (0.8 s) runs once per kernel and not once per expansion.

An entry counts while everything that the answer depends on is unchanged: the build directory's
configuration and makefiles, the environment that make saw, and the compiler's file.  A cache that cannot be
written is no error.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from localvar.kbuild.cmdfile import CompileCommand
from localvar.kbuild.host import Host

FORMAT = 1
"""Counts up with every change of what an entry holds or how flags are derived."""

_WATCHED = (".config", "include/config/auto.conf", "include/generated/utsrelease.h", "Makefile",
            ".kernelvariables", "source/Makefile", "scripts/Makefile.lib")

# Variables that change where files are put and not the flags.
_INDIFFERENT = frozenset({"HOME", "USER", "LOGNAME", "TMPDIR", "CCACHE_DIR"})


@dataclass(frozen=True)
class Question:
    """What Kbuild is asked: build directory (a real path), make's environment and command-line variables."""

    build: Path
    environ: Mapping[str, str]
    variables: tuple[str, ...]


def load(question: Question, directory: Path | None) -> CompileCommand | None:
    """The answer kept in directory (None: no cache), None where there is none that still counts."""
    if directory is None:
        return None
    try:
        entry = json.loads(_entry(question, directory).read_text(encoding="utf-8"))
        compiler, flags, names = (tuple(map(str, entry[key])) for key in ("compiler", "flags", "names"))
        fresh = entry["compiler_file"] == _compiler_file(compiler, question.environ)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return CompileCommand(compiler, flags, names) if fresh else None


def store(question: Question, directory: Path | None, command: CompileCommand) -> None:
    """Keep the answer in directory (None: no cache); readers see the old entry or the whole new one."""
    if directory is None:
        return
    entry = {"compiler": command.compiler, "flags": command.flags, "names": command.names,
             "compiler_file": _compiler_file(command.compiler, question.environ)}
    path = _entry(question, directory)
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(entry, file)
            os.replace(name, path)
        except BaseException:
            os.unlink(name)
            raise


def cache_directory(host: Host) -> Path | None:
    """$XDG_CACHE_HOME/localvar, else ~/.cache/localvar (XDG base directories); None without a home."""
    chosen, home = host.environ.get("XDG_CACHE_HOME", ""), host.environ.get("HOME", "")
    if os.path.isabs(chosen):
        return Path(chosen, "localvar")
    return Path(home, ".cache", "localvar") if os.path.isabs(home) else None


def _entry(question: Question, directory: Path) -> Path:
    state = [_stamp(question.build / name) for name in _WATCHED]
    environ = sorted(item for item in question.environ.items() if item[0] not in _INDIFFERENT)
    key = json.dumps([FORMAT, str(question.build), state, environ, question.variables])
    return directory / "flags" / (hashlib.sha256(key.encode("ascii")).hexdigest() + ".json")


def _compiler_file(compiler: tuple[str, ...], environ: Mapping[str, str]) -> list[object]:
    """Where the compiler's words are and how they look: a new compiler may take other flags."""
    found = [shutil.which(word, path=environ.get("PATH")) for word in compiler]
    return [[path, *_stamp(Path(path))] if path else [None] for path in found]


def _stamp(path: Path) -> list[int]:
    try:
        status = path.stat()
    except OSError:
        return []
    return [status.st_mtime_ns, status.st_size]
