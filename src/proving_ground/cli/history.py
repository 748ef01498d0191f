"""`proving-ground history`: what was measured before, and what gates make of a run."""

from __future__ import annotations

import argparse
import datetime as dt
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from proving_ground.errors import ConfigurationError, ExitCode

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from proving_ground.cli import Parser
    from proving_ground.contracts.gates import Gate
    from proving_ground.history.store import Store
    from proving_ground.history.stored import StoredRun

FORMS = ("auto", "history", "results", "guidellm", "vllm", "aiperf")


def add_parser(subparsers: argparse._SubParsersAction[Parser]) -> None:
    """Add the verbs and their options."""
    parser = subparsers.add_parser(
        "history", help="keep measurements of runs, compare them, gate by them", description=__doc__
    )
    verbs = parser.add_subparsers(
        dest="history_verb", metavar="list|show|compare|gate|baseline|import|export|plot", required=True
    )
    _add_reading(verbs)
    _add_gate(verbs)
    _add_baseline(verbs)
    _add_exchange(verbs)


def _verb(
    verbs: argparse._SubParsersAction[Parser], name: str, about: str, run: Callable[[argparse.Namespace], int]
) -> Parser:
    parser = verbs.add_parser(name, help=about, description=f"{about[0].upper()}{about[1:]}.")
    parser.add_argument(
        "--history",
        metavar="FILE|URL",
        help="the history: a file, or postgresql://... (default: PROVING_GROUND_HISTORY, else one file of the user)",
    )
    parser.set_defaults(run=run)
    return parser


def _add_reading(verbs: argparse._SubParsersAction[Parser]) -> None:
    listing = _verb(verbs, "list", "list the runs, the latest first", _list)
    listing.add_argument("--limit", type=_count, default=20, metavar="N", help="at most so many (default: 20)")
    listing.add_argument("--system", metavar="NAME", help="only runs of this system")
    listing.add_argument("--label", metavar="NAME", help="only runs with this label")
    _add_output(listing)
    show = _verb(verbs, "show", "show a run with its measurements", _show)
    show.add_argument("run_name", metavar="RUN", help="a run id")
    _add_output(show)
    compare = _verb(verbs, "compare", "compare a run with others, metric by metric", _compare)
    compare.add_argument("before", metavar="BASELINE", help="a run id, a named baseline, or last_good or the like")
    compare.add_argument("after", nargs="+", metavar="RUN", help="run ids that are judged together")
    compare.add_argument("--statistic", default="median", choices=_statistics(), help="number of a run (median)")
    _add_output(compare)


def _add_gate(verbs: argparse._SubParsersAction[Parser]) -> None:
    gate = _verb(
        verbs,
        "gate",
        "judge a run by gates; ends with 0 pass, 1 regression, 2 invalid run, 3 configuration",
        _gate,
    )
    gate.add_argument("run_names", nargs="*", metavar="RUN", help="run ids judged together (default: the latest run)")
    where = gate.add_mutually_exclusive_group()
    where.add_argument("--gates", type=Path, metavar="FILE", help="YAML with a list `gates`")
    where.add_argument("--stage", metavar="NAME", help="the gates of a stage of stages.yml (default: nightly)")
    gate.add_argument("--require-history", action="store_true", help="end with 1 where there is too little history")
    gate.add_argument("--no-note", action="store_true", help="do not write the verdict to the runs")
    _add_output(gate)
    plot = _verb(verbs, "plot", "draw trends with bands and change points as a page", _plot)
    plot.add_argument("run_name", nargs="?", metavar="RUN", help="a run id (default: the latest)")
    plot.add_argument("--metric", default="*", metavar="PATTERN", help="only these, for example 'load/*/ttft_*'")
    plot.add_argument("--gates", type=Path, metavar="FILE", help="YAML with gates, whose bands are drawn")
    plot.add_argument("--stage", metavar="NAME", help="the stage whose gates' bands are drawn (default: none)")
    plot.add_argument("--file", type=Path, default=Path("trends.html"), metavar="FILE", help="page (trends.html)")


