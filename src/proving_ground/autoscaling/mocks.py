"""Steering the mocks that an autoscaler scrapes, and seeing that it did scrape them."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING

import aiohttp

from proving_ground.autoscaling.mock_access import Access, FleetAccess, MockRefusedError, PodAccess, Sample
from proving_ground.kube import WaitTimeoutError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from proving_ground.autoscaling.cadence import Cadence
    from proving_ground.contracts.platform import Platform
    from proving_ground.kube import Cluster
    from proving_ground.plugin.check_run import CheckRun

__all__ = ["MockControl", "MockRefusedError", "Sample", "have_passed", "mock_control", "rounds"]

FLEET = "fleet_control"
DIRECT = "mocks"
"""Endpoint of platforms on which the pods' own addresses can be reached; its ``via`` is the proxy, if there is one."""
_SHORTEST = 0.02


class MockControl:
    """The mocks of one namespace.

    What is set holds for every pod of a workload, also for those that come later. A workload is named by its
    Deployment, StatefulSet or ReplicaSet, a bare pod by its own name.

    Args:
        access: How they are reached.
        check: The check, whose settings cut waits.
        cadence: How often the autoscaler scrapes.
    """

    def __init__(self, access: Access, check: CheckRun, cadence: Cadence) -> None:
        self.check = check
        self.cadence = cadence
        self._access = access

    async def set(self, workload: str, *, container: str = "", **values: float | str) -> dict[str, str]:
        """Set metrics: ``gpu_cache=85, requests_running=25``, ``gpu_util=90``, ``query="up", value=1``.

        Args:
            workload: Whose mocks.
            container: Only this container's mock; all if empty.
            **values: The parameters of the mock's ``/set``.

        Returns:
            What each pod's mock said, by the name of the pod.

        Raises:
            MockRefusedError: A value makes no sense; nothing was changed.
        """
        return await self._change(workload, "set", container, **values)

    async def set_pod(self, pod: str, *, container: str = "", **values: float | str) -> dict[str, str]:
        """Set metrics of one pod only."""
        return await self._access.change_pod(pod, "set", _texts(values), container)

    async def set_pattern(
        self, workload: str, mode: str, *, duration: float | None = None, container: str = ""
    ) -> dict[str, str]:
        """Let the learning mock show a pattern: normal, kv_pressure, batch_spike, traffic_drain.

        Args:
            workload: Whose mocks.
            mode: The pattern.
            duration: Real seconds; the mock's default if absent.
            container: Only this container's mock; all if empty.
        """
        return await self._change(workload, "set_pattern", container, mode=mode, duration=duration)

    async def set_time(
        self,
        workload: str,
        *,
        hour: int | None = None,
        day: int | None = None,
        minute: int | None = None,
        speed: float | None = None,
        since: float | None = None,
        container: str = "",
    ) -> dict[str, str]:
        """Set the learning mock's time of the week.

        Args:
            workload: Whose mocks.
            hour: Hour of the day.
            day: Day of the week.
            minute: Minute of the hour.
            speed: Simulated seconds in a real one; 0: the clock stands still.
            since: Real unix seconds when it was that time; now if absent.
            container: Only this container's mock; all if empty.
        """
        values = {"hour": hour, "day": day, "minute": minute, "speed": speed}
        # All digits: a moment is a large number.
        moment = None if since is None else f"{since:.3f}"
        return await self._change(workload, "set_time", container, **values, since=moment)

    async def set_noise(self, workload: str, amplitude: float, *, container: str = "") -> dict[str, str]:
        """Scale the learning mock's noise; 0: none, 1: as upstream's."""
        return await self._change(workload, "set_noise", container, amplitude=amplitude)

    async def set_failure(
        self, workload: str, mode: str, *, delay: float | None = None, container: str = ""
    ) -> dict[str, str]:
        """Let metrics endpoints fail: none, unavailable, reset, slow (after a delay in seconds), malformed, empty."""
        return await self._change(workload, "set_failure", container, mode=mode, delay=delay)

    async def set_failure_pod(self, pod: str, mode: str, *, delay: float | None = None) -> dict[str, str]:
        """Let the metrics endpoints of one pod fail."""
        return await self._access.change_pod(pod, "set_failure", _texts({"mode": mode, "delay": delay}), "")

    async def history(self, workload: str, since: float = 0.0) -> dict[str, list[Sample]]:
        """Return what each pod told at each scrape since a moment (real unix seconds), oldest first."""
        return await self._access.history(workload, since)

    async def scrapes(self, workload: str) -> dict[str, int]:
        """Return how often each pod of a workload was scraped so far."""
        return await self._access.scrapes(workload)

    async def wait_reconciles(self, workload: str, count: int = 1, *, per_round: int = 1) -> int:
        """Wait until the autoscaler has done so many more whole reconciles of a scaler that scrapes a workload.

        A reconcile scrapes each ready pod once, and begins when the one before has ended. So what `count` of them did
        is there once the scrape after them is seen; see :func:`have_passed`.

        Args:
            workload: What is scraped.
            count: How many.
            per_round: Scrapes of a pod in one reconcile: more than one where several sources read the same mock.

        Returns:
            The rounds of the pod that saw most.

        Raises:
            WaitTimeoutError: They did not come in time.
        """
        before = await self.scrapes(workload)
        limit = self.check.settings.cut(self.cadence.patience(count + 1))
        started = time.monotonic()
        pause = max(_SHORTEST, self.cadence.reconcile / 3)
        while True:
            now = await self.scrapes(workload)
            if have_passed(before, now, count, per_round):
                return rounds(before, now) // per_round
            if time.monotonic() - started >= limit:
                raise WaitTimeoutError(
                    f"waited {limit:.1f} s for {count} reconciles that scrape {workload}; "
                    f"scrapes of its pods: before {_told(before)}, now {_told(now)}"
                )
            await asyncio.sleep(pause)

    async def _change(self, workload: str, path: str, container: str, **values: float | str | None) -> dict[str, str]:
        texts = _texts(values)
        said = await self._access.change(workload, path, texts, container)
        self.check.note("mock", workload, " ".join([path, *(f"{k}={v}" for k, v in texts.items())]))
        return said


