"""What was asked of an API server, by verb and kind of thing, for figures and for tests that keep them low."""

from __future__ import annotations

from collections import Counter

_VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
_UNDER_NAMESPACE = 2  # "namespaces", its name; below it stands a kind, or a subresource of the namespace itself
_NAMESPACE_SUBRESOURCES = frozenset({"status", "finalize"})


class Requests(Counter[tuple[str, str]]):
    """How many requests were sent, by Kubernetes' verb and by plural (with subresource): ``("create", "pods")``.

    Discovery counts as ``("discover", "apps/v1")``, anything else as ``("get", "/version")``.
    """

    def note(self, method: str, path: str, *, watch: bool = False) -> None:
        """Count one request."""
        self[_named(method, path, watch=watch)] += 1


def _named(method: str, path: str, *, watch: bool) -> tuple[str, str]:
    root, *parts = path.strip("/").split("/")
    versioned = 1 if root == "api" else 2
    if root not in {"api", "apis"} or len(parts) < versioned:
        return _VERBS.get(method, "get"), path
    below = parts[versioned:]
    if not below:
        return "discover", "/".join(parts)
    if (
        below[0] == "namespaces"
        and len(below) > _UNDER_NAMESPACE
        and below[_UNDER_NAMESPACE] not in (_NAMESPACE_SUBRESOURCES)
    ):
        below = below[_UNDER_NAMESPACE:]
    plural, *rest = below
    kind = "/".join([plural, *rest[1:2]])
    if method == "GET" and not rest:
        return ("watch" if watch else "list"), kind
    verb = "deletecollection" if method == "DELETE" and not rest else _VERBS.get(method, "get")
    return verb, kind
