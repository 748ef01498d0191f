"""The suite of the guide passes on a simulated platform, and its fault makes it fail."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from .conftest import Copy


def test_the_suite_is_proved(copy_with: Callable[[str], Copy], sim_platform_file: Path) -> None:
    copy = copy_with("suite")
    proved = copy.proving_ground("prove", "--platform", str(sim_platform_file), "--only", "hello", "--run-id", "p")
    assert proved.returncode == 0, proved.stdout + proved.stderr
    assert json.loads((copy.root / "artifacts/p/prove.json").read_text())["problems"] == []
    assert "ok wrong-model -> a-server-names-its-model" in proved.stdout
