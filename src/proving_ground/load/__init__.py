"""Load on an inference server: bounded in requests and time, and only on what is the project's own."""

from __future__ import annotations

from proving_ground.load.generator import LoadPlan, LoadResult, run_load
from proving_ground.load.targets import check_target, hosts_of

__all__ = ["LoadPlan", "LoadResult", "check_target", "hosts_of", "run_load"]
