"""`proving-ground chainsaw`: run and check Chainsaw tests, without the chainsaw binary."""

from __future__ import annotations

import argparse
import atexit
import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from proving_ground.cli import Parser
from proving_ground.durations import parse_duration
from proving_ground.errors import ConfigurationError, ExitCode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from proving_ground.chainsaw.choices import Choices

_TIMEOUTS = ("apply", "assert", "cleanup", "delete", "error", "exec")
_FORMATS = ("JSON", "XML", "JUNIT-TEST", "JUNIT-STEP", "JUNIT-OPERATION")
_KUBE = {
    "as": ("NAME", "user to impersonate"),
    "as-uid": ("UID", "UID to impersonate"),
    "certificate-authority": ("FILE", "certificates of those whom to trust"),
    "client-certificate": ("FILE", "client certificate"),
    "client-key": ("FILE", "its key"),
    "cluster": ("NAME", "cluster in the kubeconfig"),
    "context": ("NAME", "context in the kubeconfig"),
    "password": ("TEXT", "for basic authentication"),
    "proxy-url": ("URL", "proxy to go through"),
    "server": ("URL", "address of the API server"),
    "tls-server-name": ("NAME", "name that the server's certificate is verified against"),
    "token": ("TEXT", "bearer token"),
    "user": ("NAME", "user in the kubeconfig"),
    "username": ("NAME", "for basic authentication"),
}


