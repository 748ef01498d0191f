"""A file of a model hub, where the hub answers within seconds; that it does not is remembered for a while."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import threading
import time
import urllib.parse
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from proving_ground.errors import ProvingGroundError
from proving_ground.files import write_atomically

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

ENDPOINT = "https://huggingface.co"
CONNECT_SECONDS = 2.0
REMEMBERED_SECONDS = 3600.0
_DOWNLOAD_SECONDS = 600.0
_TELL_SECONDS = 15.0
_SCRIPT = Path(__file__).with_name("hub_file.py")
_PORTS = {"http": 80, "https": 443}


class HubError(Exception):
    """The hub gave no file; the text says why."""


@dataclass(frozen=True)
class HubFile:
    """A file of a repository of the hub.

    Attributes:
        repository: As ``owner/name``.
        file: Its path in the repository.
        revision: Branch, tag or commit.
    """

    repository: str
    file: str
    revision: str = "main"


def endpoint(environment: Mapping[str, str] = os.environ) -> str:
    """Return the URL of the hub."""
    return environment.get("HF_ENDPOINT") or ENDPOINT


def unreachable(url: str, seconds: float = CONNECT_SECONDS) -> str:
    """Try to connect to the host of a URL, or to the proxy for it; return why it failed, nothing if it did not.

    A name server that does not answer counts: the try ends after ``seconds`` in every case.
    """
    parts = urllib.parse.urlsplit(url)
    proxy = urllib.request.getproxies().get(parts.scheme)
    if proxy and not urllib.request.proxy_bypass(parts.hostname or ""):
        parts = urllib.parse.urlsplit(proxy if "//" in proxy else f"//{proxy}", scheme="http")
    outcome = [f"no answer within {seconds:g} s"]

    def connect() -> None:
        try:
            address = (parts.hostname or "", parts.port or _PORTS.get(parts.scheme, 443))
            with socket.create_connection(address, timeout=seconds):
                outcome[0] = ""
        except (OSError, ValueError) as error:
            outcome[0] = getattr(error, "strerror", None) or str(error) or type(error).__name__

    thread = threading.Thread(target=connect, daemon=True)
    thread.start()
    thread.join(seconds)
    return outcome[0]


def fetch(wanted: HubFile, directory: Path, *, python: Path, memory: Path, say: Callable[[str], None]) -> Path:
    """Return a file of the hub, complete and verified, in a directory.

    Args:
        wanted: Which file.
        directory: Where it is kept; what was fetched of it before is gone on with.
        python: Interpreter that has huggingface_hub.
        memory: File that remembers, for an hour, that the hub gave nothing.
        say: Told what takes long.

    Raises:
        HubError: It could not be had.
    """
    url = endpoint()
    if os.environ.get("HF_HUB_OFFLINE", "") not in ("", "0"):
        raise HubError("HF_HUB_OFFLINE is set")
    name = f"{wanted.repository}/{wanted.file}"
    known = _recall(memory, url, name)
    if known:
        raise HubError(known)
    reason = unreachable(url)
    if not reason:
        say(f"fetching {name} from {url}")
        path, reason = _run(python, wanted, directory, say)
        if path is not None:
            return path
    reason = f"{urllib.parse.urlsplit(url).netloc} did not give it ({reason})"
    _remember(memory, url, name, reason)
    raise HubError(reason)


def _run(python: Path, wanted: HubFile, directory: Path, say: Callable[[str], None]) -> tuple[Path | None, str]:
    directory.mkdir(parents=True, exist_ok=True)
    arguments = {
        "repository": wanted.repository,
        "file": wanted.file,
        "revision": wanted.revision,
        "directory": str(directory),
        "seconds": CONNECT_SECONDS * 2,
    }
    began = time.monotonic()
    with subprocess.Popen(
        [str(python), "-I", str(_SCRIPT), json.dumps(arguments)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            while True:
                try:
                    output, errors = process.communicate(timeout=_TELL_SECONDS)
                    break
                except subprocess.TimeoutExpired:
                    gone = time.monotonic() - began
                    if gone > _DOWNLOAD_SECONDS:  # the next run goes on from there, so this is not remembered
                        raise HubError(f"{wanted.file} did not come within {_DOWNLOAD_SECONDS:.0f} s") from None
                    say(f"still fetching {wanted.file} ({gone:.0f} s)")
        finally:
            if process.poll() is None:
                process.kill()
    if process.returncode:
        lines = errors.strip().splitlines()
        return None, lines[-1] if lines else f"exit code {process.returncode}"
    return Path(json.loads(output)["path"]), ""


def _recall(memory: Path, url: str, name: str) -> str:
    try:
        known = json.loads(memory.read_text(encoding="utf-8"))
        left = known["until"] - time.time()
        valid = known["endpoint"] == url and known["file"] == name and 0 <= left <= REMEMBERED_SECONDS
        return str(known["reason"]) if valid else ""
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _remember(memory: Path, url: str, name: str, reason: str) -> None:
    content = {"endpoint": url, "file": name, "reason": reason, "until": time.time() + REMEMBERED_SECONDS}
    try:
        memory.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(memory, json.dumps(content))
    except (OSError, ProvingGroundError):  # it only saves time
        return
