"""What AIPerf is to send, and how that is told to it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from proving_ground.errors import ConfigurationError
from proving_ground.load.measured.plan import LONGEST, MOST_RATE, MOST_REQUESTS, MOST_TOKENS, MOST_USERS
from proving_ground.load.targets import check_target

if TYPE_CHECKING:
    from pathlib import Path

    from proving_ground.load.measured.slos import Slo

MOST_AT_ONCE = 1000
"""Requests of an open loop that are under way at once, at most."""
_OBJECTIVES = {"ttft": "time_to_first_token", "tpot": "inter_token_latency", "e2e": "request_latency"}


@dataclass(frozen=True)
class Plan:
    """What is sent.

    Attributes:
        url: Base URL of the server, without ``/v1``.
        model: Model that is asked.
        users: Requests that are under way at once (closed loop).
        rate: Requests per second (open loop), in place of users.
        arrivals: How those come.
        seconds: How long is measured.
        warm_up: Seconds before that, in which nothing is measured.
        drain: Seconds that requests have to end afterwards.
        prompt_tokens: Tokens of each prompt, by the tokenizer.
        max_tokens: Tokens of every answer, at most.
        streamed: Whether answers are streamed; only then there are times of tokens.
        api: Which of the two calls is used.
        tokenizer: Name or folder of one; empty: one is made on the spot, and the server counts tokens in any case.
        pooled: Whether connections are used again.
        seed: What random choices begin with.
        timeout: Seconds after which a request has failed.
        slos: Objectives, for the goodput too.
        token: Bearer token; empty: none.
        ca: File with certificates of whom to trust, for https.
        allowed: Hosts beside loopback that load may be sent to.

    Raises:
        ConfigurationError: From `check`: something is out of its bounds.
    """

    url: str
    model: str
    users: int = 10
    rate: float | None = None
    arrivals: Literal["constant", "poisson"] = "poisson"
    seconds: float = 30.0
    warm_up: float = 1.0
    drain: float = 30.0
    prompt_tokens: int = 64
    max_tokens: int = 64
    streamed: bool = True
    api: Literal["chat", "completions"] = "chat"
    tokenizer: str = ""
    pooled: bool = True
    seed: int = 1
    timeout: float = 120.0
    slos: tuple[Slo, ...] = ()
    token: str = ""
    ca: str | None = None
    allowed: tuple[str, ...] = ()

    @property
    def closed(self) -> bool:
        """Whether a fixed number of requests is under way."""
        return self.rate is None

    @property
    def value(self) -> float:
        """Users, or requests per second."""
        return float(self.users) if self.rate is None else self.rate

    def check(self) -> Plan:
        """Return it, if it is within its bounds.

        Raises:
            ConfigurationError: It is not, or the URL may not be loaded.
        """
        check_target(self.url, self.allowed)
        for name, value, least, most in (
            ("users", self.users, 1, MOST_USERS),
            ("requests per second", 1.0 if self.rate is None else self.rate, 0.01, MOST_RATE),
            ("a duration", self.seconds, 1.0, LONGEST),
            ("a warm-up", self.warm_up, 0.0, LONGEST),
            ("a drain", self.drain, 0.0, LONGEST),
            ("tokens of a prompt", self.prompt_tokens, 1, 100_000),
            ("tokens of an answer", self.max_tokens, 1, MOST_TOKENS),
            ("a seed", self.seed, 0, 2**32 - 1),
            ("a timeout", self.timeout, 0.1, LONGEST),
        ):
            if not (math.isfinite(value) and least <= value <= most):
                raise ConfigurationError(f"expected {name} from {least:g} to {most:g}, found {value:g}")
        if self.seconds + self.warm_up > LONGEST:
            raise ConfigurationError(
                f"expected at most {LONGEST:g} s with warm-up, found {self.seconds + self.warm_up:g}"
            )
        if self.rate is not None and self.rate * (self.seconds + self.warm_up) > MOST_REQUESTS:
            raise ConfigurationError(f"expected at most {MOST_REQUESTS} requests, found more")
        if any(slo.latency == "itl" for slo in self.slos):
            raise ConfigurationError(
                "aiperf does not tell the longest gap of a request",
                where="itl",
                hint="state tpot, or use proving-ground test --suite load",
            )
        return self


def words(plan: Plan, tokenizer: str, folder: Path) -> list[str]:
    """Return the arguments of aiperf; the token is none of them, for all on the machine can read them."""
    if plan.rate is None:
        load = {"--concurrency": str(plan.users)}
    else:
        load = {
            "--request-rate": f"{plan.rate:g}",
            "--arrival-pattern": plan.arrivals,
            "--concurrency": str(MOST_AT_ONCE),
        }
    limits: dict[str, float] = {}
    for slo in plan.slos:
        if slo.latency:
            name = _OBJECTIVES[slo.latency]
            limits[name] = min(slo.value, limits.get(name, math.inf))
    options = {
        "--model": plan.model,
        "--url": plan.url,
        "--endpoint-type": plan.api,
        **load,
        "--benchmark-duration": f"{plan.seconds:g}",
        "--benchmark-grace-period": f"{plan.drain:g}",
        **(
            {"--warmup-duration": f"{plan.warm_up:g}", "--warmup-grace-period": f"{plan.drain:g}"}
            if plan.warm_up
            else {}
        ),
        "--isl": str(plan.prompt_tokens),
        # Every server knows this name; of the newer one that does not hold.
        "--extra-inputs": f"max_tokens:{plan.max_tokens}",
        "--request-timeout-seconds": f"{plan.timeout:g}",
        "--connection-reuse-strategy": "pooled" if plan.pooled else "never",
        "--tokenizer": tokenizer,
        "--random-seed": str(plan.seed),
        **({"--goodput": " ".join(f"{name}:{value:g}" for name, value in limits.items())} if limits else {}),
        "--artifact-dir": str(folder),
        "--ui": "none",
    }
    # Load goes to the server, and nothing elsewhere.
    switches = ["--use-server-token-count", "--no-gpu-telemetry", "--no-server-metrics"]
    return [
        "profile",
        *(word for pair in options.items() for word in pair),
        *(["--streaming"] * plan.streamed),
        *switches,
    ]
