"""Operations that change objects: apply, create, delete."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from proving_ground.chainsaw.failures import OperationError
from proving_ground.chainsaw.model import ResourceRef
from proving_ground.chainsaw.scope import Bindings, Deadline, Scope
from proving_ground.kube import ApiError, Reference, Target, WaitTimeoutError

if TYPE_CHECKING:
    from proving_ground.chainsaw.model import Apply, Create, Delete
    from proving_ground.chainsaw.resources import Resource

_FIRST_PAUSE = 0.05
_LONGEST_PAUSE = 0.5
_POD_TEMPLATES = {
    "Pod": ("spec",),
    "Deployment": ("spec", "template", "spec"),
    "StatefulSet": ("spec", "template", "spec"),
    "DaemonSet": ("spec", "template", "spec"),
    "Job": ("spec", "template", "spec"),
    "CronJob": ("spec", "jobTemplate", "spec", "template", "spec"),
}


async def write(scope: Scope, operation: Apply | Create, seconds: float) -> Bindings:
    """Run an ``apply`` or ``create``: each object in turn, each with the operation's whole time.

    A refused object is tried again until the time is over, as chainsaw does: what it needs may be on its way.

    Returns:
        The operation's outputs.
    """
    outputs: Bindings = {}
    for resource in await scope.resources(operation.ref, template=operation.template):
        outputs |= await _write_one(scope.bind(**outputs), operation, resource, seconds)
    return outputs


async def _write_one(scope: Scope, operation: Apply | Create, resource: Resource, seconds: float) -> Bindings:
    wanted = await scope.rendered(resource.obj, operation.template)
    scope.secrecy.learn_object(wanted)
    _force_grace_period(wanted, scope.grace_period)
    deadline, pause = Deadline.after(seconds), _FIRST_PAUSE
    while True:
        found, problem = wanted, None
        try:
            wanted = await scope.placed(wanted)
            if operation.kind == "create":
                found, created = await scope.cluster.create(wanted, dry_run=operation.dry_run), True
            else:
                found, created = await scope.cluster.apply(wanted, dry_run=operation.dry_run)
        except ApiError as error:
            problem = str(error)
        else:
            if created and not operation.dry_run:
                scope.remember(found)
        try:
            await scope.expect(operation.expect, found, problem)
            return await scope.outputs(operation.outputs, found, error=problem)
        except OperationError as error:
            if deadline.remaining <= pause:
                raise OperationError(f"{Reference.of(wanted)}: {error.what}", error.detail) from error
        await asyncio.sleep(pause)
        pause = min(pause * 2, _LONGEST_PAUSE)


def _force_grace_period(obj: dict[str, Any], seconds: float | None) -> None:
    """Set the termination grace period of the pods that an object makes."""
    path = _POD_TEMPLATES.get(str(obj.get("kind")))
    if seconds is None or path is None:
        return
    spec = obj
    for key in path:
        spec = spec.setdefault(key, {})
    spec["terminationGracePeriodSeconds"] = int(seconds)


async def remove(scope: Scope, operation: Delete, seconds: float) -> Bindings:
    """Run a ``delete``: everything it names is deleted, then verified gone.

    Returns:
        The operation's outputs.
    """
    if operation.ref is not None:
        wanted = [await scope.referenced(operation.ref)]
    else:
        ref = ResourceRef(file=operation.file, resource=None, where=operation.where)
        resources = await scope.resources(ref, template=operation.template)
        wanted = [await scope.rendered(resource.obj, operation.template) for resource in resources]
    for obj in wanted:
        deadline = Deadline.after(seconds)
        for found in await _matching(scope, obj):
            await _remove_one(scope, operation, found, deadline)
    return await scope.outputs(operation.outputs, None, error=None)


async def _matching(scope: Scope, obj: dict[str, Any]) -> list[dict[str, Any]]:
    try:
        metadata = (await scope.placed(obj))["metadata"]
        target = Target(
            obj["apiVersion"],
            obj["kind"],
            metadata.get("namespace", ""),
            metadata.get("name", ""),
            {} if metadata.get("name") else metadata.get("labels") or {},
        )
        return await scope.cluster.read(target)
    except ApiError as error:
        raise OperationError(str(error)) from error


async def _remove_one(scope: Scope, operation: Delete, found: dict[str, Any], deadline: Deadline) -> None:
    reference, problem, deleted = Reference.of(found), None, None
    propagation: Any = operation.propagation or scope.propagation
    try:
        deleted = await scope.cluster.delete(reference, propagation=propagation)
    except ApiError as error:
        problem = str(error)
    await scope.expect(operation.expect, found, problem)
    if deleted is not None:
        try:
            await scope.cluster.wait_gone(reference, timeout=deadline.remaining, known=deleted)
        except WaitTimeoutError as error:
            raise OperationError(str(error)) from error
