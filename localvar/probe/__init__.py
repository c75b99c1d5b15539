# SPDX-License-Identifier: GPL-2.0-or-later
"""Resolve: probe coordinates to the places in the kernel that they name."""
