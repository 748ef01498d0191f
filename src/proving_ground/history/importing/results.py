"""results.json of a run: the metrics of its checks, and its load test."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any

import pydantic

from proving_ground.contracts.platform import Platform
from proving_ground.contracts.results import Results
from proving_ground.history.fingerprint import of_platform
from proving_ground.history.importing.naming import unit_of
from proving_ground.history.importing.origin import Collected, Origin
from proving_ground.history.records import Record, configuration_hash

if TYPE_CHECKING:
    from collections.abc import Mapping

_LATENCIES = {"p50_latency_ms": "e2e_p50_ms", "p95_latency_ms": "e2e_p95_ms", "p99_latency_ms": "e2e_p99_ms"}


def fits(content: object) -> bool:
    """Return whether it is the results of a run."""
    return isinstance(content, dict) and "verdict" in content and "summary" in content and "run_id" in content


def read(content: Mapping[str, Any], origin: Origin) -> list[Record]:
    """Return the record of one run; platform.json and run.json beside it say what it ran on."""
    try:
        results = Results.model_validate_json(json.dumps(content))
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        raise origin.wrong(f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}") from None
    origin = _with_surroundings(origin)
    measurements = []
    for test in results.tests:
        found = Collected(test.suite)
        for metric, value in test.metrics.items():
            found.add(test.name, metric, unit_of(metric), value)
        measurements += found.measurements
    if results.load_test is not None:
        found = Collected("load")
        for metric, value in results.load_test.model_dump().items():
            name = _LATENCIES.get(metric, metric)
            found.add(origin.scenario or "load_test", name, unit_of(name), value)
        measurements += found.measurements
    broken = results.verdict.outcome in ("interrupted", "infrastructure")
    return [
        Record(
            run_id=origin.run_id or results.run_id,
            time=origin.time or results.started,
            commit=origin.commit or "",
            system=origin.system,
            system_version=origin.system_version or "",
            fingerprint=origin.fingerprint,
            configuration_hash=configuration_hash({"stage": results.stage, "inventory": results.inventory}),
            measurements=tuple(measurements),
            valid=not broken,
            problem=results.verdict.cause if broken else "",
            labels=origin.labels,
        )
    ]


def _with_surroundings(origin: Origin) -> Origin:
    folder = origin.path.parent
    try:
        platform = Platform.model_validate_json((folder / "platform.json").read_bytes())
        system = platform.systems.get(origin.system)
        origin = dataclasses.replace(
            origin,
            fingerprint=of_platform(platform),
            system_version=origin.system_version or (system.version if system else None),
        )
    except (OSError, pydantic.ValidationError):
        pass
    try:
        revision = json.loads((folder / "run.json").read_bytes()).get("revision")
    except (OSError, ValueError, AttributeError):
        return origin
    return dataclasses.replace(origin, commit=origin.commit or revision or None)
