# SPDX-License-Identifier: GPL-2.0-or-later
"""A kernel of two source files, assembled in memory: everything that the command line asks of a vmlinux, in 8 KiB.

    mm/oom.c                                   fs/scan.c
     10 int account(struct task *task,          5 static int helper(unsigned char mode)
     11             long count, unsigned flags)
     14   long total = …;    (from +0x20)        9 int scan(struct task *who, long count,
     15   char gone = …;     (optimized out)             struct control *sc)
     16   limit = 42;
     20   charge(3);         (inlined, +0x60)
     24 out:                 (+0x40)
     40 static int helper(struct task *task)

The code is nops: any offset is the start of an instruction.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from tests.dwarfgen import (
    Cie,
    Die,
    Fde,
    File,
    Image,
    LineTable,
    Ref,
    Row,
    Section,
    Sequence,
    Symbol,
    Unit,
    cfa,
    ctype,
    loclist,
    nops,
    op,
)

TEXT = 0xFFFF_FFFF_8100_0000
DATA = 0xFFFF_FFFF_8200_0000
ACCOUNT, OOM_HELPER, ENTRY, HELPER, SCAN = TEXT, TEXT + 0x100, TEXT + 0x180, TEXT + 0x200, TEXT + 0x240
RELEASE = "6.1.0-small"
BUILD_ID = bytes(range(20))


def small_kernel(*, release: str | None = RELEASE, build_id: bytes | None = BUILD_ID, machine: str = "x86_64",
                 symtab: bool = True, init_task: bool = True,
                 damage: Mapping[str, Callable[[bytes], bytes]] | None = None) -> Image:
    """The image; what is None or False is left out, damage is that of dwarfgen's Image."""
    symbols = [
        Symbol("account", ACCOUNT, 0x100), Symbol("helper", OOM_HELPER, 0x40, binding="LOCAL"),
        Symbol("helper", HELPER, 0x40, binding="LOCAL"), Symbol("scan", SCAN, 0x80), Symbol("entry_code", ENTRY, 0x40),
    ]
    if init_task:
        symbols.append(Symbol("init_task", DATA + 0x40, 64, type="OBJECT"))
    banner = f"Linux version {release} (you@there) (gcc) #1\n\0".encode() if release else b"\0"
    return Image(
        units=[_oom(), _scan()], text=nops(0x400, machine), text_address=TEXT, machine=machine, symbols=symbols,
        sections=[Section(".rodata", banner, DATA - 0x1000), Section(".data", bytes(0x100), DATA, align=8)],
        build_id=build_id, build_id_section=".notes", build_id_address=DATA - 0x800, debug_frame=_frames(), symtab=symtab,
        damage=damage or {})


def write_small_kernel(folder: Path, build_id: bytes = BUILD_ID) -> Path:
    """The image as folder/vmlinux."""
    return small_kernel(build_id=build_id).write(folder / "vmlinux")


def without_debug_info(image: Image) -> Image:
    """What `strip -g` leaves of it."""
    return replace(image, units=[], debug_frame=())


def _frames() -> list[Fde]:
    """At entry the CFA is rsp + 8, behind +0x10 of account() rsp + 48."""
    cie = Cie([cfa.def_cfa(7, 8), cfa.offset(16, 1)])
    frames = [Fde(cie, ACCOUNT, 0x100, [cfa.advance_loc(0x10), cfa.def_cfa_offset(48)])]
    return frames + [Fde(cie, start, size) for start, size in ((OOM_HELPER, 0x40), (HELPER, 0x40), (SCAN, 0x80))]


def _types(header: int) -> list[Die]:
    """header: the number of include/linux/task.h in the unit's line table."""
    return [
        ctype.base("int", 4, "signed"), ctype.base("unsigned int", 4, "unsigned"), ctype.base("long int", 8, "signed"),
        ctype.base("char", 1, "signed_char"), ctype.base("unsigned char", 1, "unsigned_char"),
        ctype.base("long unsigned int", 8, "unsigned"),
        Die("typedef", label="size_t", name="size_t", type=Ref("long unsigned int"), decl_file=header, decl_line=3),
        Die("structure_type", label="task", name="task", byte_size=24, decl_file=header, decl_line=5, children=[
            ctype.member("pid", "int", 0),
            ctype.bit_field("dead", "unsigned int", 32, 3),
            ctype.member("parent", "task *", 8),
            ctype.member("size", "size_t", 16),
        ]),
        ctype.pointer("task *", "task"),
        ctype.pointer("char *", "char"),
        Die("structure_type", label="control", name="control", byte_size=16, decl_file=1, decl_line=3, children=[
            ctype.member("nr", "long int", 0), ctype.member("mode", "int", 8),
        ]),
        ctype.pointer("control *", "control"),
    ]


