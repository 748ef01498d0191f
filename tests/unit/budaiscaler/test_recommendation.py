from __future__ import annotations

import dataclasses
import datetime as dt
import math
import random
from typing import Any

import pytest

from proving_ground.budaiscaler.faults import Fault
from proving_ground.budaiscaler.forecast import Forecast
from proving_ground.budaiscaler.recommendation import (
    GpuReading,
    Recommendation,
    ScaleEvent,
    Seen,
    recommend,
    replicas_for,
    within_bounds,
)
from proving_ground.budaiscaler.spec import ScalerSpec, read_spec

METRIC = "vllm:gpu_cache_usage_perc"
NOW = dt.datetime(2026, 1, 5, 10, 0, tzinfo=dt.UTC).timestamp()  # a Monday
MORNING = {"name": "morning", "cronExpression": "0 9 * * 1-5", "duration": "2h", "targetReplicas": 8}
GPU = {"enabled": True, "gpuMemoryThreshold": 70, "gpuComputeThreshold": 80}
BUSY = GpuReading(memory=95.0, compute=40.0, count=1, model="NVIDIA A100")


def spec_of(target: str = "100", *, more: tuple[str, ...] = (), annotations: Any = None, **fields: Any) -> ScalerSpec:
    """Return a scaler of 1 to 20 replicas that nothing holds back."""
    base: dict[str, Any] = {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "d"},
        "minReplicas": 1,
        "maxReplicas": 20,
        "metricsSources": [
            {"metricSourceType": "pod", "targetMetric": f"load{i}", "targetValue": value}
            for i, value in enumerate((target, *more))
        ],
        "behavior": {"scaleDown": {"stabilizationWindowSeconds": 0}},
    }
    return read_spec({"metadata": {"annotations": annotations}, "spec": {**base, **fields}})


def seen_of(current: int, *values: float, **fields: Any) -> Seen:
    base = {"now": NOW, "ready": current, "starting": 0}
    return Seen(current=current, values=values, **{**base, **fields})


def decide(spec: ScalerSpec, current: int, *values: float, **fields: Any) -> Recommendation:
    return recommend(spec, seen_of(current, *values, **fields))


def scaled(current: int, *values: float, faults: tuple[Fault, ...] = (), spec: Any = None, **fields: Any) -> int:
    return decide(spec or spec_of(), current, *values, faults=frozenset(faults), **fields).desired


BUDSCALER = [
    (4, 100.0, 4),
    (4, 110.0, 4),  # the tolerance is ten percent
    (4, 110.1, 5),
    (4, 90.0, 4),
    (4, 150.0, 6),  # 4 * 1.4 = 5.6
    (10, 125.0, 12),  # 10 * 1.2 is twelve and not a little more
    (4, 1000.0, 8),  # at most twice
    (4, 1e308, 8),
    (4, 50.0, 3),
    (10, 50.0, 8),  # 7.5
    (10, 1.0, 5),  # at least half
    (1, 1.0, 1),
    (2, 0.0, 1),  # nothing at all: the minimum
    (10, 0.0, 1),
    (1, 300.0, 2),
]


@pytest.mark.parametrize(("current", "value", "expected"), BUDSCALER)
def test_budscaler_goes_towards_the_target(current: int, value: float, expected: int) -> None:
    assert scaled(current, value) == expected


KPA = [
    (4, 100.0, 4),
    (4, 150.0, 6),
    (10, 130.0, 13),
    (4, 199.0, 8),
    (4, 400.0, 16),  # panic: the rate does not bound it
    (4, 9e9, 20),
    (10, 60.0, 6),
    (10, 10.0, 5),  # at most half
    (1, 10.0, 1),
    (4, 0.0, 2),
]


@pytest.mark.parametrize(("current", "value", "expected"), KPA)
def test_kpa_goes_to_the_target(current: int, value: float, expected: int) -> None:
    assert scaled(current, value, spec=spec_of(scalingStrategy="KPA")) == expected


def test_kpa_panics_from_its_threshold_on() -> None:
    spec = spec_of(scalingStrategy="KPA")
    assert not decide(spec, 4, 199.0).panic
    assert decide(spec, 4, 200.0).panic


