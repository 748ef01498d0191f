from __future__ import annotations

import dataclasses

import pytest

from proving_ground.fleet.behaviour import PREFIX, Behaviour, Crash, MockPlan, Post, behaviour_of
from proving_ground.fleet.images import model_of_image, server_of_image
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
    assert dataclasses.replace(behaviour, problems=(), server=plain.server, posts=plain.posts) == plain


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


MOCKS = {"vllm-metrics": 8000, "dcgm-exporter": 9400}
MOCK_IMAGE = "proving-ground/mocks:1"


def of(*containers: ContainerView, init: tuple[ContainerView, ...] = (), **annotations: str) -> Behaviour:
    named = {PREFIX + name: value for name, value in annotations.items()}
    pod = dataclasses.replace(POD, annotations=named, containers=containers, init_containers=init)
    return behaviour_of(pod, None, ["openai"], MOCKS)


def test_a_mock_beside_a_server_has_its_own_port() -> None:
    sidecar = ContainerView("sidecar", MOCK_IMAGE, (("metrics", 9000),), args=("vllm-metrics",), env={"A": "1"})
    behaviour = of(POD.containers[0], dataclasses.replace(sidecar, ports=(("metrics", 9001),)))
    assert behaviour.server == "openai"
    assert behaviour.posts == (Post(9000, "http"), Post(9001, "metrics", "sidecar"))
    assert behaviour.mocks == (MockPlan("sidecar", "vllm-metrics", {"A": "1"}),)


def test_a_mock_before_a_server_changes_nothing_of_it() -> None:
    behaviour = of(ContainerView("mock", MOCK_IMAGE, (("m", 1),), args=("vllm-metrics",)), POD.containers[0])
    assert (behaviour.server, behaviour.model) == ("openai", "vllm-openai")
    assert {post.number: post.container for post in behaviour.posts} == {1: "mock", 9000: ""}


def test_a_sidecar_among_the_init_containers_runs_its_mock() -> None:
    sidecar = ContainerView("mock", MOCK_IMAGE, args=("dcgm-exporter",), sidecar=True)
    once = ContainerView("once", MOCK_IMAGE, args=("dcgm-exporter",))
    behaviour = of(ContainerView("main", "nginx"), init=(sidecar, once))
    assert [plan.container for plan in behaviour.mocks] == ["mock"]
    assert behaviour.ports == (("http", 9400),)


def test_an_argument_names_the_port_of_a_mock() -> None:
    assert of(ContainerView("m", MOCK_IMAGE, args=("vllm-metrics", "--port", "7000"))).ports == (("", 7000),)


def test_of_two_containers_with_one_port_the_first_has_it() -> None:
    first, second = (ContainerView(name, MOCK_IMAGE, (("", 9000),), args=("vllm-metrics",)) for name in "ab")
    assert of(first, second).posts == (Post(9000, "", "a"),)


def test_the_annotation_makes_a_mock_of_the_first_container_alone() -> None:
    behaviour = of(ContainerView("a", "x"), ContainerView("b", "y"), serve="dcgm-exporter")
    assert behaviour.mocks == (MockPlan("a", "dcgm-exporter"),)
    assert behaviour.server == "none"


def test_arguments_tell_model_and_port() -> None:
    args = ("--model=org/m", "--served-model-name", "short long", "--port", "8123")
    behaviour = of(ContainerView("main", "vllm/vllm-openai", (("http", 8000),), args=args))
    assert (behaviour.model, behaviour.ports) == ("short", (("", 8123),))


def test_an_argument_that_cannot_be_understood_is_told_apart_from_annotations() -> None:
    behaviour = of(ContainerView("main", "vllm/vllm-openai", args=("--port=x",)))
    assert not behaviour.problems
    assert len(behaviour.argument_problems) == 1


def test_other_sidecars_among_the_init_containers_have_no_ports() -> None:
    sidecar = ContainerView("proxy", "envoy", (("admin", 9901),), sidecar=True)
    assert of(POD.containers[0], init=(sidecar,)).ports == (("http", 9000),)
