"""The command line of the plugin.

Every pytest of the environment meets these options, so that none may stand in the way of a project's own: those that
have a meaning for Chainsaw tests are called ``--chainsaw-NAME``; the bare names are added last of all, and only those
that nobody else has. With ``--platform FILE.json`` the bare names come first: then the process is ours.
"""

from __future__ import annotations

import argparse
import importlib.util
import itertools
import os
import shlex
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pytest

SUITE_FILE = "suite.yml"
PREFIX = "--chainsaw-"
_GROUP = ("proving ground", "Proving Ground: checks of a platform, Chainsaw tests")


def _positive(text: str) -> float:
    value = float(text)
    if not 0 < value < float("inf"):
        raise ValueError(text)
    return value


_positive.__name__ = "seconds above zero"


def _count(text: str) -> int:
    value = int(text)
    if value < 1:
        raise ValueError(text)
    return value


_count.__name__ = "whole number above zero"


def _natural(text: str) -> int:
    value = int(text)
    if value < 0:
        raise ValueError(text)
    return value


_natural.__name__ = "whole number"


@dataclass(frozen=True)
class _Option:
    """One option.

    Attributes:
        name: Bare name, without dashes.
        help: For people.
        everywhere: Whether it means something for Chainsaw tests without a platform, too.
        settings: What argparse takes besides.
    """

    name: str
    help: str
    everywhere: bool = False
    settings: dict[str, Any] = field(default_factory=dict)


def _many(dest: str, metavar: str) -> dict[str, Any]:
    return {"dest": dest, "action": "append", "default": [], "metavar": metavar}


_FLAG = {"action": "store_true", "default": None}
_OPTIONS = (
    _Option(
        "platform", "platform.json of the platform to verify", settings={"dest": "platform_file", "metavar": "FILE"}
    ),
    _Option("events", "write the event log (JSON lines) there", settings={"dest": "events_file", "metavar": "FILE"}),
    _Option("artifacts-dir", "where checks leave files that may be shared", settings={"metavar": "DIR"}),
    _Option("state-dir", "private directory of the run (default: that of --platform)", settings={"metavar": "DIR"}),
    _Option(
        "mask",
        "values (one in a line) that the event log shows as ***; repeatable",
        settings=_many("mask_files", "FILE"),
    ),
    _Option("fault", "fault that every namespace made for a check asks for", settings={"metavar": "NAME"}),
    _Option(
        "parameter",
        "replace a parameter of the platform's systems (value: YAML); repeatable",
        settings=_many("system_parameters", "[SYSTEM.]KEY=VALUE"),
    ),
    _Option(
        "allow-skip",
        "reason code of skips that are not errors; repeatable",
        settings=_many("allowed_skips", "CODE"),
    ),
    _Option(
        "reruns",
        "run a check up to N times more when an assertion of it fails",
        settings={"dest": "reruns", "type": _natural, "default": 0, "metavar": "N"},
    ),
    _Option(
        "parallel",
        "checks under way at once (default: from suite.yml, else 4; without a platform as many as there are CPUs)",
        everywhere=True,
        settings={"type": _count, "metavar": "N"},
    ),
    _Option(
        "wait-limit",
        "cut every wait of a check to this many seconds",
        everywhere=True,
        settings={"type": _positive, "metavar": "SECONDS"},
    ),
    _Option(
        "cleanup-limit",
        "how long the clean-up of one check may take, also after an interruption (default: 60; "
        "without a platform as the files say)",
        everywhere=True,
        settings={"type": _positive, "metavar": "SECONDS"},
    ),
    _Option(
        "engine",
        "what runs Chainsaw tests (default: builtin)",
        everywhere=True,
        settings={"choices": ("builtin", "chainsaw"), "default": "builtin"},
    ),
    _Option(
        "values",
        "values file of Chainsaw tests; repeatable, later ones win",
        everywhere=True,
        settings=_many("chainsaw_values", "FILE"),
    ),
    _Option("set", "one value, dots descend; repeatable", everywhere=True, settings=_many("chainsaw_set", "K=V")),
    _Option(
        "set-string",
        "the same, always a text; repeatable",
        everywhere=True,
        settings=_many("chainsaw_set_string", "K=V"),
    ),
    _Option("kubeconfig", "cluster of Chainsaw tests (default: as kubectl)", True, {"metavar": "FILE"}),
    _Option("kube-context", "context in the kubeconfig (default: its current one)", True, {"metavar": "NAME"}),
    _Option("config", "Chainsaw Configuration (default: .chainsaw.yaml)", True, {"metavar": "FILE"}),
    _Option("test-file", "name of Chainsaw test files (default: chainsaw-test)", True, {"metavar": "NAME"}),
    _Option("full-name", "call Chainsaw tests by their folder's path", True, _FLAG),
    _Option("include-test-regex", "only Chainsaw tests whose chainsaw/NAME matches", True, {"metavar": "REGEX"}),
    _Option("exclude-test-regex", "no Chainsaw tests whose chainsaw/NAME matches", True, {"metavar": "REGEX"}),
    _Option("selector", "only Chainsaw tests with these labels", True, _many("chainsaw_selector", "LABELS")),
    _Option("repeat-count", "run each Chainsaw test N times", True, {"type": _count, "metavar": "N"}),
    _Option("shard-index", "which shard of Chainsaw tests to run, from 0", True, {"type": _natural, "metavar": "N"}),
    _Option("shard-count", "how many shards of Chainsaw tests there are", True, {"type": _count, "metavar": "N"}),
    _Option("fail-fast", "start no Chainsaw test after one that failed", True, _FLAG),
    _Option("skip-delete", "leave what Chainsaw tests made", True, _FLAG),
    _Option("namespace", "one namespace for all Chainsaw tests", True, {"metavar": "NAME"}),
    _Option("allow-remote-files", "Chainsaw tests may name files at an address", True, _FLAG),
    _Option("no-cluster", "run Chainsaw tests without a cluster", True, _FLAG),
)