@contextlib.asynccontextmanager
async def mock_control(
    platform: Platform, cluster: Cluster, check: CheckRun, namespace: str, cadence: Cadence
) -> AsyncIterator[MockControl]:
    """Give control of the mocks of a namespace: through the fleet where the platform has one, else pod by pod."""
    async with aiohttp.ClientSession() as client:
        access: Access
        if FLEET in platform.endpoints:
            access = FleetAccess(client, platform.endpoints[FLEET].url, namespace)
        else:
            access = PodAccess(cluster, namespace, client, platform.endpoints.get(DIRECT))
        try:
            yield MockControl(access, check, cadence)
        finally:
            await access.close()


def rounds(before: Mapping[str, int], now: Mapping[str, int]) -> int:
    """Return how many rounds of scrapes were seen between two counts: those of the pod that saw most.

    A pod that came meanwhile was scraped from zero; one that went is no witness any more.
    """
    return max((count - before.get(pod, 0) for pod, count in now.items()), default=0)


def have_passed(before: Mapping[str, int], now: Mapping[str, int], count: int, per_round: int = 1) -> bool:
    """Tell from the scrapes of each pod whether so many whole reconciles lie between two moments.

    One under way at the first moment may have scraped some pods before it and others after it. So either every pod
    that is still scraped has seen one scrape more, or some pod two more.
    """
    gained = [gain for pod, number in now.items() if (gain := number - before.get(pod, 0)) > 0]
    return bool(gained) and (min(gained) >= (count + 1) * per_round or max(gained) >= (count + 2) * per_round)


def _texts(values: Mapping[str, float | str | None]) -> dict[str, str]:
    """Return query parameters; numbers as short as they can be without losing anything."""
    return {
        name: value if isinstance(value, str) else f"{value:.12g}"
        for name, value in values.items()
        if value is not None
    }


def _told(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{pod} {count}" for pod, count in sorted(counts.items())) or "none"
