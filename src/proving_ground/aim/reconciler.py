"""Brings each AIMService to what its spec asks for, and its status to what is seen."""

from __future__ import annotations

import asyncio
import dataclasses
import datetime as dt
import http
import logging
from collections.abc import Coroutine, Mapping
from typing import TYPE_CHECKING, Any

from proving_ground.aim import credentials, faults, objects
from proving_ground.aim import request as requests
from proving_ground.aim.access import Api, ApiError
from proving_ground.aim.catalogue import Catalogue, Entry
from proving_ground.aim.faults import SECONDS_UNTIL, Fault
from proving_ground.aim.observation import Observation, PodFact, Workload, pod_fact, workload
from proving_ground.aim.situations import allows_workload
from proving_ground.aim.status import VERSION, Status, derive_status, render
from proving_ground.aim.templates import template_name

if TYPE_CHECKING:
    from proving_ground.aim.request import Request

Json = Mapping[str, Any]
Key = tuple[str, str]
"""Namespace and name of an AIMService."""

RETRY_SECONDS = (0.2, 0.5, 1.0, 2.0, 5.0)
STALE_AFTER = 5.0
"""Seconds after which a pod that was listed at start but that no watch has confirmed is taken for gone."""

log = logging.getLogger(__name__)


@dataclasses.dataclass(slots=True)
class Tracked:
    """What the reconciler remembers about one service between two passes."""

    service: Json
    applied: str = ""
    starting_since: float | None = None
    dirty: bool = False
    attempts: int = 0
    task: asyncio.Task[None] | None = None
    timer: asyncio.TimerHandle | None = None
    secrets: frozenset[str] = frozenset()
    first_request: Request | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Settings:
    """What the stand-in was started with."""

    group: str
    gpu_resource: str


