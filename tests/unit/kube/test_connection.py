"""Connections to a server that speaks TLS: who is believed, who asks, what happens when a credential runs out."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import datetime as dt
import ipaddress
import json
import os
import ssl
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
import yaml
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from proving_ground.errors import ConfigurationError, InfrastructureError
from proving_ground.kube import ApiError, Cluster
from proving_ground.kube.connection import Connection
from proving_ground.kube.errors import StreamError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

V1 = "client.authentication.k8s.io/v1"


@dataclass(frozen=True)
class Pair:
    name: x509.Name
    private: EllipticCurvePrivateKey
    certificate: bytes
    key: bytes


def make(name: str, signer: Pair | None = None, address: str = "") -> Pair:
    private = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    names: list[x509.GeneralName] = [x509.DNSName(name)]
    if address:
        names.append(x509.IPAddress(ipaddress.ip_address(address)))
    public = x509.SubjectKeyIdentifier.from_public_key(private.public_key())
    issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key((signer.private if signer else private).public_key())
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(signer.name if signer else subject)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(hours=1))
        .add_extension(x509.BasicConstraints(ca=signer is None, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(public, critical=False)
        .add_extension(issuer, critical=False)
        .sign(signer.private if signer else private, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    secret = private.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return Pair(subject, private, made.public_bytes(pem), secret)


CA = make("ca")
SERVER = make("kubernetes", CA, "127.0.0.1")
NAMED = make("only-by-name", CA)
CLIENT = make("somebody", CA)


@dataclass
class Server:
    """Answers as a handler says, and remembers who asked."""

    handler: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]
    pair: Pair = SERVER
    folder: Path | None = None
    seen: list[str] = field(default_factory=list)
    url: str = ""

    @contextlib.asynccontextmanager
    async def running(self, folder: Path) -> AsyncIterator[Server]:
        files = folder / "server.pem", folder / "ca.pem"
        files[0].write_bytes(self.pair.key + self.pair.certificate)
        files[1].write_bytes(CA.certificate)
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(files[1]))
        context.load_cert_chain(files[0])
        context.verify_mode = ssl.CERT_OPTIONAL
        runner = web.ServerRunner(web.Server(self._handle, handler_cancellation=True), shutdown_timeout=0)
        await runner.setup()
        try:
            site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
            await site.start()
            self.url = f"https://127.0.0.1:{runner.addresses[0][1]}"
            yield self
        finally:
            await runner.cleanup()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        certificate = request.transport.get_extra_info("peercert") if request.transport else None
        subject = certificate["subject"][0][0][1] if certificate else ""
        self.seen.append(request.headers.get("authorization") or subject or "anonymous")
        return await self.handler(request)


async def fine(_request: web.BaseRequest) -> web.StreamResponse:
    return web.json_response({"answer": 42})


def write(folder: Path, server: Server, user: dict[str, Any], /, **cluster: Any) -> Path:
    trusted = {"certificate-authority-data": base64.b64encode(CA.certificate).decode()}
    document = {
        "current-context": "main",
        "contexts": [{"name": "main", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": server.url, **trusted, **cluster}}],
        "users": [{"name": "u", "user": user}],
    }
    path = folder / "kubeconfig"
    path.write_text(yaml.safe_dump(document))
    return path


@contextlib.asynccontextmanager
async def connected(kubeconfig: Path, patience: float = 0.1) -> AsyncIterator[Connection]:
    connection = await Connection.open(kubeconfig, patience=patience)
    try:
        yield connection
    finally:
        await connection.close()


def ask(folder: Path, server: Server, user: dict[str, Any], /, **cluster: Any) -> Any:
    async def main() -> Any:
        async with server.running(folder), connected(write(folder, server, user, **cluster)) as connection:
            return await connection.request("GET", "/version")

    return asyncio.run(main())


def inline(pair: Pair) -> dict[str, str]:
    return {
        "client-certificate-data": base64.b64encode(pair.certificate).decode(),
        "client-key-data": base64.b64encode(pair.key).decode(),
    }


def test_a_client_certificate_is_shown_and_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    server = Server(fine)
    assert ask(tmp_path, server, inline(CLIENT)) == {"answer": 42}
    assert server.seen == ["somebody"]
    assert list(scratch.iterdir()) == []


def test_without_files_in_memory_the_private_one_is_gone_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    monkeypatch.delattr(os, "memfd_create", raising=False)
    server = Server(fine)
    ask(tmp_path, server, inline(CLIENT))
    assert server.seen == ["somebody"]
    assert list(scratch.iterdir()) == []


def test_a_token_is_shown(tmp_path: Path) -> None:
    server = Server(fine)
    ask(tmp_path, server, {"token": "t"})
    assert server.seen == ["Bearer t"]


def test_a_password_is_shown(tmp_path: Path) -> None:
    server = Server(fine)
    ask(tmp_path, server, {"username": "u", "password": "p"})
    assert server.seen == ["Basic dTpw"]


def test_a_server_whose_certificate_is_for_others_is_not_believed(tmp_path: Path) -> None:
    server = Server(fine, NAMED)
    with pytest.raises(InfrastructureError, match="certificate verify failed"):
        ask(tmp_path, server, {"token": "t"})
    assert server.seen == []


def test_the_server_is_verified_against_another_name_if_one_is_given(tmp_path: Path) -> None:
    assert ask(tmp_path, Server(fine, NAMED), {}, **{"tls-server-name": "only-by-name"}) == {"answer": 42}


def test_a_server_is_believed_unverified_only_if_the_kubeconfig_says_so(tmp_path: Path) -> None:
    stranger = base64.b64encode(make("stranger").certificate).decode()
    with pytest.raises(InfrastructureError, match="certificate verify failed"):
        ask(tmp_path, Server(fine), {}, **{"certificate-authority-data": stranger})
    skipped = {"certificate-authority-data": stranger, "insecure-skip-tls-verify": True}
    assert ask(tmp_path, Server(fine), {}, **skipped) == {"answer": 42}


def test_requests_go_through_the_proxy(tmp_path: Path) -> None:
    asked: list[bytes] = []

    async def proxy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readline())
        writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n")
        writer.close()

    async def main() -> None:
        server = Server(fine)
        listener = await asyncio.start_server(proxy, "127.0.0.1", 0)
        async with listener, server.running(tmp_path):
            url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
            async with connected(write(tmp_path, server, {}, **{"proxy-url": url})) as connection:
                with pytest.raises(InfrastructureError, match="407"):
                    await connection.request("GET", "/version")
            assert asked[0] == f"CONNECT {server.url.removeprefix('https://')} HTTP/1.1\r\n".encode()

    asyncio.run(main())


@pytest.mark.parametrize(
    ("user", "cluster", "told"),
    [
        ({}, {"certificate-authority-data": "QUJD"}, "the certificate authority is no PEM certificate"),
        ({}, {"certificate-authority-data": "/w=="}, "the certificate authority is no PEM certificate"),
        ({**inline(CLIENT), "client-key-data": "QUJD"}, {}, "client certificate and key of user 'u'"),
        ({**inline(CLIENT), "client-key-data": inline(SERVER)["client-key-data"]}, {}, "key values mismatch"),
    ],
)
def test_material_that_cannot_be_used_is_told_with_file(
    tmp_path: Path, user: dict[str, Any], cluster: dict[str, Any], told: str
) -> None:
    with pytest.raises(ConfigurationError, match=told) as refusal:
        ask(tmp_path, Server(fine), user, **cluster)
    assert str(tmp_path / "kubeconfig") in str(refusal.value)


def test_a_key_with_a_password_is_refused_and_not_asked_for(tmp_path: Path) -> None:
    locked = CLIENT.private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.BestAvailableEncryption(b"secret")
    )
    with pytest.raises(ConfigurationError, match="cannot be used"):
        ask(tmp_path, Server(fine), {**inline(CLIENT), "client-key-data": base64.b64encode(locked).decode()})


def only(accepted: str) -> Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]:
    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        if request.headers.get("authorization") != f"Bearer {accepted}":
            return web.json_response({"reason": "Unauthorized", "message": "who are you?"}, status=401)
        return web.json_response({"answer": 42})

    return handler


def counting_plugin(folder: Path, **status: Any) -> dict[str, Any]:
    """Hand out the tokens t1, t2, ... one for each run."""
    answer = json.dumps({"apiVersion": V1, "kind": "ExecCredential", "status": {"token": "tNUMBER", **status}})
    script = f"echo x >> {folder}/runs; echo '{answer}' | sed \"s/NUMBER/$(wc -l < {folder}/runs)/\""
    return {"exec": {"apiVersion": V1, "command": "sh", "args": ["-c", script]}}


def test_requests_that_are_refused_together_renew_the_credential_once(tmp_path: Path) -> None:
    server = Server(only("t2"))

    async def main() -> None:
        async with (
            server.running(tmp_path),
            connected(write(tmp_path, server, counting_plugin(tmp_path))) as connection,
        ):
            answers = await asyncio.gather(*(connection.request("GET", f"/{n}") for n in range(5)))
            assert answers == [{"answer": 42}] * 5

    asyncio.run(main())
    assert (tmp_path / "runs").read_text() == "x\n" * 2
    assert set(server.seen) == {"Bearer t1", "Bearer t2"}


def test_a_credential_that_is_refused_twice_is_told(tmp_path: Path) -> None:
    with pytest.raises(ApiError, match="who are you"):
        ask(tmp_path, Server(only("never")), counting_plugin(tmp_path))
    assert (tmp_path / "runs").read_text() == "x\n" * 2


def test_a_credential_is_replaced_when_its_time_is_over(tmp_path: Path) -> None:
    server = Server(fine)
    ask(tmp_path, server, counting_plugin(tmp_path, expirationTimestamp="2020-01-01T00:00:00Z"))
    assert server.seen == ["Bearer t2"]


def test_a_token_in_the_kubeconfig_is_read_again_when_it_is_refused(tmp_path: Path) -> None:
    server = Server(only("new"))

    async def main() -> None:
        async with server.running(tmp_path), connected(write(tmp_path, server, {"token": "old"})) as connection:
            write(tmp_path, server, {"token": "new"})
            assert await connection.request("GET", "/version") == {"answer": 42}

    asyncio.run(main())
    assert server.seen == ["Bearer old", "Bearer new"]


def test_a_new_certificate_is_shown_without_breaking_what_is_on_its_way(tmp_path: Path) -> None:
    slow = asyncio.Event()

    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        if request.path == "/slow":
            slow.set()
            await go.wait()
        elif server.seen[-1] == "somebody":
            return web.json_response({"message": "expired"}, status=401)
        return await fine(request)

    server = Server(handler)
    go = asyncio.Event()

    async def main() -> None:
        async with server.running(tmp_path), connected(write(tmp_path, server, inline(CLIENT))) as connection:
            task = asyncio.create_task(connection.request("POST", "/slow", body={}, repeatable=False))
            await slow.wait()
            write(tmp_path, server, inline(make("somebody-new", CA)))
            assert await connection.request("GET", "/version") == {"answer": 42}
            go.set()
            assert await task == {"answer": 42}

    asyncio.run(main())
    assert server.seen == ["somebody", "somebody", "somebody-new"]


def test_a_stream_that_is_refused_comes_back_with_a_new_credential(tmp_path: Path) -> None:
    server = Server(only("t2"))

    async def main() -> None:
        async with (
            server.running(tmp_path),
            connected(write(tmp_path, server, counting_plugin(tmp_path))) as connection,
        ):
            with pytest.raises(StreamError, match="who are you"):
                await read_lines(connection)
            assert await read_lines(connection) == [b'{"answer": 42}']

    asyncio.run(main())


async def read_lines(connection: Connection) -> list[bytes]:
    async with connection.lines("/watch", {"watch": True}, silence=5) as lines:
        return [line async for line in lines]


def test_a_line_may_be_of_any_length(tmp_path: Path) -> None:
    sent = [b"a" * 5_000_000, b"", "\u2028b".encode() * 3, b"c" * 70_000, b"the end"]

    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        assert request.query_string == "watch=true"
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"\n".join(sent))
        return response

    server = Server(handler)

    async def main() -> None:
        async with server.running(tmp_path), connected(write(tmp_path, server, {})) as connection:
            assert await read_lines(connection) == sent

    asyncio.run(main())


def test_a_stream_that_is_cut_off_says_so(tmp_path: Path) -> None:
    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"first\nsec")
        assert request.transport is not None
        request.transport.abort()
        return response

    server = Server(handler)

    async def main() -> None:
        async with server.running(tmp_path), connected(write(tmp_path, server, {})) as connection:
            with pytest.raises(StreamError, match=r"ClientPayloadError|Disconnected|reset"):
                await read_lines(connection)

    asyncio.run(main())


def test_what_is_no_json_is_no_answer_of_an_api_server(tmp_path: Path) -> None:
    async def handler(_request: web.BaseRequest) -> web.StreamResponse:
        return web.Response(text="<html>")

    with pytest.raises(InfrastructureError, match=r"GET /version was not answered with JSON \(is it an API server"):
        ask(tmp_path, Server(handler), {})


def test_a_text_is_returned_as_it_is(tmp_path: Path) -> None:
    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        return web.Response(text=f"[+]etcd ok {request.path_qs}")

    server = Server(handler)

    async def main() -> None:
        async with server.running(tmp_path), Cluster.connect(write(tmp_path, server, {})) as cluster:
            assert await cluster.raw("/readyz", {"verbose": True}) == "[+]etcd ok /readyz?verbose=true"

    asyncio.run(main())


def test_a_server_below_a_path_is_asked_below_it(tmp_path: Path) -> None:
    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        return web.json_response(request.path)

    server = Server(handler)

    async def main() -> None:
        async with server.running(tmp_path):
            kubeconfig = write(tmp_path, server, {}, server=f"{server.url}/k8s/clusters/c-1/")
            async with connected(kubeconfig) as connection:
                assert await connection.request("GET", "/api/v1") == "/k8s/clusters/c-1/api/v1"

    asyncio.run(main())


def test_cancelled_requests_leave_no_connection_behind(tmp_path: Path) -> None:
    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"{}\n")
        await asyncio.Event().wait()
        return response

    server = Server(handler)

    async def main() -> None:
        async with server.running(tmp_path), connected(write(tmp_path, server, inline(CLIENT)), 5) as connection:
            before = len(os.listdir("/dev/fd"))
            for turns in range(60):  # in every state of a connection: being resolved, opened, secured, used
                tasks = [
                    asyncio.create_task(read_lines(connection)),
                    asyncio.create_task(connection.request("GET", "/version")),
                ]
                for _ in range(turns):
                    await asyncio.sleep(0)
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
            async with asyncio.timeout(5):
                while len(os.listdir("/dev/fd")) > before:  # noqa: ASYNC110  # nothing tells of a closed socket
                    await asyncio.sleep(0.01)

    asyncio.run(main())
    assert len(server.seen) > 2


def test_all_sockets_are_closed_when_it_is(tmp_path: Path) -> None:
    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await asyncio.Event().wait()
        return response

    server = Server(handler)

    async def main() -> None:
        async with server.running(tmp_path):
            async with connected(write(tmp_path, server, inline(CLIENT)), 5) as connection:
                for _ in range(3):
                    task = asyncio.create_task(read_lines(connection))
                    seen = len(server.seen)
                    while len(server.seen) == seen:  # noqa: ASYNC110  # the server has no event for it
                        await asyncio.sleep(0)
                    task.cancel()
                opened = list(connection._sockets)
            assert len(opened) == 3
            assert {each.fileno() for each in opened} == {-1}

    asyncio.run(main())


def test_a_closed_connection_says_so(tmp_path: Path) -> None:
    async def main() -> None:
        server = Server(fine, url="https://127.0.0.1:1")
        connection = await Connection.open(write(tmp_path, server, {}))
        await connection.close()
        with pytest.raises(InfrastructureError, match="closed"):
            await connection.request("GET", "/version")
        with pytest.raises(InfrastructureError, match="closed"):
            await read_lines(connection)

    asyncio.run(main())


def test_a_connector_of_the_callers_is_left_open() -> None:
    async def main() -> None:
        connector = aiohttp.TCPConnector()
        connection = Connection.over(connector, "http://127.0.0.1:1")
        await connection.close()
        assert not connector.closed
        await connector.close()

    asyncio.run(main())
