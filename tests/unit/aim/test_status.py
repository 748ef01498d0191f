from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from proving_ground.aim import eai, silogen
from proving_ground.aim.catalogue import Entry
from proving_ground.aim.observation import Observation, Routing, Workload
from proving_ground.aim.situations import Situation
from proving_ground.aim.status import derive_status, render

IMAGE = "ghcr.io/silogen/aim-qwen-qwen3-8b:1.0"
READY = Workload(created=True, wanted=1, ready=1, started=1)
LOADING = Workload(created=True, wanted=1, started=1)
NOW, EARLIER = "2026-01-02T00:00:00Z", "2026-01-01T00:00:00Z"


def seen(**changes: Any) -> Observation:
    entry = changes.pop("entry", Entry(image=IMAGE).completed())
    base = Observation(name="model", namespace="check-1", generation=3, reference=IMAGE, entry=entry)
    return dataclasses.replace(base, **changes)


SITUATIONS = {
    "reconcile error": (
        seen(reconcile_error="quota"),
        ("Failed", "RuntimeFailed"),
        ("Degraded", "InfrastructureError"),
    ),
    "name too long": (seen(name="m" * 60), ("Failed", "ValidationFailed"), ("Failed", "InvalidSpec")),
    "runtime config missing": (
        seen(runtime_config="fast", runtime_config_found=False),
        ("Degraded", "RuntimeConfigMissing"),
        ("Degraded", "ReferenceNotFound"),
    ),
    "unknown image": (seen(entry=None), ("Degraded", "ImageNotFound"), ("Degraded", "ModelNotFound")),
    "unknown model": (seen(entry=None, by_image=False), ("Degraded", "ModelNotFound"), ("Degraded", "ModelNotFound")),
    "path template invalid": (
        seen(routing=Routing(enabled=True, path_error="pathTemplate: unbalanced"), workload=READY),
        ("Degraded", "PathTemplateInvalid"),
        ("Failed", "PathTemplateInvalid"),
    ),
    "template missing": (
        seen(template_problem="gone"),
        ("Failed", "TemplateNotFound"),
        ("Degraded", "TemplateNotFound"),
    ),
    "unoptimized": (seen(unoptimized_refused=True), ("Failed", "TemplateNotFound"), ("Failed", "TemplateNotFound")),
    "cache failed": (
        seen(cache_requested=True, token_problem="401"),
        ("Failed", "CacheFailed"),
        ("Failed", "AuthError"),
    ),
    "pull refused": (
        seen(pull_problem="unauthorized", workload=READY),
        ("Degraded", "ImagePullAuthFailure"),
        ("Failed", "AuthError"),
    ),
    "pull error": (
        seen(workload=dataclasses.replace(LOADING, pull_error="ErrImagePull: no route")),
        ("Degraded", "ImagePullBackOff"),
        ("Degraded", "InfrastructureError"),
    ),
    "nothing created": (seen(), ("Starting", "CreatingRuntime"), ("Starting", "Progressing")),
    "unschedulable": (
        seen(workload=Workload(created=True, unschedulable="0/3 nodes: Insufficient amd.com/gpu")),
        ("Starting", "CreatingRuntime"),
        ("Starting", "Progressing"),
    ),
    "loading": (seen(workload=LOADING), ("Starting", "CreatingRuntime"), ("Starting", "Progressing")),
    "crash": (
        seen(workload=dataclasses.replace(LOADING, crash="exit code 1")),
        ("Degraded", "RuntimeFailed"),
        ("Degraded", "ComponentsNotReady"),
    ),
    "token missing, not started": (
        seen(token_problem="401", workload=Workload(created=True)),
        ("Starting", "CreatingRuntime"),
        ("Starting", "Progressing"),
    ),
    "token missing, started": (
        seen(token_problem="401", workload=LOADING),
        ("Degraded", "RuntimeFailed"),
        ("Degraded", "ComponentsNotReady"),
    ),
    "one of two ready": (
        seen(workload=Workload(created=True, wanted=2, ready=1, started=2)),
        ("Starting", "CreatingRuntime"),
        ("Starting", "Progressing"),
    ),
    "gateway missing": (
        seen(workload=READY, routing=Routing(enabled=True, path="/a")),
        ("Failed", "RouteFailed"),
        ("Failed", "GatewayNotConfigured"),
    ),
    "routed": (
        seen(workload=READY, routing=Routing(enabled=True, has_gateway=True, path="/a")),
        ("Running", "RuntimeReady"),
        ("Running", "AllComponentsReady"),
    ),
    "running": (seen(workload=READY), ("Running", "RuntimeReady"), ("Running", "AllComponentsReady")),
}


@pytest.mark.parametrize("name", SITUATIONS)
def test_each_situation_has_its_status_and_reason_in_kaiwos_group(name: str) -> None:
    observation, expected, _ = SITUATIONS[name]
    status = derive_status(silogen.GROUP, observation)
    assert (status.status, status.reason) == expected
    ready = next(c for c in status.conditions if c.type == "Ready")
    assert (ready.status == "True") == (status.status == "Running")
    failure = next(c for c in status.conditions if c.type == "Failure")
    assert (failure.status == "True") == (status.status in {"Failed", "Degraded"})


