"""Mistakes of the engine in single operations: conformance cases notice each of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from proving_ground.chainsaw import execution, kubectl_wait, processes, resources, waiting, writing
from proving_ground.chainsaw.assertions import Candidate, Verdict
from proving_ground.chainsaw.failures import OperationError
from proving_ground.chainsaw.scope import Scope
from proving_ground.kube import Cluster, Reference

noticed_by = pytest.mark.noticed_by


def change_looks(wrong: Any, kind: str, seconds: float | None) -> None:
    """Give an assert or error another time; None: it does not look at all."""

    async def instead(right: Any, scope: Any, operation: Any, given: float) -> Any:
        if operation.kind != kind:
            return await right(scope, operation, given)
        return {} if seconds is None else await right(scope, operation, seconds)

    wrong.around(execution, "look", instead)


def change_programs(wrong: Any, **changes: Any) -> None:
    """Run scripts and commands as if their files said something else."""

    async def instead(right: Any, scope: Any, operation: Any, seconds: float) -> Any:
        return await right(scope, replace(operation, **changes), seconds)

    wrong.around(execution, "run_process", instead)


# Looking


@noticed_by("operations/error-matches", "timeouts/error-too-short")
def error_never_looks(wrong: Any) -> None:
    change_looks(wrong, "error", None)


@noticed_by("operations/error-waits", "timeouts/error-long-enough", limit=3.0)
def error_looks_only_once(wrong: Any) -> None:
    change_looks(wrong, "error", 0.0)


@noticed_by("operations/assert-differs", "operations/assert-absent", "trees/without-an-object")
def assert_never_looks(wrong: Any) -> None:
    change_looks(wrong, "assert", None)


@noticed_by(
    "operations/assert-waits-for-the-clock", "operations/assert-waits", "timeouts/assert-long-enough", limit=3.0
)
def assert_looks_only_once(wrong: Any) -> None:
    change_looks(wrong, "assert", 0.0)


@noticed_by("operations/error-absent", "operations/assert-absent")
def absent_objects_match(wrong: Any) -> None:
    def instead(self: Verdict) -> tuple[Candidate, ...]:
        return tuple(one for one in self.candidates if one.matches) or (Candidate({}, ()),) * (not self.candidates)

    wrong.be(Verdict, "matching", property(instead))


@noticed_by("operations/assert-any-of-several")
def every_object_has_to_match(wrong: Any) -> None:
    def instead(right: Any, *arguments: Any) -> Verdict:
        verdict: Verdict = right(*arguments)
        return Verdict(tuple(one for one in verdict.candidates if not one.matches) or verdict.candidates)

    wrong.around(waiting, "judge", instead)


@noticed_by("operations/assert-any-of-several")
def only_the_first_object_is_looked_at(wrong: Any) -> None:
    wrong.around(waiting, "judge", lambda right, *rest: Verdict(right(*rest).candidates[:1]))


@noticed_by("structure/another-namespace")
def the_namespace_of_a_tree_is_ignored(wrong: Any) -> None:
    wrong.around(waiting, "selector_of", lambda right, *rest, **known: replace(right(*rest, **known), namespace=""))


@noticed_by("operations/assert-second-document", "operations/apply-creates")
def only_the_first_document_counts(wrong: Any) -> None:
    async def instead(right: Any, *arguments: Any, **keywords: Any) -> Any:
        return (await right(*arguments, **keywords))[:1]

    wrong.around(Scope, "resources", instead)


@noticed_by("operations/apply-glob")
def a_glob_names_one_file(wrong: Any) -> None:
    wrong.around(resources, "_files", lambda right, *rest: right(*rest)[:1])


# Writing


@noticed_by("operations/apply-changes", "operations/apply-glob")
def apply_does_not_change_what_is_there(wrong: Any) -> None:
    async def instead(right: Any, self: Cluster, obj: Any, **keywords: Any) -> Any:
        where = Reference.of(obj)
        found = await self.get(where.api_version, where.kind, where.name, where.namespace)
        return (found, False) if found else await right(self, obj, **keywords)

    wrong.around(Cluster, "apply", instead)


@noticed_by("operations/apply-changes")
def apply_replaces(wrong: Any) -> None:
    async def instead(right: Any, self: Cluster, obj: Any, **keywords: Any) -> Any:
        where = Reference.of(obj)
        found = await self.get(where.api_version, where.kind, where.name, where.namespace)
        return (await self.update(obj), False) if found else await right(self, obj, **keywords)

    wrong.around(Cluster, "apply", instead)


@noticed_by("operations/create-existing")
def create_changes_what_is_there(wrong: Any) -> None:
    async def instead(right: Any, scope: Any, operation: Any, wanted: Any) -> Any:
        cluster = scope.cluster
        if operation.kind == "create":
            return (await cluster.apply(wanted))[0]
        return await right(scope, operation, wanted)

    wrong.around(writing, "_send", instead)


@noticed_by("operations/patch-merges")
def patch_replaces(wrong: Any) -> None:
    wrong.be(Cluster, "patch", lambda self, _where, body, **_keywords: self.update(body))


@noticed_by("operations/update-replaces")
def update_merges(wrong: Any) -> None:
    wrong.be(Cluster, "update", lambda self, obj, **_keywords: self.patch(Reference.of(obj), obj))


@noticed_by("operations/patch-absent", "operations/update-absent")
def patch_and_update_create(wrong: Any) -> None:
    async def instead(right: Any, scope: Any, operation: Any, wanted: Any) -> Any:
        if operation.kind in {"patch", "update"}:
            return (await scope.cluster.apply(wanted))[0]
        return await right(scope, operation, wanted)

    wrong.around(writing, "_send", instead)


@noticed_by("operations/delete-waits", "structure/cleanup-is-verified", "timeouts/delete")
def deletions_are_not_waited_for(wrong: Any) -> None:
    async def nothing(*_arguments: Any, **_keywords: Any) -> None: ...

    wrong.be(Cluster, "wait_gone", nothing)


@noticed_by("operations/delete-by-name", "operations/delete-by-labels", "operations/delete-file")
def delete_does_nothing(wrong: Any) -> None:
    async def nothing(*_arguments: Any) -> dict[str, Any]:
        return {}

    wrong.be(execution, "remove", nothing)


@noticed_by("operations/delete-by-labels")
def delete_takes_objects_of_any_label(wrong: Any) -> None:
    wrong.around(writing, "Target", lambda right, *rest: right(*rest[:4], {}))


@noticed_by("operations/expect-no-error-of-apply", "operations/expect-of-the-result", "operations/expect-of-a-delete")
def expect_is_ignored(wrong: Any) -> None:
    async def instead(_right: Any, _self: Any, _expectations: Any, _obj: Any, problem: str | None) -> None:
        if problem is not None:
            raise OperationError(problem)

    wrong.around(Scope, "expect", instead)


@noticed_by("operations/expect-an-error")
def an_expected_error_is_a_failure(wrong: Any) -> None:
    async def instead(right: Any, self: Any, expectations: Any, obj: Any, problem: str | None) -> None:
        await right(self, expectations, obj, problem)
        if problem is not None:
            raise OperationError(problem)

    wrong.around(Scope, "expect", instead)


@noticed_by("operations/apply-into-nowhere")
def errors_of_the_api_server_are_ignored(wrong: Any) -> None:
    async def instead(right: Any, self: Any, expectations: Any, obj: Any, _problem: str | None) -> None:
        await right(self, expectations, obj, None)

    wrong.around(Scope, "expect", instead)


@noticed_by("operations/expect-with-a-match")
def the_match_of_an_expectation_is_ignored(wrong: Any) -> None:
    async def instead(right: Any, self: Any, expectations: Any, *rest: Any) -> None:
        await right(self, [replace(one, match=None) for one in expectations], *rest)

    wrong.around(Scope, "expect", instead)


@noticed_by(
    "operations/expect-not-of-an-existing-object",
    "operations/expect-not-of-an-absent-object",
    "operations/expect-not-of-an-unknown-kind",
)
def expectations_see_more_than_the_write(wrong: Any) -> None:
    wrong.be(writing, "_obstacle", lambda *_arguments: None)


@noticed_by(
    "structure/templating-off-for-a-test",
    "structure/templating-off-for-a-step",
    "structure/templating-off-for-an-operation",
)
def templating_is_not_switched_off(wrong: Any) -> None:
    wrong.around(Scope, "rendered", lambda right, self, obj, _template: right(self, obj, True))


@noticed_by("structure/templating-off-for-a-test", "structure/templating-off-for-an-operation")
def templating_is_always_off(wrong: Any) -> None:
    wrong.around(Scope, "rendered", lambda right, self, obj, _template: right(self, obj, False))


# Programs


@noticed_by("operations/script-check", "operations/script-check-fails")
def check_is_ignored(wrong: Any) -> None:
    change_programs(wrong, check=None)


@noticed_by("operations/script-fails", "operations/command-fails", "operations/script-check")
def the_exit_status_is_ignored(wrong: Any) -> None:
    wrong.be(processes.Outcome, "error", None)


@noticed_by("operations/script-passes")
def the_environment_of_a_script_is_ignored(wrong: Any) -> None:
    change_programs(wrong, env=())


@noticed_by("operations/script-work-dir")
def the_folder_of_a_script_is_ignored(wrong: Any) -> None:
    change_programs(wrong, work_dir=None)


@noticed_by("operations/script-shell")
def the_shell_of_a_script_is_ignored(wrong: Any) -> None:
    plain: dict[str, Any] = {"shell": "sh", "shell_args": ("-c",)}

    async def instead(right: Any, scope: Any, operation: Any, seconds: float) -> Any:
        changed = replace(operation, **plain) if operation.kind == "script" else operation
        return await right(scope, changed, seconds)

    wrong.around(execution, "run_process", instead)


@noticed_by("operations/sleep")
def sleep_does_not_sleep(wrong: Any) -> None:
    async def instead(right: Any, operation: Any, scope: Any) -> Any:
        return {} if operation.kind == "sleep" else await right(operation, scope)

    wrong.around(execution, "_perform", instead)


# Waiting


@noticed_by("operations/wait-for-all")
def wait_is_for_any_of_several_objects(wrong: Any) -> None:
    async def instead(right: Any, self: Any) -> Any:
        reached, before = self._reached, []

        def any_one(*arguments: Any) -> bool:
            if reached(*arguments):
                before.append(True)
            return bool(before)

        self._reached = any_one
        return await right(self)

    wrong.around(kubectl_wait._Waiting, "run", instead)


@noticed_by("operations/wait-condition-never", "operations/wait-json-path-never", "operations/wait-deletion-never")
def wait_does_not_look(wrong: Any) -> None:
    wrong.be(kubectl_wait._Waiting, "_reached", lambda *_arguments: True)


@noticed_by("operations/get-absent", "operations/events-absent", "operations/pod-logs-absent")
def what_is_absent_can_be_shown(wrong: Any) -> None:
    async def nothing(*_arguments: Any) -> None: ...

    wrong.be(execution, "inspect", nothing)


def test_a_mistake_is_noticed(
    mistake: Any, cases: tuple[str, ...], limit: float, wrong: Any, run_in_memory: Any
) -> None:
    mistake(wrong)

    assert [name for name, problems in run_in_memory(*cases, limit=limit).items() if not problems] == []


def test_the_engine_as_it_is_makes_none_of_them(all_cases: set[str], run_in_memory: Any) -> None:
    assert {name: problems for name, problems in run_in_memory(*all_cases).items() if problems} == {}