def _settings(option: _Option) -> dict[str, Any]:
    dest = f"chainsaw_{option.name.replace('-', '_')}" if option.everywhere else option.name.replace("-", "_")
    return {"dest": dest, "help": option.help, **option.settings}


def add(parser: pytest.Parser, config: pytest.Config | None) -> None:
    """Add the options that cannot be in anybody's way; the bare ones, too, where a platform is verified."""
    group = parser.getgroup(*_GROUP)
    ours = config is not None and _verifies(config.invocation_params.args)
    for option in _OPTIONS:
        names = [f"{PREFIX}{option.name}"] if option.everywhere else []
        if ours and not (option.name == "reruns" and _has_rerunfailures(config)):
            names.append(f"--{option.name}")
        if names:
            group.addoption(*names, **_settings(option))


def add_free_names(parser: pytest.Parser) -> None:
    """Add the bare names that nobody has, once everybody had the opportunity to take them."""
    group = parser.getgroup("proving ground, short", "Proving Ground: the same, where the names are free")
    for option in _OPTIONS:
        try:
            group.addoption(f"--{option.name}", **_settings(option))
        except (argparse.ArgumentError, ValueError):
            continue


def _verifies(arguments: Sequence[str]) -> bool:
    """Return whether the command line names a platform to verify; another plugin's --platform names no JSON file."""
    words = [*shlex.split(os.environ.get("PYTEST_ADDOPTS", "")), *map(str, arguments)]
    return any(
        (word == "--platform" and after.endswith(".json"))
        or (word.startswith("--platform=") and word.endswith(".json"))
        for word, after in itertools.pairwise([*words, ""])
    )


def _has_rerunfailures(config: pytest.Config | None) -> bool:
    if config is None or config.pluginmanager.is_blocked("rerunfailures"):
        return False
    return (
        config.pluginmanager.hasplugin("rerunfailures") or importlib.util.find_spec("pytest_rerunfailures") is not None
    )


def meets_suite(config: pytest.Config) -> bool:
    """Return whether one of the paths on the command line lies in a suite, or is a folder of suites."""
    for argument in config.args:
        path = Path(config.invocation_params.dir, argument.split("::", 1)[0])
        if any((folder / SUITE_FILE).is_file() for folder in (path, *path.parents)):
            return True
        if path.is_dir() and any(next(path.glob(f"{depth}{SUITE_FILE}"), None) for depth in ("*/", "*/*/")):
            return True
    return False