def _add_baseline(verbs: argparse._SubParsersAction[Parser]) -> None:
    parser = verbs.add_parser("baseline", help="name runs that others are compared with")
    actions = parser.add_subparsers(dest="action", metavar="set|label|remove|list", required=True)
    pin = _verb(actions, "set", "make runs the baseline of a name, in place of what it was", _baseline_set)
    pin.add_argument("name", metavar="NAME")
    pin.add_argument("run_names", nargs="+", metavar="RUN")
    label = _verb(actions, "label", "give runs a label: `main`, or `release`, by which baselines find them", _label)
    label.add_argument("name", metavar="LABEL")
    label.add_argument("run_names", nargs="+", metavar="RUN")
    remove = _verb(actions, "remove", "forget the name of a baseline; its runs stay", _baseline_remove)
    remove.add_argument("name", metavar="NAME")
    _verb(actions, "list", "list the named baselines", _baseline_list)


def _add_exchange(verbs: argparse._SubParsersAction[Parser]) -> None:
    take = _verb(verbs, "import", "import exports, results.json, and results of guidellm, vllm and aiperf", _import)
    take.add_argument("files", nargs="+", type=Path, metavar="FILE")
    take.add_argument("--format", choices=FORMS, default="auto", help="what they are (default: auto)")
    take.add_argument("--run-id", metavar="ID", help="of the run (default: as the file says, else its name)")
    take.add_argument("--time", type=_time, metavar="TIME", help="ISO 8601 (default: as the file says)")
    take.add_argument("--commit", metavar="REVISION", help="of what was measured")
    take.add_argument("--system", default="inference", metavar="NAME", help="system under test (inference)")
    take.add_argument("--system-version", metavar="VERSION", help="its version")
    take.add_argument("--scenario", metavar="NAME", help="what was done (default: as the file says)")
    take.add_argument("--label", action="append", default=[], metavar="NAME", help="main, release, ...; repeatable")
    take.add_argument("--platform", type=Path, metavar="FILE", help="platform.json of the hosts (this machine)")
    give = _verb(verbs, "export", "export runs, the oldest first", _export)
    give.add_argument("--format", choices=("jsonl", "csv"), default="jsonl", help="form (default: jsonl)")
    give.add_argument("--file", type=Path, metavar="FILE", help="where to (default: standard output)")
    give.add_argument("--system", metavar="NAME", help="only runs of this system")


def _add_output(parser: Parser) -> None:
    parser.add_argument("--output", choices=("text", "json"), default="text", help="form (default: text)")


def _statistics() -> tuple[str, ...]:
    return ("mean", "median", "p90", "p95", "p99", "minimum", "maximum")


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not int(text):
        raise argparse.ArgumentTypeError(f"expected a number above zero, found {text!r}")
    return int(text)


def _time(text: str) -> dt.datetime:
    try:
        return dt.datetime.fromisoformat(text).astimezone(dt.UTC)
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected a time of ISO 8601, found {text!r}") from None


def _open(arguments: argparse.Namespace, *, make: bool = False) -> Store:
    from proving_ground.history.store import Store  # noqa: PLC0415 - what showing the help does not need

    return Store.open(arguments.history, make=make)


def _list(arguments: argparse.Namespace) -> int:
    from proving_ground.history import telling  # noqa: PLC0415 - as above
    from proving_ground.history.stored import Wanted  # noqa: PLC0415 - as above

    with _open(arguments) as store:
        runs = store.runs(Wanted(system=arguments.system, label=arguments.label), limit=arguments.limit)
        _write(arguments, [telling.run_plain(run) for run in runs], telling.run_lines(runs, store.count()))
    return ExitCode.PASSED


def _show(arguments: argparse.Namespace) -> int:
    from proving_ground.history import telling  # noqa: PLC0415 - as above
    from proving_ground.history.store import find_run  # noqa: PLC0415 - as above

    with _open(arguments) as store:
        found = [(run, store.summaries(run)) for run in find_run(store, arguments.run_name)]
    plain = [telling.run_plain(run) | {"measurements": telling.summaries_plain(s)} for run, s in found]
    _write(arguments, plain, [line for run, s in found for line in telling.summary_lines(run, s)])
    return ExitCode.PASSED


