"""locust's users: what one person who waits for answers does, and the one that sends at given times."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import gevent  # type: ignore[import-untyped]
from gevent.pool import Group  # type: ignore[import-untyped]
from locust import User, between, constant, task
from locust.exception import StopUser

from proving_ground.load.measured.answer import Answer
from proving_ground.load.measured.arrivals import arrival_times
from proving_ground.load.measured.connection import Connection, Target
from proving_ground.load.measured.questions import HEALTH, Questions
from proving_ground.load.measured.recorder import Recorder, now

if TYPE_CHECKING:
    from proving_ground.load.measured.client_health import ClientHealth
    from proving_ground.load.measured.plan import Plan

MOST_UNDER_WAY = 1000
_PAUSE = 0.05
"""Seconds after a request that failed: a server that refuses at once is not hammered."""


class Session:
    """What all users of a process share.

    Args:
        plan: What is sent.
        token: Bearer token, or nothing.
        index: Which of the processes this is.
        count: How many there are.
        health: Watches this process.
        began: When the load begins.
    """

    def __init__(self, plan: Plan, token: str, index: int, count: int, health: ClientHealth, began: float) -> None:
        self.plan = plan
        self.index = index
        self.count = count
        self.target = Target(plan.url, plan.ca)
        self.questions = Questions(plan, token, first=index * 10_000_000)
        self.health = health
        self.recorder = Recorder(plan, began)
        self.under_way = 0
        self.interrupted = False

    def ask(self, kind: str, connection: Connection, environment: Any, scheduled: float | None = None) -> bool:
        """Send one request, take note of what came of it, and tell whether it was good.

        Args:
            kind: Which question.
            connection: Over which it goes.
            environment: locust's.
            scheduled: When it had to be sent; absent: now.
        """
        question, request = self.questions.next(kind)
        answer = Answer(streamed=question.streamed, read_sent=self.plan.stamps)
        at, problem = scheduled, ""
        self.under_way += 1
        try:
            connection.exchange(request, answer, self.plan.timeout)
        except TimeoutError as error:
            problem = str(error)
        except (OSError, ValueError) as error:
            problem = getattr(error, "strerror", None) or str(error) or type(error).__name__
        except gevent.GreenletExit:
            if not self.interrupted:
                at = answer.begin or now() if at is None else at
                self.recorder.failed(at, f"no end {self.plan.drain:g} s after the load")
            raise
        finally:
            self.under_way -= 1
        at = answer.begin if at is None else at
        if question.generates:
            problem = problem or answer.problem()
            if problem:
                self.recorder.failed(at, problem)
            else:
                self.recorder.answered(at, answer)
        else:
            problem = problem or ("" if answer.status in {200, 404} else f"health: status {answer.status}")
            self.recorder.health(at, problem)
        environment.events.request.fire(
            request_type="POST" if question.generates else "GET",
            name=kind,
            response_time=max(0.0, answer.end - at) * 1000,
            response_length=0,
            exception=RuntimeError(problem) if problem else None,
            context={},
        )
        return not problem


class MeasuringUser(User):
    """A user with a connection of its own."""

    abstract = True
    environment: Any

    def on_start(self) -> None:
        """Prepare a connection."""
        self.session: Session = self.environment.measuring
        self.connection = Connection(self.session.target, self.session.health)

    def on_stop(self) -> None:
        """Close it."""
        self.connection.close()

    def ask(self, kind: str) -> None:
        """Send one request."""
        if not self.session.ask(kind, self.connection, self.environment):
            gevent.sleep(_PAUSE)


class InferenceUser(MeasuringUser):
    """Asks mostly short questions, and thinks between them."""

    wait_time = between(0.5, 2.0)

    @task(10)
    def short(self) -> None:
        """Ask a short question."""
        self.ask("short")

    @task(5)
    def medium(self) -> None:
        """Ask for a paragraph."""
        self.ask("medium")

    @task(2)
    def long(self) -> None:
        """Ask for a page."""
        self.ask("long")

    @task(1)
    def health(self) -> None:
        """Ask whether the server is well."""
        self.ask(HEALTH)


class BurstUser(MeasuringUser):
    """Asks short questions one after the other."""

    wait_time = between(0.1, 0.5)

    @task
    def short(self) -> None:
        """Ask a short question."""
        self.ask("short")


class BusyUser(MeasuringUser):
    """Asks without a pause."""

    wait_time = constant(0)

    @task
    def medium(self) -> None:
        """Ask for a paragraph."""
        self.ask("medium")


USERS: dict[str, type[MeasuringUser]] = {"inference": InferenceUser, "burst": BurstUser, "busy": BusyUser}
_KINDS = {"inference": ("short",) * 10 + ("medium",) * 5 + ("long",) * 2, "burst": ("short",), "busy": ("medium",)}


class ArrivingUser(User):
    """Sends requests at given times, whether others have been answered or not."""

    environment: Any

    @task
    def arrive(self) -> None:
        """Send all of them, and wait for their answers."""
        session: Session = self.environment.measuring
        kinds, began = _KINDS[session.plan.profile], session.recorder.began
        idle: list[Connection] = []
        group = Group()
        try:
            for number, offset in enumerate(arrival_times(session.plan, index=session.index, count=session.count)):
                scheduled = began + offset
                gevent.sleep(max(0.0, scheduled - now()))
                # The mix is exact and not drawn: two runs of a plan send the same.
                kind = kinds[(number * 7) % len(kinds)]
                group.spawn(self._one, session, kind, idle, scheduled)
            group.join(timeout=session.plan.drain)
        finally:
            group.kill()
            for connection in idle:
                connection.close()
        raise StopUser

    def _one(self, session: Session, kind: str, idle: list[Connection], scheduled: float) -> None:
        session.health.sent(now() - scheduled)
        # A server that falls behind by so many is told by its latencies, which count from the scheduled time.
        while session.under_way >= MOST_UNDER_WAY:
            gevent.sleep(0.005)
        connection = idle.pop() if idle else Connection(session.target, session.health)
        try:
            session.ask(kind, connection, self.environment, scheduled)
        finally:
            idle.append(connection)
