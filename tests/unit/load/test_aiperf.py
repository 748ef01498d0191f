"""AIPerf as a client: what it is told, what its numbers come to, and how that ends. Its export is a real one."""

from __future__ import annotations

import asyncio
import json
import socket
from pathlib import Path
from typing import Any

import pytest

from proving_ground import cli
from proving_ground.by_url import probing
from proving_ground.cli import aiperf as verb
from proving_ground.errors import ConfigurationError, InfrastructureError
from proving_ground.history.fingerprint import of_this_machine
from proving_ground.history.importing import Origin
from proving_ground.load.aiperf import Plan, measure, running
from proving_ground.load.aiperf.plan import words
from proving_ground.load.aiperf.result import failed_of, measured_of, record_of
from proving_ground.load.measured.slos import parse_slos
from proving_ground.servers.environment import Environment

DATA = Path(__file__).parents[1] / "history" / "data"
URL = "http://127.0.0.1:18486"
FAKE = """#!/usr/bin/env python3
import json, os, pathlib, sys
folder = pathlib.Path(sys.argv[sys.argv.index("--artifact-dir") + 1])
folder.mkdir()
told = {"words": sys.argv, "key": os.environ.get("OPENAI_API_KEY"), "proxy": os.environ.get("http_proxy")}
(folder / "told.json").write_text(json.dumps(told))
"""


def plan(**changes: Any) -> Plan:
    return Plan(**{"url": URL, "model": "random", "users": 4, **changes})


def export(name: str = "aiperf-0.13.json", **changes: Any) -> dict[str, Any]:
    return {**json.loads((DATA / name).read_text()), **changes}


def origin() -> Origin:
    return Origin(path=DATA / "aiperf-0.13.json", fingerprint=of_this_machine())


def option(asked: Plan, name: str) -> str:
    told = words(asked, "/t", Path("/a"))
    return told[told.index(name) + 1]


def test_users_are_requests_under_way_at_once() -> None:
    assert option(plan(users=7), "--concurrency") == "7"
    assert "--request-rate" not in words(plan(), "/t", Path("/a"))


def test_an_open_loop_has_a_bound_of_requests_under_way() -> None:
    asked = plan(rate=2.5, arrivals="constant")
    assert (option(asked, "--request-rate"), option(asked, "--arrival-pattern")) == ("2.5", "constant")
    assert option(asked, "--concurrency") == "1000"


def test_the_strictest_objective_of_a_latency_is_the_goodputs() -> None:
    slos = parse_slos("ttft_p50=100ms,ttft_p99=2s,tpot_p99=50ms,error_rate=1%")
    assert option(plan(slos=slos), "--goodput") == "time_to_first_token:100 inter_token_latency:50"
    assert "--goodput" not in words(plan(slos=parse_slos("error_rate=1%")), "/t", Path("/a"))


def test_no_other_place_than_the_server_is_asked() -> None:
    told = words(plan(), "/t", Path("/a"))
    assert {"--no-gpu-telemetry", "--no-server-metrics", "--use-server-token-count"} <= set(told)
    assert option(plan(), "--tokenizer") == "/t"


def test_the_token_is_no_argument() -> None:
    assert not any("secret" in word for word in words(plan(token="secret"), "/t", Path("/a")))


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"users": 0}, "expected users from 1 to 1000, found 0"),
        ({"rate": 0.0}, "expected requests per second"),
        ({"rate": float("nan")}, "expected requests per second"),
        ({"seconds": 601.0}, "expected a duration"),
        ({"seconds": 600.0, "warm_up": 5.0}, "with warm-up"),
        ({"rate": 5000.0, "seconds": 300.0}, "at most 1000000 requests"),
        ({"max_tokens": 0}, "tokens of an answer"),
        ({"url": "http://192.0.2.1:80"}, "load is not sent to 192.0.2.1"),
        ({"slos": parse_slos("itl_p99=50ms")}, "longest gap"),
    ],
)
def test_a_load_out_of_its_bounds_is_refused(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigurationError, match=told):
        plan(**changes).check()