def _compare(arguments: argparse.Namespace) -> int:
    from proving_ground.contracts.gates import RelativeGate, Samples  # noqa: PLC0415 - as above
    from proving_ground.history import telling  # noqa: PLC0415 - as above
    from proving_ground.history.baselines import RESERVED  # noqa: PLC0415 - as above
    from proving_ground.history.gating import compare_runs, judge  # noqa: PLC0415 - as above
    from proving_ground.history.store import find_run  # noqa: PLC0415 - as above

    with _open(arguments) as store:
        runs = [run for name in arguments.after for run in find_run(store, name)]
        names = store.baselines()
        name = arguments.before
        if name not in RESERVED and name not in names:
            runs_before = find_run(store, name)
            verdict = compare_runs(store, runs_before, runs, arguments.statistic)
        else:
            gate = RelativeGate(
                kind="relative",
                metric="*/*/*",
                baseline=name,
                statistic=arguments.statistic,
                samples=Samples(baseline=2, candidate=1),
            )
            verdict = judge(store, runs, [gate], note=False)
    _write(arguments, telling.verdict_plain(verdict), telling.verdict_lines(verdict))
    return ExitCode.PASSED


def _gates(arguments: argparse.Namespace, stage: str | None) -> Sequence[Gate]:
    from proving_ground.contracts.gates import Gates  # noqa: PLC0415 - as above
    from proving_ground.pipeline.project import Project, load_yaml  # noqa: PLC0415 - as above

    if arguments.gates is not None:
        return load_yaml(arguments.gates, Gates).gates
    if stage is None:
        return ()
    gates = Project.find().stage(stage).gates
    if not gates:
        raise ConfigurationError(f"stage {stage} has no gates", where="stages.yml", hint="give --gates FILE")
    return gates


def _gate(arguments: argparse.Namespace) -> int:
    from proving_ground.history import telling  # noqa: PLC0415 - as above
    from proving_ground.history.gating import judge  # noqa: PLC0415 - as above

    gates = _gates(arguments, arguments.stage or "nightly")
    with _open(arguments) as store:
        runs = _runs(store, arguments.run_names)
        verdict = judge(store, runs, gates, note=not arguments.no_note)
    _write(arguments, telling.verdict_plain(verdict), telling.verdict_lines(verdict))
    return verdict.exit_code(require_history=arguments.require_history)


def _runs(store: Store, names: Sequence[str]) -> list[StoredRun]:
    """Return the rows of the runs that were named, or those of the latest run."""
    from proving_ground.history.store import find_run  # noqa: PLC0415 - as above

    if not names:
        latest = store.runs(limit=1)
        if not latest:
            raise ConfigurationError("the history is empty", where=store.where, hint="record or import a run first")
        names = [latest[0].run_id]
    return [run for name in dict.fromkeys(names) for run in find_run(store, name)]


def _plot(arguments: argparse.Namespace) -> int:
    from proving_ground.files import write_atomically  # noqa: PLC0415 - as above
    from proving_ground.history.drawing import page  # noqa: PLC0415 - as above
    from proving_ground.history.trend import trends  # noqa: PLC0415 - as above

    gates = _gates(arguments, arguments.stage)
    with _open(arguments) as store:
        runs = _runs(store, [arguments.run_name] if arguments.run_name else [])
        found = [trend for run in runs for trend in trends(store, run, gates, arguments.metric)]
    if not found:
        raise ConfigurationError(f"no metric of run {runs[0].run_id} fits {arguments.metric!r}", where="--metric")
    write_atomically(arguments.file, page(found, runs[0]))
    for trend in found:
        for line in trend.told():
            sys.stdout.write(f"{trend.name}: {line}\n")
    sys.stdout.write(f"{len(found)} trends drawn into {arguments.file}\n")
    return ExitCode.PASSED


