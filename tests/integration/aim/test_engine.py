"""The stand-in as a process on a real API server, in the API group that the platform itself does not use."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from proving_ground import kube
from proving_ground.kube import ApiError, Cluster, Reference

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from proving_ground.kube import Object

ROOT = Path(__file__).parents[3]
CRDS = ROOT / "roles" / "aim_engine" / "files" / "crds"
GROUP = "aim.eai.amd.com"
VERSION = f"{GROUP}/v1alpha1"
PORT = 18082
READY_SECONDS = 30
CATALOGUE = {"models": [{"image": "reg/aim-a-1b:1", "load_seconds": 0.1}, {"image": "reg/aim-b-1b:1", "gated": True}]}


class Engine:
    """The process; it can be ended and started again."""

    def __init__(self, kubeconfig: str, folder: Path) -> None:
        self._log = folder / "engine.log"
        catalogue = folder / "catalogue.yml"
        catalogue.write_text(yaml.safe_dump(CATALOGUE))
        self._command = [
            sys.executable,
            "-m",
            "proving_ground.aim",
            f"--kubeconfig={kubeconfig}",
            f"--catalogue={catalogue}",
            f"--api-group={GROUP}",
            f"--health=127.0.0.1:{PORT}",
        ]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log, env={**os.environ})
        end = time.monotonic() + READY_SECONDS
        while not self._is_ready():
            if self._process.poll() is not None or time.monotonic() > end:
                pytest.fail(f"the engine is not ready:\n{self._log.read_text()}")
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(0.1)

    def stop(self) -> int:
        assert self._process is not None
        self._process.terminate()
        return self._process.wait(15)

    @staticmethod
    def _is_ready() -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{PORT}/readyz", timeout=1) as answer:
                return bool(answer.status == 200)
        except (OSError, urllib.error.URLError):
            return False


@pytest.fixture(scope="module")
def api(sim_cluster: str) -> Iterator[str]:
    """Path of a kubeconfig of a cluster that serves the successor's API."""
    crd = yaml.safe_load((CRDS / f"aimservices.{GROUP}.yaml").read_text())

    async def install() -> None:
        async with Cluster.connect(sim_cluster) as cluster:
            await cluster.apply(crd)
            await cluster.wait_for(
                Reference.of(crd),
                lambda found: any(c[:2] == ("Established", "True") for c in kube.conditions(found or {})),
                timeout=20,
            )

    async def remove() -> None:
        async with Cluster.connect(sim_cluster) as cluster:
            await cluster.delete(Reference.of(crd))

    asyncio.run(install())
    yield sim_cluster
    asyncio.run(remove())


@pytest.fixture
def engine(api: str, tmp_path: Path) -> Iterator[Engine]:
    made = Engine(api, tmp_path)
    made.start()
    yield made
    with contextlib.suppress(ProcessLookupError):
        made.stop()


@contextlib.asynccontextmanager
async def place(kubeconfig: str) -> AsyncIterator[tuple[Cluster, str]]:
    async with Cluster.connect(kubeconfig) as cluster, kube.namespace(cluster, "aimtest") as namespace:
        yield cluster, namespace


def service(namespace: str, name: str, **spec: Any) -> Object:
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": VERSION, "kind": "AIMService", "metadata": metadata, "spec": spec}


def word(found: Object | None) -> str:
    return str(((found or {}).get("status") or {}).get("status", ""))


async def until(cluster: Cluster, made: Object, status: str) -> Object:
    found = await cluster.wait_for(Reference.of(made), lambda now: word(now) == status, timeout=30, what=status)
    assert found is not None
    return found


@pytest.mark.usefixtures("engine")
def test_a_service_of_the_successor_group_runs_with_that_groups_conditions(api: str) -> None:
    async def run() -> None:
        async with place(api) as (cluster, namespace):
            made = await cluster.create(service(namespace, "model", model={"image": "reg/aim-a-1b:1"}))
            found = await until(cluster, made, "Running")
            conditions = {kind: status for kind, status, _, _ in kube.conditions(found)}
            assert conditions["InferenceServiceReady"] == conditions["Ready"] == "True"
            assert "RuntimeReady" not in conditions
            assert found["status"]["runtime"]["replicas"] == "1/1"

    asyncio.run(run())


def test_a_restarted_engine_leaves_a_running_service_alone_and_goes_on_with_it(api: str, engine: Engine) -> None:
    async def run() -> None:
        async with place(api) as (cluster, namespace):
            made = await cluster.create(service(namespace, "model", model={"image": "reg/aim-a-1b:1"}))
            before = await until(cluster, made, "Running")
            assert engine.stop() == 0
            await cluster.patch(Reference.of(made), {"spec": {"replicas": 2}})
            engine.start()
            found = await cluster.wait_for(
                Reference.of(made),
                lambda now: word(now) == "Running" and now is not None and now["status"]["observedGeneration"] == 2,
                timeout=30,
            )
            assert found is not None
            assert found["status"]["runtime"]["replicas"] == "2/2"
            assert found["status"]["resolvedModel"] == before["status"]["resolvedModel"]
            await cluster.delete(Reference.of(made))
            await cluster.wait_gone(Reference("apps/v1", "Deployment", "model-predictor", namespace), timeout=30)

    asyncio.run(run())


@pytest.mark.usefixtures("engine")
def test_a_status_that_was_overwritten_is_put_right(api: str) -> None:
    async def run() -> None:
        async with place(api) as (cluster, namespace):
            made = await cluster.create(service(namespace, "model", model={"image": "reg/absent:1"}))
            await until(cluster, made, "Degraded")
            await cluster.patch_status(Reference.of(made), {"status": "Running"})
            await until(cluster, made, "Degraded")

    asyncio.run(run())


@pytest.mark.parametrize(
    "model",
    [
        {},
        {"image": ""},
        {"image": "a", "name": "b"},
        {"custom": {"baseImage": "a", "hardware": {}, "modelSources": [{"modelId": "a/b", "sourceUri": "hf://a/b"}]}},
        {"custom": {"baseImage": "a", "hardware": {"cpu": {"requests": 1}}, "modelSources": []}},
        {
            "custom": {
                "baseImage": "a",
                "hardware": {"gpu": {"model": "MI300X", "minVram": "64Gi"}},
                "modelSources": [{"modelId": "a/b", "sourceUri": "hf://a/b"}],
            }
        },
    ],
)
def test_the_api_refuses_a_model_that_is_not_told_in_just_one_way(api: str, model: dict[str, Any]) -> None:
    async def run() -> None:
        async with Cluster.connect(api) as cluster:
            with pytest.raises(ApiError) as refusal:
                await cluster.create(service("default", "model", model=model), dry_run=True)
            assert refusal.value.status == 422

    asyncio.run(run())


def test_the_api_refuses_to_change_what_cannot_change(api: str) -> None:
    async def run() -> None:
        async with place(api) as (cluster, namespace):
            made = await cluster.create(service(namespace, "model", model={"image": "a"}, template={"name": "t"}))
            for change in ({"model": {"image": "b"}}, {"template": {"name": "u"}}):
                with pytest.raises(ApiError, match="immutable"):
                    await cluster.patch(Reference.of(made), {"spec": change}, dry_run=True)

    asyncio.run(run())


def test_a_catalogue_that_is_not_there_ends_the_engine_with_the_reason(api: str, tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "proving_ground.aim", f"--kubeconfig={api}", f"--catalogue={tmp_path / 'none.yml'}"],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert ended.returncode == 3
    assert "the catalogue cannot be read" in ended.stderr
