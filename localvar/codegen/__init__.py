# SPDX-License-Identifier: GPL-2.0-or-later
"""The generate and render stages: read plans to C accessors and site tables, spliced into the handler's own text."""
