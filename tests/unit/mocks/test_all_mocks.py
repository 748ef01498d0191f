from __future__ import annotations

import json

import pytest

from proving_ground.mocks import DEFAULT_PORTS, MOCKS, MockError

from .asking import HandClock, ask, make
from .text_format import faults, samples

WITH_METRICS = ("vllm-metrics", "learning-metrics", "dcgm-exporter")
ENDPOINT = {**dict.fromkeys(WITH_METRICS, "/metrics"), "prometheus": "/api/v1/query?query=up"}

every_mock = pytest.mark.parametrize("name", sorted(MOCKS))


def test_every_mock_has_a_port() -> None:
    assert set(DEFAULT_PORTS) == set(MOCKS) == set(ENDPOINT)


@pytest.mark.parametrize("name", WITH_METRICS)
def test_the_metrics_are_what_prometheus_reads(name: str) -> None:
    reply = ask(make(name), "/metrics")
    assert reply.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert int(reply.headers["content-length"]) == len(reply.body)
    assert faults(reply.text, foreign=("DCGM_FI_",)) == []


@pytest.mark.parametrize("name", WITH_METRICS)
def test_the_values_for_the_custom_metrics_api_are_those_of_the_page(name: str) -> None:
    mock = make(name)
    page = samples(ask(mock, "/metrics").text)
    assert mock.values() == {metric: series[0][1] for metric, series in page.items()}


@every_mock
@pytest.mark.parametrize("path", ["/health", "/ready"])
def test_health_and_readiness_are_good(name: str, path: str) -> None:
    assert ask(make(name), path).status == 200


@every_mock
def test_a_path_that_is_not_there_is_not_found(name: str) -> None:
    assert ask(make(name), "/metrics/").status == 404
    assert ask(make(name), "/\udcff".encode("utf-8", "replace").decode()).status == 404


@every_mock
@pytest.mark.parametrize(
    ("path", "allowed"), [("/health", "GET, HEAD"), ("/set", "GET, POST"), ("/history", "GET, HEAD")]
)
def test_other_methods_are_refused_with_those_that_are_allowed(name: str, path: str, allowed: str) -> None:
    reply = ask(make(name), path, "DELETE")
    assert (reply.status, reply.headers["allow"]) == (405, allowed)


def test_a_form_sets_as_a_query_does() -> None:
    mock = make("vllm-metrics")
    assert ask(mock, "/set?gpu_cache=7", "POST", b"requests_running=3").status == 200
    assert mock.seen(0) == (7, 3, 0)


def test_a_parameter_in_query_and_form_is_repeated() -> None:
    reply = ask(make("vllm-metrics"), "/set?gpu_cache=7", "POST", b"gpu_cache=7")
    assert (reply.status, reply.text) == (400, "parameter gpu_cache: expected once, found more than once\n")


def test_a_form_that_is_too_large_or_not_ascii_is_refused() -> None:
    mock = make("vllm-metrics")
    assert ask(mock, "/set", "POST", b"a" * 70_000).status == 413
    assert ask(mock, "/set", "POST", b"gpu_cache=\xff").status == 400


@every_mock
def test_resources_can_be_set(name: str) -> None:
    mock = make(name)
    assert mock.resources() == (100.0, 256.0 * 1024**2)
    assert ask(mock, "/set?cpu=250.5&memory=1e9").status == 200
    assert mock.resources() == (250.5, 1e9)


@every_mock
@pytest.mark.parametrize("query", ["cpu=-1", "cpu=NaN", "memory=1e309", "memory=", "cpu=1&x=1", "", "cpu=1&cpu=1"])
def test_wrong_resources_change_nothing(name: str, query: str) -> None:
    mock = make(name)
    assert ask(mock, f"/set?{query}").status == 400
    assert mock.resources() == (100.0, 256.0 * 1024**2)


@every_mock
def test_an_unknown_change_is_refused(name: str) -> None:
    with pytest.raises(MockError, match="expected one of /set"):
        make(name).change("/metrics", {})


def test_a_prepared_change_holds_only_when_it_is_made() -> None:
    mock = make("vllm-metrics")
    change = mock.prepare("set", {"gpu_cache": "9"})
    assert mock.seen(0)[0] == 0
    assert change() == "gpu_cache=9 requests_running=0 requests_waiting=0 cpu=100 memory=268435456"
    assert mock.seen(0)[0] == 9


@every_mock
def test_unavailable_metrics_are_503_and_health_stays_good(name: str) -> None:
    mock = make(name)
    ask(mock, "/set_failure?mode=unavailable")
    assert ask(mock, ENDPOINT[name]).status == 503
    assert ask(mock, "/health").status == 200


@pytest.mark.parametrize("name", WITH_METRICS)
def test_malformed_metrics_hold_no_number(name: str) -> None:
    mock = make(name)
    ask(mock, "/set_failure?mode=malformed")
    reply = ask(mock, "/metrics")
    assert reply.status == 200
    with pytest.raises(ValueError, match="not-a-number"):
        samples(reply.text)
    lines = [line for line in reply.text.splitlines() if not line.startswith("#")]
    assert all(line.endswith(" not-a-number") for line in lines)


