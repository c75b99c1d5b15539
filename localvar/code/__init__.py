# SPDX-License-Identifier: GPL-2.0-or-later
"""Machine code: which registers of a function still hold, at one of its instructions, what they held on entry."""
