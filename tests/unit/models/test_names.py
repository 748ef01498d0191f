from __future__ import annotations

import re

import pytest

from proving_ground.models import names

IMAGE = "ghcr.io/silogen/aim-openai-gpt-oss-20b:0.9.0-rc3"


def test_a_folder_is_the_sanitised_image_in_full() -> None:
    assert names.folder_name("ghcr.io/silogen/aim-model:0.9.0") == "aim-ghcr-io-silogen-aim-model-0-9-0"


@pytest.mark.parametrize("image", [IMAGE, "r/" + "a" * 240 + ":1", "r/x:1", "r/a_b:v_", "r/X:1."])
def test_an_object_name_leaves_room_for_the_longest_namespace(image: str) -> None:
    name = names.object_name(image)
    assert len(name) + 1 + names.LONGEST_NAMESPACE <= 63
    assert re.fullmatch(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?", name)


def test_a_short_name_is_not_cut() -> None:
    assert names.object_name("r/aim-x:1") == names.folder_name("r/aim-x:1") == "aim-r-aim-x-1"


def test_a_cut_name_keeps_the_model_and_ends_with_a_hash_of_the_whole_image() -> None:
    name = names.object_name(IMAGE)
    assert re.fullmatch(r"aim-openai-gpt-oss-20b-0-9-0-r-[0-9a-f]{7}", name)
    assert name != names.object_name(IMAGE.replace("silogen", "others"))


def test_a_shorter_namespace_leaves_a_longer_name() -> None:
    assert names.object_name(IMAGE, longest_namespace=10) == names.folder_name(IMAGE)


@pytest.mark.parametrize(
    ("image", "model"),
    [
        (IMAGE, "openai/gpt-oss-20b"),
        ("amdenterpriseai/aim-meta-llama-llama-3.2-1b:0.8.4", "meta-llama/llama-3.2-1b"),
        ("r:5000/x/aim-ibm-granite-granite-3.3-8b:1", "ibm-granite/granite-3.3-8b"),
        ("r/aim-someone-model-7b:1", "someone/model-7b"),
        ("r/aim-base:1", "base"),
    ],
)
def test_the_served_model_follows_from_the_image(image: str, model: str) -> None:
    assert names.served_model_id(image) == model
    assert names.model_slug(model) == names.model_slug(names.model_name(image))


def test_a_hub_id_and_its_image_have_one_slug() -> None:
    assert names.model_slug("meta-llama/Llama-3.1-8B_Instruct") == "meta-llama-llama-3-1-8b-instruct"


@pytest.mark.parametrize(
    "registry", ["amdenterpriseai", "ghcr.io/silogen", "localhost:5000/a/b", "Registry.example.com:1/x", "ghcr.io"]
)
def test_a_registry_is_a_host_with_a_path_or_a_path(registry: str) -> None:
    assert not names.registry_problem(registry)
