"""Runs measurements by name, all of them without one: `nox -s benchmark -- engine scale scrapes stages --json figures`.

The engine is measured on a simulated platform that is made for it and removed again, unless --kubeconfig
names a cluster; scale on one of 250 nodes, which takes some minutes.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import scale

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent
NAMES = ("engine", "scale", "scrapes", "reconciling", "suites", "stages", "lab", "history", "load_client")
RUN_ID = "benchmark"
AS_UPSTREAM: dict[str, object] = {"budaiscaler_clock_speed": 1.0, "budaiscaler_reconcile_seconds": 10.0}
"""The cadence of the real controller."""


@contextlib.contextmanager
def simulated_platform(variables: dict[str, object] | None = None) -> Iterator[Path]:
    """Make a platform as a user makes one, give its platform.json, and remove it."""
    program = [sys.executable, "-m", "proving_ground"]
    with tempfile.TemporaryDirectory() as folder:
        run = [*program, "run", "pre_merge", "--only", "platform", "--keep", "--run-id", RUN_ID, "--artifacts", folder]
        if variables:
            (Path(folder) / "variables.json").write_text(json.dumps(variables))
            run += ["--extra-vars", f"@{folder}/variables.json"]
        made = subprocess.run(run, cwd=HERE.parent, capture_output=True, text=True, check=False)
        try:
            if made.returncode != 0:
                sys.exit(f"no platform could be made:\n{made.stdout[-3000:]}{made.stderr}")
            yield Path(folder) / RUN_ID / "platform.json"
        finally:
            subprocess.run([*program, "clean", RUN_ID], cwd=HERE.parent, capture_output=True, check=False)


@contextlib.contextmanager
def simulated_cluster() -> Iterator[str]:
    """Give the kubeconfig of such a platform."""
    with simulated_platform() as platform:
        yield json.loads(platform.read_text())["clusters"]["default"]["kubeconfig"]


@contextlib.contextmanager
def large_platform() -> Iterator[Path]:
    """Give the platform.json of one with 250 nodes, whose engine knows 500 models."""
    with tempfile.TemporaryDirectory() as folder:
        models = Path(folder) / "models.csv"
        models.write_text(scale.table(max(scale.MODELS)))
        nodes = {"mi300x": scale.NODES}
        with simulated_platform({"simulated_nodes_counts": nodes, "aim_engine_models_csv": str(models)}) as platform:
            yield platform


def measure(name: str, *options: str) -> int:
    """Run one measurement in a process of its own."""
    print(f"== {name} {' '.join(options)}", flush=True)
    return subprocess.run([sys.executable, str(HERE / f"{name}.py"), *options], check=False).returncode


def run(name: str, arguments: argparse.Namespace, to_json: list[str]) -> Iterator[int]:
    """Run one measurement on what it needs, and give its exit codes."""
    if name == "engine":
        with contextlib.nullcontext(arguments.kubeconfig) if arguments.kubeconfig else simulated_cluster() as cluster:
            yield measure(name, "--kubeconfig", cluster, *to_json)
    elif name == "scale":
        with large_platform() as platform:
            yield measure(name, "--platform", str(platform), *to_json)
    elif name == "reconciling":
        for variables in (AS_UPSTREAM, None):
            with simulated_platform(variables) as platform:
                yield measure(name, "--platform", str(platform), *to_json)
    elif name == "suites":
        with simulated_platform() as platform:
            yield measure(name, "--platform", str(platform), *to_json)
    else:
        yield measure(name, *(["--rounds", arguments.rounds] if name == "stages" else []), *to_json)


def main() -> int:
    """Run each; end with the first exit code that is not 0."""
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"{' or '.join(NAMES)} (default: all)")
    parser.add_argument("--kubeconfig", help="measure the engine on this cluster")
    parser.add_argument("--json", type=Path, metavar="DIR", help="write a file of figures for each there")
    parser.add_argument("--rounds", default="3", help="of the stages")
    arguments = parser.parse_args()
    unknown = [name for name in arguments.names if name not in NAMES]
    if unknown:
        print(f"benchmarks: unknown measurement {unknown[0]!r}: expected {', '.join(NAMES)}", file=sys.stderr)
        return 3
    names = arguments.names or NAMES
    if arguments.json:
        arguments.json.mkdir(parents=True, exist_ok=True)

    def to_json(name: str) -> list[str]:
        return ["--json", str(arguments.json / f"{name}.json")] if arguments.json else []

    codes = [code for name in NAMES if name in names for code in run(name, arguments, to_json(name))]
    return next((code for code in codes if code), 0)


if __name__ == "__main__":
    sys.exit(main())
