from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Protocol

import pytest

from proving_ground.budaiscaler.learning.patterns import EPISODE_POINTS, PatternDetector, PatternName
from proving_ground.budaiscaler.learning.samples import Sample

STEADY, KV, BATCH = PatternName.STEADY_STATE, PatternName.KV_CACHE_PRESSURE, PatternName.BATCH_INGESTION
COLD, SPIKE, DRAIN = PatternName.COLD_START, PatternName.TRAFFIC_SPIKE, PatternName.TRAFFIC_DRAIN


class Traffic(Protocol):
    def normal(self, hour: int, points: int) -> Iterable[Sample]: ...
    def kv_pressure(self, points: int) -> Iterable[Sample]: ...
    def batch_spike(self, points: int) -> Iterable[Sample]: ...
    def traffic_drain(self, points: int) -> Iterable[Sample]: ...


def watch(detector: PatternDetector, samples: Iterable[Sample]) -> list[PatternName]:
    seen = []
    for sample in samples:
        detector.observe(sample)
        seen.append(detector.current.name)
    return seen


def runs(names: Iterable[PatternName]) -> list[PatternName]:
    return [name for name, _ in itertools.groupby(names)]


def steady(running: float = 10, points: int = 40, throughput: float | None = None) -> list[Sample]:
    return [Sample(0.5, running, 1, throughput)] * points


HOURS = pytest.mark.parametrize("hour", [10, 12, 15, 3])
DAYTIME = pytest.mark.parametrize("hour", [10, 12, 15])


@HOURS
def test_normal_traffic_is_steady_whatever_its_noise(load: Traffic, hour: int) -> None:
    assert runs(watch(PatternDetector(), load.normal(hour, 400))) == [STEADY]


@HOURS
def test_pressure_is_found_within_eight_points_and_nothing_else(load: Traffic, hour: int) -> None:
    detector = PatternDetector()
    watch(detector, load.normal(hour, 40))
    seen = watch(detector, load.kv_pressure(100))
    assert runs(seen) == [STEADY, KV]
    assert seen.index(KV) < 8


@DAYTIME
def test_a_batch_is_found_within_eight_points_and_holds_in_its_weaker_half(load: Traffic, hour: int) -> None:
    detector = PatternDetector()
    watch(detector, load.normal(hour, 40))
    seen = watch(detector, load.batch_spike(120))
    assert runs(seen) == [STEADY, BATCH]
    assert seen.index(BATCH) < 8


def test_a_batch_at_night_is_found_although_it_fills_the_cache(load: Traffic) -> None:
    detector = PatternDetector()
    watch(detector, load.normal(3, 80))
    assert runs(watch(detector, load.batch_spike(120))) == [STEADY, BATCH]


@DAYTIME
@pytest.mark.parametrize("points", [20, 60, 120, 200])
def test_a_drain_is_found_before_its_end_however_slow(load: Traffic, hour: int, points: int) -> None:
    detector = PatternDetector()
    watch(detector, load.normal(hour, 60))
    drained = list(load.traffic_drain(points))
    seen = watch(detector, [*drained, *[drained[-1]] * 12])
    assert runs(seen) == [STEADY, DRAIN]


@DAYTIME
@pytest.mark.parametrize("pattern", ["kv_pressure", "batch_spike", "traffic_drain"])
def test_traffic_back_to_normal_is_steady_within_five_points(load: Traffic, hour: int, pattern: str) -> None:
    detector = PatternDetector()
    watch(detector, load.normal(hour, 40))
    watch(detector, getattr(load, pattern)(60))
    seen = watch(detector, load.normal(hour, 100))
    assert set(seen[5:]) == {STEADY}
    assert len(runs(seen)) == 2


@DAYTIME
def test_patterns_that_follow_each_other_directly_are_each_found(load: Traffic, hour: int) -> None:
    detector = PatternDetector()
    watch(detector, load.normal(hour, 40))
    seen = runs(
        watch(detector, [*load.kv_pressure(40), *load.batch_spike(60), *load.kv_pressure(40), *load.normal(hour, 20)])
    )
    assert seen == [STEADY, KV, BATCH, KV, STEADY]


def test_pressure_without_throughput_wins_over_a_batch() -> None:
    detector = PatternDetector()
    watch(detector, steady(5))
    assert runs(watch(detector, [Sample(0.85, 25, 15, None)] * 10)) == [STEADY, KV]


@pytest.mark.parametrize("sample", [Sample(0.80, 10, 15), Sample(0.85, 10, 5), Sample(None, 10, 15), Sample(0.85, 10)])
def test_cache_or_queue_alone_are_no_pressure(sample: Sample) -> None:
    detector = PatternDetector()
    assert runs(watch(detector, [*steady(), *[sample] * 30])) == [STEADY]


def test_a_single_point_over_every_threshold_is_no_pattern() -> None:
    detector = PatternDetector()
    assert runs(watch(detector, [*steady(), Sample(0.99, 100, 100, 1000), *steady()])) == [STEADY]


