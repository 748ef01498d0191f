from __future__ import annotations

import pytest

from proving_ground.budaiscaler.names import needs_names


@pytest.mark.parametrize(
    "host", ["mock.ns", "mock.ns.svc", "mock-a.ns.svc.cluster.local", "MOCK.ns.svc", "mock.ns.svc.cluster.local."]
)
def test_names_of_services_need_the_proxy(host: str) -> None:
    assert needs_names(f"http://{host}:8000/metrics")


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:8000/", "http://[::1]:8000/", "http://localhost:9000/", "http://a.b.example.com/", "http://[x/",
     "nonsense", ""],
)  # fmt: skip
def test_addresses_and_other_names_do_not(url: str) -> None:
    assert not needs_names(url)
