from __future__ import annotations

import pytest

from proving_ground.fleet.values import Reader, arguments, latency


def test_arguments_are_read_in_both_forms() -> None:
    assert arguments(["serve", "m", "--a=1", "--b", "2", "--flag", "--c", "-3"]) == {
        "--a": "1", "--b": "2", "--flag": "", "--c": "-3",
    }  # fmt: skip


def test_the_last_of_a_repeated_argument_counts() -> None:
    assert arguments(["--a=1", "--a", "2"]) == {"--a": "2"}


@pytest.mark.parametrize(
    ("text", "value"), [("0", 0.0), ("250", 0.25), ("250ms", 0.25), ("1m2.5s", 62.5), ("10us", 1e-5), ("1.5h", 5400.0)]
)
def test_a_latency_is_milliseconds_or_a_duration(text: str, value: float) -> None:
    assert latency(text) == pytest.approx(value)


@pytest.mark.parametrize("text", ["", "-1", "1.5", "soon", "nan", "inf", "1x", "ms", "25h", "9" * 99, "1s " * 99])
def test_what_is_no_latency_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        latency(text)


def test_a_problem_names_the_value_and_what_was_found() -> None:
    reader = Reader({"--pace": "x" * 500}, "argument", "--")
    assert reader.value("pace", 1.0, latency) == 1.0
    (problem,) = reader.problems
    assert problem.startswith("argument --pace: expected")
    assert len(problem) < 200
