"""pytest fixtures of asynchronous checks, resolved inside the event loop.

Fixtures of function scope belong to one check; those of wider scopes are made once, shared by the
checks that run beside each other, and torn down at the end, last one first.
"""

from __future__ import annotations

import asyncio
import contextvars
import functools
import inspect
from typing import TYPE_CHECKING, Any

import pytest
from _pytest.fixtures import resolve_fixture_function

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

PROCESS_WIDE = ("monkeypatch", "capsys", "capfd", "capsysbinary", "capfdbinary", "capteesys", "caplog", "recwarn")


def refusal(item: pytest.Function) -> str | None:
    """Return why a function cannot be an asynchronous check, or None if it can."""
    info = item._fixtureinfo  # noqa: SLF001  # what pytest itself resolves from
    for name in info.names_closure:
        if name in PROCESS_WIDE:
            return f"fixture {name!r} acts on the whole process, in which other checks run at the same time"
        if name != "request" and not info.name2fixturedefs.get(name):
            return f"fixture {name!r} not found"
    for definitions in info.name2fixturedefs.values():
        for definition in definitions:
            for name in definition.argnames:
                inner = info.name2fixturedefs.get(name, ())
                if name != definition.argname and inner and _rank(inner[-1].scope) < _rank(definition.scope):
                    return (
                        f"fixture {definition.argname!r} of scope {definition.scope} "
                        f"asks for {name!r} of the narrower scope {inner[-1].scope}"
                    )
    return None


def _rank(scope: str) -> int:
    return ("function", "class", "module", "package", "session").index(scope)


class CheckRequest:
    """What a fixture of an asynchronous check gets as ``request``: the part that has a meaning there."""

    def __init__(self, item: pytest.Function, definition: pytest.FixtureDef[Any] | None, owner: Instance) -> None:
        self._item = item
        self._owner = owner
        self.config = item.config
        self.session = item.session
        self.scope = definition.scope if definition is not None else "function"
        self.fixturename = definition.argname if definition is not None else None
        self.node = _scope_node(item, self.scope)
        self.module = item.module
        self.cls = item.cls
        self.function = item.obj
        self.instance = item.instance
        self.keywords = self.node.keywords
        callspec = getattr(item, "callspec", None)
        if callspec is not None and self.fixturename in callspec.params:
            self.param = callspec.params[self.fixturename]
            self.param_index = callspec.indices[self.fixturename]

    def addfinalizer(self, finalizer: Callable[[], object]) -> None:
        """Call this when the fixture is torn down; it may be asynchronous."""
        self._owner.finalizers.append(finalizer)

    def __getattr__(self, name: str) -> object:
        """Say what is not there."""
        if name == "param":
            raise AttributeError("this fixture has no parameter")
        raise AttributeError(
            f"request.{name} is not supported in fixtures of asynchronous checks: ask for it by argument"
        )


def _scope_node(item: pytest.Item, scope: str) -> Any:  # any node of pytest's tree
    kinds: dict[str, type[pytest.Collector]] = {
        "class": pytest.Class,
        "module": pytest.Module,
        "package": pytest.Package,
    }
    if scope == "function":
        return item
    kind = kinds.get(scope)
    found = item.getparent(kind) if kind is not None else item.session
    if found is None:
        return item if scope == "class" else item.session
    return found


class Instance:
    """One made fixture."""

    def __init__(self) -> None:
        self.value: object = None
        self.finalizers: list[Callable[[], object]] = []

    async def make(self, function: Callable[..., Any], arguments: dict[str, object]) -> None:
        """Call the fixture function, of whatever kind it is, up to its value."""
        if inspect.isasyncgenfunction(function):
            agen = function(**arguments)
            self.value = await anext(agen)
            self.finalizers.append(lambda: _end_async(agen))
        elif inspect.isgeneratorfunction(function):
            generator = function(**arguments)
            self.value = next(generator)
            self.finalizers.append(lambda: _end(generator))
        else:
            value = function(**arguments)
            self.value = await value if inspect.isawaitable(value) else value

    async def finish(self) -> None:
        """Run the finalizers, last one first, all of them.

        Raises:
            BaseException: What the first failing one raised; a group if there are several.
        """
        await run_all(self.finalizers)


