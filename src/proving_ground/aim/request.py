"""What an AIMService asks for, read from its spec; the two API groups ask in slightly different words."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from typing import Any

from proving_ground.aim import eai
from proving_ground.aim.catalogue import Catalogue, Entry
from proving_ground.aim.observation import Routing

Json = Mapping[str, Any]

TOKEN_VARIABLE = "HF_TOKEN"  # noqa: S105  the name of a variable
DEFAULT_RUNTIME_CONFIG = "default"
LONGEST_PATH = 200
"""Characters of a route's path (AIM engine's own limit)."""

_EXPRESSION = re.compile(r"\{([^{}]*)\}")
_STEP = re.compile(r"""\.([A-Za-z0-9_-]+)|\[['"]([^'"\]]+)['"]\]""")


@dataclasses.dataclass(frozen=True, slots=True)
class Gpu:
    """An override of the GPUs of one replica; a count of 0 leaves the catalogue's number."""

    resource: str = ""
    count: int = 0


@dataclasses.dataclass(frozen=True, slots=True)
class Request:
    """The spec of a service, as far as the stand-in acts on it."""

    reference: str
    by_image: bool
    replicas: int
    pull_secrets: tuple[str, ...]
    env: tuple[Json, ...]
    allow_unoptimized: bool
    template: str
    runtime_config: str
    gpu: Gpu
    cache: bool
    kv_cache: bool
    routing: Routing
    service_account: str
    labels: Json
    resources: Json
    custom: Entry | None = None

    def secret_names(self) -> frozenset[str]:
        """Return the names of all Secrets that the service refers to."""
        keys = (_secret_key(variable) for variable in self.env)
        return frozenset(self.pull_secrets) | {key[0] for key in keys if key}

    def token_source(self) -> str | tuple[str, str] | None:
        """Return the token's plain value, or name and key of its Secret, or None where no token is given."""
        variable = next((v for v in self.env if v.get("name") == TOKEN_VARIABLE), None)
        if variable is None:
            return None
        return _secret_key(variable) or str(variable.get("value") or "")


def read(service: Json, group: str) -> Request:
    """Read the spec of an AIMService of the given API group."""
    spec = service.get("spec") or {}
    metadata = service.get("metadata") or {}
    model, template, overrides = spec.get("model") or {}, spec.get("template") or {}, spec.get("overrides") or {}
    custom = None
    if group == eai.GROUP:
        image, name = model.get("image"), model.get("name")
        custom = _custom(model.get("custom"))
        gpu = _hardware((overrides.get("hardware") or {}).get("gpu"))
        cache = (spec.get("caching") or {}).get("mode", "Never") != "Never" or bool(spec.get("cacheModel"))
        wanted_template = template.get("name")
    else:
        image, name = model.get("image"), model.get("ref")
        selector = overrides.get("gpuSelector") or {}
        gpu = Gpu(resource=str(selector.get("resourceName", "")), count=int(selector.get("count", 0)))
        cache = bool(spec.get("cacheModel"))
        wanted_template = spec.get("templateRef")
    replicas = spec.get("minReplicas") or spec.get("replicas", 1)
    return Request(
        reference=str((custom.image if custom else None) or image or name or ""),
        by_image=bool(image or custom),
        replicas=int(replicas),
        pull_secrets=tuple(str(s["name"]) for s in spec.get("imagePullSecrets") or [] if s.get("name")),
        env=tuple(spec.get("env") or ()),
        allow_unoptimized=bool(template.get("allowUnoptimized")),
        template=str(wanted_template or ""),
        runtime_config=str(spec.get("runtimeConfigName") or DEFAULT_RUNTIME_CONFIG),
        gpu=gpu,
        cache=cache,
        kv_cache=bool(spec.get("kvCache")),
        routing=_routing(spec.get("routing") or {}, service),
        service_account=str(spec.get("serviceAccountName") or ""),
        labels=_propagated(spec.get("labelPropagation") or {}, metadata.get("labels") or {}),
        resources=spec.get("resources") or {},
        custom=custom,
    )


def resolve(request: Request, catalogue: Catalogue) -> Entry | None:
    """Return the catalogue entry that a request means, or None where there is none."""
    if request.custom is not None:
        known = catalogue.by_image(request.custom.image)
        return known.model_copy(update={"model": request.custom.model}) if known else None
    if request.by_image:
        return catalogue.by_image(request.reference)
    return catalogue.by_name(request.reference)


def route_path(template: str, service: Json) -> str:
    """Return the path that a template makes for a service; ``{.metadata.name}`` and the like are looked up in it.

    Raises:
        ValueError: The template is malformed, names a field that is not there, or its result is too long.
    """

    def value(match: re.Match[str]) -> str:
        expression = match[1].strip()
        steps = list(_STEP.finditer(expression))
        if not steps or "".join(step[0] for step in steps) != expression:
            raise ValueError(f"expected a field such as {{.metadata.name}}, found {{{expression}}}")
        found: Any = service
        for step in steps:
            found = found.get(step[1] or step[2]) if isinstance(found, Mapping) else None
        if found is None or isinstance(found, (Mapping, list)):
            raise ValueError(f"{{{expression}}} names no plain field of the service")
        return re.sub(r"[^A-Za-z0-9._~-]", "-", str(found))

    path = _EXPRESSION.sub(value, template)
    if "{" in path or "}" in path:
        raise ValueError(f"unbalanced braces in {template!r}")
    path = "/" + path.strip("/")
    if len(path) > LONGEST_PATH:
        raise ValueError(f"the path is {len(path)} characters long, {LONGEST_PATH} are allowed")
    return path


def _routing(routing: Json, service: Json) -> Routing:
    if not routing.get("enabled"):
        return Routing()
    template = routing.get("pathTemplate") or "/{.metadata.namespace}/{.metadata.uid}"
    has_gateway = bool((routing.get("gatewayRef") or {}).get("name"))
    try:
        return Routing(enabled=True, has_gateway=has_gateway, path=route_path(str(template), service))
    except ValueError as error:
        return Routing(enabled=True, has_gateway=has_gateway, path_error=f"pathTemplate: {error}")


def _hardware(gpu: Json | None) -> Gpu:
    if not gpu:
        return Gpu()
    return Gpu(resource=str(gpu.get("resourceName", "")), count=int(gpu.get("requests", 0)))


def _custom(custom: Json | None) -> Entry | None:
    if not custom:
        return None
    sources = custom.get("modelSources") or [{}]
    hardware = (custom.get("hardware") or {}).get("gpu") or {}
    return Entry(
        image=str(custom.get("baseImage") or "none"),
        model=str(sources[0].get("modelId", "")),
        gpus=int(hardware.get("requests", 0)),
    )


def _secret_key(variable: Json) -> tuple[str, str] | None:
    source = (variable.get("valueFrom") or {}).get("secretKeyRef")
    return (str(source.get("name", "")), str(source.get("key", ""))) if source else None


def _propagated(propagation: Json, labels: Json) -> Json:
    if not propagation.get("enabled"):
        return {}
    patterns = [re.compile(re.escape(p).replace(r"\*", ".*")) for p in propagation.get("match") or []]
    return {key: value for key, value in labels.items() if any(p.fullmatch(key) for p in patterns)}
