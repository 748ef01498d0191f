"""The compose file for a laptop."""

from __future__ import annotations

from pathlib import Path

import yaml

from proving_ground.servers.model import DEFAULT, name_of

FILE = Path(__file__).parents[3] / "docs/guides/examples/compose/compose.yaml"


def test_it_serves_the_same_model_to_this_machine_only() -> None:
    server = yaml.safe_load(FILE.read_text())["services"]["inference"]
    options = dict(option.removeprefix("--").partition("=")[::2] for option in server["command"])
    repository, _, quantisation = options["hf-repo"].partition(":")
    assert repository == DEFAULT.repository
    assert DEFAULT.file == f"{options['alias']}-{quantisation}.gguf"
    assert options["alias"] == name_of(DEFAULT.file)
    assert all(port.startswith("127.0.0.1:") for port in server["ports"])
    assert f"127.0.0.1:{options['port']}/health" in server["healthcheck"]["test"][-1]
