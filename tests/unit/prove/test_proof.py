from __future__ import annotations

from pathlib import Path

import pytest

from proving_ground.contracts.suite import FaultExpectation, Suite
from proving_ground.errors import ConfigurationError, ExitCode
from proving_ground.pipeline.project import FoundSuite
from proving_ground.prove import telling
from proving_ground.prove.comparison import CheckOutcome
from proving_ground.prove.passes import Pass, PassResult, Place, command
from proving_ground.prove.proof import SuiteProof, judge, plan

PASSED, FAILED = CheckOutcome("passed"), CheckOutcome("failed", "why")
GONE = CheckOutcome("error", "the cluster is gone", infrastructure=True)
SUITE = Suite(
    name="s",
    description="d",
    faults={
        "one": FaultExpectation(description="d", must_fail=["s/a"]),
        "two": FaultExpectation(description="d", must_fail=["s/b"], may_be_blocked=["s/a"]),
    },
)
FOUND = FoundSuite(definition=SUITE, directory=Path("/suites/s"))


def made(
    baseline: dict[str, CheckOutcome] | None = None,
    one: dict[str, CheckOutcome] | None = None,
    two: dict[str, CheckOutcome] | None = None,
    problems: dict[str, str] | None = None,
) -> list[tuple[Pass, PassResult]]:
    both = {"s/a": PASSED, "s/b": PASSED}
    outcomes = {
        None: both | (baseline or {}),
        "one": both | {"s/a": FAILED} | (one or {}),
        "two": both | {"s/b": FAILED} | (two or {}),
    }
    return [
        (Pass(SUITE, Path("/suites/s"), fault), PassResult(seen, 1.0, (problems or {}).get(fault or "", ""), False))
        for fault, seen in outcomes.items()
    ]


def proof(results: list[tuple[Pass, PassResult]], *, all_faults: bool = True) -> SuiteProof:
    (found,) = judge(results, all_faults=all_faults)
    return found


def test_when_every_fault_kills_what_it_must_the_suite_is_proved() -> None:
    found = proof(made())
    assert (found.exit_code, found.checks, found.never_killed) == (ExitCode.PASSED, 2, ())


def test_a_check_that_no_fault_kills_fails_the_proof() -> None:
    idle = {"s/idle": PASSED}
    found = proof(made(idle, idle, idle))
    assert found.exit_code == ExitCode.FAILED
    assert telling.problems([found]) == ["s: no fault makes s/idle fail"]


def test_with_one_fault_alone_nothing_is_said_of_the_other_checks() -> None:
    found = proof(made()[:2], all_faults=False)
    assert (found.exit_code, found.never_killed) == (ExitCode.PASSED, None)


def test_a_broken_baseline_fails_the_proof() -> None:
    found = proof(made({"s/b": FAILED}, {"s/b": FAILED}))
    assert found.exit_code == ExitCode.FAILED
    assert "s: baseline broken: s/b failed (why) without a fault" in telling.problems([found])


def test_a_pass_that_died_is_the_infrastructures() -> None:
    found = proof(made(problems={"two": "its process ended with status -9"}))
    assert found.exit_code == ExitCode.INFRASTRUCTURE
    assert [verdict.fault for verdict in found.verdicts] == ["one"]
    assert found.never_killed is None


def test_an_infrastructure_error_counts_unless_the_check_may_be_blocked() -> None:
    assert proof(made(one={"s/b": GONE})).exit_code == ExitCode.INFRASTRUCTURE
    assert proof(made(two={"s/a": GONE})).exit_code == ExitCode.PASSED


def test_each_suite_is_planned_with_all_its_faults_or_the_one_asked_for() -> None:
    assert [asked.fault for asked in plan([FOUND], None)] == [None, "one", "two"]
    assert [asked.fault for asked in plan([FOUND], "two")] == [None, "two"]


def test_a_suite_that_does_not_know_the_fault_asked_for_is_left_out() -> None:
    other = FoundSuite(definition=Suite(name="t", description="d"), directory=Path("/suites/t"))
    assert {asked.suite.name for asked in plan([FOUND, other], "one")} == {"s"}


def test_a_fault_that_no_suite_knows_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="no suite knows fault 'three'"):
        plan([FOUND], "three")


def test_a_pass_asks_for_its_fault_limits_and_parameters(tmp_path: Path) -> None:
    suite = SUITE.model_copy(update={"prove": SUITE.prove.model_copy(update={"parameters": {"models_csv": "a b.csv"}})})
    place = Place(run_id="r", root=tmp_path, platform_file=tmp_path / "platform.json", state_dir=tmp_path)
    words = command(Pass(suite, tmp_path / "s", "one"), place, tmp_path / "events")
    assert {"--fault=one", "--wait-limit=10", '--parameter=models_csv="a b.csv"'} <= set(words)
    assert not [word for word in command(Pass(suite, tmp_path, None), place, tmp_path / "e") if "--fault" in word]


def test_marks_of_a_fault_stand_in_for_those_of_the_proof(tmp_path: Path) -> None:
    proved = SUITE.prove.model_copy(update={"marks": "not yearly"})
    one = SUITE.faults["one"].model_copy(update={"marks": "not weekly"})
    suite = SUITE.model_copy(update={"prove": proved, "faults": SUITE.faults | {"one": one}})
    place = Place(run_id="r", root=tmp_path, platform_file=tmp_path / "platform.json", state_dir=tmp_path)

    def marks(fault: str | None) -> str:
        words = command(Pass(suite, tmp_path, fault), place, tmp_path / "events")
        return words[words.index("-m", words.index("pytest")) + 1]

    assert [marks(fault) for fault in (None, "one", "two", "of another suite")] == [
        *("not yearly", "not weekly", "not yearly", "not yearly")
    ]


def test_the_table_names_faults_and_what_they_killed(tmp_path: Path) -> None:
    found = proof(made(one={"s/b": FAILED}))
    text = telling.text([found], 1.0)
    assert "!! one -> a, b" in text
    assert "problem: s: one: s/b must not be touched and failed (why)" in text
    telling.write([found], 1.0, tmp_path)
    assert "| one | a<br>b |  | no |" in (tmp_path / "prove.md").read_text()


def test_the_worst_suite_decides() -> None:
    assert telling.exit_code([]) == ExitCode.PASSED
    assert telling.exit_code([proof(made()), proof(made(one={"s/b": FAILED}))]) == ExitCode.FAILED
