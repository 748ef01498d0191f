"""Namespaces of suites, and cleaning up in them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from proving_ground.annotations import FAULT_ANNOTATION
from proving_ground.autoscaling.cleanup import MANAGED, OWNER, clean, empty
from proving_ground.autoscaling.manifests import SUITE_LABEL
from proving_ground.autoscaling.namespaces import Wish, suite_namespace
from proving_ground.errors import ConfigurationError
from proving_ground.kube.namespaces import RUN_ID_LABEL

if TYPE_CHECKING:
    from proving_ground.kube import Cluster
    from proving_ground.kube.testing import MemoryApi

OURS = {SUITE_LABEL: "autoscaling", MANAGED: OWNER}


def serve_accounts(api: MemoryApi) -> None:
    """Give each namespace the account that its controller would make."""

    def made(_method: str, _path: str) -> None:
        for namespace in api.all("Namespace"):
            name = namespace["metadata"]["name"]
            if not any(a["metadata"]["namespace"] == name for a in api.all("ServiceAccount")):
                api.put(
                    {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default", "namespace": name}}
                )

    api.answers = made


def namespace(name: str, **metadata: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, **metadata}}


def named(api: MemoryApi, kind: str) -> list[str]:
    return sorted(obj["metadata"]["name"] for obj in api.all(kind))


def test_a_check_gets_a_fresh_namespace_that_carries_its_fault(run: Any, make_check: Any) -> None:
    async def scenario(api: MemoryApi, cluster: Cluster) -> None:
        serve_accounts(api)
        async with suite_namespace(make_check(fault="never-scales-up"), cluster) as name:
            found = api.find("Namespace", name)
            assert found is not None
            assert found["metadata"]["annotations"] == {FAULT_ANNOTATION: "never-scales-up"}
            assert found["metadata"]["labels"][RUN_ID_LABEL] == "r"
            assert OURS.items() <= found["metadata"]["labels"].items()
        assert named(api, "Namespace") == ["ns"]

    run(scenario)


def test_a_named_namespace_is_made_and_stays(run: Any, make_check: Any) -> None:
    async def scenario(api: MemoryApi, cluster: Cluster) -> None:
        serve_accounts(api)
        async with suite_namespace(make_check(parameters={"namespace": "llm-test"}), cluster, "Case_1") as name:
            assert name == "llm-test-case-1"
        assert named(api, "Namespace") == ["llm-test-case-1", "ns"]

    run(scenario)


def test_a_named_namespace_goes_where_cleanup_is_asked_for(run: Any, make_check: Any) -> None:
    async def scenario(api: MemoryApi, cluster: Cluster) -> None:
        serve_accounts(api)
        check = make_check(parameters={"namespace": "llm-test", "cleanup": True})
        async with suite_namespace(check, cluster) as name:
            assert name == "llm-test"
        assert named(api, "Namespace") == ["ns"]

    run(scenario)


def test_what_an_earlier_run_left_in_a_named_namespace_is_removed_first(run: Any, make_check: Any, make: Any) -> None:
    async def scenario(api: MemoryApi, cluster: Cluster) -> None:
        serve_accounts(api)
        api.put(make.deployment("left", labels=OURS))
        api.put(make.deployment("theirs"))
        async with suite_namespace(make_check(parameters={"namespace": "ns", "cleanup": True}), cluster):
            assert named(api, "Deployment") == ["theirs"]
            api.put(make.deployment("new", labels=OURS))
        assert named(api, "Deployment") == ["theirs"]
        assert named(api, "Namespace") == ["ns"]

    run(scenario)


def test_a_fault_is_not_shown_in_a_namespace_of_others(run: Any, make_check: Any) -> None:
    async def scenario(_api: MemoryApi, cluster: Cluster) -> None:
        with pytest.raises(ConfigurationError, match="not the suites' own"):
            async with suite_namespace(make_check(fault="x", parameters={"namespace": "ns"}), cluster):
                pass

    run(scenario)


def test_a_kept_namespace_loses_the_fault_of_an_earlier_run(run: Any, make_check: Any) -> None:
    async def scenario(api: MemoryApi, cluster: Cluster) -> None:
        serve_accounts(api)
        api.put(namespace("kept", labels=OURS, annotations={FAULT_ANNOTATION: "old"}))
        async with suite_namespace(make_check(parameters={"namespace": "kept"}), cluster):
            found = api.find("Namespace", "kept")
            assert found is not None
            assert found["metadata"]["annotations"] == {}

    run(scenario)


@pytest.mark.parametrize("name", ["Upper", "-x", "x" * 64, "a/b", "a b", "..", 7, ["x"]])
def test_what_cannot_be_a_namespace_is_refused(name: object) -> None:
    with pytest.raises(ConfigurationError, match="cannot be a namespace"):
        Wish.of({"namespace": name})


def test_cleanup_is_a_truth_value() -> None:
    with pytest.raises(ConfigurationError, match="expected true or false"):
        Wish.of({"cleanup": "maybe"})


def test_suffixes_keep_names_apart_and_within_their_length() -> None:
    wish = Wish("n" * 60)
    names = {wish.with_suffix(suffix) for suffix in ("one", "two", "x" * 500, "\ud800", "!!", "a" * 200)}
    assert len(names) == 6
    assert all(len(name) <= 63 and name.strip("-") == name for name in names)


def test_cleaning_removes_what_is_labelled_and_nothing_else(run: Any, make: Any) -> None:
    async def scenario(api: MemoryApi, cluster: Cluster) -> None:
        for name, labels in (("ours", OURS), ("theirs", {})):
            api.put(make.deployment(name, labels=labels))
            made = make.scaler(name)
            api.put({**made, "metadata": {**made["metadata"], "labels": labels}})
        assert await empty(cluster, "ns") == ["BudAIScaler ns/ours", "Deployment ns/ours"]
        assert (named(api, "Deployment"), named(api, "BudAIScaler")) == (["theirs"], ["theirs"])

    run(scenario)


def test_cleaning_takes_namespaces_that_suites_made_and_leaves_those_of_like_names(run: Any) -> None:
    async def scenario(api: MemoryApi, cluster: Cluster) -> None:
        for name, labels in (
            ("llm-test", OURS),
            ("llm-test-gpu", OURS),
            ("llm-test-mine", {}),
            ("llm-test-half", {SUITE_LABEL: "autoscaling"}),
            ("llm-testing", OURS),
        ):
            api.put(namespace(name, labels=labels))
        assert await clean(cluster, "llm-test") == ["namespace llm-test", "namespace llm-test-gpu"]
        assert named(api, "Namespace") == ["llm-test-half", "llm-test-mine", "llm-testing", "ns"]

    run(scenario)


def test_cleaning_where_nothing_is_removes_nothing(run: Any) -> None:
    async def scenario(_api: MemoryApi, cluster: Cluster) -> None:
        assert await clean(cluster, "none") == []

    run(scenario)
