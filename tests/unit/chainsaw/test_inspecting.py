"""What is shown of objects, events and logs, and where showing fails a test; against an API server in memory."""

from __future__ import annotations

import json
from typing import Any

import pytest

from proving_ground.kube.testing import Answer

POD = """\
    - apply:
        resource:
          apiVersion: v1
          kind: Pod
          metadata: {name: NAME, labels: {app: x}}
          spec: {initContainers: [{name: first}], containers: [{name: main}]}
"""
EVENT = """\
    - apply:
        resource:
          {apiVersion: v1, kind: Event, metadata: {name: e1}, reason: Pulled, involvedObject: {kind: Pod, name: web-1}}
"""


def step(*operations: str) -> str:
    return "steps:\n- try:\n" + "".join(operations)


def pod(name: str = "web-1") -> str:
    return POD.replace("NAME", name)


def widget(name: str) -> str:
    return f"    - apply: {{resource: {{apiVersion: test.example/v1, kind: Widget, metadata: {{name: {name}}}}}}}\n"


def texts(result: Any) -> str:
    return "\n".join(f"{name}\n{text}" for name, text in result.report.attachments)


@pytest.mark.parametrize(
    ("operation", "told"),
    [
        ("get: {apiVersion: v1, kind: Pod, name: none}", "get failed"),
        ("describe: {apiVersion: v1, kind: Pod, name: none}", "describe failed"),
        ("events: {name: none}", "events failed"),
        ("podLogs: {name: none}", "podLogs failed"),
    ],
)
def test_what_was_named_and_is_not_there_fails_the_test(engine: Any, operation: str, told: str) -> None:
    result = engine.one(step(pod(), f"    - {operation}\n"))

    assert result.outcome == "failed"
    assert told in result.message
    assert "/none" in result.message


@pytest.mark.parametrize(
    "operation",
    [
        "get: {apiVersion: v1, kind: Pod}",
        "get: {apiVersion: v1, kind: Pod, selector: app=none}",
        "describe: {apiVersion: v1, kind: Pod, selector: app=none}",
        "events: {}",
        "podLogs: {selector: app=none}",
    ],
)
def test_a_search_that_finds_nothing_passes(engine: Any, operation: str) -> None:
    result = engine.one(step(f"    - {operation}\n"))

    assert (result.outcome, result.message) == ("passed", "")
    assert "(no" in texts(result)


def test_get_shows_yaml_or_json_or_what_an_expression_says(engine: Any) -> None:
    as_yaml, as_json, computed = (
        engine.one(step(pod(), f"    - get: {{apiVersion: v1, kind: Pod, name: web-1{form}}}\n"))
        for form in (
            "",
            ", format: json",
            ", format: (join('', ['js', 'on']))".replace("(j", '"(j').replace("]))", ']))"'),
        )
    )

    assert "kind: Pod\n" in texts(as_yaml)
    assert json.loads(as_json.report.attachments[0][1])["metadata"]["name"] == "web-1"
    assert json.loads(computed.report.attachments[0][1])["kind"] == "Pod"


def test_several_objects_are_one_list_in_json(engine: Any) -> None:
    result = engine.one(step(pod("b"), pod("a"), "    - get: {apiVersion: v1, kind: Pod, format: json}\n"))

    shown = json.loads(result.report.attachments[0][1])
    assert [item["metadata"]["name"] for item in shown["items"]] == ["a", "b"]


def test_a_format_that_nobody_knows_fails(engine: Any) -> None:
    result = engine.one(step(pod(), "    - get: {apiVersion: v1, kind: Pod, format: \"(join('', ['x']))\"}\n"))

    assert "format has to be one of json, yaml, is 'x'" in result.message


@pytest.mark.parametrize(("namespace", "names"), [("'*'", {"web-1", "far"}), ("other", {"far"}), ("''", {"web-1"})])
def test_objects_are_looked_for_in_the_namespace_that_is_meant(engine: Any, namespace: str, names: set[str]) -> None:
    engine.api.put({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "other"}})
    far = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "far", "namespace": "other"}, "spec": {}}
    engine.api.put(far)

    result = engine.one(step(pod(), f"    - get: {{apiVersion: v1, kind: Pod, namespace: {namespace}}}\n"))

    assert {name for name in ("web-1", "far") if f"name: {name}" in texts(result)} == names


