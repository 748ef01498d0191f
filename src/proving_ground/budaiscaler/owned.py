"""What objects that belong to a scaler say of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Json = Mapping[str, Any]

_LONGEST_LABEL = 63


def owner_references(scaler: Json) -> list[dict[str, Any]]:
    """Return ``metadata.ownerReferences`` of an object that goes with its scaler."""
    metadata = scaler["metadata"]
    return [
        {
            "apiVersion": scaler["apiVersion"],
            "kind": scaler["kind"],
            "name": metadata["name"],
            "uid": metadata["uid"],
            "controller": True,
            "blockOwnerDeletion": False,
        }
    ]


def label_value(scaler: Json) -> str:
    """Return the name of a scaler as a label's value, which is shorter than a name can be."""
    return str(scaler["metadata"]["name"][:_LONGEST_LABEL].rstrip("-._"))
