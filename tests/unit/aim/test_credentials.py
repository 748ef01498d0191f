from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from proving_ground.aim.credentials import pull_problem, registry_of, token_problem

IMAGE = "ghcr.io/silogen/aim-x:1"
AUTH = {"auth": base64.b64encode(b"user:secret").decode()}


def docker(config: object, kind: str = "kubernetes.io/dockerconfigjson") -> dict[str, Any]:
    text = config if isinstance(config, bytes) else json.dumps(config).encode()
    return {"type": kind, "data": {".dockerconfigjson": base64.b64encode(text).decode()}}


@pytest.mark.parametrize(
    ("image", "registry"),
    [
        ("ghcr.io/silogen/aim-x:1", "ghcr.io"),
        ("amdenterpriseai/aim-x:1", "docker.io"),
        ("aim-x", "docker.io"),
        ("localhost/aim-x", "localhost"),
        ("reg:5000/aim-x:1", "reg:5000"),
        ("GHCR.io/a/b", "ghcr.io"),
    ],
)
def test_the_registry_is_read_from_the_image(image: str, registry: str) -> None:
    assert registry_of(image) == registry


@pytest.mark.parametrize(
    "auths",
    [
        {"ghcr.io": AUTH},
        {"https://ghcr.io/v1/": AUTH},
        {"ghcr.io/silogen": AUTH},
        {"ghcr.io": {"username": "u", "password": "p"}},
        {"ghcr.io": {"identitytoken": "t"}},
        {"other.io": AUTH, "ghcr.io": AUTH},
    ],
)
def test_credentials_for_the_registry_are_enough(auths: dict[str, Any]) -> None:
    assert pull_problem(IMAGE, [("pull", docker({"auths": auths}))]) == ""


def test_docker_hub_has_several_names() -> None:
    secret = docker({"auths": {"https://index.docker.io/v1/": AUTH}})
    assert pull_problem("amdenterpriseai/aim-x:1", [("pull", secret)]) == ""


@pytest.mark.parametrize(
    ("secret", "expected"),
    [
        (None, "does not exist"),
        (docker({"auths": {"ghcr.io": AUTH}}, kind="Opaque"), "is of type Opaque"),
        (docker(b"{"), "holds no JSON"),
        (docker(b""), "holds no JSON"),
        (docker([]), "holds no JSON with auths"),
        (docker({"auths": []}), "holds no JSON with auths"),
        (docker({"auths": {}}), "no entry for ghcr.io"),
        (docker({"auths": {"other.io": AUTH}}), "no entry for ghcr.io"),
        (docker({"auths": {"ghcr.io/other": AUTH}}), "no entry for ghcr.io"),
        (docker({"auths": {"ghcr.io": {}}}), "no credentials"),
        (docker({"auths": {"ghcr.io": "text"}}), "no credentials"),
        (docker({"auths": {"ghcr.io": {"auth": "###"}}}), "no credentials"),
        (docker({"auths": {"ghcr.io": {"auth": base64.b64encode(b"user:").decode()}}}), "no credentials"),
        ({"type": "kubernetes.io/dockerconfigjson"}, "holds no JSON"),
        ({"type": "kubernetes.io/dockerconfigjson", "data": {".dockerconfigjson": "###"}}, "holds no JSON"),
        (docker(b"[" * 100_000), "holds no JSON"),
    ],
)
def test_a_pull_secret_that_does_not_help_is_told_with_its_name(secret: dict[str, Any] | None, expected: str) -> None:
    problem = pull_problem(IMAGE, [("pull", secret)])
    assert expected in problem
    assert "'pull'" in problem
    assert "unauthorized" in problem


def test_a_service_without_pull_secrets_is_told_so() -> None:
    assert "names no imagePullSecrets" in pull_problem(IMAGE, [])


def test_no_credential_is_ever_told() -> None:
    secret = docker({"auths": {"ghcr.io": {"username": "hidden", "password": ""}}})
    assert "hidden" not in pull_problem(IMAGE, [("pull", secret)])


SECRET = {
    "data": {"token": base64.b64encode(b"hf_x").decode(), "empty": "", "blank": base64.b64encode(b" \n").decode()}
}


@pytest.mark.parametrize(("source", "secret"), [("hf_x", None), (("hf", "token"), SECRET)])
def test_a_token_is_enough(source: Any, secret: Any) -> None:
    assert token_problem(source, secret) == ""


@pytest.mark.parametrize(
    ("source", "secret", "expected"),
    [
        (None, None, "sets no HF_TOKEN"),
        ("", None, "HF_TOKEN is empty"),
        ("  ", None, "HF_TOKEN is empty"),
        (("hf", "token"), None, "'hf' does not exist"),
        (("hf", "other"), SECRET, "has no key 'other'"),
        (("hf", "empty"), SECRET, "'empty' of secret 'hf' is empty"),
        (("hf", "blank"), SECRET, "is empty"),
        (("hf", "token"), {}, "has no key"),
        (("hf", "token"), {"data": {"token": "###"}}, "is empty"),
    ],
)
def test_a_missing_token_is_told_with_its_place(source: Any, secret: Any, expected: str) -> None:
    problem = token_problem(source, secret)
    assert expected in problem
    assert "401" in problem
