"""Reading a kubeconfig for the one cluster that the fleet serves."""

from __future__ import annotations

import base64
import binascii
import ssl
import tempfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml

from proving_ground.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Access:
    """How to reach an API server."""

    server: str
    tls: ssl.SSLContext
    token: str = ""


def _named(document: Mapping[str, Any], group: str, name: object, inner: str, where: str) -> Mapping[str, Any]:
    for entry in document.get(group) or ():
        if entry.get("name") == name:
            found: Mapping[str, Any] = entry.get(inner) or {}
            return found
    raise ConfigurationError(f"expected an entry {name!r} in {group}, found none", where=where)


def _material(entry: Mapping[str, Any], name: str, folder: Path) -> bytes | None:
    """Return what a field holds, inline (``<name>-data``) or in a file, or None."""
    inline = entry.get(f"{name}-data")
    if inline:
        return base64.b64decode(inline, validate=True)
    path = entry.get(name)
    return (folder / path).read_bytes() if path else None


def read_access(path: Path) -> Access:
    """Read the current context of a kubeconfig; understands client certificates and bearer tokens.

    Raises:
        ConfigurationError: The file cannot be read, or says nothing that can be used.
    """
    where = str(path)
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
        if not isinstance(document, dict):
            raise ConfigurationError("expected a kubeconfig, found no mapping", where=where)
        context = _named(document, "contexts", document.get("current-context"), "context", where)
        cluster = _named(document, "clusters", context.get("cluster"), "cluster", where)
        user = _named(document, "users", context.get("user"), "user", where)
        tls = ssl.create_default_context()
        ca = _material(cluster, "certificate-authority", path.parent)
        if ca:
            tls = ssl.create_default_context(cadata=ca.decode())
        if cluster.get("insecure-skip-tls-verify"):
            tls.check_hostname = False
            tls.verify_mode = ssl.CERT_NONE
        certificate = _material(user, "client-certificate", path.parent)
        key = _material(user, "client-key", path.parent)
        if certificate and key:
            _load(tls, certificate, key)
        return Access(str(cluster["server"]).rstrip("/"), tls, str(user.get("token") or ""))
    except (OSError, ValueError, KeyError, AttributeError, TypeError, yaml.YAMLError, binascii.Error) as error:
        raise ConfigurationError(f"the kubeconfig cannot be used: {error!r}", where=where) from error


def _load(tls: ssl.SSLContext, certificate: bytes, key: bytes) -> None:
    # OpenSSL reads a chain from a file only; NamedTemporaryFile has mode 0600 and is gone at once.
    with tempfile.NamedTemporaryFile() as file:
        file.write(certificate.rstrip() + b"\n" + key)
        file.flush()
        tls.load_cert_chain(file.name)
