"""URLs of servers, and the verb that waits for one."""

from __future__ import annotations

import ssl

import pytest

from proving_ground.cli import main, parser
from proving_ground.errors import ConfigurationError
from proving_ground.openai_api.health import base_url, reason_of


@pytest.mark.parametrize("text", ["http://h:1", "http://h:1/", "http://h:1/v1", "http://h:1/v1/"])
def test_a_base_url_is_without_its_version(text: str) -> None:
    assert base_url(text) == "http://h:1"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "h:1",
        "http://a b",
        "http://a\nb",
        "http://h/a b",
        "http://a..b",
        f"http://{'a' * 64}",
        "ftp://h",
        "http://",
        "http://h:port",
        "http://h:99999",
        "http://u:p@h",
        "http://h?x=1",
        "http://[::1",
    ],
)
def test_what_is_no_such_url_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError):
        base_url(text)


def test_waiting_for_a_bad_url_is_a_matter_of_configuration(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["wait-healthy", "no-url", "1"]) == 3
    assert "expected a URL" in capsys.readouterr().err


@pytest.mark.parametrize("seconds", ["0", "-1", "soon", "inf", "nan"])
def test_a_bad_time_is_a_matter_of_configuration(seconds: str) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["wait-healthy", "http://127.0.0.1:1", seconds])
    assert ended.value.code == 3


@pytest.mark.parametrize("text", ["http://h.", "http://b\u00fccher.example", "http://[::1]:8080", "http://10.0.0.1"])
def test_names_and_addresses_of_hosts_are_taken_as_they_are(text: str) -> None:
    assert base_url(text) == text


@pytest.mark.parametrize(("text", "seconds"), [("2", 2.0), ("0.5", 0.5), ("90s", 90.0), ("5m", 300.0)])
def test_a_time_is_seconds_or_has_units(text: str, seconds: float) -> None:
    assert parser("wait-healthy").parse_args(["wait-healthy", "http://h", text]).timeout == seconds


def test_why_tls_fails_is_told_in_words() -> None:
    error = ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong version number (_ssl.c:1006)")
    error.reason = "WRONG_VERSION_NUMBER"
    assert reason_of(error) == "no TLS with it: wrong version number"
