from __future__ import annotations

import pytest

from proving_ground.budaiscaler.clock import Clock, format_time, parse_clock, parse_time, process_clock

MONDAY_9 = 1767603600.0  # 2026-01-05T09:00:00Z


def test_a_clock_is_read_from_its_annotation() -> None:
    clock = parse_clock("2026-01-05T09:00:00Z@1764356400.25*3600")
    assert clock == Clock(unix=1764356400.25, then=MONDAY_9, speed=3600.0)
    assert clock.now(1764356401.25) == MONDAY_9 + 3600


def test_a_clock_may_stand_still() -> None:
    assert parse_clock("2026-01-05T09:00:00Z@1764356400*0").now(1764999999) == MONDAY_9


def test_a_clock_tells_times_before_its_moment_too() -> None:
    assert parse_clock("2026-01-05T10:00:00+01:00@100*2").now(99) == MONDAY_9 - 2


@pytest.mark.parametrize("unix", [0.0, 1e18])
def test_a_clock_never_leaves_what_a_timestamp_can_say(unix: float) -> None:
    assert format_time(Clock(unix=1000, then=500, speed=1e6).now(unix)) in {
        "1970-01-01T00:00:00Z",
        "9999-12-31T23:59:59Z",
    }


@pytest.mark.parametrize(
    "text",
    ["", "@", "noon@1*1", "2026-01-05@1*1", "2026-01-05T09:00:00@1*1", "2026-01-05T09:00:00Z", "2026-01-05T09:00:00Z@1",
     "2026-01-05T09:00:00Z@nan*1", "2026-01-05T09:00:00Z@1*-1", "2026-01-05T09:00:00Z@1*inf",
     "2026-01-05T09:00:00Z@1*9999999", "2026-01-05T09:00:00Z@1*1*1", "2026-01-05T09:00:00Z@" + "9" * 400 + "*1"],
)  # fmt: skip
def test_what_is_no_clock_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        parse_clock(text)


def test_the_clock_of_a_process_runs_faster_from_its_epoch_on() -> None:
    clock = process_clock(speed=40, epoch=1000)
    assert [clock.now(1000), clock.now(1001)] == [1000, 1040]


def test_times_are_written_in_whole_seconds_of_utc() -> None:
    assert format_time(MONDAY_9 + 0.9) == "2026-01-05T09:00:00Z"
    assert parse_time("2026-01-05T09:00:00Z") == MONDAY_9


def test_what_is_no_time_cannot_be_written() -> None:
    with pytest.raises(ValueError, match="no time"):
        format_time(float("nan"))
