"""The tables that the suite brings."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from proving_ground.models import values
from proving_ground.models.table import Row, read

FOLDER = Path(__file__).parents[3] / "tests/suites/aim/models"


@pytest.fixture(scope="module")
def rows() -> dict[str, Row]:
    return {row.image: row for row in read(FOLDER / "models.csv").rows}


@pytest.mark.parametrize("column", ["skip", "unoptimized", "hf_token", "private", "concurrent"])
def test_every_column_is_shown_both_ways(rows: dict[str, Row], column: str) -> None:
    assert {getattr(row, column) for row in rows.values()} == {True, False}


def test_many_models_run_with_timeouts_of_minutes_to_an_hour(rows: dict[str, Row]) -> None:
    assert len([row for row in rows.values() if not row.skip]) >= 20
    assert {"10m", "15m", "20m", "30m", "1h"} <= {row.timeout_text for row in rows.values()}


def test_the_table_for_proving_is_of_models_that_the_example_has(rows: dict[str, Row]) -> None:
    for row in read(FOLDER / "models-prove.csv").rows:
        known = rows[row.image]
        assert (row.hf_token, row.private, row.unoptimized) == (known.hf_token, known.private, known.unoptimized)


def test_the_example_of_values_has_every_key() -> None:
    keys = yaml.safe_load((FOLDER / "values.yaml.example").read_text())
    assert set(keys) == {values.IMAGE_PULL_SECRET, values.HF_TOKEN}
