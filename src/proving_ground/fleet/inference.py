"""What an inference server is told beside its speed: metrics that it fakes, failures, the form of its metrics."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from proving_ground.fleet.images import GPU_CACHE, KV_CACHE, cache_metrics, is_simulator
from proving_ground.fleet.values import Reader, latency, one_of, seconds, whole

if TYPE_CHECKING:
    from proving_ground.fleet.views import ContainerView

FAILURES = ("rate_limit", "invalid_api_key", "context_length", "server_error", "invalid_request", "model_not_found")
"""Kinds of failures of llm-d-inference-sim's option ``--failure-types``."""
MOST_REQUESTS = 10**9
_FAKE_KEYS = ("running-requests", "waiting-requests", "kv-cache-usage")
_SCALES = {"fraction": 1.0, "percent": 100.0}


@dataclass(frozen=True, slots=True)
class FakeMetrics:
    """What ``/metrics`` tells in place of the truth; None leaves the truth."""

    running: float | None = None
    waiting: float | None = None
    cache: float | None = None
    """Usage of the KV cache, 0 to 1."""


@dataclass(frozen=True, slots=True)
class Speed:
    """How fast the pod generates, and how much at once; zero seconds means at once."""

    first_token: float = 0.0
    token: float = 0.0
    max_running: int = 256
    max_model_len: int = 32768


@dataclass(frozen=True, slots=True)
class Inference:
    """How an inference server behaves beside its speed."""

    fake: FakeMetrics = FakeMetrics()
    failure_rate: int = 0
    """Requests in a hundred that fail."""
    failures: tuple[str, ...] = FAILURES
    """The kinds of failures, in turn."""
    cache_metrics: tuple[str, ...] = (KV_CACHE,)
    """Names, without prefix, of the gauge of the KV cache."""
    cache_scale: float = 1.0
    """What that gauge tells when the cache is full."""


def read_fake_metrics(document: object) -> FakeMetrics:
    """Read the object of ``--fake-metrics`` and ``POST /fake_metrics``.

    Args:
        document: An object with any of ``running-requests``, ``waiting-requests`` (whole numbers) and
            ``kv-cache-usage`` (0 to 1); null is as good as not there.

    Raises:
        ValueError: It is another thing; says which part.
    """
    if not isinstance(document, dict):
        raise ValueError("expected a JSON object")  # noqa: TRY004 -- it is data, not a mistake of the program
    unknown = next((key for key in document if key not in _FAKE_KEYS), None)
    if unknown is not None:
        raise ValueError(f"expected {', '.join(_FAKE_KEYS)}, found {str(unknown)[:40]!r}")
    numbers: list[float | None] = []
    for key in _FAKE_KEYS:
        value = document.get(key)
        if value is None:
            numbers.append(None)
            continue
        most = 1.0 if key == "kv-cache-usage" else MOST_REQUESTS
        good = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= most
        if not good or (most > 1 and value != math.floor(value)):
            kind = "a number from 0 to 1" if most == 1 else "a whole number"
            raise ValueError(f"{key}: expected {kind} or null")
        numbers.append(float(value))
    return FakeMetrics(*numbers)


def _fake_text(text: str) -> FakeMetrics:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError("expected a JSON object") from None
    return read_fake_metrics(document)


def _failures(text: str) -> tuple[str, ...]:
    kinds = tuple(filter(None, (part.strip() for part in text.replace(",", " ").split())))
    if not kinds or any(kind not in FAILURES for kind in kinds):
        raise ValueError(f"expected some of {', '.join(FAILURES)}")
    return kinds


def _cache_metric(text: str) -> tuple[str, ...]:
    return (GPU_CACHE, KV_CACHE) if one_of(GPU_CACHE, KV_CACHE, "both")(text) == "both" else (text,)


def inference_of(container: ContainerView, annotations: Reader, arguments: Reader) -> Inference:
    """Read how the inference server in a container behaves."""
    scale = annotations.value("kv-scale", "fraction", one_of(*_SCALES))
    return Inference(
        fake=arguments.value("fake-metrics", FakeMetrics(), _fake_text),
        failure_rate=arguments.value("failure-injection-rate", 0, whole(0, 100)),
        failures=arguments.value("failure-types", FAILURES, _failures),
        cache_metrics=annotations.value("kv-metric", cache_metrics(container.image), _cache_metric),
        cache_scale=_SCALES[scale],
    )


def speed_of(container: ContainerView, annotations: Reader, arguments: Reader) -> Speed:
    """Read how fast the inference server in a container is: annotations win over arguments, these over defaults.

    The simulator's own defaults are 5 requests at once and 1024 tokens.
    """
    default = Speed(max_running=5, max_model_len=1024) if is_simulator(container.image) else Speed()
    first = arguments.value("time-to-first-token", default.first_token, latency)
    token = arguments.value("inter-token-latency", default.token, latency)
    running = arguments.value("max-num-seqs", default.max_running, whole(1, 100_000))
    length = arguments.value("max-model-len", default.max_model_len, whole(1, 10_000_000))
    return Speed(
        first_token=annotations.value("first-token-seconds", first, seconds),
        token=annotations.value("token-seconds", token, seconds),
        max_running=annotations.value("max-running", running, whole(1, 100_000)),
        max_model_len=annotations.value("max-model-len", length, whole(1, 10_000_000)),
    )
