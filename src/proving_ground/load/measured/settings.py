"""What the suite `load` is told: parameters of a server's system that begin with ``load_``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pydantic
from pydantic import Field

from proving_ground.contracts.base import Contract
from proving_ground.errors import ConfigurationError
from proving_ground.load.measured.plan import Arrivals, Level, Plan, steps
from proving_ground.load.measured.slos import Slo, parse_slos
from proving_ground.load.pods.manifests import IMAGE, check_image

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

PREFIX = "load_"


class LoadSettings(Contract):
    """How the suite loads a server, and what it must bear at least; wide, so that any sound server does.

    Attributes:
        duration: Seconds that one load is measured.
        users: Users of the steady load.
        spawn_rate: Users that are added in a second.
        arrivals: ``closed``, or how requests of the steady load arrive.
        rate: Arrivals per second, of the open loop.
        burst_users: Users that ask nearly without a pause.
        steps: Users of each step, for the knee.
        processes: Processes that share the load.
        worker_pods: Pods of the platform's cluster that share it in their place; 0: it is made here.
        worker_image: Image of these pods.
        worker_url: Base URL of the server as these pods see it; empty: the one of the platform.
        worker_start: Seconds in which all of them have to run.
        max_tokens: Tokens of each answer; absent: as the question has it.
        warm_up: Seconds before anything is measured; absent: until all users are there, and a second.
        drain: Seconds that requests have to end after the load.
        time_error: Milliseconds by which times may be wrong in one case of a hundred; with more a load is invalid.
        api: Which of the two calls is used.
        error_rate: Part of the requests that may fail.
        good_share: Part of the requests of an open loop that must keep the objectives.
        ttft_p99: Most milliseconds to the first token, of 99 requests in 100.
        itl_p99: Most milliseconds between two tokens, of 99 gaps in 100.
        tpot_p95: Most milliseconds for a token after the first, of 95 requests in 100.
        e2e_p95: Most milliseconds for an answer, of 95 requests in 100.
        growth: Times as many tokens per second as at the first step there are up to the knee, at least: a server
            that one user keeps busy does not get faster, but neither slower.
        slos: Further objectives for the steady load, as ``ttft_p99=200ms,error_rate=1%``.
        hosts: The only hosts beside loopback that load may be sent to; absent: those of the platform.
    """

    duration: float = 10.0
    users: int = 4
    spawn_rate: float = 4.0
    arrivals: Arrivals = "closed"
    rate: float = 2.0
    burst_users: int = 16
    steps: tuple[int, ...] = (1, 2, 4, 8)
    processes: int = 1
    worker_pods: int = 0
    worker_image: str = IMAGE
    worker_url: str = ""
    worker_start: float = Field(default=180.0, gt=0, le=3600)
    max_tokens: int | None = None
    warm_up: float | None = None
    drain: float = 30.0
    time_error: float = Field(default=10.0, gt=0)
    api: str = "chat"
    error_rate: float = 0.05
    good_share: float = 0.9
    ttft_p99: float = Field(default=5000.0, gt=0)
    itl_p99: float = Field(default=800.0, gt=0)
    tpot_p95: float = Field(default=400.0, gt=0)
    e2e_p95: float = Field(default=30_000.0, gt=0)
    growth: float = 0.8
    slos: str = ""
    hosts: tuple[str, ...] | None = None

    @classmethod
    def of(cls, parameters: Mapping[str, Any], *, system: str = "inference") -> LoadSettings:
        """Read them from the parameters of a system; others than ``load_*`` are not of here.

        Raises:
            ConfigurationError: One of them does not fit.
        """
        own = {name.removeprefix(PREFIX): value for name, value in parameters.items() if name.startswith(PREFIX)}
        try:
            return cls.model_validate(own)
        except pydantic.ValidationError as error:
            first = error.errors(include_url=False, include_context=False)[0]
            name = ".".join(str(part) for part in first["loc"])
            raise ConfigurationError(str(first["msg"]), where=f"parameter {PREFIX}{name} of system {system}") from None

    @property
    def objectives(self) -> tuple[Slo, ...]:
        """What one request must keep to be a good one."""
        return tuple(
            Slo(metric=name, kind="at_most", value=float(getattr(self, name)))
            for name in ("ttft_p99", "tpot_p95", "e2e_p95")
        )

    @property
    def compared(self) -> dict[str, Any]:
        """What decides what is measured, for a comparison with earlier runs."""
        left_out = {"hosts", "slos", "worker_image", "worker_start"}
        left_out |= set() if self.worker_pods else {"worker_pods", "worker_url"}
        return self.model_dump(mode="json", exclude=left_out)

    def level(self, value: float) -> tuple[Level, ...]:
        """Return one level."""
        return (Level(value=value, seconds=self.duration, warm_up=self.warm_up),)

    def plan(self, url: str, model: str, *, hosts: Iterable[str] = (), **more: Any) -> Plan:
        """Return the plan of the steady load.

        Args:
            url: Base URL of the server.
            model: Model that is asked.
            hosts: Hosts of the platform.
            more: What another load has instead.

        Raises:
            ConfigurationError: It is out of its bounds, or an objective is none.
        """
        if self.worker_pods:
            check_image(self.worker_image)
        steady = self.level(self.users if self.arrivals == "closed" else self.rate)
        return Plan(
            **{
                "url": (self.worker_pods and self.worker_url) or url,
                "model": model,
                "arrivals": self.arrivals,
                "levels": steady,
                "spawn_rate": self.spawn_rate,
                "processes": self.processes,
                "worker_pods": self.worker_pods,
                "max_tokens": self.max_tokens,
                "drain": self.drain,
                "api": self.api,
                "time_error": self.time_error / 1000,
                "slos": parse_slos(self.slos) or self.objectives,
                "allowed": tuple(sorted(hosts if self.hosts is None else self.hosts)),
                **more,
            }
        ).check()

    def rising(self) -> tuple[Level, ...]:
        """Return the levels among which the knee is looked for."""
        return steps(tuple(float(users) for users in self.steps), self.duration, warm_up=self.warm_up)
