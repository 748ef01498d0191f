"""Results of `vllm bench serve --save-result`, of `--append-result`, and of `vllm bench sweep serve`.

Field names: https://docs.vllm.ai/en/latest/api/vllm/benchmarks/serve/, and what writes them, vllm/benchmarks/serve.py
(before 0.9 benchmarks/benchmark_serving.py). Times of single requests are in seconds there, statistics in milliseconds.
Statistics of nothing, as of first tokens that were not streamed, are zeros there, and no measurements here.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import math
import re
from collections import Counter
from typing import TYPE_CHECKING, Any

from proving_ground.history.importing.origin import Collected, Origin, numbers_of
from proving_ground.history.records import Record, configuration_hash

if TYPE_CHECKING:
    from collections.abc import Mapping

_STATISTIC = re.compile(
    r"^(mean|median|p[0-9]+(?:\.[0-9]+)?)_(ttft|tpot|itl|e2el|client_queue_time|e2el_including_client_queue)_ms$"
)
_NAMES = {"e2el": "e2e", "client_queue_time": "client_queue", "e2el_including_client_queue": "e2e_with_client_queue"}
_RATES = {
    "request_throughput": ("requests_per_second", "requests/s"),
    "request_goodput": ("goodput", "requests/s"),
    # So written until 0.9.
    "request_goodput:": ("goodput", "requests/s"),
    "output_throughput": ("tokens_per_second", "tokens/s"),
    "total_token_throughput": ("total_tokens_per_second", "tokens/s"),
}
_SETTINGS = (
    "backend",
    "endpoint_type",
    "model_id",
    "num_prompts",
    "request_rate",
    "burstiness",
    "max_concurrency",
    "ramp_up_strategy",
    "ramp_up_start_rps",
    "ramp_up_end_rps",
)
_SWEEP = "run_number"
"""What a sweep writes behind a result; settings of the server and of the load follow it."""


def fits(content: object) -> bool:
    """Return whether it is such a result, or a list of them."""
    if isinstance(content, list):
        return bool(content) and all(isinstance(part, dict) and fits(part) for part in content)
    return isinstance(content, dict) and "request_throughput" in content and "completed" in content


def read(content: Mapping[str, Any] | list[Mapping[str, Any]], origin: Origin) -> list[Record]:
    """Return a record for each result; the same load measured again is a run of its own."""
    records = [_record(part, origin) for part in (content if isinstance(content, list) else [content])]
    seen: Counter[str] = Counter()
    numbered = []
    for record in records:
        seen[record.configuration_hash] += 1
        count = seen[record.configuration_hash]
        numbered.append(record if count == 1 else dataclasses.replace(record, run_id=f"{record.run_id}-{count}"))
    return numbered


def _record(content: Mapping[str, Any], origin: Origin) -> Record:
    rate, at_once = content.get("request_rate"), content.get("max_concurrency")
    scenario = origin.scenario or (f"concurrency-{at_once}" if at_once else f"rate-{rate}")
    found = Collected("vllm-bench")
    for metric, seconds in _detailed(content).items():
        found.add(scenario, metric, "ms", [1000 * value for value in seconds])
    for key, value in content.items():
        match = _STATISTIC.match(key)
        if match and _measured(content, match.group(2)):
            statistic = {"median": "p50"}.get(match.group(1), match.group(1)).replace(".", "_")
            name = _NAMES.get(match.group(2), match.group(2))
            found.add(scenario, f"{name}_{statistic}_ms", "ms", value)
        elif key in _RATES and not (key == "output_throughput" and not value):
            found.add(scenario, *_RATES[key], value)
    counts = list(numbers_of([content.get("completed"), content.get("failed")]))
    # Older versions do not tell what failed, and those of embeddings do not either.
    total = math.fsum(counts)
    if len(counts) > 1 and total:
        found.add(scenario, "error_rate", "share", counts[1] / total)
    return Record(
        run_id=origin.run_id or origin.path.stem,
        time=origin.moment(_date(content.get("date"))),
        commit=origin.commit or "",
        system=origin.system,
        system_version=origin.system_version or "",
        fingerprint=origin.fingerprint,
        configuration_hash=configuration_hash({"tool": "vllm", **_settings(content)}),
        measurements=tuple(found.measurements),
        labels=origin.labels,
    )


def _detailed(content: Mapping[str, Any]) -> dict[str, list[float]]:
    """Return seconds of single requests, of those that were answered: the others have zeros, or what they got."""
    failed = [bool(error) for error in _list(content, "errors")]

    def of(name: str) -> list[Any]:
        values = _list(content, name)
        return [v for i, v in enumerate(values) if not (i < len(failed) and failed[i])]

    return {
        "ttft_ms": [value for value in numbers_of(of("ttfts")) if value > 0],
        "itl_ms": [gap for gaps in of("itls") if isinstance(gaps, list) for gap in numbers_of(gaps)],
        "e2e_ms": [value for value in numbers_of(of("latencies")) if value > 0],
    }


def _measured(content: Mapping[str, Any], name: str) -> bool:
    """Return whether there is anything behind the statistics of a metric: they are all zero where there is not."""
    found = list(numbers_of(value for key, value in content.items() if key.endswith(f"_{name}_ms")))
    # Without a queue nothing waited in it.
    return any(found) or name == "client_queue_time"


def _settings(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return what decides what was measured; of a sweep also what it varied."""
    names = list(content)
    varied = names[names.index(_SWEEP) + 1 :] if _SWEEP in content else []
    return {name: content[name] for name in (*_SETTINGS, *varied) if content.get(name) is not None}


def _list(content: Mapping[str, Any], name: str) -> list[Any]:
    value = content.get(name)
    return value if isinstance(value, list) else []


def _date(text: object) -> object:
    """Return its date as ISO 8601: it writes ``20260131-235959``, in local time."""
    try:
        return dt.datetime.strptime(str(text), "%Y%m%d-%H%M%S").astimezone().isoformat()
    except ValueError:
        return None
