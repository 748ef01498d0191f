"""Mistakes of the engine in how tests are put together and run: conformance cases notice each of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from proving_ground.chainsaw import fields, loader, namespacing, run
from proving_ground.chainsaw.cleanup import Cleaner
from proving_ground.chainsaw.execution import TestRun
from proving_ground.chainsaw.scope import Scope

if TYPE_CHECKING:
    from collections.abc import Iterator

noticed_by = pytest.mark.noticed_by


def leave_out(wrong: Any, block: str, when: Callable[[Any], bool] = lambda _run: True) -> None:
    async def instead(right: Any, self: Any, operations: Any, name: str, scope: Any) -> None:
        if not (name.endswith(block) and when(self)):
            await right(self, operations, name, scope)

    wrong.around(TestRun, "_all", instead)


# Blocks


@noticed_by("structure/order-when-failing", "structure/use-fails")
def catch_is_not_run(wrong: Any) -> None:
    leave_out(wrong, "catch")


@noticed_by("structure/order-when-passing")
def catch_is_run_after_success(wrong: Any) -> None:
    async def instead(right: Any, self: Any, step: Any, name: str, outer: Any) -> bool:
        going_on: bool = await right(self, step, name, outer)
        if not self._failures:
            await self._all(step.catch, name, outer)
        return going_on

    wrong.around(TestRun, "_run_step", instead)


@noticed_by("structure/order-when-failing", "structure/catch-goes-on")
def finally_is_skipped_after_a_failure(wrong: Any) -> None:
    leave_out(wrong, "finally", lambda self: bool(self._failures))


@noticed_by("structure/order-when-passing", "structure/cleanup-fails")
def cleanup_blocks_are_not_run(wrong: Any) -> None:
    leave_out(wrong, "cleanup")


@noticed_by("structure/catch-goes-on", "structure/finally-fails")
def a_failure_ends_catch_and_finally(wrong: Any) -> None:
    async def instead(_right: Any, self: Any, operations: Any, name: str, scope: Any) -> None:
        for number, operation in enumerate(operations, start=1):
            if await self._run_operation(operation, name, scope, number) is None:
                return

    wrong.around(TestRun, "_all", instead)


@noticed_by("structure/order-when-failing")
def operations_go_on_after_a_failure(wrong: Any) -> None:
    wrong.around(
        TestRun,
        "_try",
        lambda right, self, operations, *rest: right(
            self, [replace(one, continue_on_error=True) for one in operations], *rest
        ),
    )


@noticed_by("structure/order-when-failing")
def steps_go_on_after_a_failure(wrong: Any) -> None:
    async def instead(right: Any, *arguments: Any) -> bool:
        await right(*arguments)
        return True

    wrong.around(TestRun, "_run_step", instead)


@noticed_by("structure/finally-fails")
def a_failed_finally_ends_the_test(wrong: Any) -> None:
    async def instead(right: Any, self: Any, *rest: Any) -> bool:
        return await right(self, *rest) and not self._failures

    wrong.around(TestRun, "_run_step", instead)


@noticed_by("structure/continue-on-error")
def continue_on_error_swallows_the_failure(wrong: Any) -> None:
    async def instead(right: Any, self: Any, operation: Any, *rest: Any) -> Any:
        outputs = await right(self, operation, *rest)
        if outputs is None and operation.continue_on_error:
            self._failures.pop()
            return {}
        return outputs

    wrong.around(TestRun, "_run_operation", instead)


@noticed_by("structure/continue-on-error")
def continue_on_error_is_ignored(wrong: Any) -> None:
    wrong.around(
        TestRun,
        "_try",
        lambda right, self, operations, *rest: right(
            self, [replace(one, continue_on_error=False) for one in operations], *rest
        ),
    )


# Clean-up


@noticed_by("structure/cleanup-outside", "structure/order-when-passing", "structure/cleanup-of-a-failure")
def cleanup_is_left_out(wrong: Any) -> None:
    async def nothing(_self: Any) -> None: ...

    wrong.be(TestRun, "clean_up", nothing)


@noticed_by("structure/cleanup-outside", "structure/cleanup-of-objects")
def objects_are_not_removed(wrong: Any) -> None:
    async def nothing(_self: Any, **_keywords: Any) -> list[Any]:
        return []

    wrong.be(Cleaner, "run", nothing)


@noticed_by("structure/cleanup-outside")
def the_namespace_is_not_removed(wrong: Any) -> None:
    async def nothing(_self: Any, *_arguments: Any, **_keywords: Any) -> None: ...

    wrong.be(TestRun, "_leave", nothing)


@noticed_by("structure/cleanup-of-a-failure")
def a_failed_test_is_not_cleaned_up(wrong: Any) -> None:
    def instead(right: Any, self: Any) -> None:
        self.had_failed = bool(self._failures)
        right(self)

    async def only_after_success(right: Any, self: Any) -> None:
        if not self.had_failed:
            await right(self)

    wrong.around(TestRun, "_end", instead)
    wrong.around(TestRun, "clean_up", only_after_success)


@noticed_by("structure/order-when-passing")
def steps_are_cleaned_up_first_to_last(wrong: Any) -> None:
    async def instead(right: Any, self: Any) -> None:
        self._steps.reverse()
        await right(self)

    wrong.around(TestRun, "_clean_up", instead)


@noticed_by("structure/cleanup-delay")
def the_delay_before_cleanup_is_ignored(wrong: Any) -> None:
    wrong.change_tests(delay_before_cleanup=0.0)


@noticed_by("structure/skip-delete")
def skip_delete_of_a_test_is_ignored(wrong: Any) -> None:
    wrong.change_tests(skip_delete=None)


@noticed_by("structure/skip-delete-of-a-step")
def skip_delete_of_a_step_is_ignored(wrong: Any) -> None:
    wrong.change_steps(skip_delete=None)


# Which tests, and when


@noticed_by("structure/concurrent-false")
def what_must_not_runs_in_parallel(wrong: Any) -> None:
    wrong.be(run, "_concurrent", lambda _test: True)


@noticed_by("structure/concurrent-true")
def what_may_be_parallel_runs_one_by_one(wrong: Any) -> None:
    wrong.be(run, "_concurrent", lambda _test: False)


@noticed_by("configuration/fail-fast", "configuration/fail-fast-of-a-test")
def fail_fast_is_ignored(wrong: Any) -> None:
    wrong.be(run, "_fail_fast", lambda *_arguments: False)


@noticed_by("configuration/fail-fast", "configuration/fail-fast-of-a-test")
def every_test_fails_fast(wrong: Any) -> None:
    wrong.be(run, "_fail_fast", lambda *_arguments: True)


@noticed_by("structure/skip")
def skip_is_ignored(wrong: Any) -> None:
    wrong.around(
        fields.Fields,
        "boolean",
        lambda right, self, name: None if name == "skip" else right(self, name),
    )


@noticed_by("structure/scenarios", "structure/scenario-fails")
def only_the_first_scenario_runs(wrong: Any) -> None:
    wrong.around(loader, "_scenarios", lambda right, test, scenarios: right(test, scenarios[:1]))


@noticed_by("structure/scenarios")
def bindings_of_a_scenario_win(wrong: Any) -> None:
    def instead(right: Any, test: Any, scenarios: Any) -> Iterator[Any]:
        for one in right(test, scenarios):
            own = scenarios[one.scenario - 1] if scenarios else ()
            names = {binding.name for binding in own}
            others = (binding for binding in test.bindings if binding.name not in names)
            yield replace(one, bindings=(*own, *others))

    wrong.around(loader, "_scenarios", instead)


@noticed_by("structure/use-a-template")
def arguments_of_a_template_are_ignored(wrong: Any) -> None:
    wrong.around(
        loader,
        "bindings",
        lambda right, own, name: () if own.what == "with" else right(own, name),
    )


@noticed_by("structure/unknown-field")
def unknown_fields_are_ignored(wrong: Any) -> None:
    wrong.be(fields.Fields, "_refuse", lambda *_arguments: None)


# Namespaces, clusters, Configuration


@noticed_by("structure/namespace-of-its-own")
def objects_go_to_the_namespace_of_another_test(wrong: Any) -> None:
    async def instead(right: Any, self: Scope, obj: Any) -> Any:
        return await right(replace(self, namespace="default"), obj)

    wrong.around(Scope, "placed", instead)


@noticed_by("structure/another-namespace")
def the_namespace_of_an_object_is_ignored(wrong: Any) -> None:
    async def instead(right: Any, self: Scope, obj: Any) -> Any:
        obj["metadata"].pop("namespace", None)
        return await right(self, obj)

    wrong.around(Scope, "placed", instead)


@noticed_by("structure/namespace-that-exists")
def the_namespace_of_a_test_is_ignored(wrong: Any) -> None:
    wrong.change_tests(namespace="")


@noticed_by("structure/namespace-template")
def the_namespace_template_is_ignored(wrong: Any) -> None:
    async def instead(right: Any, scope: Any, name: str, test: Any, configuration: Any) -> Any:
        return await right(scope, name, replace(test, namespace_template=None), configuration)

    wrong.around(namespacing, "_object", instead)


@noticed_by("structure/cluster-unknown")
def the_cluster_is_ignored(wrong: Any) -> None:
    async def same(self: Scope, *_arguments: Any) -> Scope:
        return self

    wrong.be(Scope, "on", same)


@noticed_by("configuration/v1alpha1", "configuration/v1alpha2")
def the_configuration_is_ignored(wrong: Any) -> None:
    def instead(right: Any, self: Any, test: Any, _configuration: Any, *rest: Any, **keywords: Any) -> None:
        right(self, test, None, *rest, **keywords)

    wrong.around(TestRun, "__init__", instead)


@noticed_by("values/file", "values/set")
def values_are_ignored(wrong: Any) -> None:
    def instead(right: Any, self: Any, *before: Any, **keywords: Any) -> None:
        test, configuration, cluster, surroundings, report = before
        right(self, test, configuration, cluster, replace(surroundings, values={}), report, **keywords)

    wrong.around(TestRun, "__init__", instead)


# Bindings and outputs


@noticed_by("structure/bindings-order")
def bindings_are_evaluated_in_the_wrong_order(wrong: Any) -> None:
    wrong.around(Scope, "with_bindings", lambda right, self, bindings: right(self, [*bindings][::-1]))


@noticed_by("structure/bindings-levels")
def outer_bindings_win(wrong: Any) -> None:
    async def instead(right: Any, self: Scope, bindings: Any) -> Scope:
        inner: Scope = await right(self, bindings)
        return inner.bind(**self.bindings)

    wrong.around(Scope, "with_bindings", instead)


@noticed_by("structure/bindings-of-a-step-end", "structure/outputs-stay-in-their-step")
def bindings_and_outputs_leak_into_the_next_step(wrong: Any) -> None:
    async def instead(right: Any, self: Any, step: Any, name: str, outer: Scope) -> bool:
        known = {key: value for *_, scope, _ in self._steps for key, value in scope.bindings.items()}
        going_on: bool = await right(self, step, name, replace(outer, bindings={**known, **outer.bindings}))
        return going_on

    wrong.around(TestRun, "_run_step", instead)


@noticed_by("operations/outputs-of-a-result")
def outputs_are_forgotten(wrong: Any) -> None:
    async def nothing(*_arguments: Any, **_keywords: Any) -> dict[str, Any]:
        return {}

    wrong.be(Scope, "outputs", nothing)


@noticed_by("operations/outputs-with-a-match")
def the_match_of_an_output_is_ignored(wrong: Any) -> None:
    async def instead(right: Any, self: Scope, outputs: Any, *rest: Any, **known: Any) -> Any:
        return await right(self, [replace(one, match=None) for one in outputs], *rest, **known)

    wrong.around(Scope, "outputs", instead)


def test_a_mistake_is_noticed(
    mistake: Any, cases: tuple[str, ...], limit: float, wrong: Any, run_in_memory: Any
) -> None:
    mistake(wrong)

    assert [name for name, problems in run_in_memory(*cases, limit=limit).items() if not problems] == []


def test_the_engine_as_it_is_makes_none_of_them(all_cases: set[str], run_in_memory: Any) -> None:
    assert {name: problems for name, problems in run_in_memory(*all_cases).items() if problems} == {}
