"""Results of other tools; the fixtures have their field names and our numbers."""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING, Any

import pytest

from proving_ground.contracts.platform import Capabilities, Clock, Platform, System
from proving_ground.contracts.results import LoadTest, Results, Summary, Test, Verdict
from proving_ground.errors import ConfigurationError
from proving_ground.history.importing import Origin, read
from proving_ground.history.importing.naming import direction_of, plain_unit, unit_of
from tests.unit.history.made import HARDWARE

if TYPE_CHECKING:
    from pathlib import Path

    from proving_ground.history import Record

VLLM: dict[str, Any] = {
    "date": "20260131-120000",
    "backend": "openai-chat",
    "model_id": "org/model",
    "num_prompts": 100,
    "request_rate": "inf",
    "burstiness": 1.0,
    "max_concurrency": 16,
    "duration": 12.5,
    "completed": 98,
    "failed": 2,
    "request_throughput": 8.0,
    "request_goodput": None,
    "output_throughput": 640.0,
    "total_token_throughput": 900.0,
    "mean_ttft_ms": 25.0,
    "median_ttft_ms": 24.0,
    "std_ttft_ms": 3.0,
    "p99_ttft_ms": 40.0,
    "median_tpot_ms": 11.0,
    "p99_itl_ms": 15.0,
    "p99.9_e2el_ms": 900.0,
    "generated_texts": ["=cmd()"],
}

GUIDELLM: dict[str, Any] = {
    "args": {"model": "org/model", "target": "http://localhost:8000"},
    "benchmarks": [
        {
            "type_": "generative_benchmark",
            "start_time": 1769860800.0 + 60 * number,
            "config": {"strategy": {"type_": "constant", "rate": rate}},
            "metrics": {
                "request_totals": {"successful": 90, "errored": 10, "incomplete": 0, "total": 100},
                "requests_per_second": {"successful": {"mean": 4.5, "count": 90}},
                "output_tokens_per_second": {"successful": {"mean": 200.0, "count": 90}},
                "request_latency": {
                    "successful": {"mean": 1.5, "count": 90, "percentiles": {"p50": 1.4, "p99": 2.5, "p999": 3.0}}
                },
                "time_to_first_token_ms": {
                    "successful": {"mean": 30.0, "count": 90, "percentiles": {"p50": 28.0, "p95": 44.0}}
                },
                "inter_token_latency_ms": {"successful": {"mean": 0.0, "count": 0, "percentiles": {"p50": 0.0}}},
            },
        }
        for number, rate in enumerate((5.0, 10.0))
    ],
}

AIPERF: dict[str, Any] = {
    "schema_version": "1.4",
    "benchmark_id": "abc123",
    "start_time": "2026-01-31T12:00:00+00:00",
    "was_cancelled": False,
    "input_config": {"concurrency": 4},
    "run_info": {"variation_label": "concurrency_4"},
    "request_latency": {"unit": "ms", "avg": 210.0, "p50": 200.0, "p99": 300.0, "std": 10.0, "count": 20},
    "time_to_first_token": {"unit": "ms", "avg": 21.0, "p50": 20.0, "p99": 30.0},
    "request_throughput": {"unit": "requests/sec", "avg": 12.0},
    "output_token_throughput": {"unit": "tokens/sec", "avg": 800.0},
    "request_count": {"unit": "requests", "avg": 20.0},
}


def origin(path: Path, **changes: Any) -> Origin:
    return Origin(path=path, fingerprint=HARDWARE, **changes)


def imported(tmp_path: Path, content: object, form: Any = "auto", **changes: Any) -> Record:
    path = tmp_path / "result.json"
    path.write_text(json.dumps(content))
    records = read(origin(path, **changes), form)
    assert len(records) == 1
    return records[0]


def values(record: Record) -> dict[str, float]:
    return {m.series.name: m.values[0] for m in record.measurements}