@pytest.mark.parametrize(("name", "target"), [("vllm-metrics", "/json"), ("prometheus", ENDPOINT["prometheus"])])
def test_malformed_json_does_not_parse(name: str, target: str) -> None:
    mock = make(name)
    ask(mock, "/set_failure?mode=malformed")
    with pytest.raises(json.JSONDecodeError):
        _ = ask(mock, target).document


@every_mock
def test_empty_metrics_are_200_without_a_body(name: str) -> None:
    mock = make(name)
    ask(mock, "/set_failure?mode=empty")
    reply = ask(mock, ENDPOINT[name])
    assert (reply.status, reply.body, reply.headers["content-length"]) == (200, b"", "0")


@every_mock
def test_a_reset_gives_no_whole_answer(name: str) -> None:
    mock = make(name)
    ask(mock, "/set_failure?mode=reset")
    assert not ask(mock, ENDPOINT[name]).whole


@every_mock
def test_a_slow_answer_comes(name: str) -> None:
    mock = make(name)
    ask(mock, "/set_failure?mode=slow&delay=0")
    assert ask(mock, ENDPOINT[name]).status == 200


@every_mock
def test_nobody_waits_for_a_client_that_has_left(name: str) -> None:
    mock = make(name)
    ask(mock, "/set_failure?mode=slow&delay=3600")
    assert ask(mock, ENDPOINT[name], gone=True).status == 0


def test_slow_without_a_delay_takes_30_seconds() -> None:
    assert make("vllm-metrics").change("/set_failure", {"mode": "slow"}) == "mode=slow delay=30"


@every_mock
def test_a_failure_ends(name: str) -> None:
    mock = make(name)
    ask(mock, "/set_failure?mode=empty")
    ask(mock, "/set_failure?mode=none")
    assert ask(mock, ENDPOINT[name]).body


@every_mock
@pytest.mark.parametrize(
    "query", ["", "mode=", "mode=SLOW", "delay=1", "mode=slow&delay=-1", "mode=slow&delay=NaN", "mode=slow&x=1"]
)
def test_a_wrong_failure_changes_nothing(name: str, query: str) -> None:
    mock = make(name)
    assert ask(mock, f"/set_failure?{query}").status == 400
    assert ask(mock, ENDPOINT[name]).body


@every_mock
def test_history_counts_all_scrapes_and_keeps_those_that_showed_values(name: str) -> None:
    clock = HandClock(50.0)
    mock = make(name, clock)
    ask(mock, ENDPOINT[name])
    for mode in ("unavailable", "malformed", "empty", "reset", "none"):
        ask(mock, f"/set_failure?mode={mode}")
        clock.now += 1
        ask(mock, ENDPOINT[name])
    document = ask(mock, "/history").document
    assert document["scrapes"] == 6
    assert [time for time, _ in document["samples"]] == [50.0, 55.0]


def test_history_holds_what_was_served() -> None:
    mock = make("vllm-metrics", HandClock(50.0), INITIAL_GPU_CACHE="5")
    ask(mock, "/metrics")
    ask(mock, "/set?gpu_cache=8&requests_waiting=2")
    ask(mock, "/json")
    assert [values for _, values in ask(mock, "/history").document["samples"]] == [
        {"gpu_cache": 5.0, "requests_running": 0.0, "requests_waiting": 0.0},
        {"gpu_cache": 8.0, "requests_running": 0.0, "requests_waiting": 2.0},
    ]


def test_history_can_be_asked_since_a_time() -> None:
    clock = HandClock(50.0)
    mock = make("dcgm-exporter", clock)
    ask(mock, "/metrics")
    clock.now = 60.0
    ask(mock, "/metrics")
    assert ask(mock, "/history?since=55").document == {
        "scrapes": 2,
        "samples": [[60.0, {"gpu_util": 50.0, "fb_used": 20000.0}]],
    }


@pytest.mark.parametrize("query", ["since=", "since=NaN", "since=now", "until=1"])
def test_a_wrong_question_to_history_is_refused(query: str) -> None:
    assert ask(make("vllm-metrics"), f"/history?{query}").status == 400


def test_a_metric_endpoint_minds_no_query() -> None:
    assert ask(make("vllm-metrics"), "/json?namespace=a&metric=b&label_x=%ff&x").status == 200


def test_prometheus_text_cannot_be_posted() -> None:
    reply = ask(make("vllm-metrics"), "/metrics", "POST")
    assert (reply.status, reply.headers["allow"]) == (405, "GET, HEAD")


def test_a_posted_query_that_is_too_large_is_refused() -> None:
    assert ask(make("prometheus"), "/api/v1/query", "POST", b"a" * 70_000).status == 413
