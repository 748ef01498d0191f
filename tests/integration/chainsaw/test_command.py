"""`proving-ground chainsaw test`, from outside."""

from __future__ import annotations

import json
import os
import pty
import secrets
import signal
import subprocess
import sys
import time
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from proving_ground.chainsaw.binary import parse_report
from tests.integration.chainsaw.test_foreign_project import FAILS, PASSES, Project, namespaces, seconds_of_the_failure

SLOW = """\
apiVersion: chainsaw.kyverno.io/v1alpha1
kind: Test
metadata: {name: waits}
spec:
  steps:
  - try:
    - script: {content: "echo $NAMESPACE > namespace; mv namespace ready", timeout: 10s}
    - assert:
        timeout: 10m
        resource: {apiVersion: v1, kind: ConfigMap, metadata: {name: nowhere}}
"""
BROKEN = FAILS.replace("timeouts:", "timeout:")


class Command(Project):
    """A folder of Chainsaw tests, on which the command is run."""

    def arguments(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "proving_ground", "chainsaw", "test", *words]

    def __call__(self, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.arguments(*words),
            cwd=self.folder,
            env=self.environment | environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )


@pytest.fixture
def command(tmp_path: Path, sim_cluster: str) -> Command:
    return Command(tmp_path, sim_cluster)


@pytest.fixture
def lonely(tmp_path: Path) -> Command:
    return Command(tmp_path, str(tmp_path / "no-kubeconfig"))


def outcomes(done: subprocess.CompletedProcess[str]) -> dict[str, str]:
    """Return the outcome of each test by its name, as the screen tells it."""
    lines = [line.split() for line in done.stdout.splitlines()]
    return {
        words[3]: words[0]
        for words in lines
        if len(words) > 3 and words[0] in {"passed", "failed", "error", "skipped"} and words[2] == "s"
    }


def test_each_test_has_its_line_and_failures_come_at_the_end(command: Command) -> None:
    command.chainsaw("one")
    command.file("two/chainsaw-test.yml", PASSES, name="two", team="a")
    command.file("fails/chainsaw-test.yaml", FAILS)
    command.file("numbered/00-map.yaml", "{apiVersion: v1, kind: ConfigMap, metadata: {name: c}, data: {a: b}}")
    command.file("numbered/01-assert.yaml", "{apiVersion: v1, kind: ConfigMap, metadata: {name: c}, data: {a: b}}")

    done = command("--parallel=4", "--report-format=JSON", "--report-path", "out", "--junit", "junit.xml")

    assert outcomes(done) == {"one": "passed", "two": "passed", "fails": "failed", "numbered": "passed"}, done.stderr
    assert done.returncode == 1
    told = done.stdout.splitlines()
    assert told[0].startswith("4 tests, 4 at once, on the cluster of ")
    assert told[-1].startswith("1 failed, 3 passed in ") or told[-1].startswith("3 passed, 1 failed in ")
    assert any("there is no ConfigMap nowhere" in line for line in told)
    assert "\033" not in done.stdout
    assert (command.folder / "junit.xml").read_text().count("<testcase ") == 4
    report = parse_report((command.folder / "out/chainsaw-report.json").read_text())
    failures = {name: bool(result.failures) for (_, name), result in report.items()}
    assert failures == {"one": False, "two": False, "fails": True, "numbered": False}


def test_options_go_before_the_configuration(command: Command) -> None:
    command.file(
        ".chainsaw.yaml",
        "{apiVersion: chainsaw.kyverno.io/v1alpha2, kind: Configuration, spec: "
        "{timeouts: {assert: 30s}, execution: {parallel: 3}, discovery: {testFile: probe}}}",
    )
    command.file("fails/probe.yaml", FAILS.replace("  timeouts: {assert: 100ms}\n", ""))

    done = command("--assert-timeout=300ms", "--parallel", "7")

    assert "1 test, 7 at once" in done.stdout
    assert seconds_of_the_failure(done.stdout) < 20  # 30 with the file


