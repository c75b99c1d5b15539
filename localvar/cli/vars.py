# SPDX-License-Identifier: GPL-2.0-or-later
"""localvar vars: what can be read at a place, as expand would read it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from localvar.cli.options import Common, common
from localvar.cli.report import Reporter, harmless
from localvar.diagnostics import Exit, Failure

if TYPE_CHECKING:
    from localvar.kernel import Kernel
    from localvar.model.plan import Read
    from localvar.model.site import Site


@click.command("vars")
@click.argument("coordinates", nargs=-1, required=True, metavar="COORDINATE...")
@common
def vars_command(coordinates: tuple[str, ...], options: Common) -> int:
    """List the variables in scope at each site of each COORDINATE, how they are read, or why they are not."""
    from localvar.listing import list_variables

    kernel = options.open_kernel()
    found, status = [], Exit.DONE
    with kernel.reading():
        for coordinate in coordinates:
            try:
                found.append((coordinate, list_variables(coordinate, kernel)))
            except Failure as failure:
                if failure.status is not Exit.SOURCE:
                    raise
                Reporter.current.show(failure.diagnostics)
                status = Exit.SOURCE
        if options.as_json:
            Reporter.current.answer(document(kernel, found))
        else:
            click.echo(listing(kernel, found), nl=False)
    return int(status)


def listing(kernel: Kernel, found: list[tuple[str, list[tuple[Site, list[Read]]]]]) -> str:
    """All coordinates' listings; a line in front of each where there are several sites to tell apart."""
    lines = []
    for coordinate, sites in found:
        if len(found) > 1 or len(sites) > 1:
            lines.append(f"{coordinate}: {len(sites)} site{'s' * (len(sites) != 1)}")
        lines += [text(kernel, site, reads) for site, reads in sites]
    return "".join(f"{harmless(line)}\n" for line in lines)


def document(kernel: Kernel, found: list[tuple[str, list[tuple[Site, list[Read]]]]]) -> dict[str, Any]:
    """The JSON object of the design, section 5."""
    return {
        "vmlinux": kernel.path, "build_id": kernel.elf.build_id.hex() if kernel.elf.build_id else None, "arch": kernel.arch.name,
        "coordinates": [
            {"coordinate": coordinate, "sites": [site_object(kernel, site, reads) for site, reads in sites]}
            for coordinate, sites in found
        ],
    }


def site_object(kernel: Kernel, site: Site, reads: list[Read]) -> dict[str, Any]:
    """One site with its variables.  One of a module has its section too, which its address is counted from."""
    return {
        "address": f"{site.pc if site.section is None else site.section_offset:#x}",
        **({} if site.section is None else {"section": site.section}),
        "symbol": site.symbol, "offset": site.offset, "module": site.module,
        "source": f"{site.file}:{site.line}" if site.file else None, "inlined": list(site.inlined),
        "probeable": site.why_not is None, "why_not": str(site.why_not) if site.why_not else None,
        "variables": [variable_object(kernel, read) for read in reads],
    }


def variable_object(kernel: Kernel, read: Read) -> dict[str, Any]:
    """One variable's entry."""
    from localvar.ctext.declare import display
    from localvar.listing import c_text
    from localvar.model.ctype import size_of

    variable = read.variable
    assert variable is not None
    return {
        "name": variable.name, "kind": variable.kind.value, "type": display(variable.type), "size": size_of(variable.type),
        "scope": variable.scope, "readable": read.readable, "class": read.location_class.value,
        "how": read.how.value if read.how else None, "c": c_text(read, kernel),
        "reason": str(read.reason) if read.reason else None,
    }


WIDEST = 40
"""Columns of a declaration that those behind it line up with; longer ones push theirs out."""


def text(kernel: Kernel, site: Site, reads: list[Read]) -> str:
    """One site's listing: where it is, and a line for each variable with its declaration, class and C or reason."""
    source = f" ({site.file}:{site.line})" if site.file else ""
    inlined = f", inlined: {' < '.join(site.inlined)}" if site.inlined else ""
    lines = [f"{site.name}{source} {address_text(site)}{inlined}"]
    if site.why_not:
        lines.append(f"    cannot be probed: {site.why_not.text}")
    rows = [(variable_object(kernel, read), _declared(read)) for read in reads]
    width = max((len(declared) for _, declared in rows if len(declared) <= WIDEST), default=0)
    for row, declared in rows:
        how = f" [{row['how']}]" if row["how"] not in (None, "direct") else ""
        value = row["c"] if row["readable"] else row["reason"]
        lines.append(f"    {row['kind']:9}  {declared:{width}}  {row['class'] if row['readable'] else '-':8}  {value}{how}")
    if not rows:
        lines.append("    no variables in scope")
    return "\n".join(lines)


def address_text(site: Site) -> str:
    """A link-time address; of a module, whose sections have none, section and offset."""
    return f"{site.pc:#x}" if site.section is None else f"{site.section}+{site.section_offset:#x}"


def _declared(read: Read) -> str:
    """The variable's declaration, or near it where C has no words for its type."""
    from localvar.ctext.declare import declaration, display
    from localvar.ctext.names import Unspeakable

    assert read.variable is not None
    try:
        return declaration(read.variable.type, read.variable.name)
    except Unspeakable:
        return f"{display(read.variable.type)} {read.variable.name}"
