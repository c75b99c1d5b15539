# SPDX-License-Identifier: GPL-2.0-or-later
"""Probe coordinates: what each form means, what each mistake is told, and that str() parses back."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localvar.probe.coordinate import (
    AbsoluteAddress,
    AllLines,
    ByteOffset,
    Coordinate,
    CoordinateError,
    Function,
    Lines,
    Presence,
    RelativeLine,
    Statement,
    Target,
    Variant,
    alias_reference,
    parse,
)

SYSTEMTAP = [
    ('kernel.function("vfs_read")', Function("vfs_read")),
    ('kernel.function("vfs_*")', Function("vfs_*")),
    ('kernel.function("vfs_[rw]*d?")', Function("vfs_[rw]*d?")),
    ('kernel.function("vfs_[!a-q]*")', Function("vfs_[!a-q]*")),
    ('kernel.function("f.isra.0")', Function("f.isra.0")),
    ('kernel.function("f").call', Function("f", variant=Variant.CALL)),
    ('kernel.function("f").inline', Function("f", variant=Variant.INLINE)),
    ('kernel.function("f").exported', Function("f", exported=True)),
    ('kernel.function("f").exported.return', Function("f", variant=Variant.RETURN, exported=True)),
    ('kernel.function("f").return', Function("f", variant=Variant.RETURN)),
    ('kernel.function("f").return.maxactive(64)', Function("f", variant=Variant.RETURN, maxactive=64)),
    ('kernel.function("f").label("out_*")', Function("f", label="out_*")),
    ('kernel.function("f").callee("g")', Function("f", callee="g")),
    ('kernel.function("f").callee("g").return', Function("f", variant=Variant.RETURN, callee="g")),
    ('kernel.function("f@mm/vmscan.c")', Function("f", "mm/vmscan.c")),
    ('kernel.function("f@*")', Function("f")),
    ('kernel.function("*@mm/vmscan.c:450")', Function("*", "mm/vmscan.c", Lines(((450, 450),)))),
    ('kernel.function("f@mm/vmscan.c:10-20")', Function("f", "mm/vmscan.c", Lines(((10, 20),)))),
    ('kernel.statement("f")', Statement("f")),
    ('kernel.statement("f@mm/vmscan.c:450")', Statement("f", "mm/vmscan.c", Lines(((450, 450),)))),
    ('kernel.statement("f@mm/vmscan.c:10,15-17")',
     Statement("f", "mm/vmscan.c", Lines(((10, 10), (15, 17))))),
    ('kernel.statement("f@mm/vmscan.c:+3")', Statement("f", "mm/vmscan.c", RelativeLine(3))),
    ('kernel.statement("f@mm/vmscan.c+3")', Statement("f", "mm/vmscan.c", RelativeLine(3))),
    ('kernel.statement("f@mm/vmscan.c:*")', Statement("f", "mm/vmscan.c", AllLines())),
    ('kernel.statement("f@mm/vmscan.c:450").nearest',
     Statement("f", "mm/vmscan.c", Lines(((450, 450),)), nearest=True)),
    ('kernel.statement("f+0x1c")', Statement("f", None, ByteOffset(0x1C))),
    ("kernel.statement(0xffffffff81000000)", AbsoluteAddress(0xFFFFFFFF81000000)),
    ("kernel.statement(0xffffffff81000000).absolute", AbsoluteAddress(0xFFFFFFFF81000000)),
]

PERF = [
    ("f", None, Function("f")),
    ("f+0x1c", None, Statement("f", None, ByteOffset(0x1C))),
    ("f+28", None, Statement("f", None, ByteOffset(28))),
    ("f:12", None, Statement("f", None, RelativeLine(12))),
    ("f:0", None, Statement("f", None, RelativeLine(0))),
    ("f:+12", None, Statement("f", None, RelativeLine(12))),
    ("f.isra.0:12", None, Statement("f.isra.0", None, RelativeLine(12))),
    ("f.cold:12", None, Statement("f.cold", None, RelativeLine(12))),
    ("f%return", None, Function("f", variant=Variant.RETURN)),
    ("f@mm/vmscan.c%return", None, Function("f", "mm/vmscan.c", variant=Variant.RETURN)),
    ("vmscan.c:450", None, Statement("*", "vmscan.c", Lines(((450, 450),)))),
    ("mm/vmscan.c:450-460", None, Statement("*", "mm/vmscan.c", Lines(((450, 460),)))),
    ("entry_64.S:10", None, Statement("*", "entry_64.S", Lines(((10, 10),)))),
    ("vmscan.c:*", None, Statement("*", "vmscan.c", AllLines())),
    ("ext4:ext4_*", "ext4", Function("ext4_*")),
    ("snd-hda-intel:azx_probe", "snd-hda-intel", Function("azx_probe")),
    ("8021q:vlan_init", "8021q", Function("vlan_init")),
    ("ext4:ext4_iget+0x10", "ext4", Statement("ext4_iget", None, ByteOffset(0x10))),
    ("ext4:ext4_iget:12", "ext4", Statement("ext4_iget", None, RelativeLine(12))),
    ("ext4:ext4_iget:*", "ext4", Statement("ext4_iget", None, AllLines())),
    ("ext4:ext4_iget%return", "ext4", Function("ext4_iget", variant=Variant.RETURN)),
    ("ext4:inode.c:450", "ext4", Statement("*", "inode.c", Lines(((450, 450),)))),
    ("ext4:ext4_iget@fs/ext4/inode.c:450", "ext4",
     Statement("ext4_iget", "fs/ext4/inode.c", Lines(((450, 450),)))),
    ("f@mm/vmscan.c", None, Function("f", "mm/vmscan.c")),
    ("f@mm/vmscan.c:450", None, Statement("f", "mm/vmscan.c", Lines(((450, 450),)))),
    ("f@mm/vmscan.c:+3", None, Statement("f", "mm/vmscan.c", RelativeLine(3))),
    ("f@mm/vmscan.c:10-20", None, Statement("f", "mm/vmscan.c", Lines(((10, 20),)))),
    ("f@mm/vmscan.c:*", None, Statement("f", "mm/vmscan.c", AllLines())),
    ("f@mm/vmscan.c+0x1c", None, Statement("f", "mm/vmscan.c", ByteOffset(0x1C))),
    ("0xffffffff81000000", None, AbsoluteAddress(0xFFFFFFFF81000000)),
]


@pytest.mark.parametrize(("text", "target"), SYSTEMTAP)
def test_systemtap_form_means_its_target(text: str, target: Target) -> None:
    assert parse(text) == Coordinate(target)


@pytest.mark.parametrize(("text", "module", "target"), PERF)
def test_short_form_means_its_target(text: str, module: str | None, target: Target) -> None:
    assert parse(text) == Coordinate(target, module)


@pytest.mark.parametrize("text", [text for text, _ in SYSTEMTAP] + [text for text, *_ in PERF])
def test_canonical_form_parses_back_and_is_its_own_canonical_form(text: str) -> None:
    coordinate = parse(text)
    assert parse(str(coordinate)) == coordinate
    assert str(parse(str(coordinate))) == str(coordinate)


@pytest.mark.parametrize(("text", "canonical"), [
    ("f:12", 'kernel.statement("f@*:+12")'),
    ("vmscan.c:450", 'kernel.statement("*@vmscan.c:450")'),
    ("ext4:f%return !", 'module("ext4").function("f").return!'),
    ("f+28", 'kernel.statement("f+0x1c")'),
    ('kernel.function("f").return.exported', 'kernel.function("f").exported.return'),
    ("0xFFFF", "kernel.statement(0xffff)"),
])
def test_canonical_form_is_systemtaps(text: str, canonical: str) -> None:
    assert str(parse(text)) == canonical


def test_module_takes_every_suffix_a_kernel_function_takes() -> None:
    coordinate = parse('module("ext4").function("ext4_*@fs/ext4/inode.c").label("out")?')
    assert coordinate.target == Function("ext4_*", "fs/ext4/inode.c", label="out")
    assert (coordinate.module, coordinate.presence) == ("ext4", Presence.OPTIONAL)


@pytest.mark.parametrize("text", [
    'kernel.function(f@mm/vmscan.c:10).call', '  kernel . function ( "f@mm/vmscan.c:10" ) . call  ',
    'kernel.function( f@mm/vmscan.c:10 )\n.call',
])
def test_quotes_and_blanks_between_tokens_do_not_matter(text: str) -> None:
    assert parse(text) == Coordinate(Function("f", "mm/vmscan.c", Lines(((10, 10),)), Variant.CALL))


@pytest.mark.parametrize(("text", "presence"), [
    ('kernel.function("f")?', Presence.OPTIONAL), ('kernel.function("f") ! ', Presence.SUFFICIENT),
    ("f?", Presence.OPTIONAL), ("f !", Presence.SUFFICIENT), ("f", Presence.REQUIRED),
])
def test_presence_suffix_is_read_in_both_forms(text: str, presence: Presence) -> None:
    assert parse(text) == Coordinate(Function("f"), None, presence)


def test_last_question_mark_of_a_short_form_is_the_presence_and_not_a_glob() -> None:
    assert parse("vfs_rea??") == Coordinate(Function("vfs_rea?"), None, Presence.OPTIONAL)
    assert parse('kernel.function("vfs_rea?")') == Coordinate(Function("vfs_rea?"))


# The mistake, the part of it that the caret marks, a word of the message, a word of the fix.
MISTAKES = [
    ("", "", "empty", "vfs_read"),
    ("   ", "   ", "empty", "vfs_read"),
    ("f g", " ", "a blank cannot be", None),
    ("f é", "é", "'\\xe9' cannot be", None),
    ("f\x1b[0m", "\x1b", "'\\x1b' cannot be", None),
    ('f"; system("x', "(", "`(` in a short form", "kernel.function"),
    ('kernel.function("f\\n")', "\\", "`\\` cannot be in a function's name", None),
    ("[a", "[", "character class", "[a-z]"),
    ("a]", "]", "character class", "[a-z]"),
    ('kernel.function("")', '"', "name is missing", None),
    ('kernel.function("f@")', '"', "a file's name is missing", None),
    ("f:", "", "name is missing", None),
    (":f", ":", "a module's name is missing", None),
    ('kernel.function("9f")', "9f", "does not start with a digit", None),
    ('kernel.function("f', '"f', "closing quote", None),
    ("kernel.function(f", "(f", "is not closed", None),
    ("kernel.function", "", "`(` expected after function", None),
    ("kernel.", "", "`function` or `statement` expected", "kernel.function"),
    ('kernel.func("f")', "func", "`function` or `statement` expected", "kernel.function"),
    ('module("ext4")', "", "`.` expected after module(…)", None),
    ('function("f")', "function", "of what", 'kernel.function("f")'),
    ('process("a.out").function("f")', "process", "no place", "kernel."),
    ('f.label("x")', "(", "short form", "kernel.function"),
    ("syscall.read", "syscall", "no place that localvar can probe", "kernel."),
    ("process.begin ?", "process", "no place that localvar can probe", "short form"),
    ("fs/read_write.c", "fs/read_write.c", "no function and no line", "fs/read_write.c:*"),
    ("f.return", "f.return", "not a function's name", 'kernel.function("f").return'),
    ('kernel.function("f").foo', "foo", "no suffix `.foo`", ".label"),
    ('kernel.function("f").', "", "a suffix expected", ".call"),
    ('kernel.function("f").callees', "callees", "not supported", '.callee("*")'),
    ('kernel.function("f").call.inline', "inline", "cannot follow `.call`", None),
    ('kernel.function("f").call.call', "call", "cannot follow `.call`", None),
    ('kernel.function("f").inline.exported', "exported", "cannot follow `.inline`", None),
    ('kernel.function("f").label("l").return', "return", "cannot follow `.label`", None),
    ('kernel.function("f").label("l").callee("g")', "callee", "cannot follow `.label`", None),
    ('kernel.function("f").return.label("l")', "label", "cannot follow `.return`", None),
    ('kernel.function("f").callee("g").exported', "exported", "cannot follow `.callee`", None),
    ('kernel.function("f").maxactive(3)', "maxactive", "return probe", ".return.maxactive"),
    ('kernel.function("f").return.maxactive(0)', "0", "is between 1 and 65535", None),
    ('kernel.function("f").return.maxactive(65536)', "65536", "is between 1 and 65535", None),
    ('kernel.function("f").nearest', "nearest", "does not follow function", None),
    ('kernel.statement("f").nearest', "nearest", "needs a line", "line"),
    ('kernel.statement("f@a.c:*").nearest', "nearest", "needs a line", "line"),
    ('kernel.statement("f@a.c:3").return', "return", "does not follow statement", None),
    ('kernel.function("f").absolute', "absolute", "does not follow function", None),
    ('kernel.function("f"), kernel.function("g")', ",", "one coordinate", "several arguments"),
    ("f,g", ",", "one coordinate", "several arguments"),
    ('kernel.function("f")??', "?", "follows the end", None),
    ('kernel.function("f") x', "x", "follows the end", None),
    ('kernel.function("f:12")', "f:12", "names no file", "f@*:+12"),
    ('kernel.function("f+0x1c")', "f+0x1c", "an instruction", "statement"),
    ("kernel.function(0x10)", "0x10", "by its name", "kernel.statement(0x10)"),
    ('module("m").statement(0x10)', "0x10", "no link-time address", "function+0xoffset"),
    ("0x10000000000000000", "0x10000000000000000", "an address is between", None),
    ("0xg", "0xg", "an address expected", None),
    ("f+012", "012", "does not start with 0", "write 12"),
    ("f+-3", "-3", "an offset in bytes expected", None),
    ("f:12x", "12x", "a number of lines expected", None),
    ("f:12-14", "12-14", "no file is named", "f@file:12-14"),
    ("a.c:0", "0", "a line number is between 1", None),
    ("a.c:9-5", "9-5", "ends before it starts", "5-9"),
    ("a.c:+3", "+3", "no function is named", "f@a.c:+3"),
    ("a.c:f", "a.c:f", "a line number expected", "f@a.c"),
    ("ext4:*", "ext4:*", "two ways", 'module("ext4").function("*")'),
    ("f@a.c+12", "f@a.c+12", "lines to SystemTap and bytes to perf",
     "f@a.c:+12 for lines, f@a.c+0xc for bytes"),
    ("f%retur", "retur", "`return` expected", None),
    ("f:12%return", ":12", "takes a function", None),
    ("f;x==1", ";", "search for a line by its text", "file.c:line"),
    ("event=f", "=", "event names", "alone"),
    ("f:" + "9" * 5000, "9" * 5000, "at most 20 digits", None),
]


@pytest.mark.parametrize(("text", "marked", "message", "fix"), MISTAKES, ids=lambda part: str(part)[:30])
def test_mistake_is_marked_and_explained(text: str, marked: str, message: str, fix: str | None) -> None:
    with pytest.raises(CoordinateError) as caught:
        parse(text)
    error = caught.value
    assert message in error.message
    assert text[error.offset:error.offset + error.length] == marked
    assert (fix or "") in (error.fix or "")
    assert (fix is None) == (error.fix is None)


@pytest.mark.parametrize(("text", "name"), [("vm.oom", "vm.oom"), (" vm.oom ? ", "vm.oom"), ("oom!", "oom")])
def test_bare_dotted_name_can_be_an_alias(text: str, name: str) -> None:
    reference = alias_reference(text)
    assert reference is not None
    assert reference[0] == name
    assert reference[1].value == (text.strip()[-1] if text.strip()[-1] in "?!" else "")


@pytest.mark.parametrize("text", ['kernel.function("vm.oom")', "vm:oom", "vm.*", "f+1", "", ".oom", "vm oom"])
def test_anything_but_a_bare_name_is_no_alias(text: str) -> None:
    assert alias_reference(text) is None


_CLASS = st.sampled_from(["[abc]", "[a-z]", "[!0-9]", "*", "?", ".isra.0", "$", "-"])
_WORD = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,6}", fullmatch=True)
_NAMES = st.builds(lambda word, rest: word + "".join(rest), _WORD, st.lists(_CLASS | _WORD, max_size=3))
_FILES = st.none() | st.builds("/".join, st.lists(_NAMES, min_size=1, max_size=3))
_LINE = st.integers(1, 2**31 - 1)
_RANGE = st.tuples(_LINE, _LINE).map(lambda pair: (min(pair), max(pair)))
_LINES = st.one_of(
    st.builds(Lines, st.lists(_RANGE, min_size=1, max_size=3).map(tuple)),
    st.builds(RelativeLine, st.integers(0, 2**31 - 1)),
    st.builds(AllLines),
)
_OFFSETS = st.builds(ByteOffset, st.integers(0, 2**32 - 1))


@st.composite
def _functions(draw: st.DrawFn) -> Function:
    name, file, lines = draw(_NAMES), draw(_FILES), draw(st.none() | _LINES)
    kind = draw(st.sampled_from(["plain", "label", "callee", "exported"]))
    if kind == "label":
        return Function(name, file, lines, label=draw(_NAMES))
    variants = [v for v in Variant if not (kind == "exported" and v is Variant.INLINE)]
    variant = draw(st.sampled_from(variants))
    maxactive = draw(st.none() | st.integers(1, 65535)) if variant is Variant.RETURN else None
    callee = draw(_NAMES) if kind == "callee" else None
    return Function(name, file, lines, variant, kind == "exported", None, callee, maxactive)


@st.composite
def _statements(draw: st.DrawFn) -> Statement:
    where = draw(st.none() | _LINES | _OFFSETS)
    nearest = isinstance(where, (Lines, RelativeLine)) and draw(st.booleans())
    return Statement(draw(_NAMES), draw(_FILES), where, nearest)


_COORDINATES = st.one_of(
    st.builds(Coordinate, _functions() | _statements(), st.none() | _NAMES, st.sampled_from(Presence)),
    st.builds(Coordinate, st.builds(AbsoluteAddress, st.integers(0, 2**64 - 1)), st.none(),
              st.sampled_from(Presence)),
)

_PIECES = st.sampled_from([
    "kernel", "module", ".", "function", "statement", "(", ")", '"', "f", "ext4", "mm/vmscan.c", "@", ":",
    "+", "-", "*", "?", "!", ",", "%", "return", "call", "label", "callee", "nearest", "maxactive",
    "exported", "absolute", "0x1c", "12", "0", " ", "[", "]", "a-z", "\\", ";", "=", "\t", "é", "\x00",
])


@given(_COORDINATES)
def test_every_coordinate_survives_its_canonical_form(coordinate: Coordinate) -> None:
    assert parse(str(coordinate)) == coordinate


@given(st.one_of(st.lists(_PIECES, max_size=14).map("".join), st.text(max_size=30)))
def test_any_text_is_a_coordinate_of_safe_names_or_an_error_inside_the_text(text: str) -> None:
    try:
        coordinate = parse(text)
    except CoordinateError as error:
        assert 0 <= error.offset <= len(text)
        assert error.length >= 1
        assert error.offset + error.length <= max(len(text), error.offset + 1)
        return
    assert parse(str(coordinate)) == coordinate
    assert re.fullmatch(r'[A-Za-z0-9_.$*?!/@:+,()"\[\]-]+', str(coordinate))


def test_every_form_in_the_reference_parses_as_it_says() -> None:
    page = (Path(__file__).parent.parent / "docs" / "coordinates.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([^`]+)` \| .* \| `([^`]+)` \|$", page, re.MULTILINE)
    assert len(rows) >= 30
    for form, canonical in rows:
        assert str(parse(form)) == canonical, form
