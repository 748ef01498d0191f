"""What the role says and what the command line takes are the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

from proving_ground.servers import llama
from proving_ground.servers.model import DEFAULT

ROLE = Path(__file__).parents[3] / "roles/inference_server"


def templar(**given: Any) -> Templar:
    variables: dict[str, Any] = {
        "ansible_playbook_python": "/usr/bin/python3",
        "ansible_managed": "managed",
        "__inference_server_made": {},
        "__inference_server_prepared": {"model": "m 100%", "model_kind": "real", "model_path": "/models/m.gguf"},
    }
    for name in ("defaults", "vars"):
        variables |= yaml.safe_load((ROLE / name / "main.yml").read_text())
    return Templar(loader=DataLoader(), variables={**trusted(variables), **given})


def trusted(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: trusted(each) for name, each in value.items()}
    if isinstance(value, list):
        return [trusted(each) for each in value]
    return trust_as_template(value) if isinstance(value, str) else value


def rendered(text: str, **given: Any) -> Any:
    return templar(**given).template(trust_as_template(text))


def options(*names: str, **given: Any) -> Any:
    words = [word for name in names for word in rendered(f"{{{{ {name} }}}}", **given)]
    return llama.parser().parse_args(words)


def test_the_defaults_of_the_role_are_those_of_the_command() -> None:
    prepared = options("__inference_server_model_options", "__inference_server_cache_options")
    assert vars(prepared) == vars(llama.parser().parse_args([]))
    assert (prepared.hub_repository, prepared.hub_file) == (DEFAULT.repository, DEFAULT.file)


def test_what_was_prepared_is_served() -> None:
    served = options("__inference_server_serve_options", inference_server_embeddings=False)
    assert (served.model, served.model_id, served.no_embeddings) == ("/models/m.gguf", "m 100%", True)
    assert (served.address, served.slots, served.context) == ("127.0.0.1:8086", 8, 2048)


@pytest.mark.parametrize("key", ["", "/keys/key"])
def test_the_unit_starts_the_same_command(key: str) -> None:
    given = {"inference_server_runs_as": "systemd", "inference_server_key_file": key}
    unit = str(rendered((ROLE / "templates/inference.service.j2").read_text(), **given))
    start = next(line for line in unit.splitlines() if line.startswith("ExecStart="))
    assert start.startswith("ExecStart=/usr/bin/python3 -m proving_ground.servers.llama ")
    assert '"--model-id=m 100%%"' in start
    assert '"--cache=/var/cache/proving-ground/servers"' in start
    assert ("--key-file=%d/key" in start, "LoadCredential=key:" in unit) == (bool(key), bool(key))
