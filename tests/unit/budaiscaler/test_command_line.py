from __future__ import annotations

from pathlib import Path

import pytest

from proving_ground.budaiscaler.__main__ import access_of, address, main, parser, settings_of
from proving_ground.errors import ConfigurationError

KUBECONFIG = """
current-context: it
contexts: [{name: it, context: {cluster: it, user: it}}]
clusters: [{name: it, cluster: {server: "http://NAME"}}]
users: [{name: it, user: {}}]
"""


@pytest.mark.parametrize(
    ("text", "found"),
    [("", None), ("0", None), (":8080", ("0.0.0.0", 8080)), ("127.0.0.1:1", ("127.0.0.1", 1)), ("[::1]:2", ("::1", 2))],  # noqa: S104
)
def test_addresses_are_read_as_the_real_controller_reads_them(text: str, found: tuple[str, int] | None) -> None:
    assert address(text, "--flag") == found


@pytest.mark.parametrize("text", ["8080", "host", "host:", "host:0", "host:65536", "host:-1", "host:٣", "host:x"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match="ADDRESS"):
        address(text, "--flag")


def test_the_flags_of_the_real_controller_are_taken() -> None:
    flags = [
        "--leader-elect",
        "--leader-election-id=x",
        "--metrics-bind-address=:8080",
        "--health-probe-bind-address=0",
    ]
    assert parser().parse_args(flags).metrics_bind_address == ":8080"


def test_the_real_cadence_is_the_default() -> None:
    settings, wait = settings_of(parser().parse_args([]), 1000.0)
    assert (settings.reconcile_seconds, settings.keep_seconds, wait) == (10.0, 300.0, 10.0)
    assert settings.clock.now(1234.0) == 1234.0


def test_a_faster_clock_makes_everything_faster() -> None:
    settings, wait = settings_of(parser().parse_args(["--clock-speed=40", "--clock-epoch=1000"]), 2000.0)
    assert (settings.reconcile_seconds, settings.keep_seconds, wait) == (0.25, 7.5, 3.0)
    assert settings.clock.now(1010.0) == 1400.0


@pytest.mark.parametrize(
    "flag",
    ["--clock-speed=0", "--clock-speed=nan", "--clock-speed=1e7", "--clock-epoch=-1", "--clock-epoch=inf",
     "--reconcile-seconds=0", "--reconcile-seconds=-1", "--metrics-timeout-seconds=inf"],
)  # fmt: skip
def test_numbers_that_make_no_sense_are_refused(flag: str) -> None:
    with pytest.raises(ConfigurationError, match="expected"):
        settings_of(parser().parse_args([flag]), 0.0)


def test_the_kubeconfig_is_the_one_given_or_that_of_the_environment(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).write_text(KUBECONFIG.replace("NAME", name))
    environment = {"KUBECONFIG": str(tmp_path / "b"), "KUBERNETES_SERVICE_HOST": "10.0.0.1"}
    assert access_of(tmp_path / "a", environment).server == "http://a"
    assert access_of(None, environment).server == "http://b"
    with pytest.raises(ConfigurationError, match="KUBECONFIG"):
        access_of(None, {})


def test_a_kubeconfig_that_is_not_there_ends_it_with_3(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([f"--kubeconfig={tmp_path / 'none'}"]) == 3
    assert "none" in capsys.readouterr().err
