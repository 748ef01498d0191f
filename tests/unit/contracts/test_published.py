from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
import yaml

from proving_ground.contracts.published import schemas
from proving_ground.pipeline.project import suite_files

ROOT = Path(__file__).parents[3]
SCHEMAS = schemas()


@pytest.mark.parametrize("name", SCHEMAS)
def test_the_published_schema_is_that_of_the_contract(name: str) -> None:
    published = ROOT / "docs/reference/schemas" / name
    assert published.read_text() == SCHEMAS[name], "stale: run `proving-ground docs`"


def test_no_other_schema_is_published() -> None:
    assert {path.name for path in (ROOT / "docs/reference/schemas").iterdir()} == set(SCHEMAS)


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_schema_is_valid_itself(name: str) -> None:
    jsonschema.Draft202012Validator.check_schema(json.loads(SCHEMAS[name]))


def test_the_stages_of_the_project_fit_their_schema() -> None:
    stages = yaml.safe_load((ROOT / "stages.yml").read_text())
    jsonschema.validate(stages, json.loads(SCHEMAS["stages.schema.json"]))


@pytest.mark.parametrize("path", suite_files(ROOT / "tests/suites"), ids=lambda path: path.parent.name)
def test_the_suites_of_the_project_fit_their_schema(path: Path) -> None:
    jsonschema.validate(yaml.safe_load(path.read_text()), json.loads(SCHEMAS["suite.schema.json"]))


def test_an_unknown_field_does_not_fit() -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"stages": {}, "extra": 1}, json.loads(SCHEMAS["stages.schema.json"]))
