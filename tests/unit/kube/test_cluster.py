"""The client against an API server in memory."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from proving_ground.errors import ConfigurationError, InfrastructureError
from proving_ground.kube import (
    ApiError,
    Cluster,
    ConflictError,
    NotFoundError,
    Reference,
    Target,
    UnknownKindError,
    WaitTimeoutError,
    namespace,
    remove_namespace,
)
from proving_ground.kube.testing import KINDS, Answer, MemoryApi

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

REF = Reference("test.example/v1", "Widget", "w", "ns")


def run(scenario: Callable[[MemoryApi, Cluster], Awaitable[Any]], *, patience: float = 0.2) -> Any:
    async def main() -> Any:
        api = MemoryApi()
        api.put({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "ns"}})
        async with api.cluster(patience=patience) as cluster:
            return await scenario(api, cluster)

    return asyncio.run(main())


def widget(name: str = "w", **fields: Any) -> dict[str, Any]:
    return {"apiVersion": "test.example/v1", "kind": "Widget", "metadata": {"name": name, "namespace": "ns"}, **fields}


async def later(api: MemoryApi, action: Callable[[], object]) -> None:
    """Do something once a watch is open."""
    while not api._streams:  # noqa: ASYNC110  # the server in memory has no event for it
        await asyncio.sleep(0)
    action()


def test_apply_creates_and_then_merges() -> None:
    async def scenario(_api: MemoryApi, cluster: Cluster) -> None:
        first, created = await cluster.apply(widget(spec={"a": 1, "b": 2}))
        assert created
        assert first["spec"] == {"a": 1, "b": 2}
        second, created = await cluster.apply(widget(spec={"a": 3}))
        assert not created
        assert second["spec"] == {"a": 3, "b": 2}

    run(scenario)


def test_apply_merges_part_of_an_object_that_could_not_be_created() -> None:
    async def scenario(api: MemoryApi, cluster: Cluster) -> None:
        await cluster.create(widget(spec={"selector": "a", "size": 1}))
        invalid = {"reason": "Invalid", "message": "spec.selector: Required value"}
        api.answers = lambda method, _p: Answer(422, json=invalid) if method == "POST" else None
        found, created = await cluster.apply(widget(spec={"size": 2}))
        assert not created
        assert found["spec"] == {"selector": "a", "size": 2}
        with pytest.raises(ApiError, match="Required value"):
            await cluster.apply(widget("another", spec={"size": 2}))

    run(scenario)


def test_update_replaces_and_refuses_what_has_changed_or_is_not_there() -> None:
    async def scenario(_api: MemoryApi, cluster: Cluster) -> None:
        first = await cluster.create(widget("a", spec={"x": 1, "y": 1}))
        second = await cluster.update({**first, "spec": {"x": 2}})
        assert second["spec"] == {"x": 2}
        assert second["metadata"]["uid"] == first["metadata"]["uid"]
        checked = await cluster.update({**second, "spec": {"x": 3}}, dry_run=True)
        assert checked["spec"] == {"x": 3}
        found = await cluster.get("test.example/v1", "Widget", "a", "ns")
        assert found is not None
        assert found["spec"] == {"x": 2}
        with pytest.raises(ConflictError, match="modified"):
            await cluster.update({**first, "spec": {"x": 4}})
        with pytest.raises(NotFoundError):
            await cluster.update(widget("b"))

    run(scenario)


def test_create_refuses_what_exists() -> None:
    async def scenario(_api: MemoryApi, cluster: Cluster) -> None:
        await cluster.create(widget())
        with pytest.raises(ConflictError, match="already exists"):
            await cluster.create(widget())

    run(scenario)


def test_an_absent_object_is_none_and_an_absent_kind_an_error() -> None:
    async def scenario(_api: MemoryApi, cluster: Cluster) -> None:
        assert await cluster.get("test.example/v1", "Widget", "none", "ns") is None
        with pytest.raises(UnknownKindError, match=r"no kind Gadget in test.example/v1"):
            await cluster.get("test.example/v1", "Gadget", "none", "ns")
        with pytest.raises(UnknownKindError, match="no kind Widget in nowhere/v1"):
            await cluster.get("nowhere/v1", "Widget", "none", "ns")

    run(scenario)


def test_a_kind_is_discovered_once_and_asked_for_again_while_unknown() -> None:
    async def scenario(api: MemoryApi, cluster: Cluster) -> None:
        await asyncio.gather(*(cluster.get("test.example/v1", "Widget", "w", "ns") for _ in range(5)))
        assert api.requests.count(("GET", "/apis/test.example/v1")) == 1
        for _ in range(2):
            with pytest.raises(UnknownKindError):
                await cluster.resource("test.example/v1", "Gadget")
        assert api.requests.count(("GET", "/apis/test.example/v1")) == 3

    run(scenario)


def test_deleting_what_is_not_there_is_no_error() -> None:
    run(lambda _api, cluster: cluster.delete(REF))


def test_list_fills_in_what_list_items_lack() -> None:
    async def scenario(_api: MemoryApi, cluster: Cluster) -> None:
        await cluster.create(widget())
        found = await cluster.list("test.example/v1", "Widget", "ns")
        assert (found[0]["apiVersion"], found[0]["kind"]) == ("test.example/v1", "Widget")

    run(scenario)


def test_a_wait_sees_the_change_and_needs_no_polling() -> None:
    async def scenario(api: MemoryApi, cluster: Cluster) -> None:
        await cluster.create(widget())
        task = asyncio.create_task(later(api, lambda: api.set_status("Widget", "w", {"status": "Running"})))
        found = await cluster.wait_for(REF, lambda o: bool(o and "status" in o), timeout=5)
        await task
        assert found is not None
        assert found["status"] == {"status": "Running"}
        assert api.count("GET", "/widgets") == 2, "one list for the watch, one read"

    run(scenario)


def test_a_wait_that_is_too_long_tells_what_was_last_seen() -> None:
    async def scenario(api: MemoryApi, cluster: Cluster) -> None:
        await cluster.create(widget())
        api.set_status("Widget", "w", {"status": "Starting"})
        with pytest.raises(
            WaitTimeoutError, match=r"waited 0\.\d s for green of Widget ns/w; last seen:\n.*status Starting"
        ):
            await cluster.wait_for(REF, lambda _: False, timeout=0.01, what="green")
        with pytest.raises(WaitTimeoutError, match="none exists"):
            await cluster.wait_for(Reference("v1", "Pod", "p", "ns"), lambda _: False, timeout=0.01)

    run(scenario)


def test_a_hundred_waits_share_one_watch() -> None:
    async def scenario(api: MemoryApi, cluster: Cluster) -> None:
        for number in range(100):
            await cluster.create(widget(f"w{number}"))

        async def wait(number: int) -> None:
            ref = Reference("test.example/v1", "Widget", f"w{number}", "ns")
            await cluster.wait_for(ref, lambda o: bool(o and "status" in o), timeout=5)

        async with asyncio.TaskGroup() as group:
            for number in range(100):
                group.create_task(wait(number))
            await later(api, lambda: None)
            for number in range(100):
                api.set_status("Widget", f"w{number}", {"status": "Running"})
        assert api.count("WATCH", "/widgets") == 1

    run(scenario)


def test_a_watch_that_breaks_is_resumed_and_nothing_is_missed() -> None:
    async def scenario(api: MemoryApi, cluster: Cluster) -> None:
        await cluster.create(widget())
        async with cluster.follow(Target.of(REF)) as following:
            api.break_watches()
            api.remove("Widget", "w")
            assert await following.change(5)
            assert following.objects == []
            assert api.count("GET", "v1/widgets") == 1, "it went on from where it was"

    run(scenario, patience=5)


def test_a_watch_whose_history_is_gone_lists_again_and_nothing_is_missed() -> None:
    async def scenario(api: MemoryApi, cluster: Cluster) -> None:
        await cluster.create(widget())
        async with cluster.follow(Target.of(REF)) as following:
            api.remove("Widget", "w")
            api.forget_history()
            api.break_watches()
            assert await following.change(5)
            assert following.objects == []

    run(scenario, patience=5)


def test_a_watch_that_cannot_be_resumed_is_an_infrastructure_error() -> None:
    async def scenario(api: MemoryApi, cluster: Cluster) -> None:
        async with cluster.follow(Target.of(REF)) as following:
            api.answers = lambda _method, _path: ConnectionRefusedError("refused")
            api.break_watches()
            with pytest.raises(InfrastructureError, match=r"the watch of /apis/test.example/v1/widgets was lost"):
                await following.change(5)

    run(scenario)


def test_where_the_whole_cluster_may_not_be_watched_the_namespace_is() -> None:
    async def scenario(api: MemoryApi, cluster: Cluster) -> None:
        forbidden = {"kind": "Status", "reason": "Forbidden", "message": "no"}
        api.answers = lambda _m, path: Answer(403, json=forbidden) if path.endswith("v1/widgets") else None
        await cluster.create(widget())
        task = asyncio.create_task(later(api, lambda: api.remove("Widget", "w")))
        await cluster.wait_gone(REF, timeout=5)
        await task
        assert ("WATCH", "/apis/test.example/v1/namespaces/ns/widgets") in api.requests

    run(scenario)


def test_who_may_not_watch_at_all_polls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("proving_ground.kube.sharing._POLL_SECONDS", 0.001)

    async def scenario(api: MemoryApi, cluster: Cluster) -> None:
        forbidden = Answer(403, json={"kind": "Status", "reason": "Forbidden", "message": "no widgets for you"})
        for refused in ({"GET", "WATCH"}, {"WATCH"}):  # neither list nor watch, or only no watch
            api.answers = lambda m, p, r=refused: forbidden if p.endswith("/widgets") and m in r else None  # type: ignore[misc]
            async with cluster.follow(Target.of(REF)) as following:
                assert following.objects == []
                api.put(widget())
                assert await following.change(5)
                assert len(following.objects) == 1
            api.remove("Widget", "w")

    run(scenario)


def test_who_may_not_even_read_is_told_so() -> None:
    async def scenario(api: MemoryApi, cluster: Cluster) -> None:
        forbidden = {"kind": "Status", "reason": "Forbidden", "message": "no widgets for you"}
        api.answers = lambda _m, p: Answer(403, json=forbidden) if "/widgets" in p else None
        with pytest.raises(ApiError, match="no widgets for you"):
            await cluster.wait_for(REF, lambda o: o is not None, timeout=5)

    run(scenario)


def test_a_kind_that_cannot_be_watched_is_polled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("proving_ground.kube.sharing._POLL_SECONDS", 0.001)

    async def main() -> None:
        kinds = [k if k.kind != "Widget" else type(k)(k.api_version, k.kind, k.plural, namespaced=True) for k in KINDS]
        api = MemoryApi(kinds)
        api.put({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "ns"}})
        async with api.cluster() as cluster, cluster.follow(Target.of(REF)) as following:
            assert following.objects == []
            api.put(widget())
            assert await following.change(5)
            assert len(following.objects) == 1
            assert api.count("WATCH") == 0

    asyncio.run(main())


def test_a_failing_api_server_is_asked_again() -> None:
    async def scenario(api: MemoryApi, cluster: Cluster) -> None:
        troubles: list[Answer | Exception] = [
            Answer(429, json={"message": "storage is (re)initializing"}),
            Answer(503, text="starting"),
            ConnectionResetError("reset"),
        ]
        api.answers = lambda _m, path: troubles.pop() if troubles and path.endswith("/w") else None
        await cluster.create(widget())
        assert await cluster.get("test.example/v1", "Widget", "w", "ns")
        assert troubles == []

    run(scenario, patience=5)


def test_a_create_whose_answer_was_lost_is_not_sent_twice() -> None:
    async def scenario(api: MemoryApi, cluster: Cluster) -> None:
        api.answers = lambda method, _p: ConnectionResetError("reset") if method == "POST" else None
        with pytest.raises(InfrastructureError):
            await cluster.create(widget())
        assert api.count("POST") == 1

    run(scenario, patience=5)


def test_a_create_of_a_kind_that_admission_does_not_know_yet_is_sent_again() -> None:
    async def scenario(api: MemoryApi, cluster: Cluster) -> None:
        delay = "There can be a delay between when CustomResourceDefinitions are created and when they are available."
        body = {"kind": "Status", "reason": "ServiceUnavailable", "message": f"Resource kind Widget not found. {delay}"}
        refusals = [Answer(503, json=body)]
        api.answers = lambda method, _p: refusals.pop() if refusals and method == "POST" else None
        await cluster.create(widget())
        assert api.count("POST") == 2

    run(scenario, patience=5)


def test_an_apply_whose_answer_was_lost_is_sent_again_and_merged() -> None:
    async def scenario(api: MemoryApi, cluster: Cluster) -> None:
        def lose(method: str, _path: str) -> ConnectionResetError | None:
            if method == "POST" and api.count("POST") == 1:
                api.put(widget(spec={"a": 1}))
                return ConnectionResetError("reset")
            return None

        api.answers = lose
        found, _ = await cluster.apply(widget(spec={"a": 1}))
        assert found["spec"] == {"a": 1}

    run(scenario, patience=5)


def test_an_api_server_that_stays_away_is_an_infrastructure_error() -> None:
    async def scenario(api: MemoryApi, cluster: Cluster) -> None:
        api.answers = lambda _m, _p: ConnectionRefusedError("refused")
        with pytest.raises(InfrastructureError, match=r"http://memory: the API server does not answer GET .*refused"):
            await cluster.get("v1", "Pod", "p", "ns")

    run(scenario)


def test_a_refusal_is_not_sent_again() -> None:
    async def scenario(api: MemoryApi, cluster: Cluster) -> None:
        body = {"kind": "Status", "reason": "Invalid", "message": "spec.x: bad"}
        api.answers = lambda method, _p: Answer(422, json=body) if method == "POST" else None
        with pytest.raises(ApiError, match=r"spec.x: bad \(Invalid, POST"):
            await cluster.create(widget())
        assert api.count("POST") == 1

    run(scenario)


def test_an_object_made_anew_under_the_same_name_counts_as_gone() -> None:
    async def scenario(api: MemoryApi, cluster: Cluster) -> None:
        old = await cluster.create(widget())

        def replace() -> None:
            api.remove("Widget", "w")
            api.put(widget())

        task = asyncio.create_task(later(api, replace))
        await cluster.wait_gone(REF, timeout=5, known=old)
        await task

    run(scenario)


def test_a_stuck_finalizer_is_named() -> None:
    async def scenario(_api: MemoryApi, cluster: Cluster) -> None:
        made = widget()
        made["metadata"]["finalizers"] = ["test.example/hold"]
        await cluster.create(made)
        known = await cluster.delete(REF)
        with pytest.raises(WaitTimeoutError, match=r"still there .* finalizers: test.example/hold"):
            await cluster.wait_gone(REF, timeout=0.01, known=known)

    run(scenario)


def test_a_namespace_lives_as_long_as_its_context_and_carries_its_marks() -> None:
    async def scenario(api: MemoryApi, cluster: Cluster) -> None:
        async with namespace(cluster, "check", run_id="r1", fault="late") as name:
            metadata = api.find("Namespace", name)["metadata"]  # type: ignore[index]
            assert name.startswith("check-")
            assert metadata["labels"] == {"proving.ground/run-id": "r1", "proving.ground/faulty": "true"}
            assert metadata["annotations"] == {"proving.ground/fault": "late"}
        assert api.find("Namespace", name) is None

    run(scenario)


def test_a_namespace_that_stays_is_an_error_that_says_what_holds_it() -> None:
    async def scenario(api: MemoryApi, cluster: Cluster) -> None:
        api.keep_namespaces = True
        condition = {"type": "NamespaceFinalizersRemaining", "status": "True", "message": "widgets has 1 resource"}
        api.set_status("Namespace", "ns", {"conditions": [condition]})
        with pytest.raises(WaitTimeoutError, match=r"namespace ns is still there .* widgets has 1 resource"):
            await remove_namespace(cluster, "ns", timeout=0.01)

    run(scenario)


def test_nothing_is_sent_after_the_end() -> None:
    async def scenario(api: MemoryApi, _cluster: Cluster) -> None:
        async with api.cluster() as other:
            pass
        with pytest.raises(InfrastructureError, match="closed"):
            await other.get("v1", "Pod", "p", "ns")

    run(scenario)


@pytest.mark.parametrize("text", [None, "", "{", "\x00\xff", "apiVersion: v1\nkind: Config\n", "- a\n- b\n"])
def test_a_kubeconfig_that_cannot_be_used_is_a_configuration_error(tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "kubeconfig"
    if text is not None:
        path.write_text(text)

    async def scenario() -> None:
        async with Cluster.connect(path):
            pass

    with pytest.raises(ConfigurationError, match="kubeconfig"):
        asyncio.run(scenario())


def test_apply_into_a_namespace_that_is_not_there_is_refused() -> None:
    async def scenario(_api: MemoryApi, cluster: Cluster) -> None:
        with pytest.raises(NotFoundError, match="nowhere"):
            await cluster.apply(
                {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}, namespace="nowhere"
            )

    run(scenario)


def test_a_watch_that_lags_does_not_decide_that_time_is_over() -> None:
    async def scenario(api: MemoryApi, cluster: Cluster) -> None:
        await cluster.create(widget())
        async with cluster.follow(Target.of(REF)):
            silent = api._tell
            api._tell = lambda *_: None  # type: ignore[method-assign]
            api.set_status("Widget", "w", {"status": "Running"})
            await cluster.wait_for(REF, lambda o: bool(o and "status" in o), timeout=5)
            api.set_status("Widget", "w", {"status": "Done"})
            found = await cluster.wait_for(REF, lambda o: bool(o and o["status"]["status"] == "Done"), timeout=0.01)
            api._tell = silent  # type: ignore[method-assign]
        assert found is not None

    run(scenario)
