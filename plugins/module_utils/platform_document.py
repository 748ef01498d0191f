# Apache-2.0 (see LICENSE)
"""platform.json as playbooks write it: merged piece by piece, under a lock and atomically."""

from __future__ import annotations

import copy
import fcntl
import json
import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pathlib

SCHEMA_VERSION = 1


def merged(base: Any, over: Any) -> Any:
    """Return a JSON value with another one merged over it."""
    if isinstance(base, dict) and isinstance(over, dict):
        result = dict(base)
        for key, value in over.items():
            result[key] = merged(base[key], value) if key in base else copy.deepcopy(value)
        return result
    if isinstance(base, list) and isinstance(over, list):
        names = {item["name"] for item in over if isinstance(item, dict) and "name" in item}
        kept = [item for item in base if not (isinstance(item, dict) and item.get("name") in names)]
        return kept + [item for item in over if item not in kept]
    return copy.deepcopy(over)


def read(path: pathlib.Path) -> dict[str, Any]:
    """Return the present content.

    Raises:
        ValueError: It is there and is not a JSON object.
    """
    try:
        text = path.read_text()
    except FileNotFoundError:
        return {}
    content = json.loads(text)
    if not isinstance(content, dict):
        raise ValueError("it is not a JSON object")  # noqa: TRY004 - one kind of error for a broken file
    return content


def converge(path: pathlib.Path, fragment: dict[str, Any], defaults: dict[str, Any], *, check: bool) -> dict[str, Any]:
    """Merge; the result is the task's."""
    if check:
        before = read(path)
        after = merged(merged({"schema_version": SCHEMA_VERSION, **defaults}, before), fragment)
        return {"changed": before != after, "platform": after}
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with path.with_name(f".{path.name}.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        before = read(path)
        after = merged(merged({"schema_version": SCHEMA_VERSION, **defaults}, before), fragment)
        if before != after:
            temporary = path.with_name(f".{path.name}.{os.getpid()}")
            temporary.write_text(json.dumps(after, indent=2, sort_keys=True) + "\n")
            temporary.replace(path)
    return {"changed": before != after, "platform": after}
