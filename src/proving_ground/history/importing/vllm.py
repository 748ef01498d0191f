"""Results of `vllm bench serve --save-result`.

Field names: https://docs.vllm.ai/en/latest/api/vllm/benchmarks/serve/ (vLLM 0.9 to 0.15). Times of single requests
(``--save-detailed``) are in seconds there, statistics in milliseconds.
"""

from __future__ import annotations

import datetime as dt
import math
import re
from typing import TYPE_CHECKING, Any

from proving_ground.history.importing.origin import Collected, Origin, numbers_of
from proving_ground.history.records import Record, configuration_hash

if TYPE_CHECKING:
    from collections.abc import Mapping

_STATISTIC = re.compile(r"^(mean|median|p[0-9]+(?:\.[0-9]+)?)_(ttft|tpot|itl|e2el)_ms$")
_NAMES = {"ttft": "ttft", "tpot": "tpot", "itl": "itl", "e2el": "e2e"}
_RATES = {
    "request_throughput": ("requests_per_second", "requests/s"),
    "request_goodput": ("goodput_requests_per_second", "requests/s"),
    "output_throughput": ("output_tokens_per_second", "tokens/s"),
    "total_token_throughput": ("total_tokens_per_second", "tokens/s"),
}
_SETTINGS = ("backend", "endpoint_type", "model_id", "num_prompts", "request_rate", "burstiness", "max_concurrency")


def fits(content: object) -> bool:
    """Return whether it is such a result."""
    return isinstance(content, dict) and "request_throughput" in content and "completed" in content


def read(content: Mapping[str, Any], origin: Origin) -> list[Record]:
    """Return the record of one result."""
    rate, at_once = content.get("request_rate"), content.get("max_concurrency")
    scenario = origin.scenario or (f"concurrency-{at_once}" if at_once else f"rate-{rate}")
    found = Collected("vllm-bench")
    detailed = {
        "ttft_ms": list(numbers_of(_list(content, "ttfts"))),
        "itl_ms": [gap for gaps in _list(content, "itls") if isinstance(gaps, list) for gap in numbers_of(gaps)],
        "e2e_ms": list(numbers_of(_list(content, "latencies"))),
    }
    for metric, seconds in detailed.items():
        found.add(scenario, metric, "ms", [1000 * value for value in seconds])
    for key, value in content.items():
        match = _STATISTIC.match(key)
        if match:
            statistic = {"median": "p50"}.get(match.group(1), match.group(1)).replace(".", "_")
            found.add(scenario, f"{_NAMES[match.group(2)]}_{statistic}_ms", "ms", value)
        elif key in _RATES:
            found.add(scenario, *_RATES[key], value)
    counts = list(numbers_of([content.get("completed"), content.get("failed")]))
    # Older versions do not tell what failed.
    total = math.fsum(counts)
    if len(counts) > 1 and total:
        found.add(scenario, "error_rate", "share", counts[1] / total)
    return [
        Record(
            run_id=origin.run_id or origin.path.stem,
            time=origin.moment(_date(content.get("date"))),
            commit=origin.commit or "",
            system=origin.system,
            system_version=origin.system_version or "",
            fingerprint=origin.fingerprint,
            configuration_hash=configuration_hash(
                {"tool": "vllm", **{name: content[name] for name in _SETTINGS if content.get(name) is not None}}
            ),
            measurements=tuple(found.measurements),
            labels=origin.labels,
        )
    ]


def _list(content: Mapping[str, Any], name: str) -> list[Any]:
    value = content.get(name)
    return value if isinstance(value, list) else []


def _date(text: object) -> object:
    """Return its date as ISO 8601: it writes ``20260131-235959``, in local time."""
    try:
        return dt.datetime.strptime(str(text), "%Y%m%d-%H%M%S").astimezone().isoformat()
    except ValueError:
        return None
