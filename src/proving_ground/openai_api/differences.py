"""Known differences of real servers from OpenAI's API reference, as data with their reasons."""

from __future__ import annotations

import fnmatch
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import yaml
from pydantic import Field, ValidationError

from proving_ground.contracts.base import Contract
from proving_ground.errors import ConfigurationError

if TYPE_CHECKING:
    from proving_ground.openai_api.conformity import Finding

FILE = Path(__file__).with_name("differences.yml")


class Difference(Contract):
    """What servers do that the reference does not say.

    A rule is the name of a finding, or a pattern of such names (fnmatch, in which ``[]`` stands for itself).
    """

    servers: list[str] = Field(min_length=1)
    rules: list[str] = Field(min_length=1)
    reason: str = Field(min_length=1)


class _File(Contract):
    differences: list[Difference]


@dataclass(frozen=True)
class Differences:
    """The differences of one server."""

    server: str = ""
    known: tuple[Difference, ...] = ()

    def reason(self, rule: str) -> str:
        """Return why a broken rule is tolerated of this server; empty where it is not."""
        for difference in self.known:
            for pattern in difference.rules:
                if fnmatch.fnmatchcase(rule, pattern.replace("[", "[[]")):
                    return difference.reason
        return ""

    def applied(self, finding: Finding) -> Finding:
        """Return a finding, tolerated where the server is known for it."""
        return replace(finding, tolerated=finding.tolerated or self.reason(finding.rule))


def read(path: Path = FILE) -> tuple[Difference, ...]:
    """Read a file of differences.

    Raises:
        ConfigurationError: It is not of that form; says where.
    """
    try:
        return tuple(_File.model_validate(yaml.safe_load(path.read_text(encoding="utf-8"))).differences)
    except (OSError, yaml.YAMLError) as error:
        raise ConfigurationError(f"cannot be read: {str(error).splitlines()[0]}", where=str(path)) from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise ConfigurationError(f"{place}: {first['msg']}", where=str(path)) from error


def differences_of(server: str, path: Path = FILE) -> Differences:
    """Return the known differences of a server, by its name in platform.json."""
    return Differences(server, tuple(known for known in read(path) if server in known.servers))
