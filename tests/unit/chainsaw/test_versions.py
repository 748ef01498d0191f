"""Semantic versions and ranges of them."""

from __future__ import annotations

import pytest

from proving_ground.chainsaw.versions import matches, parse_version


@pytest.mark.parametrize(
    ("version", "wanted", "expected"),
    [
        ("1.2.3", "1.2.3", True),
        ("1.2.3", "!=1.2.3", False),
        ("1.2.3", ">1.2.2 <1.2.4", True),
        ("1.2.3", ">1.2.3", False),
        ("1.10.0", ">1.9.0", True),
        ("2.0.0", "<1.0.0 || >=2.0.0", True),
        ("1.5.0", "1.x", True),
        ("2.0.0", ">1.x", True),
        ("1.9.0", ">1.x", False),
        ("1.0.0-rc.1", "<1.0.0", True),
        ("1.0.0-rc.2", "<1.0.0-rc.10", True),
        ("1.0.0+build", "1.0.0", True),
    ],
)
def test_a_version_lies_in_a_range_or_not(version: str, wanted: str, *, expected: bool) -> None:
    assert matches(version, wanted) is expected


@pytest.mark.parametrize(("version", "wanted"), [("1.2", "1.2.3"), ("1.2.3", ""), ("1.2.3", "abc"), ("1.2.3", "x")])
def test_a_malformed_version_or_range_is_refused(version: str, wanted: str) -> None:
    with pytest.raises(ValueError, match=r"is not a|needs"):
        matches(version, wanted)


def test_a_release_comes_after_its_candidates() -> None:
    assert parse_version("1.0.0-alpha") < parse_version("1.0.0-beta") < parse_version("1.0.0")
