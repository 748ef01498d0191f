from __future__ import annotations

from typing import Any

import pytest

from proving_ground.mocks import MOCKS, MockError

from .asking import HandClock, ask, make
from .text_format import samples


def status(mock: Any) -> dict[str, Any]:
    return dict(ask(mock, "/status").document)


def quiet(clock: HandClock | None = None) -> Any:
    """Return a mock without noise."""
    mock = make("learning-metrics", clock)
    mock.change("set_noise", {"amplitude": "0"})
    return mock


def test_it_adds_throughput_and_utilisation() -> None:
    page = samples(ask(quiet(), "/metrics").text)
    assert page["vllm_gpu_cache_usage_perc"] == [({"model_name": "mock-model"}, 70.0)]
    assert page["vllm_avg_generation_throughput_toks_per_s"] == [({"model_name": "mock-model"}, 120.0)]
    assert page["gpu_memory_utilization"] == [({"gpu": "0"}, 72.5)]
    assert page["gpu_compute_utilization"] == [({"gpu": "0"}, 70.0)]


def test_the_names_of_vllms_metrics_can_have_a_colon() -> None:
    page = samples(ask(make("learning-metrics", METRIC_NAMES="colon"), "/metrics").text)
    assert {"vllm:gpu_cache_usage_perc", "gpu_memory_utilization"} < set(page)


def test_json_has_every_value() -> None:
    assert ask(quiet(), "/json").document == {
        "vllm:gpu_cache_usage_perc": 70.0,
        "vllm:num_requests_running": 12.0,
        "vllm:num_requests_waiting": 3.0,
        "vllm:avg_generation_throughput_toks_per_s": 120.0,
        "gpu_memory_utilization": 72.5,
        "gpu_compute_utilization": 70.0,
    }


def test_it_starts_normal_at_hour_10_of_day_1() -> None:
    assert status(quiet()) == {
        "pattern_mode": "normal",
        "simulated_hour": 10,
        "simulated_minute": 0,
        "simulated_day": 1,
        "gpu_cache_usage": 70.0,
        "requests_running": 12,
        "requests_waiting": 3,
    }


def test_the_time_can_be_set_and_wraps() -> None:
    mock = quiet()
    assert ask(mock, "/set_time?hour=27&day=9&minute=30").text == "hour=3 day=2 minute=30 speed=0\n"
    assert status(mock)["gpu_cache_usage"] == 46.0


def test_an_hour_leaves_the_day_and_a_day_leaves_the_hour() -> None:
    mock = quiet()
    mock.change("set_time", {"hour": "15"})
    mock.change("set_time", {"day": "6"})
    assert (status(mock)["simulated_hour"], status(mock)["simulated_day"]) == (15, 6)


def test_the_simulated_clock_stands_still_unless_it_has_a_speed() -> None:
    clock = HandClock()
    mock = quiet(clock)
    clock.now += 1e6
    assert status(mock)["simulated_hour"] == 10
    mock.change("set_time", {"hour": "23", "day": "6", "speed": "3600"})
    clock.now += 2.5
    assert (status(mock)["simulated_hour"], status(mock)["simulated_minute"], status(mock)["simulated_day"]) == (
        1,
        30,
        0,
    )


def test_a_time_can_be_that_of_an_earlier_moment() -> None:
    clock = HandClock(1000.0)
    mock = quiet(clock)
    mock.change("set_time", {"hour": "8", "speed": "3600", "since": "998"})
    assert status(mock)["simulated_hour"] == 10


def test_a_drain_goes_on_for_its_duration() -> None:
    clock = HandClock()
    mock = quiet(clock)
    mock.change("set_pattern", {"mode": "traffic_drain", "duration": "20"})
    seen = []
    for _ in range(4):
        seen.append(mock.seen(clock.now)[0])
        clock.now += 10
    assert seen == [50, 25, 10, 10]


def test_a_pattern_can_have_begun_earlier() -> None:
    mock = quiet(HandClock(1000.0))
    mock.change("set_pattern", {"mode": "batch_spike", "duration": "20", "since": "985"})
    assert mock.seen(1000.0)[0] == 82.5


def test_a_value_set_by_hand_stays_and_the_rest_is_held() -> None:
    clock = HandClock()
    mock = make("learning-metrics", clock)
    running = status(mock)["requests_running"]
    ask(mock, "/set?gpu_cache=12.5")
    clock.now += 100
    shown = status(mock)
    assert (shown["pattern_mode"], shown["gpu_cache_usage"], shown["requests_running"]) == ("manual", 12.5, running)


def test_a_pattern_ends_what_was_set_by_hand() -> None:
    mock = quiet()
    ask(mock, "/set?gpu_cache=12.5")
    ask(mock, "/set_pattern?mode=kv_pressure&duration=5")
    assert (status(mock)["pattern_mode"], status(mock)["gpu_cache_usage"]) == ("kv_pressure", 85)


def test_resources_alone_leave_the_pattern() -> None:
    mock = quiet()
    ask(mock, "/set?cpu=5")
    assert status(mock)["pattern_mode"] == "normal"


def test_mocks_with_the_same_seed_agree_and_others_do_not() -> None:
    pages = [ask(make("learning-metrics", SEED=seed), "/metrics").text for seed in ("0", "0", "1")]
    assert pages[0] == pages[1] != pages[2]


def test_the_values_change_with_time_and_are_the_same_within_50_milliseconds() -> None:
    clock = HandClock(1000.0)
    mock = make("learning-metrics", clock)
    first = ask(mock, "/metrics").text
    clock.now = 1000.04
    assert ask(mock, "/metrics").text == first
    clock.now = 1000.06
    assert ask(mock, "/metrics").text != first


def test_history_agrees_with_the_page_that_was_served() -> None:
    mock = make("learning-metrics")
    page = samples(ask(mock, "/metrics").text)
    [[_, sample]] = ask(mock, "/history").document["samples"]
    assert sample["gpu_cache"] == page["vllm_gpu_cache_usage_perc"][0][1]
    assert sample["requests_running"] == page["vllm_num_requests_running"][0][1]


@pytest.mark.parametrize(
    "target",
    [
        "/set_pattern", "/set_pattern?duration=5", "/set_pattern?mode=manual", "/set_pattern?mode=",
        "/set_pattern?mode=normal&x=1",
        "/set_pattern?mode=kv_pressure&duration=0", "/set_pattern?mode=kv_pressure&duration=-1",
        "/set_pattern?mode=kv_pressure&duration=NaN", "/set_pattern?mode=kv_pressure&since=x",
        "/set_time", "/set_time?minute=5", "/set_time?hour=-1", "/set_time?hour=1.5", "/set_time?hour=3&minute=60",
        "/set_time?hour=3&day=x", "/set_time?hour=3&speed=-1", "/set_time?hour=3&speed=inf", "/set_time?hour=3&hour=4",
        "/set_noise", "/set_noise?amplitude=2", "/set_noise?amplitude=NaN", "/set_noise?level=0",
        "/set?gpu_cache=NaN&requests_running=1", "/set?throughput=3",
    ],
)  # fmt: skip
def test_a_wrong_change_is_refused_and_changes_nothing(target: str) -> None:
    mock = quiet()
    before = status(mock)
    assert ask(mock, target).status == 400
    assert status(mock) == before


@pytest.mark.parametrize(("variable", "text"), [("SEED", "-1"), ("SEED", "x"), ("METRIC_NAMES", "")])
def test_a_wrong_environment_is_refused_by_the_variables_name(variable: str, text: str) -> None:
    with pytest.raises(MockError, match=f"variable {variable}: "):
        MOCKS["learning-metrics"]({variable: text})
