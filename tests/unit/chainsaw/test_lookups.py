"""Functions that ask the cluster, from an evaluation that never awaits."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from proving_ground.chainsaw.assertions import check, parse_tree
from proving_ground.chainsaw.errors import ExpressionError
from proving_ground.chainsaw.expressions import compile_expression
from proving_ground.chainsaw.lookups import ClusterNeeded, resolve
from proving_ground.chainsaw.templates import parse_template, render


class FakeCluster:
    """Answers from a dictionary and remembers what it was asked."""

    def __init__(self, **pods: dict[str, Any]) -> None:
        self.pods = pods
        self.asked: list[tuple[str, ...]] = []

    async def get(self, api_version: str, kind: str, namespace: str, name: str) -> dict[str, Any] | None:
        self.asked.append((api_version, kind, namespace, name))
        return self.pods.get(name)

    async def list(self, api_version: str, kind: str, namespace: str) -> dict[str, Any]:
        self.asked.append((api_version, kind, namespace))
        return {"items": [*self.pods.values()]}

    async def resource_exists(self, api_version: str, kind: str) -> bool:
        return (api_version, kind) == ("v1", "Pod")

    async def server_version(self) -> dict[str, Any]:
        return {"major": "1"}


def ask(cluster: FakeCluster, text: str, value: Any = None, **bindings: Any) -> Any:
    expression = compile_expression(text)
    return asyncio.run(resolve(cluster, lambda calls: expression.evaluate(value, {"client": 0, **bindings}, calls)))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x_k8s_get($client, 'v1', 'Pod', 'n', 'a').spec.x", 1),
        ("x_k8s_exists($client, 'v1', 'Pod', 'n', 'a')", True),
        ("x_k8s_exists($client, 'v1', 'Pod', 'n', 'b')", False),
        ("length(x_k8s_list($client, 'v1', 'Pod', 'n').items)", 1),
        ("length(x_k8s_list($client, 'v1', 'Pod').items)", 1),
        ("x_k8s_resource_exists($client, 'v1', 'Pod')", True),
        ("x_k8s_resource_exists($client, 'v1', 'Pot')", False),
        ("x_k8s_server_version($client).major", "1"),
        ("k8s_get($client, 'v1', 'Pod', 'n', 'a').spec.x", 1),
        ("k8s_exists($client, 'v1', 'Pod', 'n', 'b')", False),
        ("length(k8s_list($client, 'v1', 'Pod', 'n').items)", 1),
        ("k8s_resource_exists($client, 'v1', 'Pod')", True),
        ("k8s_server_version($client).major", "1"),
    ],
)
def test_a_function_gives_what_the_cluster_answers(text: str, expected: Any) -> None:
    assert ask(FakeCluster(a={"spec": {"x": 1}}), text) == expected


def test_an_object_that_is_not_there_is_an_error() -> None:
    with pytest.raises(ExpressionError, match="no Pod 'b' in namespace 'n'"):
        ask(FakeCluster(), "x_k8s_get($client, 'v1', 'Pod', 'n', 'b')")


def test_the_same_question_is_asked_once() -> None:
    cluster = FakeCluster(a={})

    ask(cluster, "[x_k8s_exists($client, 'v1', 'Pod', 'n', 'a'), x_k8s_get($client, 'v1', 'Pod', 'n', 'a')]")

    assert cluster.asked == [("v1", "Pod", "n", "a")] * 2  # one for each of the two functions


def test_a_question_may_depend_on_an_answer() -> None:
    cluster = FakeCluster(a={"next": "b"}, b={"x": 7})

    text = "let $n = x_k8s_get($client, 'v1', 'Pod', 'n', 'a').next in x_k8s_get($client, 'v1', 'Pod', 'n', $n).x"

    assert ask(cluster, text) == 7


def test_questions_without_end_are_stopped() -> None:
    with pytest.raises(ExpressionError, match="different questions"):
        ask(FakeCluster(), "x_k8s_exists($client, 'v1', 'Pod', 'n', random('[a-z]{20}'))")


def test_nothing_is_awaited_where_nothing_is_asked() -> None:
    coroutine = resolve(FakeCluster(), lambda _: 5)

    with pytest.raises(StopIteration) as caught:
        coroutine.send(None)

    assert caught.value.value == 5


def test_trees_and_templates_ask_as_well() -> None:
    cluster = FakeCluster(a={"x": 1})
    call = "x_k8s_get($client, 'v1', 'Pod', 'n', 'a').x"
    tree, template = parse_tree({f"({call})": 1}), parse_template({"y": [f"({call})"]})
    bindings = {"client": 0}

    assert tree.needs_cluster
    assert template.needs_cluster
    assert asyncio.run(resolve(cluster, lambda calls: check(tree, None, bindings, calls))) == []
    assert asyncio.run(resolve(cluster, lambda calls: render(template, None, bindings, calls))) == {"y": [1]}


def test_without_answers_the_question_is_told() -> None:
    with pytest.raises(ClusterNeeded) as caught:
        compile_expression("x_k8s_server_version($client)").evaluate(None, {"client": 0})

    assert caught.value.call.function == "x_k8s_server_version"


def test_arguments_have_to_be_texts() -> None:
    with pytest.raises(ExpressionError, match=r"argument 4 of x_k8s_get.. must be a string, got null"):
        ask(FakeCluster(), "x_k8s_get($client, 'v1', 'Pod', nothing, 'a')")
