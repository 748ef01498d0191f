"""Durations as Go reads and prints them."""

from __future__ import annotations

import pytest

from proving_ground.durations import format_duration, parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("10m", 600), ("1h30m", 5400), ("500ms", 0.5), ("1.5h", 5400), ("0", 0), ("0s", 0), ("-5s", -5), ("+1us", 1e-6)],
)
def test_a_duration_is_read(text: str, seconds: float) -> None:
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "text",
    ["", "10", "m", "10 m", "10min", "1h 30m", "ten", "1d", "1e3s", "--1s", "1:30", "\n10m", "10m\n", "9" * 400 + "h"],
)
def test_what_is_no_duration_is_refused_and_said_so(text: str) -> None:
    with pytest.raises(ValueError, match=r"duration") as caught:
        parse_duration(text)

    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (1.5, "1.5s"), (60, "1m0s"), (5400, "1h30m0s"), (0.3, "300ms"), (-90, "-1m30s"), (2e-6, "2\u00b5s")],
)
def test_a_duration_is_printed(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text