def test_the_panic_threshold_can_be_annotated() -> None:
    spec = spec_of(scalingStrategy="KPA", annotations={"scaler.bud.studio/panic-threshold": "500"})
    decision = decide(spec, 2, 400.0)
    assert (decision.desired, decision.panic, decision.limits) == (4, False, ("rate",))


def test_kpa_follows_annotated_rates() -> None:
    notes = {"scaler.bud.studio/max-scale-up-rate": "1.5", "scaler.bud.studio/max-scale-down-rate": "0.75"}
    spec = spec_of(scalingStrategy="KPA", annotations=notes)
    assert (scaled(4, 199.0, spec=spec), scaled(4, 10.0, spec=spec)) == (6, 3)


def test_budscaler_never_panics() -> None:
    assert not decide(spec_of(), 4, 900.0).panic


def test_panic_passes_policies_but_not_the_maximum() -> None:
    rules = {"policies": [{"type": "Pods", "value": 1, "periodSeconds": 60}]}
    spec = spec_of(scalingStrategy="KPA", maxReplicas=12, behavior={"scaleUp": rules})
    decision = decide(spec, 4, 900.0)
    assert (decision.desired, decision.limits) == (12, ("max",))


def test_panic_does_not_pass_a_direction_that_is_disabled() -> None:
    spec = spec_of(scalingStrategy="KPA", behavior={"scaleUp": {"selectPolicy": "Disabled"}})
    assert scaled(4, 900.0, spec=spec) == 4


def test_the_largest_demand_of_all_sources_counts() -> None:
    spec = spec_of("100", more=("10",))
    assert scaled(4, 20.0, 15.0, spec=spec) == 6
    assert scaled(4, 150.0, 1.0, spec=spec) == 6


def test_a_source_within_tolerance_keeps_what_another_would_remove() -> None:
    assert scaled(4, 20.0, 10.0, spec=spec_of("100", more=("10",))) == 4


def test_the_tolerance_of_each_direction_is_its_own() -> None:
    spec = spec_of(
        behavior={"scaleUp": {"tolerance": "50%"}, "scaleDown": {"tolerance": "0", "stabilizationWindowSeconds": 0}}
    )
    assert (scaled(10, 150.0, spec=spec), scaled(10, 151.0, spec=spec), scaled(10, 89.0, spec=spec)) == (10, 15, 9)


@pytest.mark.parametrize("strategy", ["BudScaler", "KPA"])
def test_any_load_asks_for_the_first_replica(strategy: str) -> None:
    spec = spec_of(minReplicas=0, scalingStrategy=strategy)
    assert (scaled(0, 1.0, spec=spec), scaled(0, 100.0, spec=spec), scaled(0, 0.0, spec=spec)) == (1, 1, 0)


@pytest.mark.parametrize("strategy", ["BudScaler", "KPA"])
def test_no_load_lets_the_last_replica_go(strategy: str) -> None:
    assert scaled(1, 0.0, spec=spec_of(minReplicas=0, scalingStrategy=strategy)) == 0


def test_the_gpu_raises_what_the_metrics_ask_for() -> None:
    decision = decide(spec_of(gpuConfig=GPU), 4, 100.0, gpu=BUSY)
    assert (decision.desired, decision.unlimited) == (6, 6)
    assert "gpu" in decision.reason


def test_the_busier_side_of_the_gpu_counts() -> None:
    assert scaled(4, 100.0, spec=spec_of(gpuConfig=GPU), gpu=GpuReading(10.0, 100.0, 1)) == 5


def test_an_idle_gpu_lowers_nothing() -> None:
    assert scaled(4, 150.0, spec=spec_of(gpuConfig=GPU), gpu=GpuReading(1.0, 1.0, 1)) == 6


def test_a_gpu_near_its_threshold_asks_for_no_more() -> None:
    assert scaled(4, 100.0, spec=spec_of(gpuConfig=GPU), gpu=GpuReading(72.0, 1.0, 1)) == 4


