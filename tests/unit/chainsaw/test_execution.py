"""Whole tests against an API server in memory: steps, verdict, clean-up."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from proving_ground.chainsaw import execution
from proving_ground.chainsaw.execution import TestRun
from proving_ground.chainsaw.reporting import Surroundings

if TYPE_CHECKING:
    from proving_ground.kube.testing import MemoryApi

APPLY = """\
    - apply:
        resource: {apiVersion: test.example/v1, kind: Widget, metadata: {name: w}, spec: {size: 1}}
"""
ASSERT = """\
    - assert:
        timeout: 5s
        resource: {apiVersion: test.example/v1, kind: Widget, metadata: {name: w}, status: {status: Running}}
"""
ERROR = """\
    - error:
        timeout: 50ms
        resource: {apiVersion: test.example/v1, kind: Widget, metadata: {name: w}, spec: {size: 1}}
"""


def step(*operations: str, more: str = "") -> str:
    return "steps:\n- name: it\n  try:\n" + "".join(operations) + more


async def running(api: MemoryApi) -> None:
    """A controller that makes each widget run."""
    while True:
        for widget in api.all("Widget"):
            if "status" not in widget:
                api.set_status("Widget", widget["metadata"]["name"], {"status": "Running"})
        await asyncio.sleep(0.001)


def test_a_test_passes_and_leaves_nothing(engine: Any) -> None:
    result = engine.one(step(APPLY, ASSERT), beside=running)

    assert (result.outcome, result.message) == ("passed", "")
    assert engine.api.all("Widget") == []
    assert engine.api.all("Namespace") == []


def test_objects_go_to_the_tests_own_namespace_which_carries_the_runs_marks(engine: Any) -> None:
    engine.one("skipDelete: true\n" + step(APPLY), surroundings=Surroundings(run_id="r1", fault="late,lost"))

    metadata = engine.api.all("Namespace")[0]["metadata"]
    assert engine.api.find("Widget", "w")["metadata"]["namespace"] == metadata["name"]
    assert metadata["name"].startswith("chainsaw-")
    assert len(metadata["name"]) <= 24, "object names and the namespace have to fit into 63 characters together"
    assert metadata["labels"] == {"proving.ground/run-id": "r1", "proving.ground/faulty": "true"}
    assert metadata["annotations"] == {"proving.ground/fault": "late,lost"}


def test_an_assert_that_never_holds_fails_and_says_where_what_and_for_how_long(engine: Any) -> None:
    result = engine.one(step(APPLY, ASSERT.replace("5s", "50ms")))

    assert result.outcome == "failed"
    first = result.message.splitlines()[0]
    assert first.startswith("assert failed after 0.")
    assert 'test-0/chainsaw-test.yaml:12, step "it": Widget chainsaw-' in first
    assert "status" in first
    assert engine.api.all("Widget") == []


def test_an_assert_on_nothing_says_that_there_is_nothing(engine: Any) -> None:
    result = engine.one(step(ASSERT.replace("5s", "50ms")))

    assert "there is no Widget" in result.message


def test_an_error_that_matches_all_the_time_fails(engine: Any) -> None:
    result = engine.one(step(APPLY, ERROR))

    assert result.outcome == "failed"
    assert "still matches what must not be" in result.message


def test_an_error_passes_when_nothing_matches_any_more(engine: Any) -> None:
    async def grow(api: MemoryApi) -> None:
        while not (found := api.find("Widget", "w")):  # noqa: ASYNC110  # the server in memory has no event for it
            await asyncio.sleep(0)
        await asyncio.sleep(0.01)
        api.put({**found, "spec": {"size": 2}})

    result = engine.one(step(APPLY, ERROR.replace("50ms", "5s")), beside=grow)

    assert result.outcome == "passed"


def test_an_error_on_an_object_that_is_not_there_passes_after_looking(engine: Any) -> None:
    result = engine.one(step(ERROR))

    assert result.outcome == "passed"
    assert engine.api.count("GET", "/widgets/w") == 1


def test_an_error_does_not_pass_on_what_was_true_before_the_last_write(engine: Any) -> None:
    # the shared watch is open from the first assert on and may lag behind the second apply: it must not be trusted
    second = APPLY.replace("size: 1", "size: 2")
    held = ERROR.replace("size: 1", "size: 2")
    first = ASSERT.replace("status: {status: Running}", "spec: {size: 1}")

    result = engine.one(step(APPLY, first, second, held))

    assert result.outcome == "failed"
    assert "still matches" in result.message


def test_an_error_whose_expression_cannot_be_evaluated_does_not_pass(engine: Any) -> None:
    broken = ERROR.replace("spec: {size: 1}", "spec: {(length(nothing)): 1}")

    result = engine.one(step(APPLY, broken))

    assert result.outcome == "failed"
    assert "length" in result.message


def test_a_failed_step_ends_the_test_but_not_its_catch_finally_and_cleanup(engine: Any) -> None:
    more = """\
  catch:
  - script: {content: "echo caught", skipLogOutput: false}
  finally:
  - script: {content: "echo at last"}
  cleanup:
  - script: {content: "echo cleaned"}
