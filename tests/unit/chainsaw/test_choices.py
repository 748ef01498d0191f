from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from proving_ground.chainsaw.choices import Choices, Session
from proving_ground.chainsaw.loader import load_tests
from proving_ground.chainsaw.model import Timeouts
from proving_ground.errors import ConfigurationError, InfrastructureError

TEST = """\
apiVersion: chainsaw.kyverno.io/v1alpha1
kind: Test
metadata: {name: %s, labels: {team: %s}}
spec:
  scenarios: [{bindings: []}, {bindings: []}]
  steps: []
"""
CONFIGURATION = """\
apiVersion: chainsaw.kyverno.io/v1alpha2
kind: Configuration
spec: {timeouts: {assert: 7s, apply: 8s}, execution: {parallel: %d}}
"""


@pytest.fixture(autouse=True)
def without_cluster(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))


def written(folder: Path, name: str = "one", team: str = "a") -> Path:
    path = folder / name / "chainsaw-test.yaml"
    path.parent.mkdir(parents=True)
    path.write_text(TEST % (name, team))
    return path


@pytest.mark.parametrize(
    ("pairs", "strings", "values"),
    [
        (["a=1"], [], {"a": 1}),
        (["a=1,b=true"], [], {"a": 1, "b": True}),
        (["a.b=x,a.c=y"], [], {"a": {"b": "x", "c": "y"}}),
        (["a=[1, 2]"], [], {"a": [1, 2]}),
        (["a={b: 1, c: 2}"], [], {"a": {"b": 1, "c": 2}}),
        (["a=x\\,b=y"], [], {"a": "x,b=y"}),
        (["a=x=y"], [], {"a": "x=y"}),
        (["a="], [], {"a": None}),
        ([], ["a=01,b=true"], {"a": "01", "b": "true"}),
        (["a=1"], ["a=1"], {"a": "1"}),
    ],
    ids=str,
)
def test_values_are_set_as_they_are_written(pairs: list[str], strings: list[str], values: dict[str, Any]) -> None:
    assert Choices(set_values=tuple(pairs), set_strings=tuple(strings)).values() == values


@pytest.mark.parametrize("text", ["a", "=1", "a.b=1,a=2,a.b=3", "a=[1", ""])
def test_values_that_are_no_pairs_are_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match="--set"):
        Choices(set_values=(text,)).values()


def test_options_go_before_the_file_and_the_file_before_the_default(tmp_path: Path) -> None:
    (tmp_path / ".chainsaw.yaml").write_text(CONFIGURATION % 3)
    chosen = Choices(directory=tmp_path, changes={"skip_delete": True}, timeouts=Timeouts(assert_=1.0))

    session = Session(chosen)

    assert session.parallel == 3
    assert session.discovery.skip_delete is True
    assert (session.discovery.timeouts.assert_, session.discovery.timeouts.apply) == (1.0, 8.0)
    assert session.discovery.timeouts.delete == 15.0


def test_the_nearest_configuration_holds_where_the_run_has_none(tmp_path: Path) -> None:
    path = written(tmp_path)
    (path.parent / ".chainsaw.yaml").write_text(CONFIGURATION % 3)
    elsewhere = tmp_path / "elsewhere"
    (test, _) = load_tests(path)

    near = Session(Choices(directory=elsewhere, nearest=True), tmp_path).configuration_of(test)
    far = Session(Choices(directory=elsewhere, nearest=False)).configuration_of(test)

    assert near is not None
    assert near.timeouts.apply == 8.0
    assert far is not None
    assert far.timeouts.apply == 5.0


def test_one_test_at_once_where_a_failure_pauses(tmp_path: Path) -> None:
    assert Session(Choices(directory=tmp_path, changes={"parallel": 9}, pause=True)).parallel == 1


def test_labels_then_shards_then_names_and_scenarios_stay_together(tmp_path: Path) -> None:
    tests = [
        test
        for name, team in (("one", "a"), ("two", "b"), ("three", "a"), ("four", "a"))
        for test in load_tests(written(tmp_path, name, team))
    ]
    chosen = Choices(
        directory=tmp_path,
        selectors=("team=a",),
        shard_count=2,
        shard_index=1,
        changes={"exclude_regex": "chainsaw/four"},
    )

    wanted = Session(chosen).selected(tests)

    assert [test.name for test, is_wanted in zip(tests, wanted, strict=True) if is_wanted] == ["three", "three"]


def test_a_kubeconfig_is_found_as_kubectl_finds_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given, named, usual = tmp_path / "given", tmp_path / "named", tmp_path / "home/.kube/config"
    usual.parent.mkdir(parents=True)
    for path in (given, named, usual):
        path.touch()

    assert Choices().find_kubeconfig() == usual
    monkeypatch.setenv("KUBECONFIG", f"{tmp_path}/absent:{named}")
    assert Choices().find_kubeconfig() == named
    assert Choices(kubeconfig=given).find_kubeconfig() == given
    monkeypatch.setenv("KUBECONFIG", f"{given}:{named}")
    with pytest.raises(ConfigurationError, match="KUBECONFIG names 2 files"):
        Choices().find_kubeconfig()


def test_no_kubeconfig_is_no_cluster() -> None:
    with pytest.raises(InfrastructureError, match=r"no cluster: there is no kubeconfig at ~/\.kube/config"):
        Choices().find_kubeconfig()


def test_a_kubeconfig_that_is_named_has_to_be_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no such kubeconfig"):
        Choices(kubeconfig=tmp_path / "absent").find_kubeconfig()
