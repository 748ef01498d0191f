"""Programs that tests start."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from proving_ground.chainsaw.background import MARK, Background
from proving_ground.chainsaw.processes import execute, expand

ENVIRONMENT = {"PATH": os.environ["PATH"]}


def run(content: str, directory: Path, seconds: float = 10, background: Background | None = None) -> Any:
    kept = background or Background()
    return asyncio.run(execute(["sh", "-c", content], directory, {**ENVIRONMENT, MARK: kept.token}, seconds, kept))


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def wait_dead(pid: int) -> bool:
    deadline = time.monotonic() + 5
    while alive(pid) and time.monotonic() < deadline:
        os.sched_yield()
    return not alive(pid)


def test_output_and_exit_status_are_kept_apart(tmp_path: Path) -> None:
    outcome = run("echo out; echo err >&2; exit 7", tmp_path)

    assert (outcome.stdout, outcome.stderr, outcome.code, outcome.timed_out) == ("out\n", "err\n", 7, False)
    assert outcome.error == "exit status 7"


def test_success_has_no_error(tmp_path: Path) -> None:
    assert run("true", tmp_path).error is None


def test_at_the_end_of_its_time_the_whole_group_is_killed(tmp_path: Path) -> None:
    outcome = run("sleep 100 & echo $! > child; echo started; wait", tmp_path, seconds=0.3)

    assert outcome.timed_out
    assert outcome.error == "signal: killed"
    assert outcome.stdout == "started\n", "what it wrote before is kept"
    assert wait_dead(int((tmp_path / "child").read_text()))


def test_pipes_that_a_process_outside_the_group_still_holds_are_let_go(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    before = len(os.listdir("/proc/self/fd"))

    outcome = run("setsid sleep 100 & echo $! > child; echo started", tmp_path, seconds=0.3)

    os.kill(int((tmp_path / "child").read_text()), signal.SIGKILL)
    assert (outcome.stdout, outcome.timed_out) == ("started\n", True)
    gc.collect()  # asyncio warns of what is left open then, and a warning is an error here
    assert len(os.listdir("/proc/self/fd")) == before
    assert caplog.messages == []


@pytest.mark.parametrize("start", ["sleep 100", "setsid sleep 100"])
@pytest.mark.parametrize("end", ["true", "exit 3"])
def test_what_it_left_in_the_background_goes_on_until_it_is_ended(tmp_path: Path, start: str, end: str) -> None:
    background = Background()

    run(f"{start} >/dev/null 2>&1 & echo $! > child; {end}", tmp_path, background=background)

    child = int((tmp_path / "child").read_text())
    assert alive(child)
    background.end()
    assert wait_dead(child)


def test_a_process_of_another_test_is_left_alone(tmp_path: Path) -> None:
    background = Background()
    run("true", tmp_path, background=background)
    with subprocess.Popen(["sleep", "100"], env={**ENVIRONMENT, MARK: f"{background.token}0"}) as other:
        try:
            background.end()
            assert other.poll() is None
        finally:
            other.kill()


def test_a_process_that_keeps_its_output_open_is_waited_for_and_killed_in_the_end(tmp_path: Path) -> None:
    outcome = run("sleep 100 & echo $! > child", tmp_path, seconds=0.3)

    assert outcome.timed_out
    assert wait_dead(int((tmp_path / "child").read_text()))


@pytest.mark.parametrize("early", [True, False])
def test_cancellation_kills_the_group_at_any_moment(tmp_path: Path, early: bool) -> None:
    started = tmp_path / "self"

    async def scenario() -> None:
        content = "echo $$ > self.new; mv self.new self; sleep 100; true"
        task = asyncio.create_task(execute(["sh", "-c", content], tmp_path, ENVIRONMENT, 100, Background()))
        while not early and not started.exists():  # noqa: ASYNC110  # a file has no event
            await asyncio.sleep(0.001)
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(scenario())

    assert not started.exists() or wait_dead(int(started.read_text()))


def test_output_is_bounded_and_a_full_pipe_stops_nothing(tmp_path: Path) -> None:
    outcome = run("head -c 3000000 /dev/zero | tr '\\0' x; echo done >&2", tmp_path)

    assert outcome.code == 0
    assert len(outcome.stdout) < 1_100_000
    assert outcome.stdout.endswith("[cut at 1048576 bytes]")
    assert outcome.stderr == "done\n"


def test_bytes_that_are_no_text_are_replaced(tmp_path: Path) -> None:
    assert run(r"printf 'a\377b'", tmp_path).stdout == "a\N{REPLACEMENT CHARACTER}b"


def test_standard_input_is_empty(tmp_path: Path) -> None:
    assert run("cat; echo end", tmp_path).stdout == "end\n"


@pytest.mark.parametrize(
    ("written", "given"),
    [
        ("$NAMESPACE/${A_1}", "ns/x"),
        ("-$OUTSIDE-", "-bar-"),
        ("a$UNSET.b", "a.b"),
        ("$UNSET", "$UNSET"),
        ("DO $$ END", "DO $ END"),
        ("$$literal", "$literal"),
        ("${$}", "$"),
        ("cost: 5$", "cost: 5$"),
        ("$ x", "$ x"),
        ("a${}b", "ab"),
        ("a${b", "ab"),
        ("a$1b", "ab"),
        ("($NAMESPACE)", "(ns)"),
        ("", ""),
    ],
)
def test_arguments_are_expanded_as_chainsaw_expands_them(
    monkeypatch: pytest.MonkeyPatch, written: str, given: str
) -> None:
    monkeypatch.setenv("OUTSIDE", "bar")
    monkeypatch.delenv("UNSET", raising=False)

    assert expand(written, {"NAMESPACE": "ns", "A_1": "x"}) == given


@pytest.mark.parametrize(
    ("operation", "told"),
    [
        ("script: {content: 'echo why >&2; exit 2'}", "exit status 2: why"),
        ("script: {content: 'echo reason; exit 2'}", "exit status 2: reason"),
        ("script: {timeout: 100ms, content: 'sleep 60'}", "it was not done within 0.1 s and was killed"),
        ("script: {content: 'true', check: {($stdout): x}}", "its check does not hold; exit status 0"),
        ("script: {content: 'true', env: [{name: N, value: 3}]}", "environment variable N must be a string, is 3"),
        ("command: {entrypoint: /nonexistent/program}", "/nonexistent/program cannot be started"),
        ("script: {content: 'true', workDir: nowhere}", "cannot be started"),
    ],
)
def test_a_failure_says_why(engine: Any, operation: str, told: str) -> None:
    result = engine.one(f"steps:\n- try:\n  - {operation}\n")

    assert result.outcome == "failed"
    assert told in result.message


@pytest.mark.parametrize(
    "operation",
    [
        "script: {content: 'exit 1', check: {($error): exit status 1}}",
        "script: {content: 'test \"$KUBECONFIG\" = /nonexistent/kubeconfig'}",
        "script: {content: 'test \"$NAMESPACE\" = mine', env: [{name: NAMESPACE, value: mine}]}",
        "script: {content: 'test -f ../test-0/chainsaw-test.yaml'}",
        "script: {content: 'test -d test-0', workDir: ..}",
        "script: {content: 'test -d /', workDir: /}",
        "script: {content: 'test -n \"$BASH_VERSION\"', shell: bash}",
        "script: {content: 'false; true', shellArgs: [-e, -c], check: {($error): exit status 1}}",
        "script: {content: 'true', shellArgs: []}",
        "script: {content: 'test $N = t-x', env: [{name: N, value: \"(join('-', ['t', 'x']))\"}]}",
        "command: {entrypoint: echo, args: ['(a|b)'], check: {\"(trim_space($stdout) == '(a|b)')\": true}}",
        "command: {entrypoint: test, args: [\"${NAMESPACE}\", '!=', '']}",
        'command: {entrypoint: echo, args: ["$NAMESPACE"], check: {(trim_space($stdout)): ($namespace)}}',
    ],
)
def test_programs_get_the_surroundings_that_chainsaw_gives(engine: Any, operation: str) -> None:
    result = engine.one(f"steps:\n- try:\n  - {operation}\n")

    assert (result.outcome, result.message) == ("passed", "")


def test_what_is_skipped_appears_nowhere(engine: Any) -> None:
    loud = "script: {content: 'echo confidential; exit 3'}"
    quiet = loud.replace("}", ", skipLogOutput: true, check: {($stdout): x}}")
    bare = loud.replace("}", ", skipLogOutput: true}")
    unnamed = loud.replace("}", ", skipCommandOutput: true}")

    shown, hidden, silent, anonymous = (
        engine.one(f"steps:\n- try:\n  - {operation}\n") for operation in (loud, quiet, bare, unnamed)
    )

    assert shown.message.endswith("exit status 3: confidential\nstdout:\nconfidential")
    assert shown.report.attachments[0][1].startswith("command: sh -c 'echo confidential; exit 3'\nstdout:")
    assert silent.message.endswith("exit status 3")
    assert silent.report.attachments == []
    assert "exit status 3" in hidden.message
    assert hidden.report.attachments == []
    assert anonymous.report.attachments[0][1] == "stdout:\nconfidential"
