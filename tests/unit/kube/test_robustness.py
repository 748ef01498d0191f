"""The client where the API server is busy, changes its mind, or serves other kinds than before."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import pytest

from proving_ground.errors import InfrastructureError
from proving_ground.kube import (
    Cluster,
    ConflictError,
    Reference,
    ResourceType,
    Target,
    UnknownKindError,
    WaitTimeoutError,
    create_namespace,
    namespace,
    remove_namespace,
)
from proving_ground.kube.deadlines import within
from proving_ground.kube.following import Followers, Following
from proving_ground.kube.namespaces import _REMOVED_AT_ONCE as AT_ONCE
from proving_ground.kube.namespaces import Removals
from proving_ground.kube.testing import WIDGET, Answer, MemoryApi

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

REF = Reference("test.example/v1", "Widget", "w", "ns")
GADGET = ResourceType("new.example/v1", "Gadget", "gadgets", namespaced=True, verbs=WIDGET.verbs)
CONFLICT = Answer(409, json={"kind": "Status", "reason": "Conflict", "message": "the object has been modified"})


def busy(seconds: int) -> Answer:
    status = {"kind": "Status", "reason": "TooManyRequests", "message": "too many requests"}
    return Answer(429, json=status, headers={"Retry-After": str(seconds)})


def run(scenario: Callable[[MemoryApi, Cluster], Awaitable[Any]], *, patience: float = 5.0) -> Any:
    async def main() -> Any:
        api = MemoryApi()
        api.put({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "ns"}})
        async with api.cluster(patience=patience) as cluster:
            return await scenario(api, cluster)

    return asyncio.run(main())


def widget(name: str = "w", **fields: Any) -> dict[str, Any]:
    return {"apiVersion": "test.example/v1", "kind": "Widget", "metadata": {"name": name, "namespace": "ns"}, **fields}


def gadget(name: str = "g", version: str = "v1") -> dict[str, Any]:
    return {
        "apiVersion": f"new.example/{version}",
        "kind": "Gadget",
        "metadata": {"name": name, "namespace": "ns"},
    }


async def until(condition: Callable[[], object]) -> None:
    """Wait for something in the server or the client that tells nobody."""
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110  # nothing tells
            await asyncio.sleep(0.01)


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Collect the pauses of the client, which take no time."""
    asked: list[float] = []
    real = asyncio.sleep

    async def sleep(seconds: float) -> None:
        asked.append(seconds)
        await real(0)

    monkeypatch.setattr("proving_ground.kube.connection.asyncio.sleep", sleep)
    return asked


def first(*answers: Answer) -> Callable[[str, str], Answer | None]:
    """Answer requests for the widget like this first."""
    left = list(answers)
    return lambda _method, path: left.pop(0) if left and path.endswith("/widgets/w") else None


# Too many requests


def test_a_busy_api_server_is_asked_again_when_it_says_so(pauses: list[float]) -> None:
    async def scenario(api: MemoryApi, cluster: Cluster) -> None:
        await cluster.create(widget())
        api.answers = first(busy(3), busy(2))
        assert await cluster.get("test.example/v1", "Widget", "w", "ns") is not None

    run(scenario, patience=12)
    assert [pause for pause in pauses if pause >= 1] == [3, 2]


def test_a_busy_api_server_is_not_waited_for_longer_than_the_caller_has_time() -> None:
    async def scenario(api: MemoryApi, cluster: Cluster) -> None:
        await cluster.create(widget())
        api.answers = first(*[busy(2)] * 9)
        started = time.monotonic()
        with pytest.raises(InfrastructureError, match="too many requests"), within(0.5):
            await cluster.get("test.example/v1", "Widget", "w", "ns")
        with pytest.raises(InfrastructureError, match="too many requests"):
            await cluster.wait_for(REF, lambda o: o is not None, timeout=0.5)
        assert time.monotonic() - started < 2, "it slept although it could not help"
        assert api.count("GET", "/widgets/w") == 2

    run(scenario, patience=60)


