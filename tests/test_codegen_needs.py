# SPDX-License-Identifier: GPL-2.0-or-later
"""What a hit is held against: callers, and the modules whose variables its handler reads."""

from __future__ import annotations

from dataclasses import replace

from localvar.codegen.names import section_name
from localvar.codegen.needs import make_needs
from localvar.diagnostics import Span
from localvar.model.ctype import BaseType, Encoding
from localvar.model.expr import Address, Expr, Load, PerCpu, Reg
from localvar.model.path import Path
from localvar.model.plan import How, LocationClass, PlannedUse, Read, ReadPlan, Scalar
from localvar.model.site import NOWHERE, Site
from localvar.model.source import Macro, MacroUse

STATIC = MacroUse(Macro.GET_STATIC_VAR, Span("h.c", 0, 1, 1, 1), (), "h", "regs")
INT = BaseType(1, "int", 4, Encoding.SIGNED)


def site(pc: int, module: str | None = None, callers: tuple[int, ...] = ()) -> Site:
    return replace(NOWHERE, pc=pc, module=module, callers=callers)


def use(sites: tuple[int, ...], *addresses: Expr) -> PlannedUse:
    """A use of GET_STATIC_VAR that these sites reach, of a value that is loaded through these addresses."""
    reads = tuple((-1, Read(NOWHERE, Path("x"), None, INT, LocationClass.MEMORY, How.DIRECT, Scalar(Load(address)), None,
                            address=address)) for address in addresses)
    return PlannedUse(STATIC, Path("x"), reads, sites=sites)


def needs(sites: tuple[Site, ...], *uses: PlannedUse) -> tuple[str, dict[int, str]]:
    made = make_needs(ReadPlan(sites, (), uses))
    return made.text, made.by_site


DATA, BSS = Address(8, "ext4", ".data"), Address(8, "ext4", ".bss")


def listed(number: int, *sections: str) -> str:
    """The definition of a list of sections of ext4."""
    names = "".join(f"&{section_name('ext4', section)}, " for section in sections)
    return f"static const struct localvar_section *const localvar_needs_{number}[] = {{ {names}NULL }};\n"


def test_a_site_needs_the_sections_of_other_modules_that_are_read_there() -> None:
    text, by_site = needs((site(1), site(2)), use((1,), DATA, BSS), use((1,), PerCpu(8, "ext4", ".data..percpu")))
    assert text == listed(0, ".bss", ".data", ".data..percpu")
    assert by_site == {1: ".needs = localvar_needs_0"}


def test_what_is_in_the_kernel_or_in_the_sites_own_module_is_there() -> None:
    assert needs((site(1, "ext4"), site(2)), use((0,), DATA), use((0, 1), Address(8))) == ("", {})
    text, by_site = needs((site(1, "ext4"), site(2, "jbd2")), use((0, 1), DATA))
    assert by_site == {1: ".needs = localvar_needs_0"} and "ext4" in text


def test_a_section_is_needed_wherever_in_a_read_it_is_named() -> None:
    inner = Load(replace(DATA, value=0x10))
    assert needs((site(1),), use((0,), inner))[1] == {0: ".needs = localvar_needs_0"}
    assert needs((site(1),), use((0,), Load(Reg(3)))) == ("", {})


def test_a_use_of_no_site_and_one_that_is_absent_need_nothing() -> None:
    gone = use((0,), DATA)
    absent = replace(gone, reads=tuple((at, replace(read, source=None, address=None)) for at, read in gone.reads))
    assert needs((site(1),), use((), DATA), absent) == ("", {})


def test_sites_with_equal_needs_share_a_list() -> None:
    text, by_site = needs((site(1), site(2), site(3)), use((0, 2), DATA), use((1,), BSS))
    assert text == listed(0, ".data") + listed(1, ".bss")
    assert by_site == {0: ".needs = localvar_needs_0", 1: ".needs = localvar_needs_1", 2: ".needs = localvar_needs_0"}


def test_callers_are_listed_with_their_number() -> None:
    text, by_site = needs((site(1, callers=(0x10, 0x2A)), site(2), site(3, callers=(0x10,))))
    assert text == ("static const unsigned long localvar_callers_0[] = { 0x10, 0x2a };\n"
                    "static const unsigned long localvar_callers_1[] = { 0x10 };\n")
    assert by_site == {0: ".callers = localvar_callers_0, .nr_callers = 2", 2: ".callers = localvar_callers_1, .nr_callers = 1"}


def test_a_site_can_have_callers_and_needs() -> None:
    text, by_site = needs((site(1, callers=(0x10,)),), use((0,), DATA))
    assert by_site == {0: ".needs = localvar_needs_0, .callers = localvar_callers_0, .nr_callers = 1"}
    assert text == listed(0, ".data") + "static const unsigned long localvar_callers_0[] = { 0x10 };\n"
