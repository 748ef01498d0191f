"""What a load comes to: what is counted where, percentiles, the knee, and when the client is not believed."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from proving_ground.load.measured.answer import Answer
from proving_ground.load.measured.handover import measurements, metrics, of_load_test
from proving_ground.load.measured.plan import Level, Plan, steps
from proving_ground.load.measured.recorder import Recorder
from proving_ground.load.measured.result import Measured, summarise
from proving_ground.load.measured.samples import Samples, percentile
from proving_ground.load.measured.slos import parse_slos

URL = "http://127.0.0.1:1"
FIT = {
    "stamped": True,
    "wall": 10.0,
    "cpu": 1.0,
    "reads": [0.0001] * 100,
    "sends": [],
    "loop": [0.001] * 100,
    "stale": 0,
}


def plan(**changes: Any) -> Plan:
    return Plan.model_validate({"url": URL, "levels": (Level(value=2, seconds=10, warm_up=5),), **changes})


def answered(begin: float, texts: list[float], end: float, *, tokens: int = 0) -> Answer:
    made = Answer(streamed=True)
    made.status, made.complete = 200, True
    data = {"choices": [{"delta": {"content": "a"}, "finish_reason": None}]}
    for at in texts:
        made.feed(f"data: {json.dumps(data)}\n\n".encode(), at)
    usage = {"choices": [], "usage": {"completion_tokens": tokens or len(texts)}}
    made.feed(f"data: {json.dumps(usage)}\n\ndata: [DONE]\n\n".encode(), end)
    made.begin, made.end = begin, end
    return made


def measured(recorder: Recorder, made: Plan, *, health: dict[str, Any] | None = None, **told: Any) -> Measured:
    part = json.loads(json.dumps(recorder.part({**FIT, **(health or {})})))
    return summarise(made, {"parts": [part], "interrupted": False, "seconds": 15.0, **told})


def test_a_percentile_is_a_value_that_was_measured() -> None:
    values = [float(value) for value in range(1, 101)]
    assert percentile(values, 99) == 99
    assert percentile([1.0, 5.0], 99) == 5.0
    assert percentile([1.0, 5.0], 50) == 1.0
    assert math.isnan(percentile([], 50))


def test_many_samples_are_thinned_out_evenly() -> None:
    samples = Samples(most=100)
    samples.extend(float(value) for value in range(1000))
    assert samples.count == 1000
    assert len(samples.values) <= 101
    assert percentile(samples.values, 50) == pytest.approx(500, abs=20)


def test_latencies_count_from_when_a_request_was_due() -> None:
    made = plan()
    recorder = Recorder(made, 100.0)
    # Due at 110, sent at 111: the second that it waited belongs to it.
    recorder.answered(110.0, answered(111.0, [111.5, 111.7, 111.9], 112.0))
    level = measured(recorder, made).last
    assert level.latencies_ms["ttft_p50"] == pytest.approx(1500)
    assert level.latencies_ms["e2e_p50"] == pytest.approx(2000)
    assert level.latencies_ms["itl_p50"] == pytest.approx(200)
    assert level.latencies_ms["tpot_p50"] == pytest.approx(200)


def test_the_time_of_a_token_is_that_of_tokens_and_not_of_events() -> None:
    made = plan()
    recorder = Recorder(made, 0.0)
    recorder.answered(6.0, answered(6.0, [7.0, 8.0], 8.0, tokens=11))
    assert measured(recorder, made).last.latencies_ms["tpot_p50"] == pytest.approx(100)


def test_the_warm_up_counts_for_nothing() -> None:
    made = plan()
    recorder = Recorder(made, 0.0)
    recorder.answered(1.0, answered(1.0, [2.0], 2.0))
    recorder.failed(1.0, "status 500")
    level = measured(recorder, made).last
    assert (level.requests, level.failed, level.requests_per_second) == (0, 0, 0)
    assert level.latencies_ms == {}


def test_throughput_is_what_arrived_in_the_time() -> None:
    made = plan()
    recorder = Recorder(made, 0.0)
    # From 5 to 15 is measured: two of these four tokens, and the end of one of two answers.
    recorder.answered(4.0, answered(4.0, [4.2, 4.6, 5.4, 5.8], 6.0))
    recorder.answered(14.0, answered(14.0, [15.5], 16.0))
    level = measured(recorder, made).last
    assert level.tokens_per_second == pytest.approx(0.2)
    assert level.requests_per_second == pytest.approx(0.1)
    # Of those that began in the time there is one, though it ended later.
    assert level.requests == 1


def test_goodput_counts_answers_within_all_objectives() -> None:
    made = plan(slos=parse_slos("ttft_p99=500ms,e2e_p99=10s"))
    recorder = Recorder(made, 0.0)
    recorder.answered(6.0, answered(6.0, [6.4], 7.0))
    recorder.answered(6.0, answered(6.0, [6.6], 7.0))
    recorder.failed(6.0, "status 500")
    level = measured(recorder, made).last
    assert level.goodput == pytest.approx(0.1)
    assert level.good_share == pytest.approx(1 / 3)
    assert level.error_rate == pytest.approx(1 / 3)
    assert level.missed == ["ttft_p99 at most 500 ms, found 600"]


def test_one_long_gap_makes_a_request_miss_its_objective() -> None:
    made = plan(slos=parse_slos("itl_p99=300ms"))
    recorder = Recorder(made, 0.0)
    recorder.answered(6.0, answered(6.0, [6.1, 6.2, 6.7], 7.0))
    assert measured(recorder, made).last.goodput == 0


def test_the_knee_is_the_last_level_before_objectives_break() -> None:
    made = plan(levels=steps((1, 2, 4, 8), 10, warm_up=0), slos=parse_slos("ttft_p99=500ms"))
    recorder = Recorder(made, 0.0)
    # The last one keeps them again: by chance, as the one before has not.
    for begin, ttft in ((1.0, 0.1), (11.0, 0.2), (21.0, 0.9), (31.0, 0.1)):
        recorder.answered(begin, answered(begin, [begin + ttft], begin + 1))
    assert measured(recorder, made).knee == 2


def test_there_is_no_knee_where_objectives_never_hold() -> None:
    made = plan(levels=steps((1, 2), 10, warm_up=0), slos=parse_slos("ttft_p99=500ms"))
    assert measured(Recorder(made, 0.0), made).knee is None


def test_an_objective_for_errors_does_not_hold_of_nothing() -> None:
    made = plan(slos=parse_slos("error_rate=5%"))
    assert measured(Recorder(made, 0.0), made).last.missed == ["error_rate at most 0.05, found nothing"]


def test_processes_add_up() -> None:
    made = plan()
    parts = []
    for offset in (0.0, 0.2):
        recorder = Recorder(made, 0.0)
        recorder.answered(6.0, answered(6.0, [6.1 + offset], 7.0))
        recorder.failed(7.0, "status 500")
        parts.append(json.loads(json.dumps(recorder.part(FIT))))
    told = summarise(made, {"parts": parts, "interrupted": False, "seconds": 15.0})
    assert told.client.parts == 2
    assert told.last.requests == 4
    assert told.last.problems == {"status 500": 2}
    assert told.last.latencies_ms["ttft_p99"] == pytest.approx(300)
    assert told.per_second[7] == (7.0, 2.0, 0.0)


def test_an_interrupted_load_is_marked_and_its_rates_are_those_of_its_time() -> None:
    made = plan(levels=steps((1, 2), 10, warm_up=0))
    recorder = Recorder(made, 0.0)
    recorder.answered(1.0, answered(1.0, [1.1], 2.0))
    told = measured(recorder, made, interrupted=True, seconds=4.0)
    assert told.client.verdict == "interrupted"
    assert len(told.levels) == 1
    assert told.last.requests_per_second == pytest.approx(0.25)


def test_a_load_of_which_nothing_is_known_is_not_valid() -> None:
    told = summarise(plan(), {"parts": [], "interrupted": True, "seconds": 0.0})
    assert (told.client.verdict, told.levels) == ("interrupted", [])


@pytest.mark.parametrize(
    ("health", "said"),
    [
        ({"cpu": 9.9}, "99 % of a core"),
        ({"sends": [0.0] * 90 + [0.2] * 10}, "200.0 ms late"),
        ({"stamped": False, "loop": [0.05] * 100}, "50.0 ms late"),
    ],
)
def test_a_client_that_did_not_keep_up_makes_the_load_invalid(health: dict[str, Any], said: str) -> None:
    made = plan()
    told = measured(Recorder(made, 0.0), made, health=health)
    assert told.client.verdict == "invalid"
    assert said in told.client.reason


def test_invalid_goes_before_interrupted_and_says_both() -> None:
    made = plan()
    told = measured(Recorder(made, 0.0), made, health={"cpu": 9.9}, interrupted=True)
    assert told.client.verdict == "invalid"
    assert told.client.reason.endswith("; and it ended before its time")


def with_merged(merged: int, lag: float, **changes: Any) -> Measured:
    made = plan(**changes)
    recorder = Recorder(made, 0.0)
    answer = answered(6.0, [6.0 + n / 100 for n in range(100)], 7.0)
    answer.merged = merged
    recorder.answered(6.0, answer)
    return measured(recorder, made, health={"reads": [lag] * 100})


def test_late_reads_do_no_harm_where_the_kernel_told_each_time() -> None:
    assert with_merged(merged=1, lag=0.02).client.verdict == "valid"


def test_events_that_came_together_do_no_harm_where_reads_are_soon() -> None:
    assert with_merged(merged=50, lag=0.001).client.verdict == "valid"


def test_late_reads_of_many_events_at_once_make_the_load_invalid() -> None:
    told = with_merged(merged=3, lag=0.003)
    assert told.client.verdict == "invalid"
    assert "3.0 ms late at p99, 3.0 %" in told.client.reason


def test_two_events_that_came_together_say_nothing_yet() -> None:
    assert with_merged(merged=2, lag=0.003).client.verdict == "valid"


def test_how_wrong_times_may_be_is_a_matter_of_the_plan() -> None:
    assert with_merged(merged=50, lag=0.003, time_error=0.01).client.verdict == "valid"


def test_a_result_survives_its_file() -> None:
    told = with_merged(merged=0, lag=0.0)
    assert Measured.model_validate_json(told.model_dump_json()) == told


def test_reports_get_finite_numbers_with_their_units() -> None:
    told = with_merged(merged=0, lag=0.0)
    found = metrics(told.last)
    assert found["ttft_p99_ms"] == pytest.approx(0)
    assert all(math.isfinite(value) for value in found.values())
    nothing = plan()
    assert all(math.isfinite(value) for value in metrics(measured(Recorder(nothing, 0.0), nothing).last).values())


def test_the_load_test_has_the_names_of_the_results() -> None:
    found = of_load_test(with_merged(merged=0, lag=0.0))
    names = {"requests_per_second", "p50_latency_ms", "p95_latency_ms", "p99_latency_ms", "error_rate"}
    assert found.keys() == names


def test_the_history_gets_nothing_of_a_load_that_is_not_valid() -> None:
    assert measurements(with_merged(merged=3, lag=0.003), suite="load", scenario="steady") == ()
    made = measurements(with_merged(merged=0, lag=0.0), suite="load", scenario="steady")
    directions = {one.metric: one.direction for one in made}
    assert directions["ttft_p99_ms"] == "lower"
    assert directions["goodput"] == "higher"
    assert directions["error_rate"] == "lower"


def test_problems_of_all_kinds_are_bounded() -> None:
    made = plan()
    recorder = Recorder(made, 0.0)
    for number in range(100):
        recorder.failed(6.0, f"status {number}")
    problems = measured(recorder, made).last.problems
    assert len(problems) <= 21
    assert sum(problems.values()) == 100