def test_the_deadline_of_one_who_waits_is_not_that_of_those_who_share_its_watch() -> None:
    async def scenario(api: MemoryApi, cluster: Cluster) -> None:
        with pytest.raises(WaitTimeoutError):
            await cluster.wait_for(REF, lambda o: o is not None, timeout=0.01)  # starts the watch
        async with cluster.follow(Target.of(REF)) as following:
            troubles: list[Answer | Exception] = [busy(0), ConnectionResetError("reset")]
            api.answers = lambda _m, path: troubles.pop() if troubles and path.endswith("/widgets") else None
            api.forget_history()
            api.break_watches()
            api.put(widget())
            assert await following.change(5)
            assert troubles == []

    run(scenario)


# Conflicts


def test_a_patch_is_sent_again_when_somebody_else_changed_the_object() -> None:
    async def scenario(api: MemoryApi, cluster: Cluster) -> None:
        await cluster.create(widget(spec={"a": 1}))
        api.answers = first(CONFLICT, CONFLICT)
        changed = await cluster.patch(REF, {"spec": {"b": 2}})
        assert changed["spec"] == {"a": 1, "b": 2}
        assert api.count("PATCH") == 3

    run(scenario)


def test_a_patch_of_one_state_is_not_sent_again_after_a_conflict() -> None:
    async def scenario(api: MemoryApi, cluster: Cluster) -> None:
        await cluster.create(widget())
        api.answers = first(CONFLICT)
        with pytest.raises(ConflictError):
            await cluster.patch(REF, {"metadata": {"resourceVersion": "1"}})
        assert api.count("PATCH") == 1

    run(scenario)


def test_a_conflict_that_does_not_end_is_told() -> None:
    async def scenario(api: MemoryApi, cluster: Cluster) -> None:
        await cluster.create(widget())
        api.answers = lambda method, _path: CONFLICT if method == "PATCH" else None
        with pytest.raises(ConflictError, match="has been modified"):
            await cluster.patch(REF, {"spec": {}})
        assert api.count("PATCH") == 5

    run(scenario)


def test_an_update_of_whatever_is_there_takes_its_version_and_is_sent_again_after_a_conflict() -> None:
    async def scenario(api: MemoryApi, cluster: Cluster) -> None:
        await cluster.create(widget(spec={"a": 1}))
        conflicts = [CONFLICT]
        api.answers = lambda method, _path: conflicts.pop() if method == "PUT" and conflicts else None
        changed = await cluster.update(widget(spec={"b": 2}))
        assert changed["spec"] == {"b": 2}
        assert (api.count("PUT"), api.count("GET", "/widgets/w")) == (2, 2)

    run(scenario)


# Kinds that come and go


def test_a_kind_that_comes_while_a_hundred_wait_for_it_is_asked_for_once_in_a_while() -> None:
    async def scenario(api: MemoryApi, cluster: Cluster) -> None:
        async def wait() -> ResourceType:
            while True:
                try:
                    return await cluster.resource("new.example/v1", "Gadget")
                except UnknownKindError:
                    await asyncio.sleep(0.01)

        waiting = [asyncio.create_task(wait()) for _ in range(100)]
        await asyncio.sleep(0.3)
        assert api.count("GET", "/apis/new.example") <= 3
        api.serve(GADGET)
        assert set(await asyncio.gather(*waiting)) == {GADGET}
        assert api.count("GET", "/apis/new.example") <= 5

    run(scenario)


def test_who_asks_after_a_kind_came_is_never_told_that_it_is_unknown() -> None:
    async def scenario(api: MemoryApi, cluster: Cluster) -> None:
        with pytest.raises(UnknownKindError):
            await cluster.resource("new.example/v1", "Gadget")
        before = asyncio.create_task(cluster.resource("new.example/v1", "Other"))
        await asyncio.sleep(0)
        api.serve(GADGET)
        assert await cluster.resource("new.example/v1", "Gadget") == GADGET
        with pytest.raises(UnknownKindError):
            await before

    run(scenario)


def test_a_kind_that_goes_and_comes_again_is_followed_through() -> None:
    async def scenario(api: MemoryApi, cluster: Cluster) -> None:
        api.serve(GADGET)
        api.put(gadget())
        async with cluster.follow(Target("new.example/v1", "Gadget", "ns", "g")) as following:
            assert len(following.objects) == 1
            api.serve_no_more(GADGET)
            assert await following.change(5)
            assert following.objects == []
            await asyncio.sleep(0.1)  # longer than the patience below
            api.serve(GADGET)
            api.put(gadget())
            assert await following.change(5)
            assert len(following.objects) == 1

    run(scenario, patience=0.05)


