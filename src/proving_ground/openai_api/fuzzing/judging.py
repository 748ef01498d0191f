"""What must hold for any request, and the shortest request for which it does not."""

from __future__ import annotations

import base64
import json
import re
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from proving_ground.openai_api.client import JSON_TYPE, STREAM_TYPE
from proving_ground.openai_api.conformity import Finding, judge
from proving_ground.openai_api.events import EventParser
from proving_ground.openai_api.fuzzing.document import CHUNKS, NAMES
from proving_ground.openai_api.streams import record_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from proving_ground.openai_api.differences import Differences
    from proving_ground.openai_api.fuzzing.exchanges import Exchange

_OK, _REFUSED, _BROKEN = 200, 400, 500
_SHOWN = 160
_WORDS = 5


@dataclass(frozen=True, slots=True)
class Failure:
    """Something that does not hold.

    Attributes:
        path: Path of the request.
        rule: What is broken, by a name that differences are listed by.
        told: What was found, one sentence.
        requests: For how many requests.
        curl: A command that sends the shortest of them.
    """

    path: str
    rule: str
    told: str
    requests: int
    curl: str

    def __str__(self) -> str:
        """Return it in one line."""
        often = "1 request" if self.requests == 1 else f"{self.requests} requests"
        return f"POST {self.path}: {self.told} [{self.rule}] ({often}): {self.curl}"


@dataclass(frozen=True)
class Judgement:
    """What was found in all exchanges.

    Attributes:
        failures: What does not hold.
        tolerated: What the server is known for: rule -> reason.
    """

    failures: list[Failure]
    tolerated: dict[str, str]


def judged(exchanges: Iterable[Exchange], url: str, differences: Differences, *, secret: bool = False) -> Judgement:
    """Judge exchanges.

    Args:
        exchanges: All of them.
        url: Base URL of the server, for commands.
        differences: What is known of the server.
        secret: Whether requests need a token.
    """
    tolerated: dict[str, str] = {}
    found: dict[tuple[str, str], list[tuple[Finding, Exchange]]] = {}
    for exchange in exchanges:
        once = {finding.rule: finding for finding in findings(exchange, differences)}
        for rule, finding in once.items():
            if finding.tolerated:
                tolerated[rule] = finding.tolerated
            else:
                found.setdefault((exchange.path, rule), []).append((finding, exchange))
    return Judgement([_failure(all_of, url, secret) for _, all_of in sorted(found.items())], tolerated)


def _failure(all_of: list[tuple[Finding, Exchange]], url: str, secret: bool) -> Failure:
    finding, shortest = min(all_of, key=lambda pair: (not _plain(pair[1].body), len(pair[1].body)))
    place = "" if finding.path == "$" else f"{finding.path}: "
    command = curl(shortest, url, secret=secret)
    return Failure(shortest.path, finding.rule, f"{place}{finding.reason}", len(all_of), command)


def findings(exchange: Exchange, differences: Differences) -> Iterator[Finding]:
    """Say what does not hold for one exchange; what is tolerated of the server, too, but no harmless extension."""
    for finding in _findings(exchange):
        if not finding.tolerated:
            yield differences.applied(finding)


def _findings(exchange: Exchange) -> Iterator[Finding]:
    if not exchange.status:
        # What came too late may be a long answer: whether the server goes on is asked afterwards.
        if exchange.broken:
            yield Finding("connection", "$", f"the connection broke: {exchange.broken}")
        return
    name = NAMES[exchange.path]
    kind = exchange.answer_type.partition(";")[0].strip().lower()
    if exchange.status >= _BROKEN:
        told = f"expected a status below 500, found {exchange.status} {_shown(exchange.answer)}"
        yield Finding(f"{name}:status-{exchange.status}{_cause(exchange.answer)}", "$", told)
    if exchange.status >= _REFUSED:
        # Bodies that are not called JSON are often refused by what stands before a server's API.
        called = exchange.content_type.partition(";")[0].strip().lower() == JSON_TYPE
        other = "" if called else "other-type:"
        if kind != JSON_TYPE:
            yield Finding(f"{other}error-content-type", "$", f"expected {JSON_TYPE} for an error, found {kind!r}")
        yield from _body("error", exchange.answer, other)
    elif exchange.status != _OK:
        yield Finding(f"{name}:status-{exchange.status}", "$", f"expected 200 or 4xx, found {exchange.status}")
    else:
        yield from _answer(exchange, name, kind)


