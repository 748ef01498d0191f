"""Status of group ``aim.silogen.ai``: its words, condition types and reasons (kaiwo's AIM API)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from proving_ground.aim.conditions import Condition, state
from proving_ground.aim.faults import Fault
from proving_ground.aim.situations import Finding, Situation
from proving_ground.aim.templates import matching, reference, template_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from proving_ground.aim.observation import Observation

GROUP = "aim.silogen.ai"

OUTCOMES: Mapping[Situation, tuple[str, str]] = {
    Situation.RECONCILE_ERROR: ("Failed", "RuntimeFailed"),
    Situation.NAME_TOO_LONG: ("Failed", "ValidationFailed"),
    Situation.RUNTIME_CONFIG_MISSING: ("Degraded", "RuntimeConfigMissing"),
    Situation.IMAGE_MISSING: ("Degraded", "ImageNotFound"),
    Situation.MODEL_MISSING: ("Degraded", "ModelNotFound"),
    Situation.PATH_INVALID: ("Degraded", "PathTemplateInvalid"),
    Situation.TEMPLATE_MISSING: ("Failed", "TemplateNotFound"),
    Situation.UNOPTIMIZED_REFUSED: ("Failed", "TemplateNotFound"),
    Situation.CACHE_FAILED: ("Failed", "CacheFailed"),
    Situation.PULL_REFUSED: ("Degraded", "ImagePullAuthFailure"),
    Situation.PULL_ERROR: ("Degraded", "ImagePullBackOff"),
    Situation.RUNTIME_FAILED: ("Degraded", "RuntimeFailed"),
    Situation.STARTING: ("Starting", "CreatingRuntime"),
    Situation.GATEWAY_MISSING: ("Failed", "RouteFailed"),
    Situation.RUNNING: ("Running", "RuntimeReady"),
}
"""Status and reason of each situation; an unoptimized refusal is a failed template selection."""

_UNRESOLVED = frozenset(
    {
        Situation.NAME_TOO_LONG,
        Situation.RUNTIME_CONFIG_MISSING,
        Situation.IMAGE_MISSING,
        Situation.MODEL_MISSING,
        Situation.TEMPLATE_MISSING,
        Situation.UNOPTIMIZED_REFUSED,
    }
)
_ROUTE = frozenset({Situation.PATH_INVALID, Situation.GATEWAY_MISSING})


def conditions(seen: Observation, finding: Finding) -> tuple[Condition, ...]:
    """Return the conditions of a service, in the order in which the engine works them off."""
    reason = OUTCOMES[finding.situation][1]
    text, situation = finding.message, finding.situation
    running, starting = situation is Situation.RUNNING, situation is Situation.STARTING
    failed = not running and not starting
    found = [_resolved(situation, reason, text), *_caches(seen, situation, text)]
    if situation is Situation.GATEWAY_MISSING:
        found.append(Condition("RuntimeReady", "True", "RuntimeReady", "replicas are ready"))
    elif not (running and Fault.RUNNING_WITHOUT_RUNTIME_READY in seen.faults):
        found.append(Condition("RuntimeReady", state(running), reason, text))
    found.append(_routing(seen, situation, reason, text))
    found.append(Condition("Ready", state(running), reason, text))
    found.append(Condition("Progressing", state(starting), reason, text))
    found.append(Condition("Failure", state(failed), reason, text if failed else ""))
    return tuple(found)


def _resolved(situation: Situation, reason: str, text: str) -> Condition:
    if situation in _UNRESOLVED:
        return Condition("Resolved", "False", reason, text)
    return Condition("Resolved", "True", "Resolved", "model and template are resolved")


def _caches(seen: Observation, situation: Situation, text: str) -> list[Condition]:
    found = []
    if situation is Situation.CACHE_FAILED:
        found.append(Condition("CacheReady", "False", "CacheFailed", text))
        found.append(Condition("CacheFailed", "True", "CacheFailed", text))
    elif seen.cache_requested and situation not in _UNRESOLVED:
        found.append(Condition("CacheReady", "True", "CacheWarm", "the model is cached"))
        found.append(Condition("CacheFailed", "False", "CacheWarm"))
    if situation not in _UNRESOLVED:
        asked = seen.kv_cache_requested
        found.append(Condition("KVCacheReady", "True", "KVCacheReady" if asked else "KVCacheNotRequested"))
    return found


def _routing(seen: Observation, situation: Situation, reason: str, text: str) -> Condition:
    if situation in _ROUTE:
        return Condition("RoutingReady", "False", reason, text)
    if not seen.routing.enabled:
        return Condition("RoutingReady", "True", "RouteReady", "Routing disabled")
    if situation is Situation.RUNNING:
        return Condition("RoutingReady", "True", "RouteReady", f"the route answers at {seen.routing.path}")
    return Condition("RoutingReady", "False", "ConfiguringRoute", "the route waits for the runtime")


def fields(seen: Observation, finding: Finding) -> dict[str, Any]:
    """Return the other fields of the status; None for those that must not be there."""
    entry = seen.entry
    resolved = entry is not None and finding.situation not in _UNRESOLVED
    template = None
    if entry is not None and resolved:
        kind = "optimized" if entry.optimized else "unoptimized"
        template = reference("AIMServiceTemplate", template_name(entry, seen.template), seen.namespace)
        template["profile"] = {"metadata": {"gpuCount": entry.gpus, "type": kind}}
    return {
        "resolvedImage": reference("AIMModel", entry.image, "") if entry else None,
        "resolvedTemplate": template,
        "resolvedRuntimeConfig": reference("AIMRuntimeConfig", seen.runtime_config, seen.namespace)
        if seen.runtime_config_found
        else None,
        "routing": {"path": seen.routing.path} if seen.routing.enabled and seen.routing.path else None,
        "templateMatching": {"candidates": matching(entry, seen)} if entry else None,
    }