def test_a_kind_that_was_removed_is_unknown_again() -> None:
    async def scenario(api: MemoryApi, cluster: Cluster) -> None:
        api.serve(GADGET)
        await cluster.create(gadget())
        api.serve_no_more(GADGET)
        with pytest.raises(UnknownKindError):
            await cluster.get("new.example/v1", "Gadget", "g", "ns")
        with pytest.raises(UnknownKindError):
            await cluster.list("new.example/v1", "Gadget")
        assert await cluster.delete(Reference("v1", "ConfigMap", "none", "ns")) is None

    run(scenario)


def test_a_kind_that_was_made_anew_under_another_name_is_found() -> None:
    async def scenario(api: MemoryApi, cluster: Cluster) -> None:
        api.serve(GADGET)
        await cluster.create(gadget())
        api.serve_no_more(GADGET)
        api.serve(ResourceType("new.example/v1", "Gadget", "gadgetten", namespaced=True, verbs=WIDGET.verbs))
        await cluster.create(gadget("other"))
        assert [o["metadata"]["name"] for o in await cluster.list("new.example/v1", "Gadget")] == ["other"]

    run(scenario)


def test_a_kind_that_comes_again_in_another_version_is_served_in_that() -> None:
    async def scenario(api: MemoryApi, cluster: Cluster) -> None:
        api.serve(GADGET)
        await cluster.create(gadget())
        api.serve_no_more(GADGET)
        api.serve(ResourceType("new.example/v2", "Gadget", "gadgets", namespaced=True, verbs=WIDGET.verbs))
        with pytest.raises(UnknownKindError):
            await cluster.create(gadget())
        made = await cluster.create(gadget(version="v2"))
        assert made["apiVersion"] == "new.example/v2"

    run(scenario)


# Watches


def test_a_watch_goes_on_from_its_last_bookmark() -> None:
    async def scenario(api: MemoryApi, cluster: Cluster) -> None:
        async with cluster.follow(Target.of(REF)) as following:
            api.put({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "namespace": "ns"}})
            api.bookmark()
            while api.count("WATCH") == 1:
                api._oldest = api._version  # all before it is forgotten
                api.break_watches()
                await asyncio.sleep(0.01)
            api.put(widget())
            assert await following.change(5)
            assert api.count("GET", "v1/widgets") == 1, "it did not have to list again"

    run(scenario)


