"""Mistakes of the engine in the time that operations have: conformance cases notice each of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from proving_ground.chainsaw.model import Timeouts
from proving_ground.chainsaw.reporting import Surroundings

noticed_by = pytest.mark.noticed_by


@noticed_by("timeouts/operation-shorter", "timeouts/step-shorter", "timeouts/test-shorter")
def timeouts_are_ten_times_too_long(wrong: Any) -> None:
    wrong.be(Surroundings, "cut", lambda _self, seconds: seconds * 10)


@noticed_by("timeouts/operation-longer", "timeouts/step-longer", "timeouts/default")
def timeouts_are_ten_times_too_short(wrong: Any) -> None:
    wrong.be(Surroundings, "cut", lambda _self, seconds: seconds / 10)


@noticed_by("timeouts/operation-shorter", "timeouts/operation-longer", limit=3.0)
def the_time_of_an_operation_is_ignored(wrong: Any) -> None:
    wrong.change_operations(timeout=None)


@noticed_by("timeouts/step-shorter", "timeouts/step-longer", limit=3.0)
def the_times_of_a_step_are_ignored(wrong: Any) -> None:
    wrong.change_steps(timeouts=Timeouts())


@noticed_by("timeouts/test-shorter", "timeouts/assert-too-short", limit=3.0)
def the_times_of_a_test_are_ignored(wrong: Any) -> None:
    wrong.change_tests(timeouts=Timeouts())


@noticed_by("timeouts/step-shorter", "timeouts/test-shorter", limit=3.0)
def outer_times_come_before_inner_ones(wrong: Any) -> None:
    wrong.around(Timeouts, "over", lambda right, inner, outer: right(outer, inner))


@noticed_by("timeouts/error-too-short", "timeouts/error-long-enough", limit=3.0)
def errors_have_the_time_of_asserts(wrong: Any) -> None:
    def instead(right: Any, inner: Timeouts, outer: Timeouts) -> Timeouts:
        merged: Timeouts = right(inner, outer)
        return replace(merged, error=merged.assert_)

    wrong.around(Timeouts, "over", instead)


def test_a_mistake_is_noticed(
    mistake: Any, cases: tuple[str, ...], limit: float, wrong: Any, run_in_memory: Any
) -> None:
    mistake(wrong)

    assert [name for name, problems in run_in_memory(*cases, limit=limit).items() if not problems] == []


def test_the_engine_as_it_is_makes_none_of_them(all_cases: set[str], run_in_memory: Any) -> None:
    assert {name: problems for name, problems in run_in_memory(*all_cases).items() if problems} == {}
