"""Run one mock as a process: ``python -m proving_ground.mocks NAME``."""

from __future__ import annotations

import argparse
import os
import signal
import socket
import sys
from typing import TYPE_CHECKING

import uvicorn

from proving_ground.errors import ConfigurationError, ExitCode, InfrastructureError, ProvingGroundError
from proving_ground.mocks import DEFAULT_PORTS, MOCK, MOCKS, Mock, mock_app

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

BACKLOG = 1024


class _Server(uvicorn.Server):
    """Says that it serves, once signals end it orderly."""

    def __init__(self, config: uvicorn.Config, announcement: str) -> None:
        super().__init__(config)
        self._announcement = announcement

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        print(self._announcement, flush=True)  # noqa: T201 -- the one line for people


def serve(mock: Mock, listener: socket.socket, announcement: str) -> None:
    """Answer as ``mock`` on a listening socket until SIGTERM or SIGINT; what is being answered then is given up.

    Args:
        mock: Who answers.
        listener: The socket.
        announcement: A line for the standard output, written when it serves.
    """
    app = mock_app()

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        scope["state"][MOCK] = mock
        await app(scope, receive, send)

    config = uvicorn.Config(
        answer,
        ws="none",
        lifespan="off",
        log_level="critical",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=0,
    )
    # uvicorn ends orderly at either signal and then raises it once more.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(ExitCode.PASSED))
    signal.signal(signal.SIGINT, lambda *_: sys.exit(ExitCode.INTERRUPTED))
    _Server(config, announcement).run(sockets=[listener])


def _listen(address: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        return socket.create_server((address, port), family=family, backlog=BACKLOG)
    except (OSError, OverflowError, UnicodeError) as error:
        raise InfrastructureError(f"cannot listen: {error}", where=f"{address}:{port}") from error


def main(argv: list[str] | None = None) -> int:
    """Run the process; returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m proving_ground.mocks", description=__doc__)
    parser.add_argument("mock", choices=sorted(MOCKS), help="which mock; its environment configures it")
    parser.add_argument("--address", default="0.0.0.0", help="address (default: all, as in a container)")  # noqa: S104 -- its container is its border
    parser.add_argument("--port", type=int, help="port; 0 takes a free one (default: the mock's usual port)")
    args = parser.parse_args(argv)
    try:
        if args.port is not None and not 0 <= args.port < 2**16:
            raise ConfigurationError(f"expected 0 to 65535, found {args.port}", where="--port")
        mock = MOCKS[args.mock](os.environ)
        with _listen(args.address, DEFAULT_PORTS[args.mock] if args.port is None else args.port) as listener:
            port = listener.getsockname()[1]
            serve(mock, listener, f"{mock.name} listens on {args.address}:{port}")
    except ProvingGroundError as error:
        print(error, file=sys.stderr)  # noqa: T201 -- the one line for people
        return int(error.exit_code)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
