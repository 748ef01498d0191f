from __future__ import annotations

import dataclasses

import pytest

from proving_ground.fleet.behaviour import PREFIX, Behaviour, Crash, behaviour_of, model_of_image, server_of_image
from proving_ground.fleet.views import ContainerView, PodView

POD = PodView(
    namespace="ns",
    name="pod",
    uid="1",
    node="n",
    labels={},
    annotations={},
    containers=(ContainerView("main", "vllm/vllm-openai:v1", (("http", 9000),)),),
)


def behave(faults: frozenset[str] | None = None, image: str = "", **annotations: str) -> Behaviour:
    named = {PREFIX + name.replace("_", "-"): value for name, value in annotations.items()}
    pod = dataclasses.replace(POD, annotations=named)
    if image:
        pod = dataclasses.replace(pod, containers=(ContainerView("main", image),))
    return behaviour_of(pod, faults, ["openai"])


def test_an_inference_image_serves_openai_on_its_declared_port() -> None:
    assert behave().server == "openai"
    assert behave().ports == (("http", 9000),)


def test_an_inference_server_without_a_declared_port_listens_on_8000() -> None:
    assert behave(image="amdenterpriseai/aim-x:1").ports == (("http", 8000),)


def test_an_unknown_image_serves_nothing() -> None:
    assert behave(image="nginx:1").server == "none"


def test_the_annotation_wins_over_the_image() -> None:
    behaviour = behave(image="nginx:1", serve="openai", port="7000", model="org/name")
    assert (behaviour.server, behaviour.ports, behaviour.model) == ("openai", (("", 7000),), "org/name")


def test_a_port_annotation_keeps_the_name_of_the_declared_port() -> None:
    assert behave(port="9000").ports == (("http", 9000),)


@pytest.mark.parametrize(
    ("image", "model"),
    [
        ("ghcr.io/silogen/aim-openai-gpt-oss-20b:0.9.0-rc3", "openai-gpt-oss-20b"),
        ("localhost:5000/aim-x@sha256:abc", "x"),
        ("vllm", "vllm"),
        ("", "model"),
    ],
)
def test_a_model_id_is_derived_from_an_image(image: str, model: str) -> None:
    assert model_of_image(image) == model


@pytest.mark.parametrize(
    "image", ["vllm/vllm-openai", "ghcr.io/silogen/aim-x:1", "amdenterpriseai/aim-y", "lmsys/sglang"]
)
def test_images_of_inference_servers_are_known(image: str) -> None:
    assert server_of_image(image) == "openai"


@pytest.mark.parametrize("image", ["redis:8", "maxim-tools:1", "registry/claim-check:2"])
def test_other_images_are_not_taken_for_inference_servers(image: str) -> None:
    assert server_of_image(image) == "none"


def test_a_crash_is_read_with_all_its_parts() -> None:
    behaviour = behave(crash="after=0.5, exit=137, reason=OOMKilled, once")
    assert behaviour.crash == Crash(after=0.5, exit_code=137, reason="OOMKilled", once=True)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("load_seconds", "soon"),
        ("load_seconds", "-1"),
        ("load_seconds", "nan"),
        ("load_seconds", "1e99"),
        ("port", "0"),
        ("port", "99999999999999999999"),
        ("port", "٣"),
        ("crash", "before=1"),
        ("crash", "after=1,after=2"),
        ("crash", "exit=0"),
        ("complete", "after=x"),
        ("image_pull", "maybe"),
        ("max_running", "0"),
        ("serve", "grpc"),
        ("lod_seconds", "1"),
    ],
)
def test_a_bad_annotation_is_named_and_its_default_holds(name: str, value: str) -> None:
    behaviour = behave(**{name: value})
    assert len(behaviour.problems) == 1
    assert PREFIX + name.replace("_", "-") in behaviour.problems[0]
    plain = behave()
    assert dataclasses.replace(behaviour, problems=(), server=plain.server) == plain


def test_a_hostile_value_is_shown_short_and_escaped() -> None:
    (problem,) = behave(load_seconds="\n" * 10000).problems
    assert len(problem) < 300
    assert "\n" not in problem


def test_a_namespace_fault_holds_for_its_pods() -> None:
    assert behave(frozenset({"endpoint-500"})).answers_500


def test_a_fault_on_the_pod_wins_over_its_namespace() -> None:
    pod = dataclasses.replace(POD, annotations={"proving.ground/fault": "wrong-model"})
    behaviour = behaviour_of(pod, frozenset({"endpoint-500"}), ["openai"])
    assert behaviour.wrong_model
    assert not behaviour.answers_500


def test_an_empty_fault_on_the_pod_spares_it() -> None:
    pod = dataclasses.replace(POD, annotations={"proving.ground/fault": ""})
    assert not behaviour_of(pod, frozenset({"endpoint-500"}), ["openai"]).answers_500


def test_faults_of_others_change_nothing() -> None:
    assert behave(frozenset({"secret-not-demanded"})) == behave()


def test_slow_start_takes_longer_to_load() -> None:
    assert behave(frozenset({"slow-start"}), load_seconds="1").load == 6.0


def test_pod_crash_comes_after_ready_or_with_the_first_request() -> None:
    behaviour = behave(frozenset({"pod-crash"}), load_seconds="2")
    assert behaviour.crash is not None
    assert behaviour.crash.after > behaviour.load
    assert behaviour.crash_on_request