- name: never
  try:
  - script: {content: "echo never"}
"""
    result = engine.one(step(ASSERT.replace("5s", "10ms"), more=more))

    output = " ".join(text for _, text in result.report.attachments)
    assert "caught" in output
    assert "at last" in output
    assert "cleaned" in output
    assert "never" not in output
    assert output.index("caught") < output.index("at last") < output.index("cleaned")


def test_catch_does_not_run_when_nothing_failed(engine: Any) -> None:
    more = '  catch:\n  - script: {content: "echo caught"}\n'

    result = engine.one(step(APPLY, more=more))

    assert result.report.attachments == []


def test_continue_on_error_fails_the_test_and_goes_on(engine: Any) -> None:
    operations = '    - continueOnError: true\n      script: {content: "exit 3"}\n    - script: {content: "echo on"}\n'

    result = engine.one(step(operations))

    assert result.outcome == "failed"
    assert "exit status 3" in result.message
    assert "on" in result.report.attachments[-1][1]


def test_clean_up_removes_last_made_first_and_the_namespace_at_the_end(engine: Any) -> None:
    second = APPLY.replace("name: w", "name: v")
    spec = step(APPLY, second) + "- try:\n" + APPLY.replace("name: w", "name: u")

    engine.one(spec)

    deleted = [path.rsplit("/", 1)[-1] for method, path in engine.api.requests if method == "DELETE"]
    assert deleted[:3] == ["u", "v", "w"]
    assert deleted[3].startswith("chainsaw-")


def test_what_existed_before_is_changed_and_not_removed(engine: Any) -> None:
    engine.api.put({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "theirs"}})
    mine = {"apiVersion": "test.example/v1", "kind": "Widget", "metadata": {"name": "w", "namespace": "theirs"}}
    engine.api.put(mine)

    result = engine.one("namespace: theirs\n" + step(APPLY))

    assert result.outcome == "passed"
    assert engine.api.find("Widget", "w")["spec"] == {"size": 1}
    assert engine.api.find("Namespace", "theirs") is not None


def test_a_stuck_object_fails_the_test_and_is_named(engine: Any) -> None:
    engine.api.put({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "theirs"}})
    stuck = APPLY.replace("{name: w}", "{name: w, namespace: theirs, finalizers: [test.example/hold]}")

    result = engine.one(f"timeouts: {{cleanup: 20ms}}\n{step(stuck)}")

    assert result.outcome == "failed"
    assert result.message.startswith('left behind by step "it"')
    assert "Widget theirs/w is still there" in result.message
    assert "test.example/hold" in result.message


def test_a_namespace_that_stays_fails_the_test(engine: Any) -> None:
    engine.api.keep_namespaces = True

    result = engine.one(f"timeouts: {{cleanup: 20ms}}\n{step(APPLY)}")

    assert result.outcome == "failed"
    assert "left behind: namespace chainsaw-" in result.message


def test_skip_delete_leaves_everything(engine: Any) -> None:
    engine.one("skipDelete: true\n" + step(APPLY))

    assert len(engine.api.all("Widget")) == 1
    assert len(engine.api.all("Namespace")) == 1


def test_bindings_and_outputs_reach_what_comes_after_them(engine: Any) -> None:
    spec = """\
bindings:
- {name: size, value: (to_number($values.size))}
steps:
- bindings:
  - {name: double, value: ($size * `2`)}
  try:
  - apply:
      resource: {apiVersion: test.example/v1, kind: Widget, metadata: {name: w}, spec: {size: ($double)}}
      outputs:
      - {name: made, value: (spec.size)}
  - script:
      env:
      - {name: MADE, value: (to_string($made))}
      content: 'test "$MADE" = 8 && echo "$NAMESPACE"'
      check:
        ($error): null
        (trim_space($stdout)): ($namespace)
