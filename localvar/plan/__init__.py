# SPDX-License-Identifier: GPL-2.0-or-later
"""The plan stage: the one judge of whether a value is proven, and how it is read."""
