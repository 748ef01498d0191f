"""`proving-ground test`: verify an inference server that is named by its URL, without a run."""

from __future__ import annotations

import argparse
import datetime as dt
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from proving_ground.cli.arguments import add_access, add_allowed_hosts
from proving_ground.durations import parse_wait
from proving_ground.errors import ConfigurationError, ExitCode, InfrastructureError

if TYPE_CHECKING:
    from proving_ground.by_url.probing import Found
    from proving_ground.cli import Parser
    from proving_ground.pipeline.project import FoundSuite

SUITES = ("smoke", "integration", "contract", "load", "all")
ALLOWED_SKIPS = ("random-model",)


def add_parser(subparsers: argparse._SubParsersAction[Parser]) -> None:
    """Add the verb and its options."""
    parser = subparsers.add_parser("test", help="verify an inference server by its URL", description=__doc__)
    parser.add_argument("--suite", choices=SUITES, default="smoke", help="what to verify (default: smoke)")
    parser.add_argument(
        "--url", default="http://localhost:8080", metavar="URL", help="base address (default: %(default)s)"
    )
    parser.add_argument("--output", choices=("text", "json"), default="text", help="form (default: text)")
    parser.add_argument("--model", default="", metavar="NAME", help="model (default: the first that the server lists)")
    add_access(parser)
    parser.add_argument("-k", dest="expression", default="", metavar="EXPRESSION", help="only matching checks")
    parser.add_argument(
        "--stage",
        choices=("pre_merge", "nightly", "weekly"),
        help="checks of the stages up to this one (default: nightly; of load pre_merge, one steady load)",
    )
    parser.add_argument("--json-report", type=Path, metavar="FILE", help="also write a report as pytest's JSON reports")
    parser.add_argument("--artifacts", type=Path, metavar="DIR", help="where checks leave files (default: nowhere)")
    _add_server(parser)
    _add_load(parser)
    _add_pods(parser)
    parser.set_defaults(run=run)


def _add_server(parser: argparse.ArgumentParser) -> None:
    known = parser.add_argument_group("what is known of the server")
    known.add_argument("--server", metavar="NAME", help="what it is, as llama.cpp (default: as it tells)")
    known.add_argument("--server-pid", type=int, metavar="PID", help="its process here: its memory is watched then")
    known.add_argument(
        "--random-model", action="store_true", help="its model is random: checks of sense in text are skipped"
    )


def _add_load(parser: argparse.ArgumentParser) -> None:
    load = parser.add_argument_group("load")
    add_allowed_hosts(load, "load")
    load.add_argument(
        "--duration", type=_duration, default=60.0, metavar="TIME", help="how long is measured (default: 60s)"
    )
    load.add_argument("--users", type=int, default=10, metavar="N", help="users of a closed loop (default: 10)")
    load.add_argument(
        "--spawn-rate", type=float, default=2.0, metavar="N", help="users that are added in a second (default: 2)"
    )
    load.add_argument(
        "--arrivals",
        choices=("closed", "constant", "poisson"),
        default="closed",
        help="users that wait for answers, or requests at given times (default: closed)",
    )
    load.add_argument("--rate", type=float, metavar="N", help="requests per second of constant or poisson arrivals")
    load.add_argument(
        "--slo",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="objectives with commas, as ttft_p99=200ms,error_rate=1%%; repeatable",
    )
    load.add_argument("--max-tokens", type=int, metavar="N", help="tokens of each answer (default: by question)")
    load.add_argument("--processes", type=int, default=1, metavar="N", help="processes of the client (default: 1)")


def _add_pods(parser: argparse.ArgumentParser) -> None:
    pods = parser.add_argument_group("load from a cluster")
    pods.add_argument("--worker-pods", type=int, metavar="N", help="pods that make the load (default: it is made here)")
    pods.add_argument(
        "--kubeconfig", type=Path, metavar="FILE", help="the cluster of these pods (default: as kubectl finds it)"
    )
    pods.add_argument("--worker-image", metavar="IMAGE", help="image of these pods (default: this project's)")
    pods.add_argument(
        "--worker-url", metavar="URL", help="base address of the server as these pods see it (default: --url)"
    )


