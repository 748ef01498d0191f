from __future__ import annotations

from typing import Any

import pytest
import yaml
from ansible_collections.proving.ground.plugins.module_utils.kubernetes_api import credentials
from ansible_collections.proving.ground.plugins.modules import simulated_nodes as nodes

PROFILES: dict[str, Any] = {"h100": {"capacity": {"cpu": 8, "pods": 110, "nvidia.com/gpu": 8}, "labels": {"a": True}}}


def test_nodes_are_named_by_profile_and_number() -> None:
    assert list(nodes.wanted_nodes(PROFILES, {"h100": 2})) == ["h100-000", "h100-001"]


def test_values_become_text_as_kubernetes_wants_them() -> None:
    node = nodes.node("h100-000", "h100", PROFILES["h100"])
    assert node["status"]["capacity"]["nvidia.com/gpu"] == "8"
    assert node["metadata"]["labels"]["a"] == "true"


def test_allocatable_is_capacity_with_what_is_said() -> None:
    node = nodes.node("n", "p", {"capacity": {"cpu": 8, "pods": 9}, "allocatable": {"cpu": 7}})
    assert node["status"]["allocatable"] == {"cpu": "7", "pods": "9"}


def test_the_digest_changes_with_the_profile() -> None:
    one = nodes.node("n", "p", {"capacity": {"cpu": 8}})
    other = nodes.node("n", "p", {"capacity": {"cpu": 9}})
    assert one["metadata"]["annotations"] != other["metadata"]["annotations"]


def test_gpus_of_all_vendors_are_counted() -> None:
    profiles = PROFILES | {"mi300x": {"capacity": {"amd.com/gpu": 8}}, "cpu": {"capacity": {"cpu": 1}}}
    assert nodes.gpus(nodes.wanted_nodes(profiles, {"h100": 1, "mi300x": 2, "cpu": 1})) == 24


def test_an_unknown_profile_is_refused_by_name() -> None:
    with pytest.raises(nodes.NodesError, match="no profile 'h1000'; known: h100"):
        nodes.wanted_nodes(PROFILES, {"h1000": 1})


@pytest.mark.parametrize("count", [-1, "many", None, 5001, [], ""])
def test_a_count_that_is_none_is_refused(count: object) -> None:
    with pytest.raises(nodes.NodesError, match="count of profile 'h100'"):
        nodes.wanted_nodes(PROFILES, {"h100": count})


def test_a_profile_without_capacity_is_refused() -> None:
    with pytest.raises(nodes.NodesError, match="no capacity"):
        nodes.wanted_nodes({"x": {}}, {"x": 1})


@pytest.mark.parametrize("name", ["../x", "UPPER", "a\nb", "x" * 300])
def test_a_hostile_profile_name_is_refused(name: str) -> None:
    with pytest.raises(nodes.NodesError, match="profile name"):
        nodes.wanted_nodes({name: PROFILES["h100"]}, {name: 1})


def test_a_node_with_the_not_ready_taint_is_not_ready() -> None:
    found: dict[str, Any] = {"status": {"conditions": [{"type": "Ready", "status": "True"}]}, "spec": {}}
    assert nodes.is_ready(found)
    found["spec"]["taints"] = [{"key": "node.kubernetes.io/not-ready"}]
    assert not nodes.is_ready(found)


@pytest.mark.parametrize("text", ["", "{}", "[]", "current-context: x", "{current-context: x, contexts: []}"])
def test_a_kubeconfig_without_certificates_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="kubeconfig"):
        credentials(yaml.safe_load(text))
