"""Pieces of Markdown."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

NOTE = "<!-- Made by `nox -s docs`; edit what it is made from. -->\n"

_RELATIVE_LINK = re.compile(r"\]\((?![a-z]+:|[#/])([^)\s]+)\)")


def cell(text: object) -> str:
    """Return text that can stand in a table's cell."""
    return " ".join(str(text).split()).replace("|", "\\|")


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a table; cells are escaped."""
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    lines += [f"| {' | '.join(cell(value) for value in row)} |" for row in rows]
    return "\n".join(lines) + "\n"


def moved(text: str, source: Path, target: Path) -> str:
    """Return text of one folder for a page in another: relative links lead where they led."""

    def link(match: re.Match[str]) -> str:
        path, anchor, heading = match[1].partition("#")
        return f"]({os.path.relpath(source / path, target)}{anchor}{heading})"

    return _RELATIVE_LINK.sub(link, text)
