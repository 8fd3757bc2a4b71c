"""What holds for every test: one thread a process, no windows, the same examples each time."""

from __future__ import annotations

import os

# Before torch or numpy are imported: tests run side by side, and threads would fight for the same cores.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# What an older version filed at home must not answer for the code under test.
os.environ["MVGRAPH_GRAPHS"] = "off"
os.environ.setdefault("MPLBACKEND", "Agg")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")

from hypothesis import HealthCheck, settings

# The same examples everywhere; chance belongs to `make unit ARGS=--hypothesis-profile=explore`.
settings.register_profile(
    "same", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("explore", deadline=None, max_examples=1000)
settings.load_profile("same")
