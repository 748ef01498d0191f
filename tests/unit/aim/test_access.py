from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest
import yaml

from proving_ground.aim.__main__ import address
from proving_ground.aim.access import read_kubeconfig
from proving_ground.errors import ConfigurationError


def config(**changes: Any) -> dict[str, Any]:
    return {
        "current-context": "main",
        "contexts": [{"name": "main", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:6443"}}],
        "users": [{"name": "u", "user": {"token": "t"}}],
        **changes,
    }


def written(folder: Path, content: object) -> Path:
    path = folder / "kubeconfig"
    path.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
    return path


def test_a_kubeconfig_is_read_by_its_current_context(tmp_path: Path) -> None:
    access = read_kubeconfig(written(tmp_path, config()))
    assert (access.server, access.token, access.ca) == ("https://127.0.0.1:6443", "t", None)


def test_certificates_may_be_data_or_files(tmp_path: Path) -> None:
    (tmp_path / "key.pem").write_bytes(b"KEY")
    user = {"client-certificate-data": base64.b64encode(b"CERT").decode(), "client-key": "key.pem"}
    access = read_kubeconfig(written(tmp_path, config(users=[{"name": "u", "user": user}])))
    assert (access.certificate, access.key) == (b"CERT", b"KEY")


def test_no_credential_is_in_the_representation(tmp_path: Path) -> None:
    user = {"token": "hidden", "client-key-data": base64.b64encode(b"hidden").decode()}
    assert "hidden" not in repr(read_kubeconfig(written(tmp_path, config(users=[{"name": "u", "user": user}]))))


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("", "no mapping"),
        ("[", "not YAML"),
        ({}, "contexts has no entry"),
        (config(users=[]), "users has no entry named 'u'"),
        (config(clusters=[{"name": "c", "cluster": {}}]), "no server"),
        (config(contexts=None), "contexts has no entry named 'main'"),
        (config(users=[{"name": "u", "user": {"client-key-data": "###"}}]), "client-key cannot be read"),
        (config(users=[{"name": "u", "user": {"client-key": "absent.pem"}}]), "client-key cannot be read"),
    ],
)
def test_a_broken_kubeconfig_is_refused_with_its_path(tmp_path: Path, content: object, expected: str) -> None:
    path = written(tmp_path, content)
    with pytest.raises(ConfigurationError, match=expected) as refusal:
        read_kubeconfig(path)
    assert str(path) in str(refusal.value)


def test_a_kubeconfig_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read"):
        read_kubeconfig(tmp_path / "none")


@pytest.mark.parametrize("text", ["8082", ":8082", "host:", "host:x", "host:0", "host:70000", "host:٣"])
def test_a_health_address_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match="expected ADDRESS:PORT"):
        address(text)


def test_a_health_address_is_host_and_port() -> None:
    assert address("127.64.0.1:8082") == ("127.64.0.1", 8082)
    assert address("") is None
