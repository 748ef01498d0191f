"""What an image says about the server in it: its kind, its model, the version that it plays."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from proving_ground.fleet.views import ContainerView

_INFERENCE_IMAGE = re.compile(r"(^|[/_-])(vllm|aim-|sglang|llm-d-inference-sim|text-generation-inference|openai)")
_MOCK_IMAGE = re.compile(r"(^|/)(proving-ground/mocks|proving-ground-mocks)(?=[:@]|$)")
_VERSION = re.compile(r"v?(\d{1,4})\.(\d{1,4})")

GPU_CACHE, KV_CACHE = "gpu_cache_usage_perc", "kv_cache_usage_perc"
_SIMULATOR_RENAMED = (0, 7)
"""llm-d-inference-sim names the metric kv_cache_usage_perc since 0.7, gpu_cache_usage_perc before."""
_VLLM_RENAMED = (0, 9)
"""vLLM 0.9 exposes the metric under both names, earlier versions under the old and later ones under the new one."""


def _name_and_tag(image: str) -> tuple[str, str]:
    name, _, tag = image.split("@", 1)[0].rsplit("/", 1)[-1].partition(":")
    return name, tag


def model_of_image(image: str) -> str:
    """Derive a model id from an image: its name without registry, tag, digest and the prefix ``aim-``."""
    return _name_and_tag(image)[0].removeprefix("aim-") or "model"


def server_of_image(image: str) -> str:
    """Name the server factory for an image: ``openai`` for images of inference servers, else ``none``."""
    return "openai" if _INFERENCE_IMAGE.search(image.split("@", 1)[0].lower()) else "none"


def is_simulator(image: str) -> bool:
    """Say whether an image is that of llm-d's inference simulator, whose defaults are smaller than vLLM's."""
    return _name_and_tag(image)[0].lower().startswith("llm-d-inference-sim")


def is_mock_image(image: str) -> bool:
    """Say whether an image is that of the mock metrics servers, whatever registry it comes from."""
    return _MOCK_IMAGE.search(image) is not None


def mock_of(container: ContainerView) -> str | None:
    """Return which mock a container runs: the first of its arguments that is no option.

    Returns:
        The name, which need not be that of a mock that there is (empty without arguments); None if the container's
        image is not that of the mocks.
    """
    if not is_mock_image(container.image):
        return None
    return next((arg for arg in container.args if not arg.startswith("-")), "")


def cache_metrics(image: str) -> tuple[str, ...]:
    """Return the names, without prefix, under which a server of this image tells the usage of its KV cache.

    An image whose tag is no version counts as the newest.
    """
    name, tag = _name_and_tag(image)
    found = _VERSION.match(tag)
    if found is None:
        return (KV_CACHE,)
    version = int(found[1]), int(found[2])
    if is_simulator(image):
        return (GPU_CACHE,) if version < _SIMULATOR_RENAMED else (KV_CACHE,)
    if not name.lower().startswith("vllm") or version > _VLLM_RENAMED:
        return (KV_CACHE,)
    return (GPU_CACHE, KV_CACHE) if version == _VLLM_RENAMED else (GPU_CACHE,)
