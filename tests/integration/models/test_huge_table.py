from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from proving_ground.models.table import TableError, read

if TYPE_CHECKING:
    from pathlib import Path

HEADER = "registry,name,version\n"


def test_a_table_of_a_hundred_thousand_rows_is_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "models.csv"
    path.write_text(HEADER + "".join(f"ghcr.io/silogen,aim-model-{i},0.9.0\n" for i in range(100_000)))
    rows = read(path).rows
    assert len(rows) == 100_000
    assert rows[-1].line == 100_001


def test_a_hundred_thousand_problems_are_counted_and_the_first_are_told(tmp_path: Path) -> None:
    path = tmp_path / "models.csv"
    path.write_text(HEADER + "r,,1\n" * 100_000)
    with pytest.raises(TableError) as caught:
        read(path)
    lines = caught.value.lines()
    assert len(lines) == 21
    assert lines[-1] == "and 99980 more problems"
