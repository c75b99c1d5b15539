# SPDX-License-Identifier: GPL-2.0-or-later
"""What SystemTap and perf get wrong on the 6.1 kernel, read right: values told by the DWARF, not by its first operation."""

from __future__ import annotations

import functools
import random
from collections.abc import Iterator

import pytest

from localvar.diagnostics import Failure
from localvar.dwarf import constants as c
from localvar.dwarf.cfi import Expression
from localvar.dwarf.locate import Locator
from localvar.dwarf.loclists import location_entries
from localvar.dwarf.op import decode
from localvar.dwarf.ranges import die_ranges
from localvar.dwarf.scope import VARIABLE_TAGS, Chain
from localvar.dwarf.types import line_table
from localvar.dwarf.unit import Die, Unit
from localvar.kernel import Kernel
from localvar.model import fold
from localvar.model.ctype import Record, is_scalar, size_of, strip
from localvar.model.expr import Entry, Expr, Load, Parameter, Reg, Select, contains
from localvar.model.location import Absent, EntryValue, Memory, Pieces, Register, Value
from localvar.model.path import Path, parse_path
from localvar.model.plan import How, LocationClass, Read, Scalar
from localvar.model.site import Site
from localvar.plan.bits import within
from localvar.plan.read import plan_read, walk
from tests.dwarf_support import VMLINUX, sample_units, vmlinux
from tests.expr_value import World, value

MAX_RW_COUNT = 0x7FFFF000
"""include/linux/fs.h: INT_MAX & PAGE_MASK."""


@functools.cache
def kernel() -> Kernel:
    vmlinux()  # or skip
    return Kernel(VMLINUX[-1], None)


def statements(name: str) -> tuple[Die, list[int]]:
    """A function and its statement addresses, those of inlined code among them."""
    function = kernel().info.die(kernel().sites(name)[0].scope.dies[-1])
    ranges = die_ranges(function)
    rows = {row.address for row in line_table(function.unit).rows if any(low <= row.address < high for low, high in ranges)}
    return function, sorted(rows)


@functools.cache
def sites(name: str) -> list[Site]:
    """Sites at every statement address of a function."""
    return [site for pc in statements(name)[1] for site in kernel().sites(f"kernel.statement({pc:#x})")]


def reads(function: str, name: str) -> Iterator[Read]:
    """A variable at every statement where it is in scope."""
    for site in sites(function):
        variable = kernel().locator.variable(site, name)
        if variable is not None:
            yield plan_read(site, variable, Path(name), kernel().arch)


def scalars(function: str, name: str) -> list[tuple[Read, Expr]]:
    return [(read, read.source.expr) for read in reads(function, name) if isinstance(read.source, Scalar)]


def test_a_function_of_which_only_parts_were_left_does_not_begin_anywhere() -> None:
    """SystemTap misses the parts; a probe at the beginning of one would not be a call of the function."""
    name = next(symbol.name.partition(".")[0] for symbol in kernel().elf.symbols if symbol.name.endswith(".part.0")
                and not kernel().elf.symbols_named(symbol.name.partition(".")[0]))
    with pytest.raises(Failure) as failure:
        kernel().sites(f'kernel.function("{name}").call')
    assert failure.value.diagnostics[0].slug == "no-code"


def test_a_register_plus_offset_that_is_a_value_is_no_load() -> None:
    """perf prints path=+16(%bp), a load, where fsnotify_file's path is &file->f_path: the register plus 16 itself."""
    found = [expr for read, expr in scalars("vfs_read", "path") if read.location_class is LocationClass.VALUE]
    assert len(found) > 5
    assert set(found) == {fold.add(Reg(6), 16)}


def test_a_minimum_is_computed() -> None:
    """perf reads r14 (or memory there) where count is min(count, MAX_RW_COUNT); SystemTap's branch always goes one way."""
    found = [expr for _, expr in scalars("vfs_read", "count") if contains(expr, Select)]
    assert found
    for expr in found:
        (register,) = {node for node in walk(expr) if isinstance(node, Reg)}
        for count in (0, 1, MAX_RW_COUNT - 1, MAX_RW_COUNT, MAX_RW_COUNT + 1, 1 << 40, (1 << 63) + 5, (1 << 64) - 1):
            world = World({register.number: count}, lambda address, size: bytes(size), {register.number: count})
            assert value(expr, world) == min(count, MAX_RW_COUNT)


def test_entry_values_in_inlined_code_are_of_the_function_that_was_called() -> None:
    """SystemTap takes the register at the inlined pc; the value is the one at vfs_read's own entry."""
    entry = kernel().elf.symbols_named("vfs_read")[0].value
    found = [read for site in sites("vfs_read") for variable in kernel().locator.variables(site)
             if (read := plan_read(site, variable, Path(variable.name), kernel().arch)).how is How.ENTRY_CAPTURE]
    inlined = [read for read in found if read.site.inlined]
    assert found and inlined
    assert {read.site.entry for read in found} == {entry}
    for read in found:
        assert isinstance(read.source, Scalar)
        entries = [node.operand for node in walk(read.source.expr) if isinstance(node, Entry)]
        assert entries and all(operand in {Reg(n) for n in kernel().arch.argument_registers} for operand in entries)


