from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from proving_ground.errors import ConfigurationError
from proving_ground.fleet.__main__ import main
from proving_ground.fleet.options import parse
from proving_ground.kube.kubeconfig import read_access

if TYPE_CHECKING:
    from pathlib import Path

BAD_CERTIFICATE = """
current-context: x
contexts: [{name: x, context: {cluster: y, user: z}}]
clusters: [{name: y, cluster: {}}]
users: [{name: z, user: {client-certificate-data: '!', client-key-data: '!'}}]
"""


def test_the_pod_network_follows_from_the_control_address() -> None:
    options = parse(["--kubeconfig", "k", "--control-address", "127.64.0.1:8081"])
    assert options.pod_network == "127.64.128.1/17"


@pytest.mark.parametrize(
    "text", ["0.0.0.0:8081", "10.0.0.1:1", "127.0.0.1", "127.0.0.1:0", "127.0.0.1:70000", ":80", "x:y"]
)
def test_a_bad_control_address_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match="--control-address"):
        parse(["--kubeconfig", "k", "--control-address", text])


@pytest.mark.parametrize("option", ["--kubelet-address", "--metrics-api-address"])
def test_an_address_with_tls_needs_its_certificate(option: str) -> None:
    with pytest.raises(ConfigurationError, match="--kubelet-cert"):
        parse(["--kubeconfig", "k", "--control-address", "127.0.0.1:1", option, "127.0.0.1:2"])


@pytest.mark.parametrize("option", ["--kubelet-address", "--metrics-api-address", "--names-address"])
def test_nothing_listens_outside_of_loopback(option: str) -> None:
    with pytest.raises(ConfigurationError, match=option):
        parse(["--kubeconfig", "k", "--control-address", "127.0.0.1:1", option, "0.0.0.0:2"])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "- a list",
        "{",
        "current-context: x",
        "{current-context: x, contexts: [{name: x, context: {cluster: y}}]}",
        BAD_CERTIFICATE,
        "contexts: 3",
    ],
)
def test_a_broken_kubeconfig_is_refused_with_its_path(tmp_path: Path, text: str) -> None:
    file = tmp_path / "kubeconfig"
    file.write_text(text)
    with pytest.raises(ConfigurationError, match=str(file)):
        read_access(file)


def test_a_missing_kubeconfig_ends_the_process_with_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main(["--kubeconfig", str(tmp_path / "none"), "--control-address", "127.0.0.1:1"])
    assert code == 3
    assert capsys.readouterr().err.count("\n") == 1
