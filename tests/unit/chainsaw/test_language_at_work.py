"""The language in whole tests: files, selection, trees and templates as an API server in memory sees them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from proving_ground.chainsaw.reporting import Surroundings

if TYPE_CHECKING:
    from pathlib import Path

    from proving_ground.kube.testing import MemoryApi

WIDGET = (
    "{{apiVersion: test.example/v1, kind: Widget, metadata: {{name: {0}, labels: {{app: {0}}}}}, spec: {{size: {1}}}}}"
)


def spec(*operations: str) -> str:
    return "steps:\n- try:\n" + "".join(f"  - {operation}\n" for operation in operations)


def apply(name: str, size: Any) -> str:
    return "apply: {resource: " + WIDGET.format(name, size) + "}"


def look(kind: str, metadata: str, rest: str, timeout: str = "30ms") -> str:
    return (
        f"{kind}: {{timeout: {timeout}, resource: "
        f"{{apiVersion: test.example/v1, kind: Widget, metadata: {metadata}, {rest}}}}}"
    )


def write(folder: Path, **files: str) -> None:
    for name, text in files.items():
        (folder / f"{name}.yaml").write_text(text)


@pytest.mark.parametrize(
    ("metadata", "rest", "holds"),
    [
        ("{}", "spec: {size: 2}", True),
        ("{}", "spec: {size: 3}", False),
        ("{name: a}", "spec: {size: 1}", True),
        ("{name: a}", "spec: {size: 2}", False),
        ("{labels: {app: b}}", "spec: {size: 2}", True),
        ("{labels: {app: b}}", "spec: {size: 1}", False),
        ("{labels: {app: c}}", "spec: {size: 1}", False),
        ("{name: ($n)}", "spec: {size: 1}", True),
        ("{name: a, namespace: elsewhere}", "spec: {size: 1}", False),
        ("{}", "spec: {(size > 1): true}", True),
        ("{}", "spec: {(size > 2): true}", False),
        ("{}", "(spec.size): 2", True),
        ("{}", "(status): null", True),
        ("{}", "status: null", False),
        ("{}", "'~.metadata.labels': x", False),
        ("{}", "(metadata.labels): {'~k.(@)': ($k)}", False),
    ],
)
def test_assert_and_error_are_opposites(engine: Any, metadata: str, rest: str, *, holds: bool) -> None:
    for kind, passes in (("assert", holds), ("error", not holds)):
        text = "bindings: [{name: n, value: a}]\n" + spec(apply("a", 1), apply("b", 2), look(kind, metadata, rest))

        result = engine.one(text)

        assert (result.outcome == "passed") is passes, f"{kind}: {result.message}"


def test_an_assert_waits_for_what_an_expression_needs(engine: Any) -> None:
    async def controller(api: MemoryApi) -> None:
        while api.find("Widget", "a") is None:  # noqa: ASYNC110  # the server in memory has no event for it
            await asyncio.sleep(0)
        await asyncio.sleep(0.02)
        api.set_status("Widget", "a", {"conditions": [{"type": "Ready"}]})

    text = spec(apply("a", 1), look("assert", "{name: a}", "(length(status.conditions)): 1", "5s"))

    result = engine.one(text, beside=controller)

    assert (result.outcome, result.message) == ("passed", "")


@pytest.mark.parametrize("kind", ["assert", "error"])
def test_kinds_that_never_compare_fail_at_once(engine: Any, kind: str) -> None:
    result = engine.one(spec(apply("a", 1), look(kind, "{name: a}", "spec: {size: '1'}", "20s")))

    assert result.outcome == "failed"
    assert 'expected string "1", found number 1' in result.message


def test_shared_files_globs_and_trees_in_files(engine: Any, tmp_path: Path) -> None:
    (tmp_path / "test-0").mkdir()
    write(tmp_path, shared=WIDGET.format("shared", "($values.size)"))
    write(tmp_path / "test-0", w1=WIDGET.format("one", 1), w2=WIDGET.format("two", 2))
    write(
        tmp_path / "test-0", tree="(length('ab')): 2\n---\nkind: Widget\napiVersion: test.example/v1\nspec: {size: 7}\n"
    )
    text = spec("apply: {file: ../shared.yaml}", "apply: {file: 'w?.yaml'}", "assert: {timeout: 1s, file: tree.yaml}")

    result = engine.one(text, surroundings=Surroundings(values={"size": 7}))

    assert (result.outcome, result.message) == ("passed", "")


def test_the_name_of_a_file_may_ask_the_cluster(engine: Any, tmp_path: Path) -> None:
    (tmp_path / "test-0").mkdir()
    write(tmp_path / "test-0", two=WIDGET.format("two", 2), b=WIDGET.format("x", 1))
    name = "(join('.', [x_k8s_get($client, 'test.example/v1', 'Widget', $namespace, 'b').metadata.name, 'yaml']))"
    text = spec(apply("b", 2), f'apply: {{file: "{name}"}}', look("assert", "{name: x}", "spec: {size: 1}"))

    result = engine.one(text)

    assert (result.outcome, result.message) == ("passed", "")


def test_without_templates_an_expression_is_a_text(engine: Any, tmp_path: Path) -> None:
    (tmp_path / "test-0").mkdir()
    write(tmp_path / "test-0", w=WIDGET.format("w", "(a ==)"))
    tree = look("assert", "{name: w}", "spec: {size: '\\(a ==)\\'}")

    result = engine.one(spec("apply: {file: w.yaml, template: false}", tree))

    assert (result.outcome, result.message) == ("passed", "")


def test_an_output_takes_the_place_of_a_value_only_where_it_matches(engine: Any) -> None:
    outputs = (
        "outputs: [{name: o, match: {spec: {size: 1}}, value: one}, {name: o, match: {spec: {size: 2}}, value: two}]"
    )
    text = spec(
        apply("a", 2)[:-1] + f", {outputs}}}",
        "script: {content: 'true', check: {($o): two}}",
    )

    result = engine.one(text)

    assert (result.outcome, result.message) == ("passed", "")
