"""Configuration files of either version."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from proving_ground.chainsaw import model
from proving_ground.chainsaw.configurations import load_configuration
from proving_ground.errors import ConfigurationError


@pytest.fixture
def configure(tmp_path: Path) -> Any:
    def load_text(version: str, spec: str) -> model.Configuration:
        path = tmp_path / ".chainsaw.yaml"
        head = f"apiVersion: chainsaw.kyverno.io/{version}\nkind: Configuration\nmetadata:\n  name: c\n"
        path.write_text(head + spec)
        return load_configuration(path)

    return load_text


def test_a_configuration_of_either_version_says_the_same(configure: Any) -> None:
    first = configure(
        "v1alpha1",
        "spec:\n  timeouts: {cleanup: 5m}\n  parallel: 4\n  failFast: true\n  skipDelete: true\n  template: false\n"
        "  namespace: n\n  delayBeforeCleanup: 1s\n  forceTerminationGracePeriod: 2s\n"
        "  deletionPropagationPolicy: Orphan\n  catch: [{events: {}}]\n",
    )
    second = configure(
        "v1alpha2",
        "spec:\n  timeouts: {cleanup: 5m}\n  execution: {parallel: 4, failFast: true,"
        " forceTerminationGracePeriod: 2s}\n"
        "  cleanup: {skipDelete: true, delayBeforeCleanup: 1s}\n  templating: {enabled: false}\n"
        "  namespace: {name: n}\n  deletion: {propagation: Orphan}\n  error: {catch: [{events: {}}]}\n",
    )

    assert first.timeouts == model.Timeouts(5.0, 30.0, 300.0, 15.0, 30.0, 5.0)
    assert len(first.catch) == len(second.catch) == 1
    for name in model.Configuration.__dataclass_fields__:
        if name not in ("catch", "where"):
            assert getattr(first, name) == getattr(second, name), name


def test_an_empty_configuration_leaves_the_defaults(configure: Any) -> None:
    assert configure("v1alpha1", "spec: {}\n").timeouts == model.DEFAULT_TIMEOUTS
    assert configure("v1alpha2", "spec:\n").timeouts == model.DEFAULT_TIMEOUTS


@pytest.mark.parametrize(
    ("version", "spec", "line", "reason"),
    [
        ("v1alpha1", "spec: {reportFormat: CSV}\n", 5, "reportFormat of spec has to be one of"),
        ("v1alpha1", "spec: {testFile: a/b}\n", 5, "has to be the name of a file"),
        ("v1alpha1", "spec: {execution: {}}\n", 5, "unknown field 'execution'"),
        ("v1alpha1", "spec: {parallel: 0}\n", 5, "parallel of spec has to be at least 1"),
        ("v1alpha1", "spec: {timeouts: {cleanup: 5}}\n", 5, "cleanup of timeouts has to be a text"),
        ("v1alpha2", "spec: {discovery: {includeTestRegex: '('}}\n", 5, "is no regular expression"),
        ("v1alpha2", "spec: {execution: {paralel: 4}}\n", 5, "did you mean parallel"),
        ("v1alpha2", "", 1, "a Configuration has no spec"),
        ("v1beta1", "spec: {}\n", 1, "expected Configuration of"),
        ("v1alpha1", "spec: {}\n---\na: 1\n", 7, "expected one Configuration, found 2"),
    ],
)
def test_a_configuration_that_is_not_understood_is_refused(
    configure: Any, tmp_path: Path, version: str, spec: str, line: int, reason: str
) -> None:
    with pytest.raises(ConfigurationError, match=reason) as caught:
        configure(version, spec)

    assert caught.value.where == f"{tmp_path / '.chainsaw.yaml'}:{line}"
