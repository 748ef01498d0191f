"""The objects of a load in a cluster."""

from __future__ import annotations

import base64
import datetime as dt
import json
from typing import TYPE_CHECKING, Any

import pytest

from proving_ground.errors import ConfigurationError
from proving_ground.load.measured.plan import Level, Plan
from proving_ground.load.pods import manifests

if TYPE_CHECKING:
    from pathlib import Path

NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


def plan(**changes: Any) -> Plan:
    told = {"url": "http://server:8000", "worker_pods": 2, "allowed": ("server",), "drain": 5.0, **changes}
    return Plan.model_validate({"levels": (Level(value=4, seconds=10, warm_up=1),), **told})


def held(secret: dict[str, Any], name: str) -> bytes:
    return base64.b64decode(secret["data"][name])


def test_pods_are_told_the_plan_and_what_its_files_hold(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("word\n")
    (tmp_path / "ca").write_text("certificate")
    secret = manifests.secret(plan(auth=str(tmp_path / "token"), ca=str(tmp_path / "ca")))
    assert held(secret, "auth") == b"word\n"
    told = json.loads(held(secret, "plan.json"))
    mounts = manifests.master("image", 60)["spec"]["containers"][0]["volumeMounts"]
    folder = next(mount["mountPath"] for mount in mounts if mount["name"] == "load")
    assert told["auth"] == f"{folder}/auth"
    assert told["ca"] == f"{folder}/ca"
    assert str(tmp_path) not in json.dumps(told)
    assert Plan.model_validate(told).check().parts == 2


def test_without_files_there_is_only_the_plan() -> None:
    secret = manifests.secret(plan())
    assert set(secret["data"]) == {"plan.json"}
    assert json.loads(held(secret, "plan.json"))["auth"] is None


def test_a_token_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"absent.*No such file"):
        manifests.secret(plan(auth=str(tmp_path / "absent")))


@pytest.mark.parametrize("made", [manifests.master("i:1", 60), manifests.worker(1, "i:1", 60, "10.0.0.1")])
def test_pods_may_do_no_more_than_they_need(made: dict[str, Any]) -> None:
    spec = made["spec"]
    container = spec["containers"][0]
    # Pod Security Standards, profile restricted.
    assert spec["securityContext"]["runAsNonRoot"]
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert not container["securityContext"]["allowPrivilegeEscalation"]
    assert container["securityContext"]["readOnlyRootFilesystem"]
    assert not spec["automountServiceAccountToken"]
    assert spec["restartPolicy"] == "Never"
    assert spec["activeDeadlineSeconds"] == 60
    assert set(container["resources"]["requests"]) == {"cpu", "memory"}
    # A limit would hold the client up.
    assert "limits" not in container["resources"]


def test_workers_join_the_master_and_spread_over_nodes() -> None:
    worker = manifests.worker(2, "i:1", 60, "10.0.0.1")
    assert worker["metadata"]["name"] == "load-worker-2"
    assert worker["spec"]["containers"][0]["args"][1:] == ["--worker", f"10.0.0.1:{manifests.PORT}"]
    (spread,) = worker["spec"]["topologySpreadConstraints"]
    assert spread["topologyKey"] == "kubernetes.io/hostname"
    assert spread["labelSelector"]["matchLabels"].items() <= worker["metadata"]["labels"].items()


def test_the_master_listens_on_its_own_address() -> None:
    container = manifests.master("i:1", 60)["spec"]["containers"][0]
    assert container["args"][1:] == ["--master", f"$(POD_IP):{manifests.PORT}"]
    assert container["env"][0]["valueFrom"]["fieldRef"]["fieldPath"] == "status.podIP"


def test_a_namespace_expires_after_its_pods() -> None:
    _, annotations = manifests.marks(plan(), 60.0, NOW)
    expires = dt.datetime.fromisoformat(annotations[manifests.EXPIRES])
    assert expires > NOW + dt.timedelta(seconds=manifests.pod_seconds(plan(), 60.0))
    namespace = {"metadata": {"name": "load-1", "annotations": annotations}}
    assert not manifests.expired(namespace, NOW)
    assert manifests.expired(namespace, expires + dt.timedelta(seconds=1))


@pytest.mark.parametrize(
    "metadata",
    [
        {},
        {"annotations": {manifests.EXPIRES: "soon"}},
        {"annotations": {manifests.EXPIRES: "2020-01-01"}},  # no time zone
        {"annotations": {manifests.EXPIRES: "2020-01-01T00:00:00+00:00"}, "deletionTimestamp": "2020-01-02T00:00:00Z"},
    ],
)
def test_what_does_not_say_when_it_expires_or_is_being_removed_is_left_alone(metadata: dict[str, Any]) -> None:
    assert not manifests.expired({"metadata": metadata}, NOW)


@pytest.mark.parametrize(
    "name", [manifests.IMAGE, "worker", "registry:5000/a/b:1", f"ghcr.io/x/y@sha256:{'a' * 64}", "a/b:v1.0_x-2"]
)
def test_an_image_has_a_name_that_images_have(name: str) -> None:
    manifests.check_image(name)


@pytest.mark.parametrize("name", ["", "Not_An:Image:x", "a b", "a:", "x@sha256:12", "http://x/y", "a\n"])
def test_what_no_image_is_called_is_refused(name: str) -> None:
    with pytest.raises(ConfigurationError, match="expected an image"):
        manifests.check_image(name)
