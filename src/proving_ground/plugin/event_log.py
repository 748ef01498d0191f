"""The event log on disk: one JSON line for each event, written at once, without secrets."""

from __future__ import annotations

import base64
import json
import re
from typing import IO, TYPE_CHECKING, Any

from proving_ground.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from proving_ground.contracts.events import Event

MASK = "***"


class Masking:
    """Replaces secret values, also where they are base64 (as in Kubernetes Secrets)."""

    def __init__(self, values: Iterable[str] = ()) -> None:
        self._values: set[str] = set()
        self._pattern: re.Pattern[str] | None = None
        for value in values:
            self.add(value)

    def add(self, value: str) -> None:
        """Mask this value from now on; blank ones are ignored."""
        value = value.strip()
        if not value:
            return
        self._values |= {value, base64.b64encode(value.encode()).decode()}
        self._pattern = re.compile("|".join(re.escape(v) for v in sorted(self._values, key=len, reverse=True)))

    def text(self, text: str) -> str:
        """Return the text with every secret replaced, and without what UTF-8 cannot hold."""
        text = text.encode("utf-8", "backslashreplace").decode()
        return self._pattern.sub(MASK, text) if self._pattern is not None else text

    def data(self, value: Any) -> Any:  # any JSON value
        """Return JSON data with every secret in its strings and keys replaced."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {self.text(str(key)): self.data(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [self.data(inner) for inner in value]
        return value


def read_masks(paths: Iterable[Path]) -> list[str]:
    """Return the values of mask files, one in a line.

    Raises:
        ConfigurationError: A file cannot be read.
    """
    values: list[str] = []
    for path in paths:
        try:
            values += path.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(
                f"the values to mask cannot be read: {error}", where=str(path), hint="give a text file to --mask"
            ) from error
    return values


class EventLog:
    """Writes events; without a path it only counts for nothing."""

    def __init__(self, path: Path | None, masking: Masking) -> None:
        """Open the log anew.

        Raises:
            ConfigurationError: It cannot be written.
        """
        self.masking = masking
        self._file: IO[str] | None = None
        if path is not None:
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                self._file = path.open("w", encoding="utf-8")
            except OSError as error:
                raise ConfigurationError(
                    f"the event log cannot be written: {error.strerror}", where=str(path), hint="see --events"
                ) from error

    def write(self, event: Event) -> None:
        """Append one event and flush it."""
        if self._file is None:
            return
        data = self.masking.data(event.model_dump(mode="json"))
        # Escaped to ASCII: a line stays one line for readers that split at Unicode's line separators, too.
        self._file.write(json.dumps(data, separators=(",", ":")) + "\n")
        self._file.flush()

    def close(self) -> None:
        """Close the log; later events are dropped."""
        if self._file is not None:
            self._file.close()
            self._file = None
