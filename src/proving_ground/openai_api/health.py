"""Waiting until a server is healthy."""

from __future__ import annotations

import asyncio
import os
import ssl
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import aiohttp

from proving_ground.errors import ConfigurationError, InfrastructureError
from proving_ground.openai_api.access import trust_in

if TYPE_CHECKING:
    from collections.abc import Callable

HEALTH = "/health"
MODELS = "/v1/models"
"""Asked where a server has no path for its health."""
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 2.0
"""Seconds between two questions: doubled each time, from the first to the longest."""
_QUESTION_SECONDS = 10.0
_NOT_FOUND = 404
_WELL = {HEALTH: {200}, MODELS: {200, 401, 403}}
"""A server that asks for credentials before it lists its models is there."""
_REFUSED = "does not speak HTTP"


@dataclass(frozen=True, slots=True)
class Health:
    """What came of one question.

    Attributes:
        healthy: Whether the server is.
        path: The path that told it.
        told: What was seen, for people.
        http: Whether something answers in HTTP.
    """

    healthy: bool
    path: str
    told: str
    http: bool = True


def base_url(text: str) -> str:
    """Return a base URL without its last slash and without ``/v1``.

    Raises:
        ConfigurationError: It is no http or https URL.
    """
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise ConfigurationError(f"{text[:200]!r} is not a URL: {error}") from None
    if parts.scheme not in {"http", "https"} or not host:
        raise ConfigurationError(f"expected a URL such as http://127.0.0.1:8080, found {text[:200]!r}")
    if not text.isprintable() or " " in text or not _named(host):
        raise ConfigurationError(f"{text[:200]!r} is not a URL: no host has such a name")
    if parts.username is not None or parts.query or parts.fragment:
        raise ConfigurationError(f"expected a URL without credentials, query or fragment, found {text[:200]!r}")
    return text.rstrip("/").removesuffix("/v1").rstrip("/")


def _named(host: str) -> bool:
    """Whether a host can have this name, see RFC 1034, section 3.1, and RFC 3490."""
    try:
        host.rstrip(".").encode("idna")
    except UnicodeError:
        return False
    return True


def reason_of(error: Exception) -> str:
    """Return why a connection failed, in the system's words where it has some: asyncio puts its own in their place."""
    cause = getattr(error, "certificate_error", None) or getattr(error, "os_error", error)
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {cause.verify_message.rstrip('.')}"
    if isinstance(cause, ssl.SSLError):
        return f"no TLS with it: {(cause.reason or str(cause)).lower().replace('_', ' ')}"
    number = getattr(cause, "errno", None)
    if isinstance(number, int) and number > 0:
        return os.strerror(number)
    return getattr(cause, "strerror", None) or str(error) or type(error).__name__


async def ask(session: aiohttp.ClientSession, url: str, *, limit: float = _QUESTION_SECONDS) -> Health:
    """Ask a server once for its health: ``/health``, or the list of models where there is no such path.

    Args:
        session: What connections are made with.
        url: Base URL.
        limit: Seconds that each request may take.
    """
    for path in (HEALTH, MODELS):
        try:
            async with session.get(
                url + path, timeout=aiohttp.ClientTimeout(total=limit), allow_redirects=False
            ) as answer:
                status = answer.status
        except TimeoutError:
            return Health(False, path, f"no answer within {limit:.3g} s", http=False)
        except (aiohttp.ClientResponseError, aiohttp.ClientPayloadError):
            return Health(False, path, _REFUSED, http=False)
        except (aiohttp.ClientError, OSError) as error:
            return Health(False, path, reason_of(error), http=False)
        if path == HEALTH and status == _NOT_FOUND:
            continue
        return Health(status in _WELL[path], path, f"{path} answers {status}")
    raise AssertionError("unreachable")


async def wait_healthy(
    url: str, *, limit: float = 120.0, ca: str | None = None, told: Callable[[Health, float], None]
) -> float:
    """Wait until a server is healthy.

    Args:
        url: Base URL.
        limit: Seconds to wait.
        ca: File with certificates of whom to trust, for https.
        told: Takes what came of each question, and the seconds since the first.

    Returns:
        Seconds that it took.

    Raises:
        ConfigurationError: The file has no certificates.
        InfrastructureError: It was not in time; says what was last seen.
    """
    trusted = trust_in(ca)
    began, pause = time.monotonic(), FIRST_PAUSE
    seen = Health(False, HEALTH, "was not asked")
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=trusted)) as session:
        while (left := limit - (time.monotonic() - began)) > 0:
            seen = await ask(session, url, limit=min(_QUESTION_SECONDS, left))
            spent = time.monotonic() - began
            told(seen, spent)
            if seen.healthy:
                return spent
            await asyncio.sleep(min(pause, max(0.0, limit - spent)))
            pause = min(2 * pause, LONGEST_PAUSE)
    raise InfrastructureError(f"is not healthy after {limit:g} s, last: {seen.told}", where=url)
