"""Listening on loopback addresses: each socket by itself, never on all addresses."""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING, cast

from proving_ground.errors import ConfigurationError, InfrastructureError

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

LOOPBACK = ipaddress.ip_network("127.0.0.0/8")
_LISTEN_STATE = "0A"
_BACKLOG = 128


def require_loopback(address: str, *, where: str) -> str:
    """Return the address if it is in 127.0.0.0/8.

    Raises:
        ConfigurationError: It is not, or it is no address at all.
    """
    try:
        inside = ipaddress.ip_address(address) in LOOPBACK
    except ValueError:
        inside = False
    if not inside:
        raise ConfigurationError(f"expected an address in 127.0.0.0/8, found {address!r}", where=where)
    return address


def _hex_address(address: str) -> str:
    return socket.inet_aton(address)[::-1].hex().upper()


def holder(address: str, port: int, proc: Path = Path("/proc")) -> str:
    """Name the process that listens where we want to, as far as this user may see it.

    Returns:
        For example ``process 4711 (python) on 0.0.0.0:8000``; ``an unknown process`` if it cannot be seen.
    """
    places = {f"{_hex_address(a)}:{port:04X}": a for a in (address, "0.0.0.0")}  # noqa: S104 -- looked for, never bound
    inodes: dict[str, str] = {}
    try:
        for row in (proc / "net" / "tcp").read_text().splitlines()[1:]:
            fields = row.split()
            if fields[3] == _LISTEN_STATE and fields[1] in places:
                inodes[f"socket:[{fields[9]}]"] = places[fields[1]]
        found = _owner(inodes, proc) if inodes else None
    except OSError:
        found = None
    return f"process {found[0]} ({found[1]}) on {found[2]}:{port}" if found else "an unknown process"


def _owner(inodes: dict[str, str], proc: Path) -> tuple[int, str, str] | None:
    for entry in proc.iterdir():
        if not entry.name.isdecimal():
            continue
        try:
            for link in (entry / "fd").iterdir():
                held = inodes.get(os.readlink(link))
                if held is not None:
                    return int(entry.name), (entry / "comm").read_text().strip(), held
        except OSError:
            continue
    return None


def bind(address: str, port: int) -> socket.socket:
    """Bind and listen.

    Raises:
        ConfigurationError: The address is not a loopback address.
        InfrastructureError: The address is taken (names the holder) or may not be used.
    """
    require_loopback(address, where=f"{address}:{port}")
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((address, port))
        sock.listen(_BACKLOG)
    except OSError as error:
        sock.close()
        where = f"{address}:{port}"
        if error.errno == errno.EADDRINUSE:
            raise InfrastructureError(f"address in use by {holder(address, port)}", where=where) from error
        hint = "ports below 1024 need root" if error.errno == errno.EACCES else ""
        raise InfrastructureError(f"cannot listen: {error.strerror}", where=where, hint=hint) from error
    return sock


class Listener:
    """A listening socket and the server behind it."""

    def __init__(self, server: asyncio.Server, address: str, port: int) -> None:
        self._server = server
        self.address = address
        self.port = port

    def close(self) -> None:
        """Refuse connections from now on; those that exist are the replica's to break."""
        self._server.close()


async def listen(
    address: str, port: int, connect: Callable[[], asyncio.BaseProtocol], tls: ssl.SSLContext | None = None
) -> Listener:
    """Listen on an address and give each connection a protocol.

    Raises:
        ConfigurationError: The address is not a loopback address.
        InfrastructureError: The address is taken or may not be used.
    """
    sock = bind(address, port)
    try:
        server = await asyncio.get_running_loop().create_server(connect, sock=sock, ssl=tls)
    except BaseException:
        sock.close()
        raise
    return Listener(server, address, port)


class Refusal(asyncio.Protocol):
    """The protocol of a connection that nobody will answer."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Break the connection."""
        # Not by isinstance: the transports of uvloop inherit nothing of asyncio's.
        cast("asyncio.WriteTransport", transport).abort()
