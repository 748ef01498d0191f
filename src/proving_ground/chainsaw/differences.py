"""Mismatches of an assertion in a form that people read."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from proving_ground.chainsaw.assertions import Mismatch, Others, Verdict
    from proving_ground.chainsaw.selectors import Selector

_MOST_LINES = 30  # of one value or one part of an object
_MOST_SHOWN = 120  # lines of one comparison
_LONGEST = 400  # characters of a text in it
_DEEPEST = 12  # levels of it
_WIDEST = 160  # characters of a line
_HIDDEN = "not as expected (values of a Secret are not shown)"
_FIRST_NAME = re.compile(r"[~\w.]*\(?\s*([A-Za-z_]\w*)", re.ASCII)


def render_mismatches(mismatches: Sequence[Mismatch], candidate: dict[str, Any] | None) -> str:
    """Return one line for each mismatch, and a comparison of what was expected with what was found.

    Args:
        mismatches: What differs.
        candidate: The object; None for nothing to show.

    Returns:
        Lines without the last newline.
    """
    secret = candidate is not None and candidate.get("kind") == "Secret"
    lines = [f"* {mismatch.path or '@'}: {_HIDDEN if secret else mismatch.reason}" for mismatch in mismatches]
    if candidate is not None and not secret and any(mismatch.keys for mismatch in mismatches):
        compared = list(_compared(mismatches, candidate))
        lines += ["  --- expected", "  +++ found", *(f"  {line}" for line in compared[:_MOST_SHOWN])]
        if len(compared) > _MOST_SHOWN:
            lines.append(f"  ... {len(compared) - _MOST_SHOWN} more lines")
    return "\n".join(_cut(line) for line in lines)


def _compared(mismatches: Sequence[Mismatch], candidate: dict[str, Any]) -> Iterator[str]:
    """Yield lines as those of a diff: the way to each mismatch once, then what was expected and what was found."""
    printed: tuple[Any, ...] = ()
    for mismatch in mismatches:
        if not mismatch.keys:
            continue
        *way, last = mismatch.keys
        common = next(
            (depth for depth, (key, before) in enumerate(zip(way, printed, strict=False)) if key != before),
            min(len(way), len(printed)),
        )
        for depth in range(common, len(way)):
            yield f" {'  ' * depth}{_key(way[depth])}:"
        printed = tuple(way)
        yield from _context(way, last, candidate)
        absent = mismatch.found is None and mismatch.absent
        yield from _side("-", len(way), last, mismatch.expected)
        yield from _side("+", len(way), last, _shaped(mismatch.found, mismatch.expected), absent=absent)


def _context(way: Sequence[Any], last: Any, candidate: dict[str, Any]) -> Iterator[str]:
    """Yield the field that an expression looks at, where it stands beside it in the object."""
    if not isinstance(last, str) or "(" not in last:
        return
    value: Any = candidate
    for key in way:
        try:
            value = value[key]
        except (KeyError, IndexError, TypeError):  # an expression, or nothing there
            return
    match = _FIRST_NAME.match(last)
    name = match.group(1) if match else ""
    if isinstance(value, dict) and isinstance(value.get(name), list | dict):
        yield from (f" {'  ' * len(way)}{line}" for line in _yaml({name: value[name]}))


def _side(sign: str, depth: int, key: Any, value: Any, *, absent: bool = False) -> Iterator[str]:
    indent = "  " * depth
    if absent:
        yield f"{sign}{indent}{_key(key)}: (no such field)"
    elif isinstance(value, dict | list) and value:
        yield f"{sign}{indent}{_key(key)}:"
        yield from (f"{sign}{indent}  {line}" for line in _yaml(value))
    else:
        yield f"{sign}{indent}{_key(key)}: {_yaml(value)[0]}"


def _key(key: Any) -> str:
    return f"[{key}]" if isinstance(key, int) else str(key)


def _shaped(found: Any, expected: Any) -> Any:
    """Return of what was found no more than what is expected names, where anything of it is."""
    if isinstance(found, dict) and isinstance(expected, dict) and found.keys() & expected.keys():
        return {key: _shaped(found[key], item) for key, item in expected.items() if key in found}
    if isinstance(found, list) and isinstance(expected, list) and expected:
        longest = len(expected) - 1
        return [_shaped(item, expected[min(index, longest)]) for index, item in enumerate(found)]
    return found


def render_verdict(selector: Selector, verdict: Verdict, others: Others | None = None) -> str:
    """Return why no object matched: there is none, or how the nearest one differs.

    Args:
        selector: What was looked for.
        verdict: How what it selects compares.
        others: What else of its kind is in its place, where it selects nothing.
    """
    nearest = verdict.nearest
    if nearest is None:
        return "\n".join((f"there is no {selector}", *_others(selector, others)))
    name = _name(selector, nearest.object)
    if nearest.matches:
        return f"{name} matches"
    count = len(verdict.candidates) - 1
    near = f" (the nearest of {count + 1} that were compared)" if count else ""
    return f"{name} is not as expected{near}:\n{render_mismatches(nearest.mismatches, nearest.object)}"


def _others(selector: Selector, others: Others | None) -> Iterator[str]:
    if others is None or not others.names:
        return
    names, rest = others.names[:_MOST_NAMES], len(others.names) - _MOST_NAMES
    yield f"of this kind there {'is' if len(others.names) == 1 else 'are'} {', '.join(names)}" + (
        f" and {rest} more" if rest > 0 else ""
    )
    if others.nearest is not None and others.nearest.mismatches:
        told = render_mismatches(others.nearest.mismatches, others.nearest.object)
        yield f"the nearest is {_name(selector, others.nearest.object)}:\n{told}"


_MOST_NAMES = 10


def _name(selector: Selector, obj: dict[str, Any]) -> str:
    metadata = obj.get("metadata") or {}
    place = f"{metadata['namespace']}/" if metadata.get("namespace") else ""
    return f"{obj.get('kind') or selector.kind} {place}{metadata.get('name', '')}"


def _yaml(value: Any) -> list[str]:
    text = yaml.safe_dump(_pruned(value, 0), sort_keys=False, allow_unicode=True, width=_WIDEST)
    lines = text.removesuffix("...\n").rstrip("\n").split("\n")
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
