"""Waits against an API server in memory; tests/integration compares them with kubectl's."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from proving_ground.kube.testing import MemoryApi

APPLY = (
    "    - apply: {resource: {apiVersion: test.example/v1, kind: Widget, metadata: {name: NAME, labels: {a: NAME}}}}\n"
)
READY = "condition: {name: Ready}"


def step(*operations: str, more: str = "") -> str:
    return "steps:\n- try:\n" + "".join(operations) + more


def apply(name: str = "w") -> str:
    return APPLY.replace("NAME", name)


def wait(goal: str, which: str = "name: w", *, timeout: str = "30ms", more: str = "") -> str:
    which = which and which + ", "
    return (
        f"    - wait: {{apiVersion: test.example/v1, kind: Widget, {which}timeout: {timeout}, for: {{{goal}}}{more}}}\n"
    )


def becoming(*steps: dict[str, Any]) -> Callable[[MemoryApi], Awaitable[None]]:
    """Return a controller that leads each widget through these statuses."""

    async def control(api: MemoryApi) -> None:
        before = len(api.requests)
        while not any(method == "WATCH" and "widgets" in path for method, path in api.requests[before:]):  # noqa: ASYNC110
            await asyncio.sleep(0)
        for status in steps:
            for widget in api.all("Widget"):
                api.set_status("Widget", widget["metadata"]["name"], status)
            await asyncio.sleep(0.005)

    return control


def condition(status: str, **fields: Any) -> dict[str, Any]:
    return {"conditions": [{"type": "Other", "status": "True"}, {"type": "Ready", "status": status, **fields}]}


@pytest.mark.parametrize(
    "goal",
    [
        READY,
        "condition: {name: ready, value: 'true'}",
        "condition: {name: ($kind), value: (upper('true'))}",
        "jsonPath: {path: '{.status.phase}', value: Running}",
        "jsonPath: {path: .status.phase}",
        "jsonPath: {path: \"(join('.', ['status', 'phase']))\", value: \"'Running'\"}",
        "jsonPath: {path: '{.status.conditions[?(@.type==\"Ready\")].status}', value: 'True'}",
    ],
)
def test_a_wait_ends_when_the_object_is_there(engine: Any, goal: str) -> None:
    spec = "bindings: [{name: kind, value: READY}]\n" + step(apply(), wait(goal, timeout="10s"))
    late = becoming(condition("False"), {**condition("True"), "phase": "Running"})

    result = engine.one(spec, beside=late)

    assert (result.outcome, result.message) == ("passed", "")


def test_a_wait_that_is_too_long_says_what_each_object_lacks(engine: Any) -> None:
    crashed = condition("False", reason="Crashed", message="out of memory")

    result = engine.one(step(apply("a"), apply("b"), wait(READY, "")), beside=becoming(crashed))

    first, *others = result.message.splitlines()
    assert first.startswith("wait failed after 0.")
    assert "timed out waiting for condition Ready=True: Widget chainsaw-" in first
    assert first.endswith("/a has Ready=False (Crashed: out of memory), and 1 more")
    assert ["last seen: Other=True; Ready=False Crashed: out of memory" in line for line in others] == [True, True]


@pytest.mark.parametrize(
    ("goal", "told"),
    [
        (READY, "/w has no condition Ready"),
        ("jsonPath: {path: .status.phase}", "/w has no .status.phase"),
        ("jsonPath: {path: .kind, value: Gadget}", "/w has 'Widget'"),
        ("jsonPath: {path: '{.metadata.finalizers[0]}'}", "/w has no {.metadata.finalizers[0]}"),
        ("deletion: {}", "/w still exists, and nobody deletes it"),
    ],
)
def test_the_message_names_what_was_found_instead(engine: Any, goal: str, told: str) -> None:
    assert told in engine.one(step(apply(), wait(goal))).message


def test_a_condition_about_an_older_generation_does_not_count(engine: Any) -> None:
    old = step(apply(), wait(READY))
    generation = (
        "    - apply: {resource: {apiVersion: test.example/v1, kind: Widget, metadata: {name: w, generation: 2}}}\n"
    )

    stale = engine.one(step(generation, wait(READY)), beside=becoming(condition("True", observedGeneration=1)))
    whole = engine.one(step(generation, wait(READY)), beside=becoming({**condition("True"), "observedGeneration": 1}))
    fresh = engine.one(
        step(generation, wait(READY, timeout="9s")), beside=becoming(condition("True", observedGeneration=2))
    )

    assert "/w has Ready=True, which is about an older generation than 2" in stale.message
    assert "older generation than 2" in whole.message
    assert fresh.message == ""
    assert engine.one(old, beside=becoming(condition("True"))).message == ""


def test_a_path_that_cannot_be_followed_ends_the_wait_at_once(engine: Any) -> None:
    goal = "jsonPath: {path: '{.status.conditions[5].type}'}"

    result = engine.one(step(apply(), wait(goal, timeout="10s")), beside=becoming(condition("True")))

    assert "array index out of bounds: index 5, length 2" in result.message
    assert "wait failed after 0." in result.message


@pytest.mark.parametrize("which", ["name: nobody", "selector: a=nobody", ""])
def test_where_nothing_matches_a_wait_fails_at_once_and_one_for_deletion_passes(engine: Any, which: str) -> None:
    refused = engine.one(step(wait(READY, which, timeout="10s")))
    passed = engine.one(step(wait("deletion: {}", which)))

    assert "no matching resources found: there is no Widget" in refused.message
    assert "wait failed after 0." in refused.message
    assert passed.message == ""


@pytest.mark.parametrize("which", ["name: w", "selector: a=w", ""])
def test_a_wait_for_creation_ends_when_there_is_one(engine: Any, which: str) -> None:
    async def later(api: MemoryApi) -> None:
        while not any(method == "WATCH" and "widgets" in path for method, path in api.requests):  # noqa: ASYNC110
            await asyncio.sleep(0)
        metadata = {"namespace": api.all("Namespace")[-1]["metadata"]["name"], "labels": {"a": "w"}}
        api.put({"apiVersion": "test.example/v1", "kind": "Widget", "metadata": {"name": "w", **metadata}})

    came = engine.one(step(wait("creation: {}", which, timeout="10s")), beside=later)
    was_there = engine.one(step(apply(), wait("creation: {}", which)))
    never = engine.one(step(apply("other"), wait("creation: {}", which or "name: w")))

    assert (came.message, was_there.message) == ("", "")
    assert "timed out waiting for creation: there is no Widget" in never.message


def test_a_kind_that_nobody_serves_fails_at_once(engine: Any) -> None:
    unknown = wait(READY, timeout="10s").replace("Widget", "Gadget")

    assert "Gadget" in engine.one(step(unknown)).message


def test_a_selector_chooses_what_is_waited_for(engine: Any) -> None:
    async def only_b(api: MemoryApi) -> None:
        while api.find("Widget", "b") is None:  # noqa: ASYNC110  # the server in memory has no event for it
            await asyncio.sleep(0)
        api.set_status("Widget", "b", condition("True"))

    chosen = engine.one(step(apply("a"), apply("b"), wait(READY, "selector: a=b", timeout="10s")), beside=only_b)
    other = engine.one(step(apply("a"), apply("b"), wait(READY, "selector: a=a")), beside=only_b)

    assert chosen.message == ""
    assert "timed out waiting for condition Ready=True: Widget" in other.message


def test_deletion_waits_until_the_object_is_gone_even_if_one_of_its_name_comes_back(engine: Any) -> None:
    async def replaced(api: MemoryApi) -> None:
        while True:
            if (widget := api.find("Widget", "w")) is not None:
                api.remove("Widget", "w")
                metadata = {key: widget["metadata"][key] for key in ("name", "namespace")}
                api.put({**widget, "metadata": metadata})
            await asyncio.sleep(0.005)

    result = engine.one("skipDelete: true\n" + step(apply(), wait("deletion: {}", timeout="10s")), beside=replaced)

    assert result.message == ""


@pytest.mark.parametrize(("form", "shown"), [("json", '"kind": "Widget"'), ("yaml", "kind: Widget")])
def test_a_format_shows_the_objects(engine: Any, form: str, shown: str) -> None:
    result = engine.one(step(apply(), wait("jsonPath: {path: .kind}", more=f", format: {form}")))

    assert result.message == ""
    assert any(name.startswith("wait for Widget") and shown in text for name, text in result.report.attachments)


def test_a_wait_watches_and_does_not_poll(engine: Any) -> None:
    before = engine.api.count("GET", "widgets")
    engine.one(step(apply(), wait(READY, timeout="300ms")))

    assert engine.api.count("GET", "widgets") - before <= 4
    assert engine.api.count("WATCH", "widgets") == 1


def test_a_state_that_the_test_names_as_final_ends_the_wait(engine: Any) -> None:
    result = engine.one(
        step(apply(), wait(READY, timeout="10s")),
        beside=becoming({"status": "Failed"}),
        annotations="{proving.ground/fail-fast-states: Failed}",
    )

    assert "reports Failed" in result.message
