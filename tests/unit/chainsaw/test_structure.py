"""Scenarios, step templates, clusters, namespaces and ids: what a test is made of besides its operations."""

from __future__ import annotations

import asyncio
import os
import textwrap
import time
from pathlib import Path
from typing import Any

import pytest

from proving_ground.chainsaw.conventions import load_folder
from proving_ground.chainsaw.loader import check_files, load_tests
from proving_ground.chainsaw.model import Apply, Assert, Error
from proving_ground.chainsaw.run import run_tests
from proving_ground.errors import ConfigurationError

CONFIGURATION = "apiVersion: chainsaw.kyverno.io/v1alpha2\nkind: Configuration\nmetadata: {name: c}\nspec:\n"
TEMPLATE = "apiVersion: chainsaw.kyverno.io/v1alpha1\nkind: StepTemplate\nmetadata: {name: s}\nspec:\n"
WIDGET = "apiVersion: test.example/v1, kind: Widget"


def apply(name: str) -> str:
    return f"    - apply: {{resource: {{{WIDGET}, metadata: {{name: {name}}}}}}}\n"


def widgets(engine: Any) -> list[str]:
    return sorted(widget["metadata"]["name"] for widget in engine.api.all("Widget"))


def namespaces(engine: Any) -> list[str]:
    return sorted(namespace["metadata"]["name"] for namespace in engine.api.all("Namespace"))


def put(engine: Any, name: str, text: str) -> None:
    (engine.folder / "test-0").mkdir(exist_ok=True)
    (engine.folder / "test-0" / name).write_text(textwrap.dedent(text))


# Scenarios


def test_each_scenario_is_a_test_of_its_own_whose_bindings_come_before_those_of_the_test(engine: Any) -> None:
    results = engine.run(
        """\
        skipDelete: true
        scenarios:
        - bindings: [{name: animal, value: cat}]
        - bindings: [{name: animal, value: dog}]
        bindings: [{name: both, value: "(join('-', [$animal, to_string($test.scenarioId)]))"}]
        steps:
        - try:
        """
        + textwrap.indent(apply("($both)"), "    ")
    )

    assert [result.outcome for result in results] == ["passed", "passed"]
    assert widgets(engine) == ["cat-1", "dog-2"]
    assert len(namespaces(engine)) == 2
    assert [result.test.title for result in results] == ["test-0[1]", "test-0[2]"]


def test_a_test_without_scenarios_keeps_its_name_and_has_the_first_scenarios_number(engine: Any) -> None:
    result = engine.one("steps: [{try: [{assert: {resource: {($test.scenarioId): 1}}}]}]")

    assert (result.outcome, result.test.title) == ("passed", "test-0")


# Step templates


def test_a_step_template_runs_with_its_defaults_and_what_the_step_hands_over(engine: Any) -> None:
    put(
        engine,
        "template.yaml",
        TEMPLATE + "  bindings: [{name: first, value: a}, {name: second, value: b}]\n  try:\n"
        f"  - apply: {{resource: {{{WIDGET}, metadata: {{name: \"(join('-', [$first, $second]))\"}}}}}}\n",
    )

    result = engine.one(
        "skipDelete: true\nsteps:\n- use: {template: template.yaml, with: {bindings: [{name: second, value: c}]}}\n"
    )

    assert result.outcome == "passed"
    assert widgets(engine) == ["a-c"]


def test_every_block_of_a_step_template_counts(engine: Any) -> None:
    put(
        engine,
        "template.yaml",
        TEMPLATE + "  try: [{script: {content: 'exit 3'}}]\n  catch: [{script: {content: touch caught}}]\n"
        "  finally: [{script: {content: touch finally}}]\n  cleanup: [{script: {content: touch cleaned}}]\n",
    )

    result = engine.one("steps: [{use: {template: template.yaml}}]")

    assert result.outcome == "failed"
    assert "template.yaml:5" in result.message, "the operation's own file is named"
    made = {path.name for path in (engine.folder / "test-0").iterdir()}
    assert {"caught", "finally", "cleaned"} <= made


