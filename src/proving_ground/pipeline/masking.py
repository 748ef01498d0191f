"""Keeps secrets out of the artifacts directory, whatever wrote there."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import yaml

from proving_ground.errors import InfrastructureError
from proving_ground.files import write_atomically

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

MASK = "***"
_SHORTEST = 6  # shorter values are words, and masking them would hide the report
_KUBECONFIG_SECRETS = {"client-key-data", "token", "password"}


def _scalars(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for item in value.values():
            yield from _scalars(item)
    elif isinstance(value, list):
        for item in value:
            yield from _scalars(item)
    elif isinstance(value, str):
        yield value
        try:
            inner = json.loads(value)
        except ValueError:
            return
        if isinstance(inner, dict):
            yield from _scalars(inner)


def _kubeconfig_secrets(value: Any, key: str = "") -> Iterator[str]:
    if isinstance(value, dict):
        for name, item in value.items():
            yield from _kubeconfig_secrets(item, str(name))
    elif isinstance(value, list):
        for item in value:
            yield from _kubeconfig_secrets(item, key)
    elif isinstance(value, str) and key in _KUBECONFIG_SECRETS:
        yield value


def _loaded(path: Path) -> Any:
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        return None


def secrets_of(state: Path, values: Iterable[Path] = ()) -> list[str]:
    """Return every secret that a run knows, longest first.

    Args:
        state: Private state directory: mask.txt, values.yaml, kubeconfigs and private keys in it.
        values: Further values.yaml files.
    """
    found: set[str] = set()
    mask = state / "mask.txt"
    if mask.is_file():
        found.update(mask.read_text(encoding="utf-8", errors="replace").splitlines())
    for file in [*values, *state.rglob("values.yaml")]:
        found.update(_scalars(_loaded(file)))
    for file in [*state.rglob("*.kubeconfig"), *state.rglob("kubeconfig")]:
        if file.is_file():
            found.update(_kubeconfig_secrets(_loaded(file)))
    for file in state.rglob("*.key"):
        lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
        found.update(line for line in lines if not line.startswith("-----"))
    usable = {text.strip() for text in found if len(text.strip()) >= _SHORTEST}
    encoded = {base64.b64encode(text.encode()).decode() for text in usable}
    return sorted(usable | encoded, key=len, reverse=True)


def mask_text(text: str, secrets: Iterable[str]) -> str:
    """Return the text with every secret replaced."""
    for secret in secrets:
        text = text.replace(secret, MASK)
    return text


def mask_directory(directory: Path, secrets: list[str]) -> list[Path]:
    """Replace every secret in every file below a directory; return the files that held one.

    A file that cannot be written anew, on a full disk say, is removed.
    """
    needles = [secret.encode() for secret in secrets]
    changed = []
    for path in directory.rglob("*"):
        if not path.is_file() or path.is_symlink():
            continue
        content = path.read_bytes()
        if not any(needle in content for needle in needles):
            continue
        for needle in needles:
            content = content.replace(needle, MASK.encode())
        try:
            write_atomically(path, content)
        except InfrastructureError:
            path.unlink()
        changed.append(path)
    return changed
