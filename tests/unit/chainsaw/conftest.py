"""Running tests of the engine against an API server in memory."""

from __future__ import annotations

import asyncio
import textwrap
from typing import TYPE_CHECKING, Any

import pytest

from proving_ground.chainsaw.loader import load_tests
from proving_ground.chainsaw.run import Result, run_tests
from proving_ground.kube.testing import MemoryApi

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

HEAD = """\
apiVersion: chainsaw.kyverno.io/v1alpha1
kind: Test
metadata:
  name: {name}
"""


class Engine:
    """Runs tests that are given as the text of their spec."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.api = MemoryApi()

    def run(
        self,
        *specs: str,
        beside: Callable[[MemoryApi], Awaitable[None]] | None = None,
        annotations: str = "{}",
        **options: Any,
    ) -> list[Result]:
        """Run tests; ``beside`` runs at the same time, as a controller would."""
        tests = []
        for number, spec in enumerate(specs):
            folder = self.folder / f"test-{number}"
            folder.mkdir(exist_ok=True)
            file = folder / "chainsaw-test.yaml"
            head = HEAD.format(name=f"test-{number}") + f"  annotations: {annotations}\n"
            file.write_text(head + "spec:\n" + textwrap.indent(textwrap.dedent(spec), "  "))
            tests += load_tests(file)

        async def main() -> list[Result]:
            async with self.api.cluster() as cluster:
                task = asyncio.create_task(beside(self.api)) if beside else None
                try:
                    async with asyncio.timeout(20):
                        return await run_tests(tests, cluster, root=self.folder, **options)
                finally:
                    if task is not None:
                        task.cancel()

        return asyncio.run(main())

    def one(self, spec: str, **options: Any) -> Result:
        """Run one test."""
        (result,) = self.run(spec, **options)
        return result


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    return Engine(tmp_path)
