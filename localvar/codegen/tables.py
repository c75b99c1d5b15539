# SPDX-License-Identifier: GPL-2.0-or-later
"""Site tables, probe and module structures, as include/localvar/runtime.h declares them."""

from __future__ import annotations

from dataclasses import dataclass

from localvar.codegen.names import identifier, section_name
from localvar.model.plan import PlannedProbe, ReadPlan
from localvar.model.site import Site, SiteKind


@dataclass(frozen=True)
class EntryUse:
    """What a site says of its function's entry: the descriptor of the companion probe there, the function that gives
    the frame, whether handlers can do without."""

    entry: str
    cfa: str
    optional: bool


@dataclass(frozen=True)
class ModuleIdentity:
    """A probed module: name, build-id, and (section, name of a symbol there, its offset) of each section with sites."""

    name: str
    build_id: bytes
    anchors: tuple[tuple[str, str, int], ...]


@dataclass(frozen=True)
class KernelIdentity:
    """The kernel an expansion is for: release, build-id and its link-time address, link-time address of init_task; the
    modules that are probed."""

    release: str
    build_id: bytes
    build_id_address: int
    anchor_address: int
    modules: tuple[ModuleIdentity, ...] = ()


def c_string(text: str | bytes) -> str:
    """A C string literal; everything but plain printable characters in octal, so that nothing can end it early."""
    data = text.encode() if isinstance(text, str) else text
    plain = b'"\\?'
    return '"' + "".join(chr(b) if 0x20 <= b < 0x7F and b not in plain else f"\\{b:03o}" for b in data) + '"'


def kernel_table(kernel: KernelIdentity) -> str:
    """The definition of localvar_kernel."""
    return (
        "static const struct localvar_kernel localvar_kernel = {\n"
        f"\t.release = {c_string(kernel.release)},\n"
        f"\t.build_id = {c_string(kernel.build_id)},\n"
        f"\t.build_id_size = {len(kernel.build_id)},\n"
        f"\t.build_id_address = {kernel.build_id_address:#x},\n"
        f"\t.anchor_address = {kernel.anchor_address:#x},\n"
        "};\n"
    )


def module_tables(modules: tuple[ModuleIdentity, ...]) -> str:
    """The definitions of the modules that are probed, and of their sections."""
    return "\n".join(_module_table(module) for module in modules)


def _module_table(module: ModuleIdentity) -> str:
    name = f"localvar_object_{identifier(module.name)}"
    sections = [section_name(module.name, section) for section, _, _ in module.anchors]
    text = f"static struct localvar_object {name};\n"
    for (_, anchor, offset), section in zip(module.anchors, sections, strict=True):
        text += (f"static struct localvar_section {section} = {{\n\t.object = &{name}, .anchor = {c_string(anchor)}, "
                 f".anchor_offset = {offset:#x},\n}};\n")
    listed = ", ".join(f"&{section}" for section in sections)
    return text + (
        f"static struct localvar_object {name} = {{\n\t.name = {c_string(module.name)},\n"
        f"\t.build_id = {c_string(module.build_id)}, .build_id_size = {len(module.build_id)},\n"
        f"\t.sections = (struct localvar_section *[]) {{ {listed} }}, .nr_sections = {len(sections)},\n}};\n"
    )


def place_fields(module: str | None, section: str | None, offset: int, address: int) -> str:
    """The initialisers that say where code is: in the kernel, or in a section of a module."""
    if module is None or section is None:
        return f".address = {address:#x}"
    return f".section = &{section_name(module, section)}, .address = {offset:#x}"


def site_initialiser(site: Site, variant: int, entry: EntryUse | None = None, proven: str | None = None,
                     needs: str | None = None) -> str:
    """One element of a site table.  proven: the function that tells of a hit whether it has what its handler reads;
    needs: more initialisers, of what a hit is held against."""
    fields = [place_fields(site.module, site.section, site.section_offset, site.pc), f".name = {c_string(site.name)}"]
    if site.kind is SiteKind.RETURN:
        fields.append(".kind = LOCALVAR_RETURN")
    fields.append(f".variant = {variant}")
    if entry is not None:
        fields += [f".entry = &{entry.entry}", f".cfa = {entry.cfa}"] + [".entry_optional = true"] * entry.optional
    fields += [f".proven = {proven}"] if proven is not None else []
    fields += [needs] if needs is not None else []
    return "{ " + ", ".join(fields) + " }"


def probe_definition(probe: PlannedProbe, plan: ReadPlan, variants: dict[int, int], entries: dict[int, EntryUse],
                     proven: dict[int, str], needs: dict[int, str]) -> str:
    """What LOCALVAR_PROBE becomes: the definition of HANDLER_probe, without the semicolon that the user wrote."""
    handler = probe.declaration.handlers[0].function
    maxactive = f" .maxactive = {probe.maxactive}," if probe.maxactive else ""
    sites = "".join(f"\t\t{site_initialiser(plan.sites[i], variants.get(i, 0), entries.get(i), proven.get(i), needs.get(i))},\n"
                    for i in probe.sites)
    return (
        f"static struct localvar_probe {handler}_probe = {{\n"
        f"\t.name = {c_string(handler)}, .handler = {handler},\n"
        f"\t.sites = (struct localvar_site[]) {{\n{sites}\t}},\n"
        f"\t.nr_sites = {len(probe.sites)}, .kernel = &localvar_kernel,{maxactive}\n"
        "}"
    )


def place_definition(name: str, site: Site, variant: int, proven: str | None = None, needs: str | None = None) -> str:
    """The place that a PROBE_LOCATION refers to."""
    return (
        f"static struct localvar_place {name} = {{\n"
        f"\t.self = &{name},\n"
        f"\t.site = {site_initialiser(site, variant, proven=proven, needs=needs)},\n"
        "};\n"
    )


def module_definition(unit: str, probes: list[str], begin: str | None, end: str | None, others: list[str],
                      static: bool) -> str:
    """The struct localvar_module of a file: its probes and hooks, and in the file with LOCALVAR_MODULE() the others."""
    fields = ["\t.kernel = &localvar_kernel,\n"]
    if probes:
        listed = ", ".join(f"&{name}" for name in probes)
        fields.append(f"\t.probes = (struct localvar_probe *[]) {{ {listed} }}, .nr_probes = {len(probes)},\n")
    if begin:
        fields.append(f"\t.begin = {begin},\n")
    if end:
        fields.append(f"\t.end = {end},\n")
    if others:
        listed = ", ".join(f"&{name}" for name in others)
        fields.append(f"\t.others = (struct localvar_module *[]) {{ {listed} }}, .nr_others = {len(others)},\n")
    return f"{'static ' if static else ''}struct localvar_module {unit} = {{\n{''.join(fields)}}};\n"


def module_init(unit: str) -> str:
    """The module's init and exit functions; the semicolon behind the last macro is the user's."""
    return (
        "static int __init localvar_init(void)\n{\n"
        f"\treturn localvar_register_module(&{unit});\n}}\n\n"
        "static void __exit localvar_exit(void)\n{\n"
        f"\tlocalvar_unregister_module(&{unit});\n}}\n\n"
        "module_init(localvar_init);\nmodule_exit(localvar_exit)"
    )