@pytest.mark.parametrize(
    ("words", "selected"),
    [
        (("--selector", "team=a"), ["one"]),
        (("--include-test-regex=chainsaw/t",), ["two"]),
        (("--exclude-test-regex", "chainsaw/^one$"), ["two"]),
        (("--shard-count=2", "--shard-index=1"), ["two"]),
        (("one", "--full-name"), ["one[one]"]),
        (("--test-dir", "one,two", "--repeat-count=2"), ["one", "one#2", "two", "two#2"]),
        (("one", "--skip-delete=false", "two"), ["one", "two"]),
    ],
    ids=str,
)
def test_tests_are_selected_as_chainsaw_selects_them(
    lonely: Command, words: tuple[str, ...], selected: list[str]
) -> None:
    for name, team in (("one", "a"), ("two", "b")):
        lonely.file(f"{name}/chainsaw-test.yaml", NOTHING, name=name, team=team)

    done = lonely(*words, "--no-cluster")

    assert sorted(outcomes(done)) == selected, done.stdout + done.stderr
    assert done.returncode == 0


NOTHING = """\
apiVersion: chainsaw.kyverno.io/v1alpha1
kind: Test
metadata: {name: %(name)s, labels: {team: %(team)s}}
spec:
  steps:
  - try:
    - script: {content: "true", timeout: 10s}
"""


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        ((), 2, "no cluster: there is no kubeconfig at"),
        (("--kubeconfig=absent",), 3, "absent: no such kubeconfig"),
        (("--selector=team=nobody", "--no-cluster"), 3, "no test was selected"),
        (("--include-test-regex=one", "--no-cluster"), 3, "the whole name is chainsaw/NAME: chainsaw/one"),
        (("--include-test-regex=(", "--no-cluster"), 3, "is no regular expression"),
        (("--shard-index=2", "--shard-count=2"), 3, "there is no shard 2 of 2"),
        (("--shard-index=1",), 3, "--shard-index needs --shard-count"),
        (("absent",), 3, "absent: no such folder"),
        (("--config=absent",), 3, "absent: no such Configuration"),
        (("--parallel=0",), 3, "expected 1 or more"),
        (("--assert-timeout=5",), 3, "expected a duration"),
        (("--template=perhaps",), 3, "expected true or false"),
        (("--set=x",), 3, "expected KEY=VALUE"),
        (("--values=absent.yaml",), 3, "absent.yaml"),
        (("--cluster=other",), 3, "expected NAME=KUBECONFIG"),
        (("--default-compiler=cel",), 3, "cel is not supported"),
        (("--pause-on-failure",), 3, "needs a terminal"),
        (("--engine=chainsaw", "--no-cluster"), 3, "the chainsaw binary is not installed"),
        (("--engin=x",), 3, "--engin"),
        (("--test-file=other",), 3, "no test file 'other'"),
    ],
    ids=str,
)
def test_what_cannot_be_done_is_one_line_and_its_exit_code(
    lonely: Command, words: tuple[str, ...], code: int, told: str
) -> None:
    lonely.file("one/chainsaw-test.yaml", NOTHING, name="one", team="a")

    done = lonely(*words)

    assert (done.returncode, told in done.stdout + done.stderr) == (code, True), done.stdout + done.stderr
    assert len((done.stdout + done.stderr).splitlines()) == 1


def test_every_file_that_cannot_be_run_is_told_and_nothing_is_run(lonely: Command) -> None:
    lonely.file("one/chainsaw-test.yaml", BROKEN)
    lonely.file("two/chainsaw-test.yaml", BROKEN)
    lonely.file("three/chainsaw-test.yaml", NOTHING, name="three", team="a")

    done = lonely("--no-cluster")

    assert done.returncode == 3
    assert "one/chainsaw-test.yaml:5: unknown field 'timeout'" in done.stdout
    assert "two/chainsaw-test.yaml:5: unknown field 'timeout'" in done.stdout
    assert done.stdout.splitlines()[-1] == "nothing was run: 2 files cannot be"


def test_a_cluster_that_does_not_answer_is_told_once(lonely: Command) -> None:
    config = {
        "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "c"}}],
        "clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:1"}}],
    }
    lonely.file("kubeconfig", json.dumps(config))
    for name in ("one", "two", "three"):
        lonely.chainsaw(name)

    done = lonely("--kubeconfig=kubeconfig", "--parallel=2")

    assert done.returncode == 2
    assert len([line for line in done.stdout.splitlines() if "127.0.0.1:1" in line]) == 1, done.stdout


