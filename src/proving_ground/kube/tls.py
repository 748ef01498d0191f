"""TLS towards an API server."""

from __future__ import annotations

import contextlib
import os
import ssl
import tempfile
from typing import TYPE_CHECKING

from proving_ground.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from proving_ground.kube.credentials import Credential
    from proving_ground.kube.kubeconfig import Access


def context(access: Access, credential: Credential) -> ssl.SSLContext:
    """Return the TLS settings for an API server and the certificate that is shown to it.

    Raises:
        ConfigurationError: A certificate or a key cannot be used.
    """
    try:
        tls = ssl.create_default_context(cadata=access.ca.decode("ascii") if access.ca else None)
    except (ssl.SSLError, ValueError) as error:
        raise ConfigurationError("the certificate authority is no PEM certificate", where=access.where) from error
    if access.insecure:
        tls.check_hostname = False
        tls.verify_mode = ssl.CERT_NONE
    if credential.certificate and credential.key:
        try:
            with _file(credential.key.rstrip() + b"\n" + credential.certificate) as name:
                # a key with a password is refused instead of asking the terminal for it
                tls.load_cert_chain(name, password="")
        except (OSError, ValueError) as error:  # SSLError is an OSError
            raise ConfigurationError(
                f"the client certificate and key of user {access.user!r} cannot be used: {_reason(error)}",
                where=access.where,
            ) from error
    return tls


def _reason(error: Exception) -> str:
    reason = getattr(error, "reason", None)
    return str(reason).replace("_", " ").lower() if reason else "they are no PEM"


@contextlib.contextmanager
def _file(content: bytes) -> Iterator[str]:
    """Give the name of a file with this content, which OpenSSL needs; a key should not touch a disk.

    Linux has files in memory; elsewhere it is one that only the owner may read, gone at once.
    """
    if hasattr(os, "memfd_create"):
        with open(os.memfd_create("client-certificate"), "wb") as file:
            file.write(content)
            file.flush()
            yield f"/proc/self/fd/{file.fileno()}"
    else:
        with tempfile.NamedTemporaryFile() as named:  # mode 0600
            named.write(content)
            named.flush()
            yield named.name
