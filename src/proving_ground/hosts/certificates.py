"""Certificates in PEM text, and when they end."""

from __future__ import annotations

import base64
import binascii
import dataclasses
import re
import warnings
from typing import TYPE_CHECKING

from cryptography import x509

if TYPE_CHECKING:
    import datetime as dt

_PEM = re.compile(r"-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----")
_EMBEDDED = re.compile(r"^\s*(?:client-certificate|certificate-authority)-data:\s*\"?([A-Za-z0-9+/=]+)", re.MULTILINE)
_DAY = 86_400.0


@dataclasses.dataclass(frozen=True)
class Certificate:
    """One certificate.

    Attributes:
        where: File, or address, that it was read from.
        subject: Whose it is, as RFC 4514 writes it.
        ends: When it stops being valid.
    """

    where: str
    subject: str
    ends: dt.datetime

    def days(self, now: dt.datetime) -> float:
        """Return the days for which it is valid still; negative: it has ended."""
        return (self.ends - now).total_seconds() / _DAY


def certificates_in(where: str, text: str) -> list[Certificate]:
    """Return the certificates of a text: PEM, or a kubeconfig that holds some.

    Args:
        where: For messages.
        text: May hold anything else, too.

    Raises:
        ValueError: One of them cannot be read.
    """
    found = [_read(where, match.group().encode()) for match in _PEM.finditer(text)]
    for match in _EMBEDDED.finditer(text):
        try:
            decoded = base64.b64decode(match.group(1), validate=True)
        except binascii.Error as error:
            raise ValueError(f"{where}: what it embeds is no certificate: {error}") from error
        found += [_read(where, inner.group().encode()) for inner in _PEM.finditer(decoded.decode(errors="replace"))]
    return found


def certificate_of(where: str, der: bytes) -> Certificate:
    """Return a certificate as a TLS handshake gives it.

    Raises:
        ValueError: It cannot be read.
    """
    return _described(where, x509.load_der_x509_certificate(der))


def _read(where: str, pem: bytes) -> Certificate:
    try:
        return _described(where, x509.load_pem_x509_certificate(pem))
    except ValueError as error:
        raise ValueError(f"{where}: its certificate cannot be read: {error}") from error


def _described(where: str, certificate: x509.Certificate) -> Certificate:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # old encodings of names are none of our business
        return Certificate(where, certificate.subject.rfc4514_string(), certificate.not_valid_after_utc)