def test_its_numbers_have_the_names_and_units_of_our_own_load() -> None:
    level = measured_of(plan(), export(), origin()).last
    assert (level.value, level.seconds, level.requests, level.failed) == (4.0, 6.031, 539, 20)
    assert level.error_rate == pytest.approx(20 / 539)
    assert level.latencies_ms["ttft_p99"] == 26.1249
    assert level.latencies_ms["tpot_p50"] == 0.8267
    assert level.latencies_ms["itl_p50"] == 0.5018
    assert level.latencies_ms["e2e_p95"] == 53.9272
    assert level.tokens_per_second == pytest.approx(2591.29)
    assert level.counts == {"ttft": 519, "itl": 15039, "tpot": 519, "e2e": 519}
    ((problem, count),) = level.problems.items()
    assert problem.startswith("ClientOSError(None, 'Can not write request body")
    assert count == 20


def test_objectives_are_judged_and_the_goodput_is_aiperfs() -> None:
    slos = parse_slos("ttft_p99=10ms,e2e_p99=1s,goodput=3")
    level = measured_of(plan(rate=10.0, slos=slos), export("aiperf-0.13-poisson.json"), origin()).last
    assert level.goodput == pytest.approx(3.19942)
    assert level.good_share == pytest.approx(16 / 53)
    assert level.missed == [f"ttft_p99 at most 10 ms, found {level.latencies_ms['ttft_p99']:.4g}"]


def test_without_objectives_every_good_answer_is_goodput() -> None:
    level = measured_of(plan(), export(), origin()).last
    assert level.goodput == level.requests_per_second > 0


def test_an_open_loop_whose_requests_were_sent_late_is_invalid() -> None:
    late = {"unit": "ms", "p99": 51.0}
    measured = measured_of(plan(rate=10.0), export(credit_to_start_latency=late), origin())
    assert measured.client.verdict == "invalid"
    assert "51 ms late" in measured.client.reason
    assert verb.exit_code(measured) == 2
    assert measured_of(plan(), export(credit_to_start_latency=late), origin()).client.verdict == "valid"


def test_what_the_client_could_not_keep_up_with_is_invalid_in_the_history_too() -> None:
    found = export(credit_to_start_latency={"unit": "ms", "p99": 51.0})
    record = record_of(found, measured_of(plan(rate=10.0), found, origin()), origin())
    assert (record.valid, record.run_id) == (False, "4eacab78bdd6")
    assert "late" in record.problem


def test_a_cancelled_measurement_is_interrupted() -> None:
    measured = measured_of(plan(), export(was_cancelled=True), origin())
    assert (measured.client.verdict, verb.exit_code(measured)) == ("interrupted", 130)


@pytest.mark.parametrize(("slo", "code"), [("", 0), ("error_rate=1%", 1), ("ttft_p99=1s", 0)])
def test_a_missed_objective_fails(slo: str, code: int) -> None:
    assert verb.exit_code(measured_of(plan(slos=parse_slos(slo)), export(), origin())) == code


def test_nothing_answered_fails_and_is_told() -> None:
    measured = failed_of(plan(), {"500 HTTPError": 3})
    assert verb.exit_code(measured) == 1
    assert "failed               3 (100.0 %)" in verb.as_text(plan(), measured)


def test_text_has_every_latency_and_json_is_one_document() -> None:
    measured = measured_of(plan(), export(), origin())
    text = verb.as_text(plan(), measured)
    assert "ttft                 p50 15.8, p90 21.6, p95 23.5, p99 26.1 ms" in text
    document = json.loads(verb.as_json(plan(), measured))
    assert document["client"] == "aiperf"
    assert document["load_test"]["p99_latency_ms"] == pytest.approx(63.011)


def installed(folder: Path, script: str) -> Environment:
    """Make an environment whose aiperf is a script, and whose Python makes no tokenizer."""
    (folder / "bin").mkdir()
    for name, text in (("aiperf", script), ("python", "#!/bin/sh\nexit 0\n")):
        (folder / "bin" / name).write_text(text)
        (folder / "bin" / name).chmod(0o755)
    return Environment(folder / "bin/python", made=False)


def measured_by(
    script: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, **changes: Any
) -> tuple[running.Outcome, Path]:
    environment = installed(tmp_path, script)
    monkeypatch.setattr(running, "ensure", lambda *_, **__: environment)
    kept = tmp_path / "kept"
    return asyncio.run(measure(plan(**changes), say=lambda _: None, artifacts=kept)), kept


