"""The examples of docs/reference are what the contracts accept."""

from __future__ import annotations

import json
import re
from pathlib import Path

import yaml

from proving_ground.contracts.platform import Platform
from proving_ground.contracts.stages import Stages
from proving_ground.contracts.suite import Suite
from proving_ground.models.table import COLUMNS, DEFAULTS, read
from proving_ground.models.templates import VARIABLES

REFERENCE = Path(__file__).parents[3] / "docs/reference"


def example(page: str, language: str) -> str:
    found = re.search(rf"^```{language}\n(.*?)^```$", (REFERENCE / page).read_text(), re.MULTILINE | re.DOTALL)
    assert found, f"{page} has no example in {language}"
    return found[1]


def test_the_platform_is_one() -> None:
    Platform.model_validate(json.loads(example("platform.md", "json")))


def test_the_suite_is_one() -> None:
    Suite.model_validate(yaml.safe_load(example("suite.md", "yaml")))


def test_the_stages_are_some() -> None:
    Stages.model_validate(yaml.safe_load(example("stages.md", "yaml")))


def test_the_results_are_json() -> None:
    assert json.loads(example("results.md", "json"))["schema_version"] == 1


def test_the_table_of_models_can_be_read(tmp_path: Path) -> None:
    (tmp_path / "models.csv").write_text(example("models-csv.md", "csv"))
    assert len(read(tmp_path / "models.csv").rows) == 2


def test_every_column_is_documented_with_its_default() -> None:
    text = (REFERENCE / "models-csv.md").read_text()
    for column in COLUMNS:
        default = f"`{DEFAULTS[column]}`" if column in DEFAULTS else "required"
        assert f"| `{column}` | {default} |" in text


def test_every_variable_of_templates_is_documented() -> None:
    text = (REFERENCE / "models-csv.md").read_text()
    assert [name for name in VARIABLES if f"`${{{name}}}`" not in text] == []