def test_the_watch_of_a_namespace_is_not_kept_after_its_last_waiter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("proving_ground.kube.sharing._LINGER_SECONDS", 0.01)

    async def scenario(api: MemoryApi, cluster: Cluster) -> None:
        forbidden = Answer(403, json={"kind": "Status", "reason": "Forbidden", "message": "no"})
        api.answers = lambda _m, path: forbidden if path.endswith("v1/widgets") else None
        for number in range(5):
            place = f"ns{number}"
            api.put({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": place}})
            async with cluster.follow(Target("test.example/v1", "Widget", place, "w")):
                pass
        await until(lambda: len(cluster._watches) == 1)  # that of the whole cluster is remembered as forbidden
        await until(lambda: not api._streams)

    run(scenario)


def test_an_event_is_told_only_to_those_whom_it_may_concern() -> None:
    followers = Followers()
    targets = {
        "this": Target("v1", "Pod", "a", "x"),
        "other": Target("v1", "Pod", "a", "y"),
        "same name elsewhere": Target("v1", "Pod", "b", "x"),
        "its namespace": Target("v1", "Pod", "a"),
        "another namespace": Target("v1", "Pod", "b"),
        "everywhere": Target("v1", "Pod"),
        "its name everywhere": Target("v1", "Pod", name="x"),
    }
    made = {name: Following(target) for name, target in targets.items()}
    for following in made.values():
        followers.add(following)

    told = {name for name, following in made.items() if following in set(followers.concerned(("a", "x")))}

    assert told == {"this", "its namespace", "everywhere", "its name everywhere"}
    for following in made.values():
        followers.discard(following)
    assert not followers


# Namespaces


def test_namespaces_are_removed_some_at_once_and_made_only_when_few_wait_to_go() -> None:
    async def scenario(api: MemoryApi, cluster: Cluster) -> None:
        api.keep_namespaces = True
        for number in range(AT_ONCE + 20):
            api.put({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": f"n{number}"}})
        removing = [asyncio.create_task(remove_namespace(cluster, f"n{n}", timeout=30)) for n in range(AT_ONCE + 20)]
        made = asyncio.create_task(create_namespace(cluster, "new"))
        await until(lambda: api.count("DELETE") >= AT_ONCE)
        await asyncio.sleep(0.05)
        assert api.count("DELETE") == AT_ONCE
        assert api.count("POST") == 0, "20 wait to go"
        api.keep_namespaces = False
        for number in range(AT_ONCE):
            api.remove("Namespace", f"n{number}")
        await asyncio.gather(made, *removing)
        left = {each["metadata"]["name"] for each in api.all("Namespace")}
        assert left == {"ns", (await made)["metadata"]["name"]}

    run(scenario)


def test_those_who_wait_to_make_a_namespace_go_on_one_for_each_that_is_gone() -> None:
    async def scenario() -> None:
        removals, gone, made = Removals(), [asyncio.Event() for _ in range(AT_ONCE + 20)], 0

        async def remove(until_gone: asyncio.Event) -> None:
            async with removals.turn():
                await until_gone.wait()

        async def make() -> None:
            nonlocal made
            await removals.room()
            made += 1

        removing = [asyncio.create_task(remove(each)) for each in gone]
        await asyncio.sleep(0)
        makers = [asyncio.create_task(make()) for _ in range(200)]
        seen = []
        await asyncio.sleep(0)
        makers.pop(0).cancel()
        for each, task in zip(gone, removing, strict=True):
            each.set()
            await task
            await asyncio.sleep(0)
            seen.append(made)
        assert seen[:13] == [0] * 13, "20 wait, then 19, ..."
        assert seen[13:20] == list(range(1, 8)), "few wait: one for one"
        assert seen[-1] == 199, "none is forgotten"
        await asyncio.gather(*makers)

    asyncio.run(scenario())


def test_a_removal_that_the_watch_tells_costs_one_request() -> None:
    async def scenario(api: MemoryApi, cluster: Cluster) -> None:
        async with cluster.follow(Target("test.example/v1", "Widget")):
            for number in range(3):
                api.put(widget(f"w{number}", status={}))
                api.put(widget("other", status={"n": number}))  # the watch is ahead of the answer
                before = cluster.requests
                reference = Reference("test.example/v1", "Widget", f"w{number}", "ns")
                api.find("Widget", f"w{number}")["metadata"]["finalizers"] = ["test/hold"]  # type: ignore[index]
                removing = asyncio.create_task(cluster.remove(reference, timeout=5))
                await until(lambda n=number: "deletionTimestamp" in api.find("Widget", f"w{n}")["metadata"])  # type: ignore[index,misc]
                api.remove("Widget", f"w{number}")
                await removing
                assert cluster.requests - before == 1

    run(scenario)


def test_a_removal_that_takes_too_long_names_what_holds_the_object() -> None:
    async def scenario(api: MemoryApi, cluster: Cluster) -> None:
        held = widget()
        held["metadata"]["finalizers"] = ["test/hold"]
        api.put(held)
        with pytest.raises(WaitTimeoutError, match="finalizers: test/hold"):
            await cluster.remove(REF, timeout=0.05)
        api.remove("Widget", "w")
        await cluster.remove(REF, timeout=0.05)  # was not there

    run(scenario)


def test_a_namespace_whose_wait_was_cancelled_leaves_its_turn() -> None:
    async def scenario(api: MemoryApi, cluster: Cluster) -> None:
        api.keep_namespaces = True
        for number in range(AT_ONCE + 20):
            api.put({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": f"n{number}"}})
        removing = [asyncio.create_task(remove_namespace(cluster, f"n{n}", timeout=30)) for n in range(AT_ONCE + 20)]
        await until(lambda: api.count("DELETE") >= AT_ONCE)
        for task in removing:
            task.cancel()
        await asyncio.gather(*removing, return_exceptions=True)
        api.keep_namespaces = False
        async with asyncio.timeout(5), namespace(cluster):
            pass

    run(scenario)
