"""Options of verbs that take a URL: what cannot be is refused with exit code 3 before anything is sent."""

from __future__ import annotations

import pytest

from proving_ground import cli
from proving_ground.by_url import probing
from proving_ground.errors import InfrastructureError

URL = ("--url", "http://127.0.0.1:9")
LOAD = ("test", "--suite", "load", *URL)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((*LOAD, "--users", "0"), "users above 0"),
        ((*LOAD, "--users", "1001"), "up to 1000"),
        ((*LOAD, "--users", "many"), "invalid int"),
        ((*LOAD, "--spawn-rate", "0"), "spawn rate"),
        ((*LOAD, "--duration", "0"), "above 0"),
        ((*LOAD, "--duration", "20m"), "at most 600 s"),
        ((*LOAD, "--duration", "long"), "duration"),
        ((*LOAD, "--slo", "ttft=1s"), "expected an objective"),
        ((*LOAD, "--slo", ""), "expected an objective"),
        ((*LOAD, "--slo", "ttft_p99=1s", "--slo", "ttft_p99=2s"), "given twice"),
        ((*LOAD, "--arrivals", "poisson"), "expected --rate"),
        ((*LOAD, "--rate", "5"), "closed loop"),
        ((*LOAD, "--arrivals", "poisson", "--rate", "0"), "arrivals per second"),
        ((*LOAD, "--arrivals", "uniform"), "invalid choice"),
        ((*LOAD, "--max-tokens", "0"), "tokens"),
        (("test", "--suite", "all", "--url", "http://192.0.2.1"), "--allow-host HOST"),
        (("test", "--url", "ftp://127.0.0.1"), "expected a URL"),
        (("test", "--url", "http://user:word@127.0.0.1"), "without credentials"),
        (("test", "--url", "nonsense"), "expected a URL"),
        (("test", "--suite", "cloud"), "invalid choice"),
        (("test", *URL, "--auth", "/nowhere/token"), "no such file"),
        (("test", *URL, "--ca", "/nowhere/ca"), "no such file"),
        (("test", *URL, "--ca", __file__), "expected certificates"),
        (("test", *URL, "--auth", __file__), "expected a token"),
        # Where no load is sent its options mean nothing, but are refused all the same.
        (("test", *URL, "--users", "0"), "users above 0"),
        (("test", *URL, "--slo", "ttft=1s"), "expected an objective"),
        (("test", *URL, "--server-pid", "-5"), "--server-pid: expected a process"),
        (("test", *URL, "--server-pid", "99999999"), "--server-pid: expected a process"),
        (("test", *URL, "--json-report", "/nowhere/report.json"), "--json-report: there is no folder"),
        (("test", *URL, "--artifacts", f"{__file__}/x"), "--artifacts: "),
        (("test", "--url", "http://two words"), "not a URL"),
        (("test", "--url", f"http://{'a' * 64}"), "not a URL"),
        (("fuzz", "http://127.0.0.1:9", "--ca", __file__), "expected certificates"),
        (("fuzz", "http://127.0.0.1:9", "--auth", __file__), "expected a token"),
        (("wait-healthy", "http://127.0.0.1:9", "--ca", __file__), "expected certificates"),
        (("wait-healthy", "http://127.0.0.1:9", "--ca", "/nowhere/ca"), "no such file"),
    ],
)
def test_what_cannot_be_is_refused(words: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    try:
        code = cli.main(list(words))
    except SystemExit as ended:
        code = int(str(ended.code))
    told = capsys.readouterr()
    assert code == 3
    assert said in told.err
    assert len(told.err.strip().splitlines()) == 1
    assert told.out == ""


def test_any_host_may_be_asked_where_no_load_is_sent(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def nobody(url: str, **_: object) -> None:
        raise InfrastructureError("cannot be reached", where=url)

    monkeypatch.setattr(probing, "probed", nobody)
    assert cli.main(["test", "--url", "https://inference.example.com"]) == 2
    assert "cannot be reached" in capsys.readouterr().err
