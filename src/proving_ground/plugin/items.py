"""Checks that run beside each other in one event loop."""

from __future__ import annotations

import abc
from typing import TYPE_CHECKING, ClassVar

import pytest

from proving_ground.errors import ProvingGroundError

if TYPE_CHECKING:
    from _pytest._code.code import ExceptionInfo, TerminalRepr

    from proving_ground.plugin.check_run import CheckRun
    from proving_ground.plugin.resolution import Fixtures


class ConcurrentItem(pytest.Item):
    """A check that the scheduler runs; subclasses implement ``execute``.

    Attributes:
        check_id: ``<suite>/<name>``. Filled in after collection from the suite and ``check_name``
            where a subclass has not set it.
        check_name: Name within the suite; the mark ``check`` or the item's name where empty.
        description: One line for reports.
        parameters: What distinguishes this check from its siblings, for reports.
        concurrent: False: runs before all concurrent ones, in order, with nothing beside it.
        strict_turns: Whether its clean-up belongs to its turn where only one check runs at a time; False: the next one
            may start as soon as the verdict is known.
        timeout: Seconds for set-up and execution together; None: no limit.
    """

    check_id: str = ""
    check_name: str = ""
    description: str = ""
    parameters: ClassVar[dict[str, object]] = {}
    concurrent: bool = True
    strict_turns: bool = False
    timeout: float | None = None

    @abc.abstractmethod
    async def execute(self, run: CheckRun) -> None:
        """Run the check.

        An AssertionError fails it; a ProvingGroundError ends it as an error. Cancellation asks it
        to clean up and end.
        """

    async def set_up(self, run: CheckRun) -> None:
        """Make what ``execute`` needs; an exception here ends the check as an error."""

    async def tear_down(self, run: CheckRun) -> None:
        """Remove what ``set_up`` made; runs also after it failed half-way, and after cancellation."""

    def setup(self) -> None:
        """Refuse a foreign runner."""
        pytest.fail("this check runs under Proving Ground's scheduler only: give --platform FILE", pytrace=False)

    def runtest(self) -> None:
        """Never reached: ``setup`` refuses."""
        raise NotImplementedError

    def repr_failure(  # type: ignore[override]  # pytest's two base classes do not agree either
        self, excinfo: ExceptionInfo[BaseException]
    ) -> str | TerminalRepr:
        """Show errors for people as their one line with their notes; others as pytest does."""
        if isinstance(excinfo.value, ProvingGroundError):
            return "\n".join([str(excinfo.value), *getattr(excinfo.value, "__notes__", [])])
        return super().repr_failure(excinfo)


class AsyncCheck(ConcurrentItem, pytest.Function):
    """An ``async def test_*`` function of a suite."""

    fixtures: Fixtures
    _values: dict[str, object]

    @classmethod
    def from_function(cls, function: pytest.Function) -> AsyncCheck:
        """Return the check that stands in a collected function's place."""
        callspec = getattr(function, "callspec", None)
        keywords = {callspec.id: True} if callspec is not None and callspec.id else {}
        item: AsyncCheck = cls.from_parent(
            function.parent,
            name=function.name,
            callspec=callspec,
            fixtureinfo=function._fixtureinfo,  # noqa: SLF001  # what pytest's own collector hands over
            keywords=keywords,
            originalname=function.originalname,
        )
        item.concurrent = item.get_closest_marker("sequential") is None
        mark = item.get_closest_marker("timeout")
        item.timeout = float(mark.args[0]) if mark is not None and mark.args else None
        if callspec is not None:
            item.parameters = {  # type: ignore[misc]  # the class only has the empty default
                name: value if isinstance(value, str | int | float | bool | None) else repr(value)
                for name, value in callspec.params.items()
            }
        return item

    async def set_up(self, run: CheckRun) -> None:
        """Resolve the fixtures."""
        self.fixtures = run.fixtures_for(self)
        self._values = await self.fixtures.resolve()

    async def execute(self, run: CheckRun) -> None:  # noqa: ARG002  # the interface's
        """Call the function."""
        __tracebackhide__ = True
        await self.obj(**self._values)

    async def tear_down(self, run: CheckRun) -> None:  # noqa: ARG002  # the interface's
        """Tear down the fixtures of this check, last one first."""
        if hasattr(self, "fixtures"):
            await self.fixtures.finish()

    def setup(self) -> None:
        """Refuse a foreign runner."""
        ConcurrentItem.setup(self)

    def runtest(self) -> None:
        """Never reached: ``setup`` refuses."""
        ConcurrentItem.runtest(self)
