# SPDX-License-Identifier: GPL-2.0-or-later
"""The locate stage: DWARF read with no more work than the question needs.  Knows names and pcs, no C text."""
