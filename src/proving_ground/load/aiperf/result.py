"""What AIPerf measured, by the names and in the units of this project."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Any

from proving_ground.history.importing import aiperf as importer
from proving_ground.history.importing.origin import child, numbers_of
from proving_ground.load.measured.result import LATE_SEND, Client, LevelResult, Measured
from proving_ground.load.measured.slos import LATENCIES, PERCENTILES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from proving_ground.history.importing.origin import Origin
    from proving_ground.history.records import Record
    from proving_ground.load.aiperf.plan import Plan

_SHOWN = 200


def measured_of(plan: Plan, export: Mapping[str, Any], origin: Origin, *, interrupted: bool = False) -> Measured:
    """Return what one export says.

    Args:
        plan: What was sent.
        export: Content of profile_export_aiperf.json.
        origin: Of the export, for messages.
        interrupted: It was ended early.
    """
    record = importer.read(export, origin)[0]
    found = {measurement.metric: measurement.values[0] for measurement in record.measurements}
    good, failed = (int(_number(export, f"{kind}_count")) for kind in ("request", "error_request"))
    latencies = {
        f"{name}_p{part}": round(found[f"{name}_p{part}_ms"], 4)
        for name in LATENCIES
        for part in PERCENTILES
        if f"{name}_p{part}_ms" in found
    }
    limited = any(slo.latency for slo in plan.slos)
    requests = good + failed
    fitting = _number(export, "good_request_count") if limited else float(good)
    rate = found.get("requests_per_second", 0.0)
    level = LevelResult(
        value=plan.value,
        seconds=round(_number(export, "benchmark_duration"), 3),
        requests=requests,
        failed=failed,
        requests_per_second=rate,
        tokens_per_second=found.get("tokens_per_second", 0.0),
        error_rate=found.get("error_rate", 0.0),
        goodput=found.get("goodput", 0.0) if limited else rate,
        good_share=fitting / requests if requests else 0.0,
        latencies_ms=latencies,
        counts={name: int(_number(export, block, "count")) for block, name in importer.LATENCIES.items()},
        problems=_problems(export),
    )
    return Measured(
        closed=plan.closed,
        levels=[level.judged(plan.slos)],
        client=_client(plan, export, record, interrupted=interrupted),
    )


def failed_of(plan: Plan, problems: Mapping[str, int]) -> Measured:
    """Return what there is to tell where no request was answered well; AIPerf exports nothing then.

    Args:
        plan: What was sent.
        problems: What went wrong how often.
    """
    count = sum(problems.values())
    level = LevelResult(
        value=plan.value,
        seconds=plan.seconds,
        requests=count,
        failed=count,
        requests_per_second=0.0,
        tokens_per_second=0.0,
        error_rate=1.0,
        goodput=0.0,
        good_share=0.0,
        latencies_ms={},
        counts=dict.fromkeys(LATENCIES, 0),
        problems=dict(problems),
    )
    return Measured(closed=plan.closed, levels=[level.judged(plan.slos)], client=Client())


def record_of(export: Mapping[str, Any], measured: Measured, origin: Origin) -> Record:
    """Return a run as the history keeps it; what the client could not keep up with is invalid there, too."""
    record = importer.read(export, origin)[0]
    if record.valid and measured.client.verdict != "valid":
        return dataclasses.replace(record, valid=False, problem=measured.client.reason or measured.client.verdict)
    return record


def _client(plan: Plan, export: Mapping[str, Any], record: Record, *, interrupted: bool) -> Client:
    late = list(numbers_of([child(export, "credit_to_start_latency", "p99")]))
    told = {"send_lag_p99_ms": round(late[0], 3)} if late else {}
    if interrupted or not record.valid:
        reason = record.problem or "it was ended early"
        return Client.model_validate({"verdict": "interrupted", "reason": reason, **told})
    if not plan.closed and late and late[0] > 1000 * LATE_SEND:
        reason = f"requests were sent {late[0]:.0f} ms late at p99, at most {1000 * LATE_SEND:g} ms are allowed"
        return Client.model_validate({"verdict": "invalid", "reason": reason, **told})
    return Client.model_validate({"verdict": "valid", **told})


def _problems(export: Mapping[str, Any]) -> dict[str, int]:
    found: dict[str, int] = {}
    errors = export.get("error_summary")
    for error in errors if isinstance(errors, list) else []:
        problem = told(child(error, "error_details"))
        found[problem] = found.get(problem, 0) + int(math.fsum(numbers_of([child(error, "count")])))
    return found


def told(details: object) -> str:
    """Return in one line what went wrong with a request."""
    code, kind, message = (str(child(details, name) or "") for name in ("code", "type", "message"))
    parts = [part for part in (code, "" if message.startswith(kind) else kind, message) if part]
    return " ".join(" ".join(parts).split())[:_SHOWN] or "unknown"


def _number(export: Mapping[str, Any], name: str, field: str = "avg") -> float:
    return math.fsum(numbers_of([child(export, name, field)]))
