# SPDX-License-Identifier: GPL-2.0-or-later
"""Finds the files of a kernel's modules that have debug info.

Names with `-` and with `_` are equal, as for modprobe.  A directory is walked once, when a module is first
asked for.
"""

from __future__ import annotations

import fnmatch
import gzip
import lzma
import os
import re
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from localvar.diagnostics import Failure, Note, environment_failure, source_failure
from localvar.kbuild.elf import NotElf, facts_of, read_facts
from localvar.kbuild.host import Host, Request
from localvar.kbuild.packages import debug_package

_FILE = re.compile(r"(?P<name>.+)\.ko(?:\.debug|\.xz|\.zst|\.gz)?")


@dataclass(frozen=True)
class ModuleFile:
    """A module's file with debug info: name (with `_`), path, build-id in hex.  read_module() reads it."""

    name: str
    path: Path
    build_id: str | None


def module_name(name: str) -> str:
    """The name as the kernel has it: KBUILD_MODNAME has `_` for each `-`."""
    return name.replace("-", "_")


def read_module(path: Path) -> bytes:
    """The ELF file at path, uncompressed; OSError or ValueError where that fails."""
    data = path.read_bytes()
    decompress = _DECOMPRESS.get(path.suffix)
    try:
        return decompress(data) if decompress else data
    except (lzma.LZMAError, EOFError) as error:
        raise ValueError(f"damaged: {error}") from error


class ModuleFiles:
    """The modules of one release: in --module-debug, then in --build, then where distributions put them."""

    def __init__(self, request: Request, host: Host, release: str) -> None:
        self._host = host
        self._release = release
        self._given = request.module_debug
        self._build = request.build
        self._modules = host.path(f"/lib/modules/{release}")
        self._installed = (host.path(f"/usr/lib/debug/lib/modules/{release}"), self._modules)

    def names(self, glob: str) -> tuple[str, ...]:
        """Names (with `_`) of the modules that match glob, sorted; they may have no debug info."""
        pattern = _glob(glob)
        return tuple(sorted(name for name in self._paths if fnmatch.fnmatchcase(name, pattern)))

    def find(self, name: str) -> ModuleFile:
        """The file of module name that has debug info; Failure names every file looked at."""
        wanted = module_name(name)
        looked: list[Note] = []
        for path in self._paths.get(wanted, ()):
            found = _examine(wanted, path)
            if isinstance(found, ModuleFile):
                return found
            looked.append(Note(f"{path}: {found}"))
        raise self._absent(wanted, looked)

    @cached_property
    def _paths(self) -> dict[str, list[Path]]:
        paths: dict[str, list[Path]] = {}
        for path in self._walk():
            match = _FILE.fullmatch(path.name)
            if match:
                paths.setdefault(module_name(match.group("name")), []).append(path)
        return paths

    def _walk(self) -> Iterator[Path]:
        """Files in the order in which they count."""
        if self._given is not None:
            yield from _files(self._given)
        if self._build is not None:
            yield from _built(self._build)
        for place in self._installed:
            yield from _files(place)

    def _absent(self, name: str, looked: list[Note]) -> Failure:
        if self._is_builtin(name):
            return source_failure("module-is-builtin", fix="write kernel.… for its functions",
                                  message=f"{name} is built into kernel {self._release}, no module")
        if looked:
            return environment_failure("no-module-debug", notes=tuple(looked),
                                       message=f"no debug info of module {name} of kernel {self._release}",
                                       fix=debug_package(self._host, self._release))
        places = [place for place in (self._given, self._build, *self._installed) if place is not None]
        searched = (f"searched {place}" + ("" if place.is_dir() else ": no directory") for place in places)
        return environment_failure("no-such-module", f"kernel {self._release} has no module {name}",
                                   notes=tuple(map(Note, searched)),
                                   fix="give the directory of its .ko with --module-debug")

    def _is_builtin(self, name: str) -> bool:
        folders = [self._modules, *([self._build] if self._build is not None else [])]
        return any(module_name(Path(line).stem) == name
                   for folder in folders for line in _lines(folder / "modules.builtin"))


def _built(build: Path) -> Iterator[Path]:
    """The modules of a tree by its modules.order: kernel/fs/x.ko, fs/x.ko or (newer) fs/x.o."""
    for line in _lines(build / "modules.order"):
        path = build / (line.removeprefix("kernel/").removesuffix(".o").removesuffix(".ko") + ".ko")
        if path.is_file():
            yield path


def _examine(name: str, path: Path) -> ModuleFile | str:
    """The module at path, or why it is of no use."""
    try:
        facts = facts_of(read_module(path), False) if path.suffix in _DECOMPRESS else read_facts(path, False)
    except OSError as error:
        return error.strerror or str(error)
    except (NotElf, ValueError) as error:
        return str(error)
    return ModuleFile(name, path, facts.build_id) if facts.has_debug_info else "has no debug info"


def _glob(glob: str) -> str:
    """`-` is `_` but inside a character class, where it makes a range."""
    parts = re.split(r"(\[[^]]*\])", glob)
    return "".join(part if part.startswith("[") else module_name(part) for part in parts)


def _files(place: Path) -> Iterator[Path]:
    """Links to directories are not followed: lib/modules/R/build is a whole tree."""
    for folder, folders, files in os.walk(place):
        folders.sort()
        yield from (Path(folder, file) for file in sorted(files) if ".ko" in file)


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8", errors="replace").split()
    except OSError:
        return []


def _zstd(data: bytes) -> bytes:
    try:
        done = subprocess.run(["zstd", "-dcq"], input=data, capture_output=True, check=False, timeout=60)
    except FileNotFoundError as error:
        raise ValueError("is compressed with zstd, and the command zstd is not installed") from error
    except subprocess.TimeoutExpired as error:
        raise ValueError("zstd does not finish") from error
    if done.returncode != 0:
        raise ValueError("damaged: " + done.stderr.decode("utf-8", "replace").strip())
    return done.stdout


_DECOMPRESS: dict[str, Callable[[bytes], bytes]] = {
    ".xz": lzma.decompress,
    ".gz": gzip.decompress,
    ".zst": _zstd,
}
