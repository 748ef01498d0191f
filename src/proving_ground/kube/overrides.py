"""What is given beside a kubeconfig and goes before it, as kubectl's options do."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Overrides:
    """Options of kubectl and of chainsaw (``--kube-context`` and so on); empty: what the kubeconfig says.

    Attributes:
        context: Name of a context in the kubeconfig.
        cluster: Name of a cluster in it, in place of that of the context.
        user: Name of a user in it, in place of that of the context.
        server: URL of the API server.
        tls_server_name: Name to verify the server's certificate against.
        certificate_authority: File of certificates of those whom to trust.
        insecure_skip_tls_verify: Whether the server's certificate is not verified; None: as the kubeconfig says.
        proxy_url: URL of an HTTP proxy.
        client_certificate: File of a client certificate.
        client_key: File of its key.
        token: Bearer token.
        username: For basic authentication.
        password: For basic authentication.
        as_user: Name of the user to impersonate.
        as_groups: Groups of that user.
        as_uid: UID of that user.
        request_timeout: Seconds that a single request may take, watches left out; 0: no limit of its own.
    """

    context: str = ""
    cluster: str = ""
    user: str = ""
    server: str = ""
    tls_server_name: str = ""
    certificate_authority: str = ""
    insecure_skip_tls_verify: bool | None = None
    proxy_url: str = field(default="", repr=False)
    client_certificate: str = ""
    client_key: str = ""
    token: str = field(default="", repr=False)
    username: str = ""
    password: str = field(default="", repr=False)
    as_user: str = ""
    as_groups: tuple[str, ...] = ()
    as_uid: str = ""
    request_timeout: float = 0.0

    @property
    def change_the_kubeconfig(self) -> bool:
        """Whether a program needs another kubeconfig to do as these say."""
        return any(
            getattr(self, each.name) not in ("", (), None) for each in fields(self) if each.name != "request_timeout"
        )

    def on_cluster(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return a cluster of the kubeconfig as these change it.

        As in client-go, a certificate authority that is given goes with verifying, and not verifying goes
        without one.
        """
        cluster = dict(given)
        authority = _path(self.certificate_authority)
        if authority:
            cluster["certificate-authority"] = authority
            for other in ("certificate-authority-data", "insecure-skip-tls-verify"):
                cluster.pop(other, None)
        if self.insecure_skip_tls_verify is not None:
            cluster["insecure-skip-tls-verify"] = self.insecure_skip_tls_verify
            if self.insecure_skip_tls_verify and not authority:
                for other in ("certificate-authority", "certificate-authority-data"):
                    cluster.pop(other, None)
        return cluster | _told(
            {"server": self.server, "tls-server-name": self.tls_server_name, "proxy-url": self.proxy_url}
        )

    def on_user(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return a user of the kubeconfig as these change it; one way to authenticate replaces another."""
        user = dict(given)
        if self.client_certificate:
            user.pop("client-certificate-data", None)
        if self.client_key:
            user.pop("client-key-data", None)
        if self.token or self.username:
            for other in ("token", "tokenFile", "username", "password", "exec"):
                user.pop(other, None)
        return user | _told(
            {
                "client-certificate": _path(self.client_certificate),
                "client-key": _path(self.client_key),
                "token": self.token,
                "username": self.username,
                "password": self.password,
                "as": self.as_user,
                "as-groups": list(self.as_groups),
                "as-uid": self.as_uid,
            }
        )


def _path(given: str) -> str:
    """Return a path for good: options are relative to the working directory, kubeconfigs to their own."""
    return str(Path(given).absolute()) if given else ""


def _told(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in fields.items() if value}
