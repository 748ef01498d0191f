"""Clocks, and how long to wait."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from proving_ground.autoscaling.cadence import Cadence, Clock, at
from proving_ground.errors import InfrastructureError

MONDAY = dt.datetime(2026, 1, 5, 9, tzinfo=dt.UTC)


def test_a_clock_is_written_as_its_annotation() -> None:
    assert at(MONDAY, 3600, unix=1764356400.25).text == "2026-01-05T09:00:00Z@1764356400.250*3600"


def test_a_written_clock_reads_as_it_was() -> None:
    clock = at(MONDAY + dt.timedelta(milliseconds=7), 240)
    assert Clock.parse(clock.text) == clock


def test_a_clock_maps_real_time_to_its_own_and_back() -> None:
    clock = Clock(1000.0, 50.0, 40.0)
    assert clock.simulated(51.0) == 1040.0
    assert clock.real(1040.0) == 51.0
    assert clock.seconds(20) == 0.5


def test_a_time_without_a_zone_is_utc() -> None:
    assert at(MONDAY.replace(tzinfo=None), unix=1.0) == at(MONDAY, unix=1.0)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "@",
        "2026-01-05T09:00:00Z",
        "2026-01-05T09:00:00@1*2",
        "tomorrow@1*2",
        "2026-01-05T09:00:00Z@1*0",
        "2026-01-05T09:00:00Z@nan*1",
        "2026-01-05T09:00:00Z@1*-1",
        "2026-01-05T09:00:00Z@1*1e9",
        "x" * 100000,
    ],
)
def test_what_is_no_clock_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        Clock.parse(text)


def test_the_cadence_is_what_the_platform_publishes(make: Any) -> None:
    cadence = Cadence.of(make.platform(clock_speed=40.0, clock_epoch=1000.0))
    assert (cadence.reconcile, cadence.persist, cadence.speed) == (0.25, 7.5, 40.0)
    assert cadence.clock.simulated(1001.0) == 1040.0


def test_without_a_clock_speed_simulated_seconds_are_real(make: Any) -> None:
    cadence = Cadence.of(make.platform())
    assert cadence.seconds(30) == 30
    assert cadence.persist == 300


def test_patience_grows_with_what_is_waited_for(make: Any) -> None:
    cadence = Cadence.of(make.platform(clock_speed=40.0))
    assert cadence.patience(1) < cadence.patience(5) < cadence.patience(5, simulated=400)


@pytest.mark.parametrize(
    "wrong", [{"clock_speed": 0}, {"clock_speed": "fast"}, {"clock_epoch": float("nan")}, {"clock_speed": True}]
)
def test_an_unusable_clock_is_the_platforms_fault(make: Any, wrong: dict[str, object]) -> None:
    with pytest.raises(InfrastructureError, match=next(iter(wrong))):
        Cadence.of(make.platform(**wrong))


def test_a_platform_without_the_system_says_what_it_has(make: Any) -> None:
    with pytest.raises(InfrastructureError, match="it has budaiscaler"):
        Cadence.of(make.platform(), "other")
