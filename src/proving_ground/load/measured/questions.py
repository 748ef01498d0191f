"""What is asked: whole HTTP requests, made before the load so that sending one costs next to nothing."""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from proving_ground.load.measured.plan import Plan

SHORT = "What is the capital of the country number {} on your list?"
MEDIUM = "Explain in a few sentences how a machine called {} tells whether its own measurements can be trusted."
LONG = (
    "Write a report on test series {}. Begin with what was measured and on which machines, go on with what was "
    "expected and what was found, compare both, name three causes that may explain the difference, say how each of "
    "them could be ruled out, and close with what you would do next, and why that before anything else."
)
MIX = {"short": (SHORT, 16), "medium": (MEDIUM, 64), "long": (LONG, 128)}
"""Name -> question and tokens of its answer."""
HEALTH = "health"
_DIGITS = 8
_PLACE = "#" * _DIGITS


@dataclass(frozen=True, slots=True)
class Question:
    """One kind of request; each one sent differs from those before, so that no cache of prompts answers it."""

    before: bytes
    after: bytes
    streamed: bool
    generates: bool

    def request(self, number: int) -> bytes:
        """Return the whole request."""
        if not self.generates:
            return self.before
        return b"%b%0*d%b" % (self.before, _DIGITS, number % 10**_DIGITS, self.after)


class Questions:
    """All kinds of a plan.

    Args:
        plan: What is asked, and how.
        token: Bearer token, or nothing.
        first: Number of the first request: processes that share a load ask different things.
    """

    def __init__(self, plan: Plan, token: str = "", first: int = 0) -> None:
        parts = urlsplit(plan.url)
        self._base = parts.path.rstrip("/")
        self._head = [f"Host: {parts.netloc}", "Accept: */*", "User-Agent: proving-ground"]
        self._head += [f"Authorization: Bearer {token}"] if token else []
        self._numbers = itertools.count(first)
        path = "/v1/chat/completions" if plan.api == "chat" else "/v1/completions"
        self._kinds = {name: self._asking(plan, path, text, tokens) for name, (text, tokens) in MIX.items()}
        get = "\r\n".join([f"GET {self._base}/health HTTP/1.1", *self._head, "", ""])
        self._kinds[HEALTH] = Question(get.encode(), b"", streamed=False, generates=False)

    def _asking(self, plan: Plan, path: str, text: str, tokens: int) -> Question:
        prompt = text.format(_PLACE)
        body: dict[str, object] = {"model": plan.model, "max_tokens": plan.max_tokens or tokens}
        body |= {"messages": [{"role": "user", "content": prompt}]} if plan.api == "chat" else {"prompt": prompt}
        if plan.streamed:
            body |= {"stream": True, "stream_options": {"include_usage": True}}
        content = json.dumps(body)
        lines = [f"POST {self._base}{path} HTTP/1.1", *self._head, "Content-Type: application/json"]
        lines += [f"Content-Length: {len(content.encode())}", "", content]
        before, _, after = "\r\n".join(lines).encode().partition(_PLACE.encode())
        return Question(before, after, streamed=plan.streamed, generates=True)

    def next(self, kind: str) -> tuple[Question, bytes]:
        """Return a kind, and the next request of it."""
        question = self._kinds[kind]
        return question, question.request(next(self._numbers))
