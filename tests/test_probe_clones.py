# SPDX-License-Identifier: GPL-2.0-or-later
"""Names that the compiler made of a function's: each is the place where that code begins, not where the function does."""

from __future__ import annotations

from pathlib import Path

import pytest

from localvar.diagnostics import Failure
from localvar.kernel import Kernel
from tests.dwarfgen import Die, File, Image, LineTable, Ref, Row, Section, Sequence, Symbol, Unit, ctype, nops, rnglist

TEXT = 0xFFFF_FFFF_8100_0000
WORK, PART, CLONE, COLD = TEXT, TEXT + 0x80, TEXT + 0xC0, TEXT + 0x100
SYMBOLS = {"work": (WORK, 0x40), "alias": (WORK, 0x40), "__pfx_work": (TEXT - 0x10, 0x10), "split.part.0": (PART, 0x20),
           "split.isra.0": (CLONE, 0x20), "work.cold": (COLD, 0x20), "split.isra.0.cold": (COLD + 0x20, 0x20)}


def kernel_of_clones(*, whole: bool) -> Image:
    """work() has a cold part; of split() there are a part and (whole) a clone with its own cold part."""
    clones = [Die("subprogram", abstract_origin=Ref("split"), low_pc=PART, high_pc=0x20)]
    if whole:
        ranges = rnglist((CLONE, CLONE + 0x20), (COLD + 0x20, COLD + 0x40))
        clones.append(Die("subprogram", abstract_origin=Ref("split"), ranges=ranges))
    work = Die("subprogram", name="work", external=True, decl_file=1, decl_line=10, type=Ref("int"),
               ranges=rnglist((WORK, WORK + 0x40), (COLD, COLD + 0x20)))
    split = Die("subprogram", label="split", name="split", decl_file=1, decl_line=20, inline=1, type=Ref("int"))
    starts = [(WORK, 10), (PART, 21), (CLONE, 20), (COLD, 12)]
    lines = LineTable(("/build/linux", "mm"), (File("a.c", 1),),
                      tuple(Sequence([Row(at, line)], at + 0x40) for at, line in starts))
    root = Die("compile_unit", name="mm/a.c", comp_dir="/build/linux", low_pc=TEXT, ranges=rnglist((TEXT, TEXT + 0x140)),
               children=[ctype.base("int", 4, "signed"), work, split, *clones])
    symbols = [Symbol(name, at, size) for name, (at, size) in SYMBOLS.items() if whole or not name.startswith("split.isra")]
    symbols.append(Symbol("init_task", TEXT + 0x1000, 64, type="OBJECT"))
    return Image(units=[Unit(root, line=lines, aranges=[(TEXT, 0x140)])], text=nops(0x140, "x86_64"), text_address=TEXT,
                 symbols=symbols, sections=[Section(".data", bytes(0x100), TEXT + 0x1000, align=8)])


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Kernel:
    return Kernel(kernel_of_clones(whole=True).write(tmp_path_factory.mktemp("clones") / "vmlinux"), "6.1.0-clones")


@pytest.mark.parametrize(("coordinate", "places"), [
    ("work", ["work+0x0"]),
    ("alias", ["work+0x0"]),
    ("work.cold", ["work.cold+0x0"]),
    ("work.cold+3", ["work.cold+0x3"]),
    ("split", ["split.isra.0+0x0"]),
    ("split+2", ["split.isra.0+0x2"]),
    ("split.part.0", ["split.part.0+0x0"]),
    ("split.part.0+0x1f", ["split.part.0+0x1f"]),
    ("split.part.0%return", ["split.part.0+0x0"]),
    ("*.cold", ["work.cold+0x0", "split.isra.0.cold+0x0"]),
    ('kernel.function("*.cold@mm/a.c")', ["work.cold+0x0", "split.isra.0.cold+0x0"]),
    ("split.*", ["split.part.0+0x0", "split.isra.0+0x0", "split.isra.0.cold+0x0"]),
    ("split.*%return", ["split.part.0+0x0", "split.isra.0+0x0"]),
    ("w*", ["work+0x0"]),
])
def test_name_of_a_clone_or_part_is_where_its_own_code_begins(kernel: Kernel, coordinate: str, places: list[str]) -> None:
    assert [site.name for site in kernel.sites(coordinate)] == places


@pytest.mark.parametrize(("coordinate", "slug", "words"), [
    ("work.cold%return", "no-return", "entered by a jump"),
    ("work.cold+0x20", "outside-function", "'work.cold' \\(0x20 bytes\\)"),
    ("work+0x100", "outside-function", "'work' \\(0x40 bytes\\)"),
    ("*.cold.*", "no-such-function", "no function"),
    ("__pfx*", "no-such-function", "no function"),
])
def test_part_has_no_return_and_an_offset_stays_in_its_code(kernel: Kernel, coordinate: str, slug: str, words: str) -> None:
    with pytest.raises(Failure, match=words) as failure:
        kernel.sites(coordinate)
    assert failure.value.diagnostics[0].slug == slug


@pytest.mark.parametrize("coordinate", ["split", "split+0", "split%return", 'kernel.function("split").call'])
def test_function_of_which_only_parts_were_left_begins_nowhere(tmp_path: Path, coordinate: str) -> None:
    kernel = Kernel(kernel_of_clones(whole=False).write(tmp_path / "vmlinux"), "6.1.0-clones")
    with pytest.raises(Failure, match="begins nowhere out of line in this kernel: only parts of it were left"):
        kernel.sites(coordinate)
