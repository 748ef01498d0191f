"""The files of the suites, and what is made of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from proving_ground.autoscaling.manifests import CASES, SUITE_LABEL, folder, is_mock, load, names, prepared
from proving_ground.errors import ConfigurationError
from proving_ground.mocks import MOCKS

SCALERS = {
    "accuracy": ("accuracy-test-scaler", 20),
    "basic": ("llm-inference-scaler", 5),
    "cost": ("cost-aware-scaler", 10),
    "gpu": ("gpu-aware-scaler", 5),
    "learning": ("learning-scaler", 10),
    "mock": ("mock-metrics-scaler", 5),
    "policy": ("policy-test-scaler", 10),
    "prediction": ("prediction-scaler", 5),
    "schedulehints": ("schedulehints-only-scaler", 10),
}


def test_there_are_nine_configurations_and_a_case_for_each() -> None:
    assert names("configs") == sorted(CASES) == sorted(SCALERS)


@pytest.mark.parametrize("name", SCALERS)
def test_a_configuration_is_the_scaler_of_its_case(name: str) -> None:
    (scaler,) = load("configs", name, "elsewhere")
    assert (scaler["metadata"]["name"], scaler["spec"]["maxReplicas"]) == SCALERS[name]
    assert scaler["metadata"]["name"] == CASES[name].scaler
    assert scaler["spec"]["scaleTargetRef"]["name"] == CASES[name].target
    assert float(scaler["spec"]["metricsSources"][0]["targetValue"]) == CASES[name].at_target


@pytest.mark.parametrize("name", SCALERS)
def test_the_mocks_of_a_case_have_its_target_and_its_source(name: str) -> None:
    case = CASES[name]
    objects = [obj for mock in case.mocks for obj in load("mocks", mock, "elsewhere")]
    deployments = {obj["metadata"]["name"]: obj for obj in objects if obj["kind"] == "Deployment"}
    assert {case.target, case.source} <= set(deployments)
    containers = deployments[case.source]["spec"]["template"]["spec"]["containers"]
    mocks = [container["name"] for container in containers if is_mock(container["image"])]
    assert mocks == [case.container or mocks[0]]


@pytest.mark.parametrize("name", SCALERS)
def test_a_pod_source_reads_a_port_of_the_target(name: str) -> None:
    (scaler,) = load("configs", name, "elsewhere")
    source = scaler["spec"]["metricsSources"][0]
    if source["metricSourceType"] == "external":
        assert source["endpoint"] == "http://mock-vllm-metrics.elsewhere.svc.cluster.local:8000/json"
        return
    objects = [obj for mock in CASES[name].mocks for obj in load("mocks", mock, "elsewhere")]
    target = next(o for o in objects if o["kind"] == "Deployment" and o["metadata"]["name"] == CASES[name].target)
    containers = target["spec"]["template"]["spec"]["containers"]
    container = next(c for c in containers if str(c["ports"][0]["containerPort"]) == source["port"])
    mock = MOCKS[container["args"][0]]({entry["name"]: entry["value"] for entry in container.get("env", ())})
    assert source["targetMetric"] in mock.values()


@pytest.mark.parametrize("name", names("mocks"))
def test_mocks_accept_the_environment_that_they_are_given(name: str) -> None:
    for obj in load("mocks", name, "elsewhere"):
        if obj["kind"] == "Deployment":
            for container in obj["spec"]["template"]["spec"]["containers"]:
                if is_mock(container["image"]):
                    MOCKS[container["args"][0]]({e["name"]: e["value"] for e in container.get("env", ())})


@pytest.mark.parametrize("path", sorted(folder().glob("*/*.yaml")), ids=lambda path: path.stem)
def test_no_file_names_a_namespace(path: Path) -> None:
    assert "namespace:" not in path.read_text(encoding="utf-8")


def test_every_object_goes_to_the_namespace_with_the_label_of_its_suite() -> None:
    for obj in load("mocks", "simulator", "elsewhere", suite="mine"):
        assert obj["metadata"]["namespace"] == "elsewhere"
        assert obj["metadata"]["labels"][SUITE_LABEL] == "mine"


def test_replicas_and_environment_are_overridden_where_they_belong() -> None:
    made = load("mocks", "simulator", "ns", replicas=3, env={"INITIAL_GPU_CACHE": "12", "SEED": "1"})
    assert made[0]["spec"]["replicas"] == 3
    server, sidecar = made[0]["spec"]["template"]["spec"]["containers"]
    env = {entry["name"]: entry["value"] for entry in sidecar["env"]}
    assert (env["INITIAL_GPU_CACHE"], env["SEED"]) == ("12", "1")
    assert "env" not in server


def test_fields_of_a_scaler_are_merged_and_removed() -> None:
    (scaler,) = load("configs", "gpu", "ns", annotations={"a": "b"}, spec={"maxReplicas": 9, "gpuConfig": None})
    assert scaler["spec"]["maxReplicas"] == 9
    assert "gpuConfig" not in scaler["spec"]
    assert scaler["metadata"]["annotations"] == {"a": "b"}


def test_preparing_leaves_the_original_alone() -> None:
    original = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "x"}}
    prepared([original], "ns")
    assert original["metadata"] == {"name": "x"}


@pytest.mark.parametrize("name", ["none", "../mocks/simulator", ""])
def test_a_file_that_is_not_there_is_told_with_the_nearest(name: str) -> None:
    with pytest.raises(ConfigurationError, match="no config"):
        load("configs", name, "ns")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: [", "is not YAML"),
        ("- 1", "expected objects"),
        ("kind: X", "expected objects"),
        ("a: {{ other }}", "unknown placeholder"),
        ("apiVersion: v1\nkind: X\nmetadata: {name: ''}", "expected objects"),
    ],
)
def test_a_broken_file_is_told_with_its_place(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs/x.yaml").write_text(text)
    with pytest.raises(ConfigurationError, match=said) as error:
        load("configs", "x", "ns", root=tmp_path)
    assert "x.yaml" in str(error.value)


def test_a_file_that_is_no_text_is_told(tmp_path: Path) -> None:
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs/x.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigurationError, match="cannot be read"):
        load("configs", "x", "ns", root=tmp_path)


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        ("localhost/proving-ground/mocks:0.1.0", True),
        ("proving-ground/mocks", True),
        ("reg:5000/x/proving-ground-mocks@sha256:0", True),
        ("proving-ground/mocks-of-others", False),
        ("not-proving-ground/mocks", False),
        ("vllm/vllm-openai:v1", False),
        ("", False),
    ],
)
def test_an_image_of_the_mocks_is_known_by_its_path(image: str, *, expected: bool) -> None:
    assert is_mock(image) is expected
