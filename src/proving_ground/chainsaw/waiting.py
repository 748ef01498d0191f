"""Operations that look: assert waits until an object is as described, error until none is."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any

from proving_ground.chainsaw.assertions import Verdict, closest, judge, selector_of
from proving_ground.chainsaw.differences import render_mismatches, render_verdict
from proving_ground.chainsaw.errors import ExpressionError, TreeError
from proving_ground.chainsaw.failfast import diagnose, given_up
from proving_ground.chainsaw.failures import FailedFastError, OperationError
from proving_ground.chainsaw.lookups import resolve
from proving_ground.chainsaw.scope import Bindings, Deadline, Scope
from proving_ground.chainsaw.turns import in_turn
from proving_ground.errors import InfrastructureError
from proving_ground.kube import ApiError, Reference, Target, UnknownKindError, summarise

if TYPE_CHECKING:
    from proving_ground.chainsaw.assertions import Mismatch, Others, Selector, Tree
    from proving_ground.chainsaw.model import Assert, Error
    from proving_ground.chainsaw.resources import Resource

_POLL_SECONDS = 0.25  # where no watch tells: expressions that ask the cluster, kinds not served yet
_DIAGNOSIS_SECONDS = 15.0
_REVIEW_SECONDS = 5.0  # expressions may look at the clock


async def look(scope: Scope, operation: Assert | Error, seconds: float) -> Bindings:
    """Run an ``assert`` or ``error``: each tree in turn, each with the operation's whole time.

    Returns:
        The operation's outputs.
    """
    template = scope.template if operation.template is None else operation.template

    async def one(scope: Scope, resource: Resource) -> Bindings:
        selector = await scope.evaluate(partial(selector_of, resource.obj, scope.bindings, template=template))
        wait = _Wait(scope, resource.tree, selector, Deadline.after(seconds), wanted=operation.kind == "assert")
        await (wait.run_without_object() if selector.selects_nothing else wait.run())
        return {}

    await in_turn(scope, operation, await scope.resources(operation.ref, tree=True), one)
    return await scope.outputs(operation.outputs, None, error=None)


class _Wait:
    """One wait for one tree."""

    def __init__(self, scope: Scope, tree: Tree, selector: Selector, deadline: Deadline, *, wanted: bool) -> None:
        self._scope = scope
        self._tree = tree
        self._selector = selector
        self._deadline = deadline
        self._wanted = wanted
        self._undecided: ExpressionError | None = None

    async def run(self) -> None:
        """Wait for an object that matches (or, not wanted, for none that does).

        Raises:
            OperationError: The time is over, or a final state was reached.
        """
        target = await self._target()
        read_again = False
        try:
            async with self._scope.cluster.follow(target) as following:
                while True:
                    objects = following.objects
                    verdict = await self._judge(objects)
                    if verdict is not None and bool(verdict.matching) == self._wanted:
                        return
                    await self._give_up(objects if self._wanted or verdict is None else _candidates(verdict))
                    longest = _POLL_SECONDS if self._tree.needs_cluster else _REVIEW_SECONDS
                    if self._deadline.remaining <= 0 and not read_again:
                        read_again = True  # a watch that lags must not decide
                        await self._scope.cluster.refresh(following)
                        continue
                    if self._deadline.remaining <= 0:
                        await self._show(verdict)
                        raise self._failure(verdict, await self._closest(target, verdict))
                    await following.change(min(self._deadline.remaining, longest))
        except ApiError as error:
            raise InfrastructureError(
                f"{target} cannot be watched: {error}", where=self._scope.cluster.server
            ) from error

    async def run_without_object(self) -> None:
        """Wait until a tree that describes no object holds (or not) for the bindings alone."""
        while True:
            problem: OperationError | None = None
            mismatches: list[Mismatch] = []
            try:
                mismatches = await self._scope.check(self._tree, None)
            except OperationError as error:
                problem = error
            else:
                if (not mismatches) == self._wanted:
                    return
            if self._deadline.remaining <= _POLL_SECONDS:
                if problem is not None:
                    raise problem
                told = render_mismatches(mismatches, None) if self._wanted else ""
                raise OperationError("the check does not hold" if self._wanted else "the check holds", told)
            await asyncio.sleep(_POLL_SECONDS)

    async def _target(self) -> Target:
        """Return what to follow; a kind that is not served yet may still come."""
        chosen, scope = self._selector, self._scope
        while True:
            try:
                resource = await scope.cluster.resource(chosen.api_version, chosen.kind)
            except UnknownKindError as error:
                if self._deadline.remaining <= _POLL_SECONDS:
                    raise OperationError(str(error)) from error
                await asyncio.sleep(_POLL_SECONDS)
            else:
                break
        namespace = (chosen.namespace or scope.namespace) if resource.namespaced else ""
        labels = {} if chosen.name else chosen.labels
        return Target(chosen.api_version, chosen.kind, namespace, chosen.name, labels)

    async def _judge(self, objects: list[dict[str, Any]]) -> Verdict | None:
        """Return the verdict on the objects; None while an expression cannot be evaluated yet."""
        try:
            verdict = await resolve(
                self._scope.lookups, lambda calls: judge(self._tree, objects, self._scope.bindings, calls)
            )
        except ExpressionError as error:
            self._undecided = error
            return None
        except TreeError as error:
            raise OperationError(str(error)) from error
        self._undecided = None
        return verdict

    async def _give_up(self, objects: list[dict[str, Any]]) -> None:
        """End the wait when an object that is looked at has reached a final state."""
        found = given_up(objects, self._scope.fail_fast)
        if found is None:
            return
        await self._attach(found.obj)
        waited = f"after {self._deadline.elapsed:.1f} s of at most {self._deadline.seconds:g} s"
        raise FailedFastError(f"{found}", f"ended {waited}: the test names {found.state} as final")

    async def _show(self, verdict: Verdict | None) -> None:
        """Attach what explains the object that came nearest to what was waited for."""
        if self._wanted and verdict is not None and verdict.nearest is not None:
            await self._attach(verdict.nearest.object)

    async def _attach(self, obj: dict[str, Any]) -> None:
        scope = self._scope
        try:
            async with asyncio.timeout(_DIAGNOSIS_SECONDS):
                for name, text in await diagnose(scope.cluster, obj, whole_namespace=scope.own_namespace):
                    scope.report.attach(scope.secrecy.hide(name), scope.secrecy.hide(text))
        except TimeoutError:
            scope.report.attach("diagnostics", f"could not be collected within {_DIAGNOSIS_SECONDS:g} s")

    async def _closest(self, target: Target, verdict: Verdict | None) -> Others | None:
        """Return what else of the kind there is, where nothing is selected that was waited for."""
        if not self._wanted or verdict is None or verdict.candidates:
            return None
        scope = self._scope
        try:
            async with asyncio.timeout(_DIAGNOSIS_SECONDS):
                objects = await scope.cluster.list(target.api_version, target.kind, target.namespace)
        except (ApiError, InfrastructureError, TimeoutError):
            return None  # no more than help
        return await resolve(
            scope.lookups, lambda calls: closest(self._tree, self._selector, objects, scope.bindings, calls)
        )

    def _failure(self, verdict: Verdict | None, others: Others | None) -> OperationError:
        if self._undecided is not None or verdict is None:
            return OperationError(str(self._undecided))
        if not self._wanted:
            names = ", ".join(str(Reference.of(obj)) for obj in _candidates(verdict))
            return OperationError(f"{names} still matches what must not be")
        nearest = verdict.nearest
        told = render_verdict(self._selector, verdict, others)
        if nearest is None:
            summary, _, details = told.partition("\n")
            return OperationError(summary, details)
        first = render_mismatches(nearest.mismatches[:1], {"kind": nearest.object.get("kind")}).splitlines()[0]
        head = f"{Reference.of(nearest.object)}: {first.removeprefix('* ')}"
        more = len(nearest.mismatches) - 1
        state = f"last seen: {summarise(nearest.object)}"
        return OperationError(f"{head}, and {more} more" if more > 0 else head, f"{told}\n{state}")


def _candidates(verdict: Verdict) -> list[dict[str, Any]]:
    """Return the objects that match."""
    return [candidate.object for candidate in verdict.candidates if candidate.matches]
