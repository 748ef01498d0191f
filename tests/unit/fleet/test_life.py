from __future__ import annotations

import pytest

from proving_ground.fleet.behaviour import Behaviour, Crash
from proving_ground.fleet.life import Point, Stage, backoff, where


def test_a_pod_without_load_time_is_ready_at_once() -> None:
    assert where(Behaviour(), 0.0, 0) == Point(Stage.READY)


def test_a_pod_loads_and_is_then_ready() -> None:
    behaviour = Behaviour(load=2.0)
    assert where(behaviour, 0.5, 0) == Point(Stage.LOADING, 1.5)
    assert where(behaviour, 2.0, 0) == Point(Stage.READY)


def test_a_pod_that_never_becomes_ready_needs_no_second_look() -> None:
    assert where(Behaviour(never_ready=True), 99.0, 0) == Point(Stage.LOADING)


def test_a_failed_pull_backs_off() -> None:
    behaviour = Behaviour(pull_fails=True)
    assert where(behaviour, 0.0, 0) == Point(Stage.PULL_ERROR, 0.2)
    assert where(behaviour, 0.2, 0) == Point(Stage.PULL_BACKOFF)


def test_a_crash_while_loading_comes_before_ready() -> None:
    behaviour = Behaviour(load=2.0, crash=Crash(after=1.0))
    assert where(behaviour, 0.0, 0) == Point(Stage.LOADING, 1.0)
    assert where(behaviour, 1.0, 0).stage is Stage.CRASHED


def test_a_ready_pod_is_looked_at_again_when_it_will_crash() -> None:
    assert where(Behaviour(crash=Crash(after=3.0)), 1.0, 0) == Point(Stage.READY, 2.0)


def test_a_crash_repeats_in_every_run() -> None:
    assert where(Behaviour(crash=Crash(after=1.0)), 1.0, 5).stage is Stage.CRASHED


def test_a_crash_that_comes_once_spares_later_runs() -> None:
    assert where(Behaviour(crash=Crash(after=1.0, once=True)), 1.0, 1) == Point(Stage.READY)


def test_what_crashed_under_load_is_never_ready_again() -> None:
    behaviour = Behaviour(crash=Crash(after=1.0), crash_on_request=True)
    assert where(behaviour, 0.0, 0).stage is Stage.READY
    assert where(behaviour, 0.0, 1).stage is Stage.LOADING
    assert where(behaviour, 0.2, 1).stage is Stage.CRASHED


def test_a_job_completes() -> None:
    behaviour = Behaviour(complete=1.0)
    assert where(behaviour, 0.0, 0) == Point(Stage.READY, 1.0)
    assert where(behaviour, 1.5, 0) == Point(Stage.COMPLETED)


@pytest.mark.parametrize(("restarts", "seconds"), [(0, 1.0), (3, 8.0), (20, 300.0), (10**6, 300.0)])
def test_the_back_off_doubles_up_to_five_minutes(restarts: int, seconds: float) -> None:
    assert backoff(restarts, 1.0) == seconds
