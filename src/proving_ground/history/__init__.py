"""Performance history: what runs measured, and gates that decide by it.

`Store` keeps records, `judge` measures a run by gates, `PerformanceHistory` is what checks use.
"""

from __future__ import annotations

from proving_ground.history.records import Direction, Fingerprint, Measurement, Record, Series, configuration_hash

__all__ = ["Direction", "Fingerprint", "Measurement", "Record", "Series", "configuration_hash"]
