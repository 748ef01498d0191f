"""How a pod reaches the API server of its own cluster: as its service account, without a kubeconfig.

Source: Kubernetes documentation, "Accessing the Kubernetes API from a Pod".
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from proving_ground.errors import ConfigurationError
from proving_ground.kube.kubeconfig import Access

if TYPE_CHECKING:
    from collections.abc import Mapping

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
HOST, PORT = "KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT"


def is_in_cluster(environment: Mapping[str, str] = os.environ) -> bool:
    """Tell whether this process runs in a pod."""
    return bool(environment.get(HOST))


def in_cluster_access(environment: Mapping[str, str] = os.environ, account: Path = ACCOUNT) -> Access:
    """Return how this pod reaches its API server.

    Raises:
        ConfigurationError: This is no pod, or it has no service account.
    """
    host, port = environment.get(HOST, ""), environment.get(PORT, "443")
    if not host:
        raise ConfigurationError(f"expected a kubeconfig: this is no pod, {HOST} is not set", where="API server")
    try:
        ca = (account / "ca.crt").read_bytes()
    except OSError as error:
        raise ConfigurationError(
            f"the pod has no service account: {error.strerror}", where=str(account / "ca.crt")
        ) from error
    named = f"[{host}]" if ":" in host else host
    return Access(
        server=f"https://{named}:{port}",
        where=str(account),
        user="the pod's service account",
        ca=ca,
        token_file=account / "token",
    )
