"""Exports of AIPerf (profile_export_aiperf.json).

Field names and units: https://docs.nvidia.com/aiperf/reference/json-export-schema (schema 1.0 to 1.5), and exports of
AIPerf 0.13. The unit of each block counts, not its name. What AIPerf calls inter-token latency is one value for each
request, here `tpot`; its inter-chunk latency is one for each gap, here `itl`.
"""

from __future__ import annotations

import math
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from proving_ground.history.importing.naming import plain_unit
from proving_ground.history.importing.origin import Collected, Origin, child, numbers_of
from proving_ground.history.records import Record, configuration_hash

if TYPE_CHECKING:
    from collections.abc import Mapping

LATENCIES = {
    "time_to_first_token": "ttft",
    "inter_chunk_latency": "itl",
    "inter_token_latency": "tpot",
    "request_latency": "e2e",
}
_RATES = {
    "request_throughput": "requests_per_second",
    "output_token_throughput": "tokens_per_second",
    "total_token_throughput": "total_tokens_per_second",
    "goodput": "goodput",
}
_STATISTICS = {"avg": "mean", "p50": "p50", "p90": "p90", "p95": "p95", "p99": "p99"}
_MILLISECONDS = {"ms": 1.0, "sec": 1000.0, "s": 1000.0, "us": 1e-3, "ns": 1e-6}
_ELSEWHERE = {
    *("artifacts", "output", "runtime", "service", "cli_command", "benchmark_id", "urls", "url", "api_key"),
    *("gpu_telemetry", "server_metrics", "network_latency", "otel", "mlflow", "wandb"),
}
"""Settings that say where things are and what else is written, not what is measured."""


def fits(content: object) -> bool:
    """Return whether it is such an export."""
    return isinstance(content, dict) and (
        "aiperf_version" in content
        or any(isinstance(child(content, name, "unit"), str) for name in ("request_latency", "request_throughput"))
    )


def read(content: Mapping[str, Any], origin: Origin) -> list[Record]:
    """Return the record of one export."""
    settings = content.get("input_config")
    scenario = origin.scenario or str(child(content, "run_info", "variation_label") or _scenario(settings))
    found = Collected("aiperf")
    for key, name in LATENCIES.items():
        factor = _MILLISECONDS.get(str(child(content, key, "unit")))
        if factor is not None:
            statistics = {ours: child(content, key, theirs) for theirs, ours in _STATISTICS.items()}
            found.add_statistics(scenario, name, "ms", statistics, factor=factor)
    for key, name in _RATES.items():
        found.add(scenario, name, plain_unit(str(child(content, key, "unit"))), child(content, key, "avg"))
    counts = [list(numbers_of([child(content, f"{kind}_count", "avg")])) for kind in ("error_request", "request")]
    errors, good = (math.fsum(count) for count in counts)
    # One of them is absent where there were none.
    if errors + good:
        found.add(scenario, "error_rate", "share", errors / (errors + good))
    problem = _problem(content)
    return [
        Record(
            run_id=origin.run_id or str(content.get("benchmark_id") or origin.path.stem),
            time=origin.moment(content.get("start_time")),
            commit=origin.commit or "",
            system=origin.system,
            system_version=origin.system_version or "",
            fingerprint=origin.fingerprint,
            configuration_hash=configuration_hash({"tool": "aiperf", "input": _measured(settings) or {}}),
            measurements=tuple(found.measurements),
            valid=not problem,
            problem=problem,
            labels=origin.labels,
        )
    ]


def _problem(content: Mapping[str, Any]) -> str:
    """Return why it cannot be compared, nothing if it can."""
    if content.get("was_cancelled") is True:
        return "it was cancelled"
    if content.get("is_complete") is False:
        return f"it is not complete: {str(content.get('incomplete_reason') or 'no reason told')[:200]}"
    return ""


def _scenario(settings: object) -> str:
    """Return what kind of load it was: ``concurrency-16``, ``poisson-5``."""
    phases = child(settings, "phases")
    for phase in reversed(phases if isinstance(phases, list) else []):
        kind = child(phase, "type")
        if isinstance(kind, str) and child(phase, "kind") != "warmup":
            size = list(numbers_of([child(phase, "rate"), child(phase, "concurrency")]))
            return f"{kind}-{size[0]:.6g}" if size else kind
    return "base"


def _measured(settings: Any) -> Any:
    """Return those settings that decide what is measured; of paths, which may be temporary, the last part."""
    if isinstance(settings, dict):
        return {name: _measured(value) for name, value in settings.items() if name not in _ELSEWHERE}
    if isinstance(settings, list):
        return [_measured(value) for value in settings]
    if isinstance(settings, str) and settings.startswith("/"):
        return PurePath(settings).name
    return settings
