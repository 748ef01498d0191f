from __future__ import annotations

import pytest

from proving_ground.mocks import MOCKS, MockError

from .asking import HandClock, ask, make
from .text_format import faults, samples, value

DEFAULT_SET = {
    *(f"DCGM_FI_DEV_{name}" for name in (
        "SM_CLOCK", "MEM_CLOCK", "MEMORY_TEMP", "GPU_TEMP", "POWER_USAGE", "TOTAL_ENERGY_CONSUMPTION",
        "PCIE_REPLAY_COUNTER", "GPU_UTIL", "MEM_COPY_UTIL", "ENC_UTIL", "DEC_UTIL", "XID_ERRORS", "FB_FREE", "FB_USED",
        "FB_RESERVED", "NVLINK_BANDWIDTH_TOTAL", "VGPU_LICENSE_STATUS", "UNCORRECTABLE_REMAPPED_ROWS",
        "CORRECTABLE_REMAPPED_ROWS", "ROW_REMAP_FAILURE",
    )),
    *(f"DCGM_FI_PROF_{name}" for name in (
        "GR_ENGINE_ACTIVE", "PIPE_TENSOR_ACTIVE", "DRAM_ACTIVE", "PCIE_TX_BYTES", "PCIE_RX_BYTES",
    )),
}  # fmt: skip
TOTAL = "DCGM_FI_DEV_FB_TOTAL"


def test_a_stock_exporter_has_the_default_set_without_the_total() -> None:
    mock = make("dcgm-exporter", EMIT_FB_TOTAL="false")
    assert set(samples(ask(mock, "/metrics").text)) == DEFAULT_SET == set(mock.values())


def test_the_total_is_there_unless_it_is_switched_off() -> None:
    page = samples(ask(make("dcgm-exporter"), "/metrics").text)
    assert set(page) == {*DEFAULT_SET, TOTAL}


def test_labels_have_the_exporters_order() -> None:
    page = ask(make("dcgm-exporter", LABEL_POD="p", LABEL_NAMESPACE="n", LABEL_CONTAINER="c"), "/metrics").text
    [[labels, _]] = samples(page)["DCGM_FI_DEV_GPU_UTIL"]
    assert list(labels.items()) == [
        ("gpu", "0"),
        ("UUID", "GPU-abc123"),
        ("pci_bus_id", "00000000:01:00.0"),
        ("device", "nvidia0"),
        ("modelName", "NVIDIA A100"),
        ("hostname", "gpu-node"),
        ("container", "c"),
        ("namespace", "n"),
        ("pod", "p"),
    ]


def test_labels_of_a_pod_are_there_only_where_they_are_given_and_the_host_can_have_a_capital() -> None:
    page = ask(make("dcgm-exporter", HOSTNAME_LABEL="Hostname", NODE_NAME="n1"), "/metrics").text
    [[labels, _]] = samples(page)["DCGM_FI_DEV_FB_USED"]
    assert list(labels)[-1] == "Hostname"
    assert labels["Hostname"] == "n1"


def test_hostile_names_are_escaped() -> None:
    hostile = 'A"\\\n{x="1"} 7'
    page = ask(make("dcgm-exporter", GPU_MODEL=hostile), "/metrics").text
    assert faults(page, foreign=("DCGM_FI_",)) == []
    assert samples(page)["DCGM_FI_DEV_FB_USED"][0][0]["modelName"] == hostile


def test_free_used_and_reserved_add_up_to_the_total() -> None:
    page = ask(make("dcgm-exporter", FB_TOTAL="80000", FB_RESERVED="600", INITIAL_FB_USED="30000"), "/metrics").text
    parts = [value(page, f"DCGM_FI_DEV_FB_{part}") for part in ("FREE", "USED", "RESERVED", "TOTAL")]
    assert parts == [49400, 30000, 600, 80000]


def test_every_gpu_has_its_own_series_and_can_be_set_alone() -> None:
    mock = make("dcgm-exporter", GPU_COUNT="3", GPU_UUID="GPU-x")
    ask(mock, "/set?gpu_util=90&gpu=1")
    series = samples(ask(mock, "/metrics").text)["DCGM_FI_DEV_GPU_UTIL"]
    assert [(labels["gpu"], labels["UUID"], number) for labels, number in series] == [
        ("0", "GPU-x-0", 50.0),
        ("1", "GPU-x-1", 90.0),
        ("2", "GPU-x-2", 50.0),
    ]
    assert mock.values()["DCGM_FI_DEV_GPU_UTIL"] == pytest.approx(190 / 3)


def test_all_gpus_are_set_where_none_is_named() -> None:
    mock = make("dcgm-exporter", GPU_COUNT="64")
    ask(mock, "/set?fb_used=1000")
    page = ask(mock, "/metrics").text
    assert {number for _, number in samples(page)["DCGM_FI_DEV_FB_USED"]} == {1000.0}
    assert faults(page, foreign=("DCGM_FI_",)) == []


def test_other_counters_follow_the_utilisation() -> None:
    mock = make("dcgm-exporter")
    idle, busy = [], []
    for found, util in ((idle, "0"), (busy, "100")):
        ask(mock, f"/set?gpu_util={util}")
        page = ask(mock, "/metrics").text
        found += [value(page, f"DCGM_FI_DEV_{name}") for name in ("SM_CLOCK", "POWER_USAGE", "GPU_TEMP")]
        found.append(value(page, "DCGM_FI_PROF_GR_ENGINE_ACTIVE"))
    assert idle == [210, 55, 30, 0]
    assert busy == [1410, 400, 75, 1]


def test_energy_is_power_over_time_and_never_falls() -> None:
    clock = HandClock(1000.0)
    mock = make("dcgm-exporter", clock, INITIAL_GPU_UTIL="0")
    energy = "DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION"
    clock.now = 1010.0
    assert value(ask(mock, "/metrics").text, energy) == 550_000
    ask(mock, "/set?gpu_util=100")
    clock.now = 1011.0
    assert value(ask(mock, "/metrics").text, energy) == 950_000
    clock.now = 900.0
    assert value(ask(mock, "/metrics").text, energy) == 950_000


@pytest.mark.parametrize(
    "query",
    [
        "gpu_util=101", "gpu_util=NaN", "gpu_util=", "fb_used=-1", "fb_used=40001", "fb_used=inf", "gpu=1&gpu_util=5",
        "gpu=-1&gpu_util=5", "gpu=0", "gpu_util=5&gpu_util=5", "fb_total=1", "gpu_util=5&fb_used=x",
    ],
)  # fmt: skip
def test_a_wrong_change_is_refused_and_changes_nothing(query: str) -> None:
    mock = make("dcgm-exporter")
    assert ask(mock, f"/set?{query}").status == 400
    assert mock.seen(0) == (50, 20000)


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("GPU_COUNT", "0"), ("GPU_COUNT", "65"), ("GPU_MODEL", ""), ("GPU_MODEL", "x" * 300),
        ("INITIAL_GPU_UTIL", "-1"),
        ("INITIAL_FB_USED", "40001"), ("FB_TOTAL", "0"), ("EMIT_FB_TOTAL", "yes"), ("HOSTNAME_LABEL", "host"),
    ],
)  # fmt: skip
def test_a_wrong_environment_is_refused_by_the_variables_name(variable: str, text: str) -> None:
    with pytest.raises(MockError, match=f"variable {variable}: "):
        MOCKS["dcgm-exporter"]({variable: text})


def test_a_small_gpu_is_full_at_first() -> None:
    assert make("dcgm-exporter", FB_TOTAL="8000").seen(0) == (50, 8000)