def _baseline_set(arguments: argparse.Namespace) -> int:
    from proving_ground.history.baselines import RESERVED  # noqa: PLC0415 - as above

    if arguments.name in RESERVED:
        raise ConfigurationError(
            f"{arguments.name} finds its runs by itself",
            where="NAME",
            hint="give runs a label instead, or another name",
        )
    if not arguments.name.replace("-", "").replace("_", "").replace(".", "").isalnum():
        raise ConfigurationError(f"{arguments.name!r} cannot be a name", where="NAME", hint="letters, digits, . _ -")
    with _open(arguments) as store:
        runs = _runs(store, arguments.run_names)
        store.pin(arguments.name, runs)
    sys.stdout.write(f"baseline {arguments.name}: {', '.join(dict.fromkeys(run.run_id for run in runs))}\n")
    return ExitCode.PASSED


def _label(arguments: argparse.Namespace) -> int:
    if "," in arguments.name or not arguments.name.isprintable() or not arguments.name:
        raise ConfigurationError(f"{arguments.name!r} cannot be a label", where="LABEL")
    with _open(arguments) as store:
        runs = _runs(store, arguments.run_names)
        store.label(runs, arguments.name)
    sys.stdout.write(f"label {arguments.name}: {', '.join(dict.fromkeys(run.run_id for run in runs))}\n")
    return ExitCode.PASSED


def _baseline_remove(arguments: argparse.Namespace) -> int:
    with _open(arguments) as store:
        if arguments.name not in store.baselines():
            raise ConfigurationError(f"no baseline {arguments.name!r}", where=store.where)
        store.pin(arguments.name, [])
    return ExitCode.PASSED


def _baseline_list(arguments: argparse.Namespace) -> int:
    with _open(arguments) as store:
        for name, runs in store.baselines().items():
            sys.stdout.write(f"{name}: {', '.join(dict.fromkeys(run.run_id for run in runs))}\n")
    return ExitCode.PASSED


def _import(arguments: argparse.Namespace) -> int:
    from proving_ground.history.fingerprint import of_platform, of_this_machine  # noqa: PLC0415 - as above
    from proving_ground.history.importing import Origin, read  # noqa: PLC0415 - as above

    hardware = of_this_machine()
    if arguments.platform is not None:
        from proving_ground.autoscaling.platforms import read as read_platform  # noqa: PLC0415 - as above

        hardware = of_platform(read_platform(arguments.platform))
    records = []
    for path in arguments.files:
        origin = Origin(
            path=path,
            fingerprint=hardware,
            run_id=arguments.run_id,
            time=arguments.time,
            commit=arguments.commit,
            system=arguments.system,
            system_version=arguments.system_version,
            scenario=arguments.scenario,
            labels=tuple(arguments.label),
        )
        records += read(origin, arguments.format)
    with _open(arguments, make=True) as store:
        count = store.add(records)
        measured = sum(len(record.measurements) for record in records)
        sys.stdout.write(f"imported {count} runs with {measured} measurements into {store.where}\n")
    return ExitCode.PASSED


def _export(arguments: argparse.Namespace) -> int:
    from proving_ground.history import exporting  # noqa: PLC0415 - as above
    from proving_ground.history.stored import Wanted  # noqa: PLC0415 - as above

    form = exporting.csv_lines if arguments.format == "csv" else exporting.json_lines
    with _open(arguments) as store:
        lines = form(store.records(store.runs(Wanted(system=arguments.system))[::-1]))
        if arguments.file is None:
            sys.stdout.writelines(lines)
        else:
            from proving_ground.files import write_atomically  # noqa: PLC0415 - as above

            write_atomically(arguments.file, "".join(lines))
    return ExitCode.PASSED


def _write(arguments: argparse.Namespace, plain: object, lines: Sequence[str]) -> None:
    if arguments.output == "json":
        sys.stdout.write(json.dumps(plain, indent=2) + "\n")
    else:
        sys.stdout.writelines(f"{line}\n" for line in lines)
