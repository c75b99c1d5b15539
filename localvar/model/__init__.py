# SPDX-License-Identifier: GPL-2.0-or-later
"""The values that travel between the stages: frozen dataclasses, no behaviour beyond their own meaning."""
