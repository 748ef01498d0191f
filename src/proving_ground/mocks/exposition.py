"""Writing Prometheus' text format, version 0.0.4."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def labels(pairs: Iterable[tuple[str, str]]) -> str:
    """Write labels, in their order, with the braces."""
    written = ",".join(f'{name}="{_escaped(value)}"' for name, value in pairs)
    return f"{{{written}}}" if written else ""


def family(name: str, kind: str, description: str, series: Iterable[tuple[str, float]]) -> str:
    """Write a metric: HELP, TYPE, and a line for each series.

    Args:
        name: The metric's name.
        kind: ``gauge`` or ``counter``.
        description: Its text for people.
        series: Labels as :func:`labels` writes them, and value.
    """
    rows = "".join(f"{name}{written} {value!r}\n" for written, value in series)
    return f"# HELP {name} {description}\n# TYPE {name} {kind}\n{rows}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
