"""Names, units and directions of metrics, whoever measured them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from proving_ground.history.records import Direction

_HIGHER = re.compile(r"per_second|per_sec\b|throughput|goodput|_rps|_tps|accuracy|hit_rate|success_rate|availability")
_LOWER = re.compile(
    r"latency|ttft|tpot|itl\b|itl_|e2e|duration|seconds|_ms\b|_s\b|error|fail|lag|rss|memory|time_to|time_per|queue|drift"
)
_UNITS = (
    (re.compile(r"_ms$"), "ms"),
    (re.compile(r"(requests_per_second|request_throughput|goodput|_rps)$"), "requests/s"),
    (re.compile(r"(tokens_per_second|token_throughput|_tps)$"), "tokens/s"),
    (re.compile(r"_(seconds|s)$"), "s"),
    (re.compile(r"_bytes$"), "bytes"),
    (re.compile(r"_mib$"), "MiB"),
    (re.compile(r"_rate$"), "share"),
    (re.compile(r"per_second$"), "1/s"),
)
_SAME = {"requests/sec": "requests/s", "tokens/sec": "tokens/s", "tokens/sec/user": "tokens/s/user", "sec": "s"}


def direction_of(metric: str) -> Direction | None:
    """Return which values of a metric are better, as far as its name tells it."""
    if _HIGHER.search(metric):
        return "higher"
    return "lower" if _LOWER.search(metric) else None


def unit_of(metric: str) -> str:
    """Return the unit that a metric's name ends in; empty where it has none."""
    return next((unit for pattern, unit in _UNITS if pattern.search(metric)), "")


def plain_unit(unit: str) -> str:
    """Return a unit as this history writes it, so that the same one has one name."""
    return _SAME.get(unit, unit)
