# SPDX-License-Identifier: GPL-2.0-or-later
"""Settings of all tests."""

from __future__ import annotations

import os

from hypothesis import settings

# No deadlines: the machine also boots kernels meanwhile. CI tries the same examples every time, so that it does not
# fail for what was not changed; everybody else looks further.
settings.register_profile("localvar", deadline=None, derandomize=os.environ.get("LOCALVAR_REQUIRE_VM") == "1")
settings.load_profile("localvar")