def _parameter(name: str, type_: str, location: object) -> Die:
    return Die("formal_parameter", name=name, type=Ref(type_), location=location)


def _oom() -> Unit:
    charge = Die("subprogram", label="charge", name="charge", decl_file=1, decl_line=30, inline=1, prototyped=True,
                 type=Ref("int"), children=[Die("formal_parameter", label="charge.depth", name="depth", type=Ref("int"))])
    account = Die(
        "subprogram", label="account", name="account", external=True, decl_file=1, decl_line=10, prototyped=True,
        type=Ref("int"), low_pc=ACCOUNT, high_pc=0x100, frame_base=op.call_frame_cfa(), children=[
            _parameter("task", "task *", op.reg5()),
            _parameter("count", "long int", loclist((ACCOUNT, ACCOUNT + 0x40, op.reg4()),
                                                    (ACCOUNT + 0x60, ACCOUNT + 0x80, op.expr(op.breg4(1), op.stack_value())))),
            _parameter("flags", "unsigned int", op.fbreg(-20)),
            Die("variable", name="total", type=Ref("long int"),
                location=loclist((ACCOUNT + 0x20, ACCOUNT + 0x60, op.reg0()))),
            Die("variable", name="gone", type=Ref("char")),
            Die("variable", name="limit", type=Ref("int"), const_value=42),
            Die("variable", name="sc", type=Ref("control"), location=op.fbreg(-40)),
            Die("label", name="out", decl_line=24, low_pc=ACCOUNT + 0x40),
            Die("label", name="lost", decl_line=26),
            Die("inlined_subroutine", abstract_origin=Ref("charge"), low_pc=ACCOUNT + 0x60, high_pc=0x10, call_file=1,
                call_line=20, children=[Die("formal_parameter", abstract_origin=Ref("charge.depth"), const_value=3)]),
        ])
    helper = Die("subprogram", name="helper", decl_file=1, decl_line=40, prototyped=True, type=Ref("int"), low_pc=OOM_HELPER,
                 high_pc=0x40, frame_base=op.call_frame_cfa(), children=[_parameter("task", "task *", op.reg5())])
    limit = Die("variable", name="page_limit", type=Ref("long int"), decl_file=1, decl_line=6, location=op.addr(DATA + 0x10))
    rows = [Row(ACCOUNT, 10), Row(ACCOUNT + 0x10, 14), Row(ACCOUNT + 0x20, 16), Row(ACCOUNT + 0x40, 24), Row(ACCOUNT + 0x60, 31),
            Row(ACCOUNT + 0x70, 21), Row(ACCOUNT + 0x80, 22)]
    lines = LineTable(("/build/linux", "mm", "include/linux"), (File("oom.c", 1), File("task.h", 2)), (
        Sequence(rows, ACCOUNT + 0x100), Sequence([Row(OOM_HELPER, 40), Row(OOM_HELPER + 8, 42)], OOM_HELPER + 0x40)))
    root = Die("compile_unit", name="mm/oom.c", comp_dir="/build/linux", language=12, low_pc=ACCOUNT, high_pc=0x140,
               children=[*_types(2), charge, account, helper, limit])
    return Unit(root, line=lines, aranges=[(ACCOUNT, 0x140)])


def _scan() -> Unit:
    helper = Die("subprogram", name="helper", decl_file=1, decl_line=5, prototyped=True, type=Ref("int"), low_pc=HELPER,
                 high_pc=0x40, frame_base=op.call_frame_cfa(), children=[_parameter("mode", "unsigned char", op.reg5())])
    scan = Die("subprogram", name="scan", external=True, decl_file=1, decl_line=9, prototyped=True, type=Ref("int"),
               low_pc=SCAN, high_pc=0x80, frame_base=op.call_frame_cfa(), children=[
                   _parameter("who", "task *", loclist((SCAN, SCAN + 8, op.reg5()))),
                   _parameter("count", "long int", op.reg4()),
                   _parameter("sc", "control *", op.reg1()),
               ])
    lines = LineTable(("/build/linux", "fs", "include/linux"), (File("scan.c", 1), File("task.h", 2)), (
        Sequence([Row(HELPER, 5), Row(HELPER + 8, 6), Row(SCAN, 9), Row(SCAN + 0x10, 10)], SCAN + 0x80),))
    root = Die("compile_unit", name="fs/scan.c", comp_dir="/build/linux", language=12, low_pc=HELPER, high_pc=0xC0,
               children=[*_types(2), helper, scan])
    return Unit(root, line=lines, aranges=[(HELPER, 0xC0)])