@pytest.mark.parametrize("name", SITUATIONS)
def test_each_situation_has_its_status_and_reason_in_the_successor_group(name: str) -> None:
    observation, _, expected = SITUATIONS[name]
    status = derive_status(eai.GROUP, observation)
    assert (status.status, status.reason) == expected
    types = [c.type for c in status.conditions]
    assert "RuntimeReady" not in types
    assert len(types) == len(set(types))


@pytest.mark.parametrize("group", [silogen.GROUP, eai.GROUP])
def test_every_situation_has_an_outcome(group: str) -> None:
    outcomes = {silogen.GROUP: silogen, eai.GROUP: eai}[group].OUTCOMES
    assert set(outcomes) == set(Situation)


def test_running_says_everything_that_others_wait_for() -> None:
    found = {
        c.type: (c.status, c.reason, c.message) for c in derive_status(silogen.GROUP, seen(workload=READY)).conditions
    }
    assert found["RuntimeReady"][:2] == ("True", "RuntimeReady")
    assert found["Progressing"][0] == "False"
    assert found["RoutingReady"] == ("True", "RouteReady", "Routing disabled")


def test_an_unoptimized_template_without_permission_is_told_as_a_filtered_candidate() -> None:
    fields = derive_status(silogen.GROUP, seen(unoptimized_refused=True)).fields
    (candidate,) = fields["templateMatching"]["candidates"]
    assert (candidate["status"], candidate["reason"]) == ("rejected", "UnoptimizedTemplateFiltered")
    assert fields["resolvedTemplate"] is None


def test_the_chosen_template_is_told_with_its_profile() -> None:
    entry = Entry(image=IMAGE, optimized=False, gpus=4).completed()
    fields = derive_status(silogen.GROUP, seen(entry=entry, workload=READY)).fields
    assert fields["resolvedTemplate"]["profile"] == {"metadata": {"gpuCount": 4, "type": "unoptimized"}}
    assert fields["templateMatching"]["candidates"][0]["reason"] == "BestMatch"


@pytest.mark.parametrize(
    ("fault", "observation", "status"),
    [
        ("never-ready", seen(workload=READY), "Starting"),
        ("running-before-ready", seen(workload=LOADING), "Running"),
        ("failed-after-starting", seen(workload=READY), "Starting"),
        ("failed-after-starting", seen(workload=READY, starting_for=1.0), "Failed"),
        ("degraded-late", seen(workload=READY, starting_for=1.0), "Starting"),
        ("degraded-late", seen(workload=READY, starting_for=2.0), "Degraded"),
        ("running-while-crashing", seen(workload=dataclasses.replace(LOADING, crash="exit code 1")), "Running"),
        ("crash-unnoticed", seen(workload=dataclasses.replace(LOADING, crash="exit code 1")), "Starting"),
        ("never-ready", seen(unoptimized_refused=True), "Failed"),
        ("wrong-model", seen(workload=READY), "Running"),
    ],
)
def test_a_fault_misreports_what_follows_from_the_workload(fault: str, observation: Observation, status: str) -> None:
    changed = dataclasses.replace(observation, faults=frozenset({fault}))
    assert derive_status(silogen.GROUP, changed).status == status


def test_running_without_runtime_ready_lacks_just_that_condition() -> None:
    faulty = seen(workload=READY, faults=frozenset({"running-without-runtime-ready"}))
    status = derive_status(silogen.GROUP, faulty)
    whole = derive_status(silogen.GROUP, seen(workload=READY))
    assert status.status == "Running"
    assert [c for c in whole.conditions if c not in status.conditions] == [
        c for c in whole.conditions if c.type == "RuntimeReady"
    ]


class TestRendering:
    def test_the_first_status_is_written_whole(self) -> None:
        body = render(derive_status(silogen.GROUP, seen(workload=READY)), generation=3, before=None, now=NOW)
        assert body is not None
        assert body["observedGeneration"] == 3
        assert {c["lastTransitionTime"] for c in body["conditions"]} == {NOW}

    def test_nothing_is_written_when_nothing_changed(self) -> None:
        status = derive_status(silogen.GROUP, seen(workload=READY))
        body = render(status, generation=3, before=None, now=EARLIER)
        assert body is not None
        stored = {key: value for key, value in body.items() if value is not None}
        assert render(status, generation=3, before=stored, now=NOW) is None

    def test_a_condition_keeps_its_time_until_its_status_changes(self) -> None:
        before = render(derive_status(silogen.GROUP, seen(workload=LOADING)), generation=3, before=None, now=EARLIER)
        after = render(derive_status(silogen.GROUP, seen(workload=READY)), generation=3, before=before, now=NOW)
        assert after is not None
        times = {c["type"]: c["lastTransitionTime"] for c in after["conditions"]}
        assert times["Resolved"] == EARLIER
        assert times["RuntimeReady"] == times["Ready"] == NOW

    def test_a_field_that_must_go_is_removed(self) -> None:
        before = render(derive_status(silogen.GROUP, seen(workload=READY)), generation=3, before=None, now=EARLIER)
        after = render(derive_status(silogen.GROUP, seen(entry=None)), generation=4, before=before, now=NOW)
        assert after is not None
        assert after["resolvedTemplate"] is None
        assert after["observedGeneration"] == 4
