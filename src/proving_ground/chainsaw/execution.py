"""One run of one test: namespace, steps, verdict, clean-up."""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from proving_ground.chainsaw import failfast
from proving_ground.chainsaw.background import Background
from proving_ground.chainsaw.cleanup import Cleaner
from proving_ground.chainsaw.failures import OperationError, TestFailedError, describe, place
from proving_ground.chainsaw.inspecting import inspect
from proving_ground.chainsaw.kubectl_wait import wait
from proving_ground.chainsaw.model import (
    DEFAULT_TIMEOUTS,
    Apply,
    Assert,
    Command,
    Configuration,
    Create,
    Delete,
    Error,
    Patch,
    Proxy,
    Script,
    Sleep,
    Update,
    Wait,
)
from proving_ground.chainsaw.namespacing import Placement, settle
from proving_ground.chainsaw.processes import run as run_process
from proving_ground.chainsaw.proxying import proxy
from proving_ground.chainsaw.reporting import Performed, Secrecy
from proving_ground.chainsaw.scope import Scope
from proving_ground.chainsaw.shared import Shared
from proving_ground.chainsaw.waiting import look
from proving_ground.chainsaw.writing import remove, write
from proving_ground.kube import ApiError, Reference, WaitTimeoutError, remove_namespace

if TYPE_CHECKING:
    from collections.abc import Sequence

    from proving_ground import kube
    from proving_ground.chainsaw.model import Describe, Events, Get, Operation, PodLogs, Step, Test
    from proving_ground.chainsaw.reporting import Report, Surroundings
    from proving_ground.chainsaw.scope import Bindings

_ABANDON_SECONDS = 5.0
_MARGIN_SECONDS = 5.0  # of the clean-up's limit, to tell what is left behind
_LEAST_SECONDS = 1.0


