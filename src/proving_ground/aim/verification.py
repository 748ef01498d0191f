"""AIMServices as checks use them, and what the engine must say about them."""

from __future__ import annotations

import base64
import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from proving_ground.kube import Reference, Target, summarise
from proving_ground.models import table
from proving_ground.plugin import skip

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from proving_ground.kube import Cluster, Object
    from proving_ground.models.table import Row
    from proving_ground.plugin.check_run import CheckRun

SILOGEN, EAI = "aim.silogen.ai", "aim.eai.amd.com"
SIMULATION = "sim.proving.ground/"
ENDED = frozenset({"Running", "Degraded", "Failed"})


@dataclasses.dataclass(frozen=True)
class Outcome:
    """A status word, and the condition that tells why."""

    status: str
    condition: str
    reason: str


# What the engine of each API group must say, by situation.
OUTCOMES: Mapping[str, Mapping[str, Outcome]] = {
    SILOGEN: {
        "unknown image": Outcome("Degraded", "Resolved", "ImageNotFound"),
        "pull refused": Outcome("Degraded", "RuntimeReady", "ImagePullAuthFailure"),
        "token missing": Outcome("Degraded", "RuntimeReady", "RuntimeFailed"),
        "unoptimized": Outcome("Failed", "Resolved", "TemplateNotFound"),
        "crash": Outcome("Degraded", "RuntimeReady", "RuntimeFailed"),
    },
    EAI: {
        "unknown image": Outcome("Degraded", "ModelReady", "ModelNotFound"),
        "pull refused": Outcome("Failed", "AuthValid", "AuthError"),
        "token missing": Outcome("Degraded", "Ready", "ComponentsNotReady"),
        "unoptimized": Outcome("Failed", "TemplateReady", "TemplateNotFound"),
        "crash": Outcome("Degraded", "Ready", "ComponentsNotReady"),
    },
}


