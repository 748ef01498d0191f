"""Load over TLS: whom it trusts, and that a token goes with it."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import ipaddress
import json
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from proving_ground.load.measured.engine import measure
from proving_ground.load.measured.plan import Level, Plan

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ANSWER = json.dumps({"choices": [{"message": {"content": "yes"}}], "usage": {"completion_tokens": 3}}).encode()


def certificate(folder: Path) -> tuple[Path, Path]:
    """Write a certificate for loopback and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "loopback")])
    now = dt.datetime.now(dt.UTC)
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(hours=1))
        .add_extension(address, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem, secret = folder / "ca.pem", folder / "key.pem"
    pem.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    kind = serialization.PrivateFormat.PKCS8
    secret.write_bytes(key.private_bytes(serialization.Encoding.PEM, kind, serialization.NoEncryption()))
    return pem, secret


@contextlib.contextmanager
def secure(pem: Path, secret: Path, tokens: set[str]) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            tokens.add(self.headers.get("Authorization", ""))
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.send_header("Content-Length", str(len(ANSWER)))
            self.end_headers()
            self.wfile.write(ANSWER)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.handle_error = lambda *_: None  # type: ignore[method-assign]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem, secret)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"https://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def plan(url: str, **more: object) -> Plan:
    level = Level(value=2, seconds=1.5, warm_up=0.2)
    given = {"url": url, "levels": (level,), "profile": "burst", "streamed": False, "spawn_rate": 50.0, "drain": 3.0}
    return Plan.model_validate({**given, **more})


def test_answers_over_tls_are_measured_without_the_times_of_the_kernel(tmp_path: Path) -> None:
    pem, secret = certificate(tmp_path)
    (tmp_path / "token").write_text("word\n")
    tokens: set[str] = set()
    with secure(pem, secret, tokens) as url:
        told = asyncio.run(measure(plan(url, ca=str(pem), auth=str(tmp_path / "token"))))
    assert told.last.failed == 0
    assert told.last.requests
    assert not told.client.kernel_times
    assert tokens == {"Bearer word"}


def test_a_server_that_is_not_trusted_gets_nothing(tmp_path: Path) -> None:
    pem, secret = certificate(tmp_path)
    tokens: set[str] = set()
    with secure(pem, secret, tokens) as url:
        told = asyncio.run(measure(plan(url)))
    assert told.last.error_rate == 1
    assert "certificate" in next(iter(told.last.problems)).lower()
    assert not tokens
