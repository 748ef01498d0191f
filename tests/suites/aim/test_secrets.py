"""Private images and gated models: what the engine demands, and what it says when it is not there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from proving_ground.aim.verification import Aim

pytestmark = [pytest.mark.integration, pytest.mark.gpu_1, pytest.mark.feature("AIM secrets")]

TOKEN_FROM_SECRET = {"name": "HF_TOKEN", "valueFrom": {"secretKeyRef": {"name": "hf-token", "key": "token"}}}
PULL_SECRET = [{"name": "registry"}]


@pytest.mark.pre_merge
async def test_private_model_without_its_secret(aim: Aim) -> None:
    """A private image cannot be pulled by a service that names no pull secret."""
    image = aim.image(private=True)
    await aim.create("model", image)
    assert image in await aim.ends_as("model", "pull refused")


@pytest.mark.nightly
async def test_private_model_with_a_secret_for_another_registry(aim: Aim) -> None:
    """A pull secret counts only if it has an entry for the image's registry."""
    await aim.pull_secret("registry", "registry.example")
    await aim.create("model", aim.image(private=True), imagePullSecrets=PULL_SECRET)
    assert "registry" in await aim.ends_as("model", "pull refused")


@pytest.mark.nightly
@pytest.mark.needs_faults
async def test_private_model_recovers_when_its_secret_appears(aim: Aim) -> None:
    """A service that lacked its pull secret starts by itself once the secret is there."""
    image = aim.image(private=True)
    await aim.create("model", image, imagePullSecrets=PULL_SECRET)
    await aim.ends_as("model", "pull refused")
    await aim.pull_secret("registry", image.partition("/")[0])
    await aim.turns("model", "Running")


@pytest.mark.nightly
async def test_gated_model_without_its_token(aim: Aim) -> None:
    """The weights of a gated model cannot be downloaded without a token."""
    await aim.create("model", aim.image(hf_token=True))
    assert await aim.ends_as("model", "token missing")


@pytest.mark.nightly
async def test_gated_model_with_an_empty_token(aim: Aim) -> None:
    """A secret whose token is empty is as good as none."""
    await aim.secret("hf-token", {"token": ""})
    await aim.create("model", aim.image(hf_token=True), env=[TOKEN_FROM_SECRET])
    assert await aim.ends_as("model", "token missing")


@pytest.mark.nightly
@pytest.mark.needs_faults
async def test_gated_model_recovers_when_its_spec_names_the_token(aim: Aim) -> None:
    """A change of the spec is acted on, and the status tells about the new generation."""
    await aim.secret("hf-token", {"token": "hf_made_up"})
    await aim.create("model", aim.image(hf_token=True))
    await aim.ends_as("model", "token missing")
    await aim.change("model", {"env": [TOKEN_FROM_SECRET]})
    await aim.turns("model", "Running")
