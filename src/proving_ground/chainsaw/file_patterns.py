r"""Names of files with ``*``, ``?`` and ``[...]``, as Go's ``filepath.Glob`` takes them.

None of them matches ``/``, so that ``**`` means no more than ``*``; a leading dot is a character as any other;
a backslash takes what follows as it is (https://pkg.go.dev/path/filepath#Match).
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_MAGIC = re.compile(r"[*?\[\\]")


def matching(pattern: str, directory: Path) -> list[Path]:
    """Return what matches below a directory, in order of names.

    Args:
        pattern: Relative to the directory; may leave it with ``..``.
        directory: Taken as it is, whatever its name holds.

    Raises:
        ValueError: The pattern is malformed.
    """
    segments = [segment for segment in pattern.split("/") if segment not in ("", ".")]
    compiled = [(segment, _pattern(segment) if _MAGIC.search(segment) else None) for segment in segments]
    found = [directory]
    for segment, wanted in compiled:
        if wanted is None:
            found = [path / segment for path in found if (path / segment).exists()]
        else:
            found = [path / name for path in found for name in _names(path) if wanted.fullmatch(name)]
    return found


def _names(directory: Path) -> list[str]:
    try:
        return sorted(path.name for path in directory.iterdir())
    except OSError:
        return []  # not a directory, or not one that may be read: matches nothing, as in Go


@lru_cache(maxsize=256)
def _pattern(segment: str) -> re.Pattern[str]:
    out = ""
    position = 0
    while position < len(segment):
        character = segment[position]
        position += 1
        if character == "[":
            end = _end_of_class(segment, position)
            out += "[" + _members(segment[position:end]) + "]"
            position = end + 1
        elif character == "\\":
            if position == len(segment):
                raise ValueError("ends in a backslash")
            out += re.escape(segment[position])
            position += 1
        else:
            out += {"*": ".*", "?": "."}.get(character) or re.escape(character)
    try:
        return re.compile(out, re.DOTALL)
    except re.error as error:
        raise ValueError(str(error)) from None


def _end_of_class(segment: str, start: int) -> int:
    position = start + segment.startswith("^", start)
    first = position
    while position < len(segment):
        if segment[position] == "]" and position > first:
            return position
        position += 2 if segment[position] == "\\" else 1
    raise ValueError("a [ is never closed")


def _members(text: str) -> str:
    r"""Return the members of a class for Python; ``-`` between two makes a range, ``\`` takes the next as it is."""
    out = "^" if text.startswith("^") else ""
    position = len(out)
    while position < len(text):
        character = text[position]
        if character == "\\":
            position += 1
            character = text[position : position + 1]
            out += re.escape(character)
        else:
            out += character if character == "-" else re.escape(character)
        position += 1
    return out
