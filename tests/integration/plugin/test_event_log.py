"""What the event log holds, and what it never holds."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from proving_ground.contracts.events import EVENT

if TYPE_CHECKING:
    from conftest import Ground

pytest_plugins = ["pytester"]


def test_every_line_follows_the_contract_and_comes_in_order(ground: Ground) -> None:
    ground.checks("""
        async def test_a(check):
            check.note("scale", "web", "to 3")
            check.attach("log", "text")
        def test_b(check): check.metric("seconds", 1)
    """)
    ground.run()
    lines = (ground.path / "events.jsonl").read_text().splitlines()
    assert [EVENT.validate_json(line).event for line in lines] == [
        "collected", "collected", "started", "noted", "ended", "started", "ended", "finished",
    ]  # fmt: skip
    assert ground.ended("a")["attachments"] == [{"name": "log", "text": "text", "path": None}]
    assert ground.ended("b")["metrics"] == {"seconds": 1.0}


def test_secrets_never_reach_the_log(ground: Ground) -> None:
    (ground.path / "mask.txt").write_text("hunter2hunter2\n\n  tok-123 \n")
    ground.checks("""
        import base64
        async def test_a(check):
            check.mask("made-up-later")
            check.attach("hunter2hunter2", base64.b64encode(b"tok-123").decode() + " made-up-later")
            check.note("used", "tok-123", "x hunter2hunter2 y")
            check.property("p", "tok-123")
            assert False, "tok-123"
    """)
    ground.run("--mask=mask.txt")
    text = (ground.path / "events.jsonl").read_text()
    for secret in ("hunter2", "tok-123", "made-up-later", "dG9rLTEyMw=="):
        assert secret not in text
    # The source lines of a failure hold what the file holds, masked as well.
    assert ground.ended("a")["message"].startswith("***")


def test_a_mask_file_that_is_missing_is_a_usage_error(ground: Ground) -> None:
    ground.checks("def test_a(): pass")
    assert ground.run("--mask=nowhere.txt").ret == pytest.ExitCode.USAGE_ERROR


def test_an_event_log_that_cannot_be_written_is_a_usage_error(ground: Ground) -> None:
    ground.checks("def test_a(): pass")
    result = ground.run("--events=/proc/nowhere/events.jsonl")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: /proc/nowhere/events.jsonl: the event log cannot be written: *"])


def test_a_collection_error_is_the_problem_that_the_log_ends_with(ground: Ground) -> None:
    ground.checks("import nothing_of_this_name")
    ground.run()
    (finished,) = ground.events()
    assert finished["exit_status"] == 2
    assert "No module named 'nothing_of_this_name'" in finished["problem"]
    assert finished["configuration"] is False


def test_the_log_is_written_while_checks_run(ground: Ground) -> None:
    ground.checks("""
        import json, pathlib
        async def test_a():
            lines = pathlib.Path("events.jsonl").read_text().splitlines()
            assert [json.loads(line)["event"] for line in lines] == ["collected", "started"]
    """)
    ground.run().assert_outcomes(passed=1)


def test_hostile_text_stays_one_line(ground: Ground) -> None:
    ground.checks("""
        async def test_a(check):
            check.attach("a\\nb", "\\u2028\\x00\\ud800")
    """)
    ground.run().assert_outcomes(passed=1)
    assert len((ground.path / "events.jsonl").read_bytes().split(b"\n")) == 5
    json.loads((ground.path / "events.jsonl").read_bytes().split(b"\n")[2])
