"""Apply, create, patch, update and delete against an API server in memory."""

from __future__ import annotations

from typing import Any

import pytest

WIDGET = "apiVersion: test.example/v1, kind: Widget, metadata: {name: w}"
APPLY = f"    - apply: {{resource: {{{WIDGET}, spec: {{size: 1, color: red}}}}}}\n"


def step(*operations: str, more: str = "") -> str:
    return "steps:\n- try:\n" + "".join(operations) + more


def write(kind: str, spec: str, more: str = "") -> str:
    return f"    - {kind}: {{timeout: 30ms, resource: {{{WIDGET}, spec: {spec}}}{more}}}\n"


def holds(tree: str) -> str:
    return f"    - assert: {{timeout: 30ms, resource: {{{WIDGET}, {tree}}}}}\n"


def test_a_patch_merges_and_an_update_replaces(engine: Any) -> None:
    patched = step(APPLY, write("patch", "{size: 2}"), holds("spec: {size: 2, color: red}"))
    updated = step(APPLY, write("update", "{size: 3}"), holds("spec: {size: 3, (color == null): true}"))

    for spec in (patched, updated):
        result = engine.one(spec)
        assert (result.outcome, result.message) == ("passed", "")
    assert engine.api.count("PUT") == 1


@pytest.mark.parametrize(("kind", "done"), [("patch", "patched"), ("update", "updated")])
def test_what_is_not_there_is_neither_patched_nor_updated_whatever_is_expected(
    engine: Any, kind: str, done: str
) -> None:
    operation = write(kind, "{size: 2}", ", expect: [{check: {($error != null): true}}]")

    result = engine.one(step(operation))

    assert result.outcome == "failed"
    assert f"there is none, so it cannot be {done}" in result.message
    assert engine.api.all("Widget") == []


@pytest.mark.parametrize("kind", ["patch", "update"])
def test_what_is_not_there_yet_is_waited_for(engine: Any, kind: str) -> None:
    asked = []

    def late(_method: str, path: str) -> None:
        if path.endswith("/widgets/w") and not engine.api.all("Widget"):
            asked.append(path)
            if len(asked) > 1:
                metadata = {"name": "w", "namespace": path.split("/")[-3]}
                engine.api.put({"apiVersion": "test.example/v1", "kind": "Widget", "metadata": metadata})

    engine.api.answers = late
    result = engine.one(step(write(kind, "{size: 2}").replace("30ms", "5s"), holds("spec: {size: 2}")))

    assert (result.outcome, result.message) == ("passed", "")


def test_an_update_that_meets_a_change_is_tried_again(engine: Any) -> None:
    disturbed = []

    def change(method: str, _path: str) -> None:
        if method == "PUT" and not disturbed:
            disturbed.append(engine.api.set_status("Widget", "w", {"phase": "new"}))

    engine.api.answers = change
    result = engine.one(step(APPLY, write("update", "{size: 2}").replace("30ms", "5s"), holds("spec: {size: 2}")))

    assert (result.outcome, result.message) == ("passed", "")
    assert engine.api.count("PUT") == 2


@pytest.mark.parametrize("kind", ["patch", "update"])
def test_results_are_held_against_expectations_and_bound_to_outputs(engine: Any, kind: str) -> None:
    more = ", expect: [{check: {spec: {size: 2}, ($error): null}}], outputs: [{name: size, value: (spec.size)}]"
    wrong = ", expect: [{check: {spec: {size: 3}}}]"

    passed = engine.one(step(APPLY, write(kind, "{size: 2}", more), "    - assert: {resource: {($size): 2}}\n"))
    failed = engine.one(step(APPLY, write(kind, "{size: 2}", wrong)))

    assert (passed.outcome, passed.message) == ("passed", "")
    assert f"{kind} failed" in failed.message
    assert "the result is not the expected one" in failed.message


@pytest.mark.parametrize("kind", ["patch", "update"])
def test_a_dry_run_changes_nothing(engine: Any, kind: str) -> None:
    result = engine.one(step(APPLY, write(kind, "{size: 2}", ", dryRun: true"), holds("spec: {size: 1}")))

    assert (result.outcome, result.message) == ("passed", "")


