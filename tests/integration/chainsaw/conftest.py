"""A wrong engine, and the conformance cases that have to notice it.

A mistake is a function with the mark ``noticed_by``, which names the cases; it is given a `Mistake` to make.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from proving_ground.chainsaw.conformance import Place, load_corpus, problems, run_cases
from proving_ground.chainsaw.execution import TestRun
from proving_ground.kube.testing import MemoryApi

collect_ignore = ["conformance"]  # test_conformance.py runs them

CORPUS = Path(__file__).parent / "conformance"
LIMIT = 1.2  # seconds that every wait of a wrong engine is cut to, where the mark does not say otherwise
ENOUGH = 3.0  # for every case that notices a mistake
MARK = "noticed_by"

RunInMemory = Callable[..., dict[str, list[str]]]


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", f"{MARK}(*cases, limit=): names of the conformance cases that notice this mistake"
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "mistake" in metafunc.fixturenames:
        made = [
            pytest.param(make, mark.args, mark.kwargs.get("limit", LIMIT), id=make.__name__)
            for make, mark in mistakes_of(metafunc.module)
        ]
        metafunc.parametrize(("mistake", "cases", "limit"), made)


def mistakes_of(module: Any) -> list[tuple[Callable[..., None], pytest.Mark]]:
    """Return the mistakes of a module, each with its mark."""
    return [
        (made, mark)
        for made in vars(module).values()
        if callable(made)
        for mark in getattr(made, "pytestmark", ())
        if mark.name == MARK
    ]


class Wrong:
    """One place of the engine that is made wrong."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self._patch = patch

    def be(self, owner: Any, name: str, instead: Any) -> None:
        """Replace something."""
        self._patch.setattr(owner, name, instead)

    def around(self, owner: Any, name: str, instead: Callable[..., Any]) -> None:
        """Replace a function by one that is given the right one first."""
        right = getattr(owner, name)

        def wrong(*arguments: Any, **keywords: Any) -> Any:
            return instead(right, *arguments, **keywords)

        self.be(owner, name, wrong)

    def change_tests(self, **changes: Any) -> None:
        """Run tests as if their files said something else."""

        def instead(right: Any, run: Any, test: Any, configuration: Any, *others: Any, **keywords: Any) -> None:
            right(run, replace(test, **changes), configuration, *others, **keywords)

        self.around(TestRun, "__init__", instead)

    def change_steps(self, **changes: Any) -> None:
        """The same for steps."""
        self.around(TestRun, "_run_step", lambda right, run, step, *rest: right(run, replace(step, **changes), *rest))

    def change_operations(self, **changes: Any) -> None:
        """The same for operations."""
        self.around(
            TestRun, "_run_operation", lambda right, run, one, *rest: right(run, replace(one, **changes), *rest)
        )


@pytest.fixture
def wrong(monkeypatch: pytest.MonkeyPatch) -> Wrong:
    return Wrong(monkeypatch)


@pytest.fixture
def all_cases(request: pytest.FixtureRequest) -> set[str]:
    """The cases that notice the mistakes of this file."""
    return {case for _, mark in mistakes_of(request.module) for case in mark.args}


@pytest.fixture
def run_in_memory(tmp_path: Path) -> RunInMemory:
    """Run cases by name on an API server in memory, and return in what each did not end as declared."""

    def run(*names: str, limit: float = ENOUGH) -> dict[str, list[str]]:
        cases = [case for case in load_corpus(CORPUS) if case.name in names]
        missing = set(names) - {case.name for case in cases}
        assert not missing, f"there is no case {missing}"
        assert all(case.expected.memory and not case.needs_command for case in cases)
        api = MemoryApi()
        api.put({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "default"}})

        async def main() -> dict[str, list[str]]:
            async with api.cluster() as cluster:
                seen = await run_cases(cases, cluster, Place(tmp_path, CORPUS), limit=limit)
            return {case.name: problems(case, seen[case.name]) for case in cases}

        return asyncio.run(main())

    return run