"""
    result = engine.one(spec, surroundings=Surroundings(values={"size": "4"}))

    assert (result.outcome, result.message) == ("passed", "")


def test_a_binding_may_ask_the_cluster(engine: Any) -> None:
    spec = (
        step(APPLY)
        + """\
- bindings:
  - {name: found, value: "(x_k8s_get($client, 'test.example/v1', 'Widget', $namespace, 'w'))"}
  try:
  - assert:
      resource: {($found.spec.size): 1}
"""
    )
    result = engine.one(spec)

    assert (result.outcome, result.message) == ("passed", "")


def test_expectations_decide_over_an_error(engine: Any) -> None:
    refused = """\
    - create:
        timeout: 50ms
        resource: {apiVersion: test.example/v1, kind: Widget, metadata: {name: w, namespace: NAMESPACE}}
        expect:
        - check:
            (contains($error || '', 'not found')): true
"""
    assert engine.one(step(refused.replace("NAMESPACE", "absent"))).outcome == "passed"
    assert engine.one(step(refused.replace("NAMESPACE", "($namespace)"))).outcome == "failed"


def test_delete_removes_and_waits_until_it_is_gone(engine: Any) -> None:
    delete = "    - delete: {ref: {apiVersion: test.example/v1, kind: Widget, name: w}}\n"

    result = engine.one(step(APPLY, delete, ERROR))

    assert result.outcome == "passed"
    stuck = APPLY.replace("{name: w}", "{name: w, finalizers: [test.example/hold]}")
    result = engine.one("timeouts: {delete: 20ms, cleanup: 10ms}\n" + step(stuck, delete))
    assert "delete failed" in result.message


def test_an_api_server_that_dies_is_an_error_and_no_failure(engine: Any) -> None:
    async def die(api: MemoryApi) -> None:
        while not api.all("Widget"):  # noqa: ASYNC110  # the server in memory has no event for it
            await asyncio.sleep(0)
        api.answers = lambda _m, _p: ConnectionRefusedError("refused")
        api.break_watches()

    result = engine.one(step(APPLY, ASSERT), beside=die)

    assert result.outcome == "error"
    assert "is the cluster up?" in result.message


TIMEOUTS = {"apply": "write", "error": "look", "assert": "look", "delete": "remove", "script": "run_process"}


@pytest.mark.parametrize(
    ("configured", "own", "operation", "expected"),
    [
        ("", "", {}, {"apply": 5, "error": 30, "assert": 30, "delete": 15, "script": 5}),
        ("timeouts: {apply: 7s, assert: 2m}", "", {}, {"apply": 7, "error": 30, "assert": 120}),
        ("timeouts: {apply: 7s}", "timeouts: {apply: 8s}", {}, {"apply": 8}),
        ("timeouts: {error: 7s}", "", {"error": "1m30s"}, {"error": 90}),
        ("", "", {"assert": "10m", "script": "250ms"}, {"assert": 600, "script": 0.25}),
    ],
)
def test_each_operation_has_exactly_the_time_that_its_nearest_level_gives(
    engine: Any,
    monkeypatch: pytest.MonkeyPatch,
    configured: str,
    own: str,
    operation: dict[str, str],
    expected: dict[str, float],
) -> None:
    seen: dict[str, float] = {}

    async def record(_scope: object, op: Any, seconds: float) -> dict[str, Any]:
        seen[op.kind] = seconds
        return {}

    for function in TIMEOUTS.values():
        monkeypatch.setattr(execution, function, record)
    if configured:
        text = "apiVersion: chainsaw.kyverno.io/v1alpha1\nkind: Configuration\nmetadata: {name: c}\nspec:\n"
        (engine.folder / ".chainsaw.yaml").write_text(f"{text}  {configured}\n")
    bodies = {
        "apply": "resource: {apiVersion: v1, kind: ConfigMap, metadata: {name: a}}",
        "error": "resource: {apiVersion: v1, kind: ConfigMap, metadata: {name: a}}",
        "assert": "resource: {apiVersion: v1, kind: ConfigMap, metadata: {name: a}}",
        "delete": "ref: {apiVersion: v1, kind: ConfigMap, name: a}",
        "script": "content: 'true'",
    }
    lines = ""
    for name, body in bodies.items():
        lines += f"    - {name}:\n        {body}\n"
        lines += f"        timeout: {operation[name]}\n" if name in operation else ""

    result = engine.one(f"{own}\n{step(lines)}" if own else step(lines))

    assert (result.outcome, result.message) == ("passed", "")
    assert {name: seen[name] for name in expected} == expected


def test_the_wait_limit_cuts_every_operation(engine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[float] = []

    async def record(_scope: object, _op: object, seconds: float) -> dict[str, Any]:
        seen.append(seconds)
        return {}

    monkeypatch.setattr(execution, "look", record)
    engine.one(step(ASSERT, ASSERT.replace("5s", "10m"), ERROR), surroundings=Surroundings(wait_limit=2))

    assert seen == [2, 2, 0.05]


class Overlap:
    """Counts the tests that are under way."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.most = 0
        self.order: list[str] = []
        self.alone_broken = False
        self._now: list[str] = []
        original = TestRun.judge

        async def judge(run: TestRun) -> None:
            name = run._test.name
            self._now.append(name)
            self.order.append(name)
            self.most = max(self.most, len(self._now))
            for _ in range(20):
                await asyncio.sleep(0)
                self.alone_broken |= run._test.concurrent is False and len(self._now) > 1
            await original(run)
            self._now.remove(name)

        monkeypatch.setattr(TestRun, "judge", judge)


