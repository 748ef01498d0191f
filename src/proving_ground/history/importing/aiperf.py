"""Exports of AIPerf (profile_export_aiperf.json).

Field names and units: https://docs.nvidia.com/aiperf/reference/json-export-schema (schema 1.0 to 1.5). The unit of each
block counts, not its name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from proving_ground.history.importing.naming import plain_unit
from proving_ground.history.importing.origin import Collected, Origin, child
from proving_ground.history.records import Record, configuration_hash

if TYPE_CHECKING:
    from collections.abc import Mapping

_NAMES = {
    "time_to_first_token": "ttft",
    "inter_token_latency": "itl",
    "request_latency": "e2e",
    "request_throughput": "requests_per_second",
    "output_token_throughput": "output_tokens_per_second",
    "total_token_throughput": "total_tokens_per_second",
    "goodput": "goodput_requests_per_second",
}
_STATISTICS = {"avg": "mean", "p50": "p50", "p90": "p90", "p95": "p95", "p99": "p99"}
_MILLISECONDS = {"ms": 1.0, "sec": 1000.0, "s": 1000.0, "us": 1e-3, "ns": 1e-6}


def fits(content: object) -> bool:
    """Return whether it is such an export."""
    return isinstance(content, dict) and any(
        isinstance(child(content, name, "unit"), str) for name in ("request_latency", "request_throughput")
    )


def read(content: Mapping[str, Any], origin: Origin) -> list[Record]:
    """Return the record of one export."""
    scenario = origin.scenario or str(child(content, "run_info", "variation_label") or "base")
    found = Collected("aiperf")
    for key, block in content.items():
        unit = child(block, "unit")
        if not isinstance(unit, str):
            continue
        name = _NAMES.get(key, key)
        if unit in _MILLISECONDS and block.get("p50") is not None:
            statistics = {ours: block.get(theirs) for theirs, ours in _STATISTICS.items()}
            found.add_statistics(scenario, name, "ms", statistics, factor=_MILLISECONDS[unit])
        else:
            found.add(scenario, name, plain_unit(unit), block.get("avg"))
    cancelled = content.get("was_cancelled") is True
    return [
        Record(
            run_id=origin.run_id or str(content.get("benchmark_id") or origin.path.stem),
            time=origin.moment(content.get("start_time")),
            commit=origin.commit or "",
            system=origin.system,
            system_version=origin.system_version or "",
            fingerprint=origin.fingerprint,
            configuration_hash=configuration_hash({"tool": "aiperf", "input": content.get("input_config") or {}}),
            measurements=tuple(found.measurements),
            valid=not cancelled,
            problem="it was cancelled" if cancelled else "",
            labels=origin.labels,
        )
    ]
