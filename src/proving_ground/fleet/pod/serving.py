"""The run of one container: listens, follows its behaviour in time, and ends as it was told to."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import sys
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from proving_ground.errors import InfrastructureError
from proving_ground.fleet.factories.mocks import MockServer
from proving_ground.fleet.life import Stage, where
from proving_ground.fleet.mocking import MockDesk
from proving_ground.fleet.replica import Replica
from proving_ground.mocks import MOCKS, mock_app

if TYPE_CHECKING:
    from collections.abc import Callable

    from proving_ground.fleet.behaviour import Behaviour, Post
    from proving_ground.fleet.pod.own import Told
    from proving_ground.fleet.pod.part import Part

EVERY_ADDRESS = "0.0.0.0"  # noqa: S104 -- its container is its border
_BACKLOG = 1024
LOOK_SECONDS = 1.0
"""How often a pod that loads for longer looks whether it still is to."""
PROBED_SECONDS, PROBE_LOOK_SECONDS = 60.0, 0.1
"""How long a crash that is to come after the container was ready waits until somebody has seen it so."""
_BROKEN = 1


class Output:
    """The container's log: its standard output."""

    def write(self, text: str) -> None:
        """Write lines."""
        for line in text.splitlines() or [""]:
            sys.stdout.write(f"{line}\n")
        sys.stdout.flush()


class Container:
    """One run of one container.

    Args:
        told: What it knows of its pod.
        part: What it does.
        look: Returns its part as it is now, or None where it cannot be had; takes time.
        output: Its log.
    """

    def __init__(
        self, told: Told, part: Part, look: Callable[[], Part | None] | None = None, output: Output | None = None
    ) -> None:
        self._told = told
        self._part = part
        self._look = look
        self._log = output or Output()
        self._wake = asyncio.Event()
        self._last_line: str | None = None
        pod = told.pod
        self.replica = Replica(pod.namespace, pod.name, pod.uid, pod.address, part.behaviour, self._log, self._crash)
        self._servers: list[asyncio.Server] = []
        self._before_ready: int | None = None
        """Requests that were answered before it was ready; None while it is not."""
        self._seen_ready: float | None = None
        """Its age when the first request was answered after that."""
        self._began = time.monotonic()

    async def run(self) -> int:
        """Live until it ends by itself, as it was told to; returns the exit code.

        Raises:
            InfrastructureError: It cannot listen, or its mock cannot be made.
        """
        for line in self._part.log_lines:
            self._log.write(line)
        if self._told.lacking:
            self._log.write(f"Goes by arguments and environment only: {self._told.lacking}")
        for problem in (*self._part.behaviour.problems, *self._part.behaviour.argument_problems):
            self._log.write(f"Ignored: {problem}")
        self._log.write(f"Starting {self._part.what}")
        try:
            await self._listen()
            return await self._live()
        finally:
            for server in self._servers:
                server.close()
            self.replica.disconnect()

    async def _live(self) -> int:
        while True:
            self._wake.clear()
            if self._last_line is not None:
                return self._ended(self._last_line)
            age = time.monotonic() - self._began
            behaviour, waits = self._with_crash_when_seen(self.replica.behaviour, age)
            point = where(behaviour, age, self._told.restarts)
            if point.stage is Stage.CRASHED:
                return self._ended("")
            if point.stage is Stage.COMPLETED:
                return 0
            self._set_ready(point.stage is Stage.READY)
            again = min(point.again or PROBE_LOOK_SECONDS, PROBE_LOOK_SECONDS) if waits else point.again
            loads = point.stage is Stage.LOADING and not behaviour.never_ready and self._look is not None
            if loads and (again is None or again > LOOK_SECONDS):
                again = LOOK_SECONDS
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(again):
                    await self._wake.wait()
            if loads and again == LOOK_SECONDS:
                await self._look_again()

    def _with_crash_when_seen(self, behaviour: Behaviour, age: float) -> tuple[Behaviour, bool]:
        """Return a behaviour whose crash, if it is to come when the container is ready, comes so much later.

        A simulated pod is ready at the moment that it was told. Here a kubelet has to find out, and what is to be shown
        is a container that was ready and died. So the time between is counted from the first answer.

        Returns:
            The behaviour, and whether that answer is still waited for.
        """
        crash = behaviour.crash
        if crash is None or crash.after <= behaviour.load or behaviour.never_ready or not self._part.posts:
            return behaviour, False
        answered = self.replica.connections.total_requests
        if self._before_ready is not None and self._seen_ready is None and answered > self._before_ready:
            self._seen_ready = age
        if self._seen_ready is None and age < crash.after + PROBED_SECONDS:
            return replace(behaviour, crash=None), True
        after = (self._seen_ready or 0.0) + crash.after - behaviour.load
        return replace(behaviour, crash=replace(crash, after=after)), False

    async def _look_again(self) -> None:
        if self._look is not None and (part := await asyncio.to_thread(self._look)) is not None:
            self._part = part
            self.replica.behaviour = part.behaviour

    async def _listen(self) -> None:
        mock_server = self._equip()
        loop = asyncio.get_running_loop()
        for post in self._part.posts:
            connect = functools.partial(self._connect, post, mock_server)
            try:
                server = await loop.create_server(connect, EVERY_ADDRESS, post.number, backlog=_BACKLOG)
            except OSError as error:
                raise InfrastructureError(f"cannot listen: {error.strerror}", where=f"port {post.number}") from error
            self._servers.append(server)
            self._log.write(f"Listening on port {post.number}")
        if self._part.posts and mock_server is None:
            _factory(self._part.server)

    def _equip(self) -> MockServer | None:
        """Make the container's mock, if it has one, told what those of its workload were told."""
        if self._part.mock is None:
            return None
        pod, desk = self._told.pod, MockDesk(MOCKS)
        for setting in self._told.settings:
            desk.remember(pod.namespace, pod.workload, setting)
        for reason, problem in desk.equip(pod, [self._part.mock], self.replica):
            if not self.replica.mocks:
                raise InfrastructureError(problem, where=reason)
            self._log.write(f"{reason}: {problem}")
        return MockServer(mock_app())

    def _connect(self, post: Post, mock_server: MockServer | None) -> asyncio.BaseProtocol:
        if mock_server is not None:
            return mock_server.connect(self.replica, self.replica.mocks[post.container])
        return _factory(self._part.server)(self.replica)

    def _set_ready(self, ready: bool) -> None:
        if self.replica.ready != ready:
            self.replica.ready = ready
            self._before_ready = self.replica.connections.total_requests if ready else None
            if ready and self._part.server != "none":
                self._log.write(f"Application startup complete, serving model {self.replica.served_model}")

    def _crash(self, line: str) -> None:
        """End the run from within a server."""
        self._last_line = line
        self.replica.disconnect()
        self._wake.set()

    def _ended(self, line: str) -> int:
        crash = self.replica.behaviour.crash
        code = crash.exit_code if crash else _BROKEN
        if line:
            self._log.write(line)
        self._log.write(f"Process ended with exit code {code} as it was told to")
        return code


@functools.cache
def _factory(name: str) -> Callable[[Replica], asyncio.BaseProtocol]:
    """Return what answers a connection; imported when the container listens already."""
    from proving_ground.fleet.factories import default_factories  # noqa: PLC0415

    return default_factories()[name].connect
