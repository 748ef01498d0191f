"""The life of one pod: binds its address, follows its behaviour in time, and tells its status."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import functools
import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from proving_ground.errors import ProvingGroundError
from proving_ground.fleet.behaviour import Behaviour, behaviour_of
from proving_ground.fleet.life import Stage, backoff, where
from proving_ground.fleet.listen import Listener, Refusal, listen
from proving_ground.fleet.logs import PodLog
from proving_ground.fleet.podstatus import Run, status_of
from proving_ground.fleet.replica import Replica
from proving_ground.mocks import DEFAULT_PORTS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from proving_ground.fleet.addresses import AddressPool
    from proving_ground.fleet.factories import ServerFactory
    from proving_ground.fleet.factories.mocks import MockServer
    from proving_ground.fleet.mocking import MockDesk
    from proving_ground.fleet.source import PodSource
    from proving_ground.fleet.views import PodView

LOG = logging.getLogger(__name__)
BIND_RETRY_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Ground:
    """What all pods of a fleet stand on."""

    source: PodSource
    factories: Mapping[str, ServerFactory]
    addresses: AddressPool
    host_address: str
    log_directory: Path | None
    crash_backoff: float
    """Seconds after the first crash; doubles with each."""
    serving_changed: Callable[[str], None]
    """Called with the namespace in which a pod began or ceased to serve."""
    namespace_faults: Callable[[str], frozenset[str] | None]
    mocks: MockDesk
    mock_server: MockServer


class PodRunner:
    """Runs one pod, from the moment it is scheduled until it is gone."""

    def __init__(self, pod: PodView, ground: Ground) -> None:
        self.pod = pod
        self.stage: Stage | None = None
        self.address = ""
        self.restarts = pod.restarts
        self.replica: Replica | None = None
        self.requests_before = 0
        self.behaviour = Behaviour()
        self._ground = ground
        self._wake = asyncio.Event()
        self._listeners: list[Listener] = []
        self._published: object = None
        self._pod_started = dt.datetime.now(tz=dt.UTC)
        self._started = self._pod_started
        self._began: float | None = None
        """Moment the present run began; None between runs."""
        self._ended: dt.datetime | None = None
        self._crashed_at = 0.0
        self._crash_line: str | None = None
        self._stale = True
        self._terminating = False
        self._gone = False
        self._unserved = False
        """Whether a container of the present run cannot serve."""
        self._told: set[str] = set()
        self.problem = ""
        self._tasks: set[asyncio.Task[None]] = set()
        names = tuple(c.name for c in pod.containers)
        self.log = PodLog(ground.log_directory, f"{pod.namespace}_{pod.name}_{pod.uid}", names)

    # -- what others ask and tell

    def update(self, pod: PodView) -> None:
        """Take note of a newer version of the pod."""
        if pod.annotations != self.pod.annotations or pod.readiness_gates:
            self._stale = True
        labels_changed = pod.labels != self.pod.labels
        wake = pod.deleting != self.pod.deleting or self._stale
        self.pod = pod
        if labels_changed:
            self._ground.serving_changed(pod.namespace)
        if wake:
            self._wake.set()

    def terminate(self) -> None:
        """Go away at once, without waiting to be deleted."""
        self._terminating = True
        self._wake.set()

    def reconsider(self) -> None:
        """Look again at the faults of the namespace."""
        self._stale = True
        self._wake.set()

    @property
    def gates_open(self) -> bool:
        """Whether every readiness gate of the pod is open."""
        true = {c["type"] for c in self.pod.conditions if c.get("status") == "True"}
        return true.issuperset(self.pod.readiness_gates)

    @property
    def ready(self) -> bool:
        """Whether Services may send requests here."""
        return self.replica is not None and self.replica.ready and self.gates_open

    @property
    def requests(self) -> int:
        """Inference requests that reached the pod."""
        return self.requests_before + (self.replica.requests if self.replica else 0)

    def port(self, target: int | str) -> int | None:
        """Return the pod's port by number or name, or None if it does not listen there."""
        for listener in self._listeners:
            named = any(name and name == target and number == listener.port for name, number in self.behaviour.ports)
            if named or listener.port == target:
                return listener.port
        return None

    def connect(self, port: int) -> asyncio.BaseProtocol:
        """Return the protocol of a new connection to a port of the pod."""
        post = self.behaviour.post(port)
        if self.replica is None or not self.replica.live or post is None:
            return Refusal()
        if post.container:
            mock = self.replica.mocks.get(post.container)
            return Refusal() if mock is None else self._ground.mock_server.connect(self.replica, mock)
        factory = self._ground.factories.get(self.behaviour.server)
        return Refusal() if factory is None else factory.connect(self.replica)

    def leave(self) -> None:
        """Stop serving for good and give the address back; ``run`` ends when its present request is answered."""
        self._gone = True
        self._wake.set()
        self._stop_serving()
        self.log.close()
        if self.address:
            self._ground.addresses.release(self.address)

    # -- its life

    async def run(self) -> None:
        """Live until the pod is deleted or has ended."""
        while not self._gone:
            self._wake.clear()
            if self.pod.deleting or self._terminating:
                self._stop_serving()
                await self._ground.source.remove(self.pod)
                return
            again = await self._step()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(again):
                    await self._wake.wait()

    async def _step(self) -> float | None:
        """Do what is due; returns in how many seconds to look again."""
        if self.stage is not None and self.stage.final:
            return None
        self._reconsider_if_stale()
        if self._began is None and self._crashed_at:
            left = self._crashed_at + backoff(self.restarts, self._ground.crash_backoff) - time.monotonic()
            if left > 0:
                return left
            self.restarts += 1
        if self._began is None:
            self._begin()
        point = where(self.behaviour, time.monotonic() - (self._began or 0.0), self.restarts)
        stage, again = point.stage, point.again
        if self._crash_line is not None:
            stage, again = Stage.CRASHED, None
        if stage is Stage.CRASHED:
            stage, again = self._crashed()
        if stage.live:
            stage, again = await self._serve(stage, again)
            if self._gone:
                self._stop_serving()
                return None
        else:
            self._stop_serving()
        await self._publish(stage)
        return again

    async def _serve(self, stage: Stage, again: float | None) -> tuple[Stage, float | None]:
        """Serve in a stage in which the pod lives; says what it is in truth, and when to look again."""
        bound = await self._bound()
        if self._gone:
            return stage, None
        if not bound:
            stage, again = Stage.LOADING, BIND_RETRY_SECONDS
        elif self._unserved and stage is Stage.READY:
            stage = Stage.LOADING
        self._set_ready(stage is Stage.READY)
        return stage, again

    def _reconsider_if_stale(self) -> None:
        if not self._stale:
            return
        self._stale = False
        ground = self._ground
        self.behaviour = behaviour_of(
            self.pod, ground.namespace_faults(self.pod.namespace), ground.factories, DEFAULT_PORTS
        )
        if self.replica is not None:
            self.replica.behaviour = self.behaviour
        for problem in self.behaviour.problems:
            self._tell("InvalidAnnotation", problem)
        for problem in self.behaviour.argument_problems:
            self._tell("InvalidArgument", problem)

    def _begin(self) -> None:
        """Begin a run of the containers; a run that an earlier fleet began goes on."""
        now, pod = dt.datetime.now(tz=dt.UTC), self.pod
        age = 0.0
        if pod.started and not self._crashed_at:
            with contextlib.suppress(ValueError):
                self._started = dt.datetime.fromisoformat(pod.started)
                age = max(0.0, (now - self._started).total_seconds())
        if not age:
            self._started = now
        self._began = time.monotonic() - age
        self.log.start(self.restarts)
        for line in self.behaviour.log_lines:
            self.log.write(line)
        if not self.behaviour.pull_fails:
            what = f"{self.behaviour.server} server, model {self.behaviour.model}"
            self.log.write(f"Starting {'container' if self.behaviour.server == 'none' else what}")
        if not self.address:
            self.address = self._choose_address()

    def _choose_address(self) -> str:
        pod, ground = self.pod, self._ground
        if pod.host_network:
            return ""
        if pod.address:
            ground.addresses.claim(pod.address)
            return pod.address
        try:
            return ground.addresses.take()
        except ProvingGroundError as error:
            self._tell("FailedAddress", str(error))
            return ""

    async def _bound(self) -> bool:
        """Listen on the pod's ports, if it has a server; returns whether all is well."""
        behaviour = self.behaviour
        if not (behaviour.posts or behaviour.mocks) or self.replica is not None or self.pod.host_network:
            return True
        if not self.address:
            self.address = self._choose_address()
            if not self.address:
                return False
        pod = self.pod
        replica = Replica(pod.namespace, pod.name, pod.uid, self.address, behaviour, self.log, self._crash)
        problems = self._ground.mocks.equip(pod, behaviour.mocks, replica)
        for reason, problem in problems:
            self._tell(reason, problem)
        self._unserved = len(replica.mocks) < len(behaviour.mocks)
        self.replica = replica
        try:
            for post in behaviour.posts:
                if not post.container or post.container in replica.mocks:
                    connect = functools.partial(self.connect, post.number)
                    self._listeners.append(await listen(self.address, post.number, connect))
        except ProvingGroundError as error:
            self._stop_serving()
            self.problem = str(error)
            self._tell("FailedListen", self.problem)
            return False
        self.problem = ""
        for listener in self._listeners:
            self.log.write(f"Listening on http://{listener.address}:{listener.port}")
        return True

    def _set_ready(self, ready: bool) -> None:
        if self.replica is not None and self.replica.ready != ready:
            self.replica.ready = ready
            if ready and self.behaviour.server != "none":
                self.log.write(f"Application startup complete, serving model {self.replica.served_model}")
            self._ground.serving_changed(self.pod.namespace)

    def _stop_serving(self) -> None:
        for listener in self._listeners:
            listener.close()
        self._listeners.clear()
        if self.replica is not None:
            self.requests_before += self.replica.requests
            self._ground.mocks.ledger.close((self.pod.namespace, self.pod.workload), self.pod.name, self.replica)
            self.replica.disconnect()
            self.replica = None
            self._ground.serving_changed(self.pod.namespace)

    def _crash(self, line: str) -> None:
        """End the present run from within a server."""
        self._crash_line = line
        self._stop_serving()
        self._wake.set()

    def _crashed(self) -> tuple[Stage, float | None]:
        """Note the end of a run; says what the pod is now."""
        crash = self.behaviour.crash
        code = crash.exit_code if crash else 1
        reason = crash.reason if crash else "Error"
        if self._crash_line:
            self.log.write(self._crash_line)
        self.log.write(f"Process ended with exit code {code} ({reason}) as it was told to")
        self.log.close()
        self._crash_line, self._began = None, None
        self._ended, self._crashed_at = dt.datetime.now(tz=dt.UTC), time.monotonic()
        if self.pod.restart_policy == "Never":
            return Stage.FAILED, None
        self._tell("BackOff", f"Back-off restarting failed container {self.pod.containers[0].name}", key=self.restarts)
        return Stage.CRASHED, backoff(self.restarts, self._ground.crash_backoff)

    async def _publish(self, stage: Stage) -> None:
        """Tell the status if it is another than the last one told."""
        self.stage = stage
        signature = (stage, self.restarts, self.gates_open if stage is Stage.READY else None)
        if signature == self._published:
            return
        if stage is Stage.PULL_ERROR:
            self._tell("Failed", f"Failed to pull image {self.pod.containers[0].image!r}: not found")
        run = Run(
            pod_started=self._pod_started,
            started=self._started,
            now=dt.datetime.now(tz=dt.UTC),
            restarts=self.restarts,
            ended=self._ended,
            backoff=backoff(self.restarts, self._ground.crash_backoff),
            address=self._ground.host_address if self.pod.host_network else self.address,
            host_address=self._ground.host_address,
        )
        if await self._ground.source.write_status(self.pod, status_of(self.pod, self.behaviour, stage, run)):
            self._published = signature

    def _tell(self, reason: str, message: str, key: int = 0) -> None:
        """Record a warning once, in the fleet's log and as an event."""
        mark = f"{reason}/{message}/{key}"
        if mark in self._told:
            return
        self._told.add(mark)
        LOG.warning("pod %s/%s: %s: %s", self.pod.namespace, self.pod.name, reason, message)
        task = asyncio.get_running_loop().create_task(self._ground.source.tell(self.pod, reason, message))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
