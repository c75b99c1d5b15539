# SPDX-License-Identifier: GPL-2.0-or-later
"""Which of the files that were read belong to the module, and what they are called in spans."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from localvar.model.source import READS, Macro
from localvar.paths import include_directory
from localvar.source.flags import include_directories
from localvar.source.lexer import File
from localvar.source.parse import Inclusion

_KERNEL = re.compile(r"(.*)/arch/\w+/include(?:/.*)?")
_INCLUDE = re.compile(rb'^[ \t]*#[ \t]*include[ \t]*"([^"\n]+)"', re.M)
_ANY = re.compile(r"\b(?:" + "|".join(macro.value for macro in Macro) + r")\b")
_READS = re.compile(r"\b(?:" + "|".join(macro.value for macro in READS) + r")\b")


class ModuleFiles:
    """The files of one module: the main file, headers beside it, and headers elsewhere that use localvar's macros.

    Headers of the kernel and of localvar are none of them.  path: the main file as the user calls it.  Files
    are known by the compiler's name for them; `File.path` is the user's.
    """

    def __init__(self, path: str, data: bytes, flags: Sequence[str]) -> None:
        self.main = os.path.abspath(path)
        self._folder = os.path.dirname(self.main)
        self._shown_folder = os.path.dirname(path)
        roots = (_KERNEL.fullmatch(os.path.realpath(d)) for d in include_directories(flags))
        kernels = {match[1] for match in roots if match is not None}
        self._foreign = (*(k for k in sorted(kernels) if not _inside(self.main, k)), str(include_directory()))
        self._known: dict[str, bool] = {}
        self.files = {self.main: File(path, data)}

    def add(self, inclusions: Sequence[Inclusion]) -> None:
        """Read the module's headers among the files that were included."""
        for path in dict.fromkeys(i.path for i in inclusions):
            if path not in self.files and not self._is_foreign(os.path.dirname(path)):
                file = self._read(path)
                if file is not None and (_inside(os.path.abspath(path), self._folder)
                                         or _ANY.search(file.text)):
                    self.files[path] = file

    @property
    def headers_read_variables(self) -> bool:
        """Whether a function in a header may use the macros that stand in functions."""
        return any(_READS.search(file.text) for path, file in self.files.items() if path != self.main)

    def shown(self, path: str) -> str:
        """The compiler's name of a file as the user would say it: relative where the main file's is."""
        absolute = os.path.abspath(path)
        if path == self.main:
            return self.files[path].path
        if _inside(absolute, self._folder):
            return os.path.join(self._shown_folder, os.path.relpath(absolute, self._folder))
        return absolute

    def _is_foreign(self, folder: str) -> bool:
        if folder not in self._known:
            real = os.path.realpath(folder)
            self._known[folder] = any(real == f or _inside(real, f) for f in self._foreign)
        return self._known[folder]

    def _read(self, path: str) -> File | None:
        try:
            return File(self.shown(path), Path(path).read_bytes())
        except OSError:
            return None


def quoted_headers(path: str, data: bytes) -> Iterator[bytes]:
    """The contents of the headers that a file includes with quotes from beside itself, and those that they include.

    A quick look before anything is parsed: conditionals are not evaluated.
    """
    seen = set()
    pending = [(os.path.abspath(path), data)]
    while pending:
        includer, text = pending.pop()
        for name in _INCLUDE.findall(text):
            header = os.path.join(os.path.dirname(includer), os.fsdecode(name))
            if header not in seen and os.path.isfile(header):
                seen.add(header)
                pending.append((header, Path(header).read_bytes()))
                yield pending[-1][1]


def mentions_reads(data: bytes) -> bool:
    """Whether a text names one of the macros that stand in functions."""
    return _READS.search(data.decode("latin-1")) is not None


def _inside(path: str, folder: str) -> bool:
    return path.startswith(folder.rstrip("/") + "/")