def test_a_reading_of_another_gpu_model_does_not_count() -> None:
    decision = decide(spec_of(gpuConfig={**GPU, "preferredGPUType": "H100"}), 4, 100.0, gpu=BUSY)
    assert (decision.desired, decision.limits) == (4, ("gpu type",))


def test_a_reading_of_the_preferred_gpu_model_counts() -> None:
    assert scaled(4, 100.0, spec=spec_of(gpuConfig={**GPU, "preferredGPUType": "a100"}), gpu=BUSY) == 6


@pytest.mark.parametrize("config", [{**GPU, "enabled": False}, {"enabled": True}])
def test_a_gpu_that_is_not_asked_for_does_not_count(config: dict[str, Any]) -> None:
    assert scaled(4, 100.0, spec=spec_of(gpuConfig=config), gpu=BUSY) == 4


@pytest.mark.parametrize("use", [math.nan, math.inf, -5.0, 1e308])
def test_an_impossible_gpu_reading_stays_within_bounds(use: float) -> None:
    assert 1 <= scaled(4, 100.0, spec=spec_of(gpuConfig=GPU), gpu=GpuReading(use, use, 1)) <= 20


PREDICTING = {"predictionConfig": {"enabled": True}}


@pytest.mark.parametrize(
    ("value", "forecast", "expected"),
    [
        (100.0, Forecast(200.0, 1.0, NOW), 13),  # 10 * 0.7 + 18 * 0.3 = 12.4, rounded up
        (100.0, Forecast(200.0, 0.7, NOW), 12),  # 10 * 0.79 + 18 * 0.21
        (100.0, Forecast(200.0, 0.69, NOW), 10),
        (100.0, Forecast(20.0, 1.0, NOW), 9),  # 10 * 0.7 + 6 * 0.3 = 8.8
        (100.0, Forecast(math.nan, 1.0, NOW), 10),
        (100.0, Forecast(math.inf, 1.0, NOW), 10),
        (100.0, Forecast(200.0, math.nan, NOW), 10),
        (100.0, Forecast(200.0, 7.0, NOW), 10),
        (100.0, None, 10),
    ],
)
def test_a_forecast_counts_by_its_confidence(value: float, forecast: Forecast | None, expected: int) -> None:
    assert scaled(10, value, spec=spec_of(**PREDICTING), predicted=forecast) == expected


def test_a_forecast_nobody_asked_for_does_not_count() -> None:
    assert scaled(10, 100.0, predicted=Forecast(200.0, 1.0, NOW)) == 10


@pytest.mark.parametrize(("value", "expected"), [(200.0, 8), (105.0, 4), (1.0, 2), (9e9, 8), (math.nan, 4)])
def test_a_forecast_value_has_its_replicas(value: float, expected: int) -> None:
    assert replicas_for(spec_of(), 4, value) == expected


def test_predicted_replicas_are_within_bounds() -> None:
    assert replicas_for(spec_of(maxReplicas=5), 4, 900.0) == 5


def test_a_schedule_hint_is_a_floor() -> None:
    decision = decide(spec_of(scheduleHints=[MORNING]), 2, 100.0)
    assert (decision.desired, decision.hint, decision.next_change) == (8, "morning", NOW + 3600)
    assert "schedule hint morning" in decision.reason


def test_a_schedule_hint_is_no_ceiling() -> None:
    assert scaled(10, 150.0, spec=spec_of(scheduleHints=[MORNING])) == 14


def test_a_schedule_hint_that_is_over_leaves_the_metrics_alone() -> None:
    spec = spec_of(scheduleHints=[MORNING])
    decision = decide(spec, 8, 50.0, now=NOW + 3600)
    assert (decision.desired, decision.hint) == (6, "")


COSTLY = {"costConfig": {"enabled": True, "budgetPerHour": "3"}}


def test_the_budget_is_a_ceiling_that_wins_over_schedule_hints() -> None:
    decision = decide(spec_of(scheduleHints=[MORNING], **COSTLY), 1, 100.0)
    assert (decision.desired, decision.unlimited, decision.limits) == (2, 8, ("cost",))


