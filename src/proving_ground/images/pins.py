"""Which packages an image needs: what its programs import, and all that follows from it, as the lock pins it."""

from __future__ import annotations

import re
from importlib import metadata
from typing import TYPE_CHECKING

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from proving_ground.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

ROOTS = ("aiohttp", "httptools", "kopf", "pydantic", "pyyaml", "starlette", "uvicorn", "uvloop")
"""Packages that the mocks, the model servers and the stand-ins import."""
_PIN = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)==")


def read_lock(text: str) -> dict[str, str]:
    """Return the entry of each package of a requirements lock, with its hashes, by its normalised name."""
    entries: dict[str, list[str]] = {}
    current: list[str] = []
    for line in text.splitlines():
        found = _PIN.match(line)
        if found is not None:
            current = entries.setdefault(canonicalize_name(found["name"]), [])
        if line.strip() and not line.lstrip().startswith("#"):
            current.append(line)
    return {name: "\n".join(lines) for name, lines in entries.items()}


def needed(roots: Iterable[str], python: str) -> set[str]:
    """Return the normalised names of packages and of what they need, from what is installed here.

    Args:
        roots: Names of packages.
        python: The version of Python that they are for, as ``3.13``.

    Raises:
        ConfigurationError: One of them is not installed here.
    """
    found: set[str] = set()
    waiting = list(roots)
    while waiting:
        name = canonicalize_name(waiting.pop())
        if name in found:
            continue
        try:
            requires = metadata.requires(name) or []
        except metadata.PackageNotFoundError:
            raise ConfigurationError(f"package {name} is not installed", where="images") from None
        found.add(name)
        waiting += [made.name for text in requires if _holds(made := Requirement(text), python)]
    return found


def _holds(requirement: Requirement, python: str) -> bool:
    marker = requirement.marker
    environment: Mapping[str, str] = {"python_version": python, "python_full_version": f"{python}.0", "extra": ""}
    return marker is None or marker.evaluate(dict(environment))


def pinned(lock: str, names: Iterable[str]) -> str:
    """Return the part of a lock that pins packages.

    Raises:
        ConfigurationError: The lock does not pin one of them.
    """
    entries = read_lock(lock)
    wanted = sorted(names)
    missing = [name for name in wanted if name not in entries]
    if missing:
        raise ConfigurationError(f"the lock does not pin {', '.join(missing)}", where="requirements.lock")
    return "\n".join(entries[name] for name in wanted) + "\n"
