"""What a pod learns about itself."""

from __future__ import annotations

from typing import Any

import pytest

from proving_ground.fleet.pod.own import IMAGE, ApiServer, OwnPodError, alone, read_own, restarts_of
from proving_ground.fleet.pod.place import Place
from proving_ground.fleet.remembered import Setting, written

UID = "0a1b2c3d-0000-4000-8000-123456789abc"
PLACE = Place("models", "target-5d-x", UID, "mock")
ENDED = {"terminated": {"exitCode": 1}}


def pod(**metadata: Any) -> dict[str, Any]:
    return {
        "metadata": {
            "namespace": "models",
            "name": "target-5d-x",
            "uid": UID,
            "labels": {"pod-template-hash": "5d"},
            "ownerReferences": [{"kind": "ReplicaSet", "name": "target-5d", "controller": True}],
            **metadata,
        },
        "spec": {
            "nodeName": "node",
            "containers": [
                {"name": "first", "image": "x/y:1", "args": ["--a"]},
                {"name": "mock", "image": "localhost/proving-ground/mocks:1", "args": ["vllm-metrics"]},
            ],
        },
        "status": {"containerStatuses": [{"name": "mock", "restartCount": 2, "state": {"running": {}}}]},
    }


class Server(ApiServer):
    """An API server that has what it was given."""

    def __init__(self, objects: dict[str, Any]) -> None:
        self._objects = {f"/api/v1/namespaces/models{path}": found for path, found in objects.items()}

    def find(self, path: str) -> dict[str, Any] | None:
        return self._objects.get(path)


def test_a_container_learns_its_pod_its_faults_and_what_its_mock_is_to_show() -> None:
    settings = [Setting("", "set", {"gpu_cache": "90"})]
    server = Server(
        {
            "/pods/target-5d-x": pod(),
            "": {"metadata": {"annotations": {"proving.ground/fault": "never-ready"}}},
            "/configmaps/proving-ground-mocks": {"data": {"target": written(settings), "other": "[]"}},
        }
    )
    told = read_own(server, PLACE, [])
    assert (told.pod.workload, told.container, told.restarts) == ("target", "mock", 2)
    assert told.namespace_faults == {"never-ready"}
    assert told.settings == tuple(settings)
    assert not told.lacking


@pytest.mark.parametrize("kept", ["", "{}x", "[1]", '{"a": 1}', '[["a", "b", 3]]', "null"])
def test_settings_that_cannot_be_read_are_none(kept: str) -> None:
    objects = {"/pods/target-5d-x": pod(), "/configmaps/proving-ground-mocks": {"data": {"target": kept}}}
    assert read_own(Server(objects), PLACE, []).settings == ()


@pytest.mark.parametrize(("arguments", "container"), [(["vllm-metrics"], "mock"), (["--a"], "first"), ([], "first")])
def test_a_container_without_telling_mounts_knows_itself_by_its_arguments(arguments: list[str], container: str) -> None:
    told = read_own(Server({"/pods/target-5d-x": pod()}), Place("models", "target-5d-x"), arguments)
    assert told.container == container


def test_a_pod_of_the_same_name_is_another_one() -> None:
    with pytest.raises(OwnPodError, match="another pod"):
        read_own(Server({"/pods/target-5d-x": pod(uid="other")}), PLACE, [])


def test_a_pod_that_is_gone_is_told() -> None:
    with pytest.raises(OwnPodError, match="no pod"):
        read_own(Server({}), PLACE, [])


@pytest.mark.parametrize(
    ("status", "restarts"),
    [
        ({}, 0),
        ({"restartCount": 0, "state": {"waiting": {"reason": "ContainerCreating"}}}, 0),
        ({"restartCount": 0, "state": {"running": {}}}, 0),
        ({"restartCount": 1, "state": {"running": {}}, "lastState": ENDED}, 1),
        ({"restartCount": 0, "state": ENDED}, 1),
        ({"restartCount": 2, "state": {"waiting": {"reason": "CrashLoopBackOff"}}, "lastState": ENDED}, 3),
    ],
)
def test_runs_before_are_counted_also_where_the_status_is_of_the_run_before(
    status: dict[str, Any], restarts: int
) -> None:
    assert restarts_of({"status": {"containerStatuses": [{"name": "c", **status}]}}, "c") == restarts


def test_a_container_alone_goes_by_its_own_arguments_and_environment() -> None:
    told = alone(Place(), ["vllm-metrics", "--port=9000"], {IMAGE: "localhost/proving-ground/mocks:1"}, "why")
    (container,) = told.pod.containers
    assert (container.image, container.args) == ("localhost/proving-ground/mocks:1", ("vllm-metrics", "--port=9000"))
    assert (told.container, told.lacking) == (container.name, "why")


def test_what_no_kubelet_started_has_no_api_server(tmp_path: Any) -> None:
    with pytest.raises(OwnPodError, match="kubelet"):
        ApiServer(tmp_path, {})
    with pytest.raises(OwnPodError, match="service account"):
        ApiServer(tmp_path, {"KUBERNETES_SERVICE_HOST": "10.0.0.1"})