def test_twice_the_requests_at_once_are_a_batch() -> None:
    assert runs(watch(PatternDetector(), [*steady(10), *steady(20)])) == [STEADY, BATCH]


def test_twice_the_requests_little_by_little_are_a_spike() -> None:
    growing = [Sample(0.5, 10 + step / 2, 1) for step in range(40)]
    assert runs(watch(PatternDetector(), [*steady(10), *growing])) == [STEADY, SPIKE]


def test_requests_that_throughput_keeps_pace_with_are_a_spike() -> None:
    samples = [*steady(10, throughput=100.0), *steady(30, throughput=290.0)]
    assert runs(watch(PatternDetector(), samples)) == [STEADY, SPIKE]


def test_more_requests_with_less_throughput_are_no_batch() -> None:
    samples = [*steady(10, throughput=100.0), *steady(30, 8, throughput=50.0)]
    assert BATCH not in watch(PatternDetector(), samples)


def test_half_as_many_again_are_no_spike() -> None:
    assert runs(watch(PatternDetector(), [*steady(10), *steady(15)])) == [STEADY]


def test_a_spike_from_next_to_nothing_is_none() -> None:
    assert runs(watch(PatternDetector(), [*steady(0.4), *steady(30)])) == [STEADY]


def test_few_requests_that_become_fewer_are_no_drain() -> None:
    assert runs(watch(PatternDetector(), [*steady(2), *steady(0.5)])) == [STEADY]


def test_all_requests_gone_are_a_drain() -> None:
    assert runs(watch(PatternDetector(), [*steady(10), *[Sample(0.0, 0, 0)] * 30])) == [STEADY, DRAIN]


def test_the_end_of_a_spike_is_no_drain() -> None:
    assert runs(watch(PatternDetector(), [*steady(10), *steady(19), *steady(10)])) == [STEADY, SPIKE, STEADY]


@pytest.mark.parametrize("running", [4, 30])
def test_a_level_that_stays_becomes_the_usual_one(running: float) -> None:
    seen = watch(PatternDetector(), [*steady(10), *steady(running, EPISODE_POINTS + 60)])
    assert seen[-1] == STEADY
    assert len(runs(seen)) == 3


def test_first_requests_with_an_empty_cache_are_a_cold_start() -> None:
    samples = [*[Sample(0.0, 0, 0)] * 20, *[Sample(0.1, 3, 0)] * 60]
    assert runs(watch(PatternDetector(), samples)) == [STEADY, COLD, STEADY]


def test_a_cold_start_is_over_when_the_cache_fills() -> None:
    seen = watch(PatternDetector(), [*[Sample(0.0, 0, 0)] * 20, *[Sample(0.1, 3, 0)] * 5, *[Sample(0.3, 3, 0)] * 5])
    assert seen[-6:] == [COLD, STEADY, STEADY, STEADY, STEADY, STEADY]


@pytest.mark.parametrize("first", [Sample(0.5, 3, 0), Sample(0.1, 11, 0), Sample(None, 3, 0)])
def test_first_requests_that_fill_the_cache_or_are_many_are_no_cold_start(first: Sample) -> None:
    assert COLD not in watch(PatternDetector(), [*[Sample(0.0, 0, 0)] * 20, *[first] * 20])


def test_requests_without_a_time_without_before_are_no_cold_start() -> None:
    assert runs(watch(PatternDetector(), [Sample(0.1, 3, 0)] * 40)) == [STEADY]


def test_a_cold_start_can_follow_a_drain() -> None:
    samples = [*steady(10), *[Sample(0.0, 0, 0)] * 30, *[Sample(0.1, 3, 0)] * 5]
    assert runs(watch(PatternDetector(), samples)) == [STEADY, DRAIN, COLD]


def test_nothing_known_is_steady() -> None:
    assert runs(watch(PatternDetector(), [Sample()] * 50)) == [STEADY]


def test_gaps_in_what_is_known_end_no_pattern() -> None:
    detector = PatternDetector()
    watch(detector, [*steady(10), *steady(30)])
    assert runs(watch(detector, [Sample(), Sample(0.5, 30, 1), Sample()])) == [BATCH]


def test_confidence_grows_with_the_evidence() -> None:
    def confidence(running: float) -> float:
        detector = PatternDetector()
        watch(detector, [*steady(10), *steady(running, 10)])
        return detector.current.confidence

    assert confidence(20) == pytest.approx(0.5)
    assert 0.5 < confidence(30) < confidence(35) < confidence(400) == 1.0


def test_a_steady_state_is_surer_the_longer_it_lasts() -> None:
    detector = PatternDetector()
    watch(detector, steady(points=3))
    assert detector.current.confidence == pytest.approx(0.25)
    watch(detector, steady(points=30))
    assert detector.current.confidence == 1.0


def test_unusable_readings_count_as_unknown() -> None:
    assert Sample(float("nan"), float("inf"), -1.0, 1e300).usable() == Sample()