class Aim:
    """AIMServices of one check, all in its namespace."""

    def __init__(self, cluster: Cluster, check: CheckRun, namespace: str, parameters: Mapping[str, Any]) -> None:
        self.cluster = cluster
        self.check = check
        self.namespace = namespace
        self.group = str(parameters.get("api_group") or SILOGEN)
        self.version = f"{self.group}/v1alpha1"
        self._models = table.read(Path(str(parameters["models_csv"]))).rows

    def image(self, **flags: bool) -> str:
        """Return a listed image whose row has these flags; flags that are not given count as unset."""
        wanted = {"private": False, "hf_token": False, "unoptimized": False, **flags}
        found = self._find(lambda row: all(getattr(row, flag) == value for flag, value in wanted.items()))
        return found or self._no_image(wanted)

    def unoptimized_image(self) -> str:
        """Return an unoptimized image, whatever else it needs: template selection comes before the rest."""
        return self._find(lambda row: row.unoptimized) or self._no_image({"unoptimized": True})

    def _find(self, predicate: Callable[[Row], bool]) -> str:
        rows = sorted(self._models, key=lambda row: (row.skip, not row.concurrent))
        return next((row.image for row in rows if predicate(row)), "")

    @staticmethod
    def _no_image(wanted: Mapping[str, bool]) -> str:
        skip("model-not-listed", f"models.csv has no row with {wanted}")
        raise AssertionError("unreachable")

    async def create(self, name: str, image: str, *, annotations: Mapping[str, str] | None = None, **spec: Any) -> None:
        """Create an AIMService."""
        await self.cluster.create(self.manifest(name, {"image": image}, annotations=annotations, **spec))

    def manifest(
        self, name: str, model: Mapping[str, Any], *, annotations: Mapping[str, str] | None = None, **spec: Any
    ) -> Object:
        """Return an AIMService."""
        return {
            "apiVersion": self.version,
            "kind": "AIMService",
            "metadata": {"name": name, "namespace": self.namespace, "annotations": dict(annotations or {})},
            "spec": {"model": dict(model), **spec},
        }

    def gpu_override(self, resource: str, count: int) -> dict[str, Any]:
        """Return the part of a spec that asks for GPUs of another resource name."""
        if self.group == EAI:
            return {"overrides": {"hardware": {"gpu": {"resourceName": resource, "requests": count}}}}
        return {"overrides": {"gpuSelector": {"model": "any", "resourceName": resource, "count": count}}}

    def service(self, name: str) -> Reference:
        """Return the reference of an AIMService."""
        return Reference(self.version, "AIMService", name, self.namespace)

    async def change(self, name: str, spec: Mapping[str, Any]) -> None:
        """Change fields of a service's spec."""
        await self.cluster.patch(self.service(name), {"spec": dict(spec)})

    async def delete(self, name: str) -> None:
        """Delete a service and wait until it is gone."""
        known = await self.cluster.delete(self.service(name))
        await self.cluster.wait_gone(self.service(name), timeout=self.check.settings.cut(30), known=known)

    async def secret(self, name: str, data: Mapping[str, str], kind: str = "Opaque") -> None:
        """Create a Secret."""
        await self.cluster.create(
            {
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": {"name": name, "namespace": self.namespace},
                "type": kind,
                "stringData": dict(data),
            }
        )

    async def pull_secret(self, name: str, registry: str) -> None:
        """Create a pull secret with made-up credentials for a registry."""
        auth = base64.b64encode(b"made-up:made-up").decode()
        config = json.dumps({"auths": {registry: {"auth": auth}}})
        await self.secret(name, {".dockerconfigjson": config}, "kubernetes.io/dockerconfigjson")

    async def becomes(self, name: str, status: str, *, patience: float = 60) -> Object:
        """Wait for a status word; another one at which the engine has made up its mind ends the wait at once."""
        return await self._wait(name, status, lambda word: word == status or word in ENDED, patience)

    async def turns(self, name: str, status: str, *, patience: float = 60) -> Object:
        """Wait until a service leaves its present status for another one."""
        return await self._wait(name, status, lambda word: word == status, patience)

    async def _wait(self, name: str, status: str, over: Callable[[str], bool], patience: float) -> Object:
        def decided(service: Object | None) -> bool:
            return service is not None and over(word_of(service)) and is_current(service)

        found = await self.cluster.wait_for(
            self.service(name), decided, timeout=self.check.settings.cut(patience), what=f"status {status}"
        )
        if found is None or word_of(found) != status:
            raise AssertionError(f"expected status {status}, found: {summarise(found)}")
        return found

    async def ends_as(self, name: str, situation: str) -> str:
        """Wait for the status of a situation, check the condition that tells why, and return its message."""
        outcome = OUTCOMES[self.group][situation]
        service = await self.becomes(name, outcome.status)
        return self.told(service, situation)

    def told(self, service: Object, situation: str) -> str:
        """Check the condition that tells about a situation, and return its message."""
        outcome = OUTCOMES[self.group][situation]
        found = condition(service, outcome.condition)
        if (found["status"], found["reason"]) != ("False", outcome.reason):
            raise AssertionError(f"expected {outcome.condition}=False {outcome.reason}, found: {summarise(service)}")
        return str(found["message"])

    async def pods(self, name: str, predicate: Callable[[Sequence[Object]], bool], *, what: str) -> Sequence[Object]:
        """Wait until a predicate holds for the pods of a service."""
        target = Target("v1", "Pod", self.namespace, labels={f"{self.group}/service.name": name})
        return await self.cluster.wait_for_objects(target, predicate, timeout=self.check.settings.cut(60), what=what)

    async def now(self, name: str) -> Object:
        """Return a service as it is now."""
        found = await self.cluster.get(self.version, "AIMService", name, self.namespace)
        if found is None:
            raise AssertionError(f"{self.service(name)} is gone")
        return found


def word_of(service: Object) -> str:
    """Return a service's status word."""
    return str((service.get("status") or {}).get("status", ""))


def is_current(service: Object) -> bool:
    """Tell whether a status is about the spec as it is now."""
    seen = (service.get("status") or {}).get("observedGeneration", 0)
    return bool(seen >= service["metadata"].get("generation", 0))


def condition(service: Object, kind: str) -> Mapping[str, Any]:
    """Return a condition of a service."""
    found = [c for c in (service.get("status") or {}).get("conditions") or [] if c.get("type") == kind]
    if not found:
        raise AssertionError(f"no condition {kind}: {summarise(service)}")
    return dict(found[0])