def test_a_frame_whose_cfa_takes_several_operations_is_found() -> None:
    """vfs_rename realigns its stack: the CFA is what a slot below rbp holds, not a register plus offset."""
    frames = kernel().locator.frames
    function, addresses = statements("vfs_rename")
    found = 0
    for pc in addresses:
        row = frames.row(pc)
        assert row is not None
        if isinstance(row.cfa, Expression):
            operations = decode(row.cfa.data, 8, 4)
            assert [operation.code for operation in operations] == [c.DW_OP_breg6, c.DW_OP_deref]
            assert kernel().locator.cfa(function, pc) == Load(fold.add(Reg(6), operations[0].number()))
            found += 1
    assert found > 50


# -- over random units ------------------------------------------------------------------------------------------------


def variables(unit: Unit) -> Iterator[tuple[Die, Chain]]:
    """Variables with the scopes that hold them."""
    def below(chain: Chain) -> Iterator[tuple[Die, Chain]]:
        for child in chain[0].children():
            if child.tag in VARIABLE_TAGS and c.DW_AT_location in child:
                yield child, chain
            elif child.tag in (c.DW_TAG_subprogram, c.DW_TAG_inlined_subroutine, c.DW_TAG_lexical_block):
                yield from below((child, *chain))

    for child in unit.root.children():
        if child.tag == c.DW_TAG_subprogram:
            yield from below((child,))


@pytest.fixture(scope="module")
def units() -> list[Unit]:
    return sample_units(6, 7, 60_000, 200_000) + sample_units(6, 8, 60_000, 200_000)


def with_operation(units: list[Unit], code: int) -> Iterator[tuple[Die, Chain, int]]:
    """Variables and a pc where their location has an operation."""
    for unit in units:
        for die, chain in variables(unit):
            for entry in location_entries(die, c.DW_AT_location):
                if entry.low is not None and code in entry.expression and entry.high != entry.low and (
                        code in {operation.code for operation in decode(entry.expression, 8, 4)}):
                    yield die, chain, entry.low


def test_members_of_structs_in_pieces_are_read_from_their_own_piece(units: list[Unit]) -> None:
    """SystemTap takes the first piece for the whole.  (test_plan_bits.py has scalars in pieces: gcc 12 makes none here.)"""
    locator = Locator(vmlinux(), kernel().arch)
    found = 0
    for die, chain, pc in with_operation(units, c.DW_OP_piece):
        variable = locator._variable(die, "x", "f", chain, pc)
        record = strip(variable.type)
        if not isinstance(variable.location, Pieces) or not isinstance(record, Record):
            continue
        for member in record.members():
            size = size_of(member.type())
            if member.name is None or member.bit_size is not None or size is None or not is_scalar(member.type()):
                continue
            piece, _ = within(variable.location, member.bit_offset, 8 * size)
            read = plan_read(sites("vfs_read")[0], variable, parse_path(f"x.{member.name}"), kernel().arch)
            if isinstance(piece, Register):
                assert isinstance(read.source, Scalar)
                assert {node for node in walk(read.source.expr) if isinstance(node, Reg)} == {Reg(piece.number)}
                found += 1
            elif isinstance(piece, Absent):
                assert read.reason == piece.reason
    assert found > 20


def test_parameter_references_of_dwarf_5_name_the_parameter(units: list[Unit]) -> None:
    """SystemTap fails on them in DWARF 5: gcc writes DW_OP_GNU_parameter_ref there too."""
    locator = Locator(vmlinux(), kernel().arch)
    found = 0
    for die, chain, pc in with_operation(units, c.DW_OP_GNU_parameter_ref):
        location, words = locator.location(die, chain, pc)
        assert "DW_OP_GNU_parameter_ref" in words
        if isinstance(location, (Value, Memory)):
            expr = location.expr if isinstance(location, Value) else location.address
            for node in walk(expr):
                if isinstance(node, Parameter):
                    assert vmlinux().die(node.die).tag == c.DW_TAG_formal_parameter
                    found += 1
    assert found > 3


def test_entry_values_of_random_units_are_of_argument_registers(units: list[Unit]) -> None:
    locator = Locator(vmlinux(), kernel().arch)
    found = list(with_operation(units, c.DW_OP_entry_value))
    assert len(found) > 100
    for die, chain, pc in random.Random(6).sample(found, 100):
        location, _ = locator.location(die, chain, pc)
        if isinstance(location, EntryValue):
            assert location.inner in {Reg(n) for n in kernel().arch.argument_registers}


@pytest.mark.parametrize(("name", "variable"), [
    ("__set_oom_adj", "file"), ("can_vma_merge_before", "anon_name"), ("__unix_find_socket_byname", "net"), ("sanity", "i")])
def test_parameter_references_of_dwarf_5_are_read_from_the_callers(name: str, variable: str) -> None:
    """Each of the return addresses stands behind a direct call of the very clone; the value is made of what calls preserve."""
    elf, arch = kernel().elf, kernel().arch
    found = [read for site in sites(name) if (read := kernel().judge.local(site, Path(variable))).how is How.CALLER]
    assert found
    for read in found:
        assert read.callers is not None and read.callers.calls and isinstance(read.source, Scalar)
        for address, caller in read.callers.calls:
            raw = elf.memory(address - 5, 5)
            assert raw is not None and raw[0] == 0xE8
            assert address + int.from_bytes(raw[1:], "little", signed=True) == read.site.entry, caller
        assert {node.number for node in walk(read.source.expr) if isinstance(node, Reg)} <= arch.preserved
        stack = Reg(arch.stack_pointer)
        for node in walk(read.source.expr):
            if isinstance(node, Load):
                assert node.safe and fold.add(node.address, 0) in {fold.add(stack, n) for n in range(0, 1 << 12, 8)}
