"""Warnings of the API server."""

from __future__ import annotations

import pytest

from proving_ground.kube import strictness


@pytest.mark.parametrize(
    ("headers", "texts"),
    [
        ([], []),
        (['299 - "old"'], ["old"]),
        (['299 - "a, \\"b\\" \\\\ c"'], ['a, "b" \\ c']),
        (['299 - "one", 299 - "two"', '299 agent/1.0 "three"'], ["one", "two", "three"]),
        (["nonsense", '29 - "x"', '299 - "open'], []),
    ],
)
def test_each_warning_of_the_headers_is_given(headers: list[str], texts: list[str]) -> None:
    with strictness.strictly() as found:
        strictness.take(headers)

    assert [warning["text"] for warning in found] == texts


def test_the_last_answer_counts() -> None:
    with strictness.strictly() as found:
        strictness.take(['299 - "first"'])
        strictness.take([])

    assert found == []


def test_only_writes_of_those_who_ask_are_strict() -> None:
    assert strictness.parameters("POST") == {}
    with strictness.strictly():
        assert strictness.parameters("PATCH") == {"fieldValidation": "Strict"}
        assert strictness.parameters("GET") == {}
    strictness.take(['299 - "nobody asked"'])
