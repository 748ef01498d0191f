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
from proving_ground.aim.catalogue import Catalogue, Entry
from proving_ground.aim.events import Announcer
from proving_ground.aim.faults import SECONDS_UNTIL, Fault
from proving_ground.aim.observation import Observation, PodFact, Workload, pod_fact, workload
from proving_ground.aim.situations import allows_workload
from proving_ground.aim.status import VERSION, Status, derive_status, render
from proving_ground.aim.templates import template_name
from proving_ground.aim.tracking import Key, Tracked, key_of, uid_of, version_of
from proving_ground.aim.workloads import Workloads
from proving_ground.kube.operator_api import Api, ApiError, is_ending

if TYPE_CHECKING:
    from proving_ground.aim.request import Request

Json = Mapping[str, Any]

RETRY_SECONDS = (0.2, 0.5, 1.0, 2.0, 5.0)
STALE_AFTER = 5.0
"""Seconds after which a pod that was listed at start but that no watch has confirmed is taken for gone."""

log = logging.getLogger(__name__)


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
        self._workloads = Workloads(api)
        self._announcer = Announcer(api)
        self._ending: set[str] = set()

    # What the watches tell.

    async def preload(self) -> None:
        """Wait until the API serves the kind, and learn the pods that exist.

        So a restart does not report a running service as starting.
        """
        await self._api.until_served(f"/apis/{self._group}/{VERSION}/aimservices")
        found = await self._api.get(
            "/api/v1/pods", labelSelector=f"{objects.MANAGED_BY}={objects.MANAGER},{objects.service_label(self._group)}"
        )
        for pod in found.get("items") or []:
            self.pod_seen(pod)
            self._unconfirmed.add(pod["metadata"]["uid"])
        asyncio.get_running_loop().call_later(STALE_AFTER, self._forget_unconfirmed)

    def service_seen(self, service: Json) -> None:
        """Take in an AIMService as it now is."""
        key = key_of(service)
        tracked = self._services.get(key)
        if tracked is None or uid_of(tracked.service) != uid_of(service):
            if tracked is not None:
                tracked.drop()
            self._services[key] = Tracked(service=service)
        elif version_of(service) < version_of(tracked.service):
            return
        else:
            tracked.service = service
        self.kick(key)

    def service_gone(self, service: Json) -> None:
        """Forget an AIMService, and remove what it owns.

        The garbage collector would do that too, but it learns of a kind that is new to the cluster only
        after up to 30 seconds (its own resync period).
        """
        tracked = self._services.get(key_of(service))
        if tracked is not None and uid_of(tracked.service) == uid_of(service):
            self._services.pop(key_of(service)).drop()
        namespace, name = key_of(service)
        if namespace not in self._ending:
            self._spawn(self._workloads.remove(namespace, name, uid_of(service)))

    def pod_seen(self, pod: Json) -> None:
        """Take in a pod as it now is; one that is being deleted no longer counts."""
        if pod["metadata"].get("deletionTimestamp"):
            self.pod_gone(pod)
            return
        key = self._key_of_pod(pod)
        if key is None:
            return
        uid = uid_of(pod)
        self._unconfirmed.discard(uid)
        fact = pod_fact(pod, objects.revision_annotation(self._group))
        known = self._pods.setdefault(key, {})
        if known.get(uid) != fact:
            known[uid] = fact
            self.kick(key)

    def pod_gone(self, pod: Json) -> None:
        """Forget a pod."""
        key = self._key_of_pod(pod)
        self._unconfirmed.discard(uid_of(pod))
        if key is not None and self._pods.get(key, {}).pop(uid_of(pod), None) is not None:
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
        if namespace["metadata"].get("deletionTimestamp"):
            self._ending.add(name)

    def namespace_gone(self, namespace: Json) -> None:
        """Forget a namespace."""
        self._namespaces.pop(namespace["metadata"]["name"], None)
        self._ending.discard(namespace["metadata"]["name"])

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
            tracked.drop()
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
                if error.status == http.HTTPStatus.NOT_FOUND or is_ending(error):
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
            refusal = await self._workloads.make(desired, front)
            if refusal:
                self._later(key, tracked, RETRY_SECONDS[-1])
                return dataclasses.replace(seen, reconcile_error=refusal)
            tracked.applied = stamp
        pods = workload(
            self._pods.get(key, {}).values(),
            revision=objects.revision_of(desired, self._group),
            wanted=request.replicas,
            created=True,
        )
        return dataclasses.replace(seen, workload=pods)

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
        if version_of(written) >= version_of(tracked.service):
            tracked.service = written
        if before.get("status") != status.status:
            self._spawn(self._announcer.tell(service, status))

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
