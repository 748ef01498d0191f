"""AIPerf as another client: the same questions about a server, asked by a program that others wrote."""

from __future__ import annotations

from proving_ground.load.aiperf.plan import Plan
from proving_ground.load.aiperf.running import Outcome, measure

__all__ = ["Outcome", "Plan", "measure"]