def test_tests_that_want_to_be_alone_run_first_and_alone(engine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    overlap = Overlap(monkeypatch)
    alone = "concurrent: false\n" + step(APPLY)

    results = engine.run(step(APPLY), alone, step(APPLY), alone, parallel=4)

    assert overlap.order[:2] == ["test-1", "test-3"]
    assert not overlap.alone_broken
    assert [result.outcome for result in results] == ["passed"] * 4


@pytest.mark.parametrize("parallel", [1, 3])
def test_no_more_tests_run_at_once_than_asked_for(engine: Any, monkeypatch: pytest.MonkeyPatch, parallel: int) -> None:
    overlap = Overlap(monkeypatch)

    engine.run(*[step(APPLY)] * 6, parallel=parallel)

    assert overlap.most == parallel


def test_the_next_test_does_not_wait_for_a_clean_up(engine: Any) -> None:
    engine.api.keep_namespaces = True
    slow = "timeouts: {cleanup: 300ms}\n" + step(APPLY)

    first, second = engine.run(slow, slow, parallel=1)

    assert second.verdict_at < first.ended_at
    assert first.ended_at - first.verdict_at >= 0.25


def test_a_skipped_test_does_nothing(engine: Any) -> None:
    result = engine.one("skip: true\n" + step(APPLY))

    assert result.outcome == "skipped"
    assert engine.api.requests == []


def test_secrets_are_never_shown(engine: Any) -> None:
    spec = """\
steps:
- try:
  - apply:
      resource:
        apiVersion: v1
        kind: Secret
        metadata: {name: s}
        stringData: {some: ($values.hfToken), .dockerconfigjson: ($values.imagePullSecret)}
  - script: {content: 'echo "hf_very_secret and inner-password"; exit 1'}
"""
    values = {"hfToken": "hf_very_secret", "imagePullSecret": '{"auths": {"r": {"password": "inner-password"}}}'}

    result = engine.one(spec, surroundings=Surroundings(values=values))

    told = result.message + repr(result.report.attachments)
    assert "*** and ***" in told
    assert "hf_very" not in told
    assert "inner-password" not in told


def test_fail_fast_starts_no_test_after_a_failure(engine: Any) -> None:
    failing = step(ASSERT.replace("5s", "10ms"))

    results = engine.run(failing, "failFast: true\n" + step(APPLY), step(APPLY), parallel=1)

    assert [result.outcome for result in results] == ["failed", "skipped", "passed"]


def test_a_file_that_vanished_is_an_error_after_which_everything_is_removed(engine: Any) -> None:
    spec = step(APPLY, "    - apply: {file: later.yaml}\n")

    result = engine.one(spec)

    assert result.outcome == "error"
    assert "later.yaml" in result.message
    assert engine.api.all("Widget") == []
    assert engine.api.all("Namespace") == []


def test_a_watch_that_lags_does_not_decide_that_an_assert_failed(engine: Any) -> None:
    async def silently(api: MemoryApi) -> None:
        while not api._streams:  # noqa: ASYNC110  # the server in memory has no event for it
            await asyncio.sleep(0)
        api._tell = lambda *_: None  # type: ignore[method-assign]
        await asyncio.sleep(0.01)
        api.set_status("Widget", "w", {"status": "Running"})

    result = engine.one("skipDelete: true\n" + step(APPLY, ASSERT.replace("5s", "100ms")), beside=silently)

    assert (result.outcome, result.message) == ("passed", "")
