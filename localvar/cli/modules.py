# SPDX-License-Identifier: GPL-2.0-or-later
"""The files of modules, found for the kernel that the options name."""

from __future__ import annotations

from localvar.diagnostics import environment_failure
from localvar.kbuild.environment import Host, Request
from localvar.kbuild.modules import ModuleFiles, read_module


class Modules:
    """localvar.images.ModuleSource over what is installed."""

    def __init__(self, request: Request, release: str) -> None:
        self._files = ModuleFiles(request, Host(), release)

    def names(self, glob: str) -> tuple[str, ...]:
        """Names of the modules that a glob matches."""
        return self._files.names(glob)

    def read(self, name: str) -> tuple[str, bytes | None]:
        """The path of the file with debug info, and what it unpacks to where it is packed.  Raises Failure."""
        found = self._files.find(name)
        if found.path.suffix in (".ko", ".debug"):
            return str(found.path), None
        try:
            return str(found.path), read_module(found.path)
        except (OSError, ValueError) as problem:
            raise environment_failure("unreadable", f"{found.path}: {problem}") from problem
