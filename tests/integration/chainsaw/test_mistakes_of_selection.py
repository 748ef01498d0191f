"""Mistakes of the engine in which tests it picks: conformance cases notice each of them."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from proving_ground.chainsaw import choices
from proving_ground.chainsaw.conformance import Ended, Seen, load_corpus, problems
from proving_ground.chainsaw.discovery import NamePattern
from proving_ground.chainsaw.loader import load_tests
from proving_ground.cli import Parser
from proving_ground.cli.chainsaw import _choices, add_parser

if TYPE_CHECKING:
    from proving_ground.chainsaw.conformance import Case

noticed_by = pytest.mark.noticed_by
CORPUS = {case.name: case for case in load_corpus(Path(__file__).parent / "conformance")}


def parsed(*words: str) -> argparse.Namespace:
    parser = Parser(prog="proving-ground")
    add_parser(parser.add_subparsers(parser_class=Parser))
    return parser.parse_args(["chainsaw", "test", *words])


def picked(case: Case) -> list[str]:
    """Return in what the tests that are picked for a case are not those that it declares to run."""
    tests, seen = load_tests(case.folder / case.expected.file), Seen()
    count = case.expected.shards
    shards = [(f"--shard-count={count}", f"--shard-index={index}") for index in range(count)]
    for options in shards or [("--shard-count=0", "--shard-index=0")]:
        session = choices.Session(_choices(parsed(*case.expected.arguments, *options)))
        kept = [test for test, wanted in zip(tests, session.selected(tests), strict=True) if wanted]
        seen.ended += [Ended(test.name, "passed") for test in kept]
    return problems(case, seen)


@noticed_by("command/shards")
def a_shard_drops_a_test(wrong: Any) -> None:
    wrong.around(choices, "shard", lambda right, tests, *rest: right(tests, *rest)[:1])


@noticed_by("command/shards")
def a_test_is_in_two_shards(wrong: Any) -> None:
    wrong.around(choices, "shard", lambda right, tests, *rest: [*right(tests, *rest), *tests[:1]])


@noticed_by("command/selector")
def labels_select_any_test(wrong: Any) -> None:
    wrong.be(choices, "selected", lambda *_arguments: True)


@noticed_by("command/selector")
def one_label_is_enough(wrong: Any) -> None:
    wrong.around(
        choices,
        "selected",
        lambda right, labels, requirements: any(right(labels, [one]) for one in requirements),
    )


@noticed_by("command/exclude")
def tests_to_be_left_out_run(wrong: Any) -> None:
    wrong.be(NamePattern, "excludes", lambda *_arguments: False)


@noticed_by("command/exclude")
def every_test_is_left_out(wrong: Any) -> None:
    wrong.be(NamePattern, "excludes", lambda *_arguments: True)


def test_a_mistake_is_noticed(mistake: Any, cases: tuple[str, ...], limit: float, wrong: Any) -> None:  # noqa: ARG001  # every mistake has one
    mistake(wrong)

    assert [name for name in cases if not picked(CORPUS[name])] == []


def test_the_engine_as_it_is_makes_none_of_them(all_cases: set[str]) -> None:
    assert {name: picked(CORPUS[name]) for name in all_cases if picked(CORPUS[name])} == {}
