"""What load to send, and how: the hand-over to the processes that send it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from proving_ground.contracts.base import Contract
from proving_ground.errors import ConfigurationError
from proving_ground.load.measured.slos import Slo
from proving_ground.load.targets import check_target, is_loopback

LONGEST = 600.0
"""Seconds."""
MOST_USERS = 1000
MOST_RATE = 5000.0
"""Arrivals per second."""
MOST_REQUESTS = 1_000_000
MOST_LEVELS = 20
MOST_PROCESSES = 16
MOST_PODS = 100
MOST_TOKENS = 4096
Arrivals = Literal["closed", "constant", "poisson"]
Profile = Literal["inference", "burst", "busy"]


class Level(Contract):
    """Load that stays the same for a while.

    Attributes:
        value: Users (closed loop) or arrivals per second (open loop).
        seconds: How long is measured.
        warm_up: Seconds before that, in which nothing is measured; absent: until all users are there, and a second.
    """

    value: float
    seconds: float
    warm_up: float | None = None


class Plan(Contract):
    """What to send.

    Attributes:
        url: Base URL of the server, without ``/v1``.
        model: Model that is asked.
        arrivals: ``closed``: so many users, each waiting for its answers. Else requests begin at given times
            whether others have ended or not, at equal distances or as a Poisson process.
        levels: One after the other.
        spawn_rate: Users that are added in a second (closed loop).
        profile: What users do: ``inference`` mixes short, medium and long questions and waits between them,
            ``burst`` waits hardly at all, ``busy`` asks medium questions without a pause.
        streamed: Whether answers are streamed; only then there are times of tokens.
        api: Which of the two calls is used.
        max_tokens: Tokens of every answer; absent: as the question has it.
        slos: Objectives, for the goodput and the knee.
        processes: Processes that share the load.
        worker_pods: Pods of a cluster that share it in place of processes; 0: it is made here.
        seed: What random choices begin with.
        drain: Seconds that requests have to end after the load; those that do not have failed.
        timeout: Seconds after which a request has failed.
        allowed: Hosts beside loopback that load may be sent to.
        ca: File with certificates of whom to trust, for https.
        auth: File with a bearer token.
        time_error: Seconds by which measured times may be wrong in one case of a hundred; with more the load is
            invalid.
        stamps: Read the times that a server of ours puts into its events; to measure this client.

    Raises:
        ConfigurationError: From `check`: something is out of its bounds.
    """

    url: str
    model: str = ""
    arrivals: Arrivals = "closed"
    levels: tuple[Level, ...] = Field(min_length=1)
    spawn_rate: float = 10.0
    profile: Profile = "inference"
    streamed: bool = True
    api: Literal["chat", "completions"] = "chat"
    max_tokens: int | None = None
    slos: tuple[Slo, ...] = ()
    processes: int = 1
    worker_pods: int = 0
    seed: int = 1
    drain: float = 30.0
    timeout: float = 120.0
    allowed: tuple[str, ...] = ()
    ca: str | None = None
    auth: str | None = None
    time_error: float = 0.002
    stamps: bool = False

    @model_validator(mode="after")
    def _fill(self) -> Plan:
        filled = tuple(
            level if level.warm_up is not None else level.model_copy(update={"warm_up": self._warm_up(level, before)})
            for level, before in zip(self.levels, (None, *self.levels), strict=False)
        )
        object.__setattr__(self, "levels", filled)
        return self

    def _warm_up(self, level: Level, before: Level | None) -> float:
        added = abs(level.value - (before.value if before else 0)) if self.closed else 0.0
        return added / max(self.spawn_rate, 0.1) + min(1.0, level.seconds / 5)

    @property
    def closed(self) -> bool:
        """Whether a fixed number of users waits for answers."""
        return self.arrivals == "closed"

    @property
    def parts(self) -> int:
        """How many processes share the load, wherever they run."""
        return self.worker_pods or self.processes

    @property
    def total_seconds(self) -> float:
        """How long all levels last together."""
        return sum(level.seconds + (level.warm_up or 0.0) for level in self.levels)

    def check(self) -> Plan:
        """Return it, if it is within its bounds.

        Raises:
            ConfigurationError: It is not, or the URL may not be loaded.
        """
        self._check_place()
        pods = max(self.worker_pods, 1)
        what, most = ("users", MOST_USERS * pods) if self.closed else ("arrivals per second", MOST_RATE * pods)
        for level in self.levels:
            if not 0 < level.value <= most or (self.closed and level.value != int(level.value)):
                raise ConfigurationError(f"expected {what} above 0 and up to {most:g}, found {level.value:g}")
            if not (level.seconds > 0 and (level.warm_up or 0.0) >= 0):
                raise ConfigurationError(f"expected a duration above 0 s, found {level.seconds:g}")
        if self.total_seconds > LONGEST:
            raise ConfigurationError(
                f"expected at most {LONGEST:g} s with warm-up, found {self.total_seconds:g}",
                hint="a shorter duration, or a higher spawn rate",
            )
        arrivals = sum(level.value * (level.seconds + (level.warm_up or 0.0)) for level in self.levels)
        if not self.closed and arrivals > MOST_REQUESTS * pods:
            raise ConfigurationError(f"expected at most {MOST_REQUESTS * pods} requests, found {arrivals:.0f}")
        for name, value, least, largest in (
            ("spawn rate", self.spawn_rate, 0.1, 1000.0),
            ("processes", self.processes, 1, MOST_PROCESSES),
            ("worker pods", self.worker_pods, 0, MOST_PODS),
            ("tokens", 1 if self.max_tokens is None else self.max_tokens, 1, MOST_TOKENS),
            ("levels", len(self.levels), 1, MOST_LEVELS),
            ("drain", self.drain, 0, LONGEST),
            ("timeout", self.timeout, 0.1, LONGEST),
            ("time error", self.time_error, 0.0001, 1.0),
        ):
            if not least <= value <= largest:
                raise ConfigurationError(f"expected {name} from {least:g} to {largest:g}, found {value:g}")
        return self

    def _check_place(self) -> None:
        """Refuse a server that may not be loaded, or not from where the load is made."""
        host = check_target(self.url, self.allowed).hostname or ""
        if not self.worker_pods:
            return
        if self.processes != 1:
            raise ConfigurationError(
                f"expected worker pods or processes, found {self.worker_pods} and {self.processes}",
                hint="each worker pod is one process",
            )
        if is_loopback(host):
            raise ConfigurationError(
                f"{host} is not reached from worker pods: each of them has its own",
                hint="give the server's URL as pods of the cluster see it: --worker-url, parameter load_worker_url",
            )


def steps(values: tuple[float, ...], seconds: float, *, warm_up: float | None = None) -> tuple[Level, ...]:
    """Return levels of the same length."""
    return tuple(Level(value=value, seconds=seconds, warm_up=warm_up) for value in values)


def ramp(first: float, last: float, seconds: float, *, count: int = 10, whole: bool = True) -> tuple[Level, ...]:
    """Return a rise in equal steps without pauses between them.

    Args:
        first: Value of the first step.
        last: Value of the last step.
        seconds: How long all of it takes.
        count: Steps; fewer where whole values would repeat.
        whole: Whether values are users, of which there are whole ones only.
    """
    values = [first + (last - first) * index / max(count - 1, 1) for index in range(count)]
    values = list(dict.fromkeys(float(round(value)) if whole else round(value, 6) for value in values))
    return steps(tuple(values), seconds / len(values), warm_up=0.0)
