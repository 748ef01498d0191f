"""A pod as its servers see it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from uvicorn.server import ServerState

if TYPE_CHECKING:
    from collections.abc import Callable

    from proving_ground.fleet.behaviour import Behaviour
    from proving_ground.mocks import Mock
    from proving_ground.mocks.history import History


class Log(Protocol):
    """What takes the lines that a server writes."""

    def write(self, text: str) -> None:
        """Append text, one or more lines of it."""


@dataclass(slots=True, eq=False)
class Replica:
    """What a server needs to answer as a pod; one for each run of a pod's containers."""

    namespace: str
    name: str
    uid: str
    address: str
    behaviour: Behaviour
    log: Log
    crash: Callable[[str], None]
    """Ends the run, with the last line of its log."""
    ready: bool = False
    """Whether the model is loaded."""
    live: bool = True
    """Whether the address answers."""
    requests: int = 0
    connections: ServerState = field(default_factory=ServerState, repr=False)
    mocks: dict[str, Mock] = field(default_factory=dict, repr=False)
    """The mocks in its containers, by container."""
    histories: list[History] = field(default_factory=list, repr=False)
    """What was read of its metrics, by whatever server of it tells metrics."""
    memory: dict[str, Any] = field(default_factory=dict, repr=False)
    """What a server factory keeps for this replica."""

    @property
    def served_model(self) -> str:
        """The model id that the replica says it serves."""
        return f"{self.behaviour.model}-not-this-one" if self.behaviour.wrong_model else self.behaviour.model

    def disconnect(self) -> None:
        """Break every connection to the replica, as the end of its process would."""
        self.live = self.ready = False
        for protocol in tuple(self.connections.connections):
            transport = getattr(protocol, "transport", None)
            if transport is not None:
                transport.abort()
