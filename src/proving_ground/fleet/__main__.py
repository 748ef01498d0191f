"""``python -m proving_ground.fleet``: serves the pods of a simulated cluster until it is told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import logging
import os
import resource
import signal
import ssl
import sys
from typing import TYPE_CHECKING

import uvloop

from proving_ground.errors import ConfigurationError, ProvingGroundError
from proving_ground.fleet.control import control_app
from proving_ground.fleet.fleet import Fleet, Settings
from proving_ground.fleet.http import PlainServer
from proving_ground.fleet.kubelet import kubelet_app
from proving_ground.fleet.kubernetes import KubernetesSource
from proving_ground.fleet.listen import Listener, listen
from proving_ground.fleet.metrics_api import metrics_app
from proving_ground.fleet.names import NameProxy
from proving_ground.fleet.options import Options, parse
from proving_ground.kube.kubeconfig import read_access

if TYPE_CHECKING:
    from proving_ground.fleet.logs import PodLog

LOG = logging.getLogger("proving_ground.fleet")
STOP_SECONDS = 0.5


def _serving_tls(options: Options) -> ssl.SSLContext:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        tls.load_cert_chain(str(options.certificate), str(options.key))
    except (OSError, ssl.SSLError) as error:
        raise ConfigurationError(
            f"the serving certificate cannot be used: {error}", where=str(options.certificate)
        ) from error
    return tls


def _write_state(options: Options) -> None:
    if options.state is None:
        return
    state = {
        "pid": os.getpid(),
        "control": f"http://{options.control.address}:{options.control.port}",
        "pod_network": options.pod_network,
    }
    temporary = options.state.with_name(f".{options.state.name}.{os.getpid()}")
    temporary.write_text(json.dumps(state) + "\n", encoding="utf-8")
    temporary.replace(options.state)


async def serve(options: Options) -> None:
    """Serve until SIGTERM or SIGINT.

    Raises:
        ProvingGroundError: An option cannot be used, or an address of the fleet itself is taken.
    """
    source = KubernetesSource(read_access(options.kubeconfig))
    settings = Settings(
        pod_network=options.pod_network,
        host_address=options.control.address,
        log_directory=options.log_directory,
        crash_backoff=options.crash_backoff,
    )
    fleet = Fleet(source, settings)

    def find(namespace: str, name: str) -> PodLog | None:
        runner = fleet.pod(namespace, name)
        return runner.log if runner is not None else None

    control, kubelet = PlainServer(control_app(fleet)), PlainServer(kubelet_app(find))
    metrics, proxy = PlainServer(metrics_app(fleet)), NameProxy(fleet)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    listeners: list[Listener] = []
    try:
        if options.kubelet is not None:
            place = options.kubelet
            listeners.append(await listen(place.address, place.port, kubelet.connect, _serving_tls(options)))
        if options.metrics_api is not None:
            place = options.metrics_api
            listeners.append(await listen(place.address, place.port, metrics.connect, _serving_tls(options)))
        if options.names is not None:
            listeners.append(await listen(options.names.address, options.names.port, proxy.connect))
        listeners.append(await listen(options.control.address, options.control.port, control.connect))
        _write_state(options)
        LOG.info("serving pods of %s, control API on %s:%d", options.pod_network, *_pair(options))
        work = loop.create_task(fleet.run(), name="fleet")
        stopped = loop.create_task(stop.wait(), name="stop")
        await asyncio.wait({work, stopped}, return_when=asyncio.FIRST_COMPLETED)
        work.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await work
    finally:
        fleet.close()
        for listener in listeners:
            listener.close()
        control.disconnect()
        kubelet.disconnect()
        metrics.disconnect()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STOP_SECONDS):
                await asyncio.gather(proxy.close(), source.close())
        if options.state is not None:
            options.state.unlink(missing_ok=True)


def _pair(options: Options) -> tuple[str, int]:
    return options.control.address, options.control.port


def _raise_open_files() -> None:
    """Allow as many sockets as this user may have: each pod and Service port is one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def main(argv: list[str] | None = None) -> int:
    """Run the process; returns its exit code."""
    try:
        options = parse(argv)
        level = logging.DEBUG if options.verbose else logging.INFO
        logging.basicConfig(level=level, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr)
        _raise_open_files()
        gc.freeze()
        uvloop.run(serve(options))
    except ProvingGroundError as error:
        print(error, file=sys.stderr)  # noqa: T201 -- the one line for people
        return int(error.exit_code)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
