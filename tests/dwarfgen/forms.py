# SPDX-License-Identifier: GPL-2.0-or-later
"""Attribute values: which form a value takes by itself, and how each form is written (DWARF 5, 7.5.6)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from elftools.dwarf.enums import ENUM_DW_ATE, ENUM_DW_FORM, ENUM_DW_INL, ENUM_DW_LANG

from . import op
from .buffer import Buffer
from .context import UnitContext
from .loclists import LocList, ViewsOf
from .rnglists import RngList
from .values import Addr, Die, Form, NextSibling, Raw, Ref, Signature

ADDRESSES = frozenset({"low_pc", "entry_pc", "call_return_pc", "call_pc"})
SECTION_OFFSETS = frozenset(
    ("stmt_list", "str_offsets_base", "addr_base", "loclists_base", "rnglists_base", "macros", "GNU_macros",
     "GNU_locviews", "ranges", "GNU_ranges_base", "GNU_addr_base")
)  # fmt: skip
LOCATIONS = frozenset(
    ("location", "frame_base", "call_value", "call_target", "call_target_clobbered", "call_data_location",
     "call_data_value", "data_member_location", "data_location", "allocated", "associated", "string_length",
     "return_addr", "static_link", "use_location", "vtable_elem_location", "segment", "GNU_call_site_value",
     "GNU_call_site_target", "GNU_call_site_data_value", "GNU_call_site_target_clobbered")
)  # fmt: skip
# Attributes whose strings are names of the standard's constants.
CONSTANTS = {
    "encoding": ("DW_ATE_", ENUM_DW_ATE),
    "inline": ("DW_INL_", ENUM_DW_INL),
    "language": ("DW_LANG_", ENUM_DW_LANG),
}


def form_code(name: str | int) -> int:
    """The number of a form; KeyError for a name DWARF does not have."""
    return name if isinstance(name, int) else int(ENUM_DW_FORM["DW_FORM_" + name])


def form_of(attribute: str | int, value: object, context: UnitContext, *, root: bool) -> Form:
    """The form a value is written in, and the value in the shape that form's writer takes."""
    if isinstance(value, Form):
        return value
    if isinstance(value, str):
        if attribute in CONSTANTS:
            prefix, names = CONSTANTS[str(attribute)]
            return _constant(int(names[prefix + value]))
        return _string(attribute, value, context, root)
    if isinstance(value, bool):
        return Form("flag_present", value) if value and context.version >= 4 else Form("flag", value)
    if isinstance(value, int):
        return _integer(attribute, value, context)
    if isinstance(value, bytes):
        return _expression(value, context) if attribute in LOCATIONS else _block(value)
    if isinstance(value, op.Op | op.Expr):
        return _expression(value, context)
    if isinstance(value, Ref | Die):
        return Form("ref4" if context.in_this_unit(value) else "ref_addr", value)
    return _by_type(value, context)


def _by_type(value: object, context: UnitContext) -> Form:
    if isinstance(value, Addr):
        return Form("addr", value)
    if isinstance(value, LocList | RngList | ViewsOf):
        return Form(_section_form(context), value)
    if isinstance(value, Signature):
        return Form("ref_sig8", value.value)
    if isinstance(value, NextSibling):
        return Form("ref4", value)
    raise TypeError(f"no form for {value!r}")


def _string(attribute: str | int, value: str, context: UnitContext, root: bool) -> Form:
    """gcc's choice: the unit's paths in .debug_line_str, and no offset where the string is no longer."""
    if root and context.version >= 5 and attribute in ("name", "comp_dir"):
        return Form("line_strp", value)
    return Form("string" if len(value.encode()) < context.offset_size else "strp", value)


def _integer(attribute: str | int, value: int, context: UnitContext) -> Form:
    if attribute in ADDRESSES:
        return Form("addr", value)
    if attribute in SECTION_OFFSETS:
        return Form(_section_form(context), value)
    return _constant(value)


def _constant(value: int) -> Form:
    if value < 0:
        return Form("sdata", value)
    for size in (1, 2, 4, 8, 16):
        if value < 1 << 8 * size:
            return Form(f"data{size}", value)
    raise OverflowError(f"{value:#x} is wider than 16 bytes")


def _section_form(context: UnitContext) -> str:
    return "sec_offset" if context.version >= 4 else f"data{context.offset_size}"


def _block(value: bytes) -> Form:
    return Form("block1" if len(value) < 1 << 8 else "block2" if len(value) < 1 << 16 else "block4", value)


def _expression(value: object, context: UnitContext) -> Form:
    return Form("exprloc" if context.version >= 4 else "block1", value)


def write_form(form: Form, buffer: Buffer, context: UnitContext, sibling: object = None) -> None:
    """Write an attribute's value. ``sibling`` is the key of the place behind the DIE, for ``NextSibling``."""
    value: Any = form.value
    if isinstance(value, Raw):
        buffer.raw(value.data)
        return
    if isinstance(value, NextSibling):
        value = context.place("after", sibling) - context.assembly.places["unit", context.index]
    if not isinstance(form.name, str):
        raise TypeError(f"form {form.name:#x} takes Raw")
    _WRITERS[form.name](buffer, context, value)


