"""What a run of Chainsaw tests is asked for: by options, which go before the Configuration file."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from proving_ground.chainsaw.configurations import load_configuration
from proving_ground.chainsaw.discovery import NamePattern, full_name, shard
from proving_ground.chainsaw.label_selectors import parse_selectors, selected
from proving_ground.chainsaw.model import ClusterEntry, Configuration, Timeouts, Where
from proving_ground.chainsaw.resources import load_values
from proving_ground.chainsaw.run import CONFIGURATION_FILE, load_nearest_configuration
from proving_ground.errors import ConfigurationError, InfrastructureError
from proving_ground.kube import Overrides

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from proving_ground.chainsaw.model import Test

_NEXT_PAIR = re.compile(r"(?<!\\),(?=[A-Za-z_][\w.-]*=)")
_CPUS_KNOWN = hasattr(os, "sched_getaffinity")


@dataclass(frozen=True, kw_only=True)
class Choices:
    """Options of a run.

    Attributes:
        directory: Working directory; its ``.chainsaw.yaml`` is the Configuration where none is named.
        configuration: The Configuration that is named.
        nearest: Whether, without either, the nearest Configuration beside or above a test holds for it.
        changes: Fields of the Configuration that options set.
        timeouts: Time-outs that options set.
        clusters: Name, kubeconfig and context (empty: its current one) of further clusters.
        kubeconfig: The cluster; None: KUBECONFIG, else ``~/.kube/config``.
        overrides: What goes before the kubeconfig.
        no_cluster: Whether there is none.
        selectors: Label selectors, all of which have to hold.
        shard_index: Which shard, from 0.
        shard_count: How many; 0: no shards.
        values_files: Values files; later ones win.
        set_values: ``K=V``, values with their type.
        set_strings: ``K=V``, values as texts.
        remote_files: Whether operations may name files at an address.
        pause: Whether to wait for a key after a failure.
    """

    directory: Path = field(default_factory=Path.cwd)
    configuration: Path | None = None
    nearest: bool = True
    changes: Mapping[str, Any] = field(default_factory=dict)
    timeouts: Timeouts = field(default_factory=Timeouts)
    clusters: tuple[tuple[str, str, str], ...] = ()
    kubeconfig: Path | None = None
    overrides: Overrides = field(default_factory=Overrides)
    no_cluster: bool = False
    selectors: tuple[str, ...] = ()
    shard_index: int = 0
    shard_count: int = 0
    values_files: tuple[Path, ...] = ()
    set_values: tuple[str, ...] = ()
    set_strings: tuple[str, ...] = ()
    remote_files: bool = False
    pause: bool = False

    def configured(self) -> Configuration | None:
        """Return the Configuration of the whole run, options included; None where no file holds for the whole run.

        Raises:
            ConfigurationError: The file cannot be used.
        """
        path = self.configuration
        if path is None and (self.directory / CONFIGURATION_FILE).is_file():
            path = self.directory / CONFIGURATION_FILE
        if path is not None and not path.is_file():
            raise ConfigurationError("no such Configuration", where=str(path))
        if path is None:
            return None if self.nearest else self.changed(Configuration())
        return self.changed(load_configuration(path))

    def changed(self, configuration: Configuration) -> Configuration:
        """Return a Configuration with what options say in place of what it says."""
        where = Where(Path("--cluster"), 1)
        named = tuple(
            ClusterEntry(name=name, kubeconfig=file, context=context, where=where)
            for name, file, context in self.clusters
        )
        return replace(
            configuration,
            timeouts=self.timeouts.over(configuration.timeouts),
            clusters=(*configuration.clusters, *named),
            **self.changes,
        )

    def values(self) -> dict[str, Any]:
        """Return what ``$values`` is bound to.

        Raises:
            ConfigurationError: A file cannot be used, or an option is not of the form ``K=V``.
        """
        values = load_values(self.values_files)
        for option, texts in (("--set", self.set_values), ("--set-string", self.set_strings)):
            for text in texts:
                for pair in _NEXT_PAIR.split(text):
                    key, separator, value = pair.replace("\\,", ",").partition("=")
                    if not separator or not key:
                        raise ConfigurationError(f"expected KEY=VALUE, found {pair!r}", where=option)
                    set_value(values, key, value, typed=option == "--set")
        return values

    def find_kubeconfig(self) -> Path:
        """Return the kubeconfig as kubectl finds it.

        Raises:
            ConfigurationError: The one that is named is not there, or KUBECONFIG names several.
            InfrastructureError: There is none.
        """
        if self.kubeconfig is not None:
            if not self.kubeconfig.is_file():
                raise ConfigurationError("no such kubeconfig", where=str(self.kubeconfig))
            return self.kubeconfig.absolute()
        named = [Path(part).expanduser() for part in os.environ.get("KUBECONFIG", "").split(os.pathsep) if part]
        found = [path for path in named or [Path("~/.kube/config").expanduser()] if path.is_file()]
        if len(found) > 1:
            raise ConfigurationError(
                f"KUBECONFIG names {len(found)} files: {', '.join(map(str, found))}",
                hint="name one with --kubeconfig, or merge them with kubectl config view --flatten",
            )
        if not found:
            looked = ", ".join(map(str, named)) or "~/.kube/config"
            raise InfrastructureError(
                f"no cluster: there is no kubeconfig at {looked}", hint="name one with --kubeconfig or KUBECONFIG"
            )
        return found[0].absolute()


class Session:
    """The choices at work: read once, asked for each test.

    Raises:
        ConfigurationError: Something that they name cannot be used.
    """

    def __init__(self, choices: Choices, root: Path | None = None) -> None:
        self.choices = choices
        self._root = root
        self.configuration = choices.configured()
        self.discovery = self.configuration or choices.changed(Configuration())
        self.values = choices.values()
        self._requirements = parse_selectors(choices.selectors)
        self._include = self._pattern(self.discovery.include_regex, "--include-test-regex")
        self._exclude = self._pattern(self.discovery.exclude_regex, "--exclude-test-regex")
        if choices.shard_count:
            shard((), choices.shard_index, choices.shard_count)
        elif choices.shard_index:
            raise ConfigurationError("--shard-index needs --shard-count")

    @staticmethod
    def _pattern(text: str, option: str) -> NamePattern | None:
        return NamePattern(text, option) if text else None

    @property
    def parallel(self) -> int:
        """Tests under way at once; as many as there are CPUs where nobody says."""
        cpus = len(os.sched_getaffinity(0)) if _CPUS_KNOWN else os.cpu_count() or 1
        return 1 if self.choices.pause else self.discovery.parallel or cpus

    def configuration_of(self, test: Test) -> Configuration | None:
        """Return the Configuration that holds for a test."""
        if self.configuration is not None:
            return self.configuration
        return self.choices.changed(load_nearest_configuration(test, self._root) or Configuration())

    def name(self, test: Test) -> str:
        """Return what a test is called."""
        if not self.discovery.full_name:
            return test.title
        return full_name(test.directory, test.title, self.choices.directory)

    def selected(self, tests: Sequence[Test]) -> list[bool]:
        """Return which tests are wanted: by labels, then the shard of those, then by name.

        The scenarios of one document stay together.
        """
        documents = dict.fromkeys(_document(test) for test in tests if selected(test.labels, self._requirements))
        wanted: Sequence[tuple[Path, int]] = list(documents)
        if self.choices.shard_count:
            wanted = shard(wanted, self.choices.shard_index, self.choices.shard_count)
        among = set(wanted)
        return [_document(test) in among and self._is_named(self.name(test)) for test in tests]

    def _is_named(self, name: str) -> bool:
        if self._include is not None and not self._include.includes(name):
            return False
        return self._exclude is None or not self._exclude.excludes(name)

    def why_nothing(self) -> str:
        """Return a hint for a selection that left nothing; may be empty."""
        return self._include.hint if self._include is not None else ""


def _document(test: Test) -> tuple[Path, int]:
    return test.path, test.index


def set_value(values: dict[str, Any], key: str, text: str, *, typed: bool = True) -> None:
    """Set one value in place; dots in the key descend, the text is YAML, or as it is where not typed.

    Raises:
        ConfigurationError: The key descends into something that is no map, or the text is not YAML.
    """
    option = "--set" if typed else "--set-string"
    *path, last = key.split(".")
    inner: Any = values
    for part in path:
        inner = inner.setdefault(part, {})
        if not isinstance(inner, dict):
            raise ConfigurationError(f"{part} of {key} is no map", where=option)
    try:
        inner[last] = yaml.safe_load(text) if typed else text
    except yaml.YAMLError as error:
        raise ConfigurationError(f"the value of {key} is not YAML: {text!r}", where=option) from error
