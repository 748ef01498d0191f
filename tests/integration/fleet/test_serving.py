"""Pods and Services answer on their own addresses, and only while they should."""

from __future__ import annotations

import asyncio
import dataclasses
import socket
from typing import TYPE_CHECKING

import httpx
import pytest

from proving_ground.fleet.source import NamespaceChange, PodChange, ServiceChange
from proving_ground.fleet.views import ServicePort, ServiceView

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import Any

    Stage = Any
    Play = Callable[..., None]


def test_each_pod_answers_as_itself(play: Play) -> None:
    async def scenario(s: Stage) -> None:
        s.pod("a", model="org/a")
        s.pod("b", model="org/b")
        await s.ready("a", "b")
        for name in ("a", "b"):
            answer = await s.client.get(f"{s.address(name)}/v1/models")
            assert answer.json()["data"][0]["id"] == f"org/{name}"
            assert answer.headers["x-inference-pod"] == name

    play(scenario)


def test_a_loading_pod_says_503_and_is_then_healthy(play: Play) -> None:
    async def scenario(s: Stage) -> None:
        s.pod("a", load_seconds="0.2")
        await s.until(lambda: s.phases("a"))
        assert (await s.client.get(f"{s.address('a')}/health")).status_code == 503
        await s.ready("a")
        assert (await s.client.get(f"{s.address('a')}/health")).status_code == 200

    play(scenario)


def test_a_ready_pod_costs_one_write(play: Play) -> None:
    async def scenario(s: Stage) -> None:
        s.pod("a")
        await s.ready("a")
        await s.until(lambda: s.source.statuses)
        assert s.phases("a") == ["Running"]

    play(scenario)


def test_a_deleted_pod_refuses_and_is_removed(play: Play) -> None:
    async def scenario(s: Stage) -> None:
        pod = s.pod("a")
        await s.ready("a")
        url = s.address("a")
        s.change(PodChange(dataclasses.replace(pod, deleting=True)))
        await s.refuses(url)
        await s.until(lambda: s.source.removed == ["a"])

    play(scenario)


def test_an_open_connection_breaks_when_its_pod_goes(play: Play) -> None:
    async def scenario(s: Stage) -> None:
        pod = s.pod("a", token_seconds="30")
        await s.ready("a")
        body = {"prompt": "x", "max_tokens": 5}
        request = asyncio.create_task(s.client.post(f"{s.address('a')}/v1/completions", json=body))
        runner = s.fleet.pod("ns", "a")
        assert runner is not None
        await s.until(lambda: runner.requests == 1)
        s.change(PodChange(pod, gone=True))
        with pytest.raises(httpx.HTTPError):
            await request

    play(scenario)


def test_a_pod_that_is_made_again_under_its_name_is_another_one(play: Play) -> None:
    async def scenario(s: Stage) -> None:
        pod = s.pod("a", model="one")
        await s.ready("a")
        s.change(PodChange(dataclasses.replace(pod, uid="other", annotations={"sim.proving.ground/model": "two"})))
        await s.until(lambda: (r := s.fleet.pod("ns", "a")) and r.pod.uid == "other" and r.ready)
        assert (await s.client.get(f"{s.address('a')}/v1/models")).json()["data"][0]["id"] == "two"

    play(scenario)


def test_a_pod_of_an_unknown_image_is_ready_and_listens_nowhere(play: Play) -> None:
    async def scenario(s: Stage) -> None:
        s.pod("a", image="redis:8")
        await s.until(lambda: s.phases("a") == ["Running"])
        await s.refuses(s.address("a"))

    play(scenario)


def test_a_service_sends_connections_to_its_pods_in_turn(play: Play) -> None:
    async def scenario(s: Stage) -> None:
        url = s.service()
        s.pod("a")
        s.pod("b")
        await s.ready("a", "b")
        await s.until(lambda: any(s.fleet.services.listening(v) for v in s.fleet.services.services))
        seen = []
        for _ in range(4):
            async with httpx.AsyncClient(trust_env=False) as client:
                seen.append((await client.get(f"{url}/health")).headers["x-inference-pod"])
        assert sorted(seen) == ["a", "a", "b", "b"]

    play(scenario)


@pytest.mark.parametrize("target", [8000, "http"])
def test_a_target_port_is_found_by_number_and_name(play: Play, target: int | str) -> None:
    async def scenario(s: Stage) -> None:
        url = s.service(target=target)
        s.pod("a")
        await s.ready("a")
        await s.until(lambda: any(s.fleet.services.listening(v) for v in s.fleet.services.services))
        assert (await s.client.get(f"{url}/health")).status_code == 200

    play(scenario)


def test_a_service_without_a_ready_pod_refuses(play: Play) -> None:
    async def scenario(s: Stage) -> None:
        url = s.service()
        pod = s.pod("a")
        await s.ready("a")
        await s.until(lambda: any(s.fleet.services.listening(v) for v in s.fleet.services.services))
        s.change(PodChange(pod, gone=True))
        await s.refuses(url)

    play(scenario)


def test_a_service_does_not_reach_a_loading_pod(play: Play) -> None:
    async def scenario(s: Stage) -> None:
        url = s.service()
        s.pod("a", load_seconds="60")
        await s.until(lambda: s.phases("a"))
        await s.refuses(url)

    play(scenario)


