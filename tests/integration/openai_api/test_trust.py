"""Servers with https: whom is trusted, and what is said where nobody is."""

from __future__ import annotations

import asyncio
import datetime as dt
import ipaddress
import ssl
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from proving_ground.by_url.probing import Found, probe
from proving_ground.errors import InfrastructureError
from proving_ground.openai_api.health import wait_healthy

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

MODELS = b'{"object": "list", "data": [{"id": "m"}]}'
ANSWER = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\nconnection: close\r\n\r\n%s" % (
    len(MODELS),
    MODELS,
)
HERE, ELSEWHERE = "127.0.0.1", "127.0.0.9"


def certificate(folder: Path, address: str) -> Path:
    """Write a certificate for an address, with its key in the same file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "loopback")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    kind = serialization.PrivateFormat.PKCS8
    pem, file = serialization.Encoding.PEM, folder / f"{address}.pem"
    file.write_bytes(made.public_bytes(pem) + key.private_bytes(pem, kind, serialization.NoEncryption()))
    return file


@asynccontextmanager
async def secure(file: Path) -> AsyncIterator[str]:
    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(ANSWER)
        await writer.drain()
        writer.close()

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    async with await asyncio.start_server(speak, HERE, 0, ssl=context) as server:
        yield f"https://{HERE}:{server.sockets[0].getsockname()[1]}"


def test_a_server_is_found_and_healthy_where_its_certificate_is_trusted(tmp_path: Path) -> None:
    async def scenario() -> None:
        file = certificate(tmp_path, HERE)
        async with secure(file) as url:
            assert await probe(url, ca=str(file)) == Found("m", "")
            assert await wait_healthy(url, limit=5, ca=str(file), told=lambda *_: None) < 5

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("address", "trusted", "why"), [(HERE, False, "self-signed"), (ELSEWHERE, True, "not valid for '127.0.0.1'")]
)
def test_a_certificate_that_is_not_trusted_is_told_as_such(
    tmp_path: Path, address: str, trusted: bool, why: str
) -> None:
    async def scenario() -> None:
        file = certificate(tmp_path, address)
        ca = str(file) if trusted else None
        async with secure(file) as url:
            with pytest.raises(InfrastructureError, match=r"certificate is not trusted.*--ca FILE") as probed:
                await probe(url, ca=ca)
            with pytest.raises(InfrastructureError, match="certificate is not trusted") as waited:
                await wait_healthy(url, limit=0.3, ca=ca, told=lambda *_: None)
        assert why in str(probed.value)
        assert why in str(waited.value)

    asyncio.run(scenario())


def test_a_server_that_closes_without_an_answer_may_not_be_there_yet() -> None:
    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.close()

    async def scenario() -> None:
        async with await asyncio.start_server(speak, HERE, 0) as server:
            with pytest.raises(InfrastructureError, match="closes them without an answer"):
                await probe(f"http://{HERE}:{server.sockets[0].getsockname()[1]}")

    asyncio.run(scenario())
