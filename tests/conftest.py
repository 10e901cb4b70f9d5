"""
What holds for every test: nothing is drawn by chance, and nothing is too slow.

Hypothesis tries the same examples each time, on any machine, however long one takes. To look for new ones:
`CROSSFADE_EXAMPLES=new pytest …`.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

settings.register_profile(
    "same", derandomize=True, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("new", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile(os.environ.get("CROSSFADE_EXAMPLES", "same"))
