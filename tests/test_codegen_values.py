# SPDX-License-Identifier: GPL-2.0-or-later
"""Values of every C type out of every kind of place: the generated C, compiled and run beside C's own member access.

The types and their debug info are gcc's: codegen_types.h is compiled, and what localvar makes of its DWARF is compiled
again next to the definitions themselves.
"""

from __future__ import annotations

import ctypes
import random
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from localvar.arch import X86_64
from localvar.codegen.values import return_statement, value_type
from localvar.ctext.declare import declaration
from localvar.dwarf import constants as c
from localvar.dwarf.elf import Elf
from localvar.dwarf.info import DebugInfo
from localvar.dwarf.names import dies_named
from localvar.dwarf.types import type_of
from localvar.model import fold
from localvar.model.ctype import Array, CType, Declared, Pointer, Record, is_scalar, size_of, strip
from localvar.model.expr import Reg
from localvar.model.location import Constant, Location, Memory, Piece, Pieces, Register
from localvar.model.path import parse_path
from localvar.model.plan import Read, Variable, VariableKind
from localvar.model.site import NOWHERE
from localvar.plan.read import plan_read
from tests.compiled import Compiled, compile_c

TYPES = Path(__file__).with_name("codegen_types.h")
OBJECT, FRAME = 0x2000, 0x1000
"""Where the object lies in the memory, and where the stack pointer points."""
SETTLE = """
struct all *settle(struct all *object)
{
	object->flag = *(unsigned char *)&object->flag & 1;
	object->self = object;
	object->pairs = object->matrix[1];
	return object;
}
"""


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> CType:
    """struct all as gcc describes it in DWARF 5."""
    return described(tmp_path_factory.mktemp("types"), "-gdwarf-5")


def described(folder: Path, *flags: str) -> CType:
    """struct all as gcc describes it."""
    if shutil.which("gcc") is None:
        pytest.skip("gcc is not installed; run tools/setup-debian.sh test")
    (folder / "types.c").write_text(f'#include "{TYPES}"\nstruct all everything;\n')
    command = ["gcc", *flags, "-c", "-o", str(folder / "types.o"), str(folder / "types.c")]
    subprocess.run(command, check=True, timeout=60)
    info = DebugInfo(Elf.open(folder / "types.o"))
    die = next(die for die in dies_named(info, "everything", {c.DW_TAG_variable}) if c.DW_AT_type in die)
    return type_of(die)


def paths(ctype: CType, prefix: str = "", depth: int = 3) -> Iterator[str]:
    """Every path into a type."""
    bare = strip(ctype)
    if prefix:
        yield prefix
    if isinstance(bare, Record) and depth:
        for member in bare.members():
            if member.name is None:
                yield from (path for path in paths(member.type(), prefix, depth - 1) if path != prefix)
            else:
                yield from paths(member.type(), f"{prefix}.{member.name}", depth - 1)
    elif isinstance(bare, Array):
        for index in sorted({0, (bare.count or 4) - 1}):
            yield from paths(bare.element(), f"{prefix}[{index}]", depth)
    elif isinstance(bare, Pointer) and depth:
        target = strip(bare.target())
        if isinstance(target, Record) and not target.declaration and prefix in (".self", ".pairs"):
            yield from (f"{prefix}->{path[1:]}" for path in paths(target, "", depth - 1) if not path.startswith(".self"))
            if prefix == ".pairs":
                yield f"{prefix}[1]"


def every_path(ctype: CType) -> list[str]:
    found = list(dict.fromkeys(paths(ctype)))
    assert len(found) > 100
    return found


@dataclass(frozen=True)
class Case:
    """A path, and how it is read from some place."""

    path: str
    read: Read


def cases(record: CType, location: Location) -> list[Case]:
    variable = Variable("x", VariableKind.LOCAL, record, "f", location, "", 0, Declared(None, 0))
    return [Case(path, plan_read(NOWHERE, variable, parse_path(f"x{path}"), X86_64)) for path in every_path(record)]


def functions(found: list[Case]) -> Iterator[str]:
    """For each case a function that gives 0 where the accessor's value is C's own, 1 where it is not."""
    for number, case in enumerate(found):
        if not is_made(case):
            continue
        ctype = value_type(case.read.type)
        bare = strip(case.read.type)
        head = declaration(ctype, f"get_{number}(const struct pt_regs *regs)")
        body = return_statement(case.read, ctype, X86_64).replace("\n", "\n\t")
        yield f"static inline {head}\n{{\n\t{body}\n}}"
        own = f"((struct all *)(localvar_test_memory + {OBJECT:#x})){case.path.replace('.', '->', 1)}"
        same = f"get_{number}(regs) == {own}"
        if isinstance(bare, Array):
            same = f"(const void *)get_{number}(regs) == (const void *){own}"
        elif not is_scalar(case.read.type):
            clear = "__builtin_clear_padding(&a); __builtin_clear_padding(&b);"
            same = f"({{ typeof({own}) a = get_{number}(regs), b = {own}; {clear} !memcmp(&a, &b, sizeof(a)); }})"
        yield writes(f"test_{number}", f"*(char *)out = !({same});")


def writes(name: str, statement: str) -> str:
    """A C function of regs that writes to out."""
    head = f"void {name}(const struct pt_regs *regs, void *out)"
    return f"{head};\n{head}\n{{\n\t{statement}\n}}\n"


def is_made(case: Case) -> bool:
    """Whether there is an accessor: C has no name for the type of `local`."""
    return case.read.readable and not case.path.endswith(".local") and not case.path.endswith("->local")