def test_the_budget_does_not_win_over_the_minimum() -> None:
    decision = decide(spec_of(minReplicas=4, **COSTLY), 4, 100.0)
    assert (decision.desired, decision.limits) == (4, ("cost", "min"))


def test_the_cost_of_what_is_there_is_reported() -> None:
    report = decide(spec_of(**COSTLY), 2, 100.0).cost
    assert report is not None
    assert (report.on_demand, report.utilization) == (2, 68)


def test_a_max_scale_rate_bounds_one_decision() -> None:
    spec = spec_of(
        behavior={
            "scaleUp": {"maxScaleRate": "1.5"},
            "scaleDown": {"maxScaleRate": "0.75", "stabilizationWindowSeconds": 0},
        }
    )
    assert decide(spec, 4, 900.0).limits == ("rate",)
    assert (scaled(4, 900.0, spec=spec), scaled(8, 0.0, spec=spec)) == (6, 6)


POLICY_TEST = {
    "scaleUp": {
        "stabilizationWindowSeconds": 5, "selectPolicy": "Max",
        "policies": [
            {"type": "Pods", "value": 2, "periodSeconds": 30}, {"type": "Percent", "value": 50, "periodSeconds": 30},
        ],
    },
    "scaleDown": {
        "stabilizationWindowSeconds": 10, "selectPolicy": "Min",
        "policies": [
            {"type": "Pods", "value": 1, "periodSeconds": 60}, {"type": "Percent", "value": 20, "periodSeconds": 60},
        ],
    },
}  # fmt: skip


def test_policies_allow_their_share_once_in_a_period() -> None:
    spec = spec_of(behavior=POLICY_TEST)
    event = ScaleEvent(NOW - 29, 4, 6)
    assert decide(spec, 4, 900.0).desired == 6
    assert decide(spec, 6, 900.0, events=(event,), last_scale=event.time).limits == ("policy",)
    assert scaled(6, 900.0, spec=spec, events=(event,), last_scale=event.time) == 6
    assert scaled(6, 900.0, spec=spec, events=(ScaleEvent(NOW - 30, 4, 6),), last_scale=NOW - 30) == 9


def test_scaling_down_follows_the_strictest_policy() -> None:
    spec = spec_of(behavior=POLICY_TEST)
    assert scaled(10, 0.0, spec=spec) == 9
    assert scaled(9, 0.0, spec=spec, events=(ScaleEvent(NOW - 59, 10, 9),), last_scale=NOW - 59) == 9


def test_starting_pods_hold_back_more_of_them() -> None:
    decision = decide(spec_of(), 4, 900.0, ready=2, starting=2)
    assert (decision.desired, decision.limits) == (4, ("starting pods",))
    assert scaled(4, 900.0, ready=3, starting=1) == 8


def test_starting_pods_hold_back_no_removal() -> None:
    assert scaled(4, 0.0, ready=0, starting=4) == 1


def test_panic_passes_the_gate_only_when_told() -> None:
    told = {"scaleUp": {"startingPods": {"bypassGateOnPanic": True}}}
    assert scaled(4, 300.0, spec=spec_of(scalingStrategy="KPA", behavior=told), starting=4) == 12
    assert scaled(4, 300.0, spec=spec_of(scalingStrategy="KPA"), starting=4) == 4


@pytest.mark.parametrize(("ready", "expected"), [(4, 8), (3, 7), (0, 4)])
def test_a_starting_pod_counts_its_weight(ready: int, expected: int) -> None:
    rules = {"startingPods": {"startingPodWeight": "0.5", "maxStartingPodPercent": 0}}
    assert scaled(4, 900.0, spec=spec_of(behavior={"scaleUp": rules}), ready=ready) == expected


def test_starting_pods_never_turn_more_into_less() -> None:
    rules = {"startingPods": {"startingPodWeight": "0.5", "maxStartingPodPercent": 0}}
    assert scaled(4, 150.0, spec=spec_of(behavior={"scaleUp": rules}), ready=0) == 4


