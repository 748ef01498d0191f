from __future__ import annotations

import json

import pytest

from proving_ground.gpu import amd_smi
from proving_ground.gpu.document import DocumentError, Pcie

from .samples import document

STATIC, METRIC = document("amd-smi-6-static.json"), document("amd-smi-6-metric.json")


def test_documents_of_rocm_6_are_read_whole() -> None:
    found = amd_smi.parse(STATIC, METRIC)
    assert (found.vendor, found.driver, len(found.gpus)) == ("amd", "6.8.5", 2)
    second = found.gpus[1]
    assert (second.name, second.bus, second.memory_mib) == ("AMD Instinct MI300X", "0000:26:00.0", 196592)
    assert second.partition == "SPX"
    assert second.pcie == Pcie(5, 5, 5, 16, 16, 0)
    assert (second.ecc.enabled, second.ecc.uncorrectable, second.ecc.correctable) == (True, 0, 1)
    assert (second.thermal.gpu, second.thermal.memory, second.thermal.slowdown) == (39, 33, 100)
    assert (second.power.cap, second.power.cap_max, second.clocks.highest) == (750, 750, 2100)
    assert (second.clocks.reasons, second.links, second.link_errors) == (frozenset(), None, None)


def test_documents_of_rocm_7_are_read_by_their_own_names() -> None:
    (found,) = amd_smi.parse(document("amd-smi-7-static.json"), document("amd-smi-7-metric.json")).gpus
    assert (found.memory_mib, found.power.cap, found.power.cap_max) == (196608, 600, 750)
    assert (found.ecc.enabled, found.ecc.uncorrectable, found.pcie.width) == (False, 3, 8)
    assert found.clocks.reasons == {"sw_power_cap", "hw_thermal_slowdown"}
    assert (found.partition, found.link_errors, found.driver) == ("CPX", 0, "6.14.14")


def test_a_warning_before_the_json_is_passed_over() -> None:
    warning = "WARNING: User is missing the following required groups: render\n"
    assert len(amd_smi.parse(warning + STATIC, METRIC).gpus) == 2


def test_keys_in_capitals_are_read() -> None:
    metric = METRIC.replace('"gfx_0"', '"GFX_0"')
    assert amd_smi.parse(STATIC, metric).gpus[0].clocks.now == 132


def test_gpus_that_tell_only_whether_they_are_throttled_are_read() -> None:
    metric = METRIC.replace('"UNTHROTTLED"', '"THROTTLED"', 1)
    reasons = [gpu.clocks.reasons for gpu in amd_smi.parse(STATIC, metric).gpus]
    assert reasons == [{"hw_slowdown"}, frozenset()]


@pytest.mark.parametrize(
    ("static", "metric", "problem"),
    [
        ("", METRIC, "found nothing"),
        (STATIC, "", "found nothing"),
        ("ERROR: no GPUs", METRIC, "expected JSON"),
        (STATIC[:200], METRIC, "expected whole JSON"),
        ("[1, 2]", METRIC, "a list of objects"),
        ('[{"gpu": "zero"}]', METRIC, "a list of objects"),
        (STATIC.replace('"gpu": 1', '"gpu": 0'), METRIC, "expected each GPU once"),
        (STATIC, json.dumps(json.loads(METRIC)[:1]), "expected values of GPUs [0, 1], found of [0]"),
        (STATIC.encode("utf-16"), METRIC, "expected UTF-8"),
        ("[" * 100_000, METRIC, "expected whole JSON"),
    ],
)
def test_what_is_no_such_document_is_one_clear_error(static: bytes | str, metric: str, problem: str) -> None:
    with pytest.raises(DocumentError) as caught:
        amd_smi.parse(static, metric)
    assert problem in str(caught.value)
    assert "\n" not in str(caught.value)


def test_links_are_read_without_the_gpu_itself() -> None:
    found = amd_smi.with_links(amd_smi.parse(STATIC, METRIC), document("amd-smi-7-xgmi.json"))
    first, second = (gpu.links or () for gpu in found.gpus)
    assert ([link.active for link in first], [link.active for link in second]) == ([True, True, False], [True] * 3)
    assert [link.number for link in first] == [1, 2, 3]


def test_links_that_are_a_plain_list_are_read() -> None:
    told = json.dumps(json.loads(document("amd-smi-7-xgmi.json"))["link_status"])
    assert len(amd_smi.with_links(amd_smi.parse(STATIC, METRIC), told).gpus[0].links or ()) == 3


def test_entries_without_links_are_one_clear_error() -> None:
    with pytest.raises(DocumentError, match="expected link_status of GPU 0"):
        amd_smi.with_links(amd_smi.parse(STATIC, METRIC), '[{"gpu": 0}, {"gpu": 1}]')


def test_bad_pages_are_counted() -> None:
    found = amd_smi.with_bad_pages(amd_smi.parse(STATIC, METRIC), document("amd-smi-7-bad-pages.json"))
    assert [(gpu.repair.pages, gpu.repair.pages_pending, gpu.repair.failed) for gpu in found.gpus] == [
        (0, False, False),
        (1, True, False),
    ]


def test_pairs_of_gpus_are_read_from_the_topology() -> None:
    assert amd_smi.parse_peers(document("amd-smi-7-topology.json")) == {(0, 1): "OK", (1, 0): "PCIE disabled"}
