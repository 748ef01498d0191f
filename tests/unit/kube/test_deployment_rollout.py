"""What the module says of pods that are not ready."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.proving.ground.plugins.modules.deployment_rollout import obstacle, selector


def pod(status: dict[str, Any]) -> dict[str, Any]:
    return {"metadata": {"name": "one"}, "status": status}


@pytest.mark.parametrize(
    ("status", "told"),
    [
        (
            {
                "phase": "Pending",
                "conditions": [{"type": "PodScheduled", "status": "False", "message": "0/2 nodes have room"}],
            },
            "pod one is Pending: not scheduled: 0/2 nodes have room",
        ),
        (
            {
                "phase": "Pending",
                "containerStatuses": [
                    {"name": "c", "state": {"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}}}
                ],
            },
            "pod one is Pending: c: ImagePullBackOff no such image",
        ),
        (
            {
                "phase": "Running",
                "containerStatuses": [
                    {
                        "name": "c",
                        "state": {"waiting": {"reason": "CrashLoopBackOff"}},
                        "lastState": {"terminated": {"exitCode": 3, "reason": "Error"}},
                    }
                ],
            },
            "pod one is Running: c: CrashLoopBackOff; c: ended with 3 (Error)",
        ),
        (
            {
                "phase": "Pending",
                "initContainerStatuses": [{"name": "i", "state": {"terminated": {"exitCode": 1}}}],
                "containerStatuses": [{"name": "c", "state": {"waiting": {}}}],
            },
            "pod one is Pending: i: ended with 1 (no reason)",
        ),
        (
            {"phase": "Running", "containerStatuses": [{"name": "c", "ready": False, "state": {"running": {}}}]},
            "pod one is Running: c: runs, but its readiness probe fails",
        ),
        ({}, "pod one is Unknown: not ready"),
    ],
)
def test_what_keeps_a_pod_is_told(status: dict[str, Any], told: str) -> None:
    assert obstacle(pod(status)) == told


def test_of_a_ready_pod_nothing_is_told() -> None:
    assert obstacle(pod({"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]})) == ""


def test_every_kind_of_selector_is_one_for_kubectl() -> None:
    wanted = {
        "matchLabels": {"app": "a"},
        "matchExpressions": [
            {"key": "tier", "operator": "In", "values": ["x", "y"]},
            {"key": "zone", "operator": "NotIn", "values": ["z"]},
            {"key": "here", "operator": "Exists"},
            {"key": "gone", "operator": "DoesNotExist"},
        ],
    }
    told = selector({"spec": {"selector": wanted}})
    assert told == "app=a,tier in (x,y),zone notin (z),here,!gone"
