# Apache-2.0 (see LICENSE)
"""A small client of a Kubernetes API, for modules: no discovery, no imports that take longer than the work."""

from __future__ import annotations

import base64
import http.client
import json
import pathlib
import ssl
import tempfile
import threading
from typing import Any, Self
from urllib.parse import urlsplit

import yaml

TIMEOUT_SECONDS = 15


class ApiError(Exception):
    """The API server refused a request, or did not answer it as JSON."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def credentials(kubeconfig: dict[str, Any]) -> tuple[str, bytes, bytes, bytes]:
    """Return server, authority, client certificate and key of a kubeconfig's current context, as PEM.

    Raises:
        ValueError: The kubeconfig does not embed them.
    """
    try:
        current = kubeconfig["current-context"]
        context = next(each["context"] for each in kubeconfig["contexts"] if each["name"] == current)
        cluster = next(each["cluster"] for each in kubeconfig["clusters"] if each["name"] == context["cluster"])
        user = next(each["user"] for each in kubeconfig["users"] if each["name"] == context["user"])
        return (
            cluster["server"],
            base64.b64decode(cluster["certificate-authority-data"]),
            base64.b64decode(user["client-certificate-data"]),
            base64.b64decode(user["client-key-data"]),
        )
    except (KeyError, TypeError, StopIteration) as error:
        raise ValueError(f"the kubeconfig has no embedded certificates for its current context: {error!r}") from error


class Api:
    """Requests to one API server, with a connection for each thread."""

    def __init__(self, kubeconfig: str) -> None:
        server, authority, certificate, key = credentials(yaml.safe_load(pathlib.Path(kubeconfig).read_text()))
        url = urlsplit(server)
        self.host, self.port = url.hostname or "", url.port or 443
        self.context = ssl.create_default_context(cadata=authority.decode())
        with tempfile.NamedTemporaryFile() as pair:  # the ssl module takes a client's key from a file only
            pair.write(certificate + b"\n" + key)
            pair.flush()
            self.context.load_cert_chain(pair.name)
        self.local = threading.local()
        self.connections: list[http.client.HTTPSConnection] = []

    def __enter__(self) -> Self:
        """Return the client, whose connections are closed in the end."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close all connections."""
        for connection in self.connections:
            connection.close()

    def request(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """Send a request and return the object of the answer.

        Raises:
            ApiError: The answer is an error.
            OSError: There is no answer.
        """
        connection = getattr(self.local, "connection", None)
        if connection is None:
            connection = http.client.HTTPSConnection(
                self.host, self.port, timeout=TIMEOUT_SECONDS, context=self.context
            )
            self.local.connection = connection
            self.connections.append(connection)
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        try:
            connection.request(method, path, json.dumps(body) if body is not None else None, headers)
            answer = connection.getresponse()
            text = answer.read()
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise OSError(f"{method} {path}: {error}") from error
        try:
            content = json.loads(text)
        except ValueError as error:
            raise ApiError(answer.status, f"{method} {path}: {answer.status} {text[:200]!r}") from error
        if answer.status >= http.client.BAD_REQUEST:
            raise ApiError(answer.status, f"{method} {path}: {answer.status} {content.get('message')}")
        return dict(content)