@pytest.mark.parametrize(
    ("value", "since", "expected"),
    [(900.0, 29.0, 4), (900.0, 30.0, 8), (0.0, 59.0, 4), (0.0, 60.0, 1), (0.0, None, 1)],
)
def test_nothing_changes_within_the_stabilization_window(value: float, since: float | None, expected: int) -> None:
    rules = {"scaleUp": {"stabilizationWindowSeconds": 30}, "scaleDown": {"stabilizationWindowSeconds": 60}}
    last = None if since is None else NOW - since
    assert scaled(4, value, spec=spec_of(behavior=rules), last_scale=last) == expected


def test_the_default_window_holds_only_scaling_down() -> None:
    spec = spec_of(behavior={})
    assert (scaled(4, 900.0, spec=spec, last_scale=NOW - 1), scaled(4, 0.0, spec=spec, last_scale=NOW - 299)) == (8, 4)
    assert decide(spec, 4, 0.0, last_scale=NOW - 299).limits == ("stabilization",)


@pytest.mark.parametrize(("current", "expected"), [(0, 3), (9, 5)])
def test_a_target_outside_its_bounds_is_brought_back_whatever_holds_it(current: int, expected: int) -> None:
    rules = {
        direction: {"selectPolicy": "Disabled", "stabilizationWindowSeconds": 60}
        for direction in ("scaleUp", "scaleDown")
    }
    spec = spec_of(minReplicas=3, maxReplicas=5, behavior=rules)
    assert scaled(current, 100.0, spec=spec, last_scale=NOW, ready=0, starting=current) == expected


def test_the_reason_says_what_was_seen_and_what_limited_it() -> None:
    spec = spec_of("70", maxReplicas=5)
    assert decide(spec, 4, 85.5).reason == "load0 is 85.5 at a target of 70: 4 to 5 replicas"
    assert decide(spec, 4, 900.0).reason == "load0 is 900 at a target of 70: 4 to 5 replicas, limited by max"
    assert decide(spec, 4, 70.0).reason == "load0 is 70 at a target of 70: 4 replicas stay"


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_value_that_is_no_number_changes_nothing(value: float) -> None:
    assert scaled(4, value) == 4


def test_a_missing_value_is_an_error() -> None:
    with pytest.raises(ValueError, match="zip"):
        decide(spec_of(more=("10",)), 4, 100.0)


