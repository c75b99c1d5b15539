# SPDX-License-Identifier: GPL-2.0-or-later
"""C text from types: shared by generated code, listings and written-out definitions; knows no stage."""
