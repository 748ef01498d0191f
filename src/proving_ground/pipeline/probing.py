"""Whether the clusters of a platform still answer while checks run on them."""

from __future__ import annotations

import contextlib
import datetime as dt
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import yaml

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from proving_ground.contracts.platform import Cluster, Platform

# A check puts up with an API server that is away for twelve seconds; beyond that nothing can be judged.
PATIENCE = 15.0
_INTERVAL = 1.0
_TIMEOUT = 5.0
_SECOND_THOUGHTS = 3.0
_SERVER_ERROR = 500


@dataclass(frozen=True)
class Loss:
    """A cluster that does not answer any more.

    Attributes:
        name: Its name in platform.json.
        server: URL of its API server.
        problem: What asking it ended with.
        since: When it answered last, or when it was first asked.
    """

    name: str
    server: str
    problem: str
    since: dt.datetime

    @property
    def line(self) -> str:
        """One line for people."""
        return f"cluster {self.name} does not answer any more ({self.server}: {self.problem})"


@dataclass(frozen=True)
class Target:
    """Where an API server is asked.

    Attributes:
        server: Its URL.
        proxy: Proxy of the kubeconfig, if any.
    """

    server: str
    proxy: str | None = None


def target_of(cluster: Cluster) -> Target | None:
    """Return where a cluster is asked; None where its kubeconfig does not say, which checks tell better."""
    try:
        config: dict[str, Any] = yaml.safe_load(Path(cluster.kubeconfig).read_text(encoding="utf-8"))
        wanted = cluster.context or config["current-context"]
        context = next(entry["context"] for entry in config["contexts"] if entry["name"] == wanted)
        found = next(entry["cluster"] for entry in config["clusters"] if entry["name"] == context["cluster"])
        return Target(str(found["server"]).rstrip("/"), found.get("proxy-url") or None)
    except (OSError, ValueError, yaml.YAMLError, KeyError, TypeError, StopIteration):
        return None


def ask(target: Target) -> str:
    """Ask an API server whether it lives; return what is wrong, nothing if it answers.

    Any answer but a server error will do: one that refuses strangers lives, too
    (https://kubernetes.io/docs/reference/using-api/health-checks/).
    """
    import httpx  # noqa: PLC0415 - 0.2 s that only clusters need

    try:
        # No credentials are sent, and the answer is not believed any further: the certificate does not matter.
        with httpx.Client(verify=False, proxy=target.proxy, trust_env=False, timeout=_TIMEOUT) as client:  # noqa: S501
            status = client.get(f"{target.server}/livez").status_code
    except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
        return str(error) or type(error).__name__
    return f"status {status} of /livez" if status >= _SERVER_ERROR else ""


class ClusterWatch:
    """Asks every cluster of a platform again and again, in a thread, while the context lasts.

    Args:
        platform: The platform.
        patience: Seconds without an answer after which a cluster is lost.
        interval: Seconds between two rounds.
        asking: Asks one cluster.
    """

    def __init__(
        self,
        platform: Platform,
        *,
        patience: float = PATIENCE,
        interval: float = _INTERVAL,
        asking: Callable[[Target], str] = ask,
    ) -> None:
        targets = {name: target_of(cluster) for name, cluster in platform.clusters.items()}
        self._targets: Mapping[str, Target] = {name: target for name, target in targets.items() if target}
        self._patience = patience
        self._interval = interval
        self._asking = asking
        begin = (time.monotonic(), dt.datetime.now(dt.UTC))
        self._answered = dict.fromkeys(self._targets, begin)
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="clusters", daemon=True)
        self.lost: Loss | None = None

    def __enter__(self) -> Self:
        """Begin to ask."""
        if self._targets:
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End."""
        self._done.set()
        self.join()

    def join(self, seconds: float | None = None) -> None:
        """Wait until nothing is asked any more: a cluster was lost, or the context has ended."""
        if self._thread.is_alive():
            self._thread.join(seconds)

    def now(self) -> Loss | None:
        """Return the first cluster that does not answer now, also not when it is asked again."""
        deadline = time.monotonic() + _SECOND_THOUGHTS
        while (loss := self._first_silent()) is not None and time.monotonic() < deadline:
            self._done.wait(self._interval)
        return loss

    def _watch(self) -> None:
        while self.lost is None and not self._done.wait(self._interval):
            loss = self._first_silent()
            if loss is not None and time.monotonic() - self._answered[loss.name][0] > self._patience:
                self.lost = loss

    def _first_silent(self) -> Loss | None:
        first = None
        for name, target in self._targets.items():
            problem = "asking failed"
            with contextlib.suppress(Exception):
                problem = self._asking(target)
            if not problem:
                self._answered[name] = (time.monotonic(), dt.datetime.now(dt.UTC))
            elif first is None:
                first = Loss(name, target.server, problem, self._answered[name][1])
        return first
