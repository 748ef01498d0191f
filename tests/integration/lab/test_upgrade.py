"""From Kubernetes 1.35 to 1.36 on three hosts.

The programs of both versions are needed, which takes minutes where they are built.
"""

from __future__ import annotations

import http.client
import json
import re
import threading
from typing import TYPE_CHECKING, Any, Self

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Lab

pytestmark = pytest.mark.weekly

BEFORE, AFTER = "v1.35.8", "v1.36.3"
PROGRAMS = [
    "kube-apiserver",
    "kube-controller-manager",
    "kube-proxy",
    "kube-scheduler",
    "kubeadm",
    "kubectl",
    "kubelet",
]
# Tags as kubeadm of that version has them.
OLD: dict[str, Any] = {
    "container_runtime_sandbox_image": "registry.k8s.io/pause:3.10.1",
    "kubernetes_control_plane_image_tags": {"coredns": "v1.13.1", "etcd": "3.6.6-0"},
    "kubernetes_control_plane_version": BEFORE,
    "kubernetes_images_tags": {"coredns": "v1.13.1", "etcd": "3.6.6-0", "pause": "3.10.1"},
    "kubernetes_images_version": BEFORE,
    "kubernetes_node_version": BEFORE,
    "kubernetes_worker_version": BEFORE,
    "tool_binaries_versions": dict.fromkeys(PROGRAMS, BEFORE),
}
LABELS = {"app": "web"}
# CoreDNS is on every node, and has an endpoint of health that goes on for a while when it is told to end.
WEB: list[dict[str, Any]] = [
    {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "web"},
        "data": {"Corefile": ".:1053 {\n  health :8080 {\n    lameduck 8s\n  }\n  whoami\n}\n"},
    },
    {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web"},
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": LABELS},
            "template": {
                "metadata": {"labels": LABELS},
                "spec": {
                    "terminationGracePeriodSeconds": 15,
                    "topologySpreadConstraints": [
                        {
                            "maxSkew": 1,
                            "topologyKey": "kubernetes.io/hostname",
                            "whenUnsatisfiable": "ScheduleAnyway",
                            "labelSelector": {"matchLabels": LABELS},
                        }
                    ],
                    "containers": [
                        {
                            "name": "web",
                            "image": "registry.k8s.io/coredns/coredns:v1.13.1",
                            "args": ["-conf=/etc/web/Corefile"],
                            "readinessProbe": {"httpGet": {"path": "/health", "port": 8080}, "periodSeconds": 1},
                            "volumeMounts": [{"name": "web", "mountPath": "/etc/web"}],
                        }
                    ],
                    "volumes": [{"name": "web", "configMap": {"name": "web"}}],
                },
            },
        },
    },
    {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": "web"},
        "spec": {"minAvailable": 1, "selector": {"matchLabels": LABELS}},
    },
    {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web"},
        "spec": {"selector": LABELS, "ports": [{"port": 80, "targetPort": 8080}]},
    },
]


class Asking:
    """Asks a Service over and over, on a thread of its own."""

    def __init__(self, address: str) -> None:
        self.answers = 0
        self.failures: list[str] = []
        self._address = address
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._ask)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _ask(self) -> None:
        while not self._over.wait(0.2):
            connection = http.client.HTTPConnection(self._address, 80, timeout=3)
            try:
                connection.request("GET", "/health")
                status = connection.getresponse().status
            except OSError as error:
                self.failures.append(str(error))
            else:
                self.answers += 1
                if status != http.client.OK:
                    self.failures.append(str(status))
            finally:
                connection.close()


def versions(lab: Lab) -> dict[str, str]:
    """Return the version of the API server, and of each node's kubelet."""
    server = json.loads(lab.kubectl("version", "--output=json"))["serverVersion"]["gitVersion"]
    nodes = json.loads(lab.kubectl("get", "nodes", "--output=json"))["items"]
    return {"api": server} | {node["metadata"]["name"]: node["status"]["nodeInfo"]["kubeletVersion"] for node in nodes}


def closed(lab: Lab) -> list[str]:
    """Return the nodes that take no new pods."""
    nodes = json.loads(lab.kubectl("get", "nodes", "--output=json"))["items"]
    return [node["metadata"]["name"] for node in nodes if node["spec"].get("unschedulable")]


def changes(lab: Lab) -> list[int]:
    """Return how much the last upgrade changed on each host."""
    last = max((lab.state / "runner").glob("upgrade-*"), key=lambda path: path.stat().st_mtime)
    (output,) = last.glob("artifacts/*/stdout")
    return [int(count) for count in re.findall(r"ok=\d+ +changed=(\d+)", output.read_text())]


@pytest.fixture
def old(new_lab: Callable[[list[str], list[str]], Lab]) -> Lab:
    """A cluster of the version before, with a Service that two workers answer for."""
    lab = new_lab(["cp1"], ["w1", "w2"])
    lab.provisioned(**OLD)
    for item in WEB:
        apply = "kubectl --kubeconfig=/etc/kubernetes/admin.conf apply --filename=-"
        lab.shell("cp1", f"{apply} <<'END'\n{json.dumps(item)}\nEND")
    lab.kubectl("rollout", "status", "deployment/web", "--timeout=120s")
    return lab


# One test, for the cluster that it needs costs minutes.
def test_an_upgrade_that_stopped_goes_on_while_a_service_answers_and_a_second_one_changes_nothing(old: Lab) -> None:
    refused = old.phase("upgrade", kubernetes_control_plane_version="v1.37.0")
    assert f"expected a version that is the next minor one of {BEFORE}" in refused.cause
    assert "/etc/kubernetes/" not in old.shell("cp1", "ls /etc/kubernetes/.proving-ground-upgrading", check=False)
    address = old.kubectl("get", "service", "web", "--output=jsonpath={.spec.clusterIP}")
    with Asking(address) as asking:
        # It stops when the control plane has the new version, and its own kubelet has not.
        stopped = old.phase("upgrade", kubernetes_node_drain_options=["--no-such-option"])
        assert "not every pod left cp1" in stopped.cause, stopped
        assert (versions(old)["api"], versions(old)["cp1"]) == (AFTER, BEFORE)
        upgraded = old.phase("upgrade")
    assert upgraded.status == "passed", upgraded
    assert set(versions(old).values()) == {AFTER}
    assert closed(old) == []
    assert asking.failures == []
    assert asking.answers > 0
    assert old.shell("cp1", "ls /var/lib/proving-ground/etcd") == f"before-{AFTER}.db"
    again = old.phase("upgrade")
    assert again.status == "passed", again
    assert set(changes(old)) == {0}
