"""Outputs of the other tools themselves, shortened: what each of their numbers is called and means here.

aiperf 0.13, guidellm 0.3 and 0.8 measured a llama.cpp server with a random model. vLLM's tool needs vLLM; what it
writes is put together here as its code does, with numbers of our own.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from proving_ground.errors import ConfigurationError
from proving_ground.history.importing import Origin, read
from tests.unit.history.made import HARDWARE

DATA = Path(__file__).with_name("data")
VLLM: dict[str, Any] = {
    "date": "20260131-120000",
    "endpoint_type": "openai-chat",
    "backend": "openai-chat",
    "label": None,
    "model_id": "org/model",
    "tokenizer_id": "org/model",
    "num_prompts": 4,
    "request_rate": 2.0,
    "burstiness": 1.0,
    "max_concurrency": 8,
    "duration": 2.0,
    "completed": 3,
    "failed": 1,
    "total_input_tokens": 30,
    "total_output_tokens": 60,
    "request_throughput": 1.5,
    "request_goodput": None,
    "output_throughput": 30.0,
    "total_token_throughput": 45.0,
    "latencies": [0.5, 0.0, 0.7, 0.6],
    "queue_times": [0.1, 0.0, 0.2, 0.1],
    "max_output_tokens_per_s": 40.0,
    "max_concurrent_requests": 3,
    "rtfx": 0.0,
    "mean_ttft_ms": 20.0,
    "median_ttft_ms": 19.0,
    "std_ttft_ms": 1.0,
    "p99_ttft_ms": 24.0,
    "mean_e2el_ms": 600.0,
    "median_e2el_ms": 600.0,
    "std_e2el_ms": 80.0,
    "p99_e2el_ms": 699.0,
    "mean_client_queue_time_ms": 133.0,
    "median_client_queue_time_ms": 100.0,
    "std_client_queue_time_ms": 47.0,
    "p99_client_queue_time_ms": 198.0,
    "mean_e2el_including_client_queue_ms": 733.0,
    "median_e2el_including_client_queue_ms": 700.0,
    "std_e2el_including_client_queue_ms": 124.0,
    "p99_e2el_including_client_queue_ms": 897.0,
}


def origin(path: Path, **changes: Any) -> Origin:
    return Origin(path=path, fingerprint=HARDWARE, **changes)


def values(path: Path, **changes: Any) -> dict[str, tuple[float, str]]:
    (record,) = read(origin(path, **changes))
    return {m.series.name.split("/", 1)[1]: (m.values[0], m.unit) for m in record.measurements}


def written(tmp_path: Path, content: object, name: str = "result.json") -> Path:
    path = tmp_path / name
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def test_aiperfs_inter_token_latency_is_our_time_per_token_and_its_chunks_are_our_gaps() -> None:
    found = values(DATA / "aiperf-0.13.json")
    assert found["concurrency-4/tpot_p99_ms"] == (1.79969, "ms")
    assert found["concurrency-4/itl_p99_ms"] == (7.56432, "ms")
    assert found["concurrency-4/ttft_p50_ms"] == (15.7554, "ms")
    assert found["concurrency-4/e2e_mean_ms"] == (40.3931, "ms")


def test_aiperfs_rate_of_errors_is_a_share() -> None:
    found = values(DATA / "aiperf-0.13.json")
    assert found["concurrency-4/error_rate"] == (pytest.approx(20 / 539), "share")
    assert values(DATA / "aiperf-0.13-poisson.json")["poisson-10/error_rate"] == (0.0, "share")


def test_of_aiperf_only_what_has_a_name_here_is_kept() -> None:
    latencies = {
        f"{name}_{part}_ms" for name in ("ttft", "itl", "tpot", "e2e") for part in ("mean", "p50", "p90", "p95", "p99")
    }
    others = {"requests_per_second", "tokens_per_second", "total_tokens_per_second", "error_rate"}
    assert {name.split("/")[1] for name in values(DATA / "aiperf-0.13.json")} == latencies | others


def test_aiperfs_goodput_is_requests_per_second() -> None:
    found = values(DATA / "aiperf-0.13-poisson.json")
    assert found["poisson-10/goodput"] == (3.19942, "requests/s")


def test_where_aiperf_wrote_its_files_is_no_other_configuration(tmp_path: Path) -> None:
    content = json.loads((DATA / "aiperf-0.13.json").read_text())
    first = read(origin(written(tmp_path, content)))[0]
    content["input_config"]["artifacts"]["dir"] = "/tmp/elsewhere/artifacts"
    content["input_config"]["tokenizer"]["name"] = "/tmp/elsewhere/tokenizer"
    content["input_config"]["endpoint"]["urls"] = ["http://127.0.0.1:9"]
    again = read(origin(written(tmp_path, content)))[0]
    content["input_config"]["phases"][1]["concurrency"] = 8
    other = read(origin(written(tmp_path, content)))[0]
    assert again.configuration_hash == first.configuration_hash != other.configuration_hash


def test_what_aiperf_did_not_complete_is_invalid(tmp_path: Path) -> None:
    content = json.loads((DATA / "aiperf-0.13.json").read_text())
    content |= {"is_complete": False, "incomplete_reason": "a worker died"}
    record = read(origin(written(tmp_path, content)))[0]
    assert (record.valid, record.problem) == (False, "it is not complete: a worker died")


@pytest.mark.parametrize(
    ("name", "tpot", "e2e", "rate"),
    [("guidellm-0.3.json", 0.288979, 9.45973, 70.2519), ("guidellm-0.8.json", 0.256278, 67.8, 10.6667)],
)
def test_guidellms_inter_token_latency_is_our_time_per_token(name: str, tpot: float, e2e: float, rate: float) -> None:
    found = values(DATA / name)
    assert found["concurrent-1/tpot_p50_ms"] == (pytest.approx(tpot, rel=0.01), "ms")
    assert found["concurrent-1/e2e_p50_ms"] == (pytest.approx(e2e, rel=0.001), "ms")
    assert found["concurrent-1/requests_per_second"] == (pytest.approx(rate, rel=1e-4), "requests/s")
    assert not any("itl" in metric for metric in found)


@pytest.mark.parametrize("name", ["guidellm-0.3.json", "guidellm-0.8.json"])
def test_every_benchmark_of_a_report_of_guidellm_is_a_scenario_with_its_errors(name: str, tmp_path: Path) -> None:
    content = json.loads((DATA / name).read_text())
    first = content["benchmarks"][0]
    totals = first["request_totals"] if "request_totals" in first else first["metrics"]["request_totals"]
    totals |= {"successful": 75, "errored": 25}
    found = values(written(tmp_path, content))
    assert found["concurrent-1/error_rate"] == (0.25, "share")
    assert found["concurrent-2/error_rate"] == (0.0, "share")


def test_guidellm_with_other_prompts_or_another_model_is_another_configuration(tmp_path: Path) -> None:
    hashes = set()
    for name, old, new in (
        ("guidellm-0.3.json", "", ""),
        ("guidellm-0.3.json", "prompt_tokens=32", "prompt_tokens=64"),
        ("guidellm-0.3.json", '"backend_model": "random"', '"backend_model": "other"'),
        ("guidellm-0.8.json", "", ""),
        ("guidellm-0.8.json", "prompts.txt", "others.txt"),
    ):
        text = (DATA / name).read_text().replace(old, new)
        hashes.add(read(origin(written(tmp_path, text)))[0].configuration_hash)
    assert len(hashes) == 5


def test_guidellms_goodput_is_taken_where_it_has_objectives(tmp_path: Path) -> None:
    content = json.loads((DATA / "guidellm-0.8.json").read_text())
    metrics = content["benchmarks"][0]["metrics"]
    metrics["request_goodput"] = metrics["requests_per_second"]
    found = values(written(tmp_path, content))
    assert found["concurrent-1/goodput"] == found["concurrent-1/requests_per_second"]
    assert "concurrent-2/goodput" not in found


def test_vllms_waiting_in_the_client_has_names_of_its_own(tmp_path: Path) -> None:
    found = values(written(tmp_path, VLLM))
    assert found["concurrency-8/client_queue_p99_ms"] == (198.0, "ms")
    assert found["concurrency-8/e2e_with_client_queue_p50_ms"] == (700.0, "ms")
    assert found["concurrency-8/e2e_p50_ms"] == (600.0, "ms")


def test_vllms_statistics_of_nothing_are_no_measurements(tmp_path: Path) -> None:
    none = {f"{part}_{name}_ms": 0.0 for name in ("ttft", "tpot", "itl") for part in ("mean", "median", "std", "p99")}
    found = values(written(tmp_path, VLLM | none | {"output_throughput": 0.0}))
    assert {name.split("/")[1].split("_")[0] for name in found} == {"requests", "total", "e2e", "client", "error"}


def test_requests_that_failed_have_no_latency_in_vllms_details(tmp_path: Path) -> None:
    detailed = VLLM | {
        "ttfts": [0.1, 0.05, 0.2, 0.3],
        "itls": [[0.01], [0.5], [0.02, 0.03], []],
        "errors": ["", "connection reset", "", ""],
    }
    (record,) = read(origin(written(tmp_path, detailed)))
    found = {m.metric: m.values for m in record.measurements}
    assert found["ttft_ms"] == pytest.approx((100, 200, 300))
    assert found["itl_ms"] == pytest.approx((10, 20, 30))
    assert found["e2e_ms"] == pytest.approx((500, 700, 600))


def test_vllms_goodput_is_found_by_its_older_name(tmp_path: Path) -> None:
    older = {("request_goodput:" if name == "request_goodput" else name): value for name, value in VLLM.items()}
    found = values(written(tmp_path, older | {"request_goodput:": 1.25}))
    assert found["concurrency-8/goodput"] == (1.25, "requests/s")


def test_results_that_vllm_appended_to_a_file_are_runs_of_their_own(tmp_path: Path) -> None:
    lines = "\n".join(json.dumps(VLLM | {"max_concurrency": n}) for n in (8, 8, 16))
    records = read(origin(written(tmp_path, lines), run_id="night"))
    assert [record.run_id for record in records] == ["night", "night-2", "night"]
    assert len({record.configuration_hash for record in records}) == 2


def test_a_sweep_of_vllm_has_a_configuration_for_each_of_its_settings(tmp_path: Path) -> None:
    runs = [
        VLLM | {"run_number": number, "max_num_seqs": seqs, "max_concurrency": 8}
        for seqs in (1, 2)
        for number in (0, 1)
    ]
    records = read(origin(written(tmp_path, runs, "summary.json")))
    assert [record.run_id for record in records] == ["summary", "summary-2", "summary", "summary-2"]
    hashes = [record.configuration_hash for record in records]
    assert hashes[0] == hashes[1] != hashes[2] == hashes[3]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('{"completed": 1}\n{"completed": ', "is not JSON"),
        ('{"completed": 1}\n{"completed": 2}', "no results.json"),
        ("[]", "no results.json"),
        (json.dumps(VLLM) + "\n{}", "no results.json"),
    ],
)
def test_a_file_of_several_results_is_wholly_good_or_not_taken(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(ConfigurationError, match=told):
        read(origin(written(tmp_path, text)))