def test_vllms_result_has_its_statistics_and_rates(tmp_path: Path) -> None:
    record = imported(tmp_path, VLLM)
    assert values(record) == {
        "vllm-bench/concurrency-16/requests_per_second": 8.0,
        "vllm-bench/concurrency-16/tokens_per_second": 640.0,
        "vllm-bench/concurrency-16/total_tokens_per_second": 900.0,
        "vllm-bench/concurrency-16/ttft_mean_ms": 25.0,
        "vllm-bench/concurrency-16/ttft_p50_ms": 24.0,
        "vllm-bench/concurrency-16/ttft_p99_ms": 40.0,
        "vllm-bench/concurrency-16/tpot_p50_ms": 11.0,
        "vllm-bench/concurrency-16/itl_p99_ms": 15.0,
        "vllm-bench/concurrency-16/e2e_p99_9_ms": 900.0,
        "vllm-bench/concurrency-16/error_rate": 0.02,
    }
    assert record.run_id == "result"
    assert record.time.replace(tzinfo=None) == dt.datetime(2026, 1, 31, 12).astimezone(dt.UTC).replace(tzinfo=None)


def test_vllms_detailed_result_has_distributions_in_milliseconds(tmp_path: Path) -> None:
    detailed = VLLM | {"ttfts": [0.01, 0.02], "itls": [[0.001, 0.002], [0.003]], "latencies": [1.5, 2.0]}
    found = {m.metric: m.values for m in imported(tmp_path, detailed).measurements}
    assert found["ttft_ms"] == pytest.approx((10, 20))
    assert found["itl_ms"] == pytest.approx((1, 2, 3))
    assert found["e2e_ms"] == pytest.approx((1500, 2000))


def test_another_load_is_another_configuration(tmp_path: Path) -> None:
    hashes = {imported(tmp_path, VLLM | {"max_concurrency": n}).configuration_hash for n in (16, 32)}
    assert len(hashes) == 2
    assert imported(tmp_path, VLLM | {"completed": 97}).configuration_hash in hashes


def test_each_benchmark_of_guidellm_is_a_scenario(tmp_path: Path) -> None:
    found = values(imported(tmp_path, GUIDELLM))
    assert found["guidellm/constant-5/ttft_p95_ms"] == 44.0
    assert found["guidellm/constant-10/e2e_p99_ms"] == 2500.0
    assert found["guidellm/constant-5/requests_per_second"] == 4.5
    assert found["guidellm/constant-5/error_rate"] == 0.1
    assert not any("itl" in name for name in found)


def test_aiperfs_units_count(tmp_path: Path) -> None:
    seconds = AIPERF | {"request_latency": {"unit": "sec", "avg": 0.21, "p50": 0.2}}
    assert values(imported(tmp_path, AIPERF))["aiperf/concurrency_4/e2e_p99_ms"] == 300.0
    assert values(imported(tmp_path, seconds))["aiperf/concurrency_4/e2e_p50_ms"] == pytest.approx(200.0)
    units = {m.metric: m.unit for m in imported(tmp_path, AIPERF).measurements}
    assert (units["requests_per_second"], units["tokens_per_second"]) == ("requests/s", "tokens/s")
    assert "request_count" not in units


def test_a_cancelled_run_of_aiperf_is_invalid(tmp_path: Path) -> None:
    record = imported(tmp_path, AIPERF | {"was_cancelled": True})
    assert (record.valid, record.problem) == (False, "it was cancelled")
    assert record.run_id == "abc123"


def test_what_is_said_beside_a_file_wins(tmp_path: Path) -> None:
    when = dt.datetime(2026, 2, 2, tzinfo=dt.UTC)
    record = imported(
        tmp_path, AIPERF, run_id="mine", time=when, commit="abc", system="dynamo", scenario="chat", labels=("main",)
    )
    assert (record.run_id, record.time, record.commit, record.system) == ("mine", when, "abc", "dynamo")
    assert (record.labels, record.measurements[0].scenario) == (("main",), "chat")


