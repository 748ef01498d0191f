"""What is remembered about one service between two passes."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import asyncio

    from proving_ground.aim.request import Request

Json = Mapping[str, Any]
Key = tuple[str, str]
"""Namespace and name of an AIMService."""


@dataclasses.dataclass(slots=True)
class Tracked:
    """An AIMService as it was last seen, and how far work on it is."""

    service: Json
    applied: str = ""
    starting_since: float | None = None
    dirty: bool = False
    attempts: int = 0
    task: asyncio.Task[None] | None = None
    timer: asyncio.TimerHandle | None = None
    secrets: frozenset[str] = frozenset()
    first_request: Request | None = None

    def drop(self) -> None:
        """Stop its work and its timer."""
        if self.timer is not None:
            self.timer.cancel()
        if self.task is not None:
            self.task.cancel()


def key_of(body: Json) -> Key:
    """Return the key of an AIMService."""
    return body["metadata"]["namespace"], body["metadata"]["name"]


def uid_of(body: Json) -> str:
    """Return the identity of an object."""
    return str(body["metadata"]["uid"])


def version_of(body: Json) -> int:
    """Return an object's resource version as a number (comparable since Kubernetes 1.35)."""
    text = str(body["metadata"].get("resourceVersion", "0"))
    return int(text) if text.isdigit() else 0
