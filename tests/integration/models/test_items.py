from __future__ import annotations

import json
import stat
from typing import TYPE_CHECKING

import pytest

import proving_ground.models.items
import proving_ground.plugin.activation  # noqa: F401

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytest_plugins = ["pytester"]

CSV = """skip,registry,name,version,unoptimized,hfToken,private,timeout,concurrent
no,r,aim-a,1,no,no,no,10m,yes
yes,r,aim-B,1,no,no,no,10m,yes
no,ghcr.io/s,aim-c,1,no,yes,yes,10m,no
"""


@pytest.fixture
def suite(pytester: pytest.Pytester) -> Path:
    (pytester.path / "suite.yml").write_text("name: aim\ndescription: Models.\nsystems: [aim]\n")
    (pytester.path / "models.csv").write_text(CSV)
    (pytester.path / "state").mkdir()
    return pytester.path


@pytest.fixture
def collect(pytester: pytest.Pytester, suite: Path) -> Callable[..., pytest.RunResult]:
    def make(
        *arguments: str, implementation: str = "stand_in", only_collect: bool = True, **parameters: str
    ) -> pytest.RunResult:
        platform = {
            "run_id": "x",
            "inventory": "sim",
            "systems": {"aim": {"implementation": implementation, "parameters": parameters}},
            "clock": {"started": "2026-01-01T00:00:00Z"},
        }
        (suite / "state/platform.json").write_text(json.dumps(platform))
        return pytester.runpytest_inprocess(
            *(["--co"] if only_collect else []),
            "-q",
            "--platform=state/platform.json",
            "--artifacts-dir=artifacts",
            "-pno:cacheprovider",
            *arguments,
        )

    return make


def test_each_row_is_a_check_in_the_order_of_the_table(collect: Callable[..., pytest.RunResult]) -> None:
    result = collect()
    result.stdout.fnmatch_lines(["*aim-r-aim-a-1", "*aim-r-aim-b-1", "*aim-ghcr-io-s-aim-c-1", "3 tests collected*"])
    assert result.ret == 0


def test_tests_are_generated_below_the_artifacts(collect: Callable[..., pytest.RunResult], suite: Path) -> None:
    collect()
    made = sorted(path.name for path in (suite / "artifacts/generated/aim").iterdir())
    assert made == ["aim-ghcr-io-s-aim-c-1", "aim-r-aim-a-1", "secret-hftoken.yaml", "secret-imagepull.yaml"]


def test_a_stand_in_gets_made_up_values_in_private(collect: Callable[..., pytest.RunResult], suite: Path) -> None:
    collect()
    values = suite / "state/values.yaml"
    assert stat.S_IMODE(values.stat().st_mode) == 0o600
    assert "ghcr.io" in values.read_text()


def test_a_real_system_needs_real_values(collect: Callable[..., pytest.RunResult], suite: Path) -> None:
    result = collect(implementation="existing")
    result.stdout.fnmatch_lines(["*no values file, and line 4 (aim-c) needs imagePullSecret*"])
    assert not (suite / "state/values.yaml").exists()


def test_the_platform_may_name_another_table(collect: Callable[..., pytest.RunResult], suite: Path) -> None:
    (suite / "other.csv").write_text("registry,name,version\nr,aim-other,1\n")
    result = collect(models_csv="other.csv")
    result.stdout.fnmatch_lines(["*aim-r-aim-other-1", "1 test collected*"])


def test_a_faulty_table_is_told_in_lines_with_their_places(
    collect: Callable[..., pytest.RunResult], suite: Path
) -> None:
    (suite / "models.csv").write_text("registry,name,version,skip\nr,aim-x,1,maybe\nr,,1,no\n")
    result = collect()
    result.stdout.fnmatch_lines(
        ["*models.csv:2: column skip: expected yes or no, found 'maybe'", "*models.csv:3: column name is empty*"]
    )
    result.stdout.no_fnmatch_line("*Traceback*")


def test_a_skipped_row_ends_as_skipped_with_its_reason(collect: Callable[..., pytest.RunResult], suite: Path) -> None:
    (suite / "models.csv").write_text(CSV.replace("\nno,", "\nyes,"))
    collect("--events=events.jsonl", only_collect=False)
    events = [json.loads(line) for line in (suite / "events.jsonl").read_text().splitlines()]
    ended = {event["check"]: event for event in events if event["event"] == "ended"}
    assert {event["reason_code"] for event in ended.values()} == {"row-skipped"}
    assert ended["aim/aim-r-aim-a-1"]["message"] == "skip=yes on line 2 of models.csv"
    assert "upper-case letters" in ended["aim/aim-r-aim-b-1"]["message"]


def test_without_a_platform_rows_can_be_listed(pytester: pytest.Pytester, suite: Path) -> None:
    result = pytester.runpytest_inprocess("--co", "-q", "-pno:cacheprovider", str(suite / "models.csv"))
    result.stdout.fnmatch_lines(["*aim-r-aim-a-1", "3 tests collected*"])
    assert not (suite / "artifacts").exists()
