"""From a spec to a model: images, templates, and what the API refuses."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from proving_ground.kube import ApiError

if TYPE_CHECKING:
    from proving_ground.aim.verification import Aim

pytestmark = [pytest.mark.contract, pytest.mark.gpu_0, pytest.mark.feature("AIM model resolution")]

UNPROCESSABLE = 422
ABSENT_IMAGE = "amdenterpriseai/aim-proving-ground-absent-1b:0.0.0"


@pytest.mark.pre_merge
async def test_unknown_image(aim: Aim) -> None:
    """An image that its registry does not have is told as such."""
    await aim.create("model", ABSENT_IMAGE)
    assert ABSENT_IMAGE in await aim.ends_as("model", "unknown image")


@pytest.mark.pre_merge
async def test_unoptimized_model_without_permission(aim: Aim) -> None:
    """An unoptimized template is not selected unless the service allows it."""
    await aim.create("model", aim.unoptimized_image())
    await aim.ends_as("model", "unoptimized")


@pytest.mark.pre_merge
async def test_both_image_and_name_are_refused(aim: Aim) -> None:
    """The API server refuses a model that is told in two ways."""
    other = "ref" if aim.group == "aim.silogen.ai" else "name"
    model = {"image": ABSENT_IMAGE, other: "some-model"}
    with pytest.raises(ApiError, match="exactly one") as refusal:
        await aim.cluster.create(aim.manifest("model", model), dry_run=True)
    assert refusal.value.status == UNPROCESSABLE


@pytest.mark.pre_merge
async def test_neither_image_nor_name_is_refused(aim: Aim) -> None:
    """The API server refuses a model that is not told at all."""
    with pytest.raises(ApiError, match="exactly one") as refusal:
        await aim.cluster.create(aim.manifest("model", {}), dry_run=True)
    assert refusal.value.status == UNPROCESSABLE
