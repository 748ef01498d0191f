"""`pytest` in somebody else's folder: nothing there knows this project but the environment that it runs in."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from pathlib import Path
from textwrap import dedent

import pytest

PASSES = """\
apiVersion: chainsaw.kyverno.io/v1alpha1
kind: Test
metadata: {name: %(name)s, labels: {team: %(team)s}}
spec:
  steps:
  - try:
    - apply:
        resource: {apiVersion: v1, kind: ConfigMap, metadata: {name: c}, data: {who: ($values.who || 'us')}}
    - assert:
        resource: {apiVersion: v1, kind: ConfigMap, metadata: {name: c}, data: {who: us}}
"""
FAILS = """\
apiVersion: chainsaw.kyverno.io/v1alpha1
kind: Test
metadata: {name: fails}
spec:
  timeouts: {assert: 100ms}
  steps:
  - try:
    - assert:
        resource: {apiVersion: v1, kind: ConfigMap, metadata: {name: nowhere}}
"""
ORDINARY = """\
import pytest


@pytest.fixture(scope="module")
def number():
    yield 3


@pytest.mark.parametrize("n", [1, 2])
def test_sum(n, number, tmp_path, monkeypatch):
    assert n + number > 3


class TestClass:
    def test_method(self, capsys):
        print("out")
        assert capsys.readouterr().out == "out\\n"

    def test_skipped(self):
        pytest.skip("no reason code at all")

    @pytest.mark.xfail(reason="known")
    def test_expected(self):
        assert False