def test_a_service_of_another_port_or_selector_refuses(play: Play) -> None:
    async def scenario(s: Stage) -> None:
        s.pod("a")
        await s.ready("a")
        await s.refuses(s.service(target="grpc"))
        await s.refuses(s.service(app="y"))

    play(scenario)


def test_a_service_that_goes_refuses(play: Play) -> None:
    async def scenario(s: Stage) -> None:
        url = s.service()
        s.pod("a")
        await s.until(lambda: any(s.fleet.services.listening(v) for v in s.fleet.services.services))
        view = ServiceView("ns", "svc", s.service_address, {"app": "x"}, (ServicePort(8080, "http"),))
        s.change(ServiceChange(view, gone=True))
        await s.refuses(url)

    play(scenario)


def test_a_taken_address_is_told_and_taken_when_it_is_free(play: Play) -> None:
    async def scenario(s: Stage) -> None:
        with socket.socket() as other:
            other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            other.bind((f"{s.network}.1", 8000))
            other.listen()
            s.pod("a")
            await s.until(lambda: s.source.told)
            name, reason, message = s.source.told[0]
            assert (name, reason) == ("a", "FailedListen")
            assert f"{s.network}.1:8000" in message
            assert "address in use by process" in message
        await s.ready("a")

    play(scenario)


def test_a_pod_address_outside_loopback_is_refused(play: Play) -> None:
    async def scenario(s: Stage) -> None:
        pod = s.pod("other", image="redis")
        s.change(PodChange(dataclasses.replace(s.pod("b"), name="a", uid="a", address="10.0.0.1")))
        await s.until(lambda: any(reason == "FailedListen" for _, reason, _ in s.source.told))
        assert "expected an address in 127.0.0.0/8" in s.source.told[0][2]
        assert pod.name == "other"

    play(scenario)


def test_an_image_that_cannot_be_pulled_never_runs(play: Play) -> None:
    async def scenario(s: Stage) -> None:
        s.pod("a", image_pull="fail")
        await s.until(lambda: len(s.phases("a")) == 2)
        assert s.phases("a") == ["Pending", "Pending"]
        assert s.waiting("a") == ["ErrImagePull", "ImagePullBackOff"]
        assert s.source.told[0][1] == "Failed"

    play(scenario)


def test_a_crashing_pod_restarts_and_counts(play: Play) -> None:
    async def scenario(s: Stage) -> None:
        s.pod("a", crash="after=0.01,exit=137,reason=OOMKilled")
        await s.until(lambda: s.waiting("a").count("CrashLoopBackOff") >= 2)
        crashed = [
            x["containerStatuses"][0] for _, x in s.source.statuses if "waiting" in x["containerStatuses"][0]["state"]
        ]
        assert [c["restartCount"] for c in crashed[:2]] == [0, 1]
        assert crashed[0]["lastState"]["terminated"]["exitCode"] == 137

    play(scenario)


def test_a_crash_that_comes_once_is_recovered_from(play: Play) -> None:
    async def scenario(s: Stage) -> None:
        s.pod("a", crash="after=0.01,once", load_seconds="0.02")
        await s.ready("a")
        runner = s.fleet.pod("ns", "a")
        assert runner is not None
        assert runner.restarts == 1

    play(scenario)


def test_a_completed_pod_has_succeeded(play: Play) -> None:
    async def scenario(s: Stage) -> None:
        s.pod("a", image="loader", complete="after=0.01")
        await s.until(lambda: "Succeeded" in s.phases("a"))

    play(scenario)


def test_a_fault_of_the_namespace_holds_from_the_first_instant(play: Play) -> None:
    async def scenario(s: Stage) -> None:
        s.source.faults["ns"] = frozenset({"never-ready"})
        s.pod("a")
        await s.until(lambda: s.phases("a"))
        assert (await s.client.get(f"{s.address('a')}/health")).status_code == 503
        ready = [c["status"] for c in s.source.statuses[0][1]["conditions"] if c["type"] == "Ready"]
        assert ready == ["False"]

    play(scenario)


def test_a_fault_that_is_taken_away_ends(play: Play) -> None:
    async def scenario(s: Stage) -> None:
        s.namespace("never-ready")
        s.pod("a")
        await s.until(lambda: s.phases("a"))
        s.namespace()
        await s.ready("a")

    play(scenario)


def test_a_pod_of_a_crashing_fault_dies_of_its_first_request(play: Play) -> None:
    async def scenario(s: Stage) -> None:
        s.namespace("pod-crash")
        s.pod("a")
        await s.ready("a")
        with pytest.raises(httpx.HTTPError):
            await s.client.post(f"{s.address('a')}/v1/completions", json={"prompt": "x"})
        await s.until(lambda: "CrashLoopBackOff" in s.waiting("a"))

    play(scenario)


def test_the_pods_of_a_terminating_namespace_are_removed(play: Play) -> None:
    async def scenario(s: Stage) -> None:
        s.pod("a")
        await s.ready("a")
        s.change(NamespaceChange("ns", None, terminating=True))
        await s.until(lambda: s.source.removed == ["a"])

    play(scenario)


def test_logs_are_kept_on_disk(play: Play, tmp_path: Path) -> None:
    async def scenario(s: Stage) -> None:
        s.pod("a", log_lines="one\ntwo")
        await s.ready("a")

    play(scenario, tmp_path / "logs")
    (file,) = (tmp_path / "logs").iterdir()
    assert file.name == "ns_a_uid-a_main.0.log"
    assert "one" in file.read_text()
