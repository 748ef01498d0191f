from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from proving_ground.budaiscaler import reconciler
from proving_ground.budaiscaler.clock import Clock
from proving_ground.budaiscaler.counters import Counters
from proving_ground.budaiscaler.reconciler import Reconciler
from proving_ground.budaiscaler.settings import Settings

from .fakes import SCALERS, MemoryApi, MemoryPages, deployment, pod, scaler

if TYPE_CHECKING:
    import pytest

DEPLOYMENT = "/apis/apps/v1/namespaces/n/deployments/d"
PAGE = "http://127.9.9.1:8000/metrics"


class Stage:
    """A reconciler whose scalers have one target with one pod."""

    def __init__(self, *scalers: dict[str, Any], seconds: float = 0.01) -> None:
        self.api, self.pages, self.counters = MemoryApi(), MemoryPages(), Counters()
        self.api.objects |= {DEPLOYMENT: deployment(), "/api/v1/namespaces/n": {"metadata": {"name": "n"}}}
        self.api.objects |= {f"{SCALERS}/{body['metadata']['name']}": body for body in scalers}
        self.pages.answers = {PAGE: "m 10\n"}
        settings = Settings(clock=Clock(), reconcile_seconds=seconds, keep_seconds=3600.0)
        self.reconciler = Reconciler(self.api, self.pages, self.counters, settings)  # type: ignore[arg-type]
        self.reconciler.pod_seen(pod())
        for body in scalers:
            self.reconciler.scaler_seen(body)

    async def until(self, passes: int) -> None:
        """Wait for so many requests for metrics."""
        async with asyncio.timeout(5):
            while len(self.pages.asked) < passes:  # noqa: ASYNC110 - passes tell nobody that they were made
                await asyncio.sleep(0.001)

    async def told(self, name: str, reason: str) -> None:
        """Wait until a scaler is Ready for this reason, or not."""
        async with asyncio.timeout(5):
            while self.reason(name) != reason:  # noqa: ASYNC110 - as above
                await asyncio.sleep(0.001)

    def reason(self, name: str) -> str:
        status = self.api.objects[f"{SCALERS}/{name}"].get("status") or {}
        return next((str(c["reason"]) for c in status.get("conditions", ()) if c["type"] == "Ready"), "")


def changed(body: dict[str, Any], **metadata: Any) -> dict[str, Any]:
    return {**body, "metadata": {**body["metadata"], "resourceVersion": "900", **metadata}}


def test_a_scaler_has_passes_for_as_long_as_it_is_there() -> None:
    async def run() -> int:
        stage = Stage(scaler())
        await stage.until(4)
        stage.reconciler.scaler_gone(scaler())
        asked = len(stage.pages.asked)
        await asyncio.sleep(0.05)
        await stage.reconciler.close()
        return len(stage.pages.asked) - asked

    assert asyncio.run(run()) <= 1


def test_a_change_of_the_spec_is_acted_on_at_once() -> None:
    async def run() -> None:
        stage = Stage(scaler(), seconds=3600)
        await stage.until(1)
        body = scaler(minReplicas=2)
        stage.api.objects[f"{SCALERS}/s"] = changed(body, generation=2)
        stage.reconciler.scaler_seen(changed(body, generation=2))
        await stage.until(2)
        await stage.reconciler.close()
        assert stage.api.written("d/scale") == [{"spec": {"replicas": 2}}]

    asyncio.run(run())


def test_its_own_status_makes_no_pass() -> None:
    async def run() -> None:
        stage = Stage(scaler(), seconds=3600)
        await stage.told("s", "ScalerReady")
        stage.reconciler.scaler_seen(changed(stage.api.objects[f"{SCALERS}/s"]))
        await asyncio.sleep(0.02)
        await stage.reconciler.close()
        assert len(stage.pages.asked) == 1

    asyncio.run(run())


def test_two_scalers_of_a_target_conflict_until_one_goes() -> None:
    async def run() -> None:
        stage = Stage(scaler("a"), scaler("b"))
        await stage.told("a", "ConflictDetected")
        await stage.told("b", "ConflictDetected")
        stage.reconciler.scaler_gone(scaler("b"))
        await stage.told("a", "ScalerReady")
        await stage.reconciler.close()

    asyncio.run(run())


def test_a_pass_that_breaks_ends_nothing(caplog: pytest.LogCaptureFixture) -> None:
    async def run() -> None:
        stage = Stage(scaler())
        stage.pages.answers = {}
        await stage.until(2)
        stage.pages.answers = {PAGE: "m 10\n"}
        await stage.told("s", "ScalerReady")
        await stage.reconciler.close()

    asyncio.run(run())
    assert "n/s: the pass broke" in caplog.text


def test_the_end_keeps_what_was_learned() -> None:
    async def run() -> None:
        stage = Stage(scaler(predictionConfig={"enabled": True}))
        await stage.until(3)
        assert stage.api.written("configmaps") == []
        await stage.reconciler.close()
        assert stage.api.objects["/api/v1/namespaces/n/configmaps/s-learning-data"]["data"]

    asyncio.run(run())


def test_the_end_lets_a_pass_tell_what_it_did() -> None:
    async def run() -> None:
        stage, scaled = Stage(scaler(), seconds=3600), asyncio.Event()
        stage.pages.answers = {PAGE: "m 20\n"}
        request = stage.api._request

        async def slow(method: str, path: str, **options: Any) -> dict[str, Any]:
            answer = await request(method, path, **options)
            if path.endswith("/scale"):
                scaled.set()
                await asyncio.sleep(0.05)
            return answer

        stage.api._request = slow  # type: ignore[method-assign]
        await asyncio.wait_for(scaled.wait(), 5)
        await stage.reconciler.close()
        told = stage.api.objects[f"{SCALERS}/s"]["status"]["scalingHistory"]
        assert [(entry["previousScale"], entry["newScale"]) for entry in told] == [(1, 2)]
        assert len(stage.pages.asked) == 1

    asyncio.run(run())


def test_the_end_does_not_wait_for_a_pass_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> None:
        stage, asked = Stage(scaler()), asyncio.Event()

        async def hangs(*_: Any, **__: Any) -> str:
            asked.set()
            return await asyncio.Future()

        stage.pages.page = hangs  # type: ignore[method-assign]
        await asyncio.wait_for(asked.wait(), 5)
        await asyncio.wait_for(stage.reconciler.close(), 5)

    monkeypatch.setattr(reconciler, "CLOSING_SECONDS", 0.05)
    asyncio.run(run())


def test_faults_are_those_of_the_namespace_unless_the_scaler_has_its_own() -> None:
    async def run() -> int:
        stage = Stage(scaler(annotations={"proving.ground/fault": "desired-without-effect"}))
        stage.pages.answers = {PAGE: "m 20\n"}
        await stage.until(3)
        await stage.reconciler.close()
        return len(stage.api.written("d/scale"))

    assert asyncio.run(run()) == 0


def test_what_exists_is_known_before_the_first_pass() -> None:
    async def run() -> None:
        stage = Stage()
        stage.api.objects |= {
            "/apis/scaler.bud.studio/v1alpha1/budaiscalers": {"items": []},
            "/api/v1/namespaces": {"items": [{"metadata": {"name": "n", "annotations": {"a": "b"}}}]},
            "/api/v1/pods": {"items": [pod(7)]},
        }
        await stage.reconciler.preload()
        assert stage.reconciler.world.namespaces == {"n": {"a": "b"}}
        await stage.reconciler.close()

    asyncio.run(run())
