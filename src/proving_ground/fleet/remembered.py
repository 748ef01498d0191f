"""What the mocks of workloads were told, so that pods that come later start with it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from proving_ground.fleet.views import Key

MERGED = "set"
"""The path whose parameters add up: each call changes those that it names."""
SELECTORS = ("query", "gpu")
"""Parameters of it that say what is set, rather than to what."""
TIMED = frozenset({"set_pattern", "set_time"})
"""Paths of what goes on from the moment that it is set: all pods, also those that come later, share that moment."""
CONFIG_MAP = "proving-ground-mocks"
"""Where real pods find the settings of their workload: a ConfigMap of their namespace, a key for each workload."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One call of a mock."""

    container: str
    """The container whose mock it is for; empty for every mock of the pod."""
    path: str
    query: Mapping[str, str]

    @property
    def subject(self) -> tuple[str, ...]:
        """What it sets: a later setting of the same takes its place."""
        chosen = [self.query.get(name, "") for name in SELECTORS] if self.path == MERGED else []
        return (self.container, self.path, *chosen)

    def meant_for(self, container: str) -> bool:
        """Say whether it is for the mock of a container."""
        return self.container in {"", container}


class Remembered:
    """The settings of all workloads."""

    def __init__(self) -> None:
        self._settings: dict[Key, dict[tuple[str, ...], Setting]] = {}

    def note(self, workload: Key, setting: Setting) -> None:
        """Remember a setting as the latest of its workload."""
        settings = self._settings.setdefault(workload, {})
        before = settings.pop(setting.subject, None)
        if before is not None and setting.path == MERGED:
            setting = Setting(setting.container, setting.path, {**before.query, **setting.query})
        settings[setting.subject] = setting

    def of(self, workload: Key) -> Iterable[Setting]:
        """Return what a new pod of a workload is to be told, in order."""
        return tuple(self._settings.get(workload, {}).values())

    def forget(self, namespace: str) -> None:
        """Forget all workloads of a namespace."""
        for key in [key for key in self._settings if key[0] == namespace]:
            del self._settings[key]


def written(settings: Iterable[Setting]) -> str:
    """Write settings as the ConfigMap holds them."""
    return json.dumps([[setting.container, setting.path, dict(setting.query)] for setting in settings])


def read(text: str) -> list[Setting]:
    """Read what :func:`written` wrote.

    Raises:
        ValueError: It is something else.
    """
    try:
        found = json.loads(text)
        return [
            Setting(str(container), str(path), {str(name): str(value) for name, value in query.items()})
            for container, path, query in found
        ]
    except (AttributeError, TypeError, RecursionError) as error:
        raise ValueError(f"expected a list of container, path and parameters, found {text[:80]!r}") from error
