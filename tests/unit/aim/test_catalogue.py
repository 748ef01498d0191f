from __future__ import annotations

from pathlib import Path

import pytest

from proving_ground.aim.catalogue import Catalogue, Entry, billions_of_parameters, gpus_for, load_seconds_for, read
from proving_ground.errors import ConfigurationError

HEADER = "skip,registry,name,version,unoptimized,hfToken,private,timeout,concurrent\n"


@pytest.mark.parametrize(
    ("image", "billions"),
    [
        ("reg/aim-meta-llama-llama-3.2-1b:0.8.4", 1.0),
        ("reg/aim-qwen-qwen2.5-7b-instruct:1", 7.0),
        ("reg/aim-mistralai-mixtral-8x22b-instruct-v0.1:1", 176.0),
        ("reg/aim-qwen-qwen3-235b-a22b:1", 235.0),
        ("reg/aim-x-0.5b:1", 0.5),
        ("reg/aim-microsoft-phi-4:1", None),
        ("reg:5000/aim-web:8b", None),
        ("reg/aim-8bit-model:1", None),
    ],
)
def test_the_size_is_read_from_the_images_name(image: str, billions: float | None) -> None:
    assert billions_of_parameters(image) == billions


@pytest.mark.parametrize(
    ("size", "gpus"), [("8b", 1), ("32b", 1), ("40b", 2), ("70b", 4), ("120b", 4), ("140b", 8), ("405b", 8)]
)
def test_bigger_models_take_more_gpus(size: str, gpus: int) -> None:
    assert gpus_for(f"reg/aim-model-{size}:1") == gpus


@pytest.mark.parametrize(("gpus", "seconds"), [(0, 1.0), (1, 1.0), (2, 1.5), (4, 2.0), (8, 2.5)])
def test_models_on_more_gpus_load_longer(gpus: int, seconds: float) -> None:
    assert load_seconds_for(gpus) == seconds


def test_what_an_entry_does_not_say_follows_from_its_image() -> None:
    entry = Entry(image="ghcr.io/silogen/aim-openai-gpt-oss-120b:1").completed()
    assert (entry.model, entry.gpus, entry.load_seconds) == ("openai/gpt-oss-120b", 4, 2.0)


def test_what_an_entry_says_is_kept() -> None:
    entry = Entry(image="reg/aim-a-70b:1", model="a/b", gpus=3, load_seconds=0.0).completed()
    assert (entry.model, entry.gpus, entry.load_seconds) == ("a/b", 3, 0.0)


def test_models_are_found_by_image_and_by_name() -> None:
    catalogue = Catalogue(
        [Entry(image="reg/aim-openai-gpt-oss-20b:1"), Entry(image="reg/aim-openai-gpt-oss-20b:1", gpus=9)]
    )
    assert len(catalogue) == 1
    assert catalogue.by_image("reg/aim-openai-gpt-oss-20b:1") is catalogue.by_name("openai/gpt-oss-20b")
    assert catalogue.by_image("reg/aim-openai-gpt-oss-20b:2") is None
    assert catalogue.by_name("aim-openai-gpt-oss-20b") is not None


def test_a_table_of_models_is_a_catalogue_with_its_skipped_rows(tmp_path: Path) -> None:
    table = tmp_path / "models.csv"
    table.write_text(HEADER + "no,ghcr.io/a,aim-x-8b,1,yes,no,yes,10m,yes\nyes,b,aim-y-70b,2,no,yes,no,10m,yes\n")
    catalogue = read(table)
    first, second = catalogue.by_image("ghcr.io/a/aim-x-8b:1"), catalogue.by_image("b/aim-y-70b:2")
    assert first is not None
    assert second is not None
    assert (first.private, first.gated, first.optimized) == (True, False, False)
    assert (second.private, second.gated, second.optimized, second.gpus) == (False, True, True, 4)


@pytest.mark.parametrize("name", ["catalogue.yml", "catalogue.json"])
def test_a_catalogue_file_may_be_yaml_or_json(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text('{"models": [{"image": "reg/aim-x:1", "gated": true}]}')
    entry = read(path).by_image("reg/aim-x:1")
    assert entry is not None
    assert entry.gated


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "expected a mapping"),
        (b"[]", "expected a mapping"),
        (b"models: [", "expected YAML or JSON"),
        (b"\xff\xfe\x00", "expected YAML or JSON"),
        (b"models: [{image: a, speed: 3}]", "speed"),
        (b"models: [{gpus: 1}]", "image"),
        (b"models: [{image: a, gpus: -1}]", "gpus"),
        (b"models: 7", "models"),
    ],
)
def test_a_broken_catalogue_is_refused_with_its_path(tmp_path: Path, content: bytes, expected: str) -> None:
    path = tmp_path / "catalogue.yml"
    path.write_bytes(content)
    with pytest.raises(ConfigurationError, match=expected) as refusal:
        read(path)
    assert str(path) in str(refusal.value)


def test_a_catalogue_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read: No such file"):
        read(tmp_path / "none.yml")
