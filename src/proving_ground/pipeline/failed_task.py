"""What people are told of a task of Ansible's that failed: one line with the host, the reason and the task."""

from __future__ import annotations

import re
from typing import Any

_DETAIL_LIMIT = 2000

# ansible-core's own words around the reason.
_WRAPPING = re.compile(r"^(?:Task failed: |Module failed: |Module result deserialization failed: )+")
_BARE_COMMAND = "non-zero return code"
_CHANGED_KEY = "REMOTE HOST IDENTIFICATION HAS CHANGED"
_OFFENDING = re.compile(r"^Offending \S+ key in (?P<where>\S+)", re.MULTILINE)

# What to do about reasons that Ansible names and leaves people alone with; the second for hosts that it cannot reach.
_ADVICE = {
    "Incorrect sudo password": "set ansible_become_password to the password of ansible_user on that host",
    "Missing sudo password": "set ansible_become_password, or let ansible_user use sudo without one",
    "No space left on device": "free space there",
}
_NO_SSHD = "start sshd there, or correct ansible_host and ansible_port"
_ADVICE_ON_REACHING = {
    "Connection refused": _NO_SSHD,
    # What is left to say where ssh ended before it was handed the task.
    "Broken pipe": _NO_SSHD,
    "Connection timed out": "start the host, or correct ansible_host",
    "No route to host": "start the host, or correct ansible_host",
    "Permission denied (": "let the key into authorized_keys of ansible_user there, or name another one",
    "Host key verification failed": "have the host's key in the file known_hosts, if it is the right one",
}


def describe(data: dict[str, Any], *, unreachable: bool) -> tuple[str, str]:
    """Return the line, and everything that the task said.

    Args:
        data: ``event_data`` of a failed or unreachable event of ansible-runner's.
        unreachable: Whether Ansible did not get to the host at all.
    """
    message = _message(data.get("res") or {})
    host = data.get("host", "")
    where = f"{host}: " if host not in {"", "localhost"} else ""
    first = "unreachable: " if unreachable else ""
    return f"{where}{first}{_summary(message, unreachable=unreachable)} (task: {data.get('task', '')})", message[
        :_DETAIL_LIMIT
    ]


def _message(result: dict[str, Any]) -> str:
    """Return the reason of a task, that of the first item of a loop that has one."""
    message = str(result.get("msg") or result.get("stderr") or result.get("reason") or "no message").strip()
    if message.startswith("One or more items failed") and result.get("results"):
        failed = [item for item in result["results"] if isinstance(item, dict) and item.get("failed")]
        return _message(failed[0]) if failed else message
    if _WRAPPING.sub("", message).startswith(_BARE_COMMAND):
        said = [line for line in str(result.get("stderr") or result.get("stdout") or "").splitlines() if line.strip()]
        if said:
            return f"{said[-1].strip()} (a command ended with {result.get('rc')})\n" + "\n".join(said)
    return message


def _summary(message: str, *, unreachable: bool) -> str:
    if _CHANGED_KEY in message:
        offending = _OFFENDING.search(message)
        known = offending["where"] if offending else "known_hosts"
        return f"the host has another SSH key than the one in {known}; if that is right, remove the old one there"
    lines = _WRAPPING.sub("", message).splitlines()
    # A line that announces others says nothing by itself.
    told = lines[:2] if lines and lines[0].rstrip().endswith(":") else lines[:1]
    summary = " ".join(" ".join(told).split())
    known_advice = _ADVICE | (_ADVICE_ON_REACHING if unreachable else {})
    advice = next((advice for sign, advice in known_advice.items() if sign.lower() in message.lower()), "")
    return f"{summary}; {advice}" if advice else summary
