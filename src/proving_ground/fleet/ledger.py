"""How often the metrics of a workload were read and what they told, also by pods that are gone."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from proving_ground.fleet.replica import Replica
    from proving_ground.fleet.views import Key

PODS_KEPT = 64
"""Pods of a workload whose samples are kept when they are gone; the oldest give way."""
SAMPLES_KEPT = 4096
"""Samples that are kept of each run of a pod's containers."""

Sample = tuple[float, dict[str, float]]
"""Unix time, and the values that were told by name."""


@dataclass(slots=True)
class Account:
    """The ended runs of a workload's pods."""

    scrapes: int = 0
    samples: dict[str, list[Sample]] = field(default_factory=dict)
    """By pod; the one whose run ended last is the last."""
    runs: dict[str, int] = field(default_factory=dict)
    """Scrapes in ended runs, by pod."""


def scrapes_of(replica: Replica) -> int:
    """Return how often the metrics of a replica were read."""
    return sum(history.scrapes for history in replica.histories)


def samples_of(replica: Replica, since: float | None = None) -> list[Sample]:
    """Return what the metrics of a replica told, oldest first."""
    found = [sample for history in replica.histories for sample in history.samples(since)]
    found.sort(key=lambda sample: sample[0])
    return found


class Ledger:
    """Keeps the accounts of all workloads."""

    def __init__(self) -> None:
        self._accounts: dict[Key, Account] = {}

    def close(self, workload: Key, pod: str, replica: Replica) -> None:
        """Take over what a replica counted whose run has ended."""
        scrapes = scrapes_of(replica)
        if not scrapes:
            return
        account = self._accounts.setdefault(workload, Account())
        account.scrapes += scrapes
        account.runs[pod] = account.runs.pop(pod, 0) + scrapes
        samples = account.samples.pop(pod, []) + samples_of(replica)
        account.samples[pod] = samples[-SAMPLES_KEPT:]
        while len(account.samples) > PODS_KEPT:
            oldest = next(iter(account.samples))
            del account.samples[oldest]
            del account.runs[oldest]

    def forget(self, namespace: str) -> None:
        """Forget all workloads of a namespace."""
        for key in [key for key in self._accounts if key[0] == namespace]:
            del self._accounts[key]

    def scrapes(self, workload: Key, replicas: Iterable[Replica]) -> tuple[int, dict[str, int]]:
        """Count how often the metrics of a workload were read.

        Args:
            workload: The workload.
            replicas: Its live replicas.

        Returns:
            The sum over all pods that there ever were, and the number of each that is live.
        """
        account = self._accounts.get(workload, Account())
        live = {replica.name: scrapes_of(replica) for replica in replicas}
        total = account.scrapes + sum(live.values())
        return total, {name: number + account.runs.get(name, 0) for name, number in live.items()}

    def history(self, workload: Key, replicas: Iterable[Replica], since: float | None) -> dict[str, list[Sample]]:
        """Return what the metrics of a workload told, by pod, also of pods that are gone."""
        account = self._accounts.get(workload, Account())
        found = {
            name: [sample for sample in samples if since is None or sample[0] >= since]
            for name, samples in account.samples.items()
        }
        for replica in replicas:
            found[replica.name] = found.get(replica.name, []) + samples_of(replica, since)
        return found
