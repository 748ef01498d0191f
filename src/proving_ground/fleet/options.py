"""Options of the fleet's process."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

from proving_ground.errors import ConfigurationError
from proving_ground.fleet.listen import require_loopback


@dataclass(frozen=True, slots=True)
class Place:
    """An address and a port."""

    address: str
    port: int


@dataclass(frozen=True, slots=True)
class Options:
    """What the process was started with."""

    kubeconfig: Path
    control: Place
    pod_network: str
    log_directory: Path | None
    state: Path | None
    kubelet: Place | None
    names: Place | None
    """Where the proxy for names of Services listens."""
    metrics_api: Place | None
    certificate: Path | None
    key: Path | None
    crash_backoff: float
    verbose: bool


def _place(text: str, option: str) -> Place:
    address, separator, port = text.rpartition(":")
    if not separator or not port.isascii() or not port.isdecimal() or not 0 < int(port[:6]) < 2**16:
        raise ConfigurationError(f"expected ADDRESS:PORT, found {text!r}", where=option)
    return Place(require_loopback(address, where=option), int(port))


def _network_of(control: Place) -> str:
    """Return the pod network that belongs to a control address of a simulated cluster."""
    first, second, *_ = control.address.split(".")
    return f"{first}.{second}.128.1/17"


def parse(argv: list[str] | None = None) -> Options:
    """Read the command line.

    Raises:
        ConfigurationError: An option's value cannot be used.
    """
    parser = argparse.ArgumentParser(prog="python -m proving_ground.fleet", description=__doc__)
    parser.add_argument("--kubeconfig", type=Path, required=True, help="kubeconfig of the simulated cluster")
    parser.add_argument(
        "--control-address", required=True, metavar="ADDRESS:PORT", help="where the control API listens"
    )
    parser.add_argument(
        "--pod-network", help="network of the pods' addresses (default: 127.N.128.1/17 of the control address)"
    )
    parser.add_argument("--log-dir", type=Path, help="folder for the containers' logs (default: in memory only)")
    parser.add_argument("--state", type=Path, help="file that says what the process serves, once it does")
    parser.add_argument("--kubelet-address", metavar="ADDRESS:PORT", help="where the API server asks for logs")
    parser.add_argument("--names-address", metavar="ADDRESS:PORT", help="where the proxy for Service names listens")
    parser.add_argument("--metrics-api-address", metavar="ADDRESS:PORT", help="where the metrics APIs are served")
    parser.add_argument("--kubelet-cert", type=Path, help="serving certificate of the kubelet and metrics addresses")
    parser.add_argument("--kubelet-key", type=Path, help="key of that certificate")
    parser.add_argument("--crash-backoff", type=float, default=1.0, help="seconds after a first crash (default 1.0)")
    parser.add_argument("--verbose", action="store_true", help="log every step")
    args = parser.parse_args(argv)
    control = _place(args.control_address, "--control-address")
    kubelet = _place(args.kubelet_address, "--kubelet-address") if args.kubelet_address else None
    names = _place(args.names_address, "--names-address") if args.names_address else None
    metrics = _place(args.metrics_api_address, "--metrics-api-address") if args.metrics_api_address else None
    if not (args.kubelet_cert and args.kubelet_key):
        for option, place in (("--kubelet-address", kubelet), ("--metrics-api-address", metrics)):
            if place is not None:
                raise ConfigurationError("expected --kubelet-cert and --kubelet-key with it", where=option)
    return Options(
        kubeconfig=args.kubeconfig,
        control=control,
        pod_network=args.pod_network or _network_of(control),
        log_directory=args.log_dir,
        state=args.state,
        kubelet=kubelet,
        names=names,
        metrics_api=metrics,
        certificate=args.kubelet_cert,
        key=args.kubelet_key,
        crash_backoff=max(0.01, args.crash_backoff),
        verbose=args.verbose,
    )
