# SPDX-License-Identifier: GPL-2.0-or-later
"""Listings of types: definitions as an expansion would write them, the includes that it would choose."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

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

__all__ = ["HeaderAdvice", "TypeDefinition", "is_glob", "list_headers", "list_type", "list_types"]


@dataclass(frozen=True)
class Headers:
    """Where headers are looked for: a kernel's build directory."""

    build: BuildDirectory
    host: Host


def list_type(kernel: Kernel, name: str, file: str | None, layout: bool) -> TypeDefinition:
    """The definition of a type with all it needs, nothing taken from headers.  Raises Failure."""
    with kernel.reading():
        return type_definition(kernel.names, name, file, layout=layout)


def list_types(kernel: Kernel, pattern: str, file: str | None, layout: bool) -> list[TypeDefinition]:
    """The definitions of all types that a glob names, each without what it needs.  Raises Failure."""
    with kernel.reading():
        return type_definitions(kernel.names, pattern, file, layout=layout)


def list_headers(kernel: Kernel, headers: Headers, names: Sequence[str], file: str | None) -> list[HeaderAdvice]:
    """The includes that bring each type, found by trying them under the kernel's own flags.  Raises Failure."""
    directory = str(headers.build.path)
    flags = kernel_flags(headers.build, headers.host).for_file(Path(directory) / "localvar_headers.c")
    path = include_path(flags, directory)
    with tempfile.TemporaryDirectory() as folder, kernel.reading():
        empty = os.path.join(folder, "empty.c")
        Path(empty).write_bytes(b"")
        unit = open_unit(empty, b"", flags, directory=directory)
        found = []
        for name in names:
            if is_glob(name):
                found += headers_for_all(kernel.names, name, path, unit, file)
            else:
                found.append(headers_for(kernel.names, name, path, unit, file))
        return found
