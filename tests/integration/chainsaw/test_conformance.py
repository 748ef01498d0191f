"""The corpus of conformance: every case ends as it declares, with this engine and with the chainsaw binary."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from proving_ground.chainsaw.binary import failed_names
from proving_ground.chainsaw.conformance import (
    Case,
    Ended,
    Place,
    Seen,
    inspect,
    load_corpus,
    problems,
    run_cases,
    tidy,
)
from proving_ground.kube import Cluster

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

CORPUS = Path(__file__).parent / "conformance"
CASES = load_corpus(CORPUS)
ENGINE = (sys.executable, "-m", "proving_ground", "chainsaw")
BINARY = shutil.which("chainsaw")
AT_ONCE = 12  # processes that mostly wait
REPORT = "report"


def by_name(cases: Iterable[Case]) -> list[Any]:
    return [pytest.param(case, id=case.name) for case in cases]


def run_command(
    command: Sequence[str], cases: Sequence[Case], place: Place, kubeconfig: str, *options: str
) -> dict[str, Seen]:
    """Run cases with a command line that is like chainsaw's, in one process."""
    seen, first = {case.name: Seen() for case in cases}, cases[0].expected
    scratch = place.folder / f"process-{abs(hash((cases[0].name, options)))}"
    scratch.mkdir()
    arguments = [*command, "test", *(str(case.folder) for case in cases), "--no-color", *options, *first.arguments]
    arguments += ["--report-format", "JSON", "--report-path", str(scratch), "--report-name", REPORT]
    if not first.alone:
        arguments += ["--parallel", "8"]
    if first.configuration:
        arguments += ["--config", str(cases[0].folder / first.configuration)]
    if first.values:
        (scratch / "values.yaml").write_text(yaml.safe_dump(first.values), encoding="utf-8")
        arguments += ["--values", str(scratch / "values.yaml")]
    arguments += [part for pair in first.set for part in ("--set", pair)]
    done = subprocess.run(
        arguments,
        cwd=scratch,
        env={**os.environ, **place.variables, "KUBECONFIG": kubeconfig},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    written = scratch / f"{REPORT}.json"
    if not written.is_file():
        for found in seen.values():
            found.refusal = f"{done.stdout}{done.stderr}" if done.returncode else "no report, though it ended with 0"
        return seen
    owners = {case.folder.resolve(): case.name for case in cases}
    failed = failed_names(done.stdout)
    for test in json.loads(written.read_text(encoding="utf-8")).get("tests") or []:
        seen[owners[(scratch / test["basePath"]).resolve()]].ended.append(ended(test, failed))
    return seen


def ended(test: dict[str, Any], failed: frozenset[str]) -> Ended:
    operations = [operation for step in test.get("steps") or [] for operation in step.get("operations") or []]
    failures = [operation["failure"]["error"] for operation in operations if operation.get("failure")]
    verdict = "failed" if failures or test.get("failed") else "skipped" if test.get("skipped") else "passed"
    if verdict == "passed" and test["name"] in failed and not operations:
        verdict = "failed"
    return Ended(test["name"], verdict, "\n".join(failures), test.get("namespace") or "")


def run_commands(command: Sequence[str], cases: Iterable[Case], place: Place, kubeconfig: str) -> dict[str, Seen]:
    """Run cases with a command line, those in one process that can be, and look at what is left."""
    groups: dict[tuple[str, ...], list[Case]] = {}
    for case in cases:
        groups.setdefault(case.shares, []).append(case)

    def one(group: list[Case]) -> dict[str, Seen]:
        shards = group[0].expected.shards
        if not shards:
            return run_command(command, group, place, kubeconfig)
        seen = Seen()
        for index in range(shards):
            options = ("--shard-count", str(shards), "--shard-index", str(index))
            part = run_command(command, group, place, kubeconfig, *options)[group[0].name]
            seen.ended += part.ended
            seen.refusal = seen.refusal or part.refusal
        return {group[0].name: seen}

    with ThreadPoolExecutor(AT_ONCE) as pool:
        seen = {name: found for part in pool.map(one, groups.values()) for name, found in part.items()}

    async def look() -> None:
        async with Cluster.connect(kubeconfig) as cluster:
            await inspect([case for group in groups.values() for case in group], seen, cluster, place)
            await tidy([one.namespace for found in seen.values() for one in found.ended], cluster, place)

    asyncio.run(look())
    return seen


@pytest.fixture(scope="module")
def by_engine(sim_cluster: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Seen]:
    """What became of the cases that need no command line: one run, in this process."""
    place = Place(tmp_path_factory.mktemp("engine"), CORPUS, Path(sim_cluster))

    async def main() -> dict[str, Seen]:
        async with Cluster.connect(sim_cluster) as cluster:
            return await run_cases([case for case in CASES if not case.needs_command], cluster, place)

    return asyncio.run(main())


@pytest.fixture(scope="module")
def by_command(sim_cluster: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Seen]:
    """What became of the cases that are about the command line."""
    place = Place(tmp_path_factory.mktemp("command"), CORPUS, Path(sim_cluster))
    return run_commands(ENGINE, [case for case in CASES if case.needs_command], place, sim_cluster)


@pytest.fixture(scope="module")
def by_binary(sim_cluster: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Seen]:
    """What became of every case with the chainsaw binary."""
    if BINARY is None:
        pytest.skip("the chainsaw binary is not installed")
    place = Place(tmp_path_factory.mktemp("binary"), CORPUS, Path(sim_cluster))
    return run_commands((BINARY,), CASES, place, sim_cluster)


@pytest.mark.parametrize("case", by_name(case for case in CASES if not case.needs_command))
def test_a_case_ends_as_declared(case: Case, by_engine: dict[str, Seen]) -> None:
    assert problems(case, by_engine[case.name]) == []


@pytest.mark.parametrize("case", by_name(case for case in CASES if case.needs_command))
def test_an_option_does_what_its_case_declares(case: Case, by_command: dict[str, Seen]) -> None:
    assert problems(case, by_command[case.name]) == []


@pytest.mark.parametrize("case", by_name(CASES))
def test_the_chainsaw_binary_ends_the_same_or_as_decided(case: Case, by_binary: dict[str, Seen]) -> None:
    differs = case.expected.differs
    if differs is not None:
        changed = case.expected.model_copy(update={"verdict": differs.verdict, "tests": {}})
        case = Case(case.name, case.folder, changed)

    assert problems(case, by_binary[case.name], messages=False) == []
