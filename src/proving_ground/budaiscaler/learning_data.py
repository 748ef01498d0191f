"""The ConfigMap that keeps what a scaler learned, so that a restart forgets nothing."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from proving_ground.budaiscaler.clock import format_time
from proving_ground.budaiscaler.owned import label_value, owner_references
from proving_ground.kube.operator_api import ApiError

if TYPE_CHECKING:
    from proving_ground.kube.operator_api import Api

Json = Mapping[str, Any]

PREFIX = "scaler.bud.studio/"
DATA_LABEL, NAME_LABEL = f"{PREFIX}learning-data", f"{PREFIX}scaler-name"
UPDATED_ANNOTATION, VERSION_ANNOTATION = f"{PREFIX}last-updated", f"{PREFIX}version"
VERSION = "v1"
KEYS = ("seasonal_profiles.json", "pattern_detector.json", "accuracy_tracker.json", "metadata.json")
BROKEN = ".broken"
"""Suffix of the keys under which data that could not be read stays, for people."""
LONGEST_BROKEN = 64 << 10
"""Characters of it; a ConfigMap holds 1 MiB in all."""


def name_of(scaler: str) -> str:
    """Return the name of a scaler's ConfigMap."""
    return f"{scaler}-learning-data"


def config_map(scaler: Json, data: Mapping[str, str], *, now: float) -> dict[str, Any]:
    """Return the ConfigMap of a scaler, which owns it.

    Args:
        scaler: The BudAIScaler.
        data: What was learned, by key.
        now: Simulated seconds.
    """
    metadata = scaler["metadata"]
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": name_of(metadata["name"]),
            "namespace": metadata["namespace"],
            "labels": {DATA_LABEL: "true", NAME_LABEL: label_value(scaler)},
            "annotations": {UPDATED_ANNOTATION: format_time(now), VERSION_ANNOTATION: VERSION},
            "ownerReferences": owner_references(scaler),
        },
        "data": dict(data),
    }


def broken(data: Mapping[str, str]) -> dict[str, str]:
    """Return data that could not be read under keys that say so."""
    return {f"{key}{BROKEN}": data[key][:LONGEST_BROKEN] for key in KEYS if data.get(key)}


def size_text(data: Mapping[str, str]) -> str:
    """Return how much data there is, as people read it: ``1.2KB``."""
    size = sum(len(text.encode()) for text in data.values())
    return f"{size}B" if size < 1024 else f"{size / 1024:.1f}KB"  # noqa: PLR2004


async def load(api: Api, namespace: str, scaler: str) -> dict[str, str] | None:
    """Return what is kept for a scaler, or None where there is nothing.

    Raises:
        ApiError: The API server refused, or OSError where it cannot be reached.
    """
    found = await api.find(_path(namespace, scaler))
    data = {key: text for key, text in ((found or {}).get("data") or {}).items() if key in KEYS}
    return data or None


async def save(api: Api, scaler: Json, data: Mapping[str, str], *, now: float, take_over: bool) -> None:
    """Keep what a scaler learned.

    Args:
        api: Requests to the API server.
        scaler: The BudAIScaler.
        data: What was learned, by key.
        now: Simulated seconds.
        take_over: Whether a ConfigMap that is there already gets this scaler as its owner. Only the first time: one
            whose owner was taken away, so that it outlives its scaler, would be lost with it by a late write.

    Raises:
        ApiError: The API server refused, or OSError where it cannot be reached.
    """
    body = config_map(scaler, data, now=now)
    namespace, name = scaler["metadata"]["namespace"], scaler["metadata"]["name"]
    owned = {key: value for key, value in body["metadata"].items() if take_over or key != "ownerReferences"}
    try:
        await api.merge(_path(namespace, name), {**body, "metadata": owned})
    except ApiError as error:
        if error.status != HTTPStatus.NOT_FOUND:
            raise
        await api.create(f"/api/v1/namespaces/{namespace}/configmaps", body)


def _path(namespace: str, scaler: str) -> str:
    return f"/api/v1/namespaces/{namespace}/configmaps/{name_of(scaler)}"
