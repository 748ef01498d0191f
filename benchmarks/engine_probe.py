"""A plugin for the measured pytest: what its process used, written to a file when it ends.

python -m pytest -p engine_probe --probe FILE ...
"""

from __future__ import annotations

import cProfile
import json
import os
import resource
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from proving_ground.kube import Cluster

if TYPE_CHECKING:
    import pytest


class Probe:
    """Counts requests, and notes times and memory at the turns of a session."""

    def __init__(self, file: Path, profile: str) -> None:
        self._file = file
        self._profile_file = profile
        self._profile = cProfile.Profile() if profile else None
        self._requests: Counter[str] = Counter()
        self._seen: dict[str, Any] = {}
        self._close = Cluster.close
        probe = self

        async def close(cluster: Cluster) -> None:
            probe._requests.update({" ".join(key): count for key, count in cluster.requests_by.items()})
            await probe._close(cluster)

        Cluster.close = close  # type: ignore[assignment,method-assign]  # a measurement, in this process only

    def _turn(self, name: str) -> None:
        used = resource.getrusage(resource.RUSAGE_SELF)
        self._seen[name] = {
            "clock": time.monotonic(),
            "cpu": used.ru_utime + used.ru_stime,
            "peak_rss_mb": used.ru_maxrss / 1024,
        }

    def pytest_collection(self) -> None:
        """Collection begins."""
        self._turn("started")

    def pytest_collection_finish(self) -> None:
        """Collection is over."""
        self._turn("collected")
        if self._profile is not None:
            self._profile.enable()

    def pytest_sessionfinish(self) -> None:
        """Every check is over."""
        self._turn("finished")

    def pytest_unconfigure(self) -> None:
        """Write what was seen."""
        if self._profile is not None:
            self._profile.disable()
            self._profile.dump_stats(self._profile_file)
        Cluster.close = self._close  # type: ignore[method-assign]  # as it was
        children = resource.getrusage(resource.RUSAGE_CHILDREN)
        self._turn("ended")
        found = {
            "requests": dict(self._requests.most_common()),
            "children_cpu": children.ru_utime + children.ru_stime,
            **self._seen,
        }
        self._file.write_text(json.dumps(found))


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add where to write."""
    parser.addoption("--probe", metavar="FILE", help="write there what the process used")


def pytest_configure(config: pytest.Config) -> None:
    """Begin to look."""
    if file := config.getoption("--probe"):
        config.pluginmanager.register(Probe(Path(file), os.environ.get("ENGINE_PROFILE", "")), "engine-probe")