class TestRun:
    """One run of one test.

    Args:
        test: The test.
        configuration: The Configuration that holds for it; None where there is none.
        cluster: Where; None: without a cluster.
        surroundings: What holds for the whole run.
        report: Whom to tell.
        index: The test's number in the run, from 1 (``$test.id``).
    """

    __test__ = False  # pytest: this is no test class

    def __init__(
        self,
        test: Test,
        configuration: Configuration | None,
        cluster: kube.Cluster | None,
        surroundings: Surroundings,
        report: Report,
        *,
        index: int = 1,
    ) -> None:
        self._test = test
        self._configuration = configuration or Configuration()
        self._cluster = cluster
        self._surroundings = surroundings
        self._shared = surroundings.shared or Shared()
        self._background = Background()
        self._report = report
        self._index = index
        self._secrecy = Secrecy(report)
        self._secrecy.learn_values(surroundings.values)
        self._failures: list[str] = []
        self._cleanup_deadline: float | None = None
        self._placement: Placement | None = None
        self._steps: list[tuple[Step, str, Scope, Cleaner]] = []

    async def judge(self) -> None:
        """Run the test to its verdict; nothing is removed yet.

        Raises:
            TestFailedError: The test failed.
            InfrastructureError: The cluster could not be reached any more.
            ConfigurationError: A file that the test names is wrong.
        """
        started = time.monotonic()
        try:
            scope = await self._scope()
        except (OperationError, ApiError) as error:
            self._fail(f"the test could not begin at {place(self._test.where)}: {error}")
        else:
            for number, step in enumerate(self._test.steps, start=1):
                name = f'step "{step.name}"' if step.name else f"step {number}"
                if not await self._run_step(step, name, scope.bind(step={"id": number})):
                    break
        self._report.metric("seconds_to_verdict", time.monotonic() - started)
        self._end()

    async def clean_up(self) -> None:
        """Remove everything that the test made, last made first, and verify that it is gone.

        Raises:
            TestFailedError: Something is left behind; the message tells what.
            InfrastructureError: The cluster could not be reached any more.
        """
        started = time.monotonic()
        limit = self._surroundings.cleanup_limit
        self._cleanup_deadline = None if limit is None else started + limit - min(_MARGIN_SECONDS, limit / 4)
        try:
            await self._clean_up()
        except BaseException:  # interrupted, or the cluster is gone: at least ask for it
            await self._abandon()
            raise
        finally:
            self._background.end()
            if self._surroundings.shared is None:
                await self._shared.close()
        self._report.metric("cleanup_seconds", time.monotonic() - started)
        self._end()

    def _end(self) -> None:
        failures, self._failures = self._failures, []
        if failures:
            raise TestFailedError(failures)

    async def _scope(self) -> Scope:
        """Return the scope of the test: its cluster, its namespace, its bindings."""
        test, configuration = self._test, self._configuration
        grace_period = test.force_termination_grace_period
        if grace_period is None:
            grace_period = configuration.force_termination_grace_period
        scope = Scope(
            connected=self._cluster,
            registered={entry.name: (entry, Path()) for entry in configuration.clusters},
            shared=self._shared,
            background=self._background,
            namespace="",
            own_namespace=False,
            directory=test.directory,
            bindings={
                "values": dict(self._surroundings.values),
                "test": {"id": self._index, "scenarioId": test.scenario, "metadata": _metadata(test)},
                "config": {},
                "client": self._cluster,
            },
            timeouts=test.timeouts.over(configuration.timeouts).over(DEFAULT_TIMEOUTS),
            template=_first(test.template, configuration.template, default=True),
            propagation=test.propagation or configuration.propagation or "Background",
            grace_period=grace_period,
            fail_fast=failfast.states(test.annotations),
            surroundings=self._surroundings,
            report=self._report,
            secrecy=self._secrecy,
        )
        scope = await scope.on(test.cluster, test.clusters, test.bindings)
        keep = _first(test.skip_delete, configuration.skip_delete, default=False)
        scope, self._placement = await settle(scope, test, configuration, keep=keep)
        if self._placement is not None:
            self._report.property("namespace", self._placement.name)
        return await scope.with_bindings(test.bindings)

    async def _run_step(self, step: Step, name: str, outer: Scope) -> bool:
        """Run a step, and tell whether the test goes on: a failed operation with ``continueOnError`` lets it."""
        configuration = self._configuration
        keep = _first(step.skip_delete, self._test.skip_delete, configuration.skip_delete, default=False)
        cleaner = Cleaner()
        scope = replace(
            outer,
            timeouts=step.timeouts.over(outer.timeouts),
            template=_first(step.template, default=outer.template),
            propagation=step.propagation or outer.propagation,
            cleaner=None if keep else cleaner,
        )
        try:
            scope = await scope.on(step.cluster, step.clusters, step.bindings)
            scope = await scope.with_bindings(step.bindings)
        except OperationError as error:
            self._fail(f"{name} at {place(step.where)} could not begin: {error.what}")
            return False
        catch = (*configuration.catch, *self._test.catch, *step.catch)
        going_on = False
        try:
            scope, going_on = await self._try(step.try_, name, scope)
            if self._failures:
                await self._all(catch, f"{name}, catch", scope)
        finally:
            self._steps.append((step, name, scope, cleaner))
        await self._all(step.finally_, f"{name}, finally", scope)
        return going_on

    async def _try(self, operations: Sequence[Operation], name: str, scope: Scope) -> tuple[Scope, bool]:
        """Run operations until one fails; the scope that comes back knows their outputs."""
        for number, operation in enumerate(operations, start=1):
            outputs = await self._run_operation(operation, name, scope, number)
            if outputs is not None:
                scope = scope.bind(**outputs)
            elif not operation.continue_on_error:
                return scope, False
        return scope, True

    async def _all(self, operations: Sequence[Operation], name: str, scope: Scope) -> None:
        """Run operations of which none stops those after it."""
        for number, operation in enumerate(operations, start=1):
            await self._run_operation(operation, name, scope, number)

    async def _run_operation(self, operation: Operation, name: str, scope: Scope, number: int) -> Bindings | None:
        """Run one operation; None: it failed, and the failure is noted."""
        started = time.monotonic()
        try:
            scope = scope.bind(operation={"id": number, "resourceId": 0})
            scope = await scope.on(operation.cluster, operation.clusters, operation.bindings)
            scope = await replace(scope, outer=scope.bindings).with_bindings(operation.bindings)
            outputs = await _perform(operation, scope)
        except OperationError as error:
            told = describe(name, operation.kind, operation.where, error, time.monotonic() - started)
            self._fail(told)
            self._performed(name, operation, started, self._secrecy.hide(told))
            return None
        self._performed(name, operation, started)
        done = f"{operation.kind} at line {operation.where.line}, {name}: {time.monotonic() - started:.2f} s"
        self._report.note("operation", self._test.title, self._secrecy.hide(done))
        return outputs

    def _performed(self, name: str, operation: Operation, started: float, failure: str = "") -> None:
        seconds = time.monotonic() - started
        began = time.time() - seconds
        self._report.performed(Performed(name, operation.kind, operation.where, began, seconds, failure))

    def _fail(self, text: str) -> None:
        self._failures.append(self._secrecy.hide(text))

    # After the verdict

    async def _clean_up(self) -> None:
        """Remove what the steps made, last step first, then the namespace."""
        delay = self._test.delay_before_cleanup
        if delay is None:
            delay = self._configuration.delay_before_cleanup
        if delay and self._steps:
            await asyncio.sleep(self._surroundings.cut(delay))
        stuck = False
        while self._steps:
            step, name, scope, cleaner = self._steps.pop()
            seconds = scope.timeouts.cleanup or 0.0
            left = await cleaner.run(propagation=scope.propagation, wait=partial(self._cleanup_wait, seconds))
            for reference, why in left:
                stuck = stuck or (self._placement is not None and reference.namespace == self._placement.name)
                self._fail(f"left behind by {name} at {place(step.where)}: {why}")
            await self._all(step.cleanup, f"{name}, cleanup", scope)
        if self._placement is not None and self._placement.remove:
            await self._leave(self._placement, stuck=stuck)

    def _cleanup_wait(self, seconds: float) -> float:
        """Return how long the next wait of the clean-up may take, within what is left of the limit."""
        if self._cleanup_deadline is None:
            return seconds
        return max(min(seconds, self._cleanup_deadline - time.monotonic()), _LEAST_SECONDS)

    async def _leave(self, placement: Placement, *, stuck: bool) -> None:
        """Remove the test's namespace."""
        timeouts = self._test.timeouts.over(self._configuration.timeouts).over(DEFAULT_TIMEOUTS)
        wait = self._cleanup_wait(timeouts.cleanup or 0.0)
        try:
            if stuck:  # what could not be removed holds the namespace too: do not wait for the same thing twice
                await placement.cluster.delete(Reference("v1", "Namespace", placement.name))
                self._fail(f"left behind: namespace {placement.name}, held by what is named above")
            else:
                await remove_namespace(placement.cluster, placement.name, timeout=wait)
            self._placement = replace(placement, remove=False)
        except WaitTimeoutError as error:
            self._fail(f"left behind: {error}")
        except ApiError as error:
            self._fail(f"left behind: namespace {placement.name} could not be deleted: {error}")

    async def _abandon(self) -> None:
        """Ask for the removal of everything, without waiting: the test was interrupted."""
        with contextlib.suppress(Exception):
            async with asyncio.timeout(_ABANDON_SECONDS):
                for _, _, _, cleaner in reversed(self._steps):
                    await cleaner.abandon()
                if self._placement is not None and self._placement.remove:
                    await self._placement.cluster.delete(Reference("v1", "Namespace", self._placement.name))


