"""Nodes, system pods, and what the cluster has."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pytest

from proving_ground.hosts import cluster_judging as judging

if TYPE_CHECKING:
    from collections.abc import Sequence

    from conftest import Seen

    from proving_ground.hosts.machine import Machine

pytestmark = [pytest.mark.pre_merge, pytest.mark.smoke]


def _refuse(wrong: Sequence[str]) -> None:
    if wrong:
        more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
        pytest.fail("\n".join([f"{wrong[0]}{more}", *wrong[1:]]), pytrace=False)


async def test_nodes_are_ready_and_without_pressure(seen: Seen) -> None:
    """Each host of the cluster is a node, ready, short of nothing, and takes pods."""
    nodes = await seen.nodes()
    seen.check.metric("nodes", len(nodes))
    _refuse(judging.nodes(nodes, seen.members))


async def test_system_pods_are_healthy(seen: Seen) -> None:
    """Every pod of kube-system is ready, and was seldom restarted."""
    _refuse(judging.system_pods(await seen.system_pods(), seen.control_plane.system_pod_restarts))


@pytest.mark.needs_gpu
@pytest.mark.needs_gpu_hosts
async def test_gpus_are_those_of_the_hosts(seen: Seen) -> None:
    """Each node can allocate the GPUs that are declared of its host, no more and no fewer."""
    assert any(declared.gpu for declared in seen.declared.values()), "no host declares GPUs (declare gpu of GPU hosts)"
    _refuse(judging.gpus(await seen.nodes(), seen.declared))


async def test_every_part_of_the_api_server_is_ready(seen: Seen) -> None:
    """The API server says of each of its parts that it is ready."""
    _refuse(judging.ready_parts(await seen.ready()))


async def test_the_api_servers_certificate_is_not_near_expiry(seen: Seen) -> None:
    """The certificate that the API server shows is valid for as many days still as is declared."""
    certificate = await seen.certificate()
    now = dt.datetime.now(dt.UTC)
    seen.check.metric("certificate_days", certificate.days(now))
    _refuse(judging.server_certificate(certificate, seen.control_plane.certificate_days, now))


@pytest.mark.needs_ssh
async def test_etcd_is_healthy(seen: Seen, control_planes: Sequence[Machine]) -> None:
    """Etcd says on each host of the control plane that it is healthy: it answers a read that needs its quorum."""
    _refuse(
        [line for host in control_planes for line in judging.etcd_health(host.name, await seen.etcd(host, "health"))]
    )


@pytest.mark.needs_ssh
async def test_etcd_syncs_quickly(seen: Seen, control_planes: Sequence[Machine]) -> None:
    """Of the syncs of etcd's log 99 in 100 are as quick as is declared, on each host of the control plane."""
    wrong: list[str] = []
    for host in control_planes:
        text = await seen.etcd(host, "metrics")
        found = judging.etcd_syncs(host.name, text, seen.declared[host.name].control_plane.etcd_fsync_p99_seconds)
        if not found:
            seen.check.metric(f"{host.name}_fsync_p99_seconds", judging.fsync_quantile(text))
        wrong += found
    _refuse(wrong)


async def test_storage_classes_are_as_declared(seen: Seen) -> None:
    """The storage classes that are declared exist, and at most one is the default: the one that is declared."""
    _refuse(judging.storage_classes(await seen.storage_classes(), seen.control_plane))
