from __future__ import annotations

from typing import Any

import pytest

from proving_ground.fleet.factories.failures import Failures, failure_named
from proving_ground.fleet.inference import FAILURES, FakeMetrics, inference_of, read_fake_metrics, speed_of
from proving_ground.fleet.values import Reader, arguments
from proving_ground.fleet.views import ContainerView

SIMULATOR = "llm-d-inference-sim:v0.6.1"


def readers(*args: str, **annotations: str) -> tuple[Reader, Reader]:
    named = {name.replace("_", "-"): value for name, value in annotations.items()}
    return Reader(named, "annotation", ""), Reader(arguments(args), "argument", "--")


def test_the_simulator_takes_five_requests_of_1024_tokens_by_default() -> None:
    speed = speed_of(ContainerView("c", SIMULATOR), *readers())
    assert (speed.max_running, speed.max_model_len) == (5, 1024)


def test_arguments_set_the_speed_and_annotations_win() -> None:
    found = readers("--max-num-seqs=7", "--inter-token-latency=10ms", "--time-to-first-token", "1s", max_running="9")
    speed = speed_of(ContainerView("c", SIMULATOR), *found)
    assert (speed.max_running, speed.token, speed.first_token) == (9, 0.01, 1.0)


def test_the_gauge_of_the_cache_can_be_chosen() -> None:
    found = inference_of(ContainerView("c", SIMULATOR), *readers(kv_metric="both", kv_scale="percent"))
    assert (found.cache_metrics, found.cache_scale) == (("gpu_cache_usage_perc", "kv_cache_usage_perc"), 100.0)


def test_all_kinds_of_failures_are_shown_unless_some_are_chosen() -> None:
    plain = inference_of(ContainerView("c", SIMULATOR), *readers("--failure-injection-rate=10"))
    some = inference_of(ContainerView("c", SIMULATOR), *readers("--failure-types=rate_limit,server_error"))
    assert (plain.failure_rate, plain.failures) == (10, FAILURES)
    assert some.failures == ("rate_limit", "server_error")


@pytest.mark.parametrize(
    "args",
    [
        ("--fake-metrics", "{"),
        ("--fake-metrics", "[" * 100_000),
        ("--failure-injection-rate", "101"),
        ("--failure-types", "earthquake"),
        ("--failure-types", ""),
    ],
)
def test_what_cannot_be_understood_is_told_and_the_default_holds(args: tuple[str, ...]) -> None:
    annotations, told = readers(*args)
    assert inference_of(ContainerView("c", "x"), annotations, told) == inference_of(ContainerView("c", "x"), *readers())
    assert len(told.problems) == 1


def test_null_and_nothing_leave_the_truth() -> None:
    assert read_fake_metrics({"running-requests": None}) == FakeMetrics()
    assert read_fake_metrics({"kv-cache-usage": 1}) == FakeMetrics(cache=1.0)


@pytest.mark.parametrize(
    "document",
    [
        None,
        [],
        "text",
        {"other": 1},
        {"running-requests": 1.5},
        {"running-requests": -1},
        {"running-requests": True},
        {"running-requests": "5"},
        {"waiting-requests": 10**10},
        {"waiting-requests": float("inf")},
        {"kv-cache-usage": float("nan")},
        {"kv-cache-usage": 1.01},
    ],
)
def test_fake_metrics_of_another_form_are_refused(document: Any) -> None:
    with pytest.raises(ValueError, match="expected"):
        read_fake_metrics(document)


@pytest.mark.parametrize("rate", [0, 1, 33, 50, 100])
def test_of_a_hundred_requests_exactly_the_rate_fail(rate: int) -> None:
    failures = Failures(rate, ("rate_limit",))
    assert sum(failures.next() is not None for _ in range(100)) == rate


def test_the_kinds_of_failures_take_turns() -> None:
    failures = Failures(100, ("rate_limit", "server_error"))
    shown = [failures.next() for _ in range(3)]
    assert [failure.status for failure in shown if failure] == [429, 503, 429]


@pytest.mark.parametrize("text", ["", "399", "600", "5030", "-1", "x" * 1000, "\u0663"])
def test_a_failure_that_is_none_is_answered_as_a_bad_request(text: str) -> None:
    assert failure_named(text).status == 400