def test_values_and_fail_fast_reach_the_tests(command: Command) -> None:
    command.chainsaw("one")
    command.file("values.yaml", "who: nobody\n")

    assert command("--values=values.yaml", "--assert-timeout=200ms").returncode == 1
    assert command("--values=values.yaml", "--set", "other=1,who=us").returncode == 0
    piped = subprocess.run(
        command.arguments("--values", "-"),
        cwd=command.folder,
        env=command.environment,
        input="who: us\n",
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert piped.returncode == 0, piped.stdout
    command.file("a/chainsaw-test.yaml", FAILS.replace("spec:", "spec:\n  concurrent: false"))
    done = command("--fail-fast")
    assert "1 failed, 1 skipped" in done.stdout, done.stdout


def test_one_at_a_time_means_with_its_clean_up(command: Command) -> None:
    shared = f"shared-{secrets.token_hex(4)}"
    text = PASSES.replace("spec:", f"spec:\n  namespaceTemplate: {{metadata: {{name: {shared}}}}}")
    for name in ("one", "two", "three"):
        command.file(f"{name}/chainsaw-test.yaml", text, name=name, team="a")

    done = command("--parallel=1")

    assert outcomes(done) == {"one": "passed", "two": "passed", "three": "passed"}, done.stdout


def test_fail_fast_does_not_wait_for_a_clean_up(command: Command) -> None:
    command.file("a/chainsaw-test.yaml", FAILS)
    for name in ("b", "c"):
        command.chainsaw(name)

    done = command("--fail-fast", "--parallel=1")

    assert "1 failed, 2 skipped" in done.stdout, done.stdout


def test_an_option_of_kubectl_reaches_the_client(command: Command) -> None:
    command.chainsaw("one")

    done = command("--kube-context", "nowhere")

    assert done.returncode == 3
    assert "nowhere" in done.stdout


def test_a_file_at_an_address_is_taken_only_where_it_is_allowed(command: Command) -> None:
    handler = partial(SimpleHTTPRequestHandler, directory=str(command.folder / "served"))
    command.file("served/map.yaml", "{apiVersion: v1, kind: ConfigMap, metadata: {name: c}}")
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}/map.yaml"
        command.file("one/chainsaw-test.yaml", REMOTE, address=address)

        refused, taken = command("one"), command("one", "--allow-remote-files")
        server.shutdown()

    assert refused.returncode == 3
    assert "--allow-remote-files" in refused.stdout
    assert taken.returncode == 0, taken.stdout


REMOTE = """\
apiVersion: chainsaw.kyverno.io/v1alpha1
kind: Test
metadata: {name: remote}
spec:
  steps:
  - try:
    - apply: {file: "%(address)s"}
"""


def test_an_interruption_cleans_up_and_is_exit_code_130(command: Command) -> None:
    command.file("a/chainsaw-test.yaml", SLOW)
    ready = command.folder / "a" / "ready"
    process = subprocess.Popen(
        command.arguments(), cwd=command.folder, env=command.environment, stdout=subprocess.PIPE, text=True
    )
    try:
        wait_for(ready, process)
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=60)
    finally:
        process.kill()

    assert process.returncode == 130, output
    assert "cancelled, and cleaned up: " in output
    assert ready.read_text().strip() not in namespaces(command)


def test_a_pause_after_a_failure_leaves_what_was_made_until_the_key(command: Command) -> None:
    command.file("a/chainsaw-test.yaml", SLOW.replace("10m", "100ms"))
    ready = command.folder / "a" / "ready"
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        command.arguments("--pause-on-failure", "--no-color"),
        cwd=command.folder,
        env=command.environment,
        stdin=follower,
        stdout=subprocess.PIPE,
        stderr=follower,
        text=True,
    )
    os.close(follower)
    try:
        wait_for(ready, process)
        shown = b""
        while b"Press ENTER" not in shown:
            shown += os.read(leader, 4096)
        assert ready.read_text().strip() in namespaces(command)
        os.write(leader, b"\n")
        output, _ = process.communicate(timeout=60)
    finally:
        process.kill()
        os.close(leader)

    assert process.returncode == 1, output
    assert ready.read_text().strip() not in namespaces(command)


def wait_for(path: Path, process: subprocess.Popen[str]) -> None:
    """Wait until a file is there, or the process ended."""
    deadline = time.monotonic() + 60
    while not path.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    assert path.exists()