async def run_all(finalizers: list[Callable[[], object]]) -> None:
    """Pop and run each finalizer, also after one failed; raise what they raised."""
    errors: list[BaseException] = []
    while finalizers:
        finalizer = finalizers.pop()
        try:
            result = finalizer()
            if inspect.isawaitable(result):
                await result
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001  # the others must run; raised below
            errors.append(error)
    if len(errors) == 1:
        raise errors[0]
    if errors:
        raise BaseExceptionGroup("several fixtures failed to tear down", errors)


async def _end_async(agen: Any) -> None:  # any asynchronous generator
    try:
        await anext(agen)
    except StopAsyncIteration:
        return
    await agen.aclose()
    raise RuntimeError("the fixture yielded a second time")


def _end(generator: Any) -> None:  # any generator
    try:
        next(generator)
    except StopIteration:
        return
    generator.close()
    raise RuntimeError("the fixture yielded a second time")


class SharedFixtures:
    """Fixtures of wider scopes: each made once, set up and torn down in a task of its own."""

    def __init__(self) -> None:
        self._made: dict[Hashable, tuple[asyncio.Future[object], asyncio.Event, asyncio.Task[None]]] = {}

    async def value(
        self, key: Hashable, instance: Instance, function: Callable[..., Any], arguments: dict[str, object]
    ) -> object:
        """Return the shared value of this key, made by whoever asks first."""
        if key not in self._made:
            loop = asyncio.get_running_loop()
            ready: asyncio.Future[object] = loop.create_future()
            over = asyncio.Event()
            task = loop.create_task(
                self._live(instance, function, arguments, ready, over), context=contextvars.Context()
            )
            self._made[key] = (ready, over, task)
        return await asyncio.shield(self._made[key][0])

    @staticmethod
    async def _live(
        instance: Instance,
        function: Callable[..., Any],
        arguments: dict[str, object],
        ready: asyncio.Future[object],
        over: asyncio.Event,
    ) -> None:
        try:
            await instance.make(function, arguments)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001  # told to every check that asks for the fixture
            if not ready.done():
                ready.set_exception(error)
                ready.exception()
        else:
            ready.set_result(instance.value)
            await over.wait()
        await instance.finish()

    async def finish(self) -> None:
        """Tear all down, last made first.

        Raises:
            BaseException: What a tear-down raised; a group if there are several.
        """

        async def end(over: asyncio.Event, task: asyncio.Task[None]) -> None:
            over.set()
            await task

        endings: list[Callable[[], object]] = [
            functools.partial(end, over, task) for _, over, task in self._made.values()
        ]
        self._made.clear()
        await run_all(endings)


class Fixtures:
    """The fixtures of one check."""

    def __init__(self, item: pytest.Function, shared: SharedFixtures) -> None:
        self._item = item
        self._info = item._fixtureinfo  # noqa: SLF001  # what pytest itself resolves from
        self._shared = shared
        self._made: dict[int, object] = {}
        self._finalizers: list[Callable[[], object]] = []

    async def resolve(self) -> dict[str, object]:
        """Make every fixture that the check needs, and return the arguments of its function."""
        for name in self._info.names_closure:
            await self._value(name, (), None, Instance())
        return {name: await self._value(name, (), None, Instance()) for name in self._info.argnames}

    async def finish(self) -> None:
        """Tear down those of function scope, last one first."""
        await run_all(self._finalizers)
        self._made.clear()

    async def _value(
        self, name: str, chain: tuple[str, ...], asking: pytest.FixtureDef[Any] | None, owner: Instance
    ) -> object:
        if name == "request":
            return CheckRequest(self._item, asking, owner)
        # A fixture that asks for its own name gets the one that it overrides.
        definition = self._info.name2fixturedefs[name][-1 - chain.count(name)]
        if id(definition) in self._made:
            return self._made[id(definition)]
        instance = Instance()
        arguments = {
            argument: await self._value(argument, (*chain, name), definition, instance)
            for argument in definition.argnames
        }
        function = resolve_fixture_function(definition, self._item._request)  # noqa: SLF001  # binds methods of classes
        if definition.scope == "function":
            # Registered before it is made: what it opened with request.addfinalizer goes even if it fails.
            self._finalizers.append(instance.finish)
            await instance.make(function, arguments)
            value = instance.value
        else:
            callspec = getattr(self._item, "callspec", None)
            index = callspec.indices.get(name) if callspec is not None else None
            key = (id(definition), _scope_node(self._item, definition.scope), index)
            value = await self._shared.value(key, instance, function, arguments)
        self._made[id(definition)] = value
        return value