class Reconciler:
    """Keeps what is known, one pass at a time for each service, all services side by side."""

    def __init__(self, api: Api, catalogue: Catalogue, settings: Settings) -> None:
        """Start with nothing known."""
        self._api = api
        self._catalogue = catalogue
        self._group = settings.group
        self._gpu_resource = settings.gpu_resource
        self._services: dict[Key, Tracked] = {}
        self._pods: dict[Key, dict[str, PodFact]] = {}
        self._unconfirmed: set[str] = set()
        self._namespaces: dict[str, Mapping[str, str]] = {}
        self._background: set[asyncio.Task[Any]] = set()
        # One event at a time: what is for people must not hold up what the checks wait for.
        self._telling = asyncio.Semaphore(1)

    # What the watches tell.

    async def preload(self) -> None:
        """Learn the pods that exist, so that a restart does not report a running service as starting."""
        found = await self._api.get(
            "/api/v1/pods", labelSelector=f"{objects.MANAGED_BY}={objects.MANAGER},{objects.service_label(self._group)}"
        )
        for pod in found.get("items") or []:
            self.pod_seen(pod)
            self._unconfirmed.add(pod["metadata"]["uid"])
        asyncio.get_running_loop().call_later(STALE_AFTER, self._forget_unconfirmed)

    def service_seen(self, service: Json) -> None:
        """Take in an AIMService as it now is."""
        key = _key(service)
        tracked = self._services.get(key)
        if tracked is None or _uid(tracked.service) != _uid(service):
            if tracked is not None:
                self._drop(tracked)
            self._services[key] = Tracked(service=service)
        elif _version(service) < _version(tracked.service):
            return
        else:
            tracked.service = service
        self.kick(key)

    def service_gone(self, service: Json) -> None:
        """Forget an AIMService; what it owns goes by the garbage collector."""
        tracked = self._services.get(_key(service))
        if tracked is not None and _uid(tracked.service) == _uid(service):
            self._drop(self._services.pop(_key(service)))

    def pod_seen(self, pod: Json) -> None:
        """Take in a pod as it now is; one that is being deleted no longer counts."""
        if pod["metadata"].get("deletionTimestamp"):
            self.pod_gone(pod)
            return
        key = self._key_of_pod(pod)
        if key is None:
            return
        uid = _uid(pod)
        self._unconfirmed.discard(uid)
        fact = pod_fact(pod, objects.revision_annotation(self._group))
        known = self._pods.setdefault(key, {})
        if known.get(uid) != fact:
            known[uid] = fact
            self.kick(key)

    def pod_gone(self, pod: Json) -> None:
        """Forget a pod."""
        key = self._key_of_pod(pod)
        self._unconfirmed.discard(_uid(pod))
        if key is not None and self._pods.get(key, {}).pop(_uid(pod), None) is not None:
            self.kick(key)
            if not self._pods[key]:
                del self._pods[key]

    def secret_seen(self, namespace: str, name: str) -> None:
        """Look again at the services that refer to a Secret that came, changed or went."""
        for key, tracked in self._services.items():
            if key[0] == namespace and name in tracked.secrets:
                self.kick(key)

    def namespace_seen(self, namespace: Json) -> None:
        """Take in the annotations of a namespace."""
        name = namespace["metadata"]["name"]
        annotations = namespace["metadata"].get("annotations") or {}
        if name in self._namespaces and faults.parse(self._namespaces[name]) != faults.parse(annotations):
            for key in self._services:
                if key[0] == name:
                    self.kick(key)
        self._namespaces[name] = annotations

    def namespace_gone(self, namespace: Json) -> None:
        """Forget a namespace."""
        self._namespaces.pop(namespace["metadata"]["name"], None)

    # Passes.

    def kick(self, key: Key) -> None:
        """Start a pass over a service, or let the one under way be followed by another."""
        tracked = self._services.get(key)
        if tracked is None:
            return
        tracked.dirty = True
        if tracked.task is None or tracked.task.done():
            tracked.task = asyncio.get_running_loop().create_task(self._work(key, tracked))

    async def idle(self) -> None:
        """Wait until no pass is under way (for tests and for the end)."""
        while tasks := [t.task for t in self._services.values() if t.task and not t.task.done()] + [*self._background]:
            await asyncio.wait(tasks)

    async def close(self) -> None:
        """Stop every pass and timer."""
        for tracked in self._services.values():
            self._drop(tracked)
        for task in self._background:
            task.cancel()
        await self.idle()

    async def _work(self, key: Key, tracked: Tracked) -> None:
        while tracked.dirty:
            tracked.dirty = False
            try:
                await self._pass(key, tracked)
                tracked.attempts = 0
            except ApiError as error:
                if error.status == http.HTTPStatus.NOT_FOUND or _is_ending(error):
                    return
                self._again(key, tracked, error)
            except (TimeoutError, OSError) as error:  # aiohttp's connection errors are OSErrors
                self._again(key, tracked, error)
            except Exception as error:  # a pass must never end the watching of the others
                log.exception("%s/%s: the pass broke", *key)
                self._again(key, tracked, error)

    def _again(self, key: Key, tracked: Tracked, error: BaseException) -> None:
        delay = RETRY_SECONDS[min(tracked.attempts, len(RETRY_SECONDS) - 1)]
        tracked.attempts += 1
        log.warning("%s/%s: %s; again in %.1f s", *key, error or type(error).__name__, delay)
        self._later(key, tracked, delay)

    def _later(self, key: Key, tracked: Tracked, delay: float) -> None:
        if tracked.timer is not None:
            tracked.timer.cancel()
        tracked.timer = asyncio.get_running_loop().call_later(delay, self.kick, key)

    async def _pass(self, key: Key, tracked: Tracked) -> None:
        service = tracked.service
        if service["metadata"].get("deletionTimestamp"):
            return
        active = await self._faults(service)
        request = requests.read(service, self._group)
        if Fault.SPEC_CHANGE_IGNORED in active:
            tracked.first_request = request = tracked.first_request or request
        tracked.secrets = request.secret_names()
        entry = self._resolve(request, active)
        pull, token = await self._credentials(key[0], request, entry, active)
        seen = self._observe(service, request, entry, active, pull=pull, token=token)
        if entry is not None and allows_workload(seen):
            seen = await self._apply(key, tracked, request, entry, seen)
        seen = self._timed(key, tracked, seen)
        await self._report(key, tracked, service, derive_status(self._group, seen))

    def _resolve(self, request: Request, active: frozenset[str]) -> Entry | None:
        entry = requests.resolve(request, self._catalogue)
        if entry is None and Fault.UNKNOWN_IMAGE_ACCEPTED in active and request.by_image:
            return Entry(image=request.reference).completed()
        return entry

    async def _faults(self, service: Json) -> frozenset[str]:
        name = service["metadata"]["namespace"]
        if name not in self._namespaces:
            # The watch of namespaces may be behind the one of services.
            found = await self._api.find(f"/api/v1/namespaces/{name}")
            if found is not None:
                self._namespaces.setdefault(name, found["metadata"].get("annotations") or {})
        return faults.effective(service["metadata"].get("annotations"), self._namespaces.get(name))

    async def _credentials(
        self, namespace: str, request: Request, entry: Entry | None, active: frozenset[str]
    ) -> tuple[str, str]:
        pull = token = ""
        if entry is None:
            return pull, token
        if entry.private and Fault.SECRET_NOT_DEMANDED not in active:
            found = [(name, await self._secret(namespace, name)) for name in request.pull_secrets]
            pull = credentials.pull_problem(entry.image, found)
        if entry.gated and Fault.TOKEN_NOT_DEMANDED not in active:
            source = request.token_source()
            secret = await self._secret(namespace, source[0]) if isinstance(source, tuple) else None
            token = credentials.token_problem(source, secret)
        return pull, token

    async def _secret(self, namespace: str, name: str) -> Json | None:
        return await self._api.find(f"/api/v1/namespaces/{namespace}/secrets/{name}")

    def _observe(
        self, service: Json, request: Request, entry: Entry | None, active: frozenset[str], *, pull: str, token: str
    ) -> Observation:
        metadata = service["metadata"]
        refused = (
            entry is not None
            and not entry.optimized
            and not request.allow_unoptimized
            and Fault.UNOPTIMIZED_ALLOWED not in active
        )
        known = entry is None or request.template in {"", template_name(entry)}
        return Observation(
            name=metadata["name"],
            namespace=metadata["namespace"],
            generation=metadata.get("generation", 1),
            reference=request.reference,
            by_image=request.by_image,
            entry=entry,
            runtime_config=request.runtime_config,
            runtime_config_found=request.runtime_config == requests.DEFAULT_RUNTIME_CONFIG,
            template=request.template,
            template_problem="" if known else f"template {request.template!r} not found for the image",
            unoptimized_refused=refused,
            cache_requested=request.cache,
            kv_cache_requested=request.kv_cache,
            pull_problem=pull,
            token_problem=token,
            workload=Workload(wanted=request.replicas),
            routing=request.routing,
            faults=active,
        )

    async def _apply(
        self, key: Key, tracked: Tracked, request: Request, entry: Entry, seen: Observation
    ) -> Observation:
        """Make the workload as it should be, and return the observation with the pods of its revision."""
        desired = objects.deployment(
            tracked.service,
            request,
            entry,
            group=self._group,
            gpu_resource=self._gpu_resource,
            pull_problem=seen.pull_problem,
            token_problem=seen.token_problem,
            active=seen.faults,
        )
        front = objects.endpoint(tracked.service, group=self._group, active=seen.faults)
        stamp = desired["metadata"]["annotations"][objects.revision_annotation(self._group)]
        if tracked.applied != stamp:
            try:
                await asyncio.gather(
                    self._ensure(f"/apis/apps/v1/namespaces/{key[0]}/deployments", desired),
                    self._ensure(f"/api/v1/namespaces/{key[0]}/services", front),
                )
            except ApiError as error:
                if error.status not in {http.HTTPStatus.UNPROCESSABLE_ENTITY, http.HTTPStatus.FORBIDDEN}:
                    raise
                if _is_ending(error):
                    raise
                return dataclasses.replace(seen, reconcile_error=error.message)
            tracked.applied = stamp
        pods = workload(
            self._pods.get(key, {}).values(),
            revision=objects.revision_of(desired, self._group),
            wanted=request.replicas,
            created=True,
        )
        return dataclasses.replace(seen, workload=pods)

    async def _ensure(self, collection: str, desired: dict[str, Any]) -> None:
        try:
            await self._api.create(collection, desired)
        except ApiError as error:
            if error.status != http.HTTPStatus.CONFLICT:
                raise
        else:
            return
        path = f"{collection}/{desired['metadata']['name']}"
        found = await self._api.get(path)
        mine, theirs = (_owner_uid(body) for body in (desired, found))
        if mine != theirs and theirs:
            raise ApiError(http.HTTPStatus.CONFLICT, "Conflict", f"{path} still belongs to an earlier service")
        if desired["kind"] == "Deployment" and _annotations(found).items() >= _annotations(desired).items():
            return
        if desired["kind"] == "Deployment":
            await self._api.replace(path, desired)

    def _timed(self, key: Key, tracked: Tracked, seen: Observation) -> Observation:
        """Tell how long the service has been starting; late faults look at it, and ask to be looked at again."""
        late = [SECONDS_UNTIL[fault] for fault in SECONDS_UNTIL if fault in seen.faults]
        if not late or not seen.workload.created:
            return seen
        now = asyncio.get_running_loop().time()
        if tracked.starting_since is None:
            tracked.starting_since = now
            for seconds in late:
                self._later(key, tracked, seconds + 0.01)
        return dataclasses.replace(seen, starting_for=now - tracked.starting_since)

    async def _report(self, key: Key, tracked: Tracked, service: Json, status: Status) -> None:
        metadata, before = service["metadata"], service.get("status") or {}
        now = dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        body = render(status, generation=metadata.get("generation", 1), before=before, now=now)
        if body is None:
            return
        path = f"/apis/{self._group}/{VERSION}/namespaces/{key[0]}/aimservices/{key[1]}/status"
        try:
            written = await self._api.merge(path, {"metadata": {"uid": metadata["uid"]}, "status": body})
        except ApiError as error:
            if error.status == http.HTTPStatus.CONFLICT:  # the name now belongs to another object
                return
            raise
        if _version(written) >= _version(tracked.service):
            tracked.service = written
        if before.get("status") != status.status:
            self._spawn(self._tell(service, status))

    async def _tell(self, service: Json, status: Status) -> None:
        """Write an Event about a change of the status word; events are for people, so a lost one is no error."""
        metadata = service["metadata"]
        now = dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        bad = status.status in {"Failed", "Degraded"}
        body = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"generateName": f"{metadata['name'][:200]}.", "namespace": metadata["namespace"]},
            "involvedObject": {
                "apiVersion": service["apiVersion"],
                "kind": service["kind"],
                "name": metadata["name"],
                "namespace": metadata["namespace"],
                "uid": metadata["uid"],
            },
            "type": "Warning" if bad else "Normal",
            "reason": status.reason if bad else status.status,
            "message": status.message[:1024],
            "firstTimestamp": now,
            "lastTimestamp": now,
            "count": 1,
            "source": {"component": objects.MANAGER},
            "reportingComponent": objects.MANAGER,
        }
        try:
            async with self._telling:
                await self._api.create(f"/api/v1/namespaces/{metadata['namespace']}/events", body)
        except (ApiError, TimeoutError, OSError) as error:
            log.debug("%s/%s: event not written: %s", metadata["namespace"], metadata["name"], error)

    # Small things.

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    def _key_of_pod(self, pod: Json) -> Key | None:
        name = (pod["metadata"].get("labels") or {}).get(objects.service_label(self._group))
        return (pod["metadata"]["namespace"], name) if name else None

    def _forget_unconfirmed(self) -> None:
        stale, self._unconfirmed = self._unconfirmed, set()
        for key, pods in list(self._pods.items()):
            for uid in stale & pods.keys():
                del pods[uid]
                self.kick(key)

    @staticmethod
    def _drop(tracked: Tracked) -> None:
        if tracked.timer is not None:
            tracked.timer.cancel()
        if tracked.task is not None:
            tracked.task.cancel()


def _key(body: Json) -> Key:
    return body["metadata"]["namespace"], body["metadata"]["name"]


def _uid(body: Json) -> str:
    return str(body["metadata"]["uid"])


def _version(body: Json) -> int:
    """Return an object's resource version as a number (comparable since Kubernetes 1.35)."""
    text = str(body["metadata"].get("resourceVersion", "0"))
    return int(text) if text.isdigit() else 0


def _owner_uid(body: Json) -> str:
    owners = body["metadata"].get("ownerReferences") or [{}]
    return str(owners[0].get("uid", ""))


def _annotations(body: Json) -> Mapping[str, str]:
    found: Mapping[str, str] = body["metadata"].get("annotations") or {}
    return found


def _is_ending(error: ApiError) -> bool:
    """Tell whether the API server refused because the namespace is being deleted."""
    return error.status == http.HTTPStatus.FORBIDDEN and "being terminated" in error.message
