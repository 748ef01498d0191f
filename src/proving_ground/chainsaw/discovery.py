"""Which tests there are below folders, and which of them are wanted: as chainsaw finds and filters them."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from proving_ground.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

_ROOT = "chainsaw"  # name of the test that all others are parts of, for regular expressions
_STEP_FILE = re.compile(r"\d+-.*\.ya?ml")
_T = TypeVar("_T")


def folders(roots: Iterable[Path]) -> Iterator[Path]:
    """Yield folders and all below them in the order of their names, each once; hidden ones, too, as chainsaw does.

    Raises:
        ConfigurationError: A root is no folder.
    """
    seen: set[Path] = set()
    for root in roots:
        if not root.is_dir():
            what = "is a file" if root.exists() else "no such folder"
            raise ConfigurationError(what, where=str(root), hint="name folders; --test-file names the files in them")
        for place, names, _ in os.walk(root):
            names.sort()
            folder = Path(place)
            if folder.resolve() not in seen:
                seen.add(folder.resolve())
                yield folder


def file_of(folder: Path, name: str) -> Path | None:
    """Return the test file of a folder: as named, else with ``.yaml``, else with ``.yml``; None where it has none.

    A folder without one whose files are numbered (``00-install.yaml``) is a test by itself: its first file stands
    for it.
    """
    names = [name] if Path(name).suffix else [f"{name}.yaml", f"{name}.yml"]
    found = next((folder / each for each in names if (folder / each).is_file()), None)
    if found is not None:
        return found
    steps = sorted(each for each in os.listdir(folder) if _STEP_FILE.fullmatch(each))
    return next((folder / each for each in steps if (folder / each).is_file()), None)


def is_step_file(path: Path, name: str) -> bool:
    """Return whether a file that `file_of` gave stands for the numbered files of its folder."""
    return path.name not in {name, f"{name}.yaml", f"{name}.yml"} and _STEP_FILE.fullmatch(path.name) is not None


def find_test_files(roots: Iterable[Path], name: str) -> list[Path]:
    """Return the test files below folders, in the order of the folders.

    Raises:
        ConfigurationError: A root is no folder.
    """
    found = (file_of(folder, name) for folder in folders(roots))
    return [path for path in found if path is not None]


def shard(tests: Sequence[_T], index: int, count: int) -> Sequence[_T]:
    """Return the tests of one shard: a run of neighbours, as chainsaw divides them.

    Args:
        tests: All of them.
        index: Which shard, from 0.
        count: How many there are.

    Raises:
        ConfigurationError: There is no such shard (chainsaw would run all tests then).
    """
    if not 0 <= index < count:
        raise ConfigurationError(
            f"there is no shard {index} of {count}", where="--shard-index", hint=f"0 to {count - 1}, counted from 0"
        )
    size = len(tests) / count
    last = len(tests) if index == count - 1 else int(size * (index + 1))
    return tests[int(size * index) : last]


class NamePattern:
    """A regular expression over ``chainsaw/NAME``, as ``go test -run`` takes it: one for each part between slashes.

    Each part is searched, not matched whole; a name with fewer parts than the pattern matches as far as it goes.

    Raises:
        ConfigurationError: A part is no regular expression.
    """

    def __init__(self, text: str, option: str) -> None:
        self._text = text
        try:
            self._choices = [[re.compile(part) for part in _split(choice, "/")] for choice in _split(text, "|")]
        except re.error as error:
            raise ConfigurationError(f"{text!r} is no regular expression: {error}", where=option) from None

    def includes(self, name: str) -> bool:
        """Return whether a test of this name is run."""
        parts = f"{_ROOT}/{name}".split("/")
        return any(self._matches(choice, parts) for choice in self._choices)

    def excludes(self, name: str) -> bool:
        """Return whether a test of this name is left out; unlike above, every part of the pattern has to match."""
        parts = f"{_ROOT}/{name}".split("/")
        return any(len(choice) <= len(parts) and self._matches(choice, parts) for choice in self._choices)

    @property
    def hint(self) -> str:
        """What to do where nothing matches because the pattern does not begin with chainsaw's own name."""
        begins = any(choice and choice[0].search(_ROOT) for choice in self._choices)
        return "" if begins else f"the whole name is chainsaw/NAME: {_ROOT}/{self._text}"

    @staticmethod
    def _matches(choice: Sequence[re.Pattern[str]], parts: Sequence[str]) -> bool:
        return all(pattern.search(part) for pattern, part in zip(choice, parts, strict=False))


def _split(text: str, at: str) -> list[str]:
    """Split a regular expression at a character outside of brackets."""
    parts, depth, current, escaped = [], 0, "", False
    for character in text:
        if character == at and not depth and not escaped:
            parts.append(current)
            current = ""
            continue
        if not escaped:
            depth += (character in "([") - (character in ")]" and depth > 0)
        escaped = character == "\\" and not escaped
        current += character
    return [*parts, current]


def full_name(directory: Path, title: str, working_directory: Path) -> str:
    """Return the name of a test with the path of its folder, as ``--full-name`` asks."""
    return f"{os.path.relpath(directory, working_directory)}[{title}]"
