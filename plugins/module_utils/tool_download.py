# Copyright: Proving Ground contributors
# Apache-2.0 (see LICENSE)
"""Official release files: fetched once, refused unless their published SHA-256 is theirs."""

from __future__ import annotations

import hashlib
import http.client
import ipaddress
import json
import os
import re
import socket
import tarfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from typing import TYPE_CHECKING, Any

from ansible_collections.proving.ground.plugins.module_utils.tool_catalogue import ToolError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from ansible_collections.proving.ground.plugins.module_utils.tool_catalogue import Host, Tool
    from ansible_collections.proving.ground.plugins.module_utils.tool_progress import Progress

_TRIES = 2
_CHUNK = 1 << 20
_SHA256 = re.compile(r"[0-9a-f]{64}")
_CHECKSUM_LIMIT = 8 << 20
_PORTS = {"http": 80, "https": 443}


class Downloader:
    """Fetches release files, and remembers for the run which hosts cannot be reached.

    Args:
        patience: Seconds for one try to connect to a host; there are two tries.
        silence: Seconds without a byte after which a transfer has failed.
        memory: File that keeps the hosts that could not be reached, for later calls of the same run.
    """

    def __init__(self, *, patience: float, silence: float = 20.0, memory: Path | None = None) -> None:
        self.patience = patience
        self.silence = silence
        self.memory = memory
        self.unreachable: dict[str, str] = _remembered(memory)

    def probe(self, urls: Iterable[str]) -> None:
        """Try to connect to the hosts of ``urls``, all at the same time, and note those that fail."""
        hosts = {urllib.parse.urlsplit(url).netloc: url for url in urls}
        results: dict[str, str] = {}
        probes = [
            threading.Thread(target=_probe, args=(netloc, url, self.patience, results), daemon=True)
            for netloc, url in hosts.items()
            if netloc not in self.unreachable
        ]
        for thread in probes:
            thread.start()
        deadline = time.monotonic() + self.patience * _TRIES + 0.2
        for thread in probes:
            thread.join(max(0.0, deadline - time.monotonic()))
        for netloc in hosts.keys() - self.unreachable.keys():
            # No result is a name server that does not answer: a thread cannot be interrupted in it.
            reason = results.get(netloc, f"no answer within {self.patience * _TRIES:.1f} s")
            if reason:
                self.unreachable[netloc] = reason
        _remember(self.memory, self.unreachable)

    def fetch(self, tool: Tool, host: Host, work: Path, progress: Progress) -> Path:
        """Fetch one tool into the work directory, and return its file.

        Raises:
            ToolError: It is not published, its host cannot be reached, or the file is not what its
                publisher says it is.
        """
        if tool.download is None:
            raise ToolError(f"{tool.name} has no release files")
        url, checksum_url = tool.expand(tool.download.url, host), tool.expand(tool.download.checksum_url, host)
        for address in (url, checksum_url):
            _require_safe(address)
        self.probe([url, checksum_url])
        for netloc in (urllib.parse.urlsplit(address).netloc for address in (url, checksum_url)):
            if netloc in self.unreachable:
                raise ToolError(
                    f"{netloc} cannot be reached ({self.unreachable[netloc]}): nothing is downloaded from it"
                )
        progress.say(f"downloading {tool.name} {tool.version}")
        name = url.rsplit("/", 1)[-1]
        wanted = published_sha256(self._try(checksum_url, None)[0], name, where=checksum_url)
        file = work / f"{tool.name}.download"
        found = self._try(url, file)[1]
        if found != wanted:
            raise ToolError(f"{url}: expected SHA-256 {wanted}, found {found}; the file was not used")
        return _member(file, tool.expand(tool.download.member, host), work / tool.name, url)

    def _try(self, url: str, file: Path | None) -> tuple[bytes, str]:
        reason = ""
        for _ in range(_TRIES):
            try:
                return _get(url, file, self.silence)
            except urllib.error.HTTPError as error:
                error.close()
                reason = f"HTTP {error.code} {error.reason}"
                if error.code < http.HTTPStatus.INTERNAL_SERVER_ERROR:
                    break
            except (OSError, http.client.HTTPException) as error:
                reason = str(getattr(error, "reason", error)) or type(error).__name__
        raise ToolError(f"{url}: {reason}")


