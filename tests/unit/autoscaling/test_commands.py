"""The command line of autoscaling: which platform, which checks, which exit code."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
from pathlib import Path
from typing import Any

import pytest

from proving_ground import cli
from proving_ground.autoscaling import runs
from proving_ground.autoscaling.platforms import platform_file
from proving_ground.autoscaling.runs import SuiteRun
from proving_ground.cli import autoscaling
from proving_ground.errors import ConfigurationError
from proving_ground.ownership.state import RunState, new_owner


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PROVING_GROUND_STATE", str(tmp_path / "state"))
    monkeypatch.delenv("NAMESPACE", raising=False)
    monkeypatch.delenv("CLEANUP", raising=False)
    return tmp_path / "state"


def keep(run_id: str, *, kept: bool = True, platform: bool = True, hours: float = 1) -> Path:
    found = RunState.of(run_id)
    owner = new_owner(
        run_id, stage="nightly", inventory="sim", artifacts=found.directory, lifetime=dt.timedelta(hours=hours)
    )
    found.claim(dataclasses.replace(owner, kept=kept))
    if platform:
        found.platform_file.write_text("{}")
    return found.platform_file


def parse(*words: str) -> Any:
    return cli.parser("autoscaling").parse_args(["autoscaling", *words])


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, make: Any) -> list[SuiteRun]:
    """What would be run; the platform is there."""
    found: list[SuiteRun] = []

    def run(suite: SuiteRun) -> int:
        found.append(suite)
        return 1

    async def scalers(_platform: object, _namespace: str) -> list[object]:
        return []

    monkeypatch.setattr(runs, "run", run)
    monkeypatch.setattr(autoscaling, "_scalers", scalers)
    monkeypatch.setattr("proving_ground.autoscaling.platforms.read", lambda _path: make.platform())
    keep("one")
    return found


def test_the_newest_kept_run_is_the_platform() -> None:
    keep("old")
    newest = keep("new")
    keep("gone", kept=False)
    keep("half", platform=False)
    keep("expired", hours=-1)
    assert platform_file() == newest


def test_without_a_kept_run_one_line_says_how_to_get_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["autoscaling", "scaling", "status"]) == 3
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "./nox -s nightly -- --keep" in error


def test_a_run_without_a_platform_is_told_with_those_that_have_one() -> None:
    keep("kept")
    with pytest.raises(ConfigurationError, match="kept: kept"):
        platform_file(run_id="other")


def test_a_platform_that_cannot_be_read_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "platform.json").write_text("{")
    assert cli.main(["autoscaling", "learning", "cleanup", "--platform", str(tmp_path / "platform.json")]) == 3
    assert "is not JSON" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "marks"),
    [
        (["run"], runs.QUICK),
        (["run", "--quick"], runs.QUICK),
        (["run", "--full"], runs.FULL),
        (["quick"], runs.QUICK),
        (["full"], runs.FULL),
    ],
)
def test_how_much_runs_is_chosen_by_stage(asked: list[SuiteRun], words: list[str], marks: str) -> None:
    assert cli.main(["autoscaling", "learning", *words]) == 1
    assert (asked[0].suite, asked[0].marks) == ("learning", marks)


def test_the_namespace_is_the_option_then_the_environment_then_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    assert autoscaling.namespace_of(parse("scaling", "run")) == "llm-test"
    monkeypatch.setenv("NAMESPACE", "mine")
    assert autoscaling.namespace_of(parse("scaling", "run")) == "mine"
    assert autoscaling.namespace_of(parse("scaling", "run", "--namespace", "other")) == "other"


@pytest.mark.parametrize("name", ["", "UPPER", "a;b", "x" * 64])
def test_what_cannot_be_a_namespace_is_exit_code_3(asked: list[SuiteRun], name: str) -> None:
    assert cli.main(["autoscaling", "scaling", "run", "--namespace", name]) == 3
    assert asked == []


def test_cleanup_is_the_option_then_the_environment_then_not(monkeypatch: pytest.MonkeyPatch) -> None:
    assert autoscaling.cleanup_of(parse("scaling", "run")) is False
    monkeypatch.setenv("CLEANUP", "true")
    assert autoscaling.cleanup_of(parse("scaling", "run")) is True
    assert autoscaling.cleanup_of(parse("scaling", "run", "--no-cleanup")) is False
    monkeypatch.setenv("CLEANUP", "perhaps")
    with pytest.raises(ConfigurationError, match="CLEANUP"):
        autoscaling.cleanup_of(parse("scaling", "run"))


@pytest.mark.parametrize("ending", [lambda: 0, KeyboardInterrupt])
def test_cleanup_also_follows_an_interruption(
    asked: list[SuiteRun], monkeypatch: pytest.MonkeyPatch, ending: Any
) -> None:
    del asked
    removed: list[str] = []

    def run(_suite: SuiteRun) -> int:
        if ending is KeyboardInterrupt:
            raise KeyboardInterrupt
        return 0

    monkeypatch.setattr(runs, "run", run)
    monkeypatch.setattr(autoscaling, "_remove", lambda _platform, namespace: removed.append(namespace))
    assert cli.main(["autoscaling", "scaling", "run", "--cleanup"]) == (130 if ending is KeyboardInterrupt else 0)
    assert removed == ["llm-test"]


def test_the_suite_is_told_where_and_what() -> None:
    command = SuiteRun("scaling", Path("/p/platform.json"), "mine", expression="up").command(Path("/root"), Path("/w"))
    assert "/root/tests/suites/autoscaling/scaling" in command
    assert "--platform=/p/platform.json" in command
    assert "--parameter=budaiscaler.namespace=mine" in command
    assert command[command.index("-m", 3) + 1] == "pre_merge or nightly"
    assert command[-2:] == ["-k", "up"]


@pytest.mark.parametrize(
    ("status", "outcome", "expected"),
    [
        (0, None, 0),
        (1, {"outcome": "failed"}, 1),
        (1, {"outcome": "error"}, 1),
        (1, {"outcome": "error", "infrastructure": True}, 2),
        (2, None, 130),
        (4, None, 3),
        (5, None, 3),
        (3, None, 2),
        (-9, None, 2),
    ],
)
def test_the_exit_code_is_that_of_a_run(
    tmp_path: Path, status: int, outcome: dict[str, Any] | None, expected: int
) -> None:
    events = tmp_path / "events.jsonl"
    if outcome is not None:
        event = {"event": "ended", "time": "2026-01-01T00:00:00Z", "check": "scaling/x", "duration": 1, **outcome}
        events.write_text(json.dumps(event) + "\n" + '{"event": "ended"')
    assert runs.exit_code(status, events) == expected