class _TestParser(Parser):
    """Takes options as chainsaw's own parser does: ``--flag=false``, and folders between options."""

    flags: frozenset[str] = frozenset()

    def parse_known_args(  # type: ignore[override]  # the base class has overloads for types of namespaces
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        """Parse; words that are no options are folders wherever they stand."""
        given = [
            f"{word}=true" if word in self.flags else word for word in (args if args is not None else sys.argv[1:])
        ]
        known, rest = super().parse_known_args(given, namespace)
        known.directories = [*known.directories, *(word for word in rest if not word.startswith("-"))]
        return known, [word for word in rest if word.startswith("-")]


def add_parser(subparsers: argparse._SubParsersAction[Parser]) -> None:
    """Add the verbs and their options."""
    parser = subparsers.add_parser("chainsaw", help="run and lint Chainsaw tests", description=__doc__)
    verbs = parser.add_subparsers(dest="chainsaw_verb", metavar="test|lint", required=True, parser_class=_TestParser)
    _add_test(verbs)
    _add_lint(verbs)


def _add_test(verbs: argparse._SubParsersAction[_TestParser]) -> None:
    parser = verbs.add_parser(
        "test",
        help="run the Chainsaw tests below folders",
        description="Run the Chainsaw tests below folders; options are chainsaw's own but those that say ours.",
    )
    parser.add_argument("directories", nargs="*", metavar="DIR", help="folders with tests (default: .)")
    _add_choosing(parser)
    _add_running(parser)
    _add_cluster(parser)
    _add_output(parser)
    parser.flags = frozenset(_flags(parser))
    parser.set_defaults(run=_test)


def _add_choosing(parser: _TestParser) -> None:
    parser.add_argument("--config", type=Path, metavar="FILE", help="Configuration (default: .chainsaw.yaml, if there)")
    parser.add_argument("--test-dir", action="append", default=[], metavar="DIR", help="further folders, with commas")
    parser.add_argument("--test-file", metavar="NAME", help="name of test files (default: chainsaw-test)")
    parser.add_argument("--include-test-regex", metavar="REGEX", help="only tests whose chainsaw/NAME matches")
    parser.add_argument("--exclude-test-regex", metavar="REGEX", help="no tests whose chainsaw/NAME matches")
    _flag(parser, "--full-name", "call tests by the path of their folder")
    parser.add_argument(
        "--selector", action="append", default=[], metavar="LABELS", help="only tests with these labels: a=b,c!=d"
    )
    parser.add_argument("--shard-index", type=_natural, default=0, metavar="N", help="which shard to run, from 0")
    parser.add_argument("--shard-count", type=_natural, default=0, metavar="N", help="how many shards there are")
    parser.add_argument(
        "--values", action="append", default=[], metavar="FILE", help="values files, with commas; -: the standard input"
    )
    parser.add_argument("--set", action="append", default=[], metavar="K=V", help="one value; dots descend")
    parser.add_argument("--set-string", action="append", default=[], metavar="K=V", help="the same, always a text")
    _flag(parser, "--remarshal", "means nothing: YAML anchors always work")
    parser.add_argument(
        "--default-compiler", choices=("jp", "cel"), default="jp", help="of expressions; cel is refused"
    )


def _add_running(parser: _TestParser) -> None:
    parser.add_argument("--parallel", type=_positive, metavar="N", help="tests at once (default: as many as CPUs)")
    _flag(parser, "--fail-fast", "start no test after one that failed")
    parser.add_argument("--repeat-count", type=_positive, metavar="N", help="run each test N times")
    _flag(parser, "--skip-delete", "leave what tests made")
    parser.add_argument("--cleanup-delay", type=_duration, metavar="TIME", help="wait before the clean-up")
    parser.add_argument(
        "--deletion-propagation-policy",
        choices=("Foreground", "Background", "Orphan"),
        help="how dependents are deleted (default: Background)",
    )
    parser.add_argument(
        "--force-termination-grace-period", type=_duration, metavar="TIME", help="grace period of applied pods"
    )
    parser.add_argument("--namespace", metavar="NAME", help="one namespace for all tests")
    _flag(parser, "--allow-remote-files", "ours: operations may name files at an http or https address")
    _flag(parser, "--template", "whether resources hold expressions (default: true)")
    for name in _TIMEOUTS:
        parser.add_argument(
            f"--{name}-timeout", type=_duration, metavar="TIME", help=f"default time-out of {name}, as 30s"
        )
    _flag(parser, "--pause-on-failure", "wait for ENTER after a failure, before the clean-up; one test at once")
    parser.add_argument(
        "--engine", choices=("builtin", "chainsaw"), default="builtin", help="ours: what runs the tests"
    )


def _add_cluster(parser: _TestParser) -> None:
    parser.add_argument(
        "--kubeconfig", type=Path, metavar="FILE", help="ours: the cluster (default: as kubectl finds it)"
    )
    _flag(parser, "--no-cluster", "run without a cluster")
    parser.add_argument(
        "--cluster", action="append", default=[], metavar="NAME=FILE[:CONTEXT]", help="register a further cluster"
    )
    for name, (metavar, text) in _KUBE.items():
        parser.add_argument(f"--kube-{name}", default="", metavar=metavar, help=text)
    parser.add_argument("--kube-as-group", action="append", default=[], metavar="NAME", help="group to impersonate")
    _flag(parser, "--kube-insecure-skip-tls-verify", "do not verify the server's certificate")
    parser.add_argument("--kube-request-timeout", default="0", metavar="TIME", help="of single requests; 0: none")
    _flag(parser, "--kube-disable-compression", "means nothing: requests are not compressed")
    parser.add_argument(
        "-n", "--kube-namespace", metavar="NAME", help="means nothing: tests have namespaces of their own"
    )


def _add_output(parser: _TestParser) -> None:
    parser.add_argument("--report-format", choices=_FORMATS, help="write a report in one of chainsaw's forms")
    parser.add_argument("--report-name", metavar="NAME", help="of its file (default: chainsaw-report)")
    parser.add_argument("--report-path", metavar="DIR", help="where it goes (default: .)")
    parser.add_argument("--junit", type=Path, metavar="FILE", help="ours: a JUnit report as pytest writes it")
    _flag(parser, "--no-color", "no colours")
    _flag(parser, "--quiet", "show failures and the summary only")
    _flag(parser, "--silent", "the same as --quiet")


def _flag(parser: argparse.ArgumentParser, name: str, text: str) -> None:
    parser.add_argument(name, type=_boolean, metavar="", help=text)


def _flags(parser: argparse.ArgumentParser) -> list[str]:
    return [option for action in parser._actions if action.type is _boolean for option in action.option_strings]  # noqa: SLF001 - argparse offers no other way to list them


def _boolean(text: str) -> bool:
    """Return a boolean as Go's strconv.ParseBool reads it."""
    if text in {"1", "t", "T", "true", "TRUE", "True"}:
        return True
    if text in {"0", "f", "F", "false", "FALSE", "False"}:
        return False
    raise argparse.ArgumentTypeError(f"expected true or false, found {text!r}")


def _duration(text: str) -> float:
    try:
        seconds = parse_duration(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    if seconds < 0:
        raise argparse.ArgumentTypeError(f"expected no negative time, found {text!r}")
    return seconds


def _natural(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"expected a whole number, found {text!r}")
    return int(text)


def _positive(text: str) -> int:
    if (number := _natural(text)) < 1:
        raise argparse.ArgumentTypeError(f"expected 1 or more, found {text!r}")
    return number


def _split(texts: Sequence[str]) -> list[str]:
    return [part for text in texts for part in text.split(",") if part]


def _test(arguments: argparse.Namespace) -> int:
    from proving_ground.chainsaw.command import Call, run  # noqa: PLC0415 - what the other verbs do not need

    if arguments.default_compiler != "jp":
        raise ConfigurationError("cel is not supported", where="--default-compiler", hint="expressions are JMESPath")
    if arguments.pause_on_failure and not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise ConfigurationError("needs a terminal to wait at", where="--pause-on-failure")
    return run(
        Call(
            roots=tuple(Path(name) for name in [*arguments.directories, *_split(arguments.test_dir)] or ["."]),
            choices=_choices(arguments),
            junit=arguments.junit,
            colour=sys.stdout.isatty() and not arguments.no_color and not os.environ.get("NO_COLOR"),
            quiet=bool(arguments.quiet or arguments.silent),
            engine=arguments.engine,
        )
    )


def _choices(arguments: argparse.Namespace) -> Choices:
    from proving_ground.chainsaw.choices import Choices  # noqa: PLC0415 - as above
    from proving_ground.chainsaw.model import Timeouts  # noqa: PLC0415 - as above

    changes: dict[str, Any] = {
        "test_file": arguments.test_file,
        "include_regex": arguments.include_test_regex,
        "exclude_regex": arguments.exclude_test_regex,
        "full_name": arguments.full_name,
        "parallel": arguments.parallel,
        "fail_fast": arguments.fail_fast,
        "repeat_count": arguments.repeat_count,
        "skip_delete": arguments.skip_delete,
        "delay_before_cleanup": arguments.cleanup_delay,
        "propagation": arguments.deletion_propagation_policy,
        "force_termination_grace_period": arguments.force_termination_grace_period,
        "namespace": arguments.namespace,
        "template": arguments.template,
        "report_format": arguments.report_format,
        "report_name": arguments.report_name,
        "report_path": arguments.report_path,
    }
    timeouts = {name: getattr(arguments, f"{name}_timeout") for name in _TIMEOUTS}
    timeouts["assert_"] = timeouts.pop("assert")
    return Choices(
        configuration=arguments.config,
        nearest=False,
        changes={name: value for name, value in changes.items() if value is not None},
        timeouts=Timeouts(**timeouts),
        clusters=tuple(_cluster(text) for text in _split(arguments.cluster)),
        kubeconfig=arguments.kubeconfig,
        overrides=_overrides(arguments),
        no_cluster=bool(arguments.no_cluster),
        selectors=tuple(arguments.selector),
        shard_index=arguments.shard_index,
        shard_count=arguments.shard_count,
        values_files=tuple(_standard_input() if name == "-" else Path(name) for name in _split(arguments.values)),
        set_values=tuple(arguments.set),
        set_strings=tuple(arguments.set_string),
        remote_files=bool(arguments.allow_remote_files),
        pause=bool(arguments.pause_on_failure),
    )


def _standard_input() -> Path:
    """Return a file with what stands on the standard input: it is read once, before tests begin."""
    descriptor, name = tempfile.mkstemp(prefix="values-from-standard-input-", suffix=".yaml")
    path = Path(name)
    atexit.register(path.unlink, missing_ok=True)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(sys.stdin.read())
    return path


def _cluster(text: str) -> tuple[str, str, str]:
    """Return name, kubeconfig and context of ``NAME=FILE[:CONTEXT]``."""
    name, separator, rest = text.partition("=")
    file, _, context = rest.partition(":")
    if not name or not separator or not file:
        raise ConfigurationError(f"expected NAME=KUBECONFIG[:CONTEXT], found {text!r}", where="--cluster")
    return name, file, context


def _overrides(arguments: argparse.Namespace) -> Any:
    from proving_ground.kube import Overrides  # noqa: PLC0415 - as above

    given = {name.replace("-", "_"): getattr(arguments, f"kube_{name.replace('-', '_')}") for name in _KUBE}
    given["as_user"] = given.pop("as")
    timeout = arguments.kube_request_timeout
    try:
        # Go takes a bare number as seconds here.
        seconds = float(timeout) if timeout.isdecimal() else parse_duration(timeout)
    except ValueError as error:
        raise ConfigurationError(str(error), where="--kube-request-timeout") from None
    return Overrides(
        **given,
        as_groups=tuple(arguments.kube_as_group),
        insecure_skip_tls_verify=arguments.kube_insecure_skip_tls_verify,
        request_timeout=seconds,
    )


def _add_lint(verbs: argparse._SubParsersAction[_TestParser]) -> None:
    parser = verbs.add_parser(
        "lint",
        help="tell what below folders cannot be run, and what is known to surprise",
        description="Tell what below folders cannot be run, and warn of what is known to surprise.",
    )
    parser.add_argument("directories", nargs="*", metavar="DIR", help="folders with tests (default: .)")
    parser.add_argument("--test-file", default="chainsaw-test", metavar="NAME", help="name of test files")
    parser.add_argument("--format", choices=("text", "json"), default="text", help="of the output (default: text)")
    parser.add_argument(
        "--ignore", action="append", default=[], metavar="CODE", help="warnings to leave out, with commas; repeatable"
    )
    parser.add_argument("--allow-remote-files", action="store_true", help="files at an address are no refusal")
    parser.add_argument("--strict", action="store_true", help="exit code 1 where there are warnings")
    parser.set_defaults(run=_lint)


def _lint(arguments: argparse.Namespace) -> int:
    from proving_ground.chainsaw import lint  # noqa: PLC0415 - as above

    ignored = frozenset(_split(arguments.ignore))
    found = lint.lint(
        [Path(name) for name in arguments.directories or ["."]],
        arguments.test_file,
        ignored,
        remote=arguments.allow_remote_files,
    )
    text = lint.as_json(found) if arguments.format == "json" else lint.as_text(found)
    sys.stdout.write(text)
    if found.refusals:
        return ExitCode.CONFIGURATION
    return ExitCode.FAILED if arguments.strict and found.warnings else ExitCode.PASSED
