"""Load on an inference server: bounded in requests and time, and only on what is the project's own."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from proving_ground.load.generator import LoadPlan, LoadResult, run_load
    from proving_ground.load.targets import check_target, hosts_of

__all__ = ["LoadPlan", "LoadResult", "check_target", "hosts_of", "run_load"]

_PLACES = {"check_target": "targets", "hosts_of": "targets"}


def __getattr__(name: str) -> Any:
    """Import what is asked for: the processes of `measured` need none of it, and must not load what it needs."""
    if name not in __all__:
        raise AttributeError(name)
    return getattr(importlib.import_module(f"{__name__}.{_PLACES.get(name, 'generator')}"), name)
