"""What schemathesis sent and what came back, as `hooks.py` and schemathesis' own report tell it."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from proving_ground.errors import InfrastructureError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_LATE = frozenset({"ReadTimeout", "ConnectTimeout", "Timeout"})
_BROKEN = frozenset({"ConnectionError", "ChunkedEncodingError", "ContentDecodingError", "SSLError"})
"""Names of exceptions of the library requests."""
_OUTAGE = "ServerUnavailable"
"""What schemathesis makes of one where nobody answers any more; it then sends nothing else."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request, and what came back.

    Attributes:
        path: Path of the request.
        content_type: Of the request; empty: none was named.
        body: Of the request.
        status: Of the answer; 0: none came, or not whole.
        answer_type: Content type of the answer.
        answer: Body of the answer.
        cut: Whether reading a stream was left off.
        broken: Why no whole answer came; empty: it did, or not in time.
    """

    path: str
    content_type: str
    body: bytes
    status: int = 0
    answer_type: str = ""
    answer: bytes = b""
    cut: bool = False
    broken: str = ""


def answered(lines: Iterable[str]) -> Iterator[Exchange]:
    """Return what `hooks.py` wrote; a last line that was cut is left out."""
    for told in _documents(lines):
        raw = {key: base64.b64decode(told[key]) for key in ("body", "answer")}
        yield Exchange(**{**told, **raw})


def unanswered(lines: Iterable[str]) -> Iterator[Exchange]:
    """Return the requests without a whole answer, from schemathesis' report: each ends a scenario.

    Raises:
        InfrastructureError: schemathesis broke off for another reason.
    """
    errors: dict[str, dict[str, Any]] = {}
    last: dict[str, Any] | None = None
    outage = False
    for event in _documents(lines):
        if "FatalError" in event:
            raise _broke(event["FatalError"].get("exception", event["FatalError"]))
        if error := event.get("NonFatalError"):
            kind = error["value"]["type"]
            if kind == _OUTAGE:
                outage = True
            elif kind in _LATE | _BROKEN:
                errors[error["label"]] = error["value"]
            else:
                raise _broke(error["value"])
        elif scenario := event.get("ScenarioFinished"):
            told = errors.pop(scenario["recorder"]["label"], None)
            cases = list(scenario["recorder"].get("cases", {}).values())
            last = cases[-1]["value"] if cases else last
            if told is not None and cases:
                yield _last(cases[-1]["value"], told)
    if outage and last is not None:
        yield _last(last, {"type": "ConnectionError", "message": "the server answers no more"})


def _broke(error: Any) -> InfrastructureError:
    told = f"{error.get('type', 'error')}: {error.get('message', '')}" if isinstance(error, dict) else str(error)
    return InfrastructureError(f"schemathesis broke off: {told.strip().splitlines()[0][:300]}")


def _last(case: dict[str, Any], error: dict[str, Any]) -> Exchange:
    body = case.get("body")
    if isinstance(body, dict) and list(body) == ["$base64"]:
        content = base64.b64decode(body["$base64"])
    else:
        content = json.dumps(body).encode() if "body" in case else b""
    broken = "" if error["type"] in _LATE else " ".join(f"{error['type']}: {error['message']}".split())[:200]
    return Exchange(case["path"], case.get("media_type") or "", content, broken=broken)


def _documents(lines: Iterable[str]) -> Iterator[dict[str, Any]]:
    for line in lines:
        try:
            yield json.loads(line)
        except ValueError:
            continue
