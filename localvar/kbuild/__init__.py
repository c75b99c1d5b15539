# SPDX-License-Identifier: GPL-2.0-or-later
"""The surroundings: where the kernel's files are, how Kbuild compiles, how output is written."""
