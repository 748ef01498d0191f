"""The chainsaw binary as an engine, with a stand-in for the binary."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from proving_ground.chainsaw.binary import BinaryRuns, failed_names, find_binary, parse_report
from proving_ground.chainsaw.failures import TestFailedError
from proving_ground.chainsaw.loader import load_tests
from proving_ground.chainsaw.reporting import Recording
from proving_ground.errors import ConfigurationError, InfrastructureError

if TYPE_CHECKING:
    from pathlib import Path

TEST = """\
apiVersion: chainsaw.kyverno.io/v1alpha1
kind: Test
metadata: {name: %s}
spec:
  steps:
  - try:
    - sleep: {duration: 1s}
"""
STAND_IN = """\
#!/bin/sh
echo "$@" >> {log}
echo "$KUBECONFIG" >> {log}
while [ $# -gt 0 ]; do
  case $1 in
    --report-path) path=$2;;
    --values) cp "$2" {log}.values; stat -c %a "$2" >> {log};;
  esac
  shift
done
cat {output}
[ -f {report} ] && cp {report} "$path/report.json"
exit {code}
"""


def report(*tests: dict[str, Any]) -> str:
    return json.dumps({"name": "chainsaw-report", "tests": list(tests)})


def entry(path: Path, name: str, *failures: str, **fields: Any) -> dict[str, Any]:
    operations: list[dict[str, Any]] = [{"name": "a", "type": "apply"}]
    operations += [{"name": "b", "type": "assert", "failure": {"error": failure}} for failure in failures]
    times = {"startTime": "2026-01-01T00:00:00Z", "endTime": "2026-01-01T00:00:02.5Z"}
    return {
        "basePath": str(path),
        "name": name,
        **times,
        "steps": [{"name": "ready", "operations": operations}],
        **fields,
    }


class Setting:
    """A suite of two tests and a stand-in for the binary on PATH."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.suite = folder / "suite"
        self.log = folder / "log"
        self.tests = []
        for name in ("one", "two"):
            (self.suite / name).mkdir(parents=True)
            file = self.suite / name / "chainsaw-test.yaml"
            file.write_text(TEST % name)
            self.tests += load_tests(file)
        self._folder = folder
        (folder / "bin").mkdir()
        monkeypatch.setenv("PATH", f"{folder / 'bin'}:/usr/bin:/bin")

    def install(self, document: str | None, output: str = "", code: int = 0) -> None:
        written, said = self._folder / "report.json", self._folder / "output"
        if document is not None:
            written.write_text(document)
        said.write_text(output)
        binary = self._folder / "bin" / "chainsaw"
        text = STAND_IN
        for key, value in {"log": self.log, "output": said, "report": written, "code": code}.items():
            text = text.replace(f"{{{key}}}", str(value))
        binary.write_text(text)
        binary.chmod(0o755)

    def run(self, values: dict[str, Any] | None = None) -> tuple[list[BaseException | None], Recording]:
        recording = Recording()

        async def main() -> list[BaseException | None]:
            runs = BinaryRuns()
            return await asyncio.gather(
                *(
                    runs.result(test, self.tests, self._folder / "kubeconfig", 3, values or {}, recording)
                    for test in self.tests
                ),
                return_exceptions=True,
            )

        return asyncio.run(main()), recording


@pytest.fixture
def setting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Setting:
    return Setting(tmp_path, monkeypatch)


def test_an_absent_binary_is_a_configuration_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")

    with pytest.raises(ConfigurationError, match="chainsaw binary is not installed"):
        find_binary()


def test_one_process_runs_the_whole_suite_with_values_that_only_the_owner_reads(setting: Setting) -> None:
    setting.install(report(entry(setting.suite / "one", "one", namespace="n1"), entry(setting.suite / "two", "two")))

    ended, recording = setting.run({"hfToken": "secret"})

    assert ended == [None, None]
    lines = setting.log.read_text().splitlines()
    assert len(lines) == 3
    assert lines[0].startswith(f"test {setting.suite / 'one'} {setting.suite / 'two'} --parallel 3 ")
    assert lines[1].endswith("/kubeconfig")
    assert lines[2] == "600"
    assert recording.properties == {"namespace": "n1"}
    assert recording.metrics == {"seconds_by_chainsaw": 2.5}


def test_each_test_gets_its_own_failure(setting: Setting) -> None:
    setting.install(
        report(entry(setting.suite / "one", "one", "not ready"), entry(setting.suite / "two", "two")),
        output="--- FAIL: chainsaw (3.00s)\n    --- FAIL: chainsaw/one (2.50s)\n    --- PASS: chainsaw/two (1.00s)\n",
        code=1,
    )

    (first, second), recording = setting.run()

    assert isinstance(first, TestFailedError)
    assert str(first) == 'assert failed, step "ready": not ready'
    assert second is None
    assert "--- FAIL" in recording.attachments[0][1]


def test_a_test_whose_report_names_no_failure_is_not_taken_for_passed(setting: Setting) -> None:
    setting.install(
        report(entry(setting.suite / "one", "one"), entry(setting.suite / "two", "two")),
        output="    --- FAIL: chainsaw/two (1.00s)\n",
        code=1,
    )

    (first, second), _ = setting.run()

    assert first is None
    assert isinstance(second, TestFailedError)


@pytest.mark.parametrize(
    ("document", "told"),
    [
        (None, "wrote no report"),
        ("", "cannot be read"),
        ("[]", "cannot be read"),
        ('{"tests": [{"name": "one"}]}', "cannot be read"),
        ('{"tests": []}', "says nothing about the test"),
    ],
)
def test_a_report_that_says_nothing_is_an_infrastructure_error(
    setting: Setting, document: str | None, told: str
) -> None:
    setting.install(document, output="panic: no cluster\n", code=2)

    ended, _ = setting.run()

    assert all(isinstance(error, InfrastructureError) for error in ended)
    assert told in str(ended[0])


def test_a_process_that_breaks_with_a_clean_report_is_an_infrastructure_error(setting: Setting) -> None:
    setting.install(report(entry(setting.suite / "one", "one"), entry(setting.suite / "two", "two")), code=1)

    ended, _ = setting.run()

    assert all("says of no test that it failed" in str(error) for error in ended)


def test_failed_tests_are_read_from_the_output() -> None:
    assert failed_names("=== RUN chainsaw/a\n    --- FAIL: chainsaw/a (0.1s)\n--- PASS: chainsaw/b (1s)\n") == {"a"}


def test_times_that_cannot_be_read_count_as_nothing(tmp_path: Path) -> None:
    found = parse_report(report({**entry(tmp_path, "one"), "startTime": "yesterday"}))

    assert [result.seconds for result in found.values()] == [0.0]
