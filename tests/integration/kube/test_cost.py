"""What one ordinary Chainsaw test costs an API server, in requests."""

from __future__ import annotations

import asyncio
import textwrap
from typing import TYPE_CHECKING

from proving_ground.chainsaw.loader import load_tests
from proving_ground.chainsaw.run import run_tests
from proving_ground.kube import Cluster

if TYPE_CHECKING:
    from pathlib import Path

    from proving_ground.chainsaw.model import Test
    from proving_ground.kube.counting import Requests

TEST = textwrap.dedent("""\
    apiVersion: chainsaw.kyverno.io/v1alpha1
    kind: Test
    metadata:
      name: cost-{number}
    spec:
      steps:
        - try:
            - apply:
                resource:
                  apiVersion: v1
                  kind: ConfigMap
                  metadata: {{name: c}}
                  data: {{state: fine}}
        - try:
            - error:
                resource:
                  apiVersion: v1
                  kind: ConfigMap
                  metadata: {{name: c}}
                  data: {{state: broken}}
        - try:
            - assert:
                resource:
                  apiVersion: v1
                  kind: ConfigMap
                  metadata: {{name: c}}
                  data: {{state: fine}}
    """)


def run(kubeconfig: str, folder: Path, count: int) -> Requests:
    """Run that many of the test at once; return the requests."""
    tests: list[Test] = []
    for number in range(count):
        place = folder / f"{count}-{number}"
        place.mkdir()
        (place / "chainsaw-test.yaml").write_text(TEST.format(number=number))
        tests += load_tests(place / "chainsaw-test.yaml")

    async def main() -> Requests:
        async with Cluster.connect(kubeconfig) as cluster:
            results = await run_tests(tests, cluster, parallel=count, root=folder)
            assert [(each.outcome, each.message) for each in results] == [("passed", "")] * count
            return cluster.requests_by

    return asyncio.run(main())


def test_an_ordinary_test_costs_few_requests_however_many_there_are(sim_cluster: str, tmp_path: Path) -> None:
    few, many = run(sim_cluster, tmp_path, 2), run(sim_cluster, tmp_path, 12)
    shared = {("discover", "v1"): 1, ("list", "configmaps"): 1, ("watch", "configmaps"): 1}
    shared |= {("list", "namespaces"): 1, ("watch", "namespaces"): 1}
    for requests, count in ((few, 2), (many, 12)):
        # Namespace and ConfigMap are made and removed, and error and assert look once each. What is left of the
        # objects as they go may have to be looked at once more, where the watch of a busy cluster is ahead.
        assert requests["create", "namespaces"] == requests["delete", "namespaces"] == count
        assert requests["create", "configmaps"] == requests["delete", "configmaps"] == count
        assert requests["get", "configmaps"] <= 3 * count
        assert requests["get", "namespaces"] == 0
        for key, most in shared.items():
            assert requests[key] <= most, f"{key} is shared by all tests"
        assert requests.total() <= 7 * count + sum(shared.values()), dict(requests)
