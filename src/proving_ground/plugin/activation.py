"""Wakes the plugin up: reads what the command line names, and registers the hooks."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pydantic
import pytest
import yaml

from proving_ground.contracts.platform import Platform
from proving_ground.errors import ConfigurationError
from proving_ground.plugin import vocabulary
from proving_ground.plugin.check_run import Settings
from proving_ground.plugin.collecting import SuiteCollection
from proving_ground.plugin.event_log import EventLog, Masking, read_masks
from proving_ground.plugin.loop import ConcurrentLoop
from proving_ground.plugin.recorder import EventRecorder
from proving_ground.plugin.verification import Verification

if TYPE_CHECKING:
    from collections.abc import Iterable


CLEANUP_LIMIT = 60.0
"""Seconds that the clean-up of one check may take where nobody says."""


def activate(config: pytest.Config) -> None:
    """Register the hooks that run checks.

    Raises:
        pytest.UsageError: Something on the command line is not usable.
    """
    option = config.option
    base = config.invocation_params.dir
    try:
        platform_path = base / option.platform_file
        platform = override(read_platform(platform_path), option.system_parameters)
        settings = Settings(
            run_id=platform.run_id,
            state_dir=base / option.state_dir if option.state_dir else platform_path.parent,
            artifacts_dir=base / (option.artifacts_dir or Path(option.events_file or ".").parent),
            fault=option.fault,
            wait_limit=option.chainsaw_wait_limit,
            cleanup_limit=option.chainsaw_cleanup_limit or CLEANUP_LIMIT,
            parallel=option.chainsaw_parallel or 0,
            reruns=getattr(option, "reruns", 0) or 0,
            engine=option.chainsaw_engine,
            allowed_skips=frozenset(option.allowed_skips),
            values_files=tuple(base / name for name in option.chainsaw_values),
            set_values=tuple(_pair(text, "--set") for text in option.chainsaw_set),
            set_strings=tuple(_pair(text, "--set-string") for text in option.chainsaw_set_string),
        )
        masking = Masking(read_masks(base / name for name in option.mask_files))
        log = EventLog(base / option.events_file if option.events_file else None, masking)
    except ConfigurationError as error:
        raise pytest.UsageError(str(error)) from error
    offer_kubectl(platform)
    vocabulary.register(config)
    verification = Verification(config, platform, settings, EventRecorder(log))
    config.pluginmanager.register(verification, "proving-ground-verification")
    config.pluginmanager.register(ConcurrentLoop(verification, alone=True), "proving-ground-loop")
    config.pluginmanager.register(SuiteCollection(config, everywhere=True), "proving-ground-collection")
    from proving_ground.plugin import fixtures  # noqa: PLC0415  # decorates functions, which costs others

    config.pluginmanager.register(fixtures, "proving-ground-fixtures")


def prepare_collection(config: pytest.Config) -> None:
    """Register only what collects the files of suites."""
    vocabulary.register(config)
    config.pluginmanager.register(SuiteCollection(config, everywhere=False), "proving-ground-collection")
    from proving_ground.plugin import fixtures  # noqa: PLC0415  # decorates functions, which costs others

    config.pluginmanager.register(fixtures, "proving-ground-fixtures")


def read_platform(path: Path) -> Platform:
    """Read platform.json.

    Raises:
        ConfigurationError: It cannot be read, is not JSON, or does not follow the contract.
    """
    try:
        return Platform.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"the platform cannot be read: {error}", where=str(path)) from error
    except json.JSONDecodeError as error:
        raise ConfigurationError(f"is not JSON: {error.msg}", where=f"{path}:{error.lineno}") from error
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        raise ConfigurationError(f"{field or 'content'}: {first['msg']}", where=str(path)) from error


def offer_kubectl(platform: Platform) -> None:
    """Let scripts of checks find the kubectl that fits the default cluster first, whatever else is installed."""
    cluster = platform.clusters.get("default")
    if cluster is not None and cluster.kubectl:
        folder = str(Path(cluster.kubectl).parent)
        os.environ["PATH"] = os.pathsep.join([folder, os.environ.get("PATH", os.defpath)])


def _pair(text: str, option: str) -> tuple[str, str]:
    key, separator, value = text.partition("=")
    if not separator or not key:
        raise ConfigurationError(f"expected KEY=VALUE, found {text!r}", where=option)
    return key, value


def override(platform: Platform, texts: Iterable[str]) -> Platform:
    """Return the platform with system parameters replaced.

    Args:
        platform: As read.
        texts: ``SYSTEM.KEY=VALUE``, or ``KEY=VALUE`` for every system; values are YAML.

    Raises:
        ConfigurationError: A text is not of that form.
    """
    changes: dict[str, dict[str, Any]] = {name: {} for name in platform.systems}
    for text in texts:
        key, value = _pair(text, "--parameter")
        try:
            parsed = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise ConfigurationError(f"the value of {key} is not YAML: {value!r}", where="--parameter") from error
        system, dot, inner = key.partition(".")
        if dot and system in changes:
            changes[system][inner] = parsed
        elif dot:
            raise ConfigurationError(f"the platform has no system {system!r}", where="--parameter")
        else:
            for change in changes.values():
                change[key] = parsed
    systems = {
        name: system.model_copy(update={"parameters": {**system.parameters, **changes[name]}})
        for name, system in platform.systems.items()
    }
    return platform.model_copy(update={"systems": systems})
