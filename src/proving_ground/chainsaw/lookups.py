"""Functions of expressions that ask the cluster, in an evaluation that never awaits.

Evaluation is pure and synchronous. When it meets a call whose answer is not known yet it stops with
`ClusterNeeded`; `resolve` awaits that one answer and evaluates again, now knowing it. Expressions that
ask nothing, which is nearly all of them, never touch the event loop.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from proving_ground.chainsaw.errors import ExpressionError
from proving_ground.chainsaw.remote_files import RemoteNeeded, fetch

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

#: Functions that ask the cluster -> number of arguments (least, most), the client included.
CLUSTER_FUNCTIONS: dict[str, tuple[int, int]] = {
    f"{prefix}k8s_{name}": arguments
    for prefix in ("x_", "")
    for name, arguments in {
        "get": (5, 5),
        "exists": (5, 5),
        "list": (3, 4),
        "resource_exists": (3, 3),
        "server_version": (1, 1),
    }.items()
}
_MOST_CALLS = 200  # in one evaluation; more means that its calls never repeat


class Cluster(Protocol):
    """What expressions may ask of a cluster."""

    async def get(self, api_version: str, kind: str, namespace: str, name: str) -> dict[str, Any] | None:
        """Return one object, or None where there is none."""

    async def list(self, api_version: str, kind: str, namespace: str) -> dict[str, Any]:
        """Return a List object; an empty namespace means all of them."""

    async def resource_exists(self, api_version: str, kind: str) -> bool:
        """Return whether the API server serves the kind."""

    async def server_version(self) -> dict[str, Any]:
        """Return what ``/version`` says."""


@dataclass(frozen=True, slots=True)
class ClusterCall:
    """One question to the cluster; ``arguments`` without the client."""

    function: str
    arguments: tuple[str, ...]


class ClusterNeeded(Exception):  # noqa: N818  # a signal, answered by resolve
    """An evaluation met a call whose answer is not known."""

    def __init__(self, call: ClusterCall) -> None:
        super().__init__(call.function)
        self.call = call


class ClusterCalls:
    """The answers that one evaluation may use."""

    def __init__(self) -> None:
        self._answers: dict[ClusterCall, Any] = {}

    def __len__(self) -> int:
        """Return how many answers are known."""
        return len(self._answers)

    def answer(self, call: ClusterCall) -> Any:
        """Return a known answer.

        Raises:
            ClusterNeeded: It is not known yet.
            ExpressionError: The cluster said that there is no such object.
        """
        try:
            answer = self._answers[call]
        except KeyError:
            raise ClusterNeeded(call) from None
        if isinstance(answer, ExpressionError):
            raise answer
        return answer

    def learn(self, call: ClusterCall, answer: Any) -> None:
        """Keep an answer."""
        self._answers[call] = answer


def call_cluster(function: str, arguments: list[Any], calls: ClusterCalls | None) -> Any:
    """Answer a call of a function of `CLUSTER_FUNCTIONS`.

    Args:
        function: Its name.
        arguments: All its arguments; the first is the client and is not looked at.
        calls: What is known; None where nothing may be asked.

    Raises:
        ClusterNeeded: The answer has to be fetched first.
        ExpressionError: Wrong arguments.
    """
    least, most = CLUSTER_FUNCTIONS[function]
    if not least <= len(arguments) <= most:
        raise ExpressionError(function, None, f"{function}() takes {least} arguments, got {len(arguments)}")
    for position, argument in enumerate(arguments[1:], start=2):
        if not isinstance(argument, str):
            found = json.dumps(argument, default=str)
            raise ExpressionError(function, None, f"argument {position} of {function}() must be a string, got {found}")
    call = ClusterCall(function, tuple(arguments[1:]))
    if calls is None:
        raise ClusterNeeded(call)
    return calls.answer(call)


async def resolve(cluster: Cluster, compute: Callable[[ClusterCalls], T]) -> T:
    """Run a pure computation, fetching what its expressions ask of the cluster, and files at an address.

    Args:
        cluster: Answers the questions.
        compute: The computation; it is run again for each new answer, with all answers known so far.

    Returns:
        What the computation returns.

    Raises:
        ExpressionError: The computation failed, or its questions never end.
        InfrastructureError: A file at an address cannot be fetched.
    """
    calls = ClusterCalls()
    while True:
        try:
            return compute(calls)
        except RemoteNeeded as missing:
            await asyncio.to_thread(fetch, missing.address)
            continue
        except ClusterNeeded as need:
            call = need.call
        if len(calls) >= _MOST_CALLS:
            raise ExpressionError(call.function, None, f"asks the cluster more than {_MOST_CALLS} different questions")
        calls.learn(call, await _fetch(cluster, call))


async def _fetch(cluster: Cluster, call: ClusterCall) -> Any:
    arguments = call.arguments
    match call.function.removeprefix("x_").removeprefix("k8s_"):
        case "get":
            found = await cluster.get(*arguments)
            if found is None:
                _, kind, namespace, name = arguments
                return ExpressionError(call.function, None, f"no {kind} {name!r} in namespace {namespace!r}")
            return found
        case "exists":
            return await cluster.get(*arguments) is not None
        case "list":
            return await cluster.list(arguments[0], arguments[1], "".join(arguments[2:]))
        case "resource_exists":
            return await cluster.resource_exists(*arguments)
        case _:
            return await cluster.server_version()