def test_namespace_and_names_expand_as_on_kubectls_command_line(engine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POD", "web-1")
    result = engine.one(step(pod(), "    - get: {apiVersion: v1, kind: Pod, namespace: $NAMESPACE, name: $POD}\n"))

    assert (result.outcome, result.message) == ("passed", "")


def test_describe_takes_the_beginning_of_a_name_where_there_is_no_whole_one(engine: Any) -> None:
    describe = "    - describe: {apiVersion: test.example/v1, kind: Widget, name: web}\n"

    both = engine.one(step(widget("web-1"), widget("web-2"), describe))
    exact = engine.one(step(widget("web-1"), widget("web"), describe))

    assert {"web-1", "web-2"} == {name for name in ("web-1", "web-2") if f"Widget {name}: state" in texts(both)}
    assert "Widget web-1: state" not in texts(exact)
    assert "Widget web: state" in texts(exact)


def test_describe_leaves_events_out_where_asked(engine: Any) -> None:
    describe = "    - describe: {apiVersion: v1, kind: Pod, name: web-1, showEvents: SHOW}\n"

    assert "Pulled" in texts(engine.one(step(pod(), EVENT, describe.replace("SHOW", "true"))))
    assert "Pulled" not in texts(engine.one(step(pod(), EVENT, describe.replace("SHOW", "false"))))


def test_events_are_lines_or_objects(engine: Any) -> None:
    lines = engine.one(step(EVENT, "    - events: {}\n"))
    objects = engine.one(step(EVENT, "    - events: {name: e1, format: json}\n"))

    assert "Pulled Pod/web-1" in texts(lines)
    assert json.loads(objects.report.attachments[0][1])["reason"] == "Pulled"


@pytest.mark.parametrize(
    ("which", "asked"),
    [
        ("selector: app=x", "tailLines=10"),
        ("selector: app=x, tail: 3", "tailLines=3"),
        ("selector: app=x, tail: -1", ""),
        ("name: web-1", ""),
        ("name: web-1, tail: 0", ""),
        ("name: web-1, tail: 2", "tailLines=2"),
    ],
)
def test_logs_are_as_long_as_kubectl_shows_them(
    engine: Any, monkeypatch: pytest.MonkeyPatch, which: str, asked: str
) -> None:
    seen: list[int | None] = []

    async def logs(_self: Any, _name: str, _namespace: str, *, tail: int | None = None, **_: Any) -> str:
        seen.append(tail)
        return "hello\n"

    monkeypatch.setattr("proving_ground.kube.Cluster.logs", logs)
    result = engine.one(step(pod(), f"    - podLogs: {{{which}}}\n"))

    assert result.message == ""
    assert seen == [int(asked.partition("=")[2]) if asked else None] * 2
    assert "log of first\nhello" in texts(result)
    assert "log of main\nhello" in texts(result)


def test_logs_are_of_the_container_that_is_named(engine: Any) -> None:
    engine.api.logs["web-1"] = "hello"
    right = engine.one(step(pod(), "    - podLogs: {name: web-1, container: main}\n"))
    wrong = engine.one(step(pod(), "    - podLogs: {name: web-1, container: side}\n"))

    assert "log of main\nhello" in texts(right)
    assert "log of first" not in texts(right)
    assert "Pod web-1 has no container 'side'" in wrong.message


def test_a_log_that_is_refused_fails_after_the_others_are_shown(engine: Any) -> None:
    engine.api.logs["web-2"] = "hello"
    refusal = {"kind": "Status", "code": 400, "reason": "BadRequest", "message": "container is waiting to start"}
    engine.api.answers = lambda _m, path: Answer(400, refusal) if path.endswith("web-1/log") else None

    result = engine.one(step(pod("web-1"), pod("web-2"), "    - podLogs: {selector: app=x}\n"))

    assert "podLogs failed" in result.message
    assert "container is waiting to start" in result.message
    assert "Pod web-2: log of main\nhello" in texts(result)
