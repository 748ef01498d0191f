"""``python -m proving_ground.budaiscaler``: run the stand-in of the BudAIScaler controller against a cluster."""

from __future__ import annotations

import argparse
import asyncio
import logging
import math
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import uvloop

from proving_ground.budaiscaler.clock import FASTEST, process_clock
from proving_ground.budaiscaler.operator import serve
from proving_ground.budaiscaler.settings import Settings
from proving_ground.errors import ConfigurationError, ExitCode, ProvingGroundError
from proving_ground.kube.in_cluster import in_cluster_access, is_in_cluster
from proving_ground.kube.kubeconfig import read_access

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from proving_ground.kube.kubeconfig import Access

RECONCILE_SECONDS = 10.0
"""Simulated seconds from one pass over a scaler to the next, as the real controller has."""
KEEP_SECONDS = 300.0
"""Simulated seconds between two calibrations, and between two times that what was learned is kept."""
ANSWER_SECONDS = 10.0
"""Real seconds within which an endpoint of metrics must answer a controller of the real cadence."""
LEAST_ANSWER_SECONDS = 3.0
"""The same, however fast the clock: a busy machine needs them."""
EVERY_ADDRESS = "0.0.0.0"  # noqa: S104 - what an address without a host means, as the real controller's flags do


def parser() -> argparse.ArgumentParser:
    """Return the command line; the flags of the real controller come first."""
    options = argparse.ArgumentParser(prog="python -m proving_ground.budaiscaler", description=__doc__)
    options.add_argument(
        "--metrics-bind-address", default="", metavar="[ADDRESS]:PORT", help="serve /metrics there; 0 or empty: nowhere"
    )
    options.add_argument(
        "--health-probe-bind-address", default="", metavar="[ADDRESS]:PORT", help="serve /healthz and /readyz there"
    )
    options.add_argument("--leader-elect", action="store_true", help="accepted; there is one process, which leads")
    options.add_argument("--leader-election-id", default="budaiscaler-leader", help="accepted")
    options.add_argument("--kubeconfig", type=Path, help="the cluster; default: $KUBECONFIG, else that of this pod")
    options.add_argument("--clock-speed", type=float, default=1.0, help="simulated seconds in a second; default: 1")
    options.add_argument("--clock-epoch", type=float, help="real time until then; default: now")
    options.add_argument("--reconcile-seconds", type=float, help="real seconds between passes; default: 10 simulated")
    options.add_argument("--metrics-timeout-seconds", type=float, help="real seconds for an endpoint to answer")
    options.add_argument("--log-level", default="INFO", choices=["DEBUG", "INFO", "WARNING", "ERROR"])
    return options


def address(text: str, flag: str) -> tuple[str, int] | None:
    """Return host and port of ``[host]:port``, or None for an empty text and for ``0``.

    Raises:
        ConfigurationError: It is neither.
    """
    if text in {"", "0"}:
        return None
    host, colon, port = text.rpartition(":")
    if not colon or not port.isascii() or not port.isdigit() or not 0 < int(port) < 2**16:
        raise ConfigurationError(f"expected [ADDRESS]:PORT, found {text!r}", where=flag)
    return host.strip("[]") or EVERY_ADDRESS, int(port)


def access_of(given: Path | None, environment: Mapping[str, str]) -> Access:
    """Return how to reach the cluster: by the kubeconfig given, by that of the environment, or as this pod.

    Raises:
        ConfigurationError: There is none of these, or it cannot be used.
    """
    if given is not None:
        return read_access(given)
    if environment.get("KUBECONFIG"):
        return read_access(Path(environment["KUBECONFIG"]))
    if is_in_cluster(environment):
        return in_cluster_access(environment)
    raise ConfigurationError("expected --kubeconfig FILE, or the variable KUBECONFIG", where="--kubeconfig")


def positive(value: float, flag: str, most: float) -> float:
    """Return a number above zero.

    Raises:
        ConfigurationError: It is none, or too large.
    """
    if not math.isfinite(value) or not 0 < value <= most:
        raise ConfigurationError(f"expected a number above 0 and up to {most:g}, found {value:g}", where=flag)
    return value


def settings_of(options: argparse.Namespace, now: float) -> tuple[Settings, float]:
    """Return clock and cadence, and the seconds within which an endpoint of metrics must answer.

    Args:
        options: The command line.
        now: The real time.

    Raises:
        ConfigurationError: An option cannot be used.
    """
    speed = positive(options.clock_speed, "--clock-speed", FASTEST)
    epoch = now if options.clock_epoch is None else options.clock_epoch
    if not math.isfinite(epoch) or epoch < 0:
        raise ConfigurationError(f"expected seconds since 1970, found {epoch:g}", where="--clock-epoch")
    reconcile = options.reconcile_seconds
    reconcile = RECONCILE_SECONDS / speed if reconcile is None else reconcile
    positive(reconcile, "--reconcile-seconds", 3600)
    wait = options.metrics_timeout_seconds
    wait = min(ANSWER_SECONDS, max(LEAST_ANSWER_SECONDS, reconcile)) if wait is None else wait
    positive(wait, "--metrics-timeout-seconds", 3600)
    settings = Settings(
        clock=process_clock(speed=speed, epoch=epoch), reconcile_seconds=reconcile, keep_seconds=KEEP_SECONDS / speed
    )
    return settings, wait


def main(argv: Sequence[str] | None = None) -> int:
    """Run until a signal comes; return the exit code."""
    options = parser().parse_args(argv)
    logging.basicConfig(level=options.log_level, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr)
    logging.getLogger("kopf").setLevel(logging.WARNING)
    try:
        access = access_of(options.kubeconfig, os.environ)
        settings, wait = settings_of(options, time.time())
        work = serve(
            access,
            settings,
            metrics_seconds=wait,
            proxy=os.environ.get("HTTP_PROXY", os.environ.get("http_proxy", "")),
            health=address(options.health_probe_bind_address, "--health-probe-bind-address"),
            metrics=address(options.metrics_bind_address, "--metrics-bind-address"),
        )
        logging.getLogger(__name__).info(
            "a pass each %g s, the clock %g times as fast, %s",
            settings.reconcile_seconds, settings.clock.speed, access.server,
        )  # fmt: skip
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(work)
    except ProvingGroundError as error:
        sys.stderr.write(f"{error}\n")
        return int(error.exit_code)
    except asyncio.CancelledError:
        return int(ExitCode.PASSED)
    return int(ExitCode.PASSED)


if __name__ == "__main__":
    sys.exit(main())
