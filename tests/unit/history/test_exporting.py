from __future__ import annotations

import csv
import dataclasses
from typing import TYPE_CHECKING

from proving_ground.history.exporting import csv_lines, json_lines
from proving_ground.history.importing import Origin, read
from tests.unit.history.made import HARDWARE, measurement, record

if TYPE_CHECKING:
    from pathlib import Path

RECORDS = [
    record(1, measurement("ttft_ms", 1.5, 2.5), measurement("rps", 9.0, direction="higher"), labels=("main",)),
    record(2, measurement("=cmd_ms", 0.1), valid=False, problem="client lagged"),
]


def test_an_export_can_be_imported_without_loss(tmp_path: Path) -> None:
    path = tmp_path / "export.jsonl"
    path.write_text("".join(json_lines(RECORDS)))
    found = read(Origin(path=path, fingerprint=dataclasses.replace(HARDWARE, cores=1)))
    assert found == RECORDS


def test_a_table_has_a_line_for_each_measurement() -> None:
    rows = list(csv.DictReader(csv_lines(RECORDS)))
    assert [row["metric"] for row in rows] == ["ttft_ms", "rps", "'=cmd_ms"]
    assert (rows[0]["median"], rows[0]["count"], rows[0]["labels"], rows[2]["valid"]) == ("2.0", "2", "main", "false")
    assert rows[1]["labels"] == "main"
    assert rows[2]["labels"] == ""
