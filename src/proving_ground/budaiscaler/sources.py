"""Reads the metrics sources of a scaler, each in the way of its type."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit, urlunsplit

from proving_ground.budaiscaler import metrics_api, pages
from proving_ground.budaiscaler.engines import EngineMetric, engine_metrics
from proving_ground.budaiscaler.pages import PageError
from proving_ground.budaiscaler.scraping import ScrapeError
from proving_ground.budaiscaler.source_spec import value_problem

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from proving_ground.budaiscaler.source_spec import Source
    from proving_ground.budaiscaler.world import PodFact, WorkloadFact, World
    from proving_ground.kube.operator_api import Api

RETRY_SECONDS = 0.1
"""After a lost connection: by then a watch has told whether the pod has gone."""

LONGEST_PROBLEM = 400
"""Characters of a message about a source."""


class Pages(Protocol):
    """Where pages come from."""

    async def page(
        self,
        url: str,
        *,
        source: str,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
    ) -> str:
        """Return what an endpoint answers, or raise ScrapeError."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What a source gave.

    Attributes:
        value: The value, or None.
        problem: Why there is none: the source, the pod and the cause; for people.
        pages: The pages of the pods that it was read from.
    """

    value: float | None
    problem: str = ""
    pages: tuple[str, ...] = ()


class UnusableError(Exception):
    """A source has no usable value; the message says why."""


class Reader:
    """Reads sources.

    Args:
        scraper: Requests to endpoints.
        api: Requests to the API server, for the metrics APIs.
        world: The pods that there are.
    """

    def __init__(self, scraper: Pages, api: Api, world: World) -> None:
        self._scraper = scraper
        self._api = api
        self._world = world

    async def read(self, source: Source, workload: WorkloadFact) -> Reading:
        """Return the value of a source for a workload, or why there is none."""
        try:
            reading = await self._read(source, workload)
        except (UnusableError, PageError, ScrapeError, metrics_api.MetricsApiError) as error:
            return Reading(None, f"{source.type} source {source.metric or source.query}: {error}"[:LONGEST_PROBLEM])
        if reading.value is not None and (problem := value_problem(source, reading.value)):
            return Reading(None, f"{source.type} source: {problem}", reading.pages)
        return reading

    async def _read(self, source: Source, workload: WorkloadFact) -> Reading:
        match source.type:
            case "pod":
                return await self._pods(source, workload, (EngineMetric(source.metric),))
            case "inferenceEngine":
                try:
                    metrics = engine_metrics(source.engine, source.metric)
                except ValueError as error:
                    raise UnusableError(str(error)) from None
                return await self._pods(source, workload, metrics)
            case "external":
                page = await self._endpoint(source, source.endpoint, self._external_query(source, workload))
                return Reading(pages.read_external(page, source.metric))
            case "prometheus":
                page = await self._endpoint(source, _query_url(source.endpoint), {"query": source.query})
                return Reading(pages.read_query(page))
            case "resource":
                return Reading(await metrics_api.resource(self._api, source, workload, self._world.pods(workload)))
            case _:
                return Reading(await metrics_api.custom(self._api, source, workload))

    async def _pods(self, source: Source, workload: WorkloadFact, metrics: tuple[EngineMetric, ...]) -> Reading:
        ready = [pod for pod in self._world.pods(workload) if pod.ready and pod.address]
        if not ready:
            raise UnusableError("no pod is running and ready")
        reads = (self._pod(source, workload, pod, metrics) for pod in ready)
        found = await asyncio.gather(*reads, return_exceptions=True)
        if error := next((result for result in found if isinstance(result, BaseException)), None):
            raise error  # that of the first pod by name, so that the message stays the same
        usable = [result for result in found if isinstance(result, tuple)]
        if not usable:
            raise UnusableError("the pods went while they were read")
        return Reading(sum(value for value, _ in usable) / len(usable), pages=tuple(page for _, page in usable))

    async def _pod(
        self, source: Source, workload: WorkloadFact, pod: PodFact, metrics: tuple[EngineMetric, ...]
    ) -> tuple[float, str] | None:
        """Return value and page of a pod, or None where the pod has gone meanwhile."""
        host = f"[{pod.address}]" if ":" in pod.address else pod.address
        url = f"{source.protocol}://{host}:{source.port}{source.path}"
        for last in (False, True):
            try:
                page = await self._scraper.page(url, source=source.type, headers=dict(source.headers))
                value = _first(page, metrics)
            except (ScrapeError, PageError) as error:
                if isinstance(error, ScrapeError) and error.lost:
                    await asyncio.sleep(RETRY_SECONDS)
                if not self._world.is_ready(workload.namespace, pod):
                    return None
                if last or not (isinstance(error, ScrapeError) and error.lost):
                    raise UnusableError(f"pod {pod.name}: {error}") from None
            else:
                if problem := value_problem(source, value):
                    raise UnusableError(f"pod {pod.name}: {problem}")
                return value, page
        return None

    async def _endpoint(self, source: Source, url: str, query: Mapping[str, str]) -> str:
        try:
            return await self._scraper.page(url, source=source.type, headers=dict(source.headers), query=query)
        except ScrapeError as error:
            raise UnusableError(f"{urlsplit(url).netloc}: {error}") from None

    @staticmethod
    def _external_query(source: Source, workload: WorkloadFact) -> dict[str, str]:
        return {
            "namespace": workload.namespace,
            "metric": source.metric,
            **{f"label_{key}": value for key, value in workload.labels.items()},
        }


def _first(page: str, metrics: tuple[EngineMetric, ...]) -> float:
    """Return the first of some metrics that a page has; the page's own problem if none."""
    problem: PageError | None = None
    for metric in metrics:
        try:
            return _value(page, metric)
        except PageError as error:
            problem = problem or error
    raise problem or PageError("no metric is asked for")


def _value(page: str, metric: EngineMetric) -> float:
    if not metric.label:
        return pages.read_value(page, metric.name)
    chosen: Callable[[str], bool] = lambda labels: pages.label(labels, metric.label) == metric.value  # noqa: E731
    values = [value for labels, value in pages.series(page, metric.name) if chosen(labels)]
    if not values:
        raise PageError(f'{metric.name}{{{metric.label}="{metric.value}"}} is not on the page')
    return sum(values) / len(values)


def _query_url(endpoint: str) -> str:
    parts = urlsplit(endpoint)
    return urlunsplit(parts._replace(path=parts.path.rstrip("/") + "/api/v1/query"))