def _duration(text: str) -> float:
    try:
        seconds = float(text) if text.replace(".", "", 1).isdecimal() else parse_wait(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    if seconds <= 0:
        raise argparse.ArgumentTypeError(f"expected a time above 0, found {text!r}")
    return seconds


def run(arguments: argparse.Namespace) -> int:
    """Verify, print what came of it, and return the exit code."""
    from proving_ground.by_url import outputs, running  # noqa: PLC0415 - what showing the help does not need
    from proving_ground.openai_api.health import base_url  # noqa: PLC0415 - as above
    from proving_ground.pipeline.project import Project  # noqa: PLC0415 - as above

    url = base_url(arguments.url)
    pid = arguments.server_pid
    if pid is not None and not Path(f"/proc/{pid}").is_dir():
        raise ConfigurationError(f"expected a process of this machine, found {pid}", where="--server-pid")
    project = Project.find()
    suites = running.chosen(project.suites(), arguments.suite)
    loads = any(suite.definition.name == "load" for suite in suites)
    _check_load(arguments, url, sent=loads)
    if arguments.artifacts is not None:
        outputs.make_folder(arguments.artifacts, "--artifacts")
    if arguments.json_report is not None:
        outputs.check_file(arguments.json_report, "--json-report")
    kubeconfig = _cluster(arguments) if loads and arguments.worker_pods else None
    found = _probed(arguments, url)
    if isinstance(found, ExitCode):
        return found
    with tempfile.TemporaryDirectory(prefix="proving-ground-test-") as work:
        return _verify(arguments, url, found, (project.root, suites), Path(work), kubeconfig)


def load_parameters(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return what the suite `load` is told.

    Raises:
        ConfigurationError: Options do not fit each other.
    """
    if arguments.arrivals == "closed" and arguments.rate is not None:
        raise ConfigurationError("a closed loop has users, and no rate", where="--rate", hint="--arrivals poisson")
    if arguments.arrivals != "closed" and arguments.rate is None:
        raise ConfigurationError("expected --rate, requests per second", where=f"--arrivals {arguments.arrivals}")
    if arguments.worker_pods is None:
        given = ("--kubeconfig", "--worker-image", "--worker-url")
        unused = [name for name in given if getattr(arguments, name.removeprefix("--").replace("-", "_")) is not None]
        if unused:
            raise ConfigurationError("expected --worker-pods N, which it is for", where=unused[0])
    elif arguments.worker_pods < 1:
        raise ConfigurationError(f"expected at least 1, found {arguments.worker_pods}", where="--worker-pods")
    told = {
        "duration": arguments.duration,
        "users": arguments.users,
        "spawn_rate": arguments.spawn_rate,
        "arrivals": arguments.arrivals,
        "processes": arguments.processes,
        "slos": ",".join(arguments.slo),
        "hosts": arguments.allow_host,
        "rate": arguments.rate,
        "max_tokens": arguments.max_tokens,
        "worker_pods": arguments.worker_pods,
        "worker_image": arguments.worker_image,
        "worker_url": arguments.worker_url,
    }
    return {f"load_{name}": value for name, value in told.items() if value is not None}


def _check_load(arguments: argparse.Namespace, url: str, *, sent: bool) -> None:
    """Refuse a load that is out of its bounds before anything is sent, and where none is sent, too."""
    from proving_ground.load.measured.settings import LoadSettings  # noqa: PLC0415 - as above
    from proving_ground.load.measured.slos import parse_slos  # noqa: PLC0415 - as above
    from proving_ground.load.targets import check_target  # noqa: PLC0415 - as above

    told = load_parameters(arguments)
    for text in arguments.slo:
        if not parse_slos(text):
            raise ConfigurationError("expected an objective such as ttft_p99=200ms, found nothing", where="--slo")
    option, loaded = ("--worker-url", arguments.worker_url) if arguments.worker_url else ("--url", url)
    try:
        if sent:
            check_target(loaded, arguments.allow_host)
    except ConfigurationError as error:
        hint = "if it is yours to load: --allow-host HOST" if "load is not sent" in error.what else error.hint
        raise ConfigurationError(error.what, where=option, hint=hint) from None
    if not sent:
        # Where no load is sent the host may be any.
        url, told = "http://127.0.0.1", {**told, "load_worker_pods": 0}
    LoadSettings.of(told).plan(url, arguments.model)


def _cluster(arguments: argparse.Namespace) -> Path:
    """Return the kubeconfig of the cluster that makes the load, which answers."""
    from proving_ground.chainsaw.choices import Choices  # noqa: PLC0415 - as above
    from proving_ground.load.pods.running import reach  # noqa: PLC0415 - as above

    try:
        found = Choices(kubeconfig=arguments.kubeconfig).find_kubeconfig()
    except InfrastructureError as error:
        raise ConfigurationError(error.what, where="--worker-pods", hint=error.hint) from None
    reach(found)
    return found


def _probed(arguments: argparse.Namespace, url: str) -> Found | ExitCode:
    """Ask the server what it is; where none is that can be verified, say so and return the exit code."""
    from proving_ground.by_url import telling  # noqa: PLC0415 - as above
    from proving_ground.by_url.probing import NotOpenAIError, probed  # noqa: PLC0415 - as above

    try:
        return probed(
            url,
            model=arguments.model,
            auth=str(arguments.auth) if arguments.auth else None,
            ca=str(arguments.ca) if arguments.ca else None,
        )
    except (InfrastructureError, NotOpenAIError) as error:
        reachable = isinstance(error, NotOpenAIError)
        if arguments.output == "json":
            sys.stdout.write(telling.refused("openai-api" if reachable else "reachable", str(error)))
        if reachable:
            sys.stderr.write(f"proving-ground: {error}\n")
            return ExitCode.FAILED
        sys.stderr.write(f"proving-ground: {error}\n")
        return ExitCode.INFRASTRUCTURE


def _verify(
    arguments: argparse.Namespace,
    url: str,
    found: Found,
    project: tuple[Path, list[FoundSuite]],
    work: Path,
    kubeconfig: Path | None,
) -> int:
    from proving_ground.by_url import running, telling  # noqa: PLC0415 - as above
    from proving_ground.files import write_atomically  # noqa: PLC0415 - as above

    began = dt.datetime.now(dt.UTC)
    root, suites = project
    artifacts = arguments.artifacts.resolve() if arguments.artifacts else work / "artifacts"
    platform = work / "platform.json"
    written = running.platform_of(
        url,
        parameters=_parameters(arguments, found),
        auth=str(arguments.auth.resolve()) if arguments.auth else None,
        ca=str(arguments.ca.resolve()) if arguments.ca else None,
        kubeconfig=str(kubeconfig) if kubeconfig else None,
    )
    platform.write_text(written.model_dump_json(), encoding="utf-8")
    came = running.run(
        running.Asked(
            root=root,
            suites=suites,
            platform=platform,
            work=work,
            artifacts=artifacts,
            stage=arguments.stage,
            expression=arguments.expression,
            allowed_skips=ALLOWED_SKIPS,
            ended=None if arguments.output == "json" else _tell,
        )
    )
    load = telling.load_of(came.merged, artifacts)
    code = telling.exit_code(came.merged, interrupted=came.interrupted, configuration=came.configuration)
    if arguments.output == "json":
        sys.stdout.write(telling.as_json(came.merged, load))
    else:
        sys.stdout.write(telling.as_text(came.merged, load, interrupted=came.interrupted))
    if arguments.json_report is not None:
        report = telling.as_pytest_report(came.merged, code, root=root, began=began)
        write_atomically(arguments.json_report, report)
    for name, (status, printed) in came.printed.items():
        if not came.interrupted:
            sys.stderr.write(f"proving-ground: {telling.ended_early(name, status, printed, arguments.expression)}\n")
    if came.interrupted:
        sys.stderr.write("proving-ground: interrupted; what came until then is told\n")
    return code


def _tell(name: str, status: int) -> None:
    from proving_ground.by_url.running import NOTHING_SELECTED  # noqa: PLC0415 - as above

    how = {0: "ended", 1: "ended with failures", NOTHING_SELECTED: "has no check that is asked for"}
    sys.stderr.write(f"suite {name} {how.get(status, f'ended with status {status}')}\n")


def _parameters(arguments: argparse.Namespace, found: Found) -> dict[str, Any]:
    """Return the parameters of system `inference`."""
    told: dict[str, Any] = {
        "server": arguments.server if arguments.server is not None else found.server,
        "model": found.model,
        "model_kind": "random" if arguments.random_model else "real",
        **load_parameters(arguments),
    }
    if arguments.server_pid is not None:
        told["pid"] = arguments.server_pid
    return told