FAULTS: dict[Fault, tuple[dict[str, Any], Seen, int, int]] = {
    # fault: scaler, what is seen, without the fault, with it
    Fault.NEVER_SCALES_UP: ({}, seen_of(4, 900.0), 8, 4),
    Fault.NEVER_SCALES_DOWN: ({}, seen_of(4, 0.0), 1, 4),
    Fault.EXCEEDS_MAX: ({"maxReplicas": 5}, seen_of(4, 900.0), 5, 7),
    Fault.GOES_BELOW_MIN: ({"minReplicas": 2}, seen_of(2, 10.0), 2, 1),
    Fault.IGNORES_TOLERANCE: ({}, seen_of(4, 105.0), 4, 5),
    Fault.IGNORES_STABILIZATION: ({"behavior": {}}, seen_of(4, 0.0, last_scale=NOW - 1), 4, 1),
    Fault.IGNORES_POLICIES: ({"behavior": POLICY_TEST}, seen_of(10, 0.0), 9, 1),
    Fault.IGNORES_STARTING_PODS: ({}, seen_of(4, 900.0, starting=4), 4, 8),
    Fault.IGNORES_SCHEDULE: ({"scheduleHints": [MORNING]}, seen_of(4, 100.0), 8, 4),
    Fault.IGNORES_COST: (COSTLY, seen_of(2, 900.0), 2, 4),
    Fault.IGNORES_GPU: ({"gpuConfig": GPU}, seen_of(4, 100.0, gpu=BUSY), 6, 4),
    Fault.IGNORES_PREDICTION: (PREDICTING, seen_of(10, 100.0, predicted=Forecast(200.0, 1.0, NOW)), 13, 10),
    Fault.NEVER_PANICS: ({"scalingStrategy": "KPA"}, seen_of(4, 400.0), 16, 8),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_shows(fault: Fault) -> None:
    fields, seen, without, faulty = FAULTS[fault]
    spec = spec_of(**fields)
    assert recommend(spec, seen).desired == without
    assert recommend(spec, dataclasses.replace(seen, faults=frozenset({fault}))).desired == faulty


def test_a_fault_below_the_minimum_shows_only_when_going_down() -> None:
    assert scaled(2, 100.0, faults=(Fault.GOES_BELOW_MIN,), spec=spec_of(minReplicas=2)) == 2


def test_a_fault_below_the_minimum_never_goes_below_nothing() -> None:
    assert scaled(1, 0.0, faults=(Fault.GOES_BELOW_MIN,), spec=spec_of(minReplicas=0)) == 0


def test_unknown_faults_change_nothing() -> None:
    assert recommend(spec_of(), seen_of(4, 900.0, faults=frozenset({"pod-crash"}))) == recommend(
        spec_of(), seen_of(4, 900.0)
    )


def test_bounds_can_be_held_without_any_value() -> None:
    spec = spec_of(minReplicas=2, maxReplicas=5)
    assert [within_bounds(spec, n) for n in (0, 3, 9)] == [2, 3, 5]
    assert within_bounds(spec, 9, frozenset({Fault.EXCEEDS_MAX})) == 7


SPECS = [
    spec_of(minReplicas=least, maxReplicas=most, scalingStrategy=strategy, behavior=behavior, more=("0.5",), **extra)
    for least, most in ((0, 1), (1, 5), (3, 40))
    for strategy in ("BudScaler", "KPA")
    for behavior in ({}, POLICY_TEST, {"scaleUp": {"startingPods": {"startingPodWeight": "0.3"}}})
    for extra in ({}, {"scheduleHints": [MORNING], "gpuConfig": GPU, **COSTLY, **PREDICTING})
]


def seen_at_random(chance: random.Random) -> Seen:
    hostile = (math.nan, math.inf, -math.inf, 0.0, -1.0, 1e-320, 1e308, 50.0, 100.0)

    def number() -> float:
        return chance.choice((*hostile, chance.uniform(0, 300)))

    now = NOW + chance.uniform(-1e6, 1e6)
    return Seen(
        now=now,
        current=chance.choice((0, 1, 2, 7, 100, 2**31 - 1)),
        ready=chance.randrange(50),
        starting=chance.randrange(50),
        values=(number(), number()),
        gpu=GpuReading(number(), number(), 1),
        predicted=Forecast(number(), chance.random(), now),
        last_scale=chance.choice((None, now, now - 20, now + 1e9)),
        events=tuple(
            ScaleEvent(now - chance.uniform(0, 90), chance.randrange(20), chance.randrange(20)) for _ in range(3)
        ),
    )


@pytest.mark.parametrize("spec", SPECS)
def test_the_result_is_within_bounds_whatever_is_seen(spec: ScalerSpec) -> None:
    chance = random.Random(11)  # noqa: S311
    for _ in range(300):
        seen = seen_at_random(chance)
        decision = recommend(spec, seen)
        assert spec.minimum <= decision.desired <= spec.maximum, seen
        assert spec.minimum <= replicas_for(spec, seen.current, seen.values[0]) <= spec.maximum


def test_more_load_never_asks_for_less() -> None:
    for spec in SPECS:
        for current in range(1, 12):
            asked = [decide(spec, current, float(value), 0.1).desired for value in range(0, 400, 7)]
            assert asked == sorted(asked)


def test_the_same_situation_always_has_the_same_result() -> None:
    seen = seen_at_random(random.Random(3))  # noqa: S311
    assert recommend(SPECS[1], seen) == recommend(SPECS[1], seen)


@pytest.mark.parametrize("strategy", ["BudScaler", "KPA"])
@pytest.mark.parametrize("load", [1.0, 77.0, 430.0, 1234.0, 5000.0])
def test_a_load_that_is_shared_by_all_replicas_comes_to_rest(strategy: str, load: float) -> None:
    spec = spec_of(maxReplicas=100, scalingStrategy=strategy)
    current, seen = 1, []
    for _ in range(60):
        current = scaled(current, load / max(current, 1), spec=spec)
        seen.append(current)
    assert len(set(seen[-10:])) == 1
