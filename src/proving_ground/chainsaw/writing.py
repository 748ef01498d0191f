"""Operations that change objects: apply, create, patch, update, delete."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from proving_ground.chainsaw.failures import OperationError
from proving_ground.chainsaw.model import Apply, Create, ObjectRef, Patch, ResourceRef, Update
from proving_ground.chainsaw.scope import Bindings, Deadline, Scope
from proving_ground.chainsaw.turns import in_turn
from proving_ground.kube import ApiError, NotFoundError, Reference, Target, UnknownKindError, WaitTimeoutError
from proving_ground.kube.strictness import strictly

if TYPE_CHECKING:
    from proving_ground.chainsaw.model import Delete
    from proving_ground.chainsaw.resources import Resource

Writing = Apply | Create | Patch | Update

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


async def write(scope: Scope, operation: Writing, seconds: float) -> Bindings:
    """Run an ``apply``, ``create``, ``patch`` or ``update``: each object in turn, each with the whole time.

    A refused object is tried again until the time is over, as chainsaw does: what it needs may be on its way.

    Returns:
        The operation's outputs.
    """

    async def one(scope: Scope, resource: Resource) -> Bindings:
        return await _write_one(scope, operation, resource, seconds)

    resources = await scope.resources(operation.ref, template=operation.template)
    return await in_turn(scope, operation, resources, one)


async def _write_one(scope: Scope, operation: Writing, resource: Resource, seconds: float) -> Bindings:
    wanted = await scope.rendered(resource.obj, operation.template)
    scope.secrecy.learn_object(wanted)
    _force_grace_period(wanted, scope.grace_period)
    deadline, pause = Deadline.after(seconds), _FIRST_PAUSE
    while True:
        try:
            with strictly() as warnings:
                try:
                    wanted = await scope.placed(wanted)
                    found, problem = await _send(scope, operation, wanted), None
                except ApiError as error:
                    if (obstacle := _obstacle(operation, wanted, error)) is not None:
                        raise OperationError(obstacle) from error
                    found, problem = wanted, error.message
            result = scope.bind(error=problem, warnings=warnings)
            await result.expect(operation.expect, found, problem)
            return await result.outputs(operation.outputs, found)
        except OperationError as error:
            if deadline.remaining <= pause:
                raise OperationError(f"{Reference.of(wanted)}: {error.what}", error.detail) from error
        await asyncio.sleep(pause)
        pause = min(pause * 2, _LONGEST_PAUSE)


async def _send(scope: Scope, operation: Writing, wanted: dict[str, Any]) -> dict[str, Any]:
    """Write one object once, and return what became of it."""
    cluster, dry_run, created = scope.cluster, operation.dry_run, False
    match operation:
        case Create():
            found, created = await cluster.create(wanted, dry_run=dry_run), True
        case Apply():
            found, created = await cluster.apply(wanted, dry_run=dry_run)
        case Patch():
            where = Reference.of(wanted)
            found = await cluster.patch(where, wanted, subresource=operation.subresource, dry_run=dry_run)
        case Update():
            # whatever version is there is replaced, as in chainsaw
            metadata = {key: value for key, value in wanted["metadata"].items() if key != "resourceVersion"}
            found = await cluster.update({**wanted, "metadata": metadata}, dry_run=dry_run)
    if created and not dry_run:
        scope.remember(found)
    return found


def _obstacle(operation: Writing, wanted: dict[str, Any], error: ApiError) -> str | None:
    """Return why there was nothing to judge: expectations see only what the API server said to the write itself.

    Chainsaw looks first whether the object is there, and that look's outcome is no result of the operation.
    """
    if isinstance(error, UnknownKindError):
        return str(error)
    if isinstance(operation, Patch | Update) and isinstance(error, NotFoundError):
        return f"there is none, so it cannot be {'patched' if isinstance(operation, Patch) else 'updated'}"
    if isinstance(operation, Create) and error.reason == "AlreadyExists" and wanted["metadata"].get("name"):
        return f"it exists already ({error})"
    return None


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

    async def one(scope: Scope, named: ObjectRef | Resource) -> Bindings:
        if isinstance(named, ObjectRef):
            wanted = await scope.referenced(named)
        else:
            wanted = await scope.rendered(named.obj, operation.template)
        deadline = Deadline.after(seconds)
        for found in await _matching(scope, wanted):
            await _remove_one(scope, operation, found, deadline)
        return {}

    if operation.ref is not None:
        await in_turn(scope, operation, [operation.ref], one)
    else:
        ref = ResourceRef(file=operation.file, resource=None, where=operation.where)
        await in_turn(scope, operation, await scope.resources(ref, template=operation.template), one)
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
    with strictly() as warnings:
        try:
            deleted = await scope.cluster.delete(reference, propagation=propagation)
        except ApiError as error:
            problem = error.message
    await scope.bind(error=problem, warnings=warnings).expect(operation.expect, found, problem)
    if deleted is not None:
        try:
            await scope.cluster.wait_gone(reference, timeout=deadline.remaining, known=deleted)
        except WaitTimeoutError as error:
            raise OperationError(str(error)) from error
