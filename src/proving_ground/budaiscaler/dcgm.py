"""What a DCGM exporter tells about the GPUs behind a workload."""

from __future__ import annotations

from proving_ground.budaiscaler.gpu import GpuReading
from proving_ground.budaiscaler.pages import PageError, label, series

ENDPOINT_ANNOTATION = "scaler.bud.studio/dcgm-endpoint"
"""On a scaler: URL of the exporter's metrics."""

UTILISATION = "DCGM_FI_DEV_GPU_UTIL"
USED, FREE, RESERVED, TOTAL = (f"DCGM_FI_DEV_FB_{part}" for part in ("USED", "FREE", "RESERVED", "TOTAL"))


def default_endpoint(namespace: str) -> str:
    """Return where the exporter of a namespace is expected."""
    return f"http://mock-dcgm-exporter.{namespace}.svc.cluster.local:9400/metrics"


def read_gpus(page: str) -> GpuReading:
    """Return the mean use of the GPUs of a page.

    A stock exporter does not tell the memory's total: it is then what is used, free and reserved together.

    Raises:
        PageError: It tells of no GPU, or a figure is missing or cannot be true.
    """
    utilisation = _by_gpu(page, UTILISATION)
    if not utilisation:
        raise PageError(f"{UTILISATION} is not on the page")
    used, free, reserved, total = (_by_gpu(page, name) for name in (USED, FREE, RESERVED, TOTAL))
    shares = []
    for gpu, (compute, _) in utilisation.items():
        if not 0 <= compute <= 100:  # noqa: PLR2004 - percent
            raise PageError(f"{UTILISATION} of GPU {gpu} is {compute:g}, outside 0 to 100")
        if gpu not in used or not (gpu in total or gpu in free):
            raise PageError(f"{USED}, or {TOTAL} or {FREE}, is missing for GPU {gpu}")
        rest = free.get(gpu, (0.0, ""))[0] + reserved.get(gpu, (0.0, ""))[0]
        whole = total[gpu][0] if gpu in total else used[gpu][0] + rest
        if not 0 <= used[gpu][0] <= whole or whole <= 0:
            raise PageError(f"GPU {gpu} uses {used[gpu][0]:g} of {whole:g} MiB, which cannot be")
        shares.append((100.0 * used[gpu][0] / whole, compute))
    models = sorted({model for _, model in utilisation.values()})
    return GpuReading(
        memory=sum(memory for memory, _ in shares) / len(shares),
        compute=sum(compute for _, compute in shares) / len(shares),
        count=len(shares),
        model=", ".join(models),
    )


def _by_gpu(page: str, metric: str) -> dict[str, tuple[float, str]]:
    return {
        label(labels, "UUID") or label(labels, "gpu"): (value, label(labels, "modelName"))
        for labels, value in series(page, metric)
    }
