"""What can go wrong in talking to a cluster."""

from __future__ import annotations


class ApiError(Exception):
    """The API server refused a request.

    Attributes:
        status: HTTP status code.
        reason: Kubernetes' machine-readable reason, such as ``NotFound`` or ``AlreadyExists``.
        message: The API server's own sentence.
        retry_after: Seconds after which it asks to be asked again, 0 where it does not say so.
    """

    def __init__(self, status: int, reason: str, message: str, request: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.message = message
        self.request = request
        self.retry_after = 0.0

    def __str__(self) -> str:
        """Return the sentence with its reason and the request it answers."""
        return f"{self.message} ({self.reason or self.status}{', ' + self.request if self.request else ''})"


class NotFoundError(ApiError):
    """The object, or its kind, does not exist."""


class ConflictError(ApiError):
    """The object exists already, or changed since it was read."""


class ExpiredError(ApiError):
    """A watch asked for a resource version that the API server has forgotten: list again."""


class StreamError(Exception):
    """A stream ended as it should not have: its connection failed."""


class WaitTimeoutError(AssertionError):
    """What was waited for did not come in time; the message ends with what was last seen."""


_CLASSES = {404: NotFoundError, 409: ConflictError, 410: ExpiredError}


def api_error(status: int, body: object, request: str) -> ApiError:
    """Return the error for an answer: ``body`` is its JSON (a Status object) or its text."""
    reason, message = "", ""
    if isinstance(body, dict):
        reason, message = str(body.get("reason") or ""), str(body.get("message") or "")
    elif isinstance(body, str):
        message = body.strip()[:500]
    return _CLASSES.get(status, ApiError)(status, reason, message or f"HTTP status {status}", request)
