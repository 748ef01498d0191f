"""Tests that use more than one cluster: several kubeconfigs of a real API server."""

from __future__ import annotations

import asyncio
import shutil
import textwrap
from typing import TYPE_CHECKING, Any

import pytest

from proving_ground.chainsaw.configurations import load_configuration
from proving_ground.chainsaw.loader import load_tests
from proving_ground.chainsaw.run import Result, run_tests
from proving_ground.kube import Cluster
from proving_ground.kube.namespaces import random_name

if TYPE_CHECKING:
    from pathlib import Path

# A namespace of its own would cost each test the seconds of its removal.
HEAD = "apiVersion: chainsaw.kyverno.io/v1alpha1\nkind: Test\nmetadata: {name: clusters}\nspec:\n  namespace: default\n"
CONFIGURATION = "apiVersion: chainsaw.kyverno.io/v1alpha2\nkind: Configuration\nspec:\n"


@pytest.fixture
def run(tmp_path: Path, sim_cluster: str) -> Any:
    """Run a test on the cluster, with a second kubeconfig of it as ``second.kubeconfig`` in its folder."""
    shutil.copy(sim_cluster, tmp_path / "second.kubeconfig")

    def once(spec: str, configuration: str = "") -> tuple[Result, list[str]]:
        path = tmp_path / "chainsaw-test.yaml"
        path.write_text(HEAD + textwrap.indent(textwrap.dedent(spec), "  "))
        settings = None
        if configuration:
            (tmp_path / ".chainsaw.yaml").write_text(CONFIGURATION + configuration)
            settings = load_configuration(tmp_path / ".chainsaw.yaml")

        async def main() -> tuple[Result, list[str]]:
            async with Cluster.connect(sim_cluster) as cluster:
                (result,) = await run_tests(load_tests(path), cluster, configuration=settings)
                found = await cluster.list("v1", "Namespace")
                return result, [namespace["metadata"]["name"] for namespace in found]

        return asyncio.run(main())

    return once


def test_a_cluster_that_a_step_makes_is_there_for_the_next_step(run: Any) -> None:
    name = random_name("clusters")

    result, namespaces = run(
        f"""\
        steps:
        - try:
          - script: {{content: cp "$KUBECONFIG" made.kubeconfig}}
        - clusters: {{made: {{kubeconfig: made.kubeconfig}}}}
          cluster: made
          try:
          - apply:
              resource: {{apiVersion: v1, kind: Namespace, metadata: {{name: {name}}}}}
          - assert:
              resource: {{apiVersion: v1, kind: Namespace, metadata: {{name: {name}}}}}
          - script:
              content: echo "$KUBECONFIG"
              outputs: [{{name: used, value: (trim_space($stdout))}}]
          - assert:
              resource:
                (ends_with($used, '/made.kubeconfig')): true
        """
    )

    assert (result.outcome, result.message) == ("passed", "")
    assert name not in namespaces, "what was made on another cluster is removed there"


@pytest.mark.parametrize("level", ["test", "step", "operation", "configuration"])
def test_a_cluster_can_be_chosen_at_every_level(run: Any, tmp_path: Path, level: str) -> None:
    registered = "{second: {kubeconfig: second.kubeconfig}}"
    both = f"clusters: {registered}, cluster: second"
    script = "{script: {content: SCRIPT}}"
    spec = {
        "test": f"clusters: {registered}\ncluster: second\nsteps: [{{try: [{script}]}}]",
        "step": f"steps: [{{{both}, try: [{script}]}}]",
        "operation": f"steps: [{{try: [{{script: {{{both}, content: SCRIPT}}}}]}}]",
        "configuration": f"cluster: second\nsteps: [{{try: [{script}]}}]",
    }[level]
    configured = f"  clusters: {{second: {{kubeconfig: {tmp_path}/second.kubeconfig}}}}\n"

    result, _ = run(
        spec.replace("SCRIPT", '\'test "$KUBECONFIG" = "$PWD/second.kubeconfig"\''),
        configured if level == "configuration" else "",
    )

    assert (result.outcome, result.message) == ("passed", "")


def test_the_cluster_may_be_an_expression_over_the_bindings_beside_it(run: Any) -> None:
    script = '{script: {content: \'test "$KUBECONFIG" = "$PWD/second.kubeconfig"\'}}'

    result, _ = run(
        "clusters: {second: {kubeconfig: second.kubeconfig}}\n"
        "bindings: [{name: chosen, value: second}, {name: later, value: ($namespace)}]\n"
        f"cluster: ($chosen)\nsteps: [{{try: [{script}]}}]"
    )

    assert (result.outcome, result.message) == ("passed", "")


def test_an_expression_that_names_no_cluster_means_the_outer_one(run: Any) -> None:
    script = '{script: {content: \'test "$KUBECONFIG" != "$PWD/second.kubeconfig"\'}}'

    result, _ = run(f"bindings: [{{name: chosen, value: ''}}]\ncluster: ($chosen)\nsteps: [{{try: [{script}]}}]")

    assert (result.outcome, result.message) == ("passed", "")


def test_a_context_that_the_kubeconfig_does_not_have_fails_the_test_and_is_named(run: Any) -> None:
    result, _ = run(
        "clusters: {second: {kubeconfig: second.kubeconfig, context: nowhere}}\ncluster: second\nsteps: [{try: []}]"
    )

    assert result.outcome == "failed"
    assert "cluster 'second'" in result.message
    assert "nowhere" in result.message


def test_a_kubeconfig_that_is_not_there_fails_the_operation_and_is_named(run: Any) -> None:
    result, _ = run(
        "steps: [{try: [{get: {clusters: {x: {kubeconfig: none}}, cluster: x, apiVersion: v1, kind: Node}}]}]"
    )

    assert result.outcome == "failed"
    assert "cluster 'x': " in result.message
    assert "the kubeconfig" in result.message