"""


class Project:
    """A folder outside of this repository, in which pytest is run."""

    def __init__(self, folder: Path, kubeconfig: str) -> None:
        self.folder = folder
        self.environment = {
            name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "PROVING", "KUBE"))
        }
        self.environment |= {"KUBECONFIG": kubeconfig, "HOME": str(folder / "home"), "COLUMNS": "200"}

    def file(self, name: str, text: str, /, **words: str) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text) % words if words else dedent(text))
        return path

    def chainsaw(self, name: str, team: str = "ours") -> Path:
        return self.file(f"{name}/chainsaw-test.yaml", PASSES, name=name.replace("/", "-"), team=team)

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments]

    def pytest(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*arguments),
            cwd=self.folder,
            env=self.environment | environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def outcomes(self, *arguments: str, **environment: str) -> dict[str, str]:
        done = self.pytest("--junitxml=junit.xml", *arguments, **environment)
        tree = ET.parse(self.folder / "junit.xml")  # noqa: S314  # our own
        return {
            case.attrib["name"]: next((child.tag for child in case if child.tag in KINDS), "passed")
            for case in tree.iter("testcase")
        } | ({"exit": str(done.returncode)} if done.returncode not in {0, 1} else {})


KINDS = ("failure", "error", "skipped")


@pytest.fixture
def project(tmp_path: Path, sim_cluster: str) -> Project:
    return Project(tmp_path, sim_cluster)


@pytest.fixture
def lonely(tmp_path: Path) -> Project:
    """A project without any cluster."""
    return Project(tmp_path, str(tmp_path / "no-kubeconfig"))


def test_chainsaw_tests_run_beside_ordinary_ones_which_do_not_change(project: Project) -> None:
    project.file("test_ordinary.py", ORDINARY)
    project.chainsaw("one")
    project.file("two/chainsaw-test.yml", PASSES, name="two", team="theirs")
    project.file("fails/chainsaw-test.yaml", FAILS)

    assert project.outcomes() == {
        "one": "passed",
        "two": "passed",
        "fails": "failure",
        "test_sum[1]": "passed",
        "test_sum[2]": "passed",
        "test_method": "passed",
        "test_skipped": "skipped",
        "test_expected": "skipped",
    }


def test_pytest_alone_runs_them(project: Project) -> None:
    project.chainsaw("a")

    done = subprocess.run(
        [sys.executable, "-m", "pytest"],
        cwd=project.folder,
        env=project.environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert (done.returncode, "1 passed" in done.stdout) == (0, True), done.stdout + done.stderr


def test_a_failure_is_told_as_the_engine_tells_it(project: Project) -> None:
    project.file("fails/chainsaw-test.yaml", FAILS)

    done = project.pytest("fails")

    assert done.returncode == 1
    assert "assert failed after 0." in done.stdout
    assert "there is no ConfigMap nowhere" in done.stdout
    assert "chainsaw-test.yaml:8" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
    assert "execution.py" not in done.stdout


def test_without_a_chainsaw_file_nothing_is_loaded(lonely: Project) -> None:
    lonely.file(
        "test_a.py",
        """\
        import sys

        def test_nothing_of_ours_is_imported():
            ours = {name for name in sys.modules if name.startswith("proving_ground")}
            assert ours <= {
                "proving_ground",
                "proving_ground.plugin",
                "proving_ground.plugin.options",
                "proving_ground.plugin.skipping",
            }
        """,
    )
    lonely.file("values/chainsaw.yaml", "kind: Values\n")

    assert lonely.outcomes() == {"test_nothing_of_ours_is_imported": "passed"}


def test_a_file_of_the_name_that_holds_something_else_is_left_alone(lonely: Project) -> None:
    lonely.file("a/chainsaw-test.yaml", "tree: oak\ntool: chainsaw\n")
    lonely.file("test_a.py", "def test_a(): pass\n")

    assert lonely.outcomes() == {"test_a": "passed"}


def test_options_of_the_same_names_are_the_projects_own(project: Project) -> None:
    project.file(
        "conftest.py",
        """\
        def pytest_addoption(parser):
            for name in ("kubeconfig", "parallel", "platform", "values", "set", "namespace", "selector", "engine"):
                parser.addoption(f"--{name}", default="theirs")
            parser.addoption("--events", action="store_true")
        """,
    )
    project.file(
        "test_a.py",
        """\
        def test_theirs(pytestconfig):
            assert pytestconfig.getoption("--parallel") == "many"
            assert pytestconfig.getoption("--platform") == "linux"
            assert pytestconfig.getoption("--values") == "theirs"
            assert pytestconfig.getoption("kubeconfig") == "theirs"
        """,
    )
    project.chainsaw("one")

    named = project.environment["KUBECONFIG"]
    found = project.outcomes("--parallel", "many", "--platform=linux", f"--chainsaw-kubeconfig={named}")

    assert found == {"test_theirs": "passed", "one": "passed"}


def test_a_kubeconfig_option_of_the_projects_own_names_the_cluster(project: Project) -> None:
    project.file("conftest.py", "def pytest_addoption(parser): parser.addoption('--kubeconfig')\n")
    project.chainsaw("one")
    named = project.environment.pop("KUBECONFIG")

    assert project.outcomes(f"--kubeconfig={named}") == {"one": "passed"}


def test_the_short_names_work_where_they_are_free(project: Project) -> None:
    project.chainsaw("one", team="a")
    project.chainsaw("two", team="b")
    named = project.environment.pop("KUBECONFIG")

    assert project.outcomes(f"--kubeconfig={named}", "--selector=team in (a, c)", "--set=who=us") == {"one": "passed"}


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("-k", "one"), {"one"}),
        (("-k", "theirs"), {"two"}),
        (("-k", "not theirs and not test_a"), {"one"}),
        (("-m", "chainsaw"), {"one", "two"}),
        (("-m", "slow"), {"two"}),
        (("-m", "not chainsaw"), {"test_a"}),
        (("--selector=team!=theirs",), {"one", "test_a"}),
        (("--shard-count=2", "--shard-index=1"), {"two", "test_a"}),
        (("--chainsaw-include-test-regex=chainsaw/^on",), {"one", "test_a"}),
        (("--chainsaw-exclude-test-regex=chainsaw/one",), {"two", "test_a"}),
        (("--repeat-count=2", "one"), {"one", "one#2"}),
        (("one/chainsaw-test.yaml::one",), {"one"}),
        (("--ignore=two",), {"one", "test_a"}),
    ],
    ids=lambda value: " ".join(value if isinstance(value, tuple) else sorted(value)),
)
def test_tests_are_selected(lonely: Project, arguments: tuple[str, ...], expected: set[str]) -> None:
    lonely.file("pytest.ini", "[pytest]\naddopts = --strict-markers --strict-config\nfilterwarnings = error\n")
    lonely.chainsaw("one")
    lonely.file(
        "two/chainsaw-test.yaml",
        PASSES.replace("labels:", "annotations: {proving.ground/marks: slow}, labels:"),
        name="two",
        team="theirs",
    )
    lonely.file("test_a.py", "def test_a(): pass\n")

    done = lonely.pytest("--collect-only", "-q", *arguments)

    found = {line.rpartition("::")[2] for line in done.stdout.splitlines() if "::" in line}
    assert found == expected, done.stdout + done.stderr


def test_the_first_failure_stops_the_session_where_asked(project: Project) -> None:
    project.file("a/chainsaw-test.yaml", FAILS.replace("spec:", "spec:\n  concurrent: false"))
    project.chainsaw("b")
    project.file("test_a.py", "def test_a(): pass\n")

    assert project.outcomes("-x") == {"fails": "failure"}


def test_the_last_failed_ones_are_run_again(project: Project) -> None:
    project.file("a/chainsaw-test.yaml", FAILS)
    project.chainsaw("b")
    cache = ("-p", "cacheprovider", "-o", "cache_dir=cache")

    assert project.outcomes(*cache) == {"fails": "failure", "b": "passed"}
    assert project.outcomes("--lf", *cache) == {"fails": "failure"}


def test_without_the_plugin_no_chainsaw_file_is_run(lonely: Project) -> None:
    lonely.chainsaw("one")
    lonely.file("test_a.py", "def test_a(): pass\n")

    assert lonely.outcomes("-p", "no:proving_ground") == {"test_a": "passed"}


def test_a_missing_cluster_is_told_once_and_ordinary_tests_run(lonely: Project) -> None:
    for name in ("one", "two", "three"):
        lonely.chainsaw(name)
    lonely.file("test_a.py", "def test_a(): pass\n")

    done = lonely.pytest("--junitxml=junit.xml", "-rs")

    assert done.returncode == 1
    assert done.stdout.count("no cluster: there is no kubeconfig at") == 1, done.stdout
    assert "1 passed, 2 skipped, 1 error" in done.stdout
    assert "__tracebackhide__" not in done.stdout, "no code of ours is shown"


def test_a_cluster_that_does_not_answer_is_told_once(lonely: Project) -> None:
    lonely.file(
        "kubeconfig",
        """\
        current-context: c
        contexts: [{name: c, context: {cluster: c}}]
        clusters: [{name: c, cluster: {server: "http://127.0.0.1:1"}}]
        """,
    )
    lonely.chainsaw("one")
    lonely.chainsaw("two")

    done = lonely.pytest("--chainsaw-kubeconfig=kubeconfig")

    assert done.returncode == 1
    assert "1 skipped, 1 error" in done.stdout, done.stdout
    assert "127.0.0.1:1" in done.stdout
    assert "Traceback" not in done.stdout


def test_a_file_that_cannot_be_run_is_a_collection_error_with_its_place(lonely: Project) -> None:
    lonely.file("a/chainsaw-test.yaml", FAILS.replace("timeouts:", "timeout:"))

    done = lonely.pytest()

    assert done.returncode == 2
    assert "a/chainsaw-test.yaml:5: unknown field 'timeout'" in done.stdout
    assert "Traceback" not in done.stdout


def test_a_configuration_beside_the_tests_holds(project: Project) -> None:
    project.file(
        ".chainsaw.yaml",
        """\
        apiVersion: chainsaw.kyverno.io/v1alpha2
        kind: Configuration
        metadata: {name: ours}
        spec:
          timeouts: {assert: 200ms}
          discovery: {excludeTestRegex: chainsaw/two}
        """,
    )
    project.file("a/chainsaw-test.yaml", FAILS.replace("  timeouts: {assert: 100ms}\n", ""))

    project.chainsaw("two")

    done = project.pytest()

    assert seconds_of_the_failure(done.stdout) < 20  # 30 without the file
    assert "1 failed, 1 deselected" in done.stdout


def seconds_of_the_failure(output: str) -> float:
    """Return how long the one assertion that failed has waited."""
    (seconds,) = set(re.findall(r"assert failed after ([0-9.]+) s", output))
    return float(seconds)


def test_a_project_with_its_own_loop_over_tests_keeps_it(project: Project) -> None:
    """As pytest-xdist's workers do it."""
    project.file(
        "conftest.py",
        """\
        import pytest

        @pytest.hookimpl
        def pytest_runtestloop(session):
            order = []
            for index, item in enumerate(session.items):
                order.append(item.name)
                following = session.items[index + 1] if index + 1 < len(session.items) else None
                item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            (session.config.rootpath / "order").write_text(" ".join(order))
            return True
        """,
    )
    module = """\
        import pytest

        @pytest.fixture(scope="module", autouse=True)
        def around():
            yield

        def test_{name}(): pass
        """
    for folder in ("a", "c"):
        project.file(f"{folder}/test_{folder}.py", module.format(name=folder))
        project.chainsaw(f"{folder}/sub")
    project.file("a/chainsaw-test.yaml", FAILS)

    found = project.outcomes()

    assert found == {"fails": "failure", "test_a": "passed", "test_c": "passed", "a-sub": "passed", "c-sub": "passed"}
    assert set((project.folder / "order").read_text().split()) == found.keys()


def test_an_interruption_cleans_up(project: Project) -> None:
    project.file(
        "a/chainsaw-test.yaml",
        """\
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
        """,
    )
    ready = project.folder / "a" / "ready"
    process = subprocess.Popen(
        project.command(), cwd=project.folder, env=project.environment, stdout=subprocess.PIPE, text=True
    )
    try:
        deadline = time.monotonic() + 60
        while not ready.exists() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=60)
    finally:
        process.kill()

    assert process.returncode == 2, output
    assert "interrupted by SIGINT" in output
    found = namespaces(project)
    assert ready.read_text().strip() not in found


def namespaces(project: Project) -> set[str]:
    """Return the names of the cluster's namespaces."""
    import asyncio  # noqa: PLC0415

    from proving_ground.kube import Cluster  # noqa: PLC0415

    async def listed() -> set[str]:
        async with Cluster.connect(project.environment["KUBECONFIG"]) as cluster:
            return {each["metadata"]["name"] for each in await cluster.list("v1", "Namespace")}

    return asyncio.run(listed())
