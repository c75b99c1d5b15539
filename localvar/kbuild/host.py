# SPDX-License-Identifier: GPL-2.0-or-later
"""The machine we run on, as a value: files, environment, running kernel; and what the options ask for."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from localvar.kbuild.elf import build_id_of_notes


@dataclass(frozen=True)
class Request:
    """The options --vmlinux, --kernel, --build and --module-debug, None where not given."""

    vmlinux: Path | None = None
    kernel: str | None = None
    build: Path | None = None
    module_debug: Path | None = None


@dataclass(frozen=True)
class Host:
    """Where files are looked for (root: "/" but in tests), environment variables, uname of the kernel."""

    root: Path = Path("/")
    environ: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    running: str = field(default_factory=lambda: os.uname().release)
    machine: str = field(default_factory=lambda: os.uname().machine)

    def path(self, absolute: str) -> Path:
        """The file that is absolute on that machine."""
        return self.root / absolute.lstrip("/")

    def running_build_id(self) -> str | None:
        """Build-id of the running kernel from its notes (kernel/ksysfs.c), None where it shows none."""
        try:
            return build_id_of_notes(self.path("/sys/kernel/notes").read_bytes(), "<")
        except OSError:
            return None

    def distributions(self) -> tuple[str, ...]:
        """The names in os-release(5), own first: ("ubuntu", "debian"); empty where there is no such file."""
        for name in ("/etc/os-release", "/usr/lib/os-release"):
            try:
                text = self.path(name).read_text(encoding="utf-8", errors="replace")
            except OSError:
                continue
            fields = dict(re.findall(r'^(ID|ID_LIKE)="?([a-z0-9._ -]*)"?$', text, re.MULTILINE))
            return tuple((fields.get("ID", "") + " " + fields.get("ID_LIKE", "")).split())
        return ()
