"""JSON as Go writes it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from proving_ground.chainsaw.expressions import compile_expression
from proving_ground.chainsaw.json_text import json_text

TEXTS: list[tuple[Any, str]] = [
    (None, "null"),
    (True, "true"),
    (3, "3"),
    (3.0, "3"),
    (-2.5, "-2.5"),
    (0.0, "0"),
    (1e-6, "0.000001"),
    (1e-7, "1e-7"),
    (-2.5e-9, "-2.5e-9"),
    (1e20, "100000000000000000000"),
    (1e21, "1e+21"),
    (10**23, "1e+23"),
    (123456789012345678, "123456789012345678"),
    ("\u00e9\n", '"\u00e9\\n"'),
    ("<&>", '"\\u003c\\u0026\\u003e"'),
    ({"b": 1, "a": [1.0, {"d": None, "c": ""}]}, '{"a":[1,{"c":"","d":null}],"b":1}'),
    ({}, "{}"),
    ([], "[]"),
]


@pytest.mark.parametrize(("value", "text"), TEXTS)
def test_a_value_is_written_as_go_writes_it(value: Any, text: str) -> None:
    assert json_text(value) == text
    assert json.loads(text) == (pytest.approx(value) if isinstance(value, int | float) else value)


METRICS = r"""
# HELP requests_total Requests.
# TYPE requests_total counter
requests_total{code="200"} 5 123456
# TYPE seconds histogram
seconds_bucket{le="0.10"} 1
seconds_bucket{le="1000000.0"} 2
seconds_bucket{le="+Inf"} 2
seconds_sum 3
seconds_count 2
# TYPE size summary
size{quantile="0.50"} 1
big 1e10
none NaN
"""


def decode(expression: str) -> Any:
    return compile_expression(expression).evaluate(METRICS, {})


def test_metrics_are_samples_with_labels_value_and_time() -> None:
    samples = decode("x_metrics_decode(@)")

    assert samples[0] == {
        "metric": {"__name__": "requests_total", "code": "200"},
        "value": 5,
        "timestamp": 123456,
    }
    assert decode("x_metrics_decode(@)[?as_string(metric.\"__name__\") == 'big'].value | [0]") == 10_000_000_000
    assert decode("length(x_metrics_decode(@)[?metric.code == '200'])") == 1


def test_metrics_as_json_are_what_prometheus_writes() -> None:
    samples = {
        json_text(sample["metric"]): sample["value"] for sample in decode("json_parse(to_string(x_metrics_decode(@)))")
    }

    assert samples['{"__name__":"requests_total","code":"200"}'] == [123.456, "5"]
    assert samples['{"__name__":"seconds_bucket","le":"0.1"}'][1] == "1"
    assert samples['{"__name__":"seconds_bucket","le":"1e+06"}'][1] == "2"
    assert samples['{"__name__":"seconds_bucket","le":"+Inf"}'][1] == "2"
    assert samples['{"__name__":"size","quantile":"0.5"}'][1] == "1"
    assert samples['{"__name__":"big"}'][1] == "10000000000"
    assert samples['{"__name__":"none"}'][1] == "NaN"


def test_a_metric_without_a_time_was_seen_now() -> None:
    assert decode("time_after(time_now_utc(), '2020-01-01T00:00:00Z')") is True
    assert decode("x_metrics_decode(@)[-1].timestamp") > 1_600_000_000_000
