"""An API server in memory that serves what autoscaling needs, and a check to wait in."""

from __future__ import annotations

import asyncio
import datetime as dt
import types
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from proving_ground.autoscaling.cadence import Cadence, Clock
from proving_ground.contracts.platform import Clock as PlatformClock
from proving_ground.contracts.platform import Platform, System
from proving_ground.kube import Cluster, ResourceType
from proving_ground.kube.testing import KINDS, MemoryApi
from proving_ground.plugin.check_run import CheckRun, Settings

VERBS = KINDS[0].verbs
APPS = tuple(
    ResourceType("apps/v1", kind, f"{kind.lower()}s", namespaced=True, verbs=VERBS)
    for kind in ("Deployment", "StatefulSet", "ReplicaSet")
)
MORE = (
    ResourceType("v1", "Service", "services", namespaced=True, verbs=VERBS),
    ResourceType("v1", "ServiceAccount", "serviceaccounts", namespaced=True, verbs=VERBS),
    ResourceType("scaler.bud.studio/v1alpha1", "BudAIScaler", "budaiscalers", namespaced=True, verbs=VERBS),
)
CADENCE = Cadence(reconcile=0.01, persist=0.3, calibrate=0.3, clock=Clock(0.0, 0.0, 1000.0))
Scenario = Callable[[MemoryApi, Cluster], Awaitable[Any]]


class Notes:
    """A recorder that keeps what it is told."""

    def __init__(self) -> None:
        self.notes: list[tuple[str, str, str]] = []

    def note(self, kind: str, subject: str, detail: str, check: str) -> None:
        del check
        self.notes.append((kind, subject, detail))

    def mask(self, value: str) -> None:
        del value


def platform(**parameters: object) -> Platform:
    system = System(implementation="stand_in", cadences={"reconcile": 0.25}, parameters=parameters)
    return Platform(
        run_id="r",
        inventory="sim",
        systems={"budaiscaler": system},
        clock=PlatformClock(started=dt.datetime.now(dt.UTC)),
    )


@pytest.fixture
def notes() -> Notes:
    return Notes()


@pytest.fixture
def make_check(tmp_path: Path, notes: Notes) -> Callable[..., CheckRun]:
    def make(**settings: Any) -> CheckRun:
        given = {"run_id": "r", "state_dir": tmp_path, "artifacts_dir": tmp_path, "wait_limit": 2.0, **settings}
        parameters = given.pop("parameters", {})
        return CheckRun("autoscaling/check", platform(**parameters), Settings(**given), notes)

    return make


@pytest.fixture
def check(make_check: Callable[..., CheckRun]) -> CheckRun:
    return make_check()


@pytest.fixture
def run() -> Callable[..., Any]:
    """Run a scenario against an API server in memory that has the namespace ``ns``."""

    def with_server(scenario: Scenario) -> Any:
        async def main() -> Any:
            api = MemoryApi((*KINDS, *APPS, *MORE))
            api.put({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "ns"}})
            async with api.cluster() as cluster:
                return await scenario(api, cluster)

        return asyncio.run(main())

    return with_server


def deployment(name: str = "target", replicas: int = 1, **metadata: Any) -> dict[str, Any]:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": "ns", **metadata},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": {"app": name}}, "spec": {"containers": []}},
        },
    }


def pod(
    name: str, app: str = "target", *, ready: bool = True, ip: str = "127.0.0.1", **container: Any
) -> dict[str, Any]:
    main = {"name": "main", "image": "localhost/proving-ground/mocks:0.1.0", "args": ["vllm-metrics"], **container}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "ns", "labels": {"app": app}},
        "spec": {"containers": [main]},
        "status": {
            "phase": "Running",
            "podIP": ip,
            "conditions": [{"type": "Ready", "status": "True" if ready else "False"}],
        },
    }


def scaler(name: str = "s", target: str = "target", **status: Any) -> dict[str, Any]:
    made: dict[str, Any] = {
        "apiVersion": "scaler.bud.studio/v1alpha1",
        "kind": "BudAIScaler",
        "metadata": {"name": name, "namespace": "ns"},
        "spec": {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": target}},
    }
    return {**made, "status": status} if status else made


READY = [{"type": "Ready", "status": "True", "reason": "ScalerReady", "message": "all is well"}]


@pytest.fixture
def make() -> types.SimpleNamespace:
    """What objects are made with."""
    return types.SimpleNamespace(
        deployment=deployment, pod=pod, scaler=scaler, platform=platform, cadence=CADENCE, ready=READY
    )
