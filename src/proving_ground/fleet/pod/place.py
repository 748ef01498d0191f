"""Which container of which pod a process is in, as its mounts tell it."""

from __future__ import annotations

import re
import socket
from dataclasses import dataclass
from pathlib import Path

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
"""Where the kubelet mounts the service account's token, the certificate of the API server's authority and the
namespace (Kubernetes documentation, "Accessing the Kubernetes API from a Pod")."""
_TERMINATION_LOG = re.compile(r"/pods/(?P<uid>[0-9a-f-]{36})/containers/(?P<container>[^/]+)/[^/]+$")
_ROOT, _TARGET = 3, 4
"""Fields of a line of ``/proc/self/mountinfo`` (proc_pid_mountinfo(5)): what is mounted, and where."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a process runs; each part is empty where it is not known."""

    namespace: str = ""
    pod: str = ""
    uid: str = ""
    container: str = ""


def read_mounts(text: str) -> tuple[str, str]:
    """Return the pod's uid and the container's name, both empty where no kubelet started the container.

    The kubelet mounts a file of its own over the container's termination log, and its path names both.

    Args:
        text: ``/proc/self/mountinfo``.
    """
    for line in text.splitlines():
        fields = line.split(" ")
        if len(fields) > _TARGET and fields[_TARGET].startswith("/dev/"):
            found = _TERMINATION_LOG.search(fields[_ROOT])
            if found is not None:
                return found["uid"], found["container"]
    return "", ""


def here(account: Path = ACCOUNT, mounts: Path = Path("/proc/self/mountinfo")) -> Place:
    """Return where this process runs."""
    try:
        uid, container = read_mounts(mounts.read_text(encoding="utf-8", errors="replace"))
    except OSError:
        uid, container = "", ""
    try:
        namespace = (account / "namespace").read_text(encoding="utf-8").strip()
    except OSError:
        namespace = ""
    return Place(namespace, socket.gethostname(), uid, container)
