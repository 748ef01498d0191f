"""What takes long is told: on standard error, and in the progress of a run."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def speaker(name: str, progress: Path | None, *, known_as: str = "") -> Callable[[str], None]:
    """Return what tells a line.

    Args:
        name: Begins each line on standard error.
        progress: File that gets each line too; one that cannot be written is no reason to stop.
        known_as: Begins each line there, if that is another name.
    """

    def say(line: str) -> None:
        print(f"{name}: {line}", file=sys.stderr, flush=True)  # noqa: T201 -- for whoever waits
        if progress is not None:
            try:
                with progress.open("a", encoding="utf-8") as stream:
                    stream.write(f"{known_as or name}: {line}\n")
            except OSError:
                return

    return say
