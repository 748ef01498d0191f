from __future__ import annotations

import pytest

from proving_ground.fleet.names import service_of


@pytest.mark.parametrize("host", ["a.b", "a.b.svc", "a.b.svc.cluster.local", "A.B.", "a.b.SVC.cluster.local."])
def test_a_name_is_read_in_each_form_that_a_clusters_dns_knows(host: str) -> None:
    assert service_of(host) == ("b", "a")


@pytest.mark.parametrize("host", ["", ".", "a", "a.", ".a", "a..b", "a.b.c", "a.b.svc.cluster", "a.b.svc.example.com"])
def test_other_names_are_no_services(host: str) -> None:
    assert service_of(host) is None
