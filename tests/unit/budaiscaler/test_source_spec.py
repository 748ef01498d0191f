from __future__ import annotations

import math
from typing import Any

import pytest

from proving_ground.budaiscaler.fields import Fields, SpecError
from proving_ground.budaiscaler.source_spec import Source, full_scale, read_source, value_problem

CACHE = "vllm:gpu_cache_usage_perc"


def source(**fields: Any) -> Source:
    base = {"metricSourceType": "pod", "targetMetric": CACHE, "targetValue": "70"}
    return read_source(Fields("source", {**base, **fields}))


def test_a_pod_source_has_the_defaults_of_its_api() -> None:
    assert source() == Source("pod", CACHE, 70.0, protocol="http", port=8000, path="/metrics")


def test_an_inference_engine_is_read_at_its_own_port_and_path() -> None:
    engine = {"engineType": "sglang", "metricsPort": 30000, "metricsPath": "/m"}
    found = source(metricSourceType="inferenceEngine", port="9000", inferenceEngineConfig=engine)
    assert (found.engine, found.port, found.path) == ("sglang", 30000, "/m")


def test_a_prometheus_source_needs_no_metric_name() -> None:
    found = source(metricSourceType="prometheus", targetMetric="", endpoint="http://p:9090", promQL="up")
    assert (found.metric, found.query, found.endpoint) == ("", "up", "http://p:9090")


@pytest.mark.parametrize(
    ("metric", "written", "target", "unit"),
    [
        ("cpu", "70", 70.0, ""),
        ("cpu", "500m", 500.0, "millicores"),
        ("cpu", "2k", 2_000_000.0, "millicores"),
        ("memory", "512Mi", 512.0 * 1024**2, "bytes"),
        ("memory", "1e3", 1000.0, ""),
    ],
)
def test_the_target_of_a_resource_is_a_plain_number_or_a_quantity(
    metric: str, written: str, target: float, unit: str
) -> None:
    found = source(metricSourceType="resource", targetMetric=metric, targetValue=written)
    assert (found.target, found.unit) == (target, unit)


@pytest.mark.parametrize(
    "value",
    ["", "0", "-1", "nan", "inf", "1e999", "0x10", "1_000", "70%", " 70", "500m", "seventy", "9" * 400, 70, None],
)
def test_a_target_that_is_no_finite_number_above_zero_is_refused(value: Any) -> None:
    with pytest.raises(SpecError, match=r"source\.targetValue: expected"):
        source(targetValue=value)


@pytest.mark.parametrize("value", ["0m", "-500m", "500q", "Mi", "1e999"])
def test_a_quantity_that_is_not_above_zero_is_refused(value: str) -> None:
    with pytest.raises(SpecError, match=r"source\.targetValue: expected"):
        source(metricSourceType="resource", targetMetric="cpu", targetValue=value)


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"metricSourceType": "file"}, "metricSourceType"),
        ({"targetMetric": ""}, "targetMetric"),
        ({"metricSourceType": "resource", "targetMetric": "disk"}, "targetMetric"),
        ({"protocolType": "ftp"}, "protocolType"),
        ({"port": "0"}, "port"),
        ({"port": "65536"}, "port"),
        ({"port": "http"}, "port"),
        ({"port": "\u0668\u0660"}, "port"),
        ({"path": "metrics"}, "path"),
        ({"path": "/a b"}, "path"),
        ({"path": "/a\r\nHost: x"}, "path"),
        ({"headers": {"X": 1}}, "headers"),
        ({"headers": {"X": "a\r\nY: b"}}, "headers"),
        ({"headers": {"X Y": "a"}}, "headers"),
        ({"metricSourceType": "external"}, "endpoint"),
        ({"metricSourceType": "external", "endpoint": "file:///etc/passwd"}, "endpoint"),
        ({"metricSourceType": "external", "endpoint": "http://"}, "endpoint"),
        ({"metricSourceType": "external", "endpoint": "http://a:99999/"}, "endpoint"),
        ({"metricSourceType": "external", "endpoint": "http://[::1/"}, "endpoint"),
        ({"metricSourceType": "external", "endpoint": "http://a/\n"}, "endpoint"),
        ({"metricSourceType": "prometheus", "promQL": "up"}, "endpoint"),
        ({"metricSourceType": "prometheus", "endpoint": "http://p"}, "promQL"),
        ({"metricSourceType": "inferenceEngine"}, "inferenceEngineConfig.engineType"),
        (
            {"metricSourceType": "inferenceEngine", "inferenceEngineConfig": {"engineType": "x"}},
            "inferenceEngineConfig",
        ),
    ],
)
def test_a_broken_field_is_refused_by_its_name(fields: dict[str, Any], field: str) -> None:
    with pytest.raises(SpecError, match=rf"^source\.{field}"):
        source(**fields)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, -0.01, 100.1, 1e308])
def test_a_value_that_cannot_be_true_has_a_problem(value: float) -> None:
    assert value_problem(source(), value)


@pytest.mark.parametrize("value", [0.0, 0.5, 70.0, 100.0])
def test_a_value_on_its_scale_has_none(value: float) -> None:
    assert not value_problem(source(), value)


def test_a_percentage_for_a_target_that_is_a_fraction_is_on_the_wrong_scale() -> None:
    fraction = source(targetValue="0.7")
    assert not value_problem(fraction, 1.0)
    assert "outside 0 to 1" in value_problem(fraction, 85.0)
    assert (full_scale(fraction), full_scale(source())) == (1.0, 100.0)


def test_a_target_of_one_is_a_fraction() -> None:
    assert full_scale(source(targetValue="1")) == 1.0


def test_other_metrics_have_no_scale() -> None:
    assert not value_problem(source(targetMetric="vllm:num_requests_waiting"), 1e9)