def _answer(exchange: Exchange, name: str, kind: str) -> Iterator[Finding]:
    """Judge a good answer; what stands for true without being it may be taken for a wish to stream, or not."""
    asked = _streams(exchange.body) if exchange.path in CHUNKS else None
    streams = asked is True or bool(asked and kind == STREAM_TYPE)
    expected = STREAM_TYPE if streams else JSON_TYPE
    if kind != expected:
        yield Finding(f"{name}:content-type", "$", f"expected {expected}, found {kind!r}")
    yield from _stream(exchange, CHUNKS[exchange.path]) if streams else _body(name, exchange.answer)


def _cause(body: bytes) -> str:
    """Return the beginning of an error's message as a part of a rule: one server has more than one reason to fail."""
    try:
        message = json.loads(body)["error"]["message"]
    except (ValueError, RecursionError, LookupError, TypeError):
        return ""
    begun = re.sub(r"^\W+", "", str(message).lower())
    words = re.findall(r"[a-z]+", re.split(r"[^\w\s.,-]", begun, maxsplit=1)[0])
    return "".join(f"{':' if at == 0 else '-'}{word}" for at, word in enumerate(words[:_WORDS]))


def _streams(body: bytes) -> Any:
    """Return what a request has as ``stream``."""
    try:
        asked = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return asked.get("stream") if isinstance(asked, dict) else None


def _body(name: str, body: bytes, other: str = "") -> Iterator[Finding]:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        yield Finding(f"{other}{name}:json", "$", f"expected JSON, found {_shown(body)}")
        return
    yield from judge(name, document).findings


def _stream(exchange: Exchange, name: str) -> Iterator[Finding]:
    parser = EventParser()
    events = tuple(parser.feed(exchange.answer))
    if not exchange.cut:
        parser.close()
    record = record_of(exchange.path, events, parser.problems, {})
    for problem in record.problems:
        yield Finding("stream-framing" if problem in parser.problems else "stream-data", "$", problem)
    for error in record.errors:
        yield Finding("error-in-stream", "$", f"a stream with status 200 tells {json.dumps(error)[:_SHOWN]}")
    if not record.done and not exchange.cut:
        yield Finding("stream-done", "$", "the stream ends without [DONE]")
    for chunk in record.chunks:
        yield from judge(name, chunk).findings


def _shown(body: bytes) -> str:
    return repr(body[:_SHOWN].decode("utf-8", "replace"))


def _plain(body: bytes) -> bool:
    """Whether a body can stand in a command as it is."""
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return text.isprintable() and not text.startswith("@")


def curl(exchange: Exchange, url: str, *, secret: bool = False) -> str:
    """Return a command, one line for a shell, that sends a request again; its token is the variable TOKEN."""
    words = ["curl", "-sS", shlex.quote(f"{url}{exchange.path}")]
    # curl names a type of its own where none is given.
    words += ["-H", shlex.quote(f"content-type:{' ' if exchange.content_type else ''}{exchange.content_type}")]
    if secret:
        words += ["-H", '"authorization: Bearer $TOKEN"']
    if _plain(exchange.body):
        return " ".join([*words, "--data-raw", shlex.quote(exchange.body.decode())])
    encoded = base64.b64encode(exchange.body).decode()
    return f"echo {encoded} | base64 -d | " + " ".join([*words, "--data-binary", "@-"])