def published_sha256(text: bytes, name: str, *, where: str) -> str:
    """Return the SHA-256 that a publisher gives for a file.

    Understands a bare digest, the lines of ``sha256sum``, and the release description of the GitHub
    API (whose assets carry a ``digest``).

    Raises:
        ToolError: It names none for this file.
    """
    decoded = text.decode("utf-8", "replace").strip()
    digest = ""
    if decoded.startswith("{"):
        digest = _asset_digest(decoded, name)
    elif _SHA256.fullmatch(decoded.lower()):
        digest = decoded.lower()
    else:
        for line in decoded.splitlines():
            words = line.split()
            if len(words) == 2 and words[1].lstrip("*").rsplit("/", 1)[-1] == name:  # noqa: PLR2004 - digest and name
                digest = words[0].lower()
    if not _SHA256.fullmatch(digest):
        raise ToolError(f"{where}: expected the SHA-256 of {name}, found none; nothing is used unverified")
    return digest


def _asset_digest(text: str, name: str) -> str:
    try:
        release: Any = json.loads(text)
        assets = {asset["name"]: asset.get("digest") or "" for asset in release["assets"]}
    except (ValueError, KeyError, TypeError, AttributeError):
        return ""
    return str(assets.get(name, "")).removeprefix("sha256:")


def _require_safe(url: str) -> None:
    """Refuse what is not HTTPS, unless it stays on this machine."""
    parts = urllib.parse.urlsplit(url)
    try:
        loopback = ipaddress.ip_address(parts.hostname or "").is_loopback
    except ValueError:
        loopback = False
    if not (parts.scheme == "https" or (parts.scheme == "http" and loopback)):
        raise ToolError(f"{url}: expected an https:// address")


def _probe(netloc: str, url: str, patience: float, results: dict[str, str]) -> None:
    parts = urllib.parse.urlsplit(url)
    proxy = urllib.request.getproxies().get(parts.scheme)
    if proxy and not urllib.request.proxy_bypass(parts.hostname or ""):
        parts = urllib.parse.urlsplit(proxy if "//" in proxy else f"//{proxy}", scheme="http")
    reason = ""
    for _ in range(_TRIES):
        try:
            port = parts.port or _PORTS.get(parts.scheme, 443)
            with socket.create_connection((parts.hostname or "", port), timeout=patience):
                reason = ""
                break
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
    results[netloc] = reason


def _get(url: str, file: Path | None, silence: float) -> tuple[bytes, str]:
    """Return the body (kept only without a file) and its SHA-256; a short body is an error."""
    request = urllib.request.Request(url, headers={"User-Agent": "proving-ground"})  # noqa: S310 - see _require_safe
    with urllib.request.urlopen(request, timeout=silence) as response:  # noqa: S310 - see _require_safe
        length = response.headers.get("Content-Length")
        if file is None:
            body: bytes = response.read(_CHECKSUM_LIMIT)
            return body, hashlib.sha256(body).hexdigest()
        digest, size = hashlib.sha256(), 0
        with file.open("wb") as stream:
            while chunk := response.read(_CHUNK):
                stream.write(chunk)
                digest.update(chunk)
                size += len(chunk)
        if length is not None and size != int(length):
            raise http.client.IncompleteRead(b"", int(length) - size)
    return b"", digest.hexdigest()


def _member(file: Path, member: str, target: Path, url: str) -> Path:
    if not member:
        return file.replace(target)
    try:
        with tarfile.open(file) as archive, target.open("wb") as stream:
            source = archive.extractfile(member)
            while source is not None and (chunk := source.read(_CHUNK)):
                stream.write(chunk)
    except (tarfile.TarError, KeyError, EOFError) as error:
        raise ToolError(f"{url}: expected the file {member} in the archive ({error})") from error
    file.unlink()
    return target


def _remembered(memory: Path | None) -> dict[str, str]:
    try:
        data = json.loads(memory.read_text(encoding="utf-8")) if memory else {}
    except (OSError, ValueError):
        return {}
    return {str(k): str(v) for k, v in data.items()} if isinstance(data, dict) else {}


def _remember(memory: Path | None, unreachable: dict[str, str]) -> None:
    if memory is None or not unreachable:
        return
    temporary = memory.with_name(f"{memory.name}.{os.getpid()}")
    try:
        temporary.write_text(json.dumps(unreachable), encoding="utf-8")
        temporary.replace(memory)
    except OSError:  # it only saves time
        return
