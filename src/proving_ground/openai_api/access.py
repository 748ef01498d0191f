"""What a server is reached with: a token, and certificates of whom to trust."""

from __future__ import annotations

import ssl
from pathlib import Path

from proving_ground.errors import ConfigurationError


def token_in(file: str) -> str:
    """Return the bearer token that a file has: its only line, of what a header can hold.

    Raises:
        ConfigurationError: It cannot be read, or has none.
    """
    try:
        token = Path(file).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ConfigurationError(f"cannot be read: {error.strerror}", where=file) from error
    except UnicodeDecodeError:
        raise ConfigurationError("expected a token, found what is no text", where=file) from None
    if not token:
        raise ConfigurationError("expected a token, found an empty file", where=file)
    if not (token.isascii() and token.isprintable() and " " not in token):
        raise ConfigurationError("expected a token: one line of letters, digits and signs", where=file)
    return token


def trust_in(file: str | None) -> ssl.SSLContext | bool:
    """Return whom a client is to trust: those whose certificates a file has, or whom this machine does (True).

    Raises:
        ConfigurationError: It has no certificates.
    """
    if file is None:
        return True
    try:
        return ssl.create_default_context(cafile=file)
    except ssl.SSLError:
        raise ConfigurationError("expected certificates in PEM, found none", where=file) from None
    except OSError as error:
        raise ConfigurationError(f"cannot be read: {error.strerror}", where=file) from error
