"""The compose files for a laptop."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from proving_ground import __version__
from proving_ground.images.kinds import KINDS
from proving_ground.servers.model import DEFAULT, name_of

FOLDER = Path(__file__).parents[3] / "docs/guides/examples/compose"
FILES = ("compose.yaml", "own-image.yaml")
PORT = 8080
"""Where guides and `proving-ground test` look for a server."""


def server(file: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((FOLDER / file).read_text())["services"]["inference"]
    return found


def options() -> dict[str, str]:
    """Return the options of llama-server: an option and its value are two words, and some have no value."""
    words, found = server("compose.yaml")["command"], {}
    for word, following in zip(words, [*words[1:], "--"], strict=True):
        if word.startswith("--"):
            found[word.removeprefix("--")] = "" if following.startswith("--") else following
    return found


@pytest.mark.parametrize("file", FILES)
def test_it_serves_this_machine_only(file: str) -> None:
    (published,) = server(file)["ports"]
    assert published.startswith(f"127.0.0.1:{PORT}:")


@pytest.mark.parametrize("file", FILES)
def test_it_is_asked_for_its_health_where_it_listens(file: str) -> None:
    inside = server(file)["ports"][0].rpartition(":")[2]
    assert server(file)["healthcheck"]["test"][-1] == f"http://127.0.0.1:{inside}/health"


def test_every_word_of_the_command_is_text_and_none_joins_an_option_with_its_value() -> None:
    for word in server("compose.yaml")["command"]:
        assert isinstance(word, str)
        assert not (word.startswith("--") and "=" in word)


def test_it_listens_where_its_port_is_published() -> None:
    assert server("compose.yaml")["ports"][0].rpartition(":")[2] == options()["port"]
    (address,) = [word for word in KINDS["inference_servers"].command if word.startswith("--address=")]
    assert server("own-image.yaml")["ports"][0].rpartition(":")[2] == address.rpartition(":")[2]


def test_it_serves_the_same_model() -> None:
    repository, _, quantisation = options()["hf-repo"].partition(":")
    assert repository == DEFAULT.repository
    assert DEFAULT.file == f"{options()['alias']}-{quantisation}.gguf"
    assert options()["alias"] == name_of(DEFAULT.file)


def test_what_was_built_here_is_not_looked_for_elsewhere() -> None:
    image = server("own-image.yaml")["image"]
    assert image == f"localhost/proving-ground/inference-server:{__version__}"
    assert server("own-image.yaml")["pull_policy"] == "never"


def test_one_of_them_takes_the_place_of_the_other() -> None:
    names = {yaml.safe_load((FOLDER / file).read_text())["name"] for file in FILES}
    assert names == {"proving-ground-inference"}


def test_the_guide_builds_the_image_that_is_started() -> None:
    guide = (FOLDER.parents[1] / "inference-server.md").read_text()
    assert f"--inference-servers {server('own-image.yaml')['image']} " in guide
    for file in FILES:
        assert f"{FOLDER.name}/{file} up -d" in guide
