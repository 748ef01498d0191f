from __future__ import annotations

import pytest

from proving_ground.fleet.images import cache_metrics, is_mock_image, mock_of
from proving_ground.fleet.views import ContainerView

OLD, NEW = "gpu_cache_usage_perc", "kv_cache_usage_perc"


@pytest.mark.parametrize(
    "image",
    [
        "localhost/proving-ground/mocks:0.1.0",
        "registry:5000/team/proving-ground/mocks@sha256:abc",
        "proving-ground/mocks",
        "ghcr.io/x/proving-ground-mocks:1",
    ],
)
def test_the_image_of_the_mocks_is_known_by_its_name_from_any_registry(image: str) -> None:
    assert is_mock_image(image)


@pytest.mark.parametrize("image", ["", "x/mocks", "x/proving-ground/mocks-more", "not-proving-ground/mocks2", "nginx"])
def test_other_images_run_no_mock(image: str) -> None:
    assert mock_of(ContainerView("c", image, args=("vllm-metrics",))) is None


def test_the_first_argument_that_is_no_option_names_the_mock() -> None:
    container = ContainerView("c", "proving-ground-mocks", args=("--verbose", "prometheus", "x"))
    assert mock_of(container) == "prometheus"


def test_a_container_without_arguments_names_none() -> None:
    assert mock_of(ContainerView("c", "proving-ground-mocks")) == ""


@pytest.mark.parametrize(
    ("image", "names"),
    [
        ("ghcr.io/llm-d/llm-d-inference-sim:v0.6.1", (OLD,)),
        ("ghcr.io/llm-d/llm-d-inference-sim:v0.7.1", (NEW,)),
        ("ghcr.io/llm-d/llm-d-inference-sim:latest", (NEW,)),
        ("vllm/vllm-openai:v0.8.5", (OLD,)),
        ("vllm/vllm-openai:v0.9.2", (OLD, NEW)),
        ("vllm/vllm-openai:v0.11.0", (NEW,)),
        ("vllm/vllm-openai:v1", (NEW,)),
        ("vllm/vllm-openai@sha256:abc", (NEW,)),
        ("x/aim-model:0.8.4", (NEW,)),
        ("", (NEW,)),
    ],
)
def test_the_gauge_of_the_cache_has_the_name_of_the_simulated_version(image: str, names: tuple[str, ...]) -> None:
    assert cache_metrics(image) == names
