"""What was asked of a run, checked before anything is made."""

from __future__ import annotations

import datetime as dt
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from proving_ground.durations import parse_wait
from proving_ground.errors import ConfigurationError
from proving_ground.ownership.state import check_run_id

if TYPE_CHECKING:
    import argparse


def new_run_id(now: dt.datetime | None = None) -> str:
    """Return a run id from the time and four random hexadecimal digits."""
    return f"{now or dt.datetime.now(dt.UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"


def parse_extra_vars(given: list[str]) -> dict[str, Any]:
    """Return the variables of ``K=V`` (V in YAML) and ``@FILE`` (YAML or JSON) arguments; later ones win.

    Raises:
        ConfigurationError: One is of neither form, or its file cannot be read.
    """
    variables: dict[str, Any] = {}
    for text in given:
        try:
            if text.startswith("@"):
                loaded = yaml.safe_load(Path(text[1:]).read_text(encoding="utf-8"))
            else:
                name, equals, value = text.partition("=")
                if not equals or not name.isidentifier():
                    raise ConfigurationError(f"expected K=V or @FILE, found {text!r}", where="--extra-vars")
                loaded = {name: yaml.safe_load(value)}
        except OSError as error:
            raise ConfigurationError(f"{text[1:]}: {error.strerror}", where="--extra-vars") from error
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise ConfigurationError(f"{text!r} is not YAML", where="--extra-vars") from error
        if not isinstance(loaded, dict):
            raise ConfigurationError(f"{text!r} holds no variables", where="--extra-vars")
        variables |= loaded
    return variables


@dataclass(frozen=True)
class RunOptions:
    """The options of one run.

    Attributes:
        stage: Name of the stage.
        inventory: Name or path of the inventory; the stage's default if absent.
        keep: Leave the platform in place.
        only: Names of suites; all of the stage if empty.
        expression: pytest's -k.
        run_id: Name of the run.
        platform: platform.json to verify, instead of making one.
        extra_vars: Variables for the playbooks.
        artifacts: Directory of all runs' artifacts, absolute.
        budget: Seconds instead of the stage's.
        parallel: Checks of one suite under way at once, instead of the suite's.
        fault: Fault that every namespace of the checks carries.
        wait_limit: Seconds that no wait of a check exceeds.
        engine: What runs Chainsaw tests.
        values: values.yaml for Chainsaw tests.
    """

    stage: str
    run_id: str
    artifacts: Path
    inventory: str | None = None
    keep: bool = False
    only: tuple[str, ...] = ()
    expression: str = ""
    platform: Path | None = None
    extra_vars: dict[str, Any] | None = None
    budget: float | None = None
    parallel: int | None = None
    fault: str | None = None
    wait_limit: float | None = None
    engine: str = "builtin"
    values: Path | None = None

    @classmethod
    def from_arguments(cls, arguments: argparse.Namespace) -> RunOptions:
        """Return the options of parsed arguments.

        Raises:
            ConfigurationError: An option's value is unusable.
        """
        budget = None
        if arguments.budget:
            try:
                budget = parse_wait(arguments.budget)
            except ValueError as error:
                raise ConfigurationError(str(error), where="--budget") from error
        if arguments.parallel is not None and arguments.parallel < 1:
            raise ConfigurationError(f"expected 1 or more, found {arguments.parallel}", where="--parallel")
        if arguments.wait_limit is not None and not arguments.wait_limit > 0:
            raise ConfigurationError(f"expected seconds above 0, found {arguments.wait_limit}", where="--wait-limit")
        for option in ("platform", "values"):
            path = getattr(arguments, option)
            if path is not None and not path.is_file():
                raise ConfigurationError(f"{str(path)!r} is not a file", where=f"--{option}")
        if arguments.platform and arguments.inventory:
            raise ConfigurationError(
                "--platform verifies a platform that exists, --inventory makes one", hint="give one of the two"
            )
        return cls(
            stage=arguments.stage,
            run_id=check_run_id(arguments.run_id or new_run_id()),
            artifacts=arguments.artifacts.expanduser().resolve(),
            inventory=arguments.inventory,
            keep=arguments.keep,
            only=tuple(arguments.only),
            expression=arguments.expression,
            platform=arguments.platform.resolve() if arguments.platform else None,
            extra_vars=parse_extra_vars(arguments.extra_vars),
            budget=budget,
            parallel=arguments.parallel,
            fault=arguments.fault,
            wait_limit=arguments.wait_limit,
            engine=arguments.engine,
            values=arguments.values.resolve() if arguments.values else None,
        )
