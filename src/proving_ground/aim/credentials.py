"""Whether the Secrets of a service hold what its model needs; never tells what they hold."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterable, Mapping
from typing import Any

from proving_ground.aim.request import TOKEN_VARIABLE

Json = Mapping[str, Any]

DOCKER_CONFIG = ".dockerconfigjson"
DOCKER_CONFIG_TYPE = "kubernetes.io/dockerconfigjson"
_DOCKER_HUB = frozenset({"docker.io", "index.docker.io", "registry-1.docker.io"})


def registry_of(image: str) -> str:
    """Return the registry of an image reference; a reference that names none is Docker Hub's (``docker.io``)."""
    first, slash, _ = image.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        return first.lower()
    return "docker.io"


def pull_problem(image: str, secrets: Iterable[tuple[str, Json | None]]) -> str:
    """Return why a private image cannot be pulled with these named Secrets (None: absent); empty if it can."""
    registry = registry_of(image)
    problems = []
    for name, secret in secrets:
        problem = _docker_config_problem(secret, image, registry)
        if not problem:
            return ""
        problems.append(f"pull secret {name!r} {problem}")
    told = "; ".join(problems) or "the service names no imagePullSecrets"
    return f"image {image!r} cannot be pulled, {registry} answers unauthorized: {told}"


def token_problem(source: str | tuple[str, str] | None, secret: Json | None) -> str:
    """Return why a gated model's weights cannot be downloaded; empty if the token is there.

    Args:
        source: Plain value, or name and key in a Secret, or None, as :meth:`Request.token_source` gives it.
        secret: The Secret that the source names, None where it does not exist.
    """
    told = ""
    if source is None:
        told = f"the service sets no {TOKEN_VARIABLE}"
    elif isinstance(source, str):
        told = "" if source.strip() else f"{TOKEN_VARIABLE} is empty"
    elif secret is None:
        told = f"secret {source[0]!r} does not exist"
    elif source[1] not in (secret.get("data") or {}):
        told = f"secret {source[0]!r} has no key {source[1]!r}"
    elif not (_decoded(secret, source[1]) or b"").strip():
        told = f"key {source[1]!r} of secret {source[0]!r} is empty"
    return f"the model is gated and Hugging Face answers 401 unauthorized: {told}" if told else ""


def _decoded(secret: Json, key: str) -> bytes | None:
    try:
        return base64.b64decode((secret.get("data") or {})[key], validate=True)
    except (KeyError, TypeError, binascii.Error):
        return None


def _docker_config_problem(secret: Json | None, image: str, registry: str) -> str:
    if secret is None:
        return "does not exist"
    if secret.get("type") != DOCKER_CONFIG_TYPE:
        return f"is of type {secret.get('type')}, expected {DOCKER_CONFIG_TYPE}"
    auths = _auths(_decoded(secret, DOCKER_CONFIG) or b"")
    if auths is None:
        return "holds no JSON with auths"
    matching = [entry for host, entry in auths.items() if _covers(host, image, registry)]
    if not matching:
        return f"has no entry for {registry}"
    if not any(_has_credentials(entry) for entry in matching):
        return f"has no credentials for {registry}"
    return ""


def _auths(text: bytes) -> Mapping[str, Any] | None:
    try:
        config = json.loads(text)
    except (ValueError, RecursionError):
        return None
    auths = config.get("auths") if isinstance(config, Mapping) else None
    return auths if isinstance(auths, Mapping) else None


def _covers(key: str, image: str, registry: str) -> bool:
    """Tell whether a key of ``auths`` is for this image: its host, or a path prefix of it (kubelet's rule)."""
    host, _, path = key.lower().removeprefix("https://").removeprefix("http://").strip("/").partition("/")
    if host != registry and not {host, registry} <= _DOCKER_HUB:
        return False
    if path in {"", "v1", "v2"}:
        return True
    repository = image.lower()[len(registry) + 1 :] if image.lower().startswith(registry + "/") else image.lower()
    return repository == path or repository.startswith(path + "/")


def _has_credentials(entry: object) -> bool:
    if not isinstance(entry, Mapping):
        return False
    if entry.get("username") and entry.get("password"):
        return True
    if entry.get("identitytoken") or entry.get("registrytoken"):
        return True
    try:
        user, colon, password = base64.b64decode(str(entry.get("auth") or ""), validate=True).partition(b":")
    except binascii.Error:
        return False
    return bool(user and colon and password)
