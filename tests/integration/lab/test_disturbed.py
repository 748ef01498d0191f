"""Programs of a control plane that are restarted on purpose."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Lab


@pytest.mark.parametrize("program", ["kube-scheduler", "etcd"])
def test_a_program_that_is_restarted_is_another_one_and_healthy(cluster: Lab, program: str) -> None:
    def processes() -> list[str]:
        return cluster.shell("cp1", f"pgrep --full '^{program} '").split()

    before = processes()
    disturbed = cluster.phase("disturb", proving_ground_disturbance={"action": "restart_program", "program": program})
    assert disturbed.cause == ""
    after = processes()
    assert len(after) == 1
    assert after != before
    cluster.assert_ready("w1")


def test_a_program_that_does_not_run_is_named(cluster: Lab) -> None:
    manifest = "/etc/kubernetes/manifests/kube-scheduler.yaml"
    cluster.shell("cp1", f"mv {manifest} /root/ && while pgrep --full '^kube-scheduler '; do sleep 0.2; done")
    try:
        disturbance = {"action": "restart_program", "program": "kube-scheduler"}
        disturbed = cluster.phase("disturb", proving_ground_disturbance=disturbance)
    finally:
        cluster.shell("cp1", f"mv /root/kube-scheduler.yaml {manifest}")
    assert "expected one program kube-scheduler on cp1, found 0" in disturbed.cause
