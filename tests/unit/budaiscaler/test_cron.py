from __future__ import annotations

import datetime as dt

import pytest

from proving_ground.budaiscaler.cron import end_of_run, parse_cron


def at(text: str) -> float:
    return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC).timestamp()


# 2026-01-05 is a Monday.
FOLLOWING = [
    ("0 9 * * 1-5", "2026-01-05 08:59:59", "2026-01-05 09:00"),
    ("0 9 * * 1-5", "2026-01-05 09:00:00", "2026-01-06 09:00"),
    ("0 9 * * MON-FRI", "2026-01-09 09:00:01", "2026-01-12 09:00"),
    ("0 0 * * 0,6", "2026-01-05 00:00:00", "2026-01-10 00:00"),
    ("0 0 * * 7", "2026-01-05 00:00:00", "2026-01-11 00:00"),
    ("0 0 * * 5-7", "2026-01-10 01:00:00", "2026-01-11 00:00"),
    ("*/15 * * * *", "2026-01-05 10:15:00", "2026-01-05 10:30"),
    ("5/20 3 * * *", "2026-01-05 03:05:00", "2026-01-05 03:25"),
    ("10-20/5,50 * * * *", "2026-01-05 03:20:00", "2026-01-05 03:50"),
    ("0 0 1 jan *", "2026-01-05 00:00:00", "2027-01-01 00:00"),
    ("0 0 29 2 *", "2096-03-01 00:00:00", "2104-02-29 00:00"),
    ("0 0 31 * *", "2026-01-31 00:00:00", "2026-03-31 00:00"),
    # Both day fields are restricted: either counts.
    ("0 0 13 * 5", "2026-01-05 00:00:00", "2026-01-09 00:00"),
    ("0 0 13 * 5", "2026-01-09 00:00:00", "2026-01-13 00:00"),
    # One is a star: the other must match.
    ("0 0 */1 * 5", "2026-01-05 00:00:00", "2026-01-09 00:00"),
]


@pytest.mark.parametrize(("expression", "now", "expected"), FOLLOWING)
def test_the_following_time_is_the_first_after_now(expression: str, now: str, expected: str) -> None:
    assert parse_cron(expression).following(at(now)) == at(expected)


@pytest.mark.parametrize(("expression", "now", "expected"), FOLLOWING)
def test_the_previous_time_of_a_following_time_is_itself(expression: str, now: str, expected: str) -> None:
    assert now
    assert parse_cron(expression).previous(at(expected)) == at(expected)
    assert parse_cron(expression).previous(at(expected) + 59.9) == at(expected)


def test_the_previous_time_may_be_on_a_day_before() -> None:
    assert parse_cron("0 23 * * *").previous(at("2026-01-05 22:59:59")) == at("2026-01-04 23:00")


def test_times_before_1970_are_found_too() -> None:
    assert parse_cron("0 0 * * *").previous(-1.0) == -86400


def test_the_end_of_the_calendar_has_no_following_time() -> None:
    assert parse_cron("0 0 1 1 *").following(at("9999-12-31 23:59:59")) is None


@pytest.mark.parametrize(
    "expression",
    [
        "", "* * * *", "* * * * * *", "@daily", "60 * * * *", "* 24 * * *", "* * 0 * *", "* * 32 * *", "* * * 13 *",
        "* * * * 8", "*/0 * * * *", "5-1 * * * *", "* * * * FRI-MON", "a * * * *", "1,,2 * * * *", "1- * * * *",
        "*-5 * * * *", "-1 * * * *", "1.5 * * * *", "\u0661 * * * *", "0 0 30 2 *", "0 0 31 4,6,9,11 *", "MON * * * *",
        "* * * * *" + " " * 300, "1," * 5000 + "1 * * * *",
    ],
)  # fmt: skip
def test_what_is_no_cron_expression_or_never_happens_is_refused(expression: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        parse_cron(expression)


def test_a_run_of_overlapping_periods_ends_with_the_last() -> None:
    cron = parse_cron("0 9,10 * * *")
    assert end_of_run(cron, int(at("2026-01-05 09:00")), 3 * 3600) == at("2026-01-05 13:00")


def test_periods_that_always_follow_each_other_have_no_end() -> None:
    assert end_of_run(parse_cron("0 0 * * *"), int(at("2026-01-05 00:00")), 86400) is None
