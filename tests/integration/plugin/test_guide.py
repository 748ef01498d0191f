"""The example of the guide "Add a suite" works as it stands there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Ground

pytest_plugins = ["pytester"]

GUIDE = Path(__file__).parents[3] / "docs" / "guides" / "add-a-suite.md"


@pytest.mark.parametrize(
    ("fault", "outcomes"),
    [
        (None, {"says-hello": "passed", "starts": "passed"}),
        ("mute", {"says-hello": "failed", "starts": "passed"}),
        ("stuck", {"says-hello": "failed", "starts": "failed"}),
    ],
)
def test_the_suite_of_the_guide_does_what_its_faults_say(
    ground: Ground, fault: str | None, outcomes: dict[str, str]
) -> None:
    for name, content in re.findall(r"`tests/suites/([^`]+)`:\n\n```\w+\n(.*?)```", GUIDE.read_text(), re.DOTALL):
        path = ground.path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(content)
    ground.run(*([f"--fault={fault}"] if fault else []))
    assert ground.outcomes() == outcomes