def test_expressions_are_evaluated_unless_templating_is_off(engine: Any) -> None:
    binding = "bindings: [{name: n, value: five}]\n"
    on = step(APPLY, write("patch", "{color: ($n)}"), holds("spec: {color: five}"))
    off = step(APPLY, write("patch", "{color: ($n)}", ", template: false"), holds("spec: {color: '\\($n)\\'}"))

    assert engine.one(binding + on).message == ""
    assert engine.one(binding + off).message == ""


def test_what_exists_is_not_created_whatever_is_expected(engine: Any) -> None:
    again = write("create", "{}", ", expect: [{check: {($error != null): true}}]")

    result = engine.one(step(APPLY, again))

    assert "it exists already" in result.message


def test_each_resource_of_an_operation_knows_its_number(engine: Any) -> None:
    folder = engine.folder / "test-0"
    folder.mkdir()
    documents = [
        f"{{apiVersion: test.example/v1, kind: Widget, metadata: {{name: {name}}}, spec: {{n: ($operation)}}}}"
        for name in ("a", "b")
    ]
    (folder / "widgets.yaml").write_text("\n---\n".join(documents))

    result = engine.one("skipDelete: true\n" + step("    - apply: {file: widgets.yaml}\n"))

    assert result.message == ""
    assert [widget["spec"]["n"] for widget in engine.api.all("Widget")] == [
        {"id": 1, "resourceId": 1},
        {"id": 1, "resourceId": 2},
    ]


def test_where_errors_do_not_stop_the_other_resources_are_written(engine: Any) -> None:
    folder = engine.folder / "test-0"
    folder.mkdir()
    names = ("lost", "w", "gone")
    documents = [f"{{apiVersion: test.example/v1, kind: Widget, metadata: {{name: {name}}}}}" for name in names]
    (folder / "widgets.yaml").write_text("\n---\n".join(documents))
    operation = "    - patch: {timeout: 10ms, file: widgets.yaml}\n      continueOnError: true\n"

    result = engine.one(step(APPLY, operation))

    assert result.message.count("there is none, so it cannot be patched") == 2
    assert engine.api.count("PATCH", "/widgets/w") == 1
    stopped = engine.one(step(APPLY, operation.replace("true", "false")))
    assert stopped.message.count("there is none, so it cannot be patched") == 1
    assert engine.api.count("PATCH", "/widgets/w") == 1


def test_a_kind_that_nobody_serves_is_no_result_to_be_expected(engine: Any) -> None:
    operation = """\
    - apply:
        timeout: 10ms
        resource: {apiVersion: test.example/v1, kind: Gadget, metadata: {name: w, namespace: x}}
        expect: [{check: {($error != null): true}}]
"""
    assert "Gadget" in engine.one(step(operation)).message


def test_a_patch_of_a_subresource_goes_there(engine: Any) -> None:
    patched = f"    - patch: {{subresource: status, resource: {{{WIDGET}, status: {{phase: Ready}}}}}}\n"

    result = engine.one(step(APPLY, patched, holds("status: {phase: Ready}")))

    assert (result.outcome, result.message) == ("passed", "")
    assert engine.api.count("PATCH", "/widgets/w/status") == 1


def test_the_bindings_of_an_operation_are_evaluated_for_each_of_its_resources(engine: Any) -> None:
    (engine.folder / "test-0").mkdir()
    widget = "{apiVersion: test.example/v1, kind: Widget, metadata: {name: ($name)}}\n"
    (engine.folder / "test-0" / "two.yaml").write_text(f"{widget}---\n{widget}")
    bindings = "[{name: name, value: \"(join('-', [$name, to_string($operation.resourceId)]))\"}]"

    result = engine.one(
        "skipDelete: true\nbindings: [{name: name, value: w}]\n"
        + step(f"    - apply: {{file: two.yaml, bindings: {bindings}}}\n")
    )

    assert (result.outcome, result.message) == ("passed", "")
    assert [widget["metadata"]["name"] for widget in engine.api.all("Widget")] == ["w-1", "w-2"]
