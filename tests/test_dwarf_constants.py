# SPDX-License-Identifier: GPL-2.0-or-later
"""The table of DWARF's numbers, held against pyelftools' tables."""

from __future__ import annotations

import pytest
from elftools.dwarf import constants as elftools_constants
from elftools.dwarf import dwarf_expr, enums

from localvar.dwarf import constants

OURS = {name: value for name, value in vars(constants).items() if name.startswith("DW_")}
NOT_IN_PYELFTOOLS = {"DW_LLE_GNU_view_pair": 0x09, "DW_OP_GNU_reinterpret": 0xF9}
"""Numbers of gcc's that binutils' include/dwarf2.h and dwarf2.def have."""


def test_numbers_that_only_gcc_has_are_its_own() -> None:
    assert {name: OURS[name] for name in NOT_IN_PYELFTOOLS} == NOT_IN_PYELFTOOLS


def their_numbers() -> dict[str, int]:
    """Every DW_ name that pyelftools knows."""
    tables = [table for table in vars(enums).values() if isinstance(table, dict)]
    named = {name: value for table in tables for name, value in table.items()}
    named |= dwarf_expr.DW_OP_name2opcode
    named |= vars(elftools_constants)
    return {name: value for name, value in named.items() if str(name).startswith("DW_") and isinstance(value, int)}


def test_every_number_is_the_one_pyelftools_has() -> None:
    theirs = their_numbers()
    known = {name: value for name, value in OURS.items() if name not in NOT_IN_PYELFTOOLS}
    assert known == {name: theirs.get(name) for name in known}
    assert len(known) > 350


def test_no_operation_of_pyelftools_is_missing() -> None:
    missing = {name for name in dwarf_expr.DW_OP_name2opcode if name not in OURS}
    assert missing == {"DW_OP_lo_user", "DW_OP_hi_user", "DW_OP_WASM_location"}


@pytest.mark.parametrize("kind", ["FORM", "LLE", "RLE", "UT"])
def test_no_number_of_a_kind_is_missing(kind: str) -> None:
    wanted = {name for name in their_numbers() if name.startswith(f"DW_{kind}_") and not name.endswith("_user")}
    assert wanted - set(OURS) <= {"DW_FORM_null", "DW_FORM_ref", "DW_LLE_view_pair"}
    assert len(wanted) > 5
