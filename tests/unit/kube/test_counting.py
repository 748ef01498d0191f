"""Which verb and kind a request counts for."""

from __future__ import annotations

import pytest

from proving_ground.kube.counting import Requests


@pytest.mark.parametrize(
    ("method", "path", "watch", "counted"),
    [
        ("GET", "/api/v1/pods", False, ("list", "pods")),
        ("GET", "/api/v1/pods", True, ("watch", "pods")),
        ("GET", "/api/v1/namespaces/ns/pods", True, ("watch", "pods")),
        ("GET", "/api/v1/namespaces/ns/pods/p", False, ("get", "pods")),
        ("GET", "/api/v1/namespaces/ns/pods/p/log", False, ("get", "pods/log")),
        ("GET", "/api/v1/namespaces", False, ("list", "namespaces")),
        ("GET", "/api/v1/namespaces/ns", False, ("get", "namespaces")),
        ("PUT", "/api/v1/namespaces/ns/finalize", False, ("update", "namespaces/finalize")),
        ("POST", "/apis/apps/v1/namespaces/ns/deployments", False, ("create", "deployments")),
        ("PATCH", "/apis/apps/v1/namespaces/ns/deployments/d/status", False, ("patch", "deployments/status")),
        ("DELETE", "/apis/a.b/v1/things/x", False, ("delete", "things")),
        ("DELETE", "/apis/a.b/v1/things", False, ("deletecollection", "things")),
        ("GET", "/api/v1", False, ("discover", "v1")),
        ("GET", "/apis/apps/v1", False, ("discover", "apps/v1")),
        ("GET", "/version", False, ("get", "/version")),
        ("GET", "/apis", False, ("get", "/apis")),
        ("GET", "/apis/apps", False, ("get", "/apis/apps")),
    ],
)
def test_a_request_counts_for_its_verb_and_kind(method: str, path: str, watch: bool, counted: tuple[str, str]) -> None:
    requests = Requests()
    requests.note(method, path, watch=watch)
    assert dict(requests) == {counted: 1}


def test_all_requests_are_summed() -> None:
    requests = Requests()
    for path in ("/api/v1/pods", "/api/v1/secrets", "/version"):
        requests.note("GET", path)
    assert requests.total() == 3