def test_files_of_a_step_template_are_relative_to_the_test(engine: Any) -> None:
    (engine.folder / "templates").mkdir()
    (engine.folder / "templates" / "t.yaml").write_text(TEMPLATE + "  try: [{apply: {file: mine.yaml}}]\n")
    put(engine, "mine.yaml", f"{{{WIDGET}, metadata: {{name: mine}}}}\n")

    result = engine.one("skipDelete: true\nsteps: [{use: {template: ../templates/t.yaml}}]")

    assert (result.outcome, widgets(engine)) == ("passed", ["mine"])


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "expected one StepTemplate, found 0"),
        (TEMPLATE + "  try: []\n---\n" + TEMPLATE + "  try: []\n", "expected one StepTemplate, found 2"),
        (TEMPLATE.replace("StepTemplate", "Test") + "  steps: []\n", "expected StepTemplate of"),
        (TEMPLATE + "  bindings: []\n", "spec of a StepTemplate has no try"),
        (TEMPLATE + "  try: []\n  use: {}\n", "unknown field 'use' of spec of a StepTemplate"),
        (TEMPLATE + "  try: [{aply: {}}]\n", "did you mean apply"),
    ],
)
def test_a_file_that_is_no_step_template_is_refused(engine: Any, text: str, reason: str) -> None:
    put(engine, "template.yaml", text)

    with pytest.raises(ConfigurationError, match=reason):
        engine.one("steps: [{use: {template: template.yaml}}]")


# Ids


def test_operations_and_steps_are_numbered_from_one(engine: Any) -> None:
    result = engine.one(
        """\
        steps:
        - try:
          - sleep: {duration: 1ms}
          - assert: {resource: {"([$test.id, $step.id, $operation.id])": [1, 1, 2]}}
        - try:
          - assert: {resource: {"([$test.id, $step.id, $operation.id])": [1, 2, 1]}}
        """
    )

    assert (result.outcome, result.message) == ("passed", "")


# Failing and going on


def test_a_step_goes_on_after_a_failure_that_may_be_and_so_does_the_test_which_has_failed(engine: Any) -> None:
    result = engine.one(
        """\
        steps:
        - try:
          - script: {content: exit 1}
            continueOnError: true
          - script: {content: touch same-step}
        - try:
          - script: {content: touch next-step}
          catch:
          - script: {content: touch caught}
        """
    )

    made = {path.name for path in (engine.folder / "test-0").iterdir()}
    assert result.outcome == "failed"
    assert {"same-step", "next-step"} <= made
    assert "caught" in made, "catch runs in every step that ends with the test failed"


def test_what_a_script_leaves_running_serves_later_operations_and_ends_with_the_test(engine: Any) -> None:
    alive = "kill -0 $(cat child)"

    result = engine.one(
        f"""\
        steps:
        - try:
          - script: {{content: 'sleep 100 >/dev/null 2>&1 & echo $! > child'}}
        - try:
          - script: {{content: {alive}}}
          cleanup:
          - script: {{content: {alive}}}
        """
    )

    child = Path(f"/proc/{(engine.folder / 'test-0' / 'child').read_text().strip()}/stat")
    assert (result.outcome, result.message) == ("passed", "")
    deadline = time.monotonic() + 5
    while runs(child) and time.monotonic() < deadline:  # it was killed, and ends as soon as it gets its turn
        os.sched_yield()
    assert not runs(child)


def runs(stat: Path) -> bool:
    try:
        return stat.read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


# Namespaces


def test_one_namespace_of_the_configuration_holds_all_tests_and_goes_at_the_end(engine: Any) -> None:
    (engine.folder / ".chainsaw.yaml").write_text(CONFIGURATION + "  namespace: {name: common}\n")
    same = "steps: [{try: [{assert: {resource: {($namespace): common}}}]}]"

    results = engine.run(same, same, same)

    assert [result.outcome for result in results] == ["passed"] * 3
    assert engine.api.count("POST", "/namespaces") == 1
    assert namespaces(engine) == []


def test_a_namespace_that_was_there_before_stays(engine: Any) -> None:
    (engine.folder / ".chainsaw.yaml").write_text(CONFIGURATION + "  namespace: {name: common}\n")
    engine.api.put({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "common"}})

    result = engine.one("steps: [{try: [" + apply("w").strip().removeprefix("- ") + "]}]")

    assert result.outcome == "passed"
    assert namespaces(engine) == ["common"]
    assert widgets(engine) == []


