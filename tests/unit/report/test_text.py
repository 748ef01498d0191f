from __future__ import annotations

import pytest

from proving_ground.report.text import clean, first_line, seconds


@pytest.mark.parametrize(
    ("duration", "text"),
    [(0, "0.0s"), (0.44, "0.4s"), (12.4, "12s"), (59.9, "1m00s"), (185, "3m05s"), (3725, "1h02m"), (90000, "25h00m")],
)
def test_durations_read_as_people_write_them(duration: float, text: str) -> None:
    assert seconds(duration) == text


def test_a_text_is_cut_in_its_middle_and_says_so() -> None:
    text = clean("a" * 60 + "b" * 60, limit=20)
    assert text == "a" * 10 + "\n[... 100 characters left out ...]\n" + "b" * 10


def test_colours_go_and_control_characters_are_shown() -> None:
    assert clean("\x1b[1;31mred\x1b[0m\ttab\n\x00\x1f\x7f\ufffe") == "red\ttab\n\\x00\\x1f\\x7f\\xfffe"


def test_the_first_line_that_says_something_is_taken() -> None:
    assert first_line("\n \nwhat\nmore") == "what"
    assert first_line("x" * 400) == "x" * 297 + "..."
    assert first_line("") == ""
