"""The stage of the guide is a stage wherever stages are read."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING

import pytest

from proving_ground.contracts.stages import Stages
from proving_ground.pages.stages import stages_table
from proving_ground.pipeline.project import Project, load_yaml

from .conftest import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    from .conftest import Copy


@pytest.fixture(scope="module")
def noxfile() -> ModuleType:
    spec = importlib.util.spec_from_file_location("guides_noxfile", ROOT / "noxfile.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_stage_is_read_shown_and_a_session(copy_with: Callable[[str], Copy], noxfile: ModuleType) -> None:
    copy = copy_with("stage")
    stage = Project(copy.root).stage("post_deploy")
    assert (stage.suites, stage.budget_seconds) == (["platform"], 900)
    stages = load_yaml(copy.root / "stages.yml", Stages)
    assert f"| `post_deploy` | {stage.description} |" in stages_table(stages)
    assert noxfile.read_stages((copy.root / "stages.yml").read_text())["post_deploy"] == stage.description
