"""Reports of GuideLLM (benchmarks.json), each of whose benchmarks is a scenario.

Field names: https://github.com/vllm-project/guidellm, src/guidellm/benchmark/schemas, and reports of 0.3 and 0.8.
Latency of requests is in seconds there, everything else that is a time in milliseconds. Its inter-token latency is one
value for each request, here `tpot`; its time per output token has the first token in it, and has no name here.
"""

from __future__ import annotations

import math
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from proving_ground.history.importing.origin import Collected, Origin, child, numbers_of
from proving_ground.history.records import Record, configuration_hash

if TYPE_CHECKING:
    from collections.abc import Mapping

_TIMES = {
    "time_to_first_token_ms": ("ttft", 1.0),
    "inter_token_latency_ms": ("tpot", 1.0),
    "request_latency": ("e2e", 1000.0),
}
_RATES = {
    "requests_per_second": ("requests_per_second", "requests/s"),
    "output_tokens_per_second": ("tokens_per_second", "tokens/s"),
    "tokens_per_second": ("total_tokens_per_second", "tokens/s"),
    "request_goodput": ("goodput", "requests/s"),
}
_PERCENTILES = ("p50", "p90", "p95", "p99")
_STRATEGIES = (("config", "strategy"), ("args", "strategy"), ("scheduler", "strategy"))
_SETTINGS = {
    "model": (("args", "model"), ("config", "spec", "backend", "model")),
    "data": (("args", "data"), ("config", "spec", "data")),
    "format": (("config", "spec", "backend", "request_format"),),
}
_SETTINGS_OF_ONE = {
    "model": (("worker", "backend_model"), ("config", "backend", "model")),
    "data": (("request_loader", "data"),),
}
"""Where versions keep them that have them in each benchmark."""


def fits(content: object) -> bool:
    """Return whether it is such a report."""
    benchmarks = child(content, "benchmarks")
    return isinstance(benchmarks, list) and any(isinstance(child(b, "metrics"), dict) for b in benchmarks)


def read(content: Mapping[str, Any], origin: Origin) -> list[Record]:
    """Return the record of one report."""
    found = Collected("guidellm")
    started = []
    scenarios: list[str] = []
    for number, benchmark in enumerate(content["benchmarks"], 1):
        metrics = child(benchmark, "metrics")
        if not isinstance(metrics, dict):
            raise origin.wrong(f"benchmark {number} has no metrics")
        name = _scenario(benchmark, number)
        scenario = f"{origin.scenario}-{name}" if origin.scenario else name
        scenario = f"{scenario}-{number}" if scenario in scenarios else scenario
        scenarios.append(scenario)
        started += list(numbers_of([benchmark.get("start_time"), child(benchmark, "scheduler_metrics", "start_time")]))
        _add(found, scenario, metrics, child(benchmark, "request_totals"))
    return [
        Record(
            run_id=origin.run_id or origin.path.stem,
            time=origin.moment(min(started, default=None)),
            commit=origin.commit or "",
            system=origin.system,
            system_version=origin.system_version or "",
            fingerprint=origin.fingerprint,
            configuration_hash=configuration_hash(
                {"tool": "guidellm", "scenarios": scenarios, **_settings(content, content["benchmarks"][0])}
            ),
            measurements=tuple(found.measurements),
            labels=origin.labels,
        )
    ]


def _add(found: Collected, scenario: str, metrics: Mapping[str, Any], totals: object) -> None:
    for key, (name, factor) in _TIMES.items():
        summary = child(metrics, key, "successful")
        if child(summary, "count"):
            percentiles = {p: child(summary, "percentiles", p) for p in _PERCENTILES}
            found.add_statistics(scenario, name, "ms", {"mean": child(summary, "mean"), **percentiles}, factor=factor)
    for key, (name, unit) in _RATES.items():
        found.add(scenario, name, unit, child(metrics, key, "successful", "mean"))
    # Up to 0.3 beside the metrics, later among them.
    counted = child(metrics, "request_totals") or totals
    counts = list(numbers_of([child(counted, "successful"), child(counted, "errored")]))
    total = math.fsum(counts)
    if len(counts) > 1 and total:
        found.add(scenario, "error_rate", "share", counts[1] / total)


def _scenario(benchmark: Mapping[str, Any], number: int) -> str:
    """Return what kind of load it was: ``concurrent-16``, ``constant-5``, ``synchronous``."""
    for path in _STRATEGIES:
        strategy = child(benchmark, *path)
        kind = child(strategy, "type_")
        if isinstance(kind, str):
            rate = list(numbers_of([child(strategy, "rate") or child(strategy, "streams")]))
            return f"{kind}-{rate[0]:.3g}" if rate else kind
    return f"benchmark-{number}"


def _settings(content: Mapping[str, Any], first: Mapping[str, Any]) -> dict[str, Any]:
    """Return what else decides what was measured, wherever this version keeps it."""
    found = {name: [child(content, *path) for path in paths] for name, paths in _SETTINGS.items()}
    for name, paths in _SETTINGS_OF_ONE.items():
        found[name] += [child(first, *path) for path in paths]
    chosen = {name: next((value for value in values if value is not None), "") for name, values in found.items()}
    return {name: _plain(value) for name, value in chosen.items()}


def _plain(value: Any) -> Any:
    """Return a setting with the last part of each path, which may be temporary."""
    if isinstance(value, dict):
        return {name: _plain(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_plain(part) for part in value]
    return PurePath(value).name if isinstance(value, str) and value.startswith("/") else value
