"""Programs for the collection's modules to call."""

from __future__ import annotations

from pathlib import Path

import pytest


class Commands:
    """Programs that do as they are told, before all others of their names, and note what they were called with.

    Args:
        directory: Where they are.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def add(self, name: str, script: str = ":") -> None:
        """Have a program that is a shell script; ``$*`` is what it was called with."""
        path = self._directory / name
        log = self._directory / f"{name}.calls"
        # In one write, for programs are called side by side.
        note = f'call=$(printf "%s\\036" "$@"); printf "%s\\035" "$call" >>"{log}"'
        path.write_text(f"#!/bin/sh\n{note}\n{script}\n")
        path.chmod(0o755)

    def calls(self, name: str) -> list[list[str]]:
        """Return the arguments of each call of a program."""
        log = self._directory / f"{name}.calls"
        text = log.read_text() if log.exists() else ""
        return [call.split("\x1e")[:-1] for call in text.split("\x1d")[:-1]]


@pytest.fixture
def commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Commands:
    """Programs of the test's own."""
    place = tmp_path / "bin"
    place.mkdir()
    monkeypatch.setenv("PATH", f"{place}:/usr/bin:/bin")
    return Commands(place)
