# SPDX-License-Identifier: GPL-2.0-or-later
"""DWARF built in memory: what compilers rarely emit, written as small Python values and assembled to ELF.

    image = Image(units=[Unit(Die("compile_unit", name="a.c", low_pc=0x1000, high_pc=0x100, children=[
        Die("base_type", label="int", name="int", byte_size=4, encoding="signed"),
        Die("subprogram", label="f", name="f", low_pc=0x1000, high_pc=0x40,
            frame_base=op.call_frame_cfa(), children=[
                Die("formal_parameter", name="x", type=Ref("int"), location=op.fbreg(-16)),
                Die("variable", name="y", type=Ref("int"), location=loclist((0x1000, 0x1010, op.reg3()))),
            ]),
    ]))])
    path = image.write(tmp_path / "vmlinux")

The form of an attribute follows from its value as in gcc's output; ``Form("strx1", "name")`` forces one. What
is damaged is given as ``Raw`` bytes, or cut from a section with
``Image(damage={".debug_abbrev": lambda data: data[:-3]})``.
"""

from . import cfa, ctype, lle, lne, lns, op, rle
from .buffer import Relocation, sleb128, uleb128
from .cfi import Cie, Fde
from .elf import Section, Symbol, build_id_note, debuglink
from .image import Assembled, Image, nops
from .line import File, LineTable, Row, Sequence, special
from .loclists import LocList, ViewsOf, loclist
from .rnglists import RngList, rnglist
from .unit import RawUnit, Unit
from .values import Addr, Die, Form, NextSibling, Raw, Ref, Signature

__all__ = [
    "Addr",
    "Assembled",
    "Cie",
    "Die",
    "Fde",
    "File",
    "Form",
    "Image",
    "LineTable",
    "LocList",
    "NextSibling",
    "Raw",
    "RawUnit",
    "Ref",
    "Relocation",
    "RngList",
    "Row",
    "Section",
    "Sequence",
    "Signature",
    "Symbol",
    "Unit",
    "ViewsOf",
    "build_id_note",
    "cfa",
    "ctype",
    "debuglink",
    "lle",
    "lne",
    "lns",
    "loclist",
    "nops",
    "op",
    "rle",
    "rnglist",
    "sleb128",
    "special",
    "uleb128",
]