def results(outcome: Any = "passed") -> Results:
    now = dt.datetime(2026, 1, 31, tzinfo=dt.UTC)
    return Results(
        run_id="nightly-1",
        stage="nightly",
        inventory="sim",
        started=now,
        ended=now,
        verdict=Verdict(exit_code=0, outcome=outcome, cause="all passed"),
        summary=Summary(),
        tests=[
            Test(
                name="test_chat[a]",
                status="passed",
                duration=1,
                id="smoke/test_chat[a]",
                suite="smoke",
                metrics={"seconds_to_verdict": 1.5, "pods": 3.0},
            )
        ],
        load_test=LoadTest(requests_per_second=12.5, p50_latency_ms=80, p95_latency_ms=150, error_rate=0.001),
    )


def test_the_metrics_of_a_run_and_its_load_test_are_imported(tmp_path: Path) -> None:
    platform = Platform(
        run_id="nightly-1",
        inventory="sim",
        systems={"inference": System(implementation="existing", version="b123")},
        capabilities=Capabilities(),
        clock=Clock(started=dt.datetime.now(dt.UTC)),
    )
    (tmp_path / "platform.json").write_text(platform.model_dump_json())
    (tmp_path / "run.json").write_text('{"revision": "abc123"}')
    record = imported(tmp_path, json.loads(results().model_dump_json()))
    assert values(record) == {
        "smoke/test_chat[a]/seconds_to_verdict": 1.5,
        "load/load_test/requests_per_second": 12.5,
        "load/load_test/e2e_p50_ms": 80.0,
        "load/load_test/e2e_p95_ms": 150.0,
        "load/load_test/error_rate": 0.001,
    }
    assert (record.run_id, record.commit, record.system_version) == ("nightly-1", "abc123", "b123")


def test_an_interrupted_run_is_invalid(tmp_path: Path) -> None:
    assert imported(tmp_path, json.loads(results("interrupted").model_dump_json())).valid is False


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "is not JSON"),
        (b"{", "is not JSON"),
        (b"\xff\xfe", "is not JSON"),
        (b"[1, 2]", "no results.json"),
        (b'{"a": 1}', "no results.json"),
        (b"[" * 100_000, "is not JSON"),
        (b'{"request_throughput": "fast", "completed": 3}', "no measurement"),
        (b'{"benchmarks": [{"metrics": {}}, 3]}', "benchmark 2 has no metrics"),
        (b'{"verdict": 1, "summary": 2, "run_id": 3}', "Field required|Input should be"),
        (b'{"request_latency": {"unit": "ms", "avg": 3}, "start_time": "yesterday"}', "no usable time"),
        (b'{"configuration_hash": 3}', "Field required"),
    ],
)
def test_what_cannot_be_imported_is_told_in_one_line(tmp_path: Path, content: bytes, told: str) -> None:
    (tmp_path / "x.json").write_bytes(content)
    with pytest.raises(ConfigurationError, match=told) as caught:
        read(origin(tmp_path / "x.json"))
    assert "\n" not in str(caught.value)
    assert str(tmp_path / "x.json") in str(caught.value)


def test_an_absent_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="No such file"):
        read(origin(tmp_path / "absent.json"))


def test_a_file_is_only_what_it_is_said_to_be(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="is no result of vllm"):
        imported(tmp_path, AIPERF, form="vllm")


@pytest.mark.parametrize(
    ("metric", "direction", "unit"),
    [
        ("ttft_p99_ms", "lower", "ms"),
        ("requests_per_second", "higher", "requests/s"),
        ("tokens_per_second", "higher", "tokens/s"),
        ("error_rate", "lower", "share"),
        ("ready_seconds", "lower", "s"),
        ("goodput", "higher", "requests/s"),
        ("pods", None, ""),
    ],
)
def test_names_tell_direction_and_unit(metric: str, direction: str | None, unit: str) -> None:
    assert (direction_of(metric), unit_of(metric)) == (direction, unit)


def test_a_unit_has_one_name() -> None:
    assert (plain_unit("requests/sec"), plain_unit("ms")) == ("requests/s", "ms")
