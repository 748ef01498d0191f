"""Operations on several resources: one after the other, each with its number."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from proving_ground.chainsaw.failures import OperationError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from proving_ground.chainsaw.model import Operation
    from proving_ground.chainsaw.scope import Bindings, Scope

T = TypeVar("T")


async def in_turn(
    scope: Scope, operation: Operation, resources: Iterable[T], run: Callable[[Scope, T], Awaitable[Bindings]]
) -> Bindings:
    """Run an operation for each of its resources; those after it know the outputs of each.

    Each counts as an operation of its own, as in chainsaw: ``$operation.resourceId`` is its number from 1, the
    operation's bindings are evaluated anew, and where it continues on error, so do the resources after one that failed.

    Returns:
        All outputs.

    Raises:
        OperationError: One failed; or several, of which the first is told in full.
    """
    outputs: Bindings = {}
    failures: list[OperationError] = []
    for number, resource in enumerate(resources, start=1):
        known = {**scope.bindings.get("operation", {}), "resourceId": number}
        try:
            own = replace(scope, bindings={**scope.outer, **outputs, "operation": known})
            outputs |= await run(await own.with_bindings(operation.bindings), resource)
        except OperationError as error:
            if not operation.continue_on_error:
                raise
            failures.append(error)
    if len(failures) > 1:
        first, *others = failures
        detail = "\n".join(part for part in (first.detail, *(f"also: {other.what}" for other in others)) if part)
        raise OperationError(first.what, detail) from first
    if failures:
        raise failures[0]
    return outputs
