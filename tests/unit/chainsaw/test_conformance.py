"""Judging what became of a conformance case."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from proving_ground.chainsaw.conformance import Case, Ended, Expected, Place, Seen, load_corpus, problems
from proving_ground.errors import ConfigurationError


def case(**expected: Any) -> Case:
    return Case("area/it", Path("/corpus/area/it"), Expected.model_validate(expected))


def ended(*verdicts: str, message: str = "") -> Seen:
    return Seen(ended=[Ended("it", verdict, message) for verdict in verdicts])


@pytest.mark.parametrize(
    ("expected", "seen"),
    [
        ({}, ended("passed")),
        ({"verdict": "failed", "message": "no such"}, ended("failed", message="there is no such thing")),
        ({"times": 2}, ended("passed", "passed")),
        ({"verdicts": ["failed", "passed"]}, ended("passed", "failed")),
        ({"verdict": "refused", "message": "line 3"}, Seen(refusal="file, line 3")),
        ({"tests": {"it": {"verdict": "passed"}, "other": {"verdict": "absent"}}}, ended("passed")),
        ({"wrote": {"f": ["b", "a"]}}, Seen(ended=[Ended("it", "passed")], wrote={"f": ("b", "a")})),
        ({"wrote": {"f": ["a", "b"]}, "sorted": True}, Seen(ended=[Ended("it", "passed")], wrote={"f": ("b", "a")})),
    ],
)
def test_a_case_that_ends_as_declared_has_no_problem(expected: dict[str, Any], seen: Seen) -> None:
    assert problems(case(**expected), seen) == []


@pytest.mark.parametrize(
    ("expected", "seen", "told"),
    [
        ({}, ended("failed", message="why"), "it ended as ['failed'], not ['passed']: why"),
        ({}, ended(), "it ended as [], not ['passed']"),
        ({}, Seen(refusal="line 3"), "was refused: line 3"),
        ({"times": 2}, ended("passed"), "it ended as ['passed'], not ['passed', 'passed']"),
        ({"verdict": "failed", "message": "a"}, ended("failed", message="b"), "it failed without saying 'a': b"),
        ({"verdict": "refused"}, ended("passed"), "was not refused"),
        ({"verdict": "refused", "message": "a"}, Seen(refusal="b"), "refused without saying 'a': b"),
        ({"tests": {"it": {"verdict": "absent"}}}, ended("passed"), "it ended as ['passed'], not []"),
        ({"wrote": {"f": ["a"]}}, ended("passed"), "wrote [] to f, not ['a']"),
        ({}, Seen(ended=[Ended("it", "passed")], wrongly_there=["Pod x"]), "Pod x is left"),
        ({}, Seen(ended=[Ended("it", "passed")], wrongly_gone=["Pod x"]), "Pod x is gone"),
    ],
)
def test_a_case_that_ends_otherwise_says_in_what(expected: dict[str, Any], seen: Seen, told: str) -> None:
    assert problems(case(**expected), seen) == [told]


def test_messages_may_be_those_of_another_engine() -> None:
    expected = case(verdict="failed", message="ours")

    assert problems(expected, ended("failed", message="theirs"), messages=False) == []


def test_a_misspelt_expectation_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "area" / "it"
    folder.mkdir(parents=True)
    (folder / "expected.yml").write_text("verdikt: passed\n")

    with pytest.raises(ConfigurationError, match="verdikt"):
        load_corpus(tmp_path)


def test_cases_with_a_configuration_or_options_of_their_own_run_alone() -> None:
    shares = {case().shares, case(values={"a": 1}).shares, case(configuration="c.yaml").shares, case(alone=True).shares}

    assert len(shares) == 3
    assert case().shares == case(verdict="failed").shares


def test_a_place_gives_its_variables_and_takes_them_back(tmp_path: Path) -> None:
    place = Place(tmp_path, tmp_path / "corpus", tmp_path / "kubeconfig")

    with place.entered():
        assert os.environ["CONFORMANCE_DIR"] == str(tmp_path)
        assert os.environ["CONFORMANCE_KUBECONFIG"] == "../../../kubeconfig"
    assert "CONFORMANCE_DIR" not in os.environ
    assert place.text("x-$CONFORMANCE_ID-$namespace", "n") == f"x-{place.id}-n"
    assert place.lines("nothing") == ()
