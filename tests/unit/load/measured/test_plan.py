"""Plans of a load: objectives, bounds, arrivals, questions."""

from __future__ import annotations

import json
from itertools import islice, pairwise

import pytest

from proving_ground.errors import ConfigurationError
from proving_ground.load.measured.arrivals import arrival_times
from proving_ground.load.measured.plan import Level, Plan, ramp, steps
from proving_ground.load.measured.questions import Questions
from proving_ground.load.measured.settings import LoadSettings
from proving_ground.load.measured.slos import good, parse_slos

URL = "http://127.0.0.1:8000"


def plan(**changes: object) -> Plan:
    given = {"url": URL, "model": "m", "levels": (Level(value=4, seconds=10),), **changes}
    return Plan.model_validate(given)


def test_objectives_are_read_with_their_units() -> None:
    slos = parse_slos("ttft_p99=200ms, itl_p95=0.05s,error_rate=1%,tokens_per_second=10")
    assert [(slo.metric, slo.kind, slo.value) for slo in slos] == [
        ("ttft_p99", "at_most", 200.0),
        ("itl_p95", "at_most", 50.0),
        ("error_rate", "at_most", 0.01),
        ("tokens_per_second", "at_least", 10.0),
    ]


def test_no_objectives_are_none() -> None:
    assert parse_slos("") == ()


@pytest.mark.parametrize(
    "text",
    [
        "ttft_p99",
        "ttft_p98=200ms",
        "ttft_p99=200",
        "ttft_p99=fast",
        "ttft_p99=0ms",
        "ttft_p99=-1ms",
        "ttft_p99=200%",
        "error_rate=200%",
        "error_rate=1ms",
        "goodput=1ms",
        "=1",
        "ttft_p99=1ms,ttft_p99=2ms",
        ",",
        "ttft_p99=nan",
        "ttft_p99=" + "9" * 400 + "ms",
        "\x00=1",
    ],
)
def test_what_is_no_objective_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match="--slo"):
        parse_slos(text)


def test_a_value_that_is_not_there_keeps_no_objective() -> None:
    at_most, at_least = parse_slos("ttft_p99=1ms,goodput=1")
    assert not at_most.holds(float("nan"))
    assert not at_least.holds(float("nan"))


def test_one_request_is_judged_by_its_own_latencies() -> None:
    slos = parse_slos("ttft_p99=200ms,e2e_p50=1s,error_rate=1%")
    assert good(slos, {"ttft": 200.0, "e2e": 999.0, "itl": 5000.0})
    assert not good(slos, {"ttft": 201.0, "e2e": 999.0})
    # An answer that is not streamed has no first token.
    assert good(slos, {"e2e": 10.0})


def test_the_warm_up_lasts_until_all_users_are_there() -> None:
    assert plan(spawn_rate=2.0).levels[0].warm_up == pytest.approx(3.0)
    assert plan(arrivals="poisson").levels[0].warm_up == pytest.approx(1.0)


