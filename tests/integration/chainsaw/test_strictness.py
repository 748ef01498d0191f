"""Unknown fields, the API server's own words, and its warnings, as tests see them; against a real API server."""

from __future__ import annotations

import asyncio
import secrets
import textwrap
from typing import TYPE_CHECKING, Any

import pytest

from proving_ground.chainsaw.loader import load_tests
from proving_ground.chainsaw.run import Result, run_tests
from proving_ground.kube import Cluster, Reference, conditions

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HEAD = "apiVersion: chainsaw.kyverno.io/v1alpha1\nkind: Test\nmetadata: {name: strict}\nspec:\n  namespace: default\n"


@pytest.fixture
def run(tmp_path: Path, sim_cluster: str) -> Any:
    """Run a test whose steps are given."""

    def once(steps: str) -> Result:
        path = tmp_path / "chainsaw-test.yaml"
        path.write_text(HEAD + textwrap.indent(textwrap.dedent(steps), "  "))

        async def main() -> Result:
            async with Cluster.connect(sim_cluster) as cluster:
                (result,) = await run_tests(load_tests(path), cluster)
                return result

        return asyncio.run(main())

    return once


@pytest.fixture(scope="module")
def group(sim_cluster: str) -> Iterator[str]:
    """A kind ``Old`` whose version v1 is deprecated, and v2 is not."""
    group = f"g{secrets.token_hex(4)}.test.proving.ground"
    schema = {"openAPIV3Schema": {"type": "object", "properties": {"spec": {"type": "object"}}}}
    deprecated = {"deprecated": True, "deprecationWarning": 'Old v1 is "old"'}
    crd = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"olds.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"kind": "Old", "plural": "olds", "singular": "old"},
            "versions": [
                {"name": "v1", "served": True, "storage": False, "schema": schema, **deprecated},
                {"name": "v2", "served": True, "storage": True, "schema": schema},
            ],
        },
    }
    reference = Reference.of(crd)

    async def make() -> None:
        async with Cluster.connect(sim_cluster) as cluster:
            await cluster.create(crd)
            await cluster.wait_for(
                reference,
                lambda obj: any(c[:2] == ("Established", "True") for c in conditions(obj or {})),
                timeout=20,
                what="condition Established",
            )

    async def remove() -> None:
        async with Cluster.connect(sim_cluster) as cluster:
            await cluster.delete(reference)

    asyncio.run(make())
    yield group
    asyncio.run(remove())


@pytest.mark.parametrize("operation", ["apply", "create"])
def test_an_unknown_field_is_refused_and_the_error_is_what_the_api_server_says(run: Any, operation: str) -> None:
    result = run(
        f"""\
        steps:
        - try:
          - {operation}:
              resource:
                apiVersion: v1
                kind: ConfigMap
                metadata: {{name: strict}}
                dat: {{a: b}}
              expect:
              - check:
                  ($error): >-
                    ConfigMap in version "v1" cannot be handled as a ConfigMap: strict decoding error:
                    unknown field "dat"
        """
    )

    assert (result.outcome, result.message) == ("passed", "")


def test_an_unknown_field_without_an_expectation_fails_the_operation(run: Any) -> None:
    result = run(
        """\
        steps:
        - try:
          - apply:
              timeout: 100ms
              resource: {apiVersion: v1, kind: ConfigMap, metadata: {name: strict}, dat: {a: b}}
        """
    )

    assert result.outcome == "failed"
    assert 'unknown field "dat"' in result.message


def test_the_warnings_of_each_write_are_seen_by_its_expectations(run: Any, group: str) -> None:
    name = f"old-{secrets.token_hex(3)}"

    def operation(kind: str, version: str, warnings: str) -> str:
        what = f"apiVersion: {group}/{version}, kind: Old"
        named = f"ref: {{{what}, name: {name}}}" if kind == "delete" else ""
        named = named or f"resource: {{{what}, metadata: {{name: {name}}}, spec: {{}}}}"
        return f"- {kind}: {{{named}, expect: [{{check: {{'($warnings[*].text)': {warnings}}}}}]}}\n"

    told = """['Old v1 is "old"']"""
    text = "steps:\n- try:\n"
    for kind in ("create", "apply", "patch", "update"):
        text += "  " + operation(kind, "v1", told)
        if kind != "create":
            text += "  " + operation(kind, "v2", "[]")
    text += "  " + operation("delete", "v1", told)

    result = run(text)

    assert (result.outcome, result.message) == ("passed", "")
