# SPDX-License-Identifier: GPL-2.0-or-later
"""The types step: headers to include for the types that accessors name, definitions where there is no header."""
