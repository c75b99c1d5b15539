# SPDX-License-Identifier: GPL-2.0-or-later
"""Listings: the reads that an expansion would compile, without compiling them."""

from __future__ import annotations

from localvar.codegen.values import expression_text
from localvar.kernel import Kernel
from localvar.model.plan import Read
from localvar.model.site import Site


def list_variables(coordinate: str, kernel: Kernel) -> list[tuple[Site, list[Read]]]:
    """What can be read at each site of a coordinate.  Raises Failure where it names none."""
    with kernel.reading():
        return [(site, kernel.judge.all(site)) for site in kernel.sites(coordinate)]


def c_text(read: Read, kernel: Kernel) -> str | None:
    """The C over `regs` that an expansion evaluates for a read; None where it is absent."""
    return expression_text(read, kernel.arch)
