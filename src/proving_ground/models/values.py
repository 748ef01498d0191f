"""values.yaml: the secrets that private images and gated models need."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import stat
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from proving_ground.errors import ConfigurationError, InfrastructureError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from proving_ground.models.table import Row

IMAGE_PULL_SECRET = "imagePullSecret"  # noqa: S105 - the name of a key
HF_TOKEN = "hfToken"  # noqa: S105 - the name of a key
MODE = 0o600

DOCKER_HUB = "https://index.docker.io/v1/"
"""What a Docker config calls the registry of images that name no host."""


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


def check(paths: Sequence[Path], rows: Iterable[Row], given: Collection[str] = ()) -> list[str]:
    """Check that values files have what the active rows need.

    A file that others may read is made 0600. No message ever holds a value.

    Args:
        paths: The files, later ones over earlier ones; those that are not there hold nothing.
        rows: The rows of a table.
        given: Keys that are given otherwise, on a command line.

    Returns:
        Warnings, one line each.

    Raises:
        ConfigurationError: A file is needed and missing, is broken, or lacks a value that a row needs.
    """
    needed = {key: row for key, row in needed_keys(rows).items() if key not in given}
    present = [path for path in paths if path.exists()]
    if not present:
        for key, row in needed.items():
            raise ConfigurationError(
                f"no values file, and line {row.line} ({row.name}) needs {key}",
                where=str(paths[-1]) if paths else "",
                hint="copy values.yaml.example to values.yaml and fill it in, or give --values",
            )
        return []
    warnings = [warning for path in present for warning in _make_private(path)]
    values: dict[str, tuple[object, Path]] = {}
    for path in present:
        values |= {key: (value, path) for key, value in _load(path).items()}
    for key, row in needed.items():
        value, path = values.get(key, (None, present[-1]))
        if value is None or value == "":
            raise ConfigurationError(f"{key} is missing, line {row.line} ({row.name}) needs it", where=str(path))
        _check_value(path, key, value)
    return warnings


def secret_texts(values: Mapping[str, str]) -> list[str]:
    """Return what no report may show: the values themselves, and the credentials inside a Docker config."""
    texts = list(values.values())
    for host in json.loads(values.get(IMAGE_PULL_SECRET, "{}")).get("auths", {}).values():
        texts += [text for name, text in host.items() if name != "username" and isinstance(text, str)]
    return texts


def made_up(registries: Iterable[str]) -> dict[str, str]:
    """Return values that no real service knows: random credentials for the hosts of the registries."""
    first = {registry.partition("/")[0] for registry in registries}
    hosts = sorted({host if "." in host or ":" in host else DOCKER_HUB for host in first} or {DOCKER_HUB})
    auths = {host: {"username": f"robot-{secrets.token_hex(4)}", "password": secrets.token_hex(16)} for host in hosts}
    return {IMAGE_PULL_SECRET: json.dumps({"auths": auths}), HF_TOKEN: f"hf_{secrets.token_hex(16)}"}


def write_once(path: Path, values: Mapping[str, str]) -> dict[str, str]:
    """Write a values file that only its owner may read, unless there is one; return what it holds.

    Safe where several processes do it at once: all come to hold the same values.

    Raises:
        InfrastructureError: It cannot be written.
        ConfigurationError: The one that is there is broken.
    """
    if not path.exists():
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            handle, temporary = tempfile.mkstemp(prefix=".values-", dir=path.parent)  # mode 0600
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                yaml.safe_dump(dict(values), file)
            with contextlib.suppress(FileExistsError):
                os.link(temporary, path)
            Path(temporary).unlink()
        except OSError as error:
            raise InfrastructureError(f"cannot be written: {error.strerror}", where=str(path)) from error
    return {key: str(value) for key, value in _load(path).items()}


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


def _check_value(path: Path, key: str, value: object) -> None:
    if not isinstance(value, str):
        hint = "put the JSON into one quoted string" if key == IMAGE_PULL_SECRET else "quote it"
        raise ConfigurationError(f"{key}: expected a string", where=str(path), hint=hint)
    if key == IMAGE_PULL_SECRET:
        _check_docker_config(path, value)
    elif not value.isascii() or len(value.split()) != 1:
        raise ConfigurationError(f"{key}: expected one word, a Hugging Face token", where=str(path))


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