def run(found: list[Case], prepare: Callable[[Compiled], dict[int, int]], seed: int = 1) -> None:
    """Compile and run all cases over random objects."""
    numbers = random.Random(seed)
    compiled = compile_c([f'#include "{TYPES}"', SETTLE, *functions(found)], ["-Wno-address-of-packed-member"])
    for _ in range(3):
        compiled.fill(numbers.randbytes(1 << 16))
        compiled.library.settle(ctypes.c_void_p(compiled.memory_address + OBJECT))
        regs = prepare(compiled)
        wrong = [case.path for number, case in enumerate(found)
                 if is_made(case) and compiled.call(f"test_{number}", regs, 1) != b"\0"]
        assert wrong == []
    assert compiled.faults == 0


@pytest.mark.parametrize("flags", ["-gdwarf-5", "-gdwarf-4", "-gdwarf-2 -gstrict-dwarf"])
def test_every_member_is_read_through_a_pointer(flags: str, tmp_path: Path) -> None:
    """DWARF 2 counts bit-fields from the other end, and has member places as expressions."""
    found = cases(described(tmp_path, *flags.split()), Memory(Reg(3)))
    assert [case.path for case in found if not case.read.readable] == []
    run(found, lambda compiled: {3: compiled.memory_address + OBJECT})


def test_every_member_is_read_from_the_frame(record: CType) -> None:
    found = cases(record, Memory(fold.add(Reg(7), OBJECT - FRAME)))
    assert [case.path for case in found if not case.read.readable] == []
    run(found, lambda compiled: {7: compiled.memory_address + FRAME})


def test_every_member_is_read_from_pieces_split_anywhere(record: CType) -> None:
    """A piece of each kind of place, cut where members are not."""
    size = size_of(record)
    assert size is not None and size < 1024
    cuts = sorted(random.Random(7).sample(range(1, size), 24))
    pieces: list[Piece] = []
    registers: list[tuple[int, int, int]] = []
    for number, (start, end) in enumerate(zip([0, *cuts], [*cuts, size], strict=True)):
        if end - start <= 8 and len(registers) < 12:
            register = [0, 1, 2, 4, 5, 8, 9, 10, 11, 12, 13, 14][len(registers)]
            registers.append((register, start, end))
            pieces.append(Piece(Register(register), 8 * (end - start)))
        elif number % 2:
            pieces.append(Piece(Memory(fold.add(Reg(7), OBJECT - FRAME + start)), 8 * (end - start)))
        else:  # from the middle of a place
            pieces.append(Piece(Memory(fold.add(Reg(3), start - 3)), 8 * (end - start), 24))
    found = cases(record, Pieces(tuple(pieces)))
    assert len(registers) > 5
    # what begins in a piece of memory and ends there still is an object; an array elsewhere has no address
    absent = {case.path: case.read.reason.slug for case in found if case.read.reason}
    assert {path for path, slug in absent.items() if slug != "array"} <= {".last", ".last[0]", ".last[3]"}
    assert all(isinstance(strip(case.read.type), Array) for case in found if absent.get(case.path) == "array")

    def prepare(compiled: Compiled) -> dict[int, int]:
        memory = ctypes.string_at(compiled.memory_address + OBJECT, size)
        held = {register: int.from_bytes(memory[start:end] + b"\xff" * (8 - end + start), "little")
                for register, start, end in registers}
        return held | {3: compiled.memory_address + OBJECT, 7: compiled.memory_address + FRAME}

    run(found, prepare)


def test_every_member_of_a_constant_is_its_bytes(record: CType) -> None:
    size = size_of(record)
    assert size is not None
    data = bytearray(random.Random(3).randbytes(size))
    data[0] &= 1
    found = [case for case in cases(record, Constant(bytes(data))) if "->" not in case.path and case.path != ".pairs[1]"]
    compiled = compile_c([f'#include "{TYPES}"', *functions(found)], ["-Wno-address-of-packed-member"])
    compiled.fill(bytes(OBJECT) + bytes(data))
    wrong = [case.path for number, case in enumerate(found)
             if is_made(case) and compiled.call(f"test_{number}", {}, 1) != b"\0"]
    assert wrong == []
    assert {case.read.reason.slug for case in found if case.read.reason} == {"array", "too-small", "type"}


def test_a_struct_in_two_registers_is_put_together(record: CType) -> None:
    """The psABI passes struct pair in one register and a struct of 16 bytes in two."""
    bare = strip(record)
    assert isinstance(bare, Record)
    pair = next(member.type() for member in bare.members() if member.name == "pair")
    variable = Variable("x", VariableKind.LOCAL, pair, "f", Register(5), "", 0, Declared(None, 0))
    reads = {path: plan_read(NOWHERE, variable, parse_path(path), X86_64) for path in ("x", "x.left", "x.right")}
    parts = []
    for number, read in enumerate(reads.values()):
        ctype = value_type(read.type)
        head = declaration(ctype, f"get_{number}(const struct pt_regs *regs)")
        parts += [f"static inline {head}\n{{\n\t{return_statement(read, ctype, X86_64)}\n}}",
                  writes(f"test_{number}", f"typeof(get_{number}(regs)) value = get_{number}(regs);\n\n"
                                           "\tmemcpy(out, &value, sizeof(value));")]
    compiled = compile_c([f'#include "{TYPES}"', *parts])
    held = {5: 0x1122334455667788}
    assert compiled.call("test_0", held, 8) == held[5].to_bytes(8, "little")
    assert compiled.call("test_1", held, 4) == bytes.fromhex("88776655")
    assert compiled.call("test_2", held, 2) == bytes.fromhex("4433")
