from __future__ import annotations

import pytest

from proving_ground.budaiscaler.pages import PageError, label, read_external, read_query, read_value, series

PAGE = """# HELP vllm:gpu_cache_usage_perc Use.
# TYPE vllm:gpu_cache_usage_perc gauge
vllm:gpu_cache_usage_perc{model_name="a b",note="x} \\" 9"} 0.5 1700000000000
vllm:gpu_cache_usage_perc{model_name="c"} 0.7

vllm:gpu_cache_usage_perc_total 99
plain 3e1
"""


@pytest.mark.parametrize(("metric", "value"), [("vllm:gpu_cache_usage_perc", 0.6), ("plain", 30.0)])
def test_the_value_is_the_mean_over_the_lines_of_exactly_that_name(metric: str, value: float) -> None:
    assert read_value(PAGE, metric) == pytest.approx(value)


def test_labels_are_read_with_what_is_escaped_in_them() -> None:
    (labels, _), _ = series(PAGE, "vllm:gpu_cache_usage_perc")
    assert (label(labels, "model_name"), label(labels, "absent")) == ("a b", "")


@pytest.mark.parametrize(
    ("page", "metric", "value"),
    [('{"a": {"b": [{"m": 4}]}}', "m", 4.0), ('{"m": "4.5"}', "m", 4.5), ('[{"x": 1}, {"m": 2}]', "m", 2.0)],
)
def test_json_is_searched_for_the_key(page: str, metric: str, value: float) -> None:
    assert read_value(page, metric) == value


@pytest.mark.parametrize(
    ("page", "cause"),
    [
        ("", "empty"),
        ("  \n", "empty"),
        ("# only a comment\n", "m is not on the page"),
        ("other 1\n", "m is not on the page"),
        ("m NaN\n", "m is nan"),
        ("m +Inf\n", "m is inf"),
        ("m one\n", "'one', which is not a number"),
        ("m 1\nm two\n", "not a number"),
        ("m 1\n<html>\n", "line 2 is not a metric: '<html>'"),
        ('m{a="b 1\n', "line 1 is not a metric"),
        ('{"m": ', "broken JSON"),
        ("[" * 100_000, "broken JSON"),
        ('{"other": 1}', "m is not in the JSON answer"),
        ('{"m": true}', "not a number"),
        ('{"m": null}', "not a number"),
        ('{"m": NaN}', "m is nan"),
        ('{"m": 1e999}', "m is inf"),
        ('{"m": 1' + "0" * 400 + "}", "m is inf"),
    ],
)
def test_a_page_without_a_usable_value_is_told_with_its_cause(page: str, cause: str) -> None:
    with pytest.raises(PageError) as caught:
        read_value(page, "m")
    assert cause in str(caught.value)


def test_a_long_page_that_is_none_is_refused_at_once() -> None:
    with pytest.raises(PageError, match="line 1 is not a metric"):
        read_value("m" + '{a="' * 50_000, "m")


@pytest.mark.parametrize(
    ("page", "value"),
    [
        ("42", 42.0),
        (" 4.2e1 \n", 42.0),
        ('{"m": 1, "value": 2}', 1.0),
        ('{"value": 2, "metric": "m"}', 2.0),
        ('{"metric": "m", "result": 3}', 3.0),
        ('{"data": {"inner": {"m": 4}}}', 4.0),
        ('{"data": "5"}', 5.0),
        ('{"value": 6, "error": null}', 6.0),
    ],
)
def test_an_external_answer_is_a_number_or_has_one(page: str, value: float) -> None:
    assert read_external(page, "m") == value


@pytest.mark.parametrize(
    ("page", "cause"),
    [
        ("", "empty"),
        ("nonsense", "not a number"),
        ("nan", "nan"),
        ('{"error": "down", "value": 1}', "tells of an error: down"),
        ('{"text": "none"}', "neither m nor a value"),
        ("{}", "neither m nor a value"),
    ],
)
def test_an_external_answer_without_a_number_is_refused(page: str, cause: str) -> None:
    with pytest.raises(PageError, match=cause):
        read_external(page, "m")


@pytest.mark.parametrize(
    ("data", "value"),
    [
        ('{"resultType":"vector","result":[{"metric":{},"value":[1,"7.5"]},{"metric":{},"value":[1,"9"]}]}', 7.5),
        ('{"resultType":"scalar","result":[1,"3"]}', 3.0),
    ],
)
def test_the_first_sample_of_a_query_counts(data: str, value: float) -> None:
    assert read_query('{"status":"success","data":' + data + "}") == value


@pytest.mark.parametrize(
    ("page", "cause"),
    [
        ("text", "not that of a Prometheus query"),
        ('{"status":"error","error":"parse error"}', "the query failed: parse error"),
        ('{"status":"success"}', "not that of a Prometheus query"),
        ('{"status":"success","data":{"resultType":"vector","result":[]}}', "found nothing"),
        ('{"status":"success","data":{"resultType":"vector","result":[{"value":[1]}]}}', "neither a vector nor"),
        ('{"status":"success","data":{"resultType":"vector","result":[{"value":[1,"NaN"]}]}}', "nan"),
        ('{"status":"success","data":{"resultType":"matrix","result":[{"values":[[1,"1"]]}]}}', "neither a vector nor"),
    ],
)
def test_a_query_without_a_sample_is_refused(page: str, cause: str) -> None:
    with pytest.raises(PageError, match=cause):
        read_query(page)
