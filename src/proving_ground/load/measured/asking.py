"""A load for a check: repeated once where the client did not keep up, and told on the way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from proving_ground.errors import InfrastructureError
from proving_ground.files import write_atomically
from proving_ground.load.measured.engine import measure

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from proving_ground.load.measured.plan import Plan
    from proving_ground.load.measured.result import Measured

FOLDER = "load"
_TRIES = 2


class Sender(Protocol):
    """What makes a load: `proving_ground.load.measured.engine.measure`, or the same in a cluster."""

    def __call__(self, plan: Plan, *, partial: Callable[[Measured], None] | None = None) -> Awaitable[Measured]:
        """Send a load, and return what it measured."""


async def trusted(plan: Plan, *, keep: Path | None = None, send: Sender = measure) -> Measured:
    """Return what a load measured, with a client that kept up.

    On a machine that others use the client may be held up once; it is asked again then. What was measured is kept
    also when it is interrupted or cannot be trusted, and says so.

    Args:
        plan: What to send.
        keep: File that the result is written to.
        send: Makes the load.

    Raises:
        InfrastructureError: The client did not keep up twice; a run that is not valid never passes.
    """
    reasons = []
    for _ in range(_TRIES):
        measured = await send(plan, partial=lambda found: _write(found, keep))
        _write(measured, keep)
        if measured.client.verdict == "valid":
            return measured
        reasons.append(measured.client.reason)
    raise InfrastructureError(
        f"the load cannot be judged, the client did not keep up: {'; again: '.join(reasons)}",
        where=plan.url,
        hint="less load, more processes or worker pods, or machines that have less to do",
    )


def _write(measured: Measured, keep: Path | None) -> None:
    if keep is not None:
        keep.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(keep, measured.model_dump_json(indent=1) + "\n")