def test_a_later_step_waits_for_the_users_that_it_adds_only() -> None:
    levels = plan(levels=steps((4, 6), 10), spawn_rate=2.0).levels
    assert [level.warm_up for level in levels] == [pytest.approx(3.0), pytest.approx(2.0)]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"url": "http://example.com"}, "load is not sent"),
        ({"levels": (Level(value=0, seconds=1),)}, "users above 0"),
        ({"levels": (Level(value=1.5, seconds=1),)}, "users above 0"),
        ({"levels": (Level(value=1001, seconds=1),)}, "users above 0"),
        ({"levels": (Level(value=1, seconds=0),)}, "duration above 0"),
        ({"levels": (Level(value=1, seconds=601),)}, "at most 600 s"),
        ({"levels": (Level(value=float("nan"), seconds=1),)}, "users above 0"),
        ({"levels": (Level(value=6000, seconds=1),), "arrivals": "poisson"}, "arrivals per second"),
        ({"levels": (Level(value=5000, seconds=500),), "arrivals": "poisson"}, "requests"),
        ({"spawn_rate": 0.0}, "spawn rate"),
        ({"processes": 17}, "processes"),
        ({"max_tokens": 5000}, "tokens"),
        ({"levels": steps((1.0,) * 21, 1)}, "levels"),
    ],
)
def test_a_plan_out_of_its_bounds_is_refused(changes: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        plan(**changes).check()


def test_a_plan_survives_being_handed_over() -> None:
    made = plan(slos=parse_slos("ttft_p99=1s"), levels=ramp(1, 10, 10))
    assert Plan.model_validate_json(made.model_dump_json()) == made


def test_a_ramp_rises_without_repeating_itself() -> None:
    levels = ramp(1, 3, 6, count=10)
    assert [level.value for level in levels] == [1, 2, 3]
    assert sum(level.seconds for level in levels) == pytest.approx(6)


def test_constant_arrivals_are_at_equal_distances() -> None:
    made = plan(arrivals="constant", levels=(Level(value=10, seconds=1, warm_up=0),))
    times = list(arrival_times(made))
    assert len(times) == 10
    assert all(after - before == pytest.approx(0.1) for before, after in pairwise(times))


def test_processes_share_constant_arrivals() -> None:
    made = plan(arrivals="constant", levels=(Level(value=10, seconds=1, warm_up=0),))
    parts = [list(arrival_times(made, index=index, count=3)) for index in range(3)]
    assert sorted(time for part in parts for time in part) == pytest.approx(list(arrival_times(made)))


def test_poisson_arrivals_have_their_rate_and_repeat_themselves() -> None:
    made = plan(arrivals="poisson", levels=(Level(value=100, seconds=50, warm_up=0),))
    times = list(arrival_times(made))
    gaps = [after - before for before, after in pairwise(times)]
    mean = sum(gaps) / len(gaps)
    deviation = (sum((gap - mean) ** 2 for gap in gaps) / len(gaps)) ** 0.5
    assert mean == pytest.approx(0.01, rel=0.1)
    # An exponential distribution's deviation is its mean.
    assert deviation == pytest.approx(mean, rel=0.1)
    assert times == list(arrival_times(made))


def test_arrivals_of_a_later_level_come_after_the_one_before() -> None:
    made = plan(arrivals="constant", levels=steps((2, 4), 1, warm_up=0))
    assert list(arrival_times(made)) == pytest.approx([0, 0.5, 1, 1.25, 1.5, 1.75])


def body_of(request: bytes) -> dict[str, object]:
    head, _, body = request.partition(b"\r\n\r\n")
    length = next(int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))
    assert length == len(body)
    decoded: dict[str, object] = json.loads(body)
    return decoded


def test_each_request_asks_something_else_at_the_same_length() -> None:
    questions = Questions(plan())
    bodies = [body_of(questions.next("medium")[1]) for _ in range(3)]
    assert len({json.dumps(body) for body in bodies}) == 3


def test_a_streamed_request_asks_for_usage() -> None:
    streamed = body_of(Questions(plan()).next("short")[1])
    assert streamed["stream_options"] == {"include_usage": True}
    assert "stream" not in body_of(Questions(plan(streamed=False)).next("short")[1])


def test_a_request_goes_to_the_path_below_its_base_with_its_token() -> None:
    _, request = Questions(plan(url=f"{URL}/base", api="completions"), token="word").next("long")
    assert request.startswith(b"POST /base/v1/completions HTTP/1.1\r\n")
    assert b"\r\nAuthorization: Bearer word\r\n" in request
    assert "prompt" in body_of(request)


def test_settings_are_parameters_that_begin_with_load() -> None:
    told = LoadSettings.of({"load_users": 7, "load_slos": "ttft_p99=1s", "model": "m", "load_duration": 3})
    made = told.plan(URL, "m")
    assert made.levels[0].value == 7
    assert [slo.metric for slo in made.slos] == ["ttft_p99"]


def test_settings_without_objectives_have_those_of_the_suite() -> None:
    assert [slo.metric for slo in LoadSettings().plan(URL, "m").slos] == ["ttft_p99", "tpot_p95", "e2e_p95"]


def test_an_open_loop_is_a_rate() -> None:
    made = LoadSettings(arrivals="poisson", rate=3.0).plan(URL, "m")
    assert made.levels[0].value == 3.0


@pytest.mark.parametrize("given", [{"load_users": "many"}, {"load_unknown": 1}, {"load_ttft_p99": 0}])
def test_a_parameter_that_does_not_fit_is_named(given: dict[str, object]) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(given))):
        LoadSettings.of(given)


def test_hosts_of_the_platform_may_be_loaded_unless_others_are_named() -> None:
    assert LoadSettings().plan("http://gpu1:8000", "m", hosts=["gpu1"]).allowed == ("gpu1",)
    with pytest.raises(ConfigurationError, match="load is not sent"):
        LoadSettings(hosts=()).plan("http://gpu1:8000", "m", hosts=["gpu1"])


def test_many_requests_are_made_quickly_of_what_is_there() -> None:
    questions = Questions(plan())
    assert len({request for _, request in (questions.next("short") for _ in islice(range(1000), 1000))}) == 1000
