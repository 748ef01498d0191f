"""The part of one container."""

from __future__ import annotations

import dataclasses

from proving_ground.fleet.behaviour import PREFIX
from proving_ground.fleet.pod.own import Told
from proving_ground.fleet.pod.part import Part, part_of
from proving_ground.fleet.views import ContainerView, PodView

SERVER = ContainerView("sim", "ghcr.io/llm-d/llm-d-inference-sim:v0.6.1", (("http", 8000),), args=("--model=a/b",))
MOCK = ContainerView("side", "localhost/proving-ground/mocks:1", (("m", 9000),), args=("vllm-metrics", "--port=9000"))
OTHER = ContainerView("other", "ghcr.io/llm-d/llm-d-inference-sim:v0.6.1")
POD = PodView("ns", "pod", "1", "n", {}, {}, (SERVER, MOCK, OTHER))


def part(container: str, environment: dict[str, str] | None = None, faults: str = "", **annotations: str) -> Part:
    named = {PREFIX + name.replace("_", "-"): value for name, value in annotations.items()}
    told = Told(dataclasses.replace(POD, annotations=named), container, frozenset(filter(None, faults.split(","))))
    return part_of(told, environment or {})


def test_the_first_container_without_a_mock_is_the_server() -> None:
    found = part("sim")
    assert (found.server, [post.number for post in found.posts], found.mock) == ("openai", [8000], None)
    assert found.behaviour.model == "a/b"


def test_a_container_with_the_mocks_image_is_its_mock_with_its_own_environment() -> None:
    found = part("side", {"INITIAL_GPU_CACHE": "40"})
    assert found.mock is not None
    assert (found.mock.mock, found.mock.env) == ("vllm-metrics", {"INITIAL_GPU_CACHE": "40"})
    assert ([post.number for post in found.posts], found.server) == ([9000], "none")


def test_further_containers_serve_nothing() -> None:
    found = part("other")
    assert (found.server, found.posts, found.mock) == ("none", (), None)


def test_only_the_first_container_crashes_and_writes_the_lines() -> None:
    crash = {"crash": "after=1, exit=3", "log_lines": "a\nb"}
    assert part("sim", **crash).behaviour.crash is not None
    assert part("sim", **crash).log_lines == ("a", "b")
    assert part("side", **crash).behaviour.crash is None
    assert part("side", **crash).log_lines == ()


def test_all_containers_load_and_end_together() -> None:
    told = {"load_seconds": "7", "complete": "after=9"}
    for name in ("sim", "side", "other"):
        assert (part(name, **told).behaviour.load, part(name, **told).behaviour.complete) == (7.0, 9.0)


def test_faults_of_the_namespace_hold() -> None:
    assert part("sim", faults="endpoint-500").behaviour.answers_500
    assert part("side", faults="never-ready").behaviour.never_ready


def test_a_pull_that_was_to_fail_and_did_not_leaves_a_pod_that_never_is_ready() -> None:
    behaviour = part("sim", image_pull="fail").behaviour
    assert (behaviour.pull_fails, behaviour.never_ready) == (False, True)