def test_a_tests_own_namespace_goes_before_the_configurations_and_may_be_an_expression(engine: Any) -> None:
    (engine.folder / ".chainsaw.yaml").write_text(CONFIGURATION + "  namespace: {name: common}\n")

    result = engine.one(
        "namespace: \"(join('-', ['own', $test.metadata.name]))\"\n"
        "steps: [{try: [{assert: {resource: {($namespace): own-test-0}}}]}]"
    )

    assert (result.outcome, result.message) == ("passed", "")


def test_a_namespace_template_is_merged_into_the_namespace_and_may_use_its_name(engine: Any) -> None:
    result = engine.one(
        """\
        skipDelete: true
        namespaceTemplate:
          metadata:
            labels: {team: gpu}
            annotations: {called: ($namespace)}
          spec: {finalizers: [example.test/held]}
        steps: [{try: [{sleep: {duration: 1ms}}]}]
        """
    )

    (namespace,) = engine.api.all("Namespace")
    assert result.outcome == "passed"
    assert namespace["metadata"]["labels"]["team"] == "gpu"
    assert namespace["metadata"]["annotations"]["called"] == namespace["metadata"]["name"]
    assert namespace["spec"] == {"finalizers": ["example.test/held"]}


def test_a_namespace_template_may_name_the_namespace(engine: Any) -> None:
    result = engine.one(
        "namespaceTemplate: {metadata: {name: chosen}}\nsteps: [{try: [{assert: {resource: {($namespace): chosen}}}]}]"
    )

    assert (result.outcome, result.message) == ("passed", "")


# Without a cluster


def test_without_a_cluster_scripts_and_expressions_run_and_nothing_else(tmp_path: Path) -> None:
    def write(name: str, operation: str) -> Path:
        (tmp_path / name).mkdir(exist_ok=True)
        path = tmp_path / name / "chainsaw-test.yaml"
        head = f"apiVersion: chainsaw.kyverno.io/v1alpha1\nkind: Test\nmetadata: {{name: {name}}}\n"
        path.write_text(f"{head}spec: {{steps: [{{try: [{operation}]}}]}}\n")
        return path

    files = [
        write("script", "{script: {content: 'test -z \"$NAMESPACE\" && touch ran'}}"),
        write("expression", "{assert: {resource: {(to_number('1')): 1}}}"),
        write("object", "{assert: {timeout: 50ms, resource: {apiVersion: v1, kind: Pod, metadata: {name: x}}}}"),
        write("lookup", "{assert: {timeout: 50ms, resource: {\"(x_k8s_list($client, 'v1', 'Pod'))\": {}}}}"),
        write("chosen", "{get: {cluster: other, apiVersion: v1, kind: Pod}}"),
    ]
    tests = [test for file in files for test in load_tests(file)]

    results = asyncio.run(run_tests(tests, None, root=tmp_path))

    assert [result.outcome for result in results] == ["passed", "passed", "failed", "failed", "failed"]
    assert (tmp_path / "script" / "ran").exists()
    for result in results[2:4]:
        assert "there is no cluster: the tests are run without one" in result.message
    assert "no cluster 'other' is registered; known: none" in results[4].message


# Numbered files


def test_a_folder_of_numbered_files_is_a_test(tmp_path: Path) -> None:
    folder = tmp_path / "Some_Folder"
    folder.mkdir()
    for name in ("01-assert.yaml", "00-b.yaml", "00-a.yml", "01-errors.yaml", "01-install.yaml", "2x.yaml", "x-1.yaml"):
        (folder / name).write_text(f"{{{WIDGET}, metadata: {{name: w}}}}\n")

    test = load_folder(folder)

    assert test is not None
    check_files(test)
    assert test.name == "some-folder"
    assert [step.name for step in test.steps] == ["step-00", "step-01"]
    kinds = [[type(operation) for operation in step.try_] for step in test.steps]
    assert kinds == [[Apply, Apply], [Apply, Assert, Error]]
    assert [operation.ref.file for operation in test.steps[0].try_] == ["00-a.yml", "00-b.yaml"]  # type: ignore[union-attr]  # both are Apply


def test_a_folder_without_numbered_files_is_none(tmp_path: Path) -> None:
    (tmp_path / "values.yaml").write_text("a: 1\n")

    assert load_folder(tmp_path) is None
