"""Every file is looked at by a hook, or is named with the reason why not."""

from __future__ import annotations

import re
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from identify.identify import tags_from_path

from .check_text import faults

ROOT = Path(__file__).parents[3]


@cache
def hooks() -> list[dict[str, Any]]:
    [repo] = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    assert repo["repo"] == "local"
    return list(repo["hooks"])


@cache
def unchecked() -> list[dict[str, str]]:
    return list(yaml.safe_load((ROOT / "tests/unit/project/unchecked_files.yml").read_text()))


@cache
def tracked() -> list[str]:
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout: nothing says which files are the project's")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [name for name in listed.split("\0") if name and (ROOT / name).is_file() and not (ROOT / name).is_symlink()]


def wants(hook: dict[str, Any], name: str, tags: frozenset[str]) -> bool:
    """Tell whether the hook is for such a file, before its exclusions."""
    return (
        re.search(hook.get("files", ""), name) is not None
        and set(hook.get("types", [])) <= tags
        and (not hook.get("types_or") or bool(tags & set(hook["types_or"])))
    )


def excludes(hook: dict[str, Any], name: str) -> bool:
    return re.search(hook.get("exclude", "^$"), name) is not None


def left_out() -> dict[str, list[str]]:
    """Return the files that a hook excludes, or that none is for, with the hooks' ids."""
    out: dict[str, list[str]] = {}
    for name in tracked():
        tags = frozenset(tags_from_path(str(ROOT / name)))
        wanting = [hook for hook in hooks() if wants(hook, name, tags)]
        excluding = [str(hook["id"]) for hook in wanting if excludes(hook, name)]
        if excluding or not wanting:
            out[name] = excluding or ["every hook"]
    return out


def test_every_file_that_a_hook_leaves_out_is_named_with_a_reason() -> None:
    unnamed = {
        name: ids for name, ids in left_out().items() if not any(re.fullmatch(u["pattern"], name) for u in unchecked())
    }
    assert unnamed == {}, "name them in tests/unit/project/unchecked_files.yml, or let a hook look at them"


@pytest.mark.parametrize("entry", unchecked(), ids=lambda entry: str(entry["pattern"]))
def test_every_named_exception_still_leaves_something_out_and_has_a_reason(entry: dict[str, str]) -> None:
    assert any(re.fullmatch(entry["pattern"], name) for name in left_out())
    assert len(entry["reason"]) > 20


@pytest.mark.parametrize("hook", hooks(), ids=lambda hook: str(hook["id"]))
def test_every_hook_is_local_and_fetches_nothing(hook: dict[str, Any]) -> None:
    assert hook["language"] == "system"


@pytest.mark.parametrize("hook", hooks(), ids=lambda hook: str(hook["id"]))
def test_every_hook_looks_at_a_file(hook: dict[str, Any]) -> None:
    assert any(wants(hook, name, frozenset(tags_from_path(str(ROOT / name)))) for name in tracked())


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        ("json", '{"a": 1}', []),
        ("json", "{", ["expected JSON: "]),
        ("toml", "a = 1\n", []),
        ("toml", "a =", ["expected TOML: "]),
        ("text", "", []),
        ("text", "one\n", []),
        ("text", "one", ["expected one newline"]),
        ("text", "one\n\n", ["expected one newline"]),
        ("text", "one \ntwo\n", ["line 1: a space"]),
        ("text", "one\n<<<<<<< ours\n", ["line 2: a conflict marker"]),
    ],
)
def test_text_that_is_not_as_it_should_be_is_told_with_its_line(kind: str, text: str, expected: list[str]) -> None:
    found = faults(kind, text)
    assert len(found) == len(expected)
    assert all(line.startswith(start) for line, start in zip(found, expected, strict=True))
