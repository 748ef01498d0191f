"""Programs on GPUs, in pods: these need real GPUs that Kubernetes hands out."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from proving_ground.errors import ConfigurationError
from proving_ground.gpu import collectives, judging
from proving_ground.kube import Reference

if TYPE_CHECKING:
    from collections.abc import Sequence

    from conftest import Hosts

    from proving_ground.gpu.reading import HostGpus
    from proving_ground.kube import Cluster

VECTOR_ADD_SECONDS, COLLECTIVES_SECONDS = 600.0, 1800.0
RESOURCES = {"nvidia": "nvidia.com/gpu", "amd": "amd.com/gpu"}
ENDED = ("Succeeded", "Failed")
SHARED_MEMORY = {"name": "shared-memory", "emptyDir": {"medium": "Memory"}}


def _image(host: HostGpus, name: str) -> str:
    """Return a declared image."""
    image: str = getattr(host.declared.images, name)
    if not image:
        raise ConfigurationError(
            f"gpu.images.{name} is not declared", where=host.host, hint="see docs/reference/gpus.md"
        )
    return image


def _pod(host: HostGpus, namespace: str, image: str, gpus: int, command: Sequence[str] = ()) -> dict[str, Any]:
    """Return a pod that runs once on a host with some of its GPUs."""
    main: dict[str, Any] = {
        "name": "main",
        "image": image,
        "resources": {"limits": {RESOURCES[host.declared.vendor]: str(gpus)}},
        # NCCL exchanges by shared memory; the runtime's default of 64 MiB is too little for eight GPUs.
        "volumeMounts": [{"name": SHARED_MEMORY["name"], "mountPath": "/dev/shm"}],
    }
    if command:
        main["command"] = list(command)
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": f"gpu-{host.host}", "namespace": namespace},
        "spec": {
            "restartPolicy": "Never",
            "nodeSelector": {"kubernetes.io/hostname": host.host},
            "tolerations": [{"operator": "Exists"}],
            "volumes": [SHARED_MEMORY],
            "containers": [main],
        },
    }


async def _log_of(hosts: Hosts, cluster: Cluster, pod: dict[str, Any], seconds: float) -> str:
    """Run a pod to its end and return what it printed; a pod that fails fails the check."""
    name, namespace = pod["metadata"]["name"], pod["metadata"]["namespace"]
    await cluster.create(pod)
    reference = Reference("v1", "Pod", name, namespace)
    ended = await cluster.wait_for(
        reference,
        lambda found: found is not None and found.get("status", {}).get("phase") in ENDED,
        timeout=hosts.check.settings.cut(seconds),
        what="its end",
    )
    log = await cluster.logs(name, namespace)
    hosts.check.attach(name, log)
    assert (ended or {})["status"]["phase"] == "Succeeded", log or f"{name} failed and printed nothing"
    return str(log)


@pytest.mark.nightly
@pytest.mark.integration
@pytest.mark.gpu_1
@pytest.mark.needs_kubernetes
@pytest.mark.needs_cuda
async def test_a_program_adds_vectors_on_a_gpu(hosts: Hosts, cluster: Cluster, namespace: str) -> None:
    """On each host with NVIDIA's GPUs, a pod with one of them adds two vectors and finds the sum right."""
    pods = [_pod(host, namespace, _image(host, "vector_add"), 1) for host in hosts.having("nvidia")]
    assert pods, "the platform promises cuda, and no host declares GPUs of NVIDIA"
    logs = await asyncio.gather(*(_log_of(hosts, cluster, pod, VECTOR_ADD_SECONDS) for pod in pods))
    assert [log for log in logs if "Test PASSED" not in log] == []


@pytest.mark.weekly
@pytest.mark.performance
@pytest.mark.gpu_8
@pytest.mark.needs_kubernetes
@pytest.mark.needs_cuda
async def test_an_all_reduce_reaches_its_bandwidth(hosts: Hosts, cluster: Cluster, namespace: str) -> None:
    """On each host an all-reduce over all GPUs comes to the right sums at the declared bus bandwidth."""
    chosen = [host for host in hosts.seen if host.declared.count > 1]
    assert chosen, "no host declares more than one GPU"
    pods = []
    for host in chosen:
        gpus = host.declared.count
        words = host.declared.images.collectives_command or [
            "all_reduce_perf",
            "-b",
            "8M",
            "-e",
            "16G",
            "-f",
            "2",
            "-g",
            "{count}",
        ]
        command = [word.replace("{count}", str(gpus)) for word in words]
        pods.append(_pod(host, namespace, _image(host, "collectives"), gpus, command))
    logs = await asyncio.gather(*(_log_of(hosts, cluster, pod, COLLECTIVES_SECONDS) for pod in pods))
    wrong = []
    for host, log in zip(chosen, logs, strict=True):
        measured = collectives.parse(log)
        hosts.check.metric(f"bus_bandwidth_gb_per_s_{host.host}", measured.bus)
        wrong += [f"{host.host}: {finding}" for finding in judging.collective(host.declared, measured)]
    assert not wrong, "\n".join(wrong)
