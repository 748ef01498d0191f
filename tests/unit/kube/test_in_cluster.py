"""How a pod reaches its API server."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from proving_ground.errors import ConfigurationError
from proving_ground.kube.credentials import written
from proving_ground.kube.in_cluster import in_cluster_access, is_in_cluster

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def account(tmp_path: Path) -> Path:
    (tmp_path / "ca.crt").write_text("authority")
    (tmp_path / "token").write_text("secret\n")
    return tmp_path


@pytest.mark.parametrize(
    ("host", "server"), [("10.0.0.1", "https://10.0.0.1:6443"), ("fd00::1", "https://[fd00::1]:6443")]
)
def test_a_pod_is_its_service_account(account: Path, host: str, server: str) -> None:
    access = in_cluster_access({"KUBERNETES_SERVICE_HOST": host, "KUBERNETES_SERVICE_PORT": "6443"}, account)
    assert (access.server, access.ca) == (server, b"authority")
    assert written(access).authorization == "Bearer secret"


def test_what_is_no_pod_is_refused(account: Path) -> None:
    assert not is_in_cluster({})
    with pytest.raises(ConfigurationError, match="this is no pod"):
        in_cluster_access({}, account)


def test_a_pod_without_a_service_account_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no service account"):
        in_cluster_access({"KUBERNETES_SERVICE_HOST": "10.0.0.1"}, tmp_path)
