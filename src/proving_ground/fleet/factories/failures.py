"""Failures that an inference server is told to show: so many in a hundred, or because a request asks for one."""

from __future__ import annotations

from dataclasses import dataclass

FAILURE_HEADER = "x-return-error"
"""Header of a request that asks for a failure: one of the kinds, or a status from 400 to 599."""
_HUNDRED = 100
_LOWEST, _HIGHEST, _SERVER = 400, 599, 500


@dataclass(frozen=True, slots=True)
class ShownFailure:
    """A failure as OpenAI's API tells it."""

    status: int
    kind: str
    message: str


_KINDS = {
    "rate_limit": ShownFailure(429, "RateLimitError", "Rate limit reached, as this server was told to say."),
    "invalid_api_key": ShownFailure(401, "AuthenticationError", "Incorrect API key, as this server was told to say."),
    "context_length": ShownFailure(400, "BadRequestError", "Too many tokens, as this server was told to say."),
    "server_error": ShownFailure(503, "ServiceUnavailableError", "Overloaded, as this server was told to say."),
    "invalid_request": ShownFailure(400, "BadRequestError", "Invalid request, as this server was told to say."),
    "model_not_found": ShownFailure(404, "NotFoundError", "No such model, as this server was told to say."),
}


def failure_named(asked: str) -> ShownFailure:
    """Return the failure that a request asks for; what names none is answered as an invalid request that says so."""
    text = asked.strip()
    if text in _KINDS:
        return _KINDS[text]
    status = int(text[:4]) if text.isascii() and text.isdecimal() else 0
    if _LOWEST <= status <= _HIGHEST:
        kind = "InternalServerError" if status >= _SERVER else "BadRequestError"
        return ShownFailure(status, kind, f"Status {status}, as the request asked for.")
    expected = f"expected {', '.join(_KINDS)} or a status from {_LOWEST} to {_HIGHEST}"
    return ShownFailure(400, "BadRequestError", f"{FAILURE_HEADER}: {expected}")


class Failures:
    """Spreads failures evenly over requests: of any hundred in a row, exactly the rate fail.

    Args:
        rate: Requests in a hundred that fail.
        kinds: The kinds of failures, in turn.
    """

    def __init__(self, rate: int, kinds: tuple[str, ...]) -> None:
        self._rate = rate
        self._kinds = kinds
        self._requests = 0
        self._failed = 0

    def next(self) -> ShownFailure | None:
        """Return the failure of the next request, or None if it is to succeed."""
        self._requests += 1
        if self._requests * self._rate // _HUNDRED <= self._failed:
            return None
        self._failed += 1
        return _KINDS[self._kinds[(self._failed - 1) % len(self._kinds)]]