Writer = Callable[[Buffer, UnitContext, Any], None]


def _fixed(size: int) -> Writer:
    def write(buffer: Buffer, context: UnitContext, value: Any) -> None:
        if isinstance(value, bytes):
            if len(value) != size:
                raise ValueError(f"{len(value)} bytes for a form of {size}")
            buffer.raw(value)
        elif isinstance(value, int):
            buffer.number(size, value)
        else:
            _sec_offset(buffer, context, value)

    return write


def _blocks(size: int | None) -> Writer:
    def write(buffer: Buffer, context: UnitContext, value: Any) -> None:
        part = buffer.part()
        op.write(op.as_expr(value), part, context)
        buffer.counted(part, size)

    return write


def _reference(size: int | None) -> Writer:
    def write(buffer: Buffer, context: UnitContext, value: Any) -> None:
        offset = context.unit_offset(value)
        buffer.uleb(offset) if size is None else buffer.number(size, offset)

    return write


def _indexed(size: int | None, index: Callable[[UnitContext, Any], int]) -> Writer:
    def write(buffer: Buffer, context: UnitContext, value: Any) -> None:
        number = value if isinstance(value, int) else index(context, value)
        buffer.uleb(number) if size is None else buffer.number(size, number)

    return write


def _string_index(context: UnitContext, value: Any) -> int:
    return context.string_table.index(value)


def _pooled(section: str, pool: str) -> Writer:
    def write(buffer: Buffer, context: UnitContext, value: Any) -> None:
        offset = value if isinstance(value, int) else getattr(context.assembly, pool).offset(value)
        buffer.offset(section, offset, context.offset_size)

    return write


def _ref_addr(buffer: Buffer, context: UnitContext, value: Any) -> None:
    size = context.offset_size if context.version > 2 else buffer.target.address_size
    if isinstance(value, int):
        buffer.offset(".debug_info", value, size)
    else:
        buffer.offset(*context.section_offset(value), size)


def _sec_offset(buffer: Buffer, context: UnitContext, value: Any) -> None:
    """Where a list is; an int is an offset in a section the form does not tell, so it stays as it is."""
    v5 = context.version >= 5
    if isinstance(value, LocList):
        at = context.place("list", context.loclists.use(value))
        buffer.offset(".debug_loclists" if v5 else ".debug_loc", at, context.offset_size)
    elif isinstance(value, ViewsOf):
        at = context.place("views", context.loclists.use(value.locations))
        buffer.offset(".debug_loclists" if v5 else ".debug_loc", at, context.offset_size)
    elif isinstance(value, RngList):
        at = context.place("list", context.rnglists.use(value))
        buffer.offset(".debug_rnglists" if v5 else ".debug_ranges", at, context.offset_size)
    elif isinstance(value, SectionOffset):
        buffer.offset(value.section, value.offset, context.offset_size)
    else:
        buffer.number(context.offset_size, value)


def _indirect(buffer: Buffer, context: UnitContext, value: Form) -> None:
    buffer.uleb(form_code(value.name))
    write_form(value, buffer, context)


def _nothing(buffer: Buffer, context: UnitContext, value: Any) -> None:
    """The value is in the abbreviation, or is the form."""


class SectionOffset:
    """An offset into a section that is known, so that it is relocated in ET_REL images."""

    def __init__(self, section: str, offset: int) -> None:
        self.section = section
        self.offset = offset


_WRITERS: dict[str, Writer] = {
    "addr": lambda buffer, _, value: buffer.addr(value),
    **{f"data{size}": _fixed(size) for size in (1, 2, 4, 8, 16)},
    "sdata": lambda buffer, _, value: buffer.sleb(value),
    "udata": lambda buffer, _, value: buffer.uleb(value),
    "implicit_const": _nothing,
    "flag": lambda buffer, _, value: buffer.number(1, int(value)),
    "flag_present": _nothing,
    "string": lambda buffer, _, value: buffer.cstring(value),
    "strp": _pooled(".debug_str", "strings"),
    "line_strp": _pooled(".debug_line_str", "line_strings"),
    **{f"strx{size or ''}": _indexed(size, _string_index) for size in (None, 1, 2, 3, 4)},
    **{f"addrx{size or ''}": _indexed(size, UnitContext.address_index) for size in (None, 1, 2, 3, 4)},
    "GNU_str_index": _indexed(None, _string_index),
    "GNU_addr_index": _indexed(None, UnitContext.address_index),
    "loclistx": _indexed(None, lambda context, value: context.loclists.index(value)),
    "rnglistx": _indexed(None, lambda context, value: context.rnglists.index(value)),
    "sec_offset": _sec_offset,
    "exprloc": _blocks(None),
    "block": _blocks(None),
    **{f"block{size}": _blocks(size) for size in (1, 2, 4)},
    **{f"ref{size}": _reference(size) for size in (1, 2, 4, 8)},
    "ref_udata": _reference(None),
    "ref_addr": _ref_addr,
    "ref_sig8": _fixed(8),
    "indirect": _indirect,
}
