from __future__ import annotations

import datetime as dt

import pytest

from proving_ground.contracts.platform import Capabilities, Clock, Platform, System
from proving_ground.contracts.suite import Suite
from proving_ground.errors import ConfigurationError
from proving_ground.plugin.selection import Candidate, absent, check_name, needs, reject, validate

SUITE = Suite(name="s", description="d", systems=["aim"], capabilities=["multi-node"])


def platform(*promised: str, present: tuple[str, ...] = (), systems: tuple[str, ...] = ()) -> Platform:
    return Platform(
        run_id="r",
        inventory="i",
        clock=Clock(started=dt.datetime(2026, 1, 1, tzinfo=dt.UTC)),
        capabilities=Capabilities(promised=list(promised), present=list(present)),
        systems={name: System(implementation="stand_in") for name in systems},
    )


def candidate(*marks: str, check: str = "s/a", declared: Suite | None = None) -> Candidate:
    return Candidate(check=check, suite="s", nodeid=f"{check}.py", marks=marks, declared=declared)


@pytest.mark.parametrize(
    ("function", "name"),
    [("test_a_b", "a-b"), ("test_a_b[x_y-1]", "a-b[x_y-1]"), ("testing", "testing"), ("test_", "")],
)
def test_a_name_is_that_of_the_function_with_dashes(function: str, name: str) -> None:
    assert check_name(function) == name


def test_a_check_needs_what_its_suite_and_its_marks_say() -> None:
    assert needs(candidate("needs_gpu", "smoke", declared=SUITE)) == ["multi-node", "gpu"]


def test_dashes_and_underscores_in_capabilities_are_the_same() -> None:
    here = platform("multi_node", "gpu", systems=("aim",))
    assert reject(candidate("needs_gpu", declared=SUITE), here) is None


def test_a_missing_system_comes_before_a_missing_capability() -> None:
    rejection = reject(candidate(declared=SUITE), platform())
    assert rejection is not None
    assert (rejection.reason, rejection.detail) == ("system", "not on this platform: aim")


def test_only_promised_capabilities_can_be_absent() -> None:
    assert absent(candidate("needs_gpu", "needs_ssh"), platform("gpu")) == ["gpu"]
    assert absent(candidate("needs_gpu"), platform("gpu", present=("gpu",))) == []


def test_stage_marks_are_asked_for_in_suites_only() -> None:
    validate([candidate()])
    validate([candidate("nightly", "smoke", declared=SUITE)])


@pytest.mark.parametrize("marks", [(), ("smoke",), ("nightly", "pre_merge")])
def test_a_check_of_a_suite_has_one_stage(marks: tuple[str, ...]) -> None:
    with pytest.raises(ConfigurationError, match="check 's/a' carries"):
        validate([candidate(*marks, declared=SUITE)])


def test_ids_are_unique() -> None:
    with pytest.raises(ConfigurationError, match="two checks have the id 's/a'"):
        validate([candidate(), candidate()])
