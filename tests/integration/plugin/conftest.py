from __future__ import annotations

import json
import textwrap
from pathlib import Path
from typing import Any

import pytest


class Ground:
    """A folder with a platform, on which pytest runs inside this process."""

    def __init__(self, pytester: pytest.Pytester) -> None:
        self.pytester = pytester
        self.path = pytester.path
        self.platform()

    def platform(self, **changes: Any) -> None:
        data = {
            "run_id": "r1",
            "inventory": "sim",
            "clock": {"started": "2026-01-01T00:00:00Z"},
            "capabilities": {"promised": ["kubernetes", "gpu"], "present": ["kubernetes", "gpu"]},
            **changes,
        }
        (self.path / "platform.json").write_text(json.dumps(data))

    def suite(self, name: str = "probe", text: str = "") -> Path:
        folder = self.path / name
        folder.mkdir(exist_ok=True)
        (folder / "suite.yml").write_text(f"name: {name}\ndescription: A probe.\n{textwrap.dedent(text)}")
        return folder

    def checks(self, text: str, folder: str = "probe", file: str = "test_probe.py") -> Path:
        path = self.path / folder / file
        path.parent.mkdir(exist_ok=True)
        path.write_text("import asyncio, pytest, os, signal\n" + textwrap.dedent(text))
        return path

    def run(self, *arguments: str) -> pytest.RunResult:
        return self.pytester.runpytest_inprocess(
            "--platform=platform.json",
            "--events=events.jsonl",
            "-p",
            "no:cacheprovider",
            *arguments,
            no_reraise_ctrlc=True,
        )

    def events(self, kind: str | None = None) -> list[dict[str, Any]]:
        lines = (self.path / "events.jsonl").read_text().splitlines()
        return [event for event in map(json.loads, lines) if kind in (None, event["event"])]

    def outcomes(self) -> dict[str, str]:
        return {event["check"].split("/", 1)[1]: event["outcome"] for event in self.events("ended")}

    def ended(self, name: str) -> dict[str, Any]:
        (event,) = [event for event in self.events("ended") if event["check"].endswith(f"/{name}")]
        return event


@pytest.fixture
def ground(pytester: pytest.Pytester) -> Ground:
    return Ground(pytester)
