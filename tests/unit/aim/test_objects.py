from __future__ import annotations

from typing import Any

from proving_ground.aim import objects, request, silogen
from proving_ground.aim.catalogue import Entry
from proving_ground.aim.faults import effective, parse

IMAGE = "reg/aim-openai-gpt-oss-120b:1"
ENTRY = Entry(image=IMAGE).completed()
GROUP = silogen.GROUP


def service(annotations: dict[str, str] | None = None, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": f"{GROUP}/v1alpha1",
        "kind": "AIMService",
        "metadata": {"name": "model", "namespace": "check", "uid": "u1", "annotations": annotations or {}},
        "spec": {"model": {"image": IMAGE}, **spec},
    }


def deployment(body: dict[str, Any], **options: Any) -> dict[str, Any]:
    faults = frozenset(options.pop("active", ()))
    wanted = request.read(body, GROUP)
    return objects.deployment(body, wanted, ENTRY, group=GROUP, gpu_resource="amd.com/gpu", active=faults, **options)


def pod_annotations(made: dict[str, Any]) -> dict[str, str]:
    found: dict[str, str] = made["spec"]["template"]["metadata"]["annotations"]
    return found


def container(made: dict[str, Any]) -> dict[str, Any]:
    (found,) = made["spec"]["template"]["spec"]["containers"]
    return dict(found)


def test_a_workload_has_kserves_name_and_goes_with_its_service() -> None:
    body = service()
    for made in (deployment(body), objects.endpoint(body, group=GROUP)):
        assert made["metadata"]["name"] == "model-predictor"
        assert made["metadata"]["ownerReferences"][0]["uid"] == "u1"


def test_a_pod_asks_for_the_gpus_of_the_catalogue() -> None:
    assert container(deployment(service()))["resources"]["limits"] == {"amd.com/gpu": "4"}


def test_an_override_of_the_gpus_wins() -> None:
    selector = {"model": "any", "resourceName": "example.com/gpu", "count": 1}
    made = deployment(service(overrides={"gpuSelector": selector}))
    assert container(made)["resources"]["requests"] == {"example.com/gpu": "1"}


def test_other_resources_are_kept() -> None:
    made = deployment(service(resources={"limits": {"memory": "8Gi"}}))
    assert container(made)["resources"]["limits"] == {"memory": "8Gi", "amd.com/gpu": "4"}


def test_token_and_pull_secrets_are_passed_on() -> None:
    token = {"name": "HF_TOKEN", "value": "hf_x"}
    made = deployment(service(env=[token], imagePullSecrets=[{"name": "pull"}]))
    assert container(made)["env"] == [token]
    assert made["spec"]["template"]["spec"]["imagePullSecrets"] == [{"name": "pull"}]


def test_the_fleet_is_told_model_port_and_load_time() -> None:
    annotations = pod_annotations(deployment(service()))
    assert annotations["sim.proving.ground/model"] == "openai/gpt-oss-120b"
    assert annotations["sim.proving.ground/load-seconds"] == "2.0"
    assert annotations["sim.proving.ground/port"] == "8000"


def test_a_pod_whose_image_cannot_be_pulled_fails_at_that() -> None:
    annotations = pod_annotations(deployment(service(), pull_problem="unauthorized", token_problem="401"))
    assert annotations["sim.proving.ground/image-pull"] == "fail"
    assert "sim.proving.ground/crash" not in annotations


def test_a_pod_without_its_token_crashes_and_its_log_says_why() -> None:
    annotations = pod_annotations(deployment(service(), token_problem="401 unauthorized"))
    assert "sim.proving.ground/crash" in annotations
    assert annotations["sim.proving.ground/log-lines"] == "401 unauthorized"


def test_what_a_check_asks_of_the_simulation_reaches_the_pods() -> None:
    asked = {"sim.proving.ground/load-seconds": "9", "other": "x"}
    annotations = pod_annotations(deployment(service(asked)))
    assert annotations["sim.proving.ground/load-seconds"] == "9"
    assert "other" not in annotations


def test_a_change_that_matters_makes_another_revision() -> None:
    revisions = {
        objects.revision_of(made, GROUP)
        for made in (
            deployment(service()),
            deployment(service(env=[{"name": "A", "value": "b"}])),
            deployment(service(), token_problem="401"),
        )
    }
    assert len(revisions) == 3
    assert objects.revision_of(deployment(service()), GROUP) in revisions


def test_more_replicas_are_the_same_revision() -> None:
    one, two = deployment(service()), deployment(service(replicas=2))
    assert objects.revision_of(one, GROUP) == objects.revision_of(two, GROUP)
    assert one["metadata"]["annotations"] != two["metadata"]["annotations"]


def test_left_behind_objects_have_no_owner() -> None:
    assert "ownerReferences" not in deployment(service(), active={"left-behind"})["metadata"]


def test_without_a_gpu_request_nothing_is_asked_for() -> None:
    assert container(deployment(service(), active={"gpu-not-requested"}))["resources"] == {}


def test_faults_of_others_reach_the_pods_and_our_own_do_not() -> None:
    annotations = pod_annotations(deployment(service(), active={"wrong-model", "never-ready"}))
    assert annotations["proving.ground/fault"] == "wrong-model"


def test_fault_names_are_separated_by_commas() -> None:
    assert parse({"proving.ground/fault": " a, b,,"}) == {"a", "b"}
    assert parse(None) == frozenset()


def test_a_services_own_faults_decide_over_its_namespaces() -> None:
    of_service, of_namespace = {"proving.ground/fault": ""}, {"proving.ground/fault": "a"}
    assert effective(of_service, of_namespace) == frozenset()
    assert effective({}, of_namespace) == {"a"}
