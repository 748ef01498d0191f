"""``x_metrics_decode``: metrics in Prometheus' text format, as a list of samples."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from proving_ground.chainsaw.json_text import exponent_text, number_text, plain_text
from proving_ground.chainsaw.signatures import Registry, failed, plain

REGISTRY = Registry()
_BOUNDS = {"histogram": "le", "summary": "quantile"}
_FEWEST, _MOST = Decimal("1e-4"), Decimal("1e6")


class Sample(dict[str, Any]):
    """One sample: ``metric`` (its labels, with its name as ``__name__``), ``value`` and ``timestamp``.

    As JSON, ``value`` is the pair of seconds and text that Prometheus writes.
    """

    def marshalled(self) -> dict[str, Any]:
        """Return the sample as Prometheus writes it."""
        text = plain_text(self["value"]) if math.isfinite(self["value"]) else number_text(self["value"])
        return {"metric": self["metric"], "value": [self["timestamp"] / 1000, text]}


@REGISTRY.register("x_metrics_decode", "string")
@REGISTRY.register("metrics_decode", "string")
def _metrics_decode(text: str) -> list[Sample]:
    from prometheus_client.parser import text_string_to_metric_families  # noqa: PLC0415  # rare, and not for free

    now = int(datetime.now(UTC).timestamp() * 1000)
    samples = []
    try:
        for family in text_string_to_metric_families(text if text.endswith("\n") else text + "\n"):
            bound = _BOUNDS.get(family.type)
            for sample in family.samples:
                labels = dict(sample.labels)
                if bound in labels:
                    labels[bound] = _bound(labels[bound])
                time = now if sample.timestamp is None else round(float(sample.timestamp) * 1000)
                samples.append(
                    Sample(metric={**labels, "__name__": sample.name}, value=plain(float(sample.value)), timestamp=time)
                )
    except (ValueError, IndexError, KeyError) as error:
        raise failed("not metrics: " + " ".join(str(error).split())) from None
    return samples


def _bound(text: str) -> str:
    """Return a bound of a bucket as Go prints the number."""
    number = float(text)
    if not math.isfinite(number):
        return number_text(number)
    shortest = Decimal(repr(number))
    return exponent_text(shortest, 2) if shortest and not _FEWEST <= abs(shortest) < _MOST else plain_text(number)
