"""Service level objectives: what a measured value may be at most, or must be at least."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Literal

from proving_ground.contracts.base import Contract
from proving_ground.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

LATENCIES = ("ttft", "tpot", "itl", "e2e")
PERCENTILES = (50, 90, 95, 99)
_AT_LEAST = ("requests_per_second", "tokens_per_second", "goodput")
_LATENCY = re.compile(rf"^({'|'.join(LATENCIES)})_p({'|'.join(map(str, PERCENTILES))})$")
_VALUE = re.compile(r"^(\d+(?:\.\d+)?|\.\d+)(us|ms|s|m|%)?$")
_MILLISECONDS = {"us": 0.001, "ms": 1.0, "s": 1000.0, "m": 60_000.0}
KNOWN = (*(f"{name}_p{part}" for name in LATENCIES for part in PERCENTILES), "error_rate", *_AT_LEAST)


class Slo(Contract):
    """One objective.

    Attributes:
        metric: ``ttft_p99``, ``error_rate``, ``tokens_per_second``, ...
        kind: Whether the value is the most or the least that is good.
        value: Milliseconds of a latency, a fraction of a rate of errors, else a number per second.
    """

    metric: str
    kind: Literal["at_most", "at_least"]
    value: float

    @property
    def latency(self) -> str:
        """The latency that it is about, without its percentile; empty if it is about another thing."""
        found = _LATENCY.match(self.metric)
        return found[1] if found else ""

    def holds(self, found: float) -> bool:
        """Tell whether a measured value keeps it; one that is not a number does not."""
        return found <= self.value if self.kind == "at_most" else found >= self.value

    def told(self) -> str:
        """Return it as people write it."""
        unit = " ms" if self.latency else ""
        return f"{self.metric} {'at most' if self.kind == 'at_most' else 'at least'} {self.value:g}{unit}"


def parse_slos(text: str) -> tuple[Slo, ...]:
    """Read objectives such as ``ttft_p99=200ms,itl_p95=50ms,error_rate=1%,requests_per_second=10``.

    Raises:
        ConfigurationError: One is none; says which, and what is known.
    """
    slos: dict[str, Slo] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        slo = _parse(part)
        if slo.metric in slos:
            raise ConfigurationError(f"{slo.metric} is given twice", where="--slo")
        slos[slo.metric] = slo
    if text and not slos:
        raise ConfigurationError(f"expected objectives such as ttft_p99=200ms, found {text!r}", where="--slo")
    return tuple(slos.values())


def _parse(text: str) -> Slo:
    name, separator, value = (part.strip() for part in text.partition("="))
    if not separator or name not in KNOWN:
        raise ConfigurationError(
            f"expected an objective such as ttft_p99=200ms, found {text[:60]!r}",
            where="--slo",
            hint=f"known: {', '.join(KNOWN)}",
        )
    found = _VALUE.match(value)
    unit = found[2] or "" if found else ""
    latency, rate = bool(_LATENCY.match(name)), name == "error_rate"
    fits = unit in _MILLISECONDS if latency else unit in {"", "%"} if rate else unit == ""
    if not found or not fits:
        wanted = "a time such as 200ms" if latency else "a share such as 1%" if rate else "a number per second"
        raise ConfigurationError(f"{name}: expected {wanted}, found {value[:40]!r}", where="--slo")
    number = float(found[1]) * (_MILLISECONDS[unit] if latency else 0.01 if unit == "%" else 1.0)
    if not math.isfinite(number) or number <= 0 < (0 if rate else 1) or (rate and number > 1):
        raise ConfigurationError(f"{name}: {value[:40]} is out of its range", where="--slo")
    return Slo(metric=name, kind="at_least" if name in _AT_LEAST else "at_most", value=number)


def good(slos: tuple[Slo, ...], latencies: Mapping[str, float]) -> bool:
    """Tell whether one request kept the objectives, whatever the percentile that they are stated for.

    Args:
        slos: All objectives; those that are not about latencies say nothing of one request.
        latencies: Milliseconds of this request, those that it has.
    """
    return all(latencies[slo.latency] <= slo.value for slo in slos if slo.latency in latencies)
