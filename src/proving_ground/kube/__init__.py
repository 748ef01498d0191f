"""Asynchronous Kubernetes client for suites and engines."""

from __future__ import annotations

from proving_ground.kube.cluster import Cluster
from proving_ground.kube.discovery import UnknownKindError
from proving_ground.kube.errors import ApiError, ConflictError, NotFoundError, WaitTimeoutError
from proving_ground.kube.namespaces import create_namespace, namespace, remove_namespace
from proving_ground.kube.overrides import Overrides
from proving_ground.kube.references import Object, Reference, ResourceType, Target, conditions, summarise

__all__ = [
    "ApiError",
    "Cluster",
    "ConflictError",
    "NotFoundError",
    "Object",
    "Overrides",
    "Reference",
    "ResourceType",
    "Target",
    "UnknownKindError",
    "WaitTimeoutError",
    "conditions",
    "create_namespace",
    "namespace",
    "remove_namespace",
    "summarise",
]