async def _perform(operation: Operation, scope: Scope) -> Bindings:
    """Run one operation within its time, and return its outputs."""
    timeouts, cut = scope.timeouts, scope.surroundings.cut

    def seconds(kind: float | None) -> float:
        return cut(operation.timeout if operation.timeout is not None else kind or 0)

    match operation:
        case Apply() | Create() | Patch() | Update():
            return await write(scope, operation, seconds(timeouts.apply))
        case Assert():
            return await look(scope, operation, seconds(timeouts.assert_))
        case Error():
            return await look(scope, operation, seconds(timeouts.error))
        case Delete():
            return await remove(scope, operation, seconds(timeouts.delete))
        case Script() | Command():
            return await run_process(scope, operation, seconds(timeouts.exec))
        case _:
            return await _ask(operation, scope, seconds(timeouts.exec))


async def _ask(
    operation: Describe | Events | Get | PodLogs | Proxy | Sleep | Wait, scope: Scope, limit: float
) -> Bindings:
    """Run an operation that only waits or looks."""
    match operation:
        case Sleep():
            await asyncio.sleep(scope.surroundings.cut(operation.duration))
            return {}
        case Wait():
            return await wait(scope, operation, limit)
    try:
        async with asyncio.timeout(limit):
            if isinstance(operation, Proxy):
                return await proxy(scope, operation)
            await inspect(scope, operation)
    except TimeoutError:
        raise OperationError(f"the cluster did not answer within {limit:g} s") from None
    return {}


def _metadata(test: Test) -> dict[str, Any]:
    return {"name": test.name, "labels": dict(test.labels), "annotations": dict(test.annotations)}


def _first(*values: bool | None, default: bool) -> bool:
    """Return the first value that is given."""
    return next((value for value in values if value is not None), default)
