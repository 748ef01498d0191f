"""Where suites put their objects: a fresh namespace, or the one that a person named."""

from __future__ import annotations

import contextlib
import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from proving_ground import kube
from proving_ground.annotations import FAULT_ANNOTATION, FAULTY_LABEL
from proving_ground.autoscaling.cadence import SYSTEM
from proving_ground.autoscaling.cleanup import MANAGED, OWNER, empty, is_ours
from proving_ground.autoscaling.manifests import SUITE, SUITE_LABEL
from proving_ground.errors import ConfigurationError, InfrastructureError
from proving_ground.kube.namespaces import REMOVAL_SECONDS, marks

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from proving_ground.contracts.platform import Platform
    from proving_ground.kube import Cluster
    from proving_ground.plugin.check_run import CheckRun, Settings

NAMESPACE = "namespace"
CLEANUP = "cleanup"
"""Parameters of the system, given as ``--parameter budaiscaler.namespace=NAME``."""
_NAME = re.compile(r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")
_LONGEST = 63
_ACCOUNT_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Wish:
    """What a person asked for.

    Attributes:
        name: Name of the namespace, empty: a fresh one.
        cleanup: Whether it is removed at the end although it was named.
    """

    name: str = ""
    cleanup: bool = False

    @classmethod
    def of(cls, parameters: Mapping[str, Any]) -> Wish:
        """Return the wish in a system's parameters.

        Raises:
            ConfigurationError: The name cannot be one of a namespace, or ``cleanup`` is no truth value.
        """
        name, remove = parameters.get(NAMESPACE) or "", parameters.get(CLEANUP, False)
        if not isinstance(name, str) or (name and not _NAME.match(name)):
            raise ConfigurationError(
                f"{name!r} cannot be a namespace", where=f"{SYSTEM}.{NAMESPACE}", hint="lower-case letters, digits, -"
            )
        if not isinstance(remove, bool):
            raise ConfigurationError(f"expected true or false, found {remove!r}", where=f"{SYSTEM}.{CLEANUP}")
        return cls(name, remove)

    def with_suffix(self, suffix: str) -> str:
        """Return the name with a suffix, shortened to what a namespace's name can be; each suffix another name."""
        if not suffix:
            return self.name
        word = re.sub(r"[^a-z0-9]+", "-", suffix.lower()).strip("-")
        full = f"{self.name}-{word}"
        if word and len(full) <= _LONGEST:
            return full
        digest = hashlib.sha256(suffix.encode("utf-8", "surrogatepass")).hexdigest()[:8]
        return f"{full[: _LONGEST - 9].rstrip('-')}-{digest}"


@contextlib.asynccontextmanager
async def suite_namespace(
    check: CheckRun, cluster: Cluster, suffix: str = "", *, suite: str = SUITE
) -> AsyncIterator[str]:
    """Give a namespace for one check, with the run's fault.

    Args:
        check: The check.
        cluster: The cluster.
        suffix: Tells its namespace from those of other checks, where a person named one for all.
        suite: Value of the label by which a clean-up finds what is in it.
    """
    system = check.platform.systems.get(SYSTEM)
    wish = Wish.of(system.parameters if system is not None else {})
    limit = check.settings.cleanup_limit * 0.9
    async with _opened(cluster, check.settings, wish, suffix, suite, limit) as name:
        check.property("namespace", name)
        yield name


@contextlib.asynccontextmanager
async def shared_namespace(
    platform: Platform, settings: Settings, *, cluster: str = "default", suffix: str = "", suite: str = SUITE
) -> AsyncIterator[str]:
    """Give one namespace to all checks of a process: for a fixture of session scope.

    It uses a connection of its own, since those of checks are closed before such fixtures end.

    Args:
        platform: The platform.
        settings: The settings of the process's checks.
        cluster: Name of the cluster.
        suffix: As of :func:`suite_namespace`.
        suite: As of :func:`suite_namespace`.

    Raises:
        InfrastructureError: The platform has no such cluster.
    """
    if cluster not in platform.clusters:
        known = ", ".join(sorted(platform.clusters)) or "none"
        raise InfrastructureError(f"the platform has no cluster {cluster!r}", hint=f"it has {known}")
    declared = platform.clusters[cluster]
    system = platform.systems.get(SYSTEM)
    wish = Wish.of(system.parameters if system is not None else {})
    limit = settings.cleanup_limit * 0.9
    async with (
        kube.Cluster.connect(declared.kubeconfig, declared.context) as connected,
        _opened(connected, settings, wish, suffix, suite, limit) as name,
    ):
        yield name


@contextlib.asynccontextmanager
async def _opened(
    cluster: Cluster, settings: Settings, wish: Wish, suffix: str, suite: str, limit: float
) -> AsyncIterator[str]:
    labels = {SUITE_LABEL: suite, MANAGED: OWNER}
    fault = settings.fault or ""
    if not wish.name:
        async with kube.namespace(
            cluster, "autoscaling", run_id=settings.run_id, fault=fault, labels=labels, timeout=limit
        ) as name:
            await _usable(cluster, name, limit)
            yield name
        return
    name = wish.with_suffix(suffix)
    await prepare(cluster, name, labels=labels, fault=fault)
    await _usable(cluster, name, limit)
    try:
        yield name
    finally:
        if wish.cleanup:
            await empty(cluster, name, seconds=limit)


async def prepare(cluster: Cluster, name: str, *, labels: Mapping[str, str], fault: str = "") -> None:
    """Make a named namespace if it is absent; what the suites left in one that is there is removed.

    A namespace that others made is used as it is.

    Raises:
        ConfigurationError: A fault is asked for in a namespace that others made: it would act on what is theirs.
    """
    own = marks("", fault)
    found = await cluster.get("v1", "Namespace", name)
    if found is not None and found["metadata"].get("deletionTimestamp"):
        await cluster.wait_gone(kube.Reference("v1", "Namespace", name), timeout=REMOVAL_SECONDS, known=found)
        found = None
    if found is None:
        metadata = {"name": name, "labels": {**own["labels"], **labels}, "annotations": own["annotations"]}
        with contextlib.suppress(kube.ConflictError):  # another check of the same process was quicker
            await cluster.create({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
        return
    if is_ours(found):
        changes = {
            "labels": {FAULTY_LABEL: "true" if fault else None},
            "annotations": {FAULT_ANNOTATION: fault or None},
        }
        await cluster.patch(kube.Reference("v1", "Namespace", name), {"metadata": changes})
    elif fault:
        raise ConfigurationError(f"namespace {name} is not the suites' own: no fault is shown in it", where="--fault")
    await empty(cluster, name, namespace_too=False)


async def _usable(cluster: Cluster, name: str, limit: float) -> None:
    """Wait until the account that pods run as is there: before, the API server refuses pods."""
    account = kube.Reference("v1", "ServiceAccount", "default", name)
    seconds = min(limit, _ACCOUNT_SECONDS)
    await cluster.wait_for(account, lambda found: found is not None, timeout=seconds, what="its service account")
