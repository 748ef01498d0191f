"""States that end a wait at once."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from proving_ground.chainsaw.failfast import explanation, given_up, states

if TYPE_CHECKING:
    from proving_ground.kube.testing import MemoryApi

FINAL = frozenset({"Failed", "Degraded"})
FAIL_FAST = '{proving.ground/fail-fast-states: "Failed,Degraded"}'
SPEC = """\
steps:
- try:
  - apply:
      resource: {apiVersion: test.example/v1, kind: Widget, metadata: {name: w, generation: 2}}
  - assert:
      timeout: 10s
      resource: {apiVersion: test.example/v1, kind: Widget, metadata: {name: w}, status: {status: Running}}
"""


def widget(status: Any, **metadata: Any) -> dict[str, Any]:
    return {
        "apiVersion": "x/v1",
        "kind": "Widget",
        "metadata": {"name": "w", "namespace": "n", **metadata},
        "status": status,
    }


@pytest.mark.parametrize(
    ("text", "expected"),
    [("Failed,Degraded", {"Failed", "Degraded"}), (" Failed , ", {"Failed"}), ("", set()), (",,", set())],
)
def test_the_annotation_names_states_separated_by_commas(text: str, expected: set[str]) -> None:
    assert states({"proving.ground/fail-fast-states": text}) == expected
    assert states({}) == frozenset()


@pytest.mark.parametrize(
    "status", [None, {}, {"status": "Running"}, {"status": None}, {"status": ["Failed"]}, "Failed", []]
)
def test_a_fresh_or_strange_status_gives_nothing_up(status: Any) -> None:
    assert given_up([widget(status)], FINAL) is None


def test_a_status_about_an_older_generation_gives_nothing_up() -> None:
    assert given_up([widget({"status": "Failed", "observedGeneration": 1}, generation=2)], FINAL) is None
    assert given_up([widget({"status": "Failed", "observedGeneration": 2}, generation=2)], FINAL) is not None
    assert given_up([widget({"status": "Failed"}, generation=2)], FINAL) is not None


def test_nothing_is_given_up_unless_states_are_named() -> None:
    assert given_up([widget({"status": "Failed"})], frozenset()) is None


def test_an_object_that_is_being_deleted_is_not_judged() -> None:
    assert given_up([widget({"status": "Failed"}, deletionTimestamp="now")], FINAL) is None


def test_the_condition_that_names_the_failure_explains_it() -> None:
    conditions = [
        {"type": "Ready", "status": "False", "reason": "NotReady", "message": "not ready"},
        {"type": "Progressing", "status": "True", "reason": "Working"},
        {"type": "Failure", "status": "True", "reason": "ImageNotFound", "message": "no such image"},
        {"type": "CacheFailed", "status": "False", "reason": "Fine", "message": "cache is fine"},
    ]

    assert explanation(widget({"conditions": conditions})) == ("ImageNotFound", "no such image")
    assert explanation(widget({"conditions": conditions[:2]})) == ("NotReady", "not ready")
    assert explanation(widget({"conditions": conditions[1:2]})) == ("", "")
    assert explanation(widget({})) == ("", "")


def set_later(status: dict[str, Any], after: dict[str, Any]) -> Any:
    async def controller(api: MemoryApi) -> None:
        while not api.find("Widget", "w"):  # noqa: ASYNC110  # the server in memory has no event for it
            await asyncio.sleep(0)
        pod = {"apiVersion": "v1", "kind": "Pod", "spec": {"containers": [{"name": "main"}]}}
        namespace = api.find("Widget", "w")["metadata"]["namespace"]  # type: ignore[index]
        api.put({**pod, "metadata": {"name": "w-0", "namespace": namespace}})
        api.logs["w-0"] = "out of memory"
        api.set_status("Widget", "w", status)
        await asyncio.sleep(0.05)
        api.set_status("Widget", "w", after)

    return controller


def test_a_service_that_fails_while_it_is_waited_for_ends_the_test_with_its_reason_and_logs(engine: Any) -> None:
    condition = {"type": "Failure", "status": "True", "reason": "RuntimeFailed", "message": "crashed"}
    failed = {"status": "Failed", "conditions": [condition]}

    result = engine.one(SPEC, annotations=FAIL_FAST, beside=set_later({"status": "Starting"}, failed))

    assert result.outcome == "failed"
    assert "reports Failed: RuntimeFailed: crashed" in result.message.splitlines()[0]
    assert result.report.metrics["seconds_to_verdict"] < 5, "it did not wait for the ten seconds of the assert"
    attachments = dict(result.report.attachments)
    assert attachments["Pod w-0: log of main"] == "out of memory"
    assert "Widget w: events" in attachments


def test_a_stale_failure_does_not_end_the_test(engine: Any) -> None:
    stale = {"status": "Failed", "observedGeneration": 1}
    running = {"status": "Running", "observedGeneration": 2}

    result = engine.one(SPEC, annotations=FAIL_FAST, beside=set_later(stale, running))

    assert (result.outcome, result.message) == ("passed", "")


def test_without_the_annotation_a_failure_may_heal(engine: Any) -> None:
    result = engine.one(SPEC, beside=set_later({"status": "Failed"}, {"status": "Running"}))

    assert (result.outcome, result.message) == ("passed", "")


def test_a_test_that_asserts_a_final_state_passes(engine: Any) -> None:
    spec = SPEC.replace("status: Running", "status: Failed")

    result = engine.one(spec, annotations=FAIL_FAST, beside=set_later({"status": "Failed"}, {"status": "Failed"}))

    assert (result.outcome, result.message) == ("passed", "")