def exporting(content: object) -> str:
    return f"{FAKE}(folder / {running.EXPORT!r}).write_text({json.dumps(content)!r})\n"


def test_the_token_goes_by_the_environment_and_no_proxy_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://192.0.2.1:1")
    monkeypatch.setenv("OPENAI_API_KEY", "somebody's own")
    outcome, kept = measured_by(exporting(export()), tmp_path, monkeypatch, token="secret")
    told = json.loads((kept / "told.json").read_text())
    assert (told["key"], told["proxy"]) == ("secret", None)
    assert outcome.measured is not None
    assert outcome.measured.last.requests == 539


def test_a_key_that_was_not_given_is_not_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "somebody's own")
    _, kept = measured_by(exporting(export()), tmp_path, monkeypatch)
    assert json.loads((kept / "told.json").read_text())["key"] is None


def test_where_nothing_was_answered_the_failures_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    records = [
        {"metadata": {"benchmark_phase": phase}, "error": {"code": 500, "type": "HTTPError", "message": "no\nmodel"}}
        for phase in ("warmup", "profiling", "profiling")
    ]
    lines = "\n".join(json.dumps(record) for record in records)
    script = f"{FAKE}(folder / 'profile_export.jsonl').write_text({lines!r})\nsys.exit(1)\n"
    outcome, _ = measured_by(script, tmp_path, monkeypatch)
    assert outcome.export is None
    assert outcome.measured is not None
    assert outcome.measured.last.problems == {"500 HTTPError no model": 2}


def test_an_aiperf_that_breaks_is_an_infrastructure_error_with_its_last_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InfrastructureError, match="ended with 7 and no result, and said last: out of luck"):
        measured_by("#!/bin/sh\necho '│ out of luck │'\nexit 7\n", tmp_path, monkeypatch)


def test_files_of_another_measurement_are_not_mixed_with(tmp_path: Path) -> None:
    (tmp_path / "old").write_text("")
    with pytest.raises(ConfigurationError, match="empty or absent"):
        asyncio.run(measure(plan(), say=lambda _: None, artifacts=tmp_path))


def called(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: object, *options: str) -> int:
    environment = installed(tmp_path, exporting(content))
    monkeypatch.setattr(running, "ensure", lambda *_, **__: environment)
    monkeypatch.setattr(probing, "probed", lambda *_, **__: probing.Found("random", "llama.cpp"))
    return cli.main(["aiperf", "--url", URL, *options])


def test_it_is_recorded_where_it_is_said_and_only_the_document_is_on_stdout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    place = tmp_path / "history.sqlite"
    options = ("--output", "json", "--history", str(place), "--label", "main", "--commit", "abc", "--run-id", "night-1")
    assert called(monkeypatch, tmp_path, export(), *options) == 0
    told = capsys.readouterr()
    assert json.loads(told.out)["verdict"] == "valid"
    assert "recorded as run night-1" in told.err
    assert cli.main(["history", "show", "night-1", "--history", str(place), "--output", "json"]) == 0
    (run,) = json.loads(capsys.readouterr().out)
    assert (run["commit"], run["labels"]) == ("abc", ["main"])
    (ttft,) = [m for m in run["measurements"] if m["metric"] == "ttft_p99_ms"]
    assert (ttft["suite"], ttft["scenario"], ttft["median"]) == ("aiperf", "concurrency-4", 26.1249)


def test_a_rate_and_users_exclude_each_other(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(["aiperf", "--url", URL, "--users", "3", "--rate", "2"])
    assert caught.value.code == 3
    assert "not allowed with" in capsys.readouterr().err


def test_load_on_another_host_is_refused_before_anything_is_asked(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["aiperf", "--url", "http://192.0.2.1:8000"]) == 3
    assert "load is not sent to 192.0.2.1" in capsys.readouterr().err


def test_a_history_that_cannot_be_used_is_told_before_anything_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = tmp_path / "broken.sqlite"
    broken.write_bytes(b"no database " * 100)
    assert called(monkeypatch, tmp_path, export(), "--history", str(broken)) == 3
    told = capsys.readouterr()
    assert told.out == ""
    assert str(broken) in told.err
    assert broken.read_bytes() == b"no database " * 100


def test_nobody_there_is_the_infrastructures(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
    assert cli.main(["aiperf", "--url", url]) == 2
    assert "cannot be reached" in capsys.readouterr().err
