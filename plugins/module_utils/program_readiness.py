# Apache-2.0 (see LICENSE)
"""Whether a program is ready, and what its log says where it is not."""

from __future__ import annotations

import functools
import http.client
import pathlib
import socket
import ssl
import urllib.error
import urllib.request
from typing import Any

LOG_LINES = 15


@functools.cache
def opener(authority: str | None) -> urllib.request.OpenerDirector:
    """Return what opens URLs without proxies; kept, as reading certificates takes longer than asking."""
    context = ssl.create_default_context(cafile=authority)
    return urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))


def is_ready(ready: dict[str, Any]) -> str:
    """Probe once; return an empty string when ready, else what was seen."""
    try:
        if ready.get("url"):
            opener(ready.get("ca") or None).open(ready["url"], timeout=2).close()
        if ready.get("tcp"):
            host, _, port = ready["tcp"].rpartition(":")
            socket.create_connection((host, int(port)), timeout=2).close()
    except urllib.error.HTTPError as error:
        with error:
            return f"HTTP {error.code}: {error.read(400).decode(errors='replace')}"
    except (OSError, ValueError, http.client.HTTPException) as error:
        return str(error)
    if ready.get("file") and not pathlib.Path(ready["file"]).exists():
        return f"{ready['file']} does not exist"
    return ""


def last_lines(path: pathlib.Path, count: int = LOG_LINES) -> str:
    """Return the last lines of a log, or say that there are none."""
    try:
        with path.open("rb") as stream:
            stream.seek(max(0, path.stat().st_size - 16384))
            lines = stream.read().decode(errors="replace").splitlines()[-count:]
    except OSError:
        lines = []
    return "\n".join(lines) or "(its log is empty)"
