"""Status of group ``aim.eai.amd.com``: its words, condition types and reasons (aim-engine's AIM API)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from proving_ground.aim.conditions import Condition, State, state
from proving_ground.aim.situations import Finding, Situation
from proving_ground.aim.templates import reference, template_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from proving_ground.aim.observation import Observation

GROUP = "aim.eai.amd.com"

OUTCOMES: Mapping[Situation, tuple[str, str]] = {
    Situation.RECONCILE_ERROR: ("Degraded", "InfrastructureError"),
    Situation.NAME_TOO_LONG: ("Failed", "InvalidSpec"),
    Situation.RUNTIME_CONFIG_MISSING: ("Degraded", "ReferenceNotFound"),
    Situation.IMAGE_MISSING: ("Degraded", "ModelNotFound"),
    Situation.MODEL_MISSING: ("Degraded", "ModelNotFound"),
    Situation.PATH_INVALID: ("Failed", "PathTemplateInvalid"),
    Situation.TEMPLATE_MISSING: ("Degraded", "TemplateNotFound"),
    Situation.UNOPTIMIZED_REFUSED: ("Failed", "TemplateNotFound"),
    Situation.CACHE_FAILED: ("Failed", "AuthError"),
    Situation.PULL_REFUSED: ("Failed", "AuthError"),
    Situation.PULL_ERROR: ("Degraded", "InfrastructureError"),
    Situation.RUNTIME_FAILED: ("Degraded", "ComponentsNotReady"),
    Situation.STARTING: ("Starting", "Progressing"),
    Situation.GATEWAY_MISSING: ("Failed", "GatewayNotConfigured"),
    Situation.RUNNING: ("Running", "AllComponentsReady"),
}
"""Status and reason of each situation, by the class of its error.

Authentication and invalid specs fail; missing references and infrastructure degrade.
"""

_CONFIG = {
    Situation.NAME_TOO_LONG: "InvalidSpec",
    Situation.RUNTIME_CONFIG_MISSING: "ReferenceNotFound",
    Situation.IMAGE_MISSING: "ReferenceNotFound",
    Situation.MODEL_MISSING: "ReferenceNotFound",
    Situation.PATH_INVALID: "InvalidSpec",
    Situation.TEMPLATE_MISSING: "ReferenceNotFound",
    Situation.UNOPTIMIZED_REFUSED: "InvalidSpec",
    Situation.GATEWAY_MISSING: "InvalidSpec",
}
_NO_MODEL = frozenset({Situation.IMAGE_MISSING, Situation.MODEL_MISSING})
_NO_TEMPLATE = frozenset({Situation.TEMPLATE_MISSING, Situation.UNOPTIMIZED_REFUSED})
_AUTH = frozenset({Situation.CACHE_FAILED, Situation.PULL_REFUSED})
_UNREACHABLE = frozenset({Situation.RECONCILE_ERROR, Situation.PULL_ERROR})


def conditions(seen: Observation, finding: Finding) -> tuple[Condition, ...]:
    """Return the framework's conditions, then those of the service's components."""
    reason = OUTCOMES[finding.situation][1]
    text, situation = finding.message, finding.situation
    running = situation is Situation.RUNNING
    found = [
        _judged("DependenciesReachable", situation in _UNREACHABLE, "Reachable", "InfrastructureError", text),
        _judged("AuthValid", situation in _AUTH, "AuthenticationValid", "AuthError", text),
        _judged("ConfigValid", situation in _CONFIG, "ConfigurationValid", _CONFIG.get(situation, ""), text),
        _judged(
            "RuntimeConfigReady",
            situation is Situation.RUNTIME_CONFIG_MISSING,
            "RuntimeConfigResolved",
            "ReferenceNotFound",
            text,
        ),
        _judged("ModelReady", situation in _NO_MODEL, "ModelResolved", "ModelNotFound", text),
    ]
    if situation not in _NO_MODEL:
        found.append(_judged("TemplateReady", situation in _NO_TEMPLATE, "Resolved", "TemplateNotFound", text))
    if seen.cache_requested:
        found.append(_judged("CacheReady", situation is Situation.CACHE_FAILED, "CacheReady", "CacheFailed", text))
    if seen.workload.created:
        found += _runtime(seen, running, text)
    if seen.routing.enabled:
        found.append(_route(seen, situation, text))
    found.append(Condition("Ready", state(running), _ready_reason(situation, reason), text))
    return tuple(found)


def _judged(kind: str, wrong: bool, good: str, bad: str, text: str) -> Condition:
    return Condition(kind, "False", bad, text) if wrong else Condition(kind, "True", good)


def _runtime(seen: Observation, running: bool, text: str) -> list[Condition]:
    pods = seen.workload
    ready: State = state(running or pods.is_ready)
    if ready == "True":
        return [
            Condition("InferenceServiceReady", "True", "RuntimeReady"),
            Condition("InferenceServicePodsReady", "True", "RuntimeReady"),
        ]
    return [
        Condition("InferenceServiceReady", "False", "CreatingRuntime", text),
        Condition("InferenceServicePodsReady", "False", "CreatingRuntime", text),
    ]


def _route(seen: Observation, situation: Situation, text: str) -> Condition:
    if situation is Situation.GATEWAY_MISSING:
        return Condition("HTTPRouteReady", "False", "GatewayNotConfigured", text)
    if situation is Situation.PATH_INVALID:
        return Condition("HTTPRouteReady", "False", "PathTemplateInvalid", text)
    if situation is Situation.RUNNING:
        return Condition("HTTPRouteReady", "True", "HTTPRouteAccepted", f"the route answers at {seen.routing.path}")
    return Condition("HTTPRouteReady", "False", "HTTPRoutePending", "the route waits for the runtime")


def _ready_reason(situation: Situation, reason: str) -> str:
    if situation in {Situation.RUNNING, Situation.STARTING}:
        return reason
    return "ComponentsNotReady"


def fields(seen: Observation, finding: Finding) -> dict[str, Any]:
    """Return the other fields of the status; None for those that must not be there."""
    entry, pods = seen.entry, seen.workload
    model = template = None
    if entry is not None:
        model = reference("AIMModel", entry.model, seen.namespace)
        if finding.situation not in _NO_TEMPLATE:
            template = reference("AIMServiceTemplate", template_name(entry, seen.template), seen.namespace)
    runtime = None
    if pods.created:
        runtime = {
            "currentReplicas": pods.ready,
            "desiredReplicas": pods.wanted,
            "replicas": f"{pods.ready}/{pods.wanted}",
        }
    return {
        "resolvedModel": model,
        "resolvedTemplate": template,
        "resolvedRuntimeConfig": reference("AIMRuntimeConfig", seen.runtime_config, seen.namespace)
        if seen.runtime_config_found
        else None,
        "routing": {"path": seen.routing.path} if seen.routing.enabled and seen.routing.path else None,
        "runtime": runtime,
    }
