"""values.yaml: the secrets that private images and gated models need."""

from __future__ import annotations

import json
import os
import secrets
import stat
from typing import TYPE_CHECKING

import yaml

from proving_ground.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from proving_ground.models.table import Row

IMAGE_PULL_SECRET = "imagePullSecret"  # noqa: S105 - the name of a key
HF_TOKEN = "hfToken"  # noqa: S105 - the name of a key
MODE = 0o600


def needed_keys(rows: Iterable[Row]) -> dict[str, Row]:
    """Return the keys of values.yaml that active rows need, each with the first row that needs it."""
    needed: dict[str, Row] = {}
    for row in rows:
        if row.skip:
            continue
        if row.private:
            needed.setdefault(IMAGE_PULL_SECRET, row)
        if row.hf_token:
            needed.setdefault(HF_TOKEN, row)
    return needed


def check(path: Path | None, rows: Iterable[Row]) -> list[str]:
    """Check that a values file has what the active rows need.

    A file that others may read is made 0600. No message ever holds a value.

    Returns:
        Warnings, one line each.

    Raises:
        ConfigurationError: The file is needed and missing, is broken, or lacks a value that a row needs.
    """
    needed = needed_keys(rows)
    if path is None or not path.exists():
        if needed:
            key, row = next(iter(needed.items()))
            raise ConfigurationError(
                f"no values file, and line {row.line} ({row.name}) needs {key}",
                where=str(path or ""),
                hint="copy values.yaml.example to values.yaml and fill it in, or give --values",
            )
        return []
    warnings = _make_private(path)
    values = _load(path)
    for key, row in needed.items():
        value = values.get(key)
        if value is None or value == "":
            raise ConfigurationError(f"{key} is missing, line {row.line} ({row.name}) needs it", where=str(path))
        if not isinstance(value, str):
            hint = "put the JSON into one quoted string" if key == IMAGE_PULL_SECRET else "quote it"
            raise ConfigurationError(f"{key}: expected a string", where=str(path), hint=hint)
        if key == IMAGE_PULL_SECRET:
            _check_docker_config(path, value)
        elif not value.isascii() or any(c.isspace() for c in value.strip()):
            raise ConfigurationError(f"{key}: expected one word, a Hugging Face token", where=str(path))
    return warnings


def made_up(registries: Iterable[str]) -> dict[str, str]:
    """Return values that no real service knows: random credentials for the hosts of the registries."""
    hosts = sorted({registry.partition("/")[0] for registry in registries if "." in registry or ":" in registry})
    auths = {host: {"username": "proving-ground", "password": secrets.token_hex(16)} for host in hosts or ["ghcr.io"]}
    return {IMAGE_PULL_SECRET: json.dumps({"auths": auths}), HF_TOKEN: f"hf_{secrets.token_hex(16)}"}


def write(path: Path, values: dict[str, str]) -> None:
    """Write a values file that only its owner may read; one that exists is left as it is.

    Raises:
        OSError: It cannot be written.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, MODE)
    except FileExistsError:
        return
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        yaml.safe_dump(values, file)


def _make_private(path: Path) -> list[str]:
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        if not mode & 0o077:
            return []
        path.chmod(MODE)
    except OSError as error:
        return [f"{path}: others may read it, and its mode cannot be changed: {error.strerror}"]
    return [f"{path}: others could read it (mode {mode:04o}), now 0600"]


def _load(path: Path) -> dict[str, object]:
    try:
        values = yaml.safe_load(path.read_bytes())
    except yaml.YAMLError as error:
        # The error's own text quotes the line, which may hold the secret.
        mark = getattr(error, "problem_mark", None)
        where = f"{path}:{mark.line + 1}:{mark.column + 1}" if mark else str(path)
        problem = getattr(error, "context", None) or "it cannot be parsed"
        raise ConfigurationError(f"is not valid YAML, {problem}", where=where, hint="see values.yaml.example") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "expected UTF-8 text"
        raise ConfigurationError(f"cannot be read: {reason}", where=str(path)) from None
    if not isinstance(values, dict):
        raise ConfigurationError(
            "expected a mapping of names to values", where=str(path), hint="see values.yaml.example"
        )
    return values


def _check_docker_config(path: Path, text: str) -> None:
    try:
        config = json.loads(text)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno} column {error.colno}"
        raise ConfigurationError(
            f"{IMAGE_PULL_SECRET}: expected a Docker config in JSON, broken at its {where}", where=str(path)
        ) from None
    if not isinstance(config, dict) or not isinstance(config.get("auths"), dict) or not config["auths"]:
        raise ConfigurationError(
            f"{IMAGE_PULL_SECRET}: expected a Docker config with auths", where=str(path), hint="see values.yaml.example"
        )
