"""Mismatches of an assertion in a form that people read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Sequence

    from proving_ground.chainsaw.assertions import Mismatch, Verdict
    from proving_ground.chainsaw.selectors import Selector

_MOST_LINES = 30  # of one value or one part of an object
_LONGEST = 400  # characters of a text in it
_DEEPEST = 12  # levels of it
_WIDEST = 160  # characters of a line
_HIDDEN = "not as expected (values of a Secret are not shown)"


def render_mismatches(mismatches: Sequence[Mismatch], candidate: dict[str, Any] | None) -> str:
    """Return one line for each mismatch, and the part of the object that they are about.

    Args:
        mismatches: What differs.
        candidate: The object; None for nothing to show.

    Returns:
        Lines without the last newline.
    """
    secret = candidate is not None and candidate.get("kind") == "Secret"
    lines = [f"* {mismatch.path or '@'}: {_HIDDEN if secret else mismatch.reason}" for mismatch in mismatches]
    if candidate is not None and not secret:
        names = dict.fromkeys(_top(mismatch.path) for mismatch in mismatches)
        part = {name: candidate[name] for name in names if name in candidate}
        if part:
            lines += ["  found:", *(f"    {line}" for line in _yaml(part))]
    return "\n".join(_cut(line) for line in lines)


def render_verdict(selector: Selector, verdict: Verdict) -> str:
    """Return why no object matched: there is none, or how the nearest one differs."""
    nearest = verdict.nearest
    if nearest is None:
        return f"there is no {selector}"
    metadata = nearest.object.get("metadata") or {}
    place = f"{metadata['namespace']}/" if metadata.get("namespace") else ""
    name = f"{nearest.object.get('kind') or selector.kind} {place}{metadata.get('name', '')}"
    if nearest.matches:
        return f"{name} matches"
    others = len(verdict.candidates) - 1
    near = f" (the nearest of {others + 1} that were compared)" if others else ""
    return f"{name} is not as expected{near}:\n{render_mismatches(nearest.mismatches, nearest.object)}"


def _top(path: str) -> str:
    return path.split(".", 1)[0].split("[", 1)[0]


def _yaml(value: Any) -> list[str]:
    lines = (
        yaml.safe_dump(_pruned(value, 0), sort_keys=False, allow_unicode=True, width=_WIDEST).rstrip("\n").split("\n")
    )
    if len(lines) <= _MOST_LINES:
        return lines
    return [*lines[:_MOST_LINES], f"... {len(lines) - _MOST_LINES} more lines"]


def _pruned(value: Any, depth: int) -> Any:
    """Return a value of which no more is left than can be shown; nothing in it is shared."""
    if isinstance(value, str):
        return value if len(value) <= _LONGEST else value[:_LONGEST] + "..."
    if not isinstance(value, dict | list):
        return value
    if depth >= _DEEPEST:
        return "..."
    if isinstance(value, list):
        return [_pruned(item, depth + 1) for item in value[:_MOST_LINES]]
    return {str(key): _pruned(item, depth + 1) for key, item in list(value.items())[:_MOST_LINES]}


def _cut(line: str) -> str:
    return line if len(line) <= _WIDEST * 4 else line[: _WIDEST * 4] + "..."
