"""The command line of the plugin."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

SUITE_FILE = "suite.yml"


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


def add(parser: pytest.Parser, pluginmanager: pytest.PytestPluginManager) -> None:
    """Add the options in a group of their own; nothing is registered twice beside pytest-rerunfailures."""
    group = parser.getgroup("proving ground", "Proving Ground: checks of a platform")
    group.addoption(
        "--platform",
        dest="platform_file",
        metavar="FILE",
        help="platform.json of the platform to verify; without it the plugin does nothing",
    )
    group.addoption("--events", dest="events_file", metavar="FILE", help="write the event log (JSON lines) there")
    group.addoption("--artifacts-dir", metavar="DIR", help="where checks leave files that may be shared")
    group.addoption("--state-dir", metavar="DIR", help="private directory of the run (default: that of --platform)")
    group.addoption(
        "--mask",
        dest="mask_files",
        action="append",
        default=[],
        metavar="FILE",
        help="values (one in a line) that the event log shows as ***; repeatable",
    )
    group.addoption(
        "--parallel", type=_count, metavar="N", help="checks under way at once (default: from suite.yml, else 4)"
    )
    group.addoption(
        "--wait-limit", type=_positive, metavar="SECONDS", help="cut every wait of a check to this many seconds"
    )
    group.addoption(
        "--cleanup-limit",
        type=_positive,
        default=60.0,
        metavar="SECONDS",
        help="how long the clean-up of one check may take, also after an interruption (default: 60)",
    )
    group.addoption("--fault", metavar="NAME", help="fault that every namespace made for a check asks for")
    group.addoption(
        "--engine",
        choices=("builtin", "chainsaw"),
        default="builtin",
        help="what runs Chainsaw tests (default: builtin)",
    )
    group.addoption(
        "--values",
        dest="values_files",
        action="append",
        default=[],
        metavar="FILE",
        help="values file of Chainsaw tests; repeatable, later ones win",
    )
    group.addoption(
        "--set",
        dest="set_values",
        action="append",
        default=[],
        metavar="K=V",
        help="one value, dots descend; repeatable",
    )
    group.addoption(
        "--parameter",
        dest="system_parameters",
        action="append",
        default=[],
        metavar="[SYSTEM.]KEY=VALUE",
        help="replace a parameter of the platform's systems (value: YAML); repeatable",
    )
    group.addoption(
        "--allow-skip",
        dest="allowed_skips",
        action="append",
        default=[],
        metavar="CODE",
        help="reason code of skips that are not errors; repeatable",
    )
    if not _has_rerunfailures(pluginmanager):
        group.addoption(
            "--reruns",
            dest="reruns",
            type=_natural,
            default=0,
            metavar="N",
            help="run a check up to N times more when an assertion of it fails",
        )


def _has_rerunfailures(pluginmanager: pytest.PytestPluginManager) -> bool:
    if pluginmanager.is_blocked("rerunfailures"):
        return False
    return pluginmanager.hasplugin("rerunfailures") or importlib.util.find_spec("pytest_rerunfailures") is not None


def meets_suite(config: pytest.Config) -> bool:
    """Return whether one of the paths on the command line lies in a suite, or is a folder of suites."""
    for argument in config.args:
        path = Path(config.invocation_params.dir, argument.split("::", 1)[0])
        if any((folder / SUITE_FILE).is_file() for folder in (path, *path.parents)):
            return True
        if path.is_dir() and next(path.glob(f"*/{SUITE_FILE}"), None) is not None:
            return True
    return False
