"""Resources and values that test files refer to."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from proving_ground.chainsaw.documents import Repeated, Where
from proving_ground.chainsaw.model import ResourceRef
from proving_ground.chainsaw.resources import load_resources, load_values, repeated_keys
from proving_ground.errors import ConfigurationError

POD = "apiVersion: v1\nkind: Pod\nmetadata:\n  name: {}\n"


def write(directory: Path, **files: str) -> None:
    for name, text in files.items():
        (directory / f"{name}.yaml").write_text(text)


def names(resources: Any) -> list[str]:
    return [resource.obj["metadata"]["name"] for resource in resources]


def test_a_file_gives_its_documents_in_order_with_their_lines(tmp_path: Path) -> None:
    write(tmp_path, a=POD.format("x") + "---\n" + POD.format("y"))

    resources = load_resources("a.yaml", tmp_path)

    assert names(resources) == ["x", "y"]
    assert [resource.where for resource in resources] == [Where(tmp_path / "a.yaml", line) for line in (1, 6)]


def test_a_glob_gives_its_files_by_name(tmp_path: Path) -> None:
    write(tmp_path, b=POD.format("b"), a=POD.format("a"), other=POD.format("o"))

    assert names(load_resources("[ab].yaml", tmp_path)) == ["a", "b"]
    assert names(load_resources("*.yaml", tmp_path)) == ["a", "b", "o"]


def test_a_path_leaves_the_directory_of_the_test_where_it_says_so(tmp_path: Path) -> None:
    (tmp_path / "test").mkdir()
    write(tmp_path, shared=POD.format("s"))

    assert names(load_resources("../shared.yaml", tmp_path / "test")) == ["s"]


def test_a_directory_with_the_characters_of_a_glob_is_taken_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "a[1]*").mkdir()
    write(tmp_path / "a[1]*", x=POD.format("x"))

    assert names(load_resources("x*.yaml", tmp_path / "a[1]*")) == ["x"]


@pytest.mark.parametrize("tree", [False, True])
@pytest.mark.parametrize("kind", ["List", "PodList", "Bundle"])
def test_what_has_items_is_taken_apart(tmp_path: Path, kind: str, *, tree: bool) -> None:
    item = "{apiVersion: v1, kind: Pod, metadata: {name: x}}"
    write(tmp_path, a=f"apiVersion: v1\nkind: {kind}\nitems:\n- {item}\n- {item}\n")

    assert names(load_resources("a.yaml", tmp_path, tree=tree)) == ["x", "x"]


def test_items_below_the_top_or_no_list_are_a_field_as_any_other(tmp_path: Path) -> None:
    write(tmp_path, a=POD.format("x") + "items: {a: 1}\nspec: {items: [1]}\n")

    assert load_resources("a.yaml", tmp_path)[0].obj["spec"] == {"items": [1]}


def test_the_last_of_equal_keys_counts_and_is_told_to_who_asks(tmp_path: Path) -> None:
    write(tmp_path, a=POD.format("x") + "spec: {a: 1}\nspec: {b: 2}\n")

    assert load_resources("a.yaml", tmp_path)[0].obj["spec"] == {"b": 2}
    assert repeated_keys(tmp_path / "a.yaml") == (Repeated("spec", Where(tmp_path / "a.yaml", 6), 5),)


def test_a_file_of_comments_and_empty_documents_holds_what_is_left(tmp_path: Path) -> None:
    write(tmp_path, a="# a\n---\n# b\n---\n" + POD.format("x") + "---\n---\n", b="# nothing\n---\n")

    assert names(load_resources("a.yaml", tmp_path)) == ["x"]
    with pytest.raises(ConfigurationError, match="holds no resource"):
        load_resources("b.yaml", tmp_path)


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("*.yaml", [".h", "a", "b"]),
        ("?.yaml", ["a", "b"]),
        ("[^a].yaml", ["b"]),
        ("[!a].yaml", ["a"]),  # ! is a member as any other
        ("[a-b].yaml", ["a", "b"]),
        ("[\\b].yaml", ["b"]),
        ("\\a.yaml", ["a"]),
        ("**.yaml", [".h", "a", "b"]),
        ("**/c.yaml", ["c"]),  # one folder deep, not any number
        ("*/*.yaml", ["c"]),
        ("./sub/../[a].yaml", ["a"]),
    ],
)
def test_a_pattern_is_one_of_go(tmp_path: Path, pattern: str, found: list[str]) -> None:
    (tmp_path / "sub" / "deep").mkdir(parents=True)
    for name in (".h", "a", "b", "sub/c", "sub/deep/c"):
        (tmp_path / f"{name}.yaml").write_text(POD.format(Path(name).name.removeprefix(".") if name != ".h" else ".h"))

    assert names(load_resources(pattern, tmp_path)) == found


def test_a_name_may_be_an_expression(tmp_path: Path) -> None:
    write(tmp_path, a=POD.format("x"))

    assert names(load_resources("(join('.', [$n, 'yaml']))", tmp_path, {"n": "a"})) == ["x"]
    with pytest.raises(ConfigurationError, match=r"no binding \$n"):
        load_resources("($n)", tmp_path)


def test_an_inline_resource_is_given_as_it_is(tmp_path: Path) -> None:
    where = Where(tmp_path / "t.yaml", 7)
    ref = ResourceRef(file=None, resource={"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}}, where=where)

    (resource,) = load_resources(ref, tmp_path)

    assert resource.obj is ref.resource
    assert resource.where == where
    assert resource.tree is resource.tree


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    write(tmp_path, a=POD.format("x"))
    first = load_resources("a.yaml", tmp_path)
    assert load_resources("a.yaml", tmp_path)[0] is first[0]
    write(tmp_path, a=POD.format("yy"))

    assert names(load_resources("a.yaml", tmp_path)) == ["yy"]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("none.yaml", "no such file"),
        ("none-*.yaml", "matches no file"),
        ("", "relative to the test"),
        ("/etc/passwd", "relative to the test"),
        ("https://user:secret@example.org/a.yaml?token=1", "'https://example.org/a.yaml': .* only where a run allows"),
        ("[a.yaml", "not a pattern: a \\[ is never closed"),
        ("a*\\", "not a pattern"),
        ("[b-a]*", "not a pattern"),
        ("dir*", "matches the directory"),
        ("none/*/x.yaml", "matches no file"),
        ("a\0b", "relative to the test"),
        ("directory", "no such file"),
    ],
)
def test_a_name_that_leads_nowhere_is_refused(tmp_path: Path, name: str, reason: str) -> None:
    (tmp_path / "directory").mkdir()

    with pytest.raises(ConfigurationError, match=reason):
        load_resources(name, tmp_path)


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("", None, "holds no resource"),
        ("- 1\n", 1, "a resource has to be a mapping, found a list"),
        ("kind: Pod\n", 1, "a resource has no apiVersion"),
        ("apiVersion: v1\nkind: [Pod]\nmetadata: {name: a}\n", 2, "kind of a resource has to be a text"),
        (POD.format("1"), 4, "name of metadata has to be a text, found the number 1"),
        (POD.format("x") + "spec:\n  a: (b ==)\n", 6, "ends too early"),
        (POD.format("x") + "  namespace: 5\n", 5, "namespace of metadata has to be a text"),
    ],
)
def test_a_file_that_holds_no_resource_is_refused_with_its_line(
    tmp_path: Path, text: str, line: int | None, reason: str
) -> None:
    write(tmp_path, a=text)

    with pytest.raises(ConfigurationError, match=reason) as caught:
        load_resources("a.yaml", tmp_path)

    assert caught.value.where == f"{tmp_path / 'a.yaml'}" + (f":{line}" if line else "")


def test_a_tree_needs_neither_kind_nor_name(tmp_path: Path) -> None:
    write(tmp_path, a="(1 == 1): true\n")

    assert load_resources("a.yaml", tmp_path, tree=True)[0].obj == {"(1 == 1)": True}


# values


def test_later_values_replace_earlier_ones_mapping_by_mapping(tmp_path: Path) -> None:
    write(tmp_path, a="x: {y: 1, z: 2}\nlist: [1, 2]\n", b="x: {y: 3}\nlist: [3]\nnew: true\n")

    values = load_values([tmp_path / "a.yaml", tmp_path / "b.yaml"])

    assert values == {"x": {"y": 3, "z": 2}, "list": [3], "new": True}


def test_no_values_and_an_empty_file_are_no_values(tmp_path: Path) -> None:
    write(tmp_path, a="# nothing\n")

    assert load_values([]) == {}
    assert load_values([tmp_path / "a.yaml"]) == {}


def test_values_leave_the_mode_of_their_file_alone(tmp_path: Path) -> None:
    write(tmp_path, a="token: x\n")
    path = tmp_path / "a.yaml"
    path.chmod(0o600)
    before = os.stat(path)

    load_values([path])

    assert os.stat(path).st_mode == before.st_mode
    assert os.stat(path).st_mtime_ns == before.st_mtime_ns


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("token: 'secret-1\n", 2),
        ("token: secret-1\ntoken: secret-1\n", 2),
        ("- secret-1\n", 1),
        ("secret-1\n", 1),
        ("a: 1\n---\ntoken: secret-1\n", 3),
        ("token: [secret-1\nb: c\n", 2),
    ],
)
def test_broken_values_are_one_line_with_file_and_line_and_no_value(tmp_path: Path, text: str, line: int) -> None:
    write(tmp_path, a=text)

    with pytest.raises(ConfigurationError) as caught:
        load_values([tmp_path / "a.yaml"])

    assert caught.value.where == f"{tmp_path / 'a.yaml'}:{line}"
    assert "secret-1" not in str(caught.value)
    assert "\n" not in str(caught.value)
