"""Requests to pods and services through an API server in memory."""

from __future__ import annotations

from typing import Any

import pytest

from proving_ground.kube.testing import Answer


def step(fields: str, after: str = "") -> str:
    return f"steps:\n- try:\n    - proxy: {{apiVersion: v1, {fields}}}\n{after}"


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ("kind: Pod, name: p, namespace: n, port: '80', path: /health", "/namespaces/n/pods/p:80/proxy/health"),
        ("kind: Service, name: s, namespace: n, port: http, path: a/b", "/namespaces/n/services/s:http/proxy/a/b"),
        ("kind: Service, name: s, namespace: n, path: /", "/namespaces/n/services/s/proxy/"),
        ("kind: (join('', ['Po', 'd'])), name: p, namespace: n, port: '1'", "/namespaces/n/pods/p:1/proxy/"),
    ],
)
def test_the_path_is_that_of_the_api_servers_proxy(engine: Any, fields: str, path: str) -> None:
    fields = fields.replace("(join", '"(join').replace("]))", ']))"')
    engine.api.answers = lambda _m, asked: Answer(200, text="ok") if "/proxy" in asked else None

    result = engine.one(step(fields))

    assert result.message == ""
    assert ("GET", f"/api/v1{path}") in engine.api.requests


def test_the_namespace_is_the_tests_where_none_is_given(engine: Any) -> None:
    engine.api.answers = lambda _m, asked: Answer(200, text="ok") if "/proxy" in asked else None

    assert engine.one(step("kind: Pod, name: p, port: '80'")).message == ""
    assert engine.api.count("GET", "/pods/p:80/proxy") == 1
    (asked,) = [path for _, path in engine.api.requests if "/proxy" in path]
    assert asked.startswith("/api/v1/namespaces/chainsaw-")


def test_outputs_see_the_answer_and_the_report_shows_it(engine: Any) -> None:
    engine.api.answers = lambda _m, asked: Answer(200, text="up 1\n") if "/proxy" in asked else None
    fields = "kind: Pod, name: p, namespace: n, port: '80', outputs: [{name: body, value: ($stdout)}, {name: e, value: "
    fields += "($error)}]"
    checks = "    - assert: {resource: {(trim_space($body)): up 1, ($e): null}}\n"

    result = engine.one(step(fields, checks))

    assert result.message == ""
    assert "GET /api/v1/namespaces/n/pods/p:80/proxy/\nstdout:\nup 1" in result.report.attachments[0][1]


@pytest.mark.parametrize("status", [404, 500, 503])
def test_every_answer_but_success_fails_at_once(engine: Any, status: int) -> None:
    refusal = {"kind": "Status", "code": status, "reason": "Because", "message": "it is so"}
    engine.api.answers = lambda _m, asked: Answer(status, refusal) if "/proxy" in asked else None

    result = engine.one(step("kind: Pod, name: p, namespace: n, port: '80', timeout: 5s"))

    assert result.outcome == "failed"
    assert "proxy failed after 0." in result.message
    assert "it is so (Because, GET /api/v1/namespaces/n/pods/p:80/proxy/)" in result.message
    assert engine.api.count("GET", "/proxy") == 1


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ("kind: \"(join('', ['No', 'de']))\", name: p", "only Pod and Service of v1 can"),
        ("kind: Pod, name: \"(join('', ['', '']))\"", "one Pod in one namespace has to be named"),
        ("kind: Pod, name: p, namespace: '*'", "one Pod in one namespace has to be named"),
    ],
)
def test_what_cannot_be_asked_is_refused(engine: Any, fields: str, told: str) -> None:
    assert told in engine.one(step(fields)).message
