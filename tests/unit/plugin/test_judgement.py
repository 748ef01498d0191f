from __future__ import annotations

import pytest

from proving_ground.errors import ConfigurationError, InfrastructureError
from proving_ground.plugin.judgement import Judgement, combine, judge, message_of
from proving_ground.plugin.skipping import CodedSkip, skip


def report(outcome: str, when: str = "call", longrepr: str | None = None, **extra: object) -> pytest.TestReport:
    made = pytest.TestReport("n", ("f", 1, "n"), {}, outcome, longrepr, when)  # type: ignore[arg-type]
    for name, value in extra.items():
        setattr(made, name, value)
    return made


@pytest.mark.parametrize(
    ("when", "error", "outcome", "infrastructure"),
    [
        ("call", AssertionError("a\nb"), "failed", False),
        ("call", ValueError("a"), "failed", False),
        ("call", InfrastructureError("a"), "error", True),
        ("call", ConfigurationError("a"), "error", False),
        ("setup", AssertionError("a"), "error", False),
        ("setup", InfrastructureError("a"), "error", True),
        ("teardown", AssertionError("a"), "failed", False),
        ("teardown", ValueError("a"), "error", False),
        ("teardown", InfrastructureError("a"), "error", True),
    ],
)
def test_the_kind_of_exception_and_its_phase_decide(
    when: str, error: BaseException, outcome: str, infrastructure: bool
) -> None:
    judged = judge(report("failed", when, "text"), error, ())
    assert (judged.outcome, judged.infrastructure, judged.detail) == (outcome, infrastructure, "text")


@pytest.mark.parametrize(
    ("error", "allowed", "outcome", "code"),
    [
        (CodedSkip("no-licence", "t"), {"no-licence"}, "skipped", "no-licence"),
        (CodedSkip("no-licence", "t"), set(), "error", ""),
        (CodedSkip("row-skipped", "t"), set(), "skipped", "row-skipped"),
        (pytest.skip.Exception("t"), {"t"}, "error", ""),
        (None, set(), "error", ""),
    ],
)
def test_a_skip_counts_only_with_an_allowed_code(
    error: BaseException | None, allowed: set[str], outcome: str, code: str
) -> None:
    judged = judge(report("skipped"), error, allowed)
    assert (judged.outcome, judged.reason_code) == (outcome, code)


def test_an_expected_failure_is_a_skip_that_must_be_allowed() -> None:
    expected = report("skipped", wasxfail="known")
    assert judge(expected, AssertionError(), {"expected-failure"}).outcome == "skipped"
    assert judge(expected, AssertionError(), ()).outcome == "error"


def test_an_unexpected_pass_that_is_not_strict_passes() -> None:
    assert judge(report("passed", wasxfail="known"), None, ()).outcome == "passed"


def test_the_first_failure_decides_and_the_others_are_told() -> None:
    whole = combine([Judgement("passed"), Judgement("failed", "a", "A"), Judgement("error", "b", "B")])
    assert (whole.outcome, whole.message) == ("failed", "a")
    assert "also: b\nB" in whole.detail


def test_a_failed_clean_up_outweighs_a_skip() -> None:
    assert combine([Judgement("skipped"), Judgement("error", "b")]).outcome == "error"


def test_nothing_said_is_a_pass() -> None:
    assert combine([]).outcome == "passed"


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (AssertionError("\n  one\ntwo"), "one"),
        (AssertionError(), "AssertionError"),
        (ValueError("v"), "ValueError: v"),
        (KeyError(), "KeyError"),
        (InfrastructureError("w", where="h", hint="do"), "h: w (do)"),
    ],
)
def test_a_message_is_one_line_that_says_something(error: BaseException, text: str) -> None:
    assert message_of(error) == text


@pytest.mark.parametrize("code", ["", "Two Words", "a_b", "-a", "a--b", "a\n"])
def test_a_reason_code_is_words_joined_by_dashes(code: str) -> None:
    with pytest.raises(ValueError, match="expected a reason code"):
        skip(code, "text")
