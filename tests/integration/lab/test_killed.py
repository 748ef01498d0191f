"""A host that goes away while it is provisioned."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Lab


@pytest.mark.weekly  # it makes a worker twice
def test_a_worker_killed_while_it_joins_is_named_and_create_and_provision_have_it_back(cluster: Lab) -> None:
    cluster.kubectl("delete", "node", "w1")
    provision = cluster.begin("provision")
    cluster.wait_for_program("w1", "kubeadm join", provision)
    cluster.kill("w1")
    outcome = provision.result()
    assert outcome.status == "failed"
    assert outcome.cause.startswith("w1: unreachable: ")
    assert "(task: join | Join)" in outcome.cause
    cluster.provisioned()
    cluster.assert_ready("w1")
