# SPDX-License-Identifier: GPL-2.0-or-later
"""``make bench``: localvar beside its peers, on the same files, in one run."""
