"""The metrics sources of a scaler: where a value is read, and what it is compared with."""

from __future__ import annotations

import dataclasses
import math
import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from proving_ground.budaiscaler.fields import read_number
from proving_ground.chainsaw.quantities import parse_quantity

if TYPE_CHECKING:
    from proving_ground.budaiscaler.fields import Fields

TYPES = ("pod", "resource", "custom", "external", "prometheus", "inferenceEngine")
ENGINES = ("vllm", "tgi", "sglang", "triton")
RESOURCES = ("cpu", "memory")
DEFAULT_PORT = 8000
DEFAULT_PATH = "/metrics"

_HIGHEST_PORT = 65535
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # a token, RFC 9110 section 5.6.2
_NOT_IN_A_HEADER = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_NOT_IN_A_URL = re.compile(r"[\x00-\x20\x7f]")


@dataclasses.dataclass(frozen=True, slots=True)
class Source:
    """One entry of ``spec.metricsSources``."""

    type: str
    """One of `TYPES`."""
    metric: str
    """Empty only for a Prometheus query."""
    target: float
    """Above zero; in the unit that `unit` tells."""
    unit: str = ""
    """Resource sources: ``millicores`` or ``bytes`` when the target is written as a quantity; else empty."""
    protocol: str = "http"
    port: int = DEFAULT_PORT
    path: str = DEFAULT_PATH
    endpoint: str = ""
    query: str = ""
    """PromQL."""
    headers: tuple[tuple[str, str], ...] = ()
    engine: str = ""
    """Inference engines: one of `ENGINES`."""


def read_source(fields: Fields) -> Source:
    """Read an entry of ``spec.metricsSources``.

    Raises:
        SpecError: A field of it cannot be followed.
    """
    kind = fields.choice("metricSourceType", TYPES)
    metric = fields.text("targetMetric", "" if kind == "prometheus" else None)
    if kind == "resource" and metric not in RESOURCES:
        fields.fail("targetMetric", "cpu or memory, the resources that metrics.k8s.io knows")
    target, unit = _target(fields, metric if kind == "resource" else "")
    engine = fields.part("inferenceEngineConfig")
    if kind == "inferenceEngine":
        engine_type = engine.choice("engineType", ENGINES)
        port = engine.whole("metricsPort", DEFAULT_PORT, 1, _HIGHEST_PORT)
        path = _path(engine, "metricsPath")
    else:
        engine_type, port, path = "", _port(fields), _path(fields, "path")
    return Source(
        type=kind,
        metric=metric,
        target=target,
        unit=unit,
        protocol=fields.choice("protocolType", ("http", "https"), "http"),
        port=port,
        path=path,
        endpoint=_endpoint(fields, needed=kind in {"external", "prometheus"}),
        query=fields.text("promQL", None if kind == "prometheus" else ""),
        headers=_headers(fields),
        engine=engine_type,
    )


def value_problem(source: Source, value: float) -> str:
    """Return why a value cannot be true; empty when it can.

    A ratio of cache use has the scale of its target: 0 to 1 for a target of at most 1, else 0 to 100.
    """
    if not math.isfinite(value):
        return f"{source.metric or 'the value'} is {value:g}, which is not a finite number"
    if value < 0:
        return f"{source.metric or 'the value'} is {value:g}, which is below 0"
    if source.metric.endswith("cache_usage_perc"):
        full = full_scale(source)
        if value > full:
            return f"{source.metric} is {value:g}, outside 0 to {full:g}, the scale of its target {source.target:g}"
    return ""


def full_scale(source: Source) -> float:
    """Return what a ratio that this source reads is when all is used: 1.0 or 100.0, as its target is written."""
    return 1.0 if source.target <= 1 else 100.0


def _target(fields: Fields, resource: str) -> tuple[float, str]:
    text = fields.text("targetValue", "")
    value, unit = read_number(text), ""
    if resource and math.isnan(value):
        try:
            amount = parse_quantity(text).amount
        except ValueError:
            fields.fail("targetValue", "a number above 0, or a quantity such as 500m or 512Mi")
        value, unit = (float(amount * 1000), "millicores") if resource == "cpu" else (float(amount), "bytes")
    if not 0 < value < math.inf:
        fields.fail("targetValue", "a finite number above 0")
    return value, unit


def _port(fields: Fields) -> int:
    text = fields.text("port", "")
    if not text:
        return DEFAULT_PORT
    if not re.fullmatch("[0-9]{1,5}", text) or not 1 <= int(text) <= _HIGHEST_PORT:
        fields.fail("port", f"a port number from 1 to {_HIGHEST_PORT}")
    return int(text)


def _path(fields: Fields, name: str) -> str:
    path = fields.text(name, "") or DEFAULT_PATH
    if not path.startswith("/") or _NOT_IN_A_URL.search(path):
        fields.fail(name, "a path that begins with / and has no blanks")
    return path


def _endpoint(fields: Fields, *, needed: bool) -> str:
    text = fields.text("endpoint", None if needed else "")
    if not text:
        return text
    try:
        parts = urlsplit(text)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a broken port or IPv6 address
        usable = False
    if not usable or _NOT_IN_A_URL.search(text):
        fields.fail("endpoint", "an http or https URL")
    return text


def _headers(fields: Fields) -> tuple[tuple[str, str], ...]:
    pairs = fields.pairs("headers")
    if not all(_HEADER_NAME.fullmatch(name) and not _NOT_IN_A_HEADER.search(value) for name, value in pairs):
        fields.fail("headers", "names and values that HTTP allows")
    return pairs
