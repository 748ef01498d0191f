from __future__ import annotations

from typing import Any

import pytest

from proving_ground.mocks.prometheus import STORED_LIMIT, written

from .asking import HandClock, ask, make


def result(mock: Any, query: str) -> Any:
    return ask(mock, f"/api/v1/query?query={query}").document["data"]["result"]


def test_a_query_that_was_set_has_its_value() -> None:
    mock = make("prometheus", HandClock(1000.1234))
    ask(mock, "/set?query=avg(gpu_cache)&value=0.85")
    reply = ask(mock, "/api/v1/query?query=avg(gpu_cache)")
    assert (reply.status, reply.headers["content-type"]) == (200, "application/json")
    assert reply.document == {
        "status": "success",
        "data": {"resultType": "vector", "result": [{"metric": {}, "value": [1000.123, "0.85"]}]},
    }


def test_white_space_of_a_query_does_not_matter() -> None:
    mock = make("prometheus")
    ask(mock, "/set?query=%20sum%20by%20(a)%20%0A(b)&value=1")
    assert result(mock, "sum+by+(a)+(b)")[0]["value"][1] == "1"


def test_a_value_can_be_replaced() -> None:
    mock = make("prometheus")
    ask(mock, "/set?query=a&value=1")
    ask(mock, "/set?query=a&value=-2.5")
    assert result(mock, "a")[0]["value"][1] == "-2.5"


def test_an_unknown_query_has_an_empty_vector() -> None:
    assert ask(make("prometheus"), "/api/v1/query?query=a").document == {
        "status": "success",
        "data": {"resultType": "vector", "result": []},
    }


@pytest.mark.parametrize("target", ["/api/v1/query", "/api/v1/query?query=", "/api/v1/query?query=%20%0A"])
def test_an_empty_query_is_bad_data(target: str) -> None:
    reply = ask(make("prometheus"), target)
    assert reply.status == 400
    assert (reply.document["status"], reply.document["errorType"]) == ("error", "bad_data")
    assert "query" in reply.document["error"]


def test_a_query_can_be_posted_as_a_form() -> None:
    mock = make("prometheus")
    ask(mock, "/set", "POST", b"query=a%7Bb%3D%22c%22%7D&value=3")
    reply = ask(mock, "/api/v1/query", "POST", b"query=a%7Bb%3D%22c%22%7D&time=12.5")
    assert reply.document["data"]["result"] == [{"metric": {}, "value": [12.5, "3"]}]


@pytest.mark.parametrize("text", ["1970-01-01T00:01:00Z", "1970-01-01T01:01:00%2B01:00", "60", "6e1"])
def test_a_time_is_unix_seconds_or_rfc_3339(text: str) -> None:
    mock = make("prometheus")
    ask(mock, "/set?query=a&value=3")
    reply = ask(mock, f"/api/v1/query?query=a&time={text}")
    assert reply.document["data"]["result"][0]["value"][0] == 60


@pytest.mark.parametrize("text", ["yesterday", "NaN", "1e999", "1970-01-01T00:01:00", "%00"])
def test_a_time_that_is_none_is_bad_data(text: str) -> None:
    reply = ask(make("prometheus"), f"/api/v1/query?query=a&time={text}")
    assert (reply.status, reply.document["errorType"]) == (400, "bad_data")


@pytest.mark.parametrize(
    "query",
    [
        "query=a",
        "value=1",
        "query=&value=1",
        "query=%20&value=1",
        "query=a&value=NaN",
        "query=a&value=",
        "query=a&value=1&x=1",
    ],
)
def test_a_wrong_change_is_refused_and_changes_nothing(query: str) -> None:
    mock = make("prometheus")
    assert ask(mock, f"/set?{query}").status == 400
    assert result(mock, "a") == []


def test_the_number_and_the_length_of_queries_are_limited() -> None:
    mock = make("prometheus")
    for number in range(STORED_LIMIT):
        assert ask(mock, f"/set?query=a{number}&value=1").status == 200
    assert ask(mock, "/set?query=b&value=1").status == 400
    assert ask(mock, "/set?query=a1&value=2").status == 200
    assert ask(make("prometheus"), f"/set?query={'a' * 5000}&value=1").status == 400


@pytest.mark.parametrize(
    ("value", "text"),
    [(85.0, "85"), (0.1, "0.1"), (1e21, "1000000000000000000000"), (1.5e-7, "0.00000015"), (-3.0, "-3")],
)
def test_values_are_written_without_exponents(value: float, text: str) -> None:
    assert written(value) == text


def test_it_says_what_it_is() -> None:
    mock = make("prometheus")
    assert ask(mock, "/api/v1/status/buildinfo").document["data"]["version"] == "3.5.0"
    assert ask(mock, "/-/healthy").text == "Prometheus Server is Healthy.\n"
    assert ask(mock, "/-/ready").text == "Prometheus Server is Ready.\n"


def test_it_has_no_metrics_of_its_own() -> None:
    mock = make("prometheus")
    assert ask(mock, "/metrics").status == 404
    assert mock.values() == {}


def test_a_refusal_has_the_shape_of_the_api() -> None:
    mock = make("prometheus")
    ask(mock, "/set_failure?mode=unavailable")
    reply = ask(mock, "/api/v1/query?query=a")
    assert (reply.status, reply.document["status"], reply.document["errorType"]) == (503, "error", "unavailable")
