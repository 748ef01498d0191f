"""Workers that joined by halves, and of which the cluster and they themselves know different things."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Lab

KUBECONFIG = "/etc/kubernetes/kubelet.conf"


@pytest.mark.parametrize(
    "script",
    [
        # As kubeadm leaves it that was ended while it waited for the kubelet.
        f"systemctl stop kubelet && mv {KUBECONFIG} /etc/kubernetes/bootstrap-kubelet.conf",
        # As a full disk leaves it.
        f"systemctl stop kubelet && sed -i '/^clusters:/,/^contexts:/d' {KUBECONFIG}",
    ],
    ids=["a bootstrap file is left", "the kubeconfig names no cluster"],
)
def test_a_worker_that_joined_by_halves_joins_when_it_is_provisioned_again(cluster: Lab, script: str) -> None:
    cluster.shell("w1", script)
    assert cluster.provisioned_workers().cause == ""
    cluster.assert_ready("w1")


def test_a_node_that_was_deleted_behind_its_back_joins_when_it_is_provisioned_again(cluster: Lab) -> None:
    cluster.kubectl("delete", "node", "w1")
    assert cluster.provisioned_workers().cause == ""
    cluster.assert_ready("w1")
