"""What is shown to an API server to prove who asks: taken from a kubeconfig's user, or from its credential plugin.

Plugins follow ``client.authentication.k8s.io/v1`` and ``v1beta1`` (Kubernetes' reference of ExecCredential).
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import datetime as dt
import json
import math
import os
import signal
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from proving_ground.errors import ConfigurationError

if TYPE_CHECKING:
    from proving_ground.kube.kubeconfig import Access, Plugin

_TOKEN_FILE_SECONDS = 60.0
"""A token file is read again that often, as client-go does: whoever rotates it leaves the old one valid meanwhile."""
_PLUGIN_SECONDS = 60.0
_LONGEST_LINE = 300


@dataclass(frozen=True, slots=True)
class Credential:
    """What a user shows.

    Attributes:
        authorization: Value of the header Authorization, or empty.
        certificate: Client certificate (PEM).
        key: Its key (PEM).
        expires: Unix time from which on it has to be obtained anew.
    """

    authorization: str = field(default="", repr=False)
    certificate: bytes | None = field(default=None, repr=False)
    key: bytes | None = field(default=None, repr=False)
    expires: float = math.inf


def written(access: Access) -> Credential:
    """Return the credential that the kubeconfig itself holds or names, for clients that can show nothing else.

    Raises:
        ConfigurationError: The token file cannot be read, a program would have to be run, or somebody else is to
            be impersonated.
    """
    if access.impersonate:
        raise ConfigurationError(
            f"user {access.user!r} is to impersonate somebody else, which is not possible here", where=access.where
        )
    return _held(access)


def _held(access: Access) -> Credential:
    if access.token_file is not None or access.token is not None:
        token = _token(access)
        expires = math.inf if access.token_file is None else time.time() + _TOKEN_FILE_SECONDS
        return Credential(_bearer(token, access), access.certificate, access.key, expires)
    if access.username:
        pair = base64.b64encode(f"{access.username}:{access.password}".encode()).decode()
        return Credential(f"Basic {pair}", access.certificate, access.key)
    if access.plugin is not None:
        raise ConfigurationError(
            f"user {access.user!r} needs a credential plugin, which is not run here", where=access.where
        )
    return Credential("", access.certificate, access.key)


async def obtain(access: Access) -> Credential:
    """Return the credential of a user, by running its plugin where the kubeconfig holds none.

    Raises:
        ConfigurationError: There is none to be had.
    """
    if access.plugin is None or access.token is not None or access.token_file is not None or access.username:
        return _held(access)
    return await _Run(access, access.plugin).credential()


def _token(access: Access) -> str:
    if access.token_file is None:
        return access.token or ""
    try:
        if token := access.token_file.read_text(encoding="utf-8").strip():
            return token
        problem = "it is empty"
    except OSError as error:
        problem = str(error.strerror)
    except ValueError:
        problem = "it is no text"
    if access.token is not None:
        return access.token
    raise ConfigurationError(
        f"the token file of user {access.user!r} cannot be used: {problem}: {access.token_file}", where=access.where
    )


def _bearer(token: str, access: Access) -> str:
    if not token.isascii() or not token.isprintable() or " " in token:
        raise ConfigurationError(f"the token of user {access.user!r} is none", where=access.where)
    return f"Bearer {token}"


class _Run:
    """One run of a credential plugin."""

    def __init__(self, access: Access, plugin: Plugin) -> None:
        self._access = access
        self._plugin = plugin

    def _wrong(self, what: str, hint: str = "") -> ConfigurationError:
        return ConfigurationError(
            f"the credential plugin {self._plugin.command} of user {self._access.user!r} {what}",
            where=self._access.where,
            hint=hint,
        )

    async def credential(self) -> Credential:
        """Run it and return what it hands out."""
        output = await self._output()
        try:
            answer = json.loads(output)
        except (ValueError, RecursionError) as error:
            raise self._wrong("printed no JSON") from error
        if not isinstance(answer, dict) or answer.get("kind") != "ExecCredential":
            raise self._wrong("printed no ExecCredential")
        if answer.get("apiVersion") != self._plugin.api_version:
            raise self._wrong(f"speaks another version than {self._plugin.api_version}")
        status = answer.get("status")
        if not isinstance(status, dict):
            raise self._wrong("printed an ExecCredential without a status")
        token = self._text(status, "token")
        certificate = self._text(status, "clientCertificateData")
        key = self._text(status, "clientKeyData")
        if bool(certificate) != bool(key):
            raise self._wrong("printed half of a pair of client certificate and key")
        if not token and not certificate:
            raise self._wrong("printed neither a token nor a client certificate")
        return Credential(
            authorization=_bearer(token, self._access) if token else "",
            certificate=certificate.encode() if certificate else self._access.certificate,
            key=key.encode() if key else self._access.key,
            expires=self._expires(self._text(status, "expirationTimestamp")),
        )

    def _text(self, status: dict[str, Any], key: str) -> str:
        value = status.get(key)
        if value is None:
            return ""
        if not isinstance(value, str):
            raise self._wrong(f"printed a {key} that is no text")
        return value.strip()

    def _expires(self, text: str) -> float:
        if not text:
            return math.inf
        try:
            moment = dt.datetime.fromisoformat(text)
        except ValueError as error:
            raise self._wrong("printed an expirationTimestamp that is no time (RFC 3339)") from error
        return moment.replace(tzinfo=moment.tzinfo or dt.UTC).timestamp()

    async def _output(self) -> bytes:
        plugin = self._plugin
        spec: dict[str, Any] = {"interactive": False}
        if plugin.cluster is not None:
            spec["cluster"] = plugin.cluster
        info = {"apiVersion": plugin.api_version, "kind": "ExecCredential", "spec": spec}
        environment = {**os.environ, **dict(plugin.environment), "KUBERNETES_EXEC_INFO": json.dumps(info, default=str)}
        try:
            process = await asyncio.create_subprocess_exec(
                plugin.command,
                *plugin.arguments,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                env=environment,
                start_new_session=True,
            )
        except FileNotFoundError as error:
            raise self._wrong("is not installed", plugin.hint) from error
        except OSError as error:
            raise self._wrong(f"cannot be run: {error.strerror}", plugin.hint) from error
        try:
            async with asyncio.timeout(_PLUGIN_SECONDS):
                output, said = await process.communicate()
        except BaseException as error:
            with contextlib.suppress(ProcessLookupError):  # with its children
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
            if isinstance(error, TimeoutError):
                raise self._wrong(f"did not end within {_PLUGIN_SECONDS:g} s") from error
            raise
        if process.returncode != 0:
            lines = said.decode(errors="replace").strip().splitlines() or ["it said nothing"]
            raise self._wrong(f"ended with {process.returncode}: {lines[-1][:_LONGEST_LINE]}", plugin.hint)
        return output
