"""What is learned from beside the scaler's own metric: the use of the cache, the requests, the throughput."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING

from proving_ground.budaiscaler.learning import Sample
from proving_ground.budaiscaler.pages import PageError, read_value

if TYPE_CHECKING:
    from collections.abc import Sequence

CACHE = ("gpu_cache_usage_perc", "kv_cache_usage_perc")
RUNNING, WAITING = "num_requests_running", "num_requests_waiting"
THROUGHPUT = "avg_generation_throughput_toks_per_s"
_NAMES = (*CACHE, RUNNING, WAITING, THROUGHPUT)
_LINE = re.compile(
    rf"^vllm[:_]({'|'.join(_NAMES)})[ \t]*(?:\{{[^\n]*\}})?[ \t]+([0-9.eE+-]+)(?:[ \t]+-?[0-9]+)?[ \t\r]*$",
    re.MULTILINE,
)


def sample(pages: Sequence[str], full: float) -> Sample:
    """Return the means over the pages of a workload's pods; None for what no page tells.

    Args:
        pages: The pages that were read for the scaler's metric.
        full: What a cache that is all in use reads: 1 or 100.
    """
    found: dict[str, list[float]] = defaultdict(list)
    for page in pages:
        for name, value in _values(page):
            found["cache" if name in CACHE else name].append(value)
    means = {name: sum(values) / len(values) for name, values in found.items()}
    cache = means.get("cache")
    return Sample(
        cache=None if cache is None else min(max(cache / full, 0.0), 1.0),
        running=means.get(RUNNING),
        waiting=means.get(WAITING),
        throughput=means.get(THROUGHPUT),
    )


def _values(page: str) -> list[tuple[str, float]]:
    if page.lstrip()[:1] == "{":
        return _of_json(page)
    found: dict[str, list[float]] = defaultdict(list)
    for name, text in _LINE.findall(page):
        try:
            found[name].append(float(text))
        except ValueError:
            continue
    return [(name, sum(values) / len(values)) for name, values in found.items() if values]


def _of_json(page: str) -> list[tuple[str, float]]:
    found = []
    for name in _NAMES:
        for prefix in ("vllm:", "vllm_"):
            try:
                found.append((name, read_value(page, prefix + name)))
            except PageError:
                continue
            break
    return found
