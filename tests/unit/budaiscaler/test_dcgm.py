from __future__ import annotations

import pytest

from proving_ground.budaiscaler.dcgm import default_endpoint, read_gpus
from proving_ground.budaiscaler.pages import PageError


def page(*gpus: dict[str, float], model: str = "NVIDIA A100") -> str:
    lines = []
    for index, values in enumerate(gpus):
        labels = f'{{gpu="{index}",UUID="GPU-{index}",modelName="{model}"}}'
        lines += [f"DCGM_FI_DEV_{name}{labels} {value}" for name, value in values.items()]
    return "\n".join(lines) + "\n"


def test_the_use_is_the_mean_over_the_gpus() -> None:
    found = read_gpus(
        page(
            {"GPU_UTIL": 90, "FB_USED": 20000, "FB_TOTAL": 40000},
            {"GPU_UTIL": 30, "FB_USED": 10000, "FB_TOTAL": 40000},
        )
    )
    assert (found.compute, found.memory, found.count, found.model) == (60.0, 37.5, 2, "NVIDIA A100")


def test_a_stock_exporter_tells_no_total_and_it_is_added_up() -> None:
    assert read_gpus(page({"GPU_UTIL": 0, "FB_USED": 30, "FB_FREE": 60, "FB_RESERVED": 10})).memory == 30.0


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("", "empty"),
        ("other 1\n", "DCGM_FI_DEV_GPU_UTIL is not on the page"),
        (page({"GPU_UTIL": 101, "FB_USED": 1, "FB_TOTAL": 2}), "outside 0 to 100"),
        (page({"GPU_UTIL": 1, "FB_USED": 1}), "is missing for GPU GPU-0"),
        (page({"GPU_UTIL": 1, "FB_TOTAL": 1}), "is missing for GPU GPU-0"),
        (page({"GPU_UTIL": 1, "FB_USED": 3, "FB_TOTAL": 2}), "which cannot be"),
        (page({"GPU_UTIL": 1, "FB_USED": 0, "FB_TOTAL": 0}), "which cannot be"),
        (page({"GPU_UTIL": float("nan"), "FB_USED": 0, "FB_TOTAL": 1}), "is nan"),
    ],
)
def test_figures_that_cannot_be_true_are_refused(text: str, cause: str) -> None:
    with pytest.raises(PageError, match=cause):
        read_gpus(text)


def test_the_exporter_is_looked_for_in_the_scalers_namespace() -> None:
    assert default_endpoint("n") == "http://mock-dcgm-exporter.n.svc.cluster.local:9400/metrics"
