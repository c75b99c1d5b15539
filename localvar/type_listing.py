# SPDX-License-Identifier: GPL-2.0-or-later
"""Listings of types: definitions as an expansion would write them, the includes that it would choose."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from localvar.diagnostics import source_failure
from localvar.dwarf.lookup import TypeLookup
from localvar.kbuild.environment import BuildDirectory, Host
from localvar.kbuild.flags import kernel_flags
from localvar.kernel import Kernel
from localvar.source.parse import open_unit
from localvar.types.headers import include_path
from localvar.types.listing import (
    HeaderAdvice,
    TypeDefinition,
    headers_for,
    headers_for_all,
    is_glob,
    type_definition,
    type_definitions,
)

__all__ = ["HeaderAdvice", "Scope", "TypeDefinition", "is_glob", "list_headers", "list_type", "list_types"]


@dataclass(frozen=True)
class Headers:
    """Where headers are looked for: a kernel's build directory."""

    build: BuildDirectory
    host: Host


@dataclass(frozen=True)
class Scope:
    """Whose types are meant: of a module (None: of the kernel itself), of a file where several have the name."""

    module: str | None = None
    file: str | None = None

    def names(self, kernel: Kernel) -> TypeLookup:
        """Where they are looked up.  Raises Failure."""
        if self.module is not None and is_glob(self.module):
            raise source_failure("one-module", f"'{self.module}' is no name of one module")
        return kernel.types_of(self.module)


def list_type(kernel: Kernel, name: str, scope: Scope, layout: bool) -> TypeDefinition:
    """The definition of a type with all it needs, nothing taken from headers.  Raises Failure."""
    with kernel.reading():
        return type_definition(scope.names(kernel), name, scope.file, layout=layout)


def list_types(kernel: Kernel, pattern: str, scope: Scope, layout: bool) -> list[TypeDefinition]:
    """The definitions of all types that a glob names, each without what it needs.  Raises Failure."""
    with kernel.reading():
        return type_definitions(scope.names(kernel), pattern, scope.file, layout=layout)


def list_headers(kernel: Kernel, headers: Headers, names: Sequence[str], scope: Scope) -> list[HeaderAdvice]:
    """The includes that bring each type, found by trying them under the kernel's own flags.  Raises Failure."""
    directory = str(headers.build.path)
    flags = kernel_flags(headers.build, headers.host).for_file(Path(directory) / "localvar_headers.c")
    path = include_path(flags, directory)
    with tempfile.TemporaryDirectory() as folder, kernel.reading():
        empty = os.path.join(folder, "empty.c")
        Path(empty).write_bytes(b"")
        unit = open_unit(empty, b"", flags, directory=directory)
        types, found = scope.names(kernel), []
        for name in names:
            if is_glob(name):
                found += headers_for_all(types, name, path, unit, scope.file)
            else:
                found.append(headers_for(types, name, path, unit, scope.file))
        return found
