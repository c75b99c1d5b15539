# SPDX-License-Identifier: GPL-2.0-or-later
"""localvar probes: what a coordinate or a glob matches, and why a place cannot be probed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from localvar.cli.options import Common, common
from localvar.cli.report import Reporter, harmless
from localvar.diagnostics import Exit, Failure

if TYPE_CHECKING:
    from localvar.kernel import Kernel
    from localvar.model.site import Site


@click.command()
@click.argument("patterns", nargs=-1, required=True, metavar="PATTERN...")
@common
def probes(patterns: tuple[str, ...], options: Common) -> int:
    """List the places that each PATTERN, a coordinate with or without globs, names: functions, inlined copies, labels,
    lines; and why one of them cannot be probed."""
    kernel = options.open_kernel()
    found, status = list[tuple[str, "list[Site]"]](), Exit.DONE
    with kernel.reading():
        for pattern in patterns:
            try:
                found.append((pattern, kernel.sites(pattern)))
            except Failure as failure:
                Reporter.current.show(failure.diagnostics)
                status = max(status, failure.status)
    if options.as_json:
        Reporter.current.answer(document(kernel, found))
    else:
        click.echo("".join(f"{harmless(line)}\n" for _, sites in found for line in map(text, sites)), nl=False)
    return int(status)


def document(kernel: Kernel, found: list[tuple[str, list[Site]]]) -> dict[str, Any]:
    """The JSON object: as that of `localvar vars`, without the variables, with what kind of place each is."""
    from localvar.cli.vars import site_object

    coordinates = []
    for pattern, sites in found:
        objects = []
        for site in sites:
            place = site_object(kernel, site, [])
            del place["variables"]
            objects.append({**place, "function": site.function, "kind": kind(site)})
        coordinates.append({"coordinate": pattern, "sites": objects})
    return {"vmlinux": kernel.path, "build_id": kernel.elf.build_id.hex() if kernel.elf.build_id else None,
            "arch": kernel.arch.name, "coordinates": coordinates}


def kind(site: Site) -> str:
    """return, inlined (code of an inlined copy), function (its entry) or statement (an instruction inside)."""
    from localvar.model.site import SiteKind

    if site.kind is SiteKind.RETURN:
        return "return"
    if site.inlined:
        return "inlined"
    return "function" if site.pc == site.entry else "statement"


def text(site: Site) -> str:
    """One line: the place, its source line, what it is, why not."""
    from localvar.cli.vars import address_text

    source = f" {site.file}:{site.line}" if site.file else ""
    inlined = f" {' < '.join(site.inlined)}" if site.inlined else ""
    refused = f"  cannot be probed: {site.why_not.text}" if site.why_not else ""
    return f"{site.name} {address_text(site)}{source}  {kind(site)}{inlined}{refused}"
