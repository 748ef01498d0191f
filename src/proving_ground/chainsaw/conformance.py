"""A corpus of Chainsaw tests with declared verdicts: read, run with this engine, and judged.

Each case is a folder ``<area>/<name>`` with test files and ``expected.yml``, which says how its tests end, what they
write and what they leave. The tests themselves are valid for the chainsaw binary, so both engines can run them.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from proving_ground import environ
from proving_ground.chainsaw.choices import set_value
from proving_ground.chainsaw.configurations import load_configuration
from proving_ground.chainsaw.conventions import load_folder
from proving_ground.chainsaw.loader import check_files, load_tests
from proving_ground.chainsaw.reporting import Surroundings
from proving_ground.chainsaw.run import Result, run_tests
from proving_ground.contracts.base import Contract
from proving_ground.errors import ConfigurationError, ProvingGroundError
from proving_ground.kube import ApiError, Reference, remove_namespace
from proving_ground.pipeline.project import load_yaml

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from proving_ground.chainsaw.model import Test
    from proving_ground.kube import Cluster

EXPECTED = "expected.yml"
HOLD = "conformance.test/hold"
_PARALLEL = 8
_GONE_SECONDS = 60.0

Ending = Literal["passed", "failed", "skipped", "refused", "absent"]


class TestExpectation(Contract):
    """How one test ends."""

    __test__ = False

    verdict: Ending
    message: str = ""


class ObjectExpectation(Contract):
    """An object that is there, or not, afterwards; ``$namespace`` and ``$CONFORMANCE_ID`` are replaced."""

    apiVersion: str  # noqa: N815  # as Kubernetes writes it
    kind: str
    name: str
    namespace: str = ""


class Difference(Contract):
    """Where the chainsaw binary ends otherwise, and the decision that says why."""

    decision: str
    verdict: Ending


class Expected(Contract):
    """What ``expected.yml`` says.

    Attributes:
        verdict: How each run of the only test ends; ``refused``: when it is loaded.
        message: Part of what is said about it; for ``failed`` and ``refused``.
        tests: The same by name, where there are several.
        times: How often the test runs.
        verdicts: Endings of those runs, in any order; all as ``verdict`` if empty.
        wrote: Lines of files in ``$CONFORMANCE_DIR`` afterwards.
        sorted: Whether the order of those lines does not matter.
        present: What is there afterwards.
        absent: What is not.
        values: ``$values``.
        set: Single values that are set over them, ``key=value``.
        configuration: The Configuration file, relative to the case.
        arguments: Options of the command line that the case is about.
        shards: Number of shards that are run one after the other.
        file: The test file; empty: the case has none, its numbered files are the test.
        alone: Whether the tests of the case need a run of their own.
        memory: Whether an API server in memory is enough.
        differs: Where the chainsaw binary ends otherwise.
    """

    verdict: Ending = "passed"
    message: str = ""
    tests: dict[str, TestExpectation] = Field(default_factory=dict)
    times: int = 1
    verdicts: tuple[Ending, ...] = ()
    wrote: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    sorted: bool = False
    present: tuple[ObjectExpectation, ...] = ()
    absent: tuple[ObjectExpectation, ...] = ()
    values: dict[str, Any] = Field(default_factory=dict)
    set: tuple[str, ...] = ()
    configuration: str = ""
    arguments: tuple[str, ...] = ()
    shards: int = 0
    file: str = "chainsaw-test.yaml"
    alone: bool = False
    memory: bool = True
    differs: Difference | None = None


@dataclass(frozen=True)
class Case:
    """One case of the corpus: ``area/name``, its folder, and what is expected."""

    name: str
    folder: Path
    expected: Expected

    @property
    def needs_command(self) -> bool:
        """Whether the case is about the command line."""
        return bool(self.expected.arguments or self.expected.shards)

    @property
    def shares(self) -> tuple[str, ...]:
        """What cases have to agree in to be run together."""
        expected = self.expected
        own = bool(expected.configuration) or expected.alone or expected.verdict == "refused"
        values = json.dumps([expected.values, expected.set], sort_keys=True)
        return (self.name if own or self.needs_command else "", values)


def load_corpus(root: Path) -> tuple[Case, ...]:
    """Return the cases below a folder, by name.

    Raises:
        ConfigurationError: An ``expected.yml`` is wrong.
    """
    files = sorted(root.glob(f"*/*/{EXPECTED}"))
    return tuple(
        Case(file.parent.relative_to(root).as_posix(), file.parent, load_yaml(file, Expected)) for file in files
    )


@dataclass(frozen=True)
class Ended:
    """How one run of a test ended."""

    test: str
    verdict: str
    message: str = ""
    namespace: str = ""


@dataclass
class Seen:
    """What became of a case."""

    refusal: str = ""
    ended: list[Ended] = field(default_factory=list)
    wrote: dict[str, tuple[str, ...]] = field(default_factory=dict)
    wrongly_there: list[str] = field(default_factory=list)
    wrongly_gone: list[str] = field(default_factory=list)


def problems(case: Case, seen: Seen, *, messages: bool = True) -> list[str]:
    """Return in what a case did not end as declared; empty where it did.

    Args:
        case: The case.
        seen: What became of it.
        messages: Whether messages count: the chainsaw binary has its own.
    """
    expected, found = case.expected, list[str]()
    if expected.verdict == "refused":
        if not seen.refusal:
            found.append("was not refused")
        elif messages and expected.message not in seen.refusal:
            found.append(f"refused without saying {expected.message!r}: {seen.refusal}")
        return found
    if seen.refusal:
        return [f"was refused: {seen.refusal}"]
    if expected.tests:
        for name, wanted in expected.tests.items():
            endings = (wanted.verdict,) if wanted.verdict != "absent" else ()
            found += _endings(name, [e for e in seen.ended if e.test == name], endings, wanted.message * messages)
    else:
        wanted_endings = expected.verdicts or (expected.verdict,) * expected.times
        found += _endings("it", seen.ended, wanted_endings, expected.message * messages)
    for name, lines in expected.wrote.items():
        wrote = seen.wrote.get(name, ())
        if (sorted(wrote) if expected.sorted else list(wrote)) != list(lines):
            found.append(f"wrote {list(wrote)} to {name}, not {list(lines)}")
    found += [f"{what} is left" for what in seen.wrongly_there]
    found += [f"{what} is gone" for what in seen.wrongly_gone]
    return found


def _endings(name: str, ended: Sequence[Ended], wanted: Sequence[str], message: str) -> Iterator[str]:
    verdicts = sorted(e.verdict for e in ended)
    if verdicts != sorted(wanted):
        told = "; ".join(e.message for e in ended if e.message)
        yield f"{name} ended as {verdicts}, not {sorted(wanted)}" + (f": {told}" if told else "")
    elif message:
        for one in ended:
            if one.verdict == "failed" and message not in one.message:
                yield f"{name} failed without saying {message!r}: {one.message}"


class Place:
    """Where one run of cases writes: a folder, an id that no other run has, and the cluster's kubeconfig.

    Args:
        folder: The folder.
        root: The corpus.
        kubeconfig: The cluster; None for one in memory.
    """

    def __init__(self, folder: Path, root: Path, kubeconfig: Path | None = None) -> None:
        self.folder = folder
        self.id = secrets.token_hex(3)
        below = root / "area" / "case"  # chainsaw takes paths as relative to the test's folder
        relative = os.path.relpath(kubeconfig, below) if kubeconfig else ""
        self.variables = {
            "CONFORMANCE_DIR": str(folder),
            "CONFORMANCE_ID": self.id,
            "CONFORMANCE_KUBECONFIG": relative,
        }

    def entered(self) -> AbstractContextManager[None]:
        """Set the variables that tests of the corpus read."""
        return environ.changed(self.variables)

    def lines(self, name: str) -> tuple[str, ...]:
        """Return the lines of a file that tests wrote; none where there is no such file."""
        path = self.folder / name
        return tuple(path.read_text(encoding="utf-8").splitlines()) if path.is_file() else ()

    def text(self, text: str, namespace: str) -> str:
        """Return a name with its placeholders replaced."""
        return text.replace("$namespace", namespace).replace("$CONFORMANCE_ID", self.id)


async def run_cases(
    cases: Iterable[Case], cluster: Cluster, place: Place, *, limit: float | None = None
) -> dict[str, Seen]:
    """Run cases with this engine, those in one run that can be, the runs beside each other; look at what is left.

    Args:
        cases: The cases; those about the command line are not for this function.
        cluster: Where.
        place: What they write to.
        limit: Seconds that every wait is cut to, for an engine that is known to be wrong; None: as declared.

    Returns:
        What became of each, by name.
    """
    groups: dict[tuple[str, ...], list[Case]] = {}
    for case in cases:
        groups.setdefault(case.shares, []).append(case)
    with place.entered():
        parts = await asyncio.gather(*(_run_group(group, cluster, place, limit) for group in groups.values()))
        seen = {name: found for part in parts for name, found in part.items()}
        await tidy([ended.namespace for one in seen.values() for ended in one.ended], cluster, place)
    return seen


async def _run_group(cases: Sequence[Case], cluster: Cluster, place: Place, limit: float | None) -> dict[str, Seen]:
    seen = {case.name: Seen() for case in cases}
    owners: list[tuple[Case, Test]] = []
    configuration = None
    first = cases[0].expected
    for case in cases:
        try:
            if first.configuration:
                configuration = load_configuration(case.folder / first.configuration)
            tests = _tests(case)
            for test in tests:
                check_files(test)
        except ConfigurationError as error:
            seen[case.name].refusal = str(error)
        else:
            owners += [(case, test) for test in tests]
    values = dict(first.values)
    for pair in first.set:
        set_value(values, *pair.split("=", 1))
    results = await run_tests(
        [test for _, test in owners],
        cluster,
        parallel=1 if first.alone else _PARALLEL,
        surroundings=Surroundings(values=values, wait_limit=limit),
        configuration=configuration,
        root=cases[0].folder,
    )
    for (case, _), result in zip(owners, results, strict=True):
        seen[case.name].ended.append(_ended(result))
    await inspect(cases, seen, cluster, place)
    return seen


def _tests(case: Case) -> tuple[Test, ...]:
    if case.expected.file:
        return load_tests(case.folder / case.expected.file)
    test = load_folder(case.folder)
    return (test,) if test else ()


def _ended(result: Result) -> Ended:
    verdict = "failed" if result.outcome == "error" else result.outcome
    namespace = result.report.properties.get("namespace", "")
    return Ended(result.test.name, verdict, result.message, namespace)


async def inspect(cases: Iterable[Case], seen: Mapping[str, Seen], cluster: Cluster, place: Place) -> None:
    """Note what cases wrote, and what of theirs is there."""
    for case in cases:
        found = seen[case.name]
        found.wrote = {name: place.lines(name) for name in case.expected.wrote}
        for ended in found.ended:
            for reference in _references(case.expected.present, ended, place):
                if not await _there(reference, cluster):
                    found.wrongly_gone.append(str(reference))
            for reference in _references(case.expected.absent, ended, place):
                if await _there(reference, cluster):
                    found.wrongly_there.append(str(reference))


def _references(wanted: Iterable[ObjectExpectation], ended: Ended, place: Place) -> list[Reference]:
    return [
        Reference(
            one.apiVersion,
            one.kind,
            place.text(one.name, ended.namespace),
            place.text(one.namespace, ended.namespace),
        )
        for one in wanted
    ]


async def _there(reference: Reference, cluster: Cluster) -> bool:
    obj = await cluster.get(reference.api_version, reference.kind, reference.name, reference.namespace)
    return obj is not None


async def tidy(namespaces: Iterable[str], cluster: Cluster, place: Place) -> None:
    """Remove what cases left on purpose, or by a mistake of the engine."""
    everything = await cluster.list("v1", "Namespace")
    there = {str(obj["metadata"]["name"]) for obj in everything}
    left = there & {name for name in namespaces if name.startswith(("chainsaw-", "conformance-"))}
    left |= {name for name in there if name.startswith("conformance-") and name.endswith(place.id)}
    async with asyncio.TaskGroup() as group:
        for name in sorted(left):
            group.create_task(_remove(name, cluster))


async def _remove(name: str, cluster: Cluster) -> None:
    with contextlib.suppress(ApiError):
        for obj in await cluster.list("v1", "ConfigMap", name):
            if HOLD in (obj["metadata"].get("finalizers") or ()):
                await cluster.patch(
                    Reference("v1", "ConfigMap", obj["metadata"]["name"], name), {"metadata": {"finalizers": None}}
                )
        with contextlib.suppress(ProvingGroundError):
            await remove_namespace(cluster, name, timeout=_GONE_SECONDS)
