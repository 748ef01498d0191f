from __future__ import annotations

from pathlib import Path

import pytest

from proving_ground.chainsaw.discovery import NamePattern, find_test_files, full_name, shard
from proving_ground.errors import ConfigurationError


def touch(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def test_each_folder_gives_one_file_in_the_order_of_names(tmp_path: Path) -> None:
    touch(
        tmp_path,
        "b/chainsaw-test.yaml",
        "b/chainsaw-test.yml",
        "a/chainsaw-test.yml",
        "a/.hidden/chainsaw-test.yaml",
        "c/00-install.yaml",
        "c/01-assert.yaml",
        "d/other.yaml",
    )

    found = find_test_files([tmp_path, tmp_path / "b"], "chainsaw-test")

    assert [str(path.relative_to(tmp_path)) for path in found] == [
        "a/chainsaw-test.yml",
        "a/.hidden/chainsaw-test.yaml",
        "b/chainsaw-test.yaml",
        "c/00-install.yaml",
    ]


def test_a_name_with_its_extension_is_taken_as_it_is(tmp_path: Path) -> None:
    touch(tmp_path, "a/probe.yml", "b/probe.yaml")

    assert [path.parent.name for path in find_test_files([tmp_path], "probe.yml")] == ["a"]


@pytest.mark.parametrize("name", ["absent", "file"])
def test_a_root_has_to_be_a_folder(tmp_path: Path, name: str) -> None:
    touch(tmp_path, "file")

    with pytest.raises(ConfigurationError, match=name):
        find_test_files([tmp_path / name], "chainsaw-test")


@pytest.mark.parametrize("total", [0, 1, 5, 7, 10])
@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_shards_are_neighbours_and_together_everything(total: int, count: int) -> None:
    tests = list(range(total))

    assert [test for index in range(count) for test in shard(tests, index, count)] == tests


def test_seven_tests_in_three_shards_are_divided_as_chainsaw_divides_them() -> None:
    assert [list(shard(range(7), index, 3)) for index in range(3)] == [[0, 1], [2, 3], [4, 5, 6]]


@pytest.mark.parametrize(("index", "count"), [(3, 3), (-1, 2)])
def test_a_shard_that_is_not_there_is_refused(index: int, count: int) -> None:
    with pytest.raises(ConfigurationError, match="there is no shard"):
        shard([1, 2], index, count)


@pytest.mark.parametrize(
    ("pattern", "name", "included", "excluded"),
    [
        ("chainsaw/one", "one", True, True),
        ("chainsaw/on", "two", False, False),
        ("chainsaw/on", "lonely", True, True),
        ("chainsaw/^one$", "one-more", False, False),
        ("one", "one", False, False),
        ("chainsaw", "anything", True, True),
        ("chain.*/one/deeper", "one", True, False),
        ("chainsaw/a|chainsaw/b", "b", True, True),
        ("chainsaw/(a|b)$", "b", True, True),
        ("chainsaw/[/]x", "x", False, False),
        ("", "one", True, True),
    ],
)
def test_a_pattern_is_searched_part_by_part(pattern: str, name: str, included: bool, excluded: bool) -> None:
    found = NamePattern(pattern, "--include-test-regex")

    assert (found.includes(name), found.excludes(name)) == (included, excluded)


def test_a_full_name_has_a_part_for_each_folder() -> None:
    name = full_name(Path("/work/suite/one"), "one", Path("/work"))

    assert name == "suite/one[one]"
    assert NamePattern("chainsaw/suite/one", "").includes(name)
    assert not NamePattern("chainsaw/other", "").includes(name)


def test_a_pattern_that_can_match_nothing_says_why() -> None:
    assert NamePattern("one", "").hint == "the whole name is chainsaw/NAME: chainsaw/one"
    assert NamePattern("chainsaw/one", "").hint == ""


def test_a_pattern_that_is_none_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="is no regular expression"):
        NamePattern("chainsaw/(", "--include-test-regex")
