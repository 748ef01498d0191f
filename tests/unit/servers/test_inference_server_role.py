"""What the role says and what the command line takes are the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

from proving_ground.images import __main__ as images
from proving_ground.images.kinds import KINDS, SERVED
from proving_ground.servers import llama
from proving_ground.servers.hub import HubFile
from proving_ground.servers.model import DEFAULT, Wanted
from proving_ground.servers.model_options import wanted_model

ROLE = Path(__file__).parents[3] / "roles/inference_server"


def templar(**given: Any) -> Templar:
    variables: dict[str, Any] = {
        "ansible_playbook_python": "/usr/bin/python3",
        "ansible_managed": "managed",
        "__inference_server_made": {},
        "__inference_server_prepared": {"model": "m 100%", "model_kind": "real", "model_path": "/models/m.gguf"},
        "__inference_server_key_version": {"stdout": "7"},
        "__inference_server_service": {"stdout": "10.1.2.3"},
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


@pytest.mark.parametrize("key", ["", "/keys/key"])
def test_the_pod_starts_the_same_command_with_the_model_of_its_image(key: str) -> None:
    given = {"inference_server_runs_as": "pod", "inference_server_key_file": key}
    text = str(rendered((ROLE / "templates/pod.yaml.j2").read_text(), **given))
    service, deployment = yaml.safe_load_all(text)
    pod = deployment["spec"]["template"]
    (container,) = pod["spec"]["containers"]
    command = [*KINDS["inference_servers"].command[3:], *container["args"]]
    told = llama.parser().parse_args(command)
    assert (told.installed, told.address, told.slots) == (Path(f"/{SERVED}"), "0.0.0.0:8086", 8)
    assert service["spec"]["ports"][0]["port"] == container["ports"][0]["containerPort"] == 8086
    mounts = [each["mountPath"] for each in container.get("volumeMounts", [])]
    assert (told.key_file, mounts) == (
        ("/run/secrets/inference-server/key", ["/run/secrets/inference-server"]) if key else ("", [])
    )
    assert pod["metadata"]["annotations"].get("proving.ground/key", "") == ("7" if key else "")


def test_a_pod_is_reached_at_its_service_unless_told_otherwise() -> None:
    url, pod = "{{ __inference_server_url }}", {"inference_server_runs_as": "pod"}
    assert rendered(url, **pod) == "http://10.1.2.3:8086"
    assert rendered(url, **pod, inference_server_url="http://192.0.2.7") == "http://192.0.2.7"
    assert rendered(url) == "http://127.0.0.1:8086"


def test_the_image_gets_the_model_that_the_role_is_asked_for() -> None:
    role = ROLE.parent / "project_images"
    variables: dict[str, Any] = {}
    for name in ("defaults", "vars"):
        variables |= trusted(yaml.safe_load((role / name / "main.yml").read_text()))

    def wanted(**given: Any) -> Wanted:
        words = Templar(loader=DataLoader(), variables={**variables, **given}).template(
            trust_as_template("{{ __project_images_model_options }}")
        )
        options = images.parser().parse_args(["--cache=here", "--lock=lock", *words])
        return wanted_model(options, prefix=images.MODEL_PREFIX)

    assert wanted() == Wanted()
    asked = {"inference_server_model": "/m.gguf", "inference_server_model_id": "m", "inference_server_hub_file": "f"}
    assert wanted(**asked) == Wanted("/m.gguf", "m", hub=HubFile(DEFAULT.repository, "f", DEFAULT.revision))
